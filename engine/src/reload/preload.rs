//! Programs that run before the entry.
//!
//! Each is a version of its own that never becomes current: it is run for what it does to the
//! world. While one runs, ticks may cancel it for a reload and put another promise into the
//! slot, so whoever waits for it keeps its own protect of its promise and reads through that.

use std::sync::Arc;

use gcrucible_bytecode::VerifiedProgram;
use gcrucible_heap::{Checked, FutureState, Handle};
use gcrucible_vm::{Realm, display};

use super::evaluation::Evaluating;
use super::reloader::Purpose;
use super::request::ReloadFailure;
use crate::call::{Call, CallError};
use crate::engine::Engine;

/// A preload under way. Dropping it before its end requests its cancellation, as with a
/// [`CallHandle`](crate::CallHandle): nothing of it remains.
#[derive(Debug)]
#[must_use = "a preload that is dropped is cancelled"]
pub struct Preload {
    engine: Engine,
    call: Arc<Call>,
    realm: Arc<Realm>,
    own: Option<Handle>,
    is_abandoned: bool,
}

impl Engine {
    /// Runs the top levels of programs, one after the other; to be done before
    /// [`Engine::start_init`].
    ///
    /// # Errors
    /// Why one failed; those after it do not run. A top level that was cancelled for a forced
    /// reload fails with [`ReloadFailure::Cancelled`].
    pub async fn preload(&self, programs: &[Arc<VerifiedProgram>]) -> Result<(), ReloadFailure> {
        for program in programs {
            let preload = self.start_preload(Arc::clone(program)).await;
            let Some(preload) = preload? else {
                // Another top level runs: a reload that came in between two preloads.
                return Err(ReloadFailure::Cancelled);
            };
            preload.finish().await?;
        }
        Ok(())
    }

    /// Begins one of them. `None` while another top level runs.
    ///
    /// # Errors
    /// Why the program cannot be loaded.
    pub async fn start_preload(
        &self,
        program: Arc<VerifiedProgram>,
    ) -> Result<Option<Preload>, ReloadFailure> {
        let reload = &self.inner.reload;
        let _turn = reload.turn.take().await;
        self.judge().await;
        if reload.with(|state| state.is_running()) {
            return Ok(None);
        }
        let version = reload.next_version();
        let realm = self.load(program).await?;
        let evaluating = Evaluating {
            version,
            realm: Arc::clone(&realm),
            purpose: Purpose::Preload,
        };
        let (call, own) = match self.evaluate(evaluating, || {}).await {
            Ok(begun) => begun,
            Err(CallError::DuplicateCallId(_)) => return Ok(None),
            Err(_) => return Err(ReloadFailure::OutOfMemory),
        };
        Ok(Some(Preload {
            engine: self.clone(),
            call,
            realm,
            own,
            is_abandoned: false,
        }))
    }
}

impl Preload {
    /// The call that runs it.
    pub fn call(&self) -> &Arc<Call> {
        &self.call
    }

    /// Gives it up: it goes on alone, and nobody hears how it ends.
    pub fn abandon(mut self) {
        self.is_abandoned = true;
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// Why it failed.
    pub async fn finish(self) -> Result<(), ReloadFailure> {
        self.call.ended().await;
        let inner = &self.engine.inner;
        let (state, text) = {
            let permit = inner.heap.shared().await;
            let m = permit.reader::<Checked>();
            let promise = self.own.as_ref().map(|own| permit.protected(own));
            let state = promise.and_then(|promise| m.future_state(promise));
            let state = state.map(|(state, _)| state);
            let value = self.call.value(&m);
            (state, display(&m, self.realm.program(), value))
        };
        match state {
            Some(FutureState::Ready) => Ok(()),
            Some(FutureState::Error) => Err(ReloadFailure::Threw {
                text,
                trace: self.call.trace(),
            }),
            Some(FutureState::InternalError) => Err(ReloadFailure::Panicked(text)),
            Some(FutureState::Cancelled | FutureState::Pending) | None => {
                Err(ReloadFailure::Cancelled)
            }
        }
    }
}

impl Drop for Preload {
    fn drop(&mut self) {
        if let Some(own) = self.own.take() {
            self.engine.inner.heap.unprotect(own);
        }
        if !self.is_abandoned && self.call.outcome().is_none() {
            self.engine.cancel(self.call.token());
        }
    }
}
