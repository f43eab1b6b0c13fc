//! Lua 5.4 under test, through its C interface: nodes are userdata, roots are references in the registry.
//!
//! Lua does not say when it frees an object, so a node drops when Lua's allocator gives its memory back, which is ours.

mod api;
mod heap;

use std::process::ExitCode;

use gcrucible_quarantine::Quarantine;

#[global_allocator]
static GLOBAL: Quarantine = Quarantine;

fn main() -> ExitCode {
    gcrucible_heap_subject::heap_main::<heap::Lua>()
}
