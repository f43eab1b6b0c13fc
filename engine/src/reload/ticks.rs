//! What the host asks again and again: judging, swapping, deferring.

use std::sync::Arc;

use gcrucible_bytecode::VerifiedProgram;
use gcrucible_heap::{Checked, FutureState};
use gcrucible_platform::planted;
use gcrucible_vm::display;

use super::evaluation::Evaluating;
use super::reloader::{Deferred, Evaluation, Purpose};
use super::request::{NewVersion, ReloadAnswer, ReloadFailure, ReloadOptions, ReloadStep, Tick};
use crate::call::{CallError, CallHandle, Outcome};
use crate::engine::Engine;
use crate::event::EngineEvent;

impl Engine {
    /// Starts the call that runs the top level of the current version's modules and then
    /// freezes the globals; its promise goes to the entry slot.
    ///
    /// # Errors
    /// [`CallError::DuplicateCallId`] while a top level runs, [`CallError::OutOfMemory`].
    pub async fn start_init(&self) -> Result<CallHandle, CallError> {
        let reload = &self.inner.reload;
        let _turn = reload.turn.take().await;
        self.judge().await;
        let evaluating = Evaluating {
            version: 1,
            realm: reload.current(),
            purpose: Purpose::Entry,
        };
        let (call, _) = self.evaluate(evaluating, || {}).await?;
        Ok(CallHandle::new(call, self.clone()))
    }

    /// Makes another program the entry, in place of that which the engine was made with, and
    /// runs its top level. Gives `None`, and does nothing, if an entry or a preload has been
    /// loaded before: the slot is not empty, or a top level runs.
    ///
    /// # Errors
    /// Why the program cannot be loaded.
    pub async fn override_entry(
        &self,
        program: Arc<VerifiedProgram>,
    ) -> Result<Option<CallHandle>, ReloadFailure> {
        let reload = &self.inner.reload;
        let _turn = reload.turn.take().await;
        self.judge().await;
        let runs = reload.with(|state| state.is_running());
        if runs || !reload.slot.is_empty() {
            return Ok(None);
        }
        let version = reload.next_version();
        let realm = self.load(program).await?;
        let becomes_current = {
            let realm = Arc::clone(&realm);
            move || reload.with(|state| state.current = realm)
        };
        let evaluating = Evaluating {
            version,
            realm,
            purpose: Purpose::Entry,
        };
        match self.evaluate(evaluating, becomes_current).await {
            Ok((call, _)) => Ok(Some(CallHandle::new(call, self.clone()))),
            Err(_) => Err(ReloadFailure::OutOfMemory),
        }
    }

    /// Loads an entry that has nothing to evaluate, because its modules are those which are
    /// there: the promise in the slot is stored once more. An empty slot gets one that has
    /// settled well.
    ///
    /// # Errors
    /// [`ReloadFailure::OutOfMemory`].
    pub async fn load_unchanged_entry(&self) -> Result<(), ReloadFailure> {
        let inner = &self.inner;
        let _turn = inner.reload.turn.take().await;
        let mut attempts = 0;
        loop {
            let needs = {
                let permit = inner.heap.shared().await;
                if !inner.reload.slot.is_empty() {
                    inner.reload.slot.keep(&permit);
                    return Ok(());
                }
                let made = inner.registry.promise::<Checked, _>(&permit, |m, promise| {
                    m.future_settle(promise, FutureState::Ready, gcrucible_heap::Value::NIL);
                    inner.reload.slot.set(&permit, promise);
                });
                match made {
                    Ok(()) => return Ok(()),
                    Err(needs) => needs,
                }
            };
            if !inner.make_room(needs.words, &mut attempts).await {
                return Err(ReloadFailure::OutOfMemory);
            }
        }
    }

