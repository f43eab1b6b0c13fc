//! Forks of the program for serving.

use std::fmt;
use std::sync::Arc;

use gcrucible_heap::{Checked, Unchecked};
use gcrucible_vm::{ForkError, ForkFailure, Forking, HostValue, Realm, RealmStats};

use crate::call::{CallError, CallHandle};
use crate::engine::Engine;
use crate::event::EngineEvent;

/// A realm of its own, copied from that of the engine (I-23): what its calls do to globals,
/// captured variables and all that these lead to is seen by the calls of this fork alone.
/// Channels and futures are shared with the engine on purpose.
///
/// Calls of a fork are calls of the engine: their ids are in the same table, and the engine
/// cancels and interrupts them. They and the tasks that they start keep the fork's globals
/// alive beyond the fork; nothing else does.
pub struct Fork {
    engine: Engine,
    realm: Arc<Realm>,
}

/// How a fork is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ForkOptions {
    /// Bytes of the heap's limit that the fork may use: its globals, what its calls and the tasks
    /// that they start hold, these tasks themselves, and what their host operations bring. What
    /// it shares with the engine does not count. An allocation beyond that throws `OutOfMemory`,
    /// as at the limit of the heap, and harms nobody else. None: all that the heap has.
    pub memory_limit: Option<u64>,
}

impl Engine {
    /// Forks the realm that new calls run in: closures with the variables that they have
    /// captured, arrays, maps, instances, errors … are copied, each once, however many lead to
    /// it. What the engine's calls change meanwhile is in the fork or not, object by object.
    ///
    /// # Errors
    /// [`ForkError::Stream`] if a stream is reachable, [`ForkError::Initialising`] before the
    /// top level has ended, [`ForkError::OutOfMemory`].
    pub async fn fork_for_serving(&self) -> Result<Fork, ForkError> {
        self.fork_of(&self.inner.realm()).await
    }

    /// The same of a realm that new calls run in, or did before a reload. What a host has read
    /// from a version, such as its routes, goes with a fork of that version.
    ///
    /// # Errors
    /// As [`Engine::fork_for_serving`].
    ///
    /// # Panics
    /// If the realm is one of another engine, here and below.
    pub async fn fork_of(&self, template: &Arc<Realm>) -> Result<Fork, ForkError> {
        self.fork_with(template, &ForkOptions::default()).await
    }

    /// The same with a share of the heap's limit of its own, say.
    ///
    /// # Errors
    /// As [`Engine::fork_for_serving`].
    pub async fn fork_with(
        &self,
        template: &Arc<Realm>,
        options: &ForkOptions,
    ) -> Result<Fork, ForkError> {
        let inner = &self.inner;
        let number = inner.new_realm();
        let account = options.memory_limit;
        let account = account.map(|limit| inner.heap.open_account(limit));
        let forking = Forking::new(&inner.heap, Arc::clone(template), number, account.clone());
        let mut attempts = 0;
        let made = loop {
            let made = {
                let permit = inner.heap.shared().await;
                let made = match inner.heap.debug().needs_checks() {
                    true => forking.attempt::<Checked>(&permit),
                    false => forking.attempt::<Unchecked>(&permit),
                };
                match made {
                    Err(ForkFailure::NeedsMemory(needs)) => Err(Some(needs.words)),
                    Err(ForkFailure::NeedsMemoryAnew(needs)) => {
                        attempts = 0;
                        Err(Some(needs.words))
                    }
                    Err(ForkFailure::Unfinished) => Err(None),
                    Err(ForkFailure::Refused(error)) => Ok(Err(error)),
                    Ok(realm) => Ok(Ok(realm)),
                }
            };
            match made {
                Ok(made) => break made,
                Err(None) => inner.give_way().await,
                Err(Some(words)) => {
                    let account = account.as_ref();
                    if !inner.make_room_for(account, words, &mut attempts).await {
                        inner.observe(&EngineEvent::MemoryRefused {
                            task: 0,
                            words,
                            account_bytes: account.map(|account| account.used()),
                        });
                        break Err(ForkError::OutOfMemory);
                    }
                }
            }
        };
        inner.observe(&EngineEvent::Forked {
            template: template.number(),
            fork: number,
            refused: made.as_ref().err(),
        });
        let engine = self.clone();
        made.map(|realm| Fork { engine, realm })
    }
}

impl Fork {
    /// The number of its realm: forks are numbered in order of creation, refused ones included,
    /// together with all other realms.
    pub fn number(&self) -> u32 {
        self.realm.number()
    }

    /// Bytes that it uses of its [share](ForkOptions::memory_limit), 0 if it has none: exact
    /// after a major collection, at most too many until the next one.
    pub fn memory_used(&self) -> u64 {
        self.realm.account().map_or(0, |account| account.used())
    }

    /// What its calls and their tasks have run so far.
    pub fn stats(&self) -> RealmStats {
        self.realm.stats()
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The realm that its calls run in.
    pub fn realm(&self) -> &Arc<Realm> {
        &self.realm
    }

    /// Starts a call in the fork, as [`Engine::start_call`] does in the engine's own realm.
    ///
    /// # Errors
    /// See there.
    pub fn start_call(&self, id: u32, export: &str, args: &[i64]) -> Result<CallHandle, CallError> {
        self.engine.start_call_in(&self.realm, id, export, args)
    }

    /// The same with arguments that are any plain data.
    ///
    /// # Errors
    /// As [`Engine::call`].
    pub async fn call(
        &self,
        id: u32,
        export: &str,
        args: &[HostValue],
    ) -> Result<CallHandle, CallError> {
        self.engine.call_in(&self.realm, id, export, args).await
    }
}

impl Drop for Fork {
    fn drop(&mut self) {
        let fork = self.realm.number();
        self.engine
            .inner
            .observe(&EngineEvent::ForkDropped { fork });
    }
}

impl fmt::Debug for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fork").field("realm", &self.realm).finish()
    }
}
