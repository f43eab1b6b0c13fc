//! What the heap keeps, judged by the model: a major collection leaves what the roots lead to, kind
//! by kind, and no array has more room than its history explains.

use std::collections::BTreeMap;

use gcrucible_heap::{Checks, ExclusivePermit, Mutator, Value};

use super::Run;
use super::model::{Object, Value as ModelValue};
use gcrucible_trace::Failure;

const ORACLE: &str = "nothing_leaks";

/// Room that any array may have.
const LEAST_ROOM: u32 = 4;

impl<C: Checks> Run<'_, C> {
    /// Compares what a major collection has left with what the model reaches. Of what has no
    /// identity there may be less, since equal strings may be one, and of storages as well.
    pub(super) fn compare_census(
        &mut self,
        permit: &mut ExclusivePermit<'_>,
    ) -> Result<(), Failure> {
        if !self.options.advantages.model {
            return Ok(());
        }
        let reached = self.strongly_reachable();
        let mut expected: BTreeMap<&'static str, (u64, bool)> = BTreeMap::new();
        let mut add = |name, is_exact| {
            let entry = expected.entry(name).or_insert((0, is_exact));
            entry.0 += 1;
        };
        for (object, _) in self.model.objects.iter().zip(reached).filter(|it| it.1) {
            add(object.name(), object.has_identity());
            match object {
                Object::Array(_) | Object::Channel { .. } => add("array storage", false),
                Object::Map(_) => add("map storage", false),
                _ => {}
            }
        }
        for (kind, found) in permit.census() {
            let (most, is_exact) = expected.remove(kind).unwrap_or_default();
            if found > most || is_exact && found < most {
                let message =
                    format!("a major collection has left {found}, the model reaches {most}");
                return Err(self.failure(ORACLE, "kept", kind, message));
            }
        }
        match expected.iter().find(|(_, (_, is_exact))| *is_exact) {
            None => Ok(()),
            Some((&kind, (most, _))) => {
                let message = format!("a major collection has left none of {most}");
                Err(self.failure(ORACLE, "kept", kind, message))
            }
        }
    }

    /// An operation has left this array: its storage has at most twice the room for the most that
    /// it ever held.
    pub(super) fn check_room<'p>(
        &mut self,
        m: &Mutator<'p, C>,
        array: Value<'p>,
        model: ModelValue,
    ) -> Result<(), Failure> {
        let ModelValue::Object(at) = model else {
            return Ok(());
        };
        let Object::Array(elements) = &self.model.objects[at as usize] else {
            return Ok(());
        };
        let peak = &mut self.model.peaks[at as usize];
        *peak = (*peak).max(elements.len() as u32);
        let most = LEAST_ROOM.max(peak.saturating_mul(2));
        match m.array_places(array) {
            Some(room) if room > most && self.options.advantages.model => {
                let message =
                    format!("an array that never held more than {peak} has room for {room}");
                Err(self.failure(ORACLE, "room", "array", message))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use gcrucible_heap::{CollectionKind, Heap, HeapConfig, HeapDebug, Unchecked};

    use super::*;
    use crate::scenario::{HeapOp, HeapOps};
    use gcrucible_trace::RunOptions;

    /// Runs `check` after some operations, of which the last has left an array in register 0.
    fn after(ops: &[HeapOp], check: impl FnOnce(&mut Run<'_, Unchecked>)) {
        let heap = Heap::new(HeapConfig::tiny(), HeapDebug::default())
            .expect("address space for a tiny heap");
        let program = HeapOps {
            holders: 1,
            registers: 2,
            ops: ops.to_vec(),
        };
        let options = RunOptions::default();
        let mut run = Run::<Unchecked>::new(&heap, &program, &options);
        for op in &program.ops {
            run.step(op).expect("a sound engine");
        }
        check(&mut run);
    }

    #[test]
    fn what_the_model_does_not_reach_and_what_it_misses_fails() {
        let ops = [HeapOp::Array(0, 3), HeapOp::Map(1), HeapOp::Push(0, 1)];
        after(&ops, |run| {
            run.collect(CollectionKind::Major).expect("a sound engine");
            run.model.registers[0][0] = ModelValue::Nil;
            let kept = run.collect(CollectionKind::Major).unwrap_err();
            assert_eq!((kept.check.as_str(), kept.site.as_str()), ("kept", "array"));
        });
        after(&ops, |run| {
            run.model.add(Object::Cell(ModelValue::Nil));
            run.model.registers[0][1] = ModelValue::Object(2);
            let missing = run.collect(CollectionKind::Major).unwrap_err();
            assert_eq!(missing.site, "cell");
        });
    }

    #[test]
    fn an_array_with_too_much_room_fails() {
        let push = [HeapOp::Array(0, 30), HeapOp::Push(0, 1)];
        after(&push, |run| {
            run.model.peaks[0] = 0;
            let failure = run.step(&HeapOp::Push(0, 1)).unwrap_err();
            assert_eq!(failure.check, "room");
        });
    }
}
