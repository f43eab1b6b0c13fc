//! What collections may do to weak references, judged by the model.

use gcrucible_heap::{Checks, CollectionKind};

use super::Run;
use super::model::{Object, Value};
use gcrucible_trace::Failure;

impl<C: Checks> Run<'_, C> {
    /// A collection clears a weak reference only if nothing strong leads to its target; a
    /// major one clears all of those. Strings and boxed ints, which may be shared unseen, are
    /// held to the first rule alone. Gives the weak references that nothing strong led to and that
    /// were not cleared, though their targets are dead: no finalizer may bring them back.
    pub(super) fn settle_weak(
        &mut self,
        kind: CollectionKind,
        cleared: &[u64],
    ) -> Result<Vec<usize>, Failure> {
        let mut dead = Vec::new();
        let has_weak = self.model.waited_on > 0;
        if !self.options.advantages.model || !has_weak {
            return Ok(dead);
        }
        if cleared.is_empty() && kind == CollectionKind::Minor {
            return Ok(dead);
        }
        let reached = self.strongly_reachable();
        for at in 0..self.model.objects.len() {
            let Object::Weak { id, target } = self.model.objects[at] else {
                continue;
            };
            let Value::Object(to) = target else { continue };
            let is_dead = !reached[to as usize];
            if cleared.binary_search(&id).is_ok() {
                if !is_dead {
                    let message = format!("weak reference {id} was cleared, its target lives");
                    return Err(self.failure("weak_clears_with_target", "early", "weak", message));
                }
                self.model.objects[at] = Object::Weak {
                    id,
                    target: Value::Nil,
                };
            } else if is_dead
                && kind == CollectionKind::Major
                && self.model.objects[to as usize].has_identity()
            {
                if reached[at] {
                    let message = format!("weak reference {id} outlives its target");
                    return Err(self.failure("weak_clears_with_target", "late", "weak", message));
                }
                dead.push(at);
            }
        }
        Ok(dead)
    }

    /// Finalizers have brought back what they will be given: a weak reference among that whose target
    /// was dead as well had to be cleared.
    pub(super) fn settle_weak_brought_back(&mut self, dead: &[usize]) -> Result<(), Failure> {
        if dead.is_empty() {
            return Ok(());
        }
        let reached = self.strongly_reachable();
        match dead.iter().find(|&&at| reached[at]) {
            None => Ok(()),
            Some(at) => {
                let message = format!("object {at}, a weak reference, came back with its target");
                Err(self.failure("weak_clears_with_target", "brought_back", "weak", message))
            }
        }
    }

    /// Which objects of the model something strong leads to.
    pub(super) fn strongly_reachable(&self) -> Vec<bool> {
        let roots = self.model.registers.iter().flatten();
        let roots = roots.chain(&self.pending).chain(&self.model.handles);
        let roots = roots.copied().chain(self.model.held_by_finalizers());
        self.model.strongly_reachable(roots)
    }
}

#[cfg(test)]
mod tests {
    use gcrucible_heap::{Heap, HeapConfig, HeapDebug, Unchecked};

    use super::*;
    use crate::scenario::{HeapOp, HeapOps};
    use gcrucible_trace::RunOptions;

    /// Runs `check` after a weak reference to what register 0 held was made, in register 1.
    fn with_weak(is_kept: bool, check: impl FnOnce(&mut Run<'_, Unchecked>)) {
        let heap = Heap::new(HeapConfig::tiny(), HeapDebug::default())
            .expect("address space for a tiny heap");
        let clear = (!is_kept).then_some(HeapOp::Clear(0));
        let ops = [HeapOp::Instance(0, 1), HeapOp::Weak(1, 0)];
        let program = HeapOps {
            holders: 1,
            registers: 2,
            ops: ops.into_iter().chain(clear).collect(),
        };
        let options = RunOptions::default();
        let mut run = Run::<Unchecked>::new(&heap, &program, &options);
        for op in &program.ops {
            run.step(op).expect("a sound engine");
        }
        check(&mut run);
    }

    #[test]
    fn clearing_early_or_late_fails() {
        with_weak(true, |run| {
            assert!(run.settle_weak(CollectionKind::Major, &[]).is_ok());
            let early = run.settle_weak(CollectionKind::Minor, &[1]).unwrap_err();
            assert_eq!(early.check, "early");
        });
        with_weak(false, |run| {
            assert!(run.settle_weak(CollectionKind::Minor, &[]).is_ok());
            let late = run.settle_weak(CollectionKind::Major, &[]).unwrap_err();
            assert_eq!(late.check, "late");
            assert!(run.settle_weak(CollectionKind::Major, &[1]).is_ok());
            assert!(run.settle_weak(CollectionKind::Major, &[]).is_ok());
        });
    }

    #[test]
    fn coming_back_with_its_target_fails() {
        with_weak(false, |run| {
            run.model.registers[0][1] = Value::Nil;
            let dead = run.settle_weak(CollectionKind::Major, &[]);
            let dead = dead.expect("nothing strong leads to it");
            assert_eq!(dead, [1]);
            assert!(run.settle_weak_brought_back(&dead).is_ok());
            run.model.registers[0][1] = Value::Object(1);
            let failure = run.settle_weak_brought_back(&dead).unwrap_err();
            assert_eq!(failure.check, "brought_back");
        });
    }

    #[test]
    fn survivors_that_stay_young_fail() {
        with_weak(true, |run| {
            run.compare_all().expect("a new object is young");
            run.model.collections = 2;
            let failure = run.compare_all().unwrap_err();
            assert_eq!(failure.check, "I-26");
            for _ in 0..2 {
                run.collect(CollectionKind::Minor).expect("a sound engine");
            }
            run.compare_all().expect("two collections make it old");
        });
    }
}
