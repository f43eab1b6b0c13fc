//! The run of a top level, from its beginning to its promise's settling.
//!
//! It is the call of kind [`CallKind::Init`], of which only one is under way. Its
//! promise is made before the call begins: a future that the program cannot see, and that the
//! registry does not know, so that the ids of the others stay as they are. Until the call has
//! ended, that is a root of the promise too; afterwards only the slot and the preload loop's
//! own handle are.

use std::sync::Arc;

use gcrucible_bytecode::VerifiedProgram;
use gcrucible_heap::{Checked, Checks, Handle};
use gcrucible_vm::{LoadedProgram, Realm};

use super::reloader::{Evaluation, Purpose};
use super::request::ReloadFailure;
use crate::call::{Call, CallError, CallKind, Outcome};
use crate::engine::Engine;
use crate::task::Beginning;

/// Who runs a top level, and why.
pub(super) struct Evaluating {
    pub(super) version: u32,
    pub(super) realm: Arc<Realm>,
    pub(super) purpose: Purpose,
}

impl Engine {
    /// Loads a version beside those that are there.
    pub(super) async fn load(
        &self,
        program: Arc<VerifiedProgram>,
    ) -> Result<Arc<Realm>, ReloadFailure> {
        let inner = &self.inner;
        let mut attempts = 0;
        loop {
            let loaded = {
                let permit = inner.heap.shared().await;
                LoadedProgram::load(&permit, Arc::clone(&program))
            };
            let needs = match loaded {
                Ok(loaded) => return Ok(Realm::new(&inner.heap, loaded, inner.new_realm())),
                Err(needs) => needs,
            };
            if !inner.make_room(needs.words, &mut attempts).await {
                return Err(ReloadFailure::OutOfMemory);
            }
        }
    }

    /// Begins to run a top level: makes its promise, sets the slot, starts the call. A preload
    /// gets a handle of its own on the promise besides.
    ///
    /// # Errors
    /// [`CallError::DuplicateCallId`] while another runs, [`CallError::OutOfMemory`].
    pub(super) async fn evaluate(
        &self,
        evaluating: Evaluating,
        begun: impl FnOnce(),
    ) -> Result<(Arc<Call>, Option<Handle>), CallError> {
        let inner = &self.inner;
        let Evaluating {
            version,
            realm,
            purpose,
        } = evaluating;
        let mut attempts = 0;
        let (guard, own) = loop {
            let made = {
                let permit = inner.heap.shared().await;
                inner.registry.promise::<Checked, _>(&permit, |m, promise| {
                    // From here to the call's start nothing collects: that could start a
                    // finalizer, whose task would come before this one, which is numbered here.
                    self.reserve(&realm, CallKind::Init).map(|guard| {
                        m.store(guard.call().promise(), promise);
                        inner.reload.slot.set(&permit, promise);
                        let is_preload = purpose == Purpose::Preload;
                        (guard, is_preload.then(|| permit.protect(promise)))
                    })
                })
            };
            match made {
                Ok(reserved) => break reserved?,
                Err(needs) => {
                    if !inner.make_room(needs.words, &mut attempts).await {
                        return Err(CallError::OutOfMemory);
                    }
                }
            }
        };
        let call = Arc::clone(guard.call());
        inner.reload.with(|state| {
            state.evaluation = Some(Evaluation {
                version,
                realm: Arc::clone(&realm),
                purpose,
                call: Arc::clone(&call),
                is_cancelled: false,
            });
        });
        begun();
        self.run_call(&realm, guard, Beginning::Ready, |vm| vm.start_init());
        Ok((call, own))
    }

    /// Settles the promise of a top level that has ended.
    pub(crate) async fn settle_promise<C: Checks>(&self, call: &Call, outcome: Outcome) {
        let inner = &self.inner;
        let permit = inner.heap.shared().await;
        let m = permit.reader::<C>();
        let promise = m.load_root(call.promise());
        m.future_settle(promise, outcome.future_state(), call.value(&m));
        call.promise().clear();
    }
}
