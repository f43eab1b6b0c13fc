//! `poison-dead`: what a dead register holds is nothing that anybody reads.

use std::panic::{AssertUnwindSafe, catch_unwind};

use gcrucible_heap::{Checked, HeapFault};

use super::machine::Machine;
use crate::SliceEnd;

/// Has registers that are dead for a while, across a call, a loop and a `finally` block.
const TEXT: &str = r#"
fn double(list) { return list.len() * 2 }
fn main() {
  let total = 0
  for i in 0..3 {
    let list = [i, i + 1]
    try { total = total + double(list) } finally { total = total + 1 }
  }
  return total
}
"#;

/// Runs `main` in slices of one instruction; registers that cannot be read after one of them.
fn run(modes: &str) -> (Machine, usize) {
    let machine = Machine::under(TEXT, modes);
    let mut unreadable = 0;
    while machine.slice(1).end != SliceEnd::Returned {
        let permit = machine.heap.try_shared().expect("nobody collects");
        let m = permit.reader::<Checked>();
        let state = machine.vm.state.lock();
        let refused = state.control.stack.used().iter().filter(|slot| {
            let read = catch_unwind(AssertUnwindSafe(|| m.load_root(*slot).is_nil()));
            read.is_err_and(|panic| panic.is::<HeapFault>())
        });
        unreadable += refused.count();
    }
    assert_eq!(machine.exchange(), "15");
    (machine, unreadable)
}

#[test]
fn dead_registers_cannot_be_read_and_nobody_does() {
    let (machine, unreadable) = run("poison-dead");
    assert!(unreadable > 0);
    assert!(machine.heap.stats().registers_poisoned >= unreadable as u64);
    assert_eq!(machine.heap.stats().collections_major, 0);
    let (machine, unreadable) = run("natural");
    assert_eq!(unreadable, 0);
    assert_eq!(machine.heap.stats().registers_poisoned, 0);
}
