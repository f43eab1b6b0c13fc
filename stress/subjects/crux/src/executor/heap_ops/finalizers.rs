//! Finalizers: registered, queued by collections, taken from the queue; judged by the model.

use gcrucible_heap::{Checks, CollectionKind, Mutator, SharedPermit, Value};

use super::model::{Finalizer, Object, Value as ModelValue};
use super::{Run, Stop};
use gcrucible_trace::Failure;

/// Name of the oracle.
const ORACLE: &str = "finalizers_run_once";

impl<C: Checks> Run<'_, C> {
    /// Registers a finalizer, if `object` is something that programs can tell apart.
    pub(super) fn add_finalizer<'p>(
        &mut self,
        m: &Mutator<'p, C>,
        [object, function]: [Value<'p>; 2],
        [model_object, model_function]: [ModelValue; 2],
    ) -> Result<(), Stop> {
        let model = self.model.object(model_object);
        if !model.is_some_and(Object::has_identity) {
            return Ok(());
        }
        let number = m.add_finalizer(object, function)?;
        let finalizers = &mut self.model.finalizers;
        finalizers.registered_ever += 1;
        let expected = finalizers.registered_ever;
        finalizers.registered.push(Finalizer {
            number: expected,
            object: model_object,
            function: model_function,
        });
        if number != Some(expected) {
            let message = format!("registration {expected} got the number {number:?}");
            return Err(self.failure(ORACLE, "number", "finalizer", message).into());
        }
        Ok(())
    }

    /// Takes the first finalizer from the queue, as the engine does that runs it. Gives its
    /// object.
    pub(super) fn finalize<'p>(
        &mut self,
        permit: &'p SharedPermit<'_>,
        m: &Mutator<'p, C>,
    ) -> Result<(Value<'p>, ModelValue), Stop> {
        let number = self.heap.next_finalizer();
        let taken = permit.take_finalizer();
        let expected = self.model.finalizers.queue.pop_front();
        if self.options.advantages.model && number != expected.map(|expected| expected.number) {
            let message = format!("number {number:?} is first in the queue, not {expected:?}");
            return Err(self.failure(ORACLE, "first", "queue", message).into());
        }
        let (function, object) = taken.unwrap_or((Value::NIL, Value::NIL));
        let nil = (ModelValue::Nil, ModelValue::Nil);
        let model = expected.map_or(nil, |expected| (expected.function, expected.object));
        self.expect_like(m, Some(function), model.0)?;
        self.expect_like(m, Some(object), model.1)?;
        Ok((object, model.1))
    }

    /// A collection queues finalizers of what nothing strong leads to, each once, in order of
    /// registration; a major one queues all of those.
    pub(super) fn settle_finalizers(
        &mut self,
        kind: CollectionKind,
        queued: &[u64],
    ) -> Result<(), Failure> {
        if !self.options.advantages.model {
            return Ok(());
        }
        if queued.is_empty()
            && (kind == CollectionKind::Minor || self.model.finalizers.registered.is_empty())
        {
            return Ok(());
        }
        let reached = self.strongly_reachable();
        let mut queued_left = queued.iter().copied().peekable();
        for finalizer in std::mem::take(&mut self.model.finalizers.registered) {
            let number = finalizer.number;
            let is_dead = match finalizer.object {
                ModelValue::Object(at) => !reached[at as usize],
                _ => false,
            };
            if queued_left.next_if_eq(&number).is_none() {
                if is_dead && kind == CollectionKind::Major {
                    let message = format!("the object of finalizer {number} is dead, not queued");
                    return Err(self.failure(ORACLE, "late", "finalizer", message));
                }
                self.model.finalizers.registered.push(finalizer);
                continue;
            }
            if !is_dead {
                let message = format!("finalizer {number} was queued, its object lives");
                return Err(self.failure(ORACLE, "early", "finalizer", message));
            }
            self.model.finalizers.queue.push_back(finalizer);
        }
        if let Some(number) = queued_left.next() {
            let message = format!("finalizer {number} was queued again, or out of order");
            return Err(self.failure(ORACLE, "again", "finalizer", message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use gcrucible_heap::{Heap, HeapConfig, HeapDebug, Unchecked};

    use super::*;
    use crate::scenario::{HeapOp, HeapOps};
    use gcrucible_trace::RunOptions;

    /// Runs `check` after two finalizers were registered, the second of an object that is
    /// dead.
    fn with_finalizers(check: impl FnOnce(&mut Run<'_, Unchecked>)) {
        let heap = Heap::new(HeapConfig::tiny(), HeapDebug::default())
            .expect("address space for a tiny heap");
        let program = HeapOps {
            holders: 1,
            registers: 2,
            ops: vec![
                HeapOp::Instance(0, 1),
                HeapOp::Instance(1, 1),
                HeapOp::Finalizer(0, 0),
                HeapOp::Finalizer(1, 0),
                HeapOp::Clear(1),
            ],
        };
        let options = RunOptions::default();
        let mut run = Run::<Unchecked>::new(&heap, &program, &options);
        for op in &program.ops {
            run.step(op).expect("a sound engine");
        }
        check(&mut run);
    }

    #[test]
    fn queueing_early_late_or_twice_fails() {
        with_finalizers(|run| {
            let early = run.settle_finalizers(CollectionKind::Minor, &[1]);
            assert_eq!(early.unwrap_err().check, "early");
        });
        with_finalizers(|run| {
            assert!(run.settle_finalizers(CollectionKind::Minor, &[]).is_ok());
            let late = run.settle_finalizers(CollectionKind::Major, &[]);
            assert_eq!(late.unwrap_err().check, "late");
        });
        with_finalizers(|run| {
            assert!(run.settle_finalizers(CollectionKind::Major, &[2]).is_ok());
            let again = run.settle_finalizers(CollectionKind::Minor, &[2]);
            assert_eq!(again.unwrap_err().check, "again");
        });
    }

    #[test]
    fn the_queue_gives_what_collections_put_there() {
        with_finalizers(|run| {
            run.collect(CollectionKind::Major).expect("a sound engine");
            assert_eq!(run.model.finalizers.queue.len(), 1);
            run.step(&HeapOp::Finalize(1)).expect("a sound engine");
            run.compare_all().expect("it came back to life");
        });
        with_finalizers(|run| {
            run.collect(CollectionKind::Major).expect("a sound engine");
            run.model.finalizers.queue[0].number = 1;
            let failure = run.step(&HeapOp::Finalize(1)).unwrap_err();
            assert_eq!(failure.check, "first");
        });
    }
}
