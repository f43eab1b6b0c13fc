//! Roots: where references into the heap live outside of it.
//!
//! A root provider describes its slots once, in [`RootProvider::trace`]; enumerating and
//! forwarding are the same walk, so the two cannot differ (I-7). The verifier does not
//! trust that walk: [`RootProvider::audit`] lists the roots a second time, written
//! independently of the first.

use std::fmt;

use crate::tlab::Tlab;
use crate::value::{Slot, Word};

/// What kind of root a slot is; named in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RootKind {
    /// A local variable or parameter of a frame.
    Local,
    /// An operand that waits for its operation.
    Temporary,
    /// The closure that a frame runs.
    Callee,
    /// A value in flight through a `finally` block.
    InFlight,
    /// A result that waits to be stored in its register.
    Result,
    /// What a scope holds: the mutex of a guard, the children of a squad.
    Scope,
    /// What belongs to a run.
    RunLocals,
    /// A module-level variable.
    Global,
    /// An unfinished future.
    PendingFuture,
    /// Callee and arguments of a future that has not started.
    Unscheduled,
    /// The value that a call of the host returned.
    CallResult,
    /// The promise of a module's evaluation.
    Promise,
    /// A handle of the host.
    Handle,
    /// A function that is called when its object is about to be freed.
    Finalizer,
    /// An object whose finalizer is about to be called.
    Finalizable,
    /// A register of a test or of the heap-operations lane.
    Register,
}

impl RootKind {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            RootKind::Local => "local",
            RootKind::Temporary => "temporary",
            RootKind::Callee => "callee",
            RootKind::InFlight => "in flight",
            RootKind::Result => "result",
            RootKind::Scope => "scope",
            RootKind::RunLocals => "run locals",
            RootKind::Global => "global",
            RootKind::PendingFuture => "pending future",
            RootKind::Unscheduled => "unscheduled future",
            RootKind::CallResult => "call result",
            RootKind::Promise => "promise",
            RootKind::Handle => "handle",
            RootKind::Finalizer => "finalizer",
            RootKind::Finalizable => "finalizable",
            RootKind::Register => "register",
        }
    }
}

/// A container of roots. The heap calls it only while the world is stopped.
pub trait RootProvider: Send + Sync {
    /// Its name in reports.
    fn name(&self) -> String;

    /// Passes every slot to the tracer, which may forward it.
    fn trace(&self, tracer: &mut dyn RootTracer);

    /// Passes every slot to the audit: the same slots, listed by other code.
    fn audit(&self, audit: &mut RootAudit<'_>);

    /// The allocation buffer of this holder, if it allocates.
    fn tlab(&self) -> Option<&Tlab> {
        None
    }

    /// Bytes of it that are [charged](Heap::charge) to the heap's limit as long as it lives.
    fn charged_bytes(&self) -> u64 {
        0
    }

    /// Whether the holder is the engine's registry rather than a virtual machine; it
    /// decides nothing but which of two seeded bugs concerns its buffer.
    fn is_registry(&self) -> bool {
        false
    }
}

/// What a collection does with each root.
pub trait RootTracer {
    /// Traces one slot.
    fn slot(&mut self, kind: RootKind, slot: &Slot);

    /// Passes over a slot that is written before it is read again: it keeps nothing alive, and
    /// what it holds is lost.
    fn dead(&mut self, slot: &Slot);
}

/// Collects what the verifier starts from.
pub struct RootAudit<'a> {
    pub(crate) seen: &'a mut Vec<(RootKind, Word)>,
}

impl RootAudit<'_> {
    /// Notes one root.
    pub fn root(&mut self, kind: RootKind, slot: &Slot) {
        let word = slot.get();
        if word.is_object() || word.is_poison() {
            self.seen.push((kind, word));
        }
    }
}

impl fmt::Debug for RootAudit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootAudit")
            .field("seen", &self.seen.len())
            .finish()
    }
}
