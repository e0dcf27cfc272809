//! The kernel programs of Weir.
fn main() {}
