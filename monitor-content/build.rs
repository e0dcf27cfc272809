//! Lays the vocabularies out as tables that are used where they lie in the program file: nothing is decoded at run
//! time, and only the pages that are read take memory.

use std::path::Path;
use std::{env, fs, io};

include!("src/tokens/hash.rs");

/// Slots for a token in [`SLOT_BITS`]; about half stay free, so that a miss ends soon.
const SLOT_BITS: &[(&str, u32)] = &[("o200k_base", 19), ("cl100k_base", 18)];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/tokens/hash.rs");
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("OUT_DIR is not set"))?;
    for (name, bits) in SLOT_BITS {
        let tokenizer = match *name {
            "o200k_base" => bpe_openai::o200k_base(),
            _ => bpe_openai::cl100k_base(),
        };
        lay_out(Path::new(&out), name, &tokenizer.bpe, *bits)?;
    }
    Ok(())
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
