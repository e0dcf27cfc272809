// Included by the build script as well, which lays out the tables that are looked up with it.

/// Mixes the bytes of a token into 64 bits: the upper ones choose a slot, the lower ones tell tokens in it apart.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
    let fold = |state: u64, word: u64| {
        let product = u128::from(state ^ word) * u128::from(MIX);
        (product as u64) ^ ((product >> 64) as u64)
    };
    let mut state = bytes.len() as u64;
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        state = fold(state, u64::from_le_bytes(word));
    }
    let mut word = 0;
    for byte in chunks.remainder() {
        word = word << 8 | u64::from(*byte);
    }
    fold(state, word ^ MIX).wrapping_mul(MIX)
}
