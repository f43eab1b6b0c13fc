//! Roots: where references into the heap live outside of it.
//!
//! A root provider describes its slots once, in [`RootProvider::trace`]; enumerating and
//! forwarding are the same walk, so the two cannot differ (I-7). The verifier does not
//! trust that walk: [`RootProvider::audit`] lists the roots a second time, written
//! independently of the first.

use std::fmt;

use crate::identity::Home;
use crate::slot::Slot;
use crate::tlab::Tlab;
use crate::value::Word;

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
///
/// # Safety
/// The collector believes what it says, so whoever implements it owes:
///
/// 1. *All of them.* `trace` passes on every slot whose value is read again after the collection,
///    whichever thread calls it and however often. If [`is_compile_time`](RootProvider::is_compile_time)
///    says so, these hold nothing that is made otherwise, and are never written again.
/// 2. *At home.* `home` is always the same, made for the heap that the slots' values are of, and
///    `tlab`, if there is one, is always the same and made for that heap, too. Where the provider
///    is handed to safe code in an `Arc`, which that may take it out of, its slots are used only
///    after a [check](Home::check).
/// 3. *Nothing else.* `trace` and `audit` read and write no slot otherwise, ask for no permit,
///    and call nothing that does.
///
/// `audit` lists the same slots by other code: on that nothing depends but what the verifier
/// finds. A provider that panics breaks the heap ([`Heap::broken`](crate::Heap::broken)), and no
/// more.
///
/// ```compile_fail,E0200
/// # use gcrucible_heap::*;
/// struct Nothing(Home);
/// impl RootProvider for Nothing { // error: the trait is unsafe to implement
///     fn name(&self) -> String { "nothing".into() }
///     fn home(&self) -> &Home { &self.0 }
///     fn trace(&self, _: &mut dyn RootTracer) {}
///     fn audit(&self, _: &mut RootAudit<'_>) {}
/// }
/// ```
pub unsafe trait RootProvider: Send + Sync {
    /// Its name in reports.
    fn name(&self) -> String;

    /// Which heap it belongs to.
    fn home(&self) -> &Home;

    /// Passes every slot to the tracer, which may forward it.
    fn trace(&self, tracer: &mut dyn RootTracer);

    /// Passes every slot to the audit: the same slots, listed by other code.
    fn audit(&self, audit: &mut RootAudit<'_>);

    /// The allocation buffer of this holder, if it allocates.
    fn tlab(&self) -> Option<&Tlab> {
        None
    }

    /// Whether its slots hold nothing but [compile-time objects](crate::CompileTimeObjects) and what is
    /// no object, from when it is registered on. Then there is nothing in them for a minor
    /// collection, and the verifier looks at them when versions have come or may have gone.
    fn is_compile_time(&self) -> bool {
        false
    }

    /// Bytes of it that are [charged](crate::Heap::charge) to the heap's limit as long as it lives.
    fn charged_bytes(&self) -> u64 {
        0
    }

    /// Whether the holder is the engine's registry rather than a virtual machine, for reports
    /// about its buffer.
    fn is_registry(&self) -> bool {
        false
    }
}

/// What a collection does with each root. The heap's own: nobody else gets at a provider's slots
/// this way.
///
/// ```compile_fail,E0277
/// # use gcrucible_heap::*;
/// struct Mine;
/// impl RootTracer for Mine { // error: it is sealed
///     fn slot(&mut self, _: RootKind, _: &Slot) {}
/// }
/// ```
pub trait RootTracer: sealed::Collector {
    /// Traces one slot.
    fn slot(&mut self, kind: RootKind, slot: &Slot);

    /// Passes over a slot that is written before it is read again: it keeps nothing alive, and
    /// what it holds is lost.
    fn dead(&mut self, slot: &Slot);
}

pub(crate) mod sealed {
    /// What is a collector of this crate.
    pub trait Collector {}
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
