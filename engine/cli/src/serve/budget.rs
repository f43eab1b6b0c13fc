//! Bytes that the server holds for its clients, and the limit on them.
//!
//! What clients send and do not end, and what they ask for and do not read, waits in the server.
//! All of it is charged to one account: heads, bodies, the data that a body stands for, answers,
//! messages of WebSockets. The first bytes of each are free, so that small requests are served
//! while large ones wait for room.

use std::fmt;
use std::sync::Arc;

use gcrucible_platform::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of each charge that are free.
pub(super) const FREE: usize = 4 * 1024;

/// The account.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: usize,
    used: AtomicUsize,
}

/// There is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// Now.
    Now,
    /// Ever: it is more than the whole account.
    Ever,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Full::Now => "too many bytes are in flight",
            Full::Ever => "that is more than the bytes that may be in flight",
        })
    }
}

/// Bytes that somebody holds. Dropping it gives them back.
#[derive(Debug)]
pub(crate) struct Charge {
    budget: Arc<Budget>,
    charged: usize,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Budget {
            limit,
            used: AtomicUsize::new(0),
        })
    }

    /// Bytes that are charged now.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// A charge of nothing yet.
    pub(crate) fn charge(self: &Arc<Self>) -> Charge {
        Charge {
            budget: Arc::clone(self),
            charged: 0,
        }
    }

    fn take(&self, bytes: usize) -> Result<(), Full> {
        if bytes > self.limit {
            return Err(Full::Ever);
        }
        let taken = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                let more = used.checked_add(bytes)?;
                (more <= self.limit).then_some(more)
            });
        taken.map(drop).map_err(|_| Full::Now)
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Charge {
    /// From now on it is for so many bytes.
    ///
    /// # Errors
    /// When there is no room for more; then it is what it was.
    pub(crate) fn set(&mut self, bytes: usize) -> Result<(), Full> {
        let bytes = bytes.saturating_sub(FREE);
        if bytes > self.budget.limit {
            return Err(Full::Ever);
        }
        match bytes.checked_sub(self.charged) {
            Some(more) => self.budget.take(more)?,
            None => self.budget.give_back(self.charged - bytes),
        }
        self.charged = bytes;
        Ok(())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.give_back(self.charged);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_limited_and_given_back() {
        let budget = Budget::new(10_000);
        let mut first = budget.charge();
        assert_eq!(first.set(FREE), Ok(()));
        assert_eq!(budget.used(), 0);
        assert_eq!(first.set(FREE + 6_000), Ok(()));
        let mut second = budget.charge();
        assert_eq!(second.set(FREE + 4_001), Err(Full::Now));
        assert_eq!(second.set(FREE + 10_001), Err(Full::Ever));
        assert_eq!(second.set(FREE + 4_000), Ok(()));
        assert_eq!(budget.used(), 10_000);
        assert_eq!(first.set(FREE + 1_000), Ok(()));
        assert_eq!(budget.used(), 5_000);
        drop(first);
        drop(second);
        assert_eq!(budget.used(), 0);
    }
}
