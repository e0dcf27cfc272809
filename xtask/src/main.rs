//! Set-up, build, demo, test and bench of Weir.
fn main() {}