    /// Forgets the entry, so that the next test can load its own: the slot is empty. A top
    /// level that runs goes on, and so does the current version.
    pub async fn isolate(&self) {
        let reload = &self.inner.reload;
        let _turn = reload.turn.take().await;
        if planted!(B101d) {
            let _ = reload.slot.take();
        }
        reload.slot.clear(&self.inner.heap);
    }

    /// Empties the entry slot while the heap is alive, forgets what is deferred, and reports the
    /// errors that nobody has awaited. Harmless if repeated; [`Engine::into_heap`] does it, too.
    pub fn shutdown(&self) {
        self.report_failures();
        self.inner.reload.shut_down(&self.inner.heap);
    }

    /// Asks for a new version. If no top level runs, that of the new version begins at once;
    /// otherwise the request waits until that has settled, and a later one takes its place.
    /// What comes of it is seen at a later [`Engine::tick`], and by the observer.
    pub async fn reload(&self, made: NewVersion, options: ReloadOptions) -> ReloadAnswer {
        let reload = &self.inner.reload;
        let _turn = reload.turn.take().await;
        self.judge().await;
        let version = reload.next_version();
        let program = match made {
            Ok(program) => program,
            Err(report) => {
                self.report(version, ReloadStep::Failed(ReloadFailure::Source(report)));
                return ReloadAnswer::Failed(version);
            }
        };
        if !reload.with(|state| state.is_running()) {
            // What waited for the entry has come too late.
            reload.with(|state| {
                if !planted!(B223b, state.deferred.is_some()) {
                    state.deferred = None;
                }
            });
            return match self.begin(version, program).await {
                Ok(()) => ReloadAnswer::Begun(version),
                Err(()) => ReloadAnswer::Failed(version),
            };
        }
        let now = self.inner.platform.now();
        reload.with(|state| {
            let before = state.deferred.as_ref();
            let before = before.filter(|before| !planted!(B223a, before.since < now));
            let since = before.map_or(now, |before| before.since);
            state.deferred = Some(Deferred {
                version,
                program,
                since,
            });
        });
        self.report(version, ReloadStep::Deferred);
        if options.is_forced {
            self.cancel_entry();
        }
        ReloadAnswer::Deferred(version)
    }

    /// Looks at the entry's promise: a version that has settled well becomes current, one that
    /// has failed is reported, a request that waits for neither any more begins. An entry that
    /// keeps one waiting longer than [`EngineOptions::reload_patience`] is cancelled; if
    /// it goes on after that for longer than [`EngineOptions::grace`], it is aborted as any task.
    ///
    /// [`EngineOptions::reload_patience`]: crate::EngineOptions::reload_patience
    /// [`EngineOptions::grace`]: crate::EngineOptions::grace
    pub async fn tick(&self) -> Tick {
        let reload = &self.inner.reload;
        let _turn = reload.turn.take().await;
        let tick = self.judge().await;
        if tick == Tick::Pending {
            self.lose_patience();
            return tick;
        }
        if planted!(B100, reload.with(|state| state.deferred.is_some())) {
            return tick;
        }
        if let Some(next) = reload.with(|state| state.deferred.take()) {
            // Its failure has been reported.
            let _ = self.begin(next.version, next.program).await;
        }
        tick
    }

    /// Whether a top level runs: a reload would wait for it.
    pub fn is_entry_pending(&self) -> bool {
        self.inner.reload.with(|state| state.is_running())
    }

    /// Waits until no top level runs. Only a tick says, and does, what comes of it.
    pub async fn entry_ended(&self) {
        let call = self.inner.reload.with(|state| {
            let evaluation = state.evaluation.as_ref();
            evaluation.map(|evaluation| Arc::clone(&evaluation.call))
        });
        if let Some(call) = call {
            call.ended().await;
        }
    }

