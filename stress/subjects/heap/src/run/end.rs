//! The end of a run: all roots go, and everything must.

use std::rc::Rc;

use super::Run;
use crate::caps::Caps;
use crate::model::Id;
use crate::program::{ROOTS, WEAKS};
use crate::subject::{Collect, HeapSubject};

/// Collections at the end: finalizers make some of them wait for the next one.
const ROUNDS: u32 = 4;

/// Nodes that a message names.
const NAMED_MAX: usize = 5;

impl<H: HeapSubject> Run<H> {
    /// Drops all roots, collects, and drops the heap.
    pub(super) fn end(self: &Rc<Self>) {
        for round in 0..ROUNDS {
            // Callbacks make new roots the first time, and then no more.
            self.acts.set(round == 0);
            self.guarded("end", |run| {
                run.drop_all_roots();
                if !run.is_over() {
                    run.heap().collect(Collect::Full);
                }
            });
            if self.is_over() {
                return;
            }
        }
        self.guarded("end", |run| {
            run.check_for_garbage(|_| true);
            run.verify();
        });
        if self.is_over() {
            return;
        }
        self.guarded("drop of the heap", |run| {
            let heap = run.heap.take();
            drop(run.stranger.take());
            drop(heap);
        });
    }

    fn drop_all_roots(self: &Rc<Self>) {
        for place in 0..ROOTS as u8 {
            self.put(place, None);
        }
        for place in 0..WEAKS as u8 {
            self.put_weak(place, None);
        }
    }

    /// After a full collection there must be no garbage left that was due, where the heap promises that.
    pub(super) fn check_for_garbage(&self, is_due: impl Fn(Id) -> bool) {
        if !H::CAPS.has(Caps::PROMPT) || self.has_panicked.get() {
            return;
        }
        let mut left = self.model.borrow_mut().garbage();
        left.retain(|&id| is_due(id));
        self.observe(left.len() as u64);
        if left.is_empty() {
            return;
        }
        let named: Vec<_> = left
            .iter()
            .take(NAMED_MAX)
            .map(ToString::to_string)
            .collect();
        self.fail(
            "garbage_is_collected",
            "leak",
            &format!(
                "{} nodes cannot be reached and were not dropped: {}",
                left.len(),
                named.join(", ")
            ),
        );
    }
}
