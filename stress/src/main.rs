//! The `crucible` command.
fn main() {}
