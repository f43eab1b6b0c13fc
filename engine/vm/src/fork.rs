//! Forks of a realm for serving: globals of their own that share nothing which can change.
#![allow(unsafe_code, reason = "the collector believes what a provider says")]

use std::fmt;
use std::sync::Arc;

use gcrucible_heap::{
    Checks, Copying, ForkStop, Heap, Home, MemoryAccount, NeedsMemory, RootAudit, RootKind,
    RootProvider, RootTracer, SharedPermit, Tlab,
};
use gcrucible_platform::sync::Mutex;
use gcrucible_platform::sync::atomic::{AtomicU32, Ordering};

use crate::realm::Realm;
use crate::roots::ROOTS;
use crate::stream_path::path_to_stream;

/// Why a realm cannot be forked. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForkError {
    /// Its top level has not ended.
    Initialising,
    /// A stream is reachable: it can be used once, so that two could not share it, nor can it be
    /// copied (I-24).
    Stream {
        /// The shortest way there, from a global: `handlers["list"].captured log[3]`.
        path: String,
    },
    /// The heap has no room for the copy.
    OutOfMemory,
}

impl fmt::Display for ForkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ForkError::Initialising => {
                f.write_str("the top level of the program has not ended, so nothing can be served")
            }
            ForkError::Stream { path } => write!(
                f,
                "{path} is a stream, which can be used once only: a program that is served must \
                 make its streams where they are used"
            ),
            ForkError::OutOfMemory => f.write_str("the heap has no room for a fork"),
        }
    }
}

impl std::error::Error for ForkError {}

/// Why a fork was not made now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForkFailure {
    /// A collection is due first.
    NeedsMemory(NeedsMemory),
    /// The same, but it has got further since the last one.
    NeedsMemoryAnew(NeedsMemory),
    /// Others go first: the next attempt goes on with it.
    Unfinished,
    /// It cannot be made at all; never [`ForkError::OutOfMemory`], which is for the caller to
    /// say when collections do not help.
    Refused(ForkError),
}

/// Where the identity hashes of what forks allocate begin.
const FIRST_HASH: u32 = 1 << 28;

/// A fork in the making: a realm without globals yet. It is made in attempts: the memory of all
/// that is copied is asked for at once, and a large copy takes several steps.
#[derive(Debug)]
pub struct Forking {
    template: Arc<Realm>,
    fork: Arc<Realm>,
    /// What is copied so far of what is too much for one go.
    copying: Mutex<Option<Copying>>,
    /// Steps so far.
    steps: AtomicU32,
    home: Home,
}

impl Forking {
    /// Begins a fork of `template`, registered with `heap`; `number` names the new realm. What
    /// it and its machines allocate is counted in `account`, if there is one.
    pub fn new(
        heap: &Heap,
        template: Arc<Realm>,
        number: u32,
        account: Option<Arc<MemoryAccount>>,
    ) -> Arc<Self> {
        template.home().check(heap);
        let tlab = Tlab::of_account(heap, FIRST_HASH | number << 12, account);
        let program = Arc::clone(template.loaded());
        let fork = Realm::with_buffer(heap, program, number, Some(tlab));
        Arc::new(Forking {
            template,
            fork,
            copying: Mutex::default(),
            steps: AtomicU32::new(0),
            home: Home::new(heap),
        })
    }

    /// Gives the fork globals that are a deep copy of the template's (I-23): closures with
    /// their captured variables, containers, instances and all else that can change, each
    /// once, however many lead to it. Channels and futures are shared on purpose. Done, the
    /// realm is what new machines can run in.
    ///
    /// # Errors
    /// See [`ForkFailure`]; nothing has changed then.
    ///
    /// # Panics
    /// If the permit is one of another heap.
    pub fn attempt<C: Checks>(
        self: &Arc<Self>,
        permit: &SharedPermit<'_>,
    ) -> Result<Arc<Realm>, ForkFailure> {
        if !self.template.is_frozen() {
            return Err(ForkFailure::Refused(ForkError::Initialising));
        }
        let tlab = self.fork.buffer().expect("a fork has a buffer");
        let m = permit.mutator::<C>(tlab);
        let taken = self.steps.fetch_add(1, Ordering::Relaxed);
        let mut units = permit.heap().debug().units_of_step(taken);
        let mut copying = self.copying.lock();
        if copying.is_some() {
            // It is registered since then.
            self.home.check(permit.heap());
        }
        let made = match copying.as_mut() {
            None => m.fork(self.template.globals(), self.fork.globals(), &mut units),
            Some(copying) => {
                let before = copying.copied_count();
                let made = m.fork_on(copying, self.fork.globals(), &mut units);
                match made {
                    Err(ForkStop::NeedsMemory(needs)) if copying.copied_count() > before => {
                        return Err(ForkFailure::NeedsMemoryAnew(needs));
                    }
                    made => made,
                }
            }
        };
        match made {
            Ok(true) => {
                *copying = None;
                self.fork.freeze();
                Ok(Arc::clone(&self.fork))
            }
            Ok(false) => {
                if copying.is_none() {
                    *copying = Some(Copying::of_fork(ROOTS, self.template.globals()));
                    permit.heap().add_provider(self);
                }
                Err(ForkFailure::Unfinished)
            }
            Err(ForkStop::NeedsMemory(needs)) => Err(ForkFailure::NeedsMemory(needs)),
            Err(ForkStop::Stream) => {
                // Another machine may have let go of it in between.
                let path = path_to_stream(&m, &self.template);
                let path = path.unwrap_or_else(|| "what a global led to".to_owned());
                Err(ForkFailure::Refused(ForkError::Stream { path }))
            }
        }
    }
}

// SAFETY: rule 1: what is copied so far has all its slots; the realms are providers themselves.
// Rule 2: the home is made once, and `attempt` checks it before it goes on. Rule 3: by inspection.
unsafe impl RootProvider for Forking {
    fn name(&self) -> String {
        format!("fork {}", self.fork.number())
    }

    fn home(&self) -> &Home {
        &self.home
    }

    fn trace(&self, tracer: &mut dyn RootTracer) {
        if let Some(copying) = &*self.copying.lock() {
            copying.roots(ROOTS, &mut |slot| tracer.slot(RootKind::Temporary, slot));
        }
    }

    fn audit(&self, audit: &mut RootAudit<'_>) {
        if let Some(copying) = &*self.copying.lock() {
            copying.audit(ROOTS, &mut |slot| audit.root(RootKind::Temporary, slot));
        }
    }
}
