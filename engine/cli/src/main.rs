//! The command line of Crux.

fn main() {}