    /// Begins the evaluation of a version; what fails is reported.
    async fn begin(&self, version: u32, program: Arc<VerifiedProgram>) -> Result<(), ()> {
        let failure = match self.load(program).await {
            Ok(realm) => {
                let evaluating = Evaluating {
                    version,
                    realm,
                    purpose: Purpose::Reload,
                };
                let begun = || self.report(version, ReloadStep::Begun);
                match self.evaluate(evaluating, begun).await {
                    Ok(_) => return Ok(()),
                    Err(_) => ReloadFailure::OutOfMemory,
                }
            }
            Err(failure) => failure,
        };
        self.report(version, ReloadStep::Failed(failure));
        Err(())
    }

    /// Reads the promise through the slot; once it has settled, swaps or reports, once.
    pub(super) async fn judge(&self) -> Tick {
        let inner = &self.inner;
        let Some(evaluation) = inner.reload.with(|state| state.evaluation.clone()) else {
            return Tick::Idle;
        };
        let Some(outcome) = evaluation.call.outcome() else {
            return Tick::Pending;
        };
        let state = {
            let permit = inner.heap.shared().await;
            match inner.heap.debug().needs_checks() {
                true => inner.reload.slot.state::<Checked>(&permit),
                false => inner
                    .reload
                    .slot
                    .state::<gcrucible_heap::Unchecked>(&permit),
            }
        };
        if state == Some(FutureState::Pending) {
            return Tick::Pending;
        }
        // The slot may have been emptied meanwhile, or have the promise of an entry with nothing
        // to evaluate: how the top level ended is what its call says.
        if outcome == Outcome::Returned {
            self.swap(&evaluation);
            return Tick::Fulfilled;
        }
        let failure = self.failure_of(&evaluation, outcome).await;
        inner.reload.with(|state| state.evaluation = None);
        self.report(evaluation.version, ReloadStep::Failed(failure));
        Tick::Rejected
    }

    /// One step: calls that start before it see the old version, all others the new one.
    fn swap(&self, evaluation: &Evaluation) {
        let is_reload = evaluation.purpose == Purpose::Reload;
        let old = self.inner.reload.with(|state| {
            state.evaluation = None;
            is_reload.then(|| std::mem::replace(&mut state.current, Arc::clone(&evaluation.realm)))
        });
        let Some(old) = old else { return };
        old.retire();
        self.report(evaluation.version, ReloadStep::Swapped);
    }

    async fn failure_of(&self, evaluation: &Evaluation, outcome: Outcome) -> ReloadFailure {
        let inner = &self.inner;
        let text = {
            let permit = inner.heap.shared().await;
            let m = permit.reader::<Checked>();
            let value = evaluation.call.value(&m);
            display(&m, evaluation.realm.program(), value)
        };
        match outcome {
            Outcome::Cancelled => ReloadFailure::Cancelled,
            Outcome::Panicked => ReloadFailure::Panicked(text),
            Outcome::Threw | Outcome::Returned => ReloadFailure::Threw {
                text,
                trace: evaluation.call.trace(),
            },
        }
    }

    /// Cancels the entry if it has kept a request waiting too long.
    fn lose_patience(&self) {
        let reload = &self.inner.reload;
        let now = self.inner.platform.now();
        let is_too_long = reload.with(|state| {
            let is_cancelled = state.evaluation.as_ref().is_none_or(|it| it.is_cancelled);
            let deferred = state.deferred.as_ref();
            !is_cancelled
                && deferred.is_some_and(|it| now.saturating_sub(it.since) >= reload.patience)
        });
        if is_too_long {
            self.cancel_entry();
        }
    }

    fn cancel_entry(&self) {
        let call = self.inner.reload.with(|state| {
            let evaluation = state.evaluation.as_mut()?;
            evaluation.is_cancelled = true;
            Some(Arc::clone(&evaluation.call))
        });
        if let Some(call) = call {
            self.cancel(call.token());
        }
    }

    fn report(&self, version: u32, step: ReloadStep) {
        let step = &step;
        self.inner.observe(&EngineEvent::Reload { version, step });
    }
}
