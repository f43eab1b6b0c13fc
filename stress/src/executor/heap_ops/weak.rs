//! What collections may do to weak references, judged by the model.

use gcrucible_heap::{Checks, CollectionKind};

use super::Run;
use super::model::{Object, Value};
use crate::oracles::failure::Failure;

impl<C: Checks> Run<'_, C> {
    /// A collection clears a weak reference only if nothing strong leads to its target; a
    /// major one clears all of those. Strings and boxed ints, which may be shared unseen, are
    /// held to the first rule alone.
    pub(super) fn settle_weak(
        &mut self,
        kind: CollectionKind,
        cleared: &[u64],
    ) -> Result<(), Failure> {
        let has_weak = self.model.waited_on > 0;
        if !self.options.advantages.model || !has_weak {
            return Ok(());
        }
        if cleared.is_empty() && kind == CollectionKind::Minor {
            return Ok(());
        }
        let roots = self.model.registers.iter().flatten();
        let roots = roots.chain(&self.pending).chain(&self.model.handles);
        let reached = self.model.strongly_reachable(roots.copied());
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
                && reached[at]
                && kind == CollectionKind::Major
                && self.model.objects[to as usize].has_identity()
            {
                let message = format!("weak reference {id} outlives its target");
                return Err(self.failure("weak_clears_with_target", "late", "weak", message));
            }
        }
        Ok(())
    }
}
