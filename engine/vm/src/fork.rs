//! Forks of a realm for serving: globals of their own that share nothing which can change.

use std::fmt;
use std::sync::Arc;

use gcrucible_heap::{Checks, ForkStop, Heap, MemoryAccount, NeedsMemory, SharedPermit, Tlab};

use crate::realm::Realm;
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
    /// It cannot be made at all; never [`ForkError::OutOfMemory`], which is for the caller to
    /// say when collections do not help.
    Refused(ForkError),
}

/// Where the identity hashes of what forks allocate begin.
const FIRST_HASH: u32 = 1 << 28;

/// A fork in the making: a realm without globals yet. It is made in attempts, for the memory
/// of all that is copied is asked for at once.
#[derive(Debug)]
pub struct Forking {
    template: Arc<Realm>,
    fork: Arc<Realm>,
}

impl Forking {
    /// Begins a fork of `template`, registered with `heap`; `number` names the new realm. What
    /// it and its machines allocate is counted in `account`, if there is one.
    pub fn new(
        heap: &Heap,
        template: Arc<Realm>,
        number: u32,
        account: Option<Arc<MemoryAccount>>,
    ) -> Self {
        let tlab = Tlab::of_account(FIRST_HASH | number << 12, account);
        let program = Arc::clone(template.loaded());
        let fork = Realm::with_buffer(heap, program, number, Some(tlab));
        Forking { template, fork }
    }

    /// Gives the fork globals that are a deep copy of the template's (I-23): closures with
    /// their captured variables, containers, instances and all else that can change, each
    /// once, however many lead to it. Channels and futures are shared on purpose. Done, the
    /// realm is what new machines can run in.
    ///
    /// # Errors
    /// See [`ForkFailure`]; nothing has changed then.
    pub fn attempt<C: Checks>(&self, permit: &SharedPermit<'_>) -> Result<Arc<Realm>, ForkFailure> {
        if !self.template.is_frozen() {
            return Err(ForkFailure::Refused(ForkError::Initialising));
        }
        let tlab = self.fork.buffer().expect("a fork has a buffer");
        let m = permit.mutator::<C>(tlab);
        match m.fork(self.template.globals(), self.fork.globals()) {
            Ok(()) => {
                self.fork.freeze();
                Ok(Arc::clone(&self.fork))
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
