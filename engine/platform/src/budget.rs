//! How much data an operation of the host may hold.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use crate::sync::Mutex;

/// What an operation asks before it takes memory for data: clones are the same budget. Whoever
/// gave it collects garbage when there is no room, or refuses. The budget of a request that
/// nobody gave one has no end.
#[derive(Clone, Default)]
pub struct DataBudget {
    shared: Option<Arc<Shared>>,
}

/// Whose memory an operation's data counts as.
pub trait DataHolder: Send + Sync {
    /// Makes the operation's data count as so many bytes in all. Returns false, without effect,
    /// if there is no room for them now.
    fn hold(&self, bytes: u64) -> bool;
}

struct Shared {
    most: u64,
    holder: Box<dyn DataHolder>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: u64,
    /// What the operation waits for.
    lacks: Option<u64>,
    is_refused: bool,
}

impl DataBudget {
    /// A budget of `most` bytes, held by `holder`.
    pub fn new(most: u64, holder: impl DataHolder + 'static) -> Self {
        let shared = Shared {
            most,
            holder: Box::new(holder),
            state: Mutex::default(),
        };
        DataBudget {
            shared: Some(Arc::new(shared)),
        }
    }

    /// How many bytes more it may have at most.
    pub fn left(&self) -> u64 {
        let Some(shared) = &self.shared else {
            return u64::MAX;
        };
        shared.most - shared.state.lock().held
    }

    /// Takes `more` bytes besides those that it has; waits for a collection if it must. They are
    /// its own until the last clone of the budget is gone.
    ///
    /// # Errors
    /// Why it cannot have them, for people.
    pub async fn take(&self, more: u64) -> Result<(), String> {
        poll_fn(|_| self.poll_take(more)).await
    }

    /// The same. Who gave the budget looks at [`DataBudget::lacks`] whenever the operation waits,
    /// and polls it again: so no waker is kept.
    fn poll_take(&self, more: u64) -> Poll<Result<(), String>> {
        let Some(shared) = &self.shared else {
            return Poll::Ready(Ok(()));
        };
        let mut state = shared.state.lock();
        if state.is_refused {
            return Poll::Ready(Err("there is no memory for it".to_owned()));
        }
        let wanted = state.held.saturating_add(more);
        if wanted > shared.most {
            let most = shared.most;
            let message = format!("it has over {most} bytes, the most that an operation may hold");
            return Poll::Ready(Err(message));
        }
        if !shared.holder.hold(wanted) {
            state.lacks = Some(more);
            return Poll::Pending;
        }
        state.held = wanted;
        state.lacks = None;
        Poll::Ready(Ok(()))
    }

    /// The bytes that its operation waits for.
    pub fn lacks(&self) -> Option<u64> {
        self.shared.as_ref()?.state.lock().lacks
    }

    /// There is no memory for its operation, which fails with that.
    pub fn refuse(&self) {
        if let Some(shared) = &self.shared {
            let mut state = shared.state.lock();
            state.is_refused = true;
            state.lacks = None;
        }
    }

    /// Whether it was refused memory.
    pub fn is_refused(&self) -> bool {
        let shared = self.shared.as_ref();
        shared.is_some_and(|shared| shared.state.lock().is_refused)
    }
}

impl fmt::Debug for DataBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataBudget")
            .field("left", &self.left())
            .finish_non_exhaustive()
    }
}
