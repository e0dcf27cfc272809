//! Lays the vocabularies out as tables that are used where they lie in the program file: nothing is decoded at run
//! time, and only the pages that are read take memory. So is what the fold makes of each character.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;
use std::{env, fs, io};

use characters::Class;

#[path = "build/characters.rs"]
mod characters;

include!("src/tokens/hash.rs");
include!("src/detectors/person/layout.rs");

/// Slots for a token in [`SLOT_BITS`]; about half stay free, so that a miss ends soon.
const SLOT_BITS: &[(&str, u32)] = &[("o200k_base", 19), ("cl100k_base", 18)];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build/characters.rs");
    println!("cargo::rerun-if-changed=src/tokens/hash.rs");
    println!("cargo::rerun-if-changed=src/detectors/person/layout.rs");
    println!("cargo::rerun-if-changed=names/names.txt");
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("OUT_DIR is not set"))?;
    for (name, bits) in SLOT_BITS {
        let tokenizer = match *name {
            "o200k_base" => bpe_openai::o200k_base(),
            _ => bpe_openai::cl100k_base(),
        };
        lay_out(Path::new(&out), name, &tokenizer.bpe, *bits)?;
    }
    lay_out_names(Path::new(&out))?;
    fs::write(Path::new(&out).join("characters.rs"), lay_out_characters())
}

/// A name as the fold leaves it for the detectors.
fn folded(name: &str) -> String {
    let mut out = String::new();
    for character in name.chars() {
        match characters::class(character) {
            _ if character.is_ascii() => out.push(character),
            Class::Ascii(byte) => out.push(char::from(byte)),
            Class::Text(text) => out.push_str(&text),
            Class::Dropped | Class::Mark => {}
            _ => out.push(character),
        }
    }
    out
}

/// The names with their marks, sorted into buckets, and where each bucket starts.
fn lay_out_names(out: &Path) -> io::Result<()> {
    let mut entries = Vec::new();
    for line in fs::read_to_string("names/names.txt")?.lines() {
        let (name, letters) = line
            .split_once(' ')
            .ok_or_else(|| io::Error::other(format!("names.txt has a line without marks: {line}")))?;
        let marks = [('g', GIVEN), ('f', FAMILY), ('w', WORD)];
        let marks = marks.iter().filter(|(letter, _)| letters.contains(*letter));
        let (bucket, rest) = place(hash(folded(name).as_bytes()));
        entries.push((bucket, rest | marks.fold(0, |all, (_, mark)| all | mark)));
    }
    entries.sort_unstable();
    entries.dedup_by(|second, first| {
        // The same name with and without diacritics.
        let same = (first.0, first.1 >> MARK_BITS) == (second.0, second.1 >> MARK_BITS);
        first.1 |= if same { second.1 } else { 0 };
        same
    });
    let starts =
        (0..=1 << BUCKET_BITS).map(|bucket| entries.partition_point(|entry| entry.0 < bucket) as u32);
    let starts: Vec<u8> = starts.flat_map(u32::to_le_bytes).collect();
    let entries: Vec<u8> = entries.iter().flat_map(|entry| entry.1.to_le_bytes()).collect();
    fs::write(out.join("names.starts"), starts)?;
    fs::write(out.join("names.entries"), entries)
}

/// Code points whose classes are kept together; most blocks are like another one.
const BLOCK: usize = 64;

/// The classes as a table of two levels, in the encoding that `src/fold/table.rs` reads.
fn lay_out_characters() -> String {
    let (mut texts, mut starts) = (String::new(), vec![0_usize]);
    let (mut index, mut blocks) = (Vec::new(), Vec::new());
    let mut known: HashMap<Vec<u16>, usize> = HashMap::new();
    for first in (0..=char::MAX as u32).step_by(BLOCK) {
        let block: Vec<u16> = (first..first + BLOCK as u32)
            .map(
                |code| match char::from_u32(code).map_or(Class::Other, characters::class) {
                    Class::Other => 0,
                    Class::Letter => 1,
                    Class::Dropped => 2,
                    Class::Mark => 3,
                    Class::Ascii(byte) => 0x100 | u16::from(byte),
                    Class::Lookalike(byte) => 0x200 | u16::from(byte),
                    Class::Rough(byte) => 0x300 | u16::from(byte),
                    Class::Text(text) => {
                        texts.push_str(&text);
                        starts.push(texts.len());
                        0x8000 | (starts.len() - 2) as u16
                    }
                },
            )
            .collect();
        let next = known.len();
        let at = *known.entry(block.clone()).or_insert(next);
        if at == next {
            blocks.extend(block);
        }
        index.push(at);
    }
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "static INDEX: [u16; {}] = {index:?};\nstatic BLOCKS: [u16; {}] = {blocks:?};\n\
         static STARTS: [u16; {}] = {starts:?};\nstatic TEXTS: &str = {texts:?};\n",
        index.len(),
        blocks.len(),
        starts.len(),
    );
    out
}

fn lay_out(
    out: &Path,
    name: &str,
    bpe: &bpe_openai::byte_pair_encoding::BytePairEncoding,
    bits: u32,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    let mut starts = vec![0_u8; 4];
    let mut slots = vec![0_u64; 1 << bits];
    for rank in 0..bpe.num_tokens() as u32 {
        let token = bpe.token_bytes(rank);
        let hash = hash(token);
        let mut slot = (hash >> (64 - bits)) as usize;
        while slots[slot] != 0 {
            slot = (slot + 1) % slots.len();
        }
        // The rank plus one, so that no used slot is 0, and what tells tokens apart.
        slots[slot] = u64::from(rank + 1) << 32 | (hash & u64::from(u32::MAX));
        bytes.extend_from_slice(token);
        starts.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    }
    let slots: Vec<u8> = slots.iter().flat_map(|slot| slot.to_le_bytes()).collect();
    fs::write(out.join(format!("{name}.slots")), slots)?;
    fs::write(out.join(format!("{name}.starts")), starts)?;
    fs::write(out.join(format!("{name}.bytes")), bytes)
}
