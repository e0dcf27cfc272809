// Included by the build script as well, which lays the table out.

/// A bit of the table's marks: a given name.
pub(crate) const GIVEN: u16 = 1;
/// A family name.
pub(crate) const FAMILY: u16 = 2;
/// An ordinary word as well, or a place.
pub(crate) const WORD: u16 = 4;
/// Bits of an entry that are marks; the others are of its hash.
pub(crate) const MARK_BITS: u32 = 3;
/// Buckets of the table.
pub(crate) const BUCKET_BITS: u32 = 13;

/// A name's bucket, and the rest of its hash where the marks leave room for it.
pub(crate) fn place(hash: u64) -> (usize, u16) {
    let bucket = hash >> (64 - BUCKET_BITS);
    let rest = (hash >> (64 - BUCKET_BITS - 16)) as u16;
    (bucket as usize, rest & !((1 << MARK_BITS) - 1))
}
