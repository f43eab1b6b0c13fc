//! How often everything is collected for those who have a share of the heap.
//!
//! A request that has used up its share has everything collected to see what of that is garbage,
//! and may want that again and again; several such requests would have one collection follow the
//! other. What neighbours do takes several steps, each of which would wait for a collection. So
//! where threads share a heap among requests, each collection of everything is followed by as
//! much time without one: at least half of the time is everybody's. Of those who wait for one, a
//! single one collects.

use std::time::Duration;

use gcrucible_heap::CollectionKind;
use gcrucible_platform::sync::Mutex;

use crate::engine::Inner;
use crate::reload::{Turn, TurnGuard};

/// Who collects everything next, and when.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    turn: Turn,
    /// By the platform's time.
    not_before: Mutex<Duration>,
}

/// Whether to collect, now.
pub(crate) enum Paced<'p> {
    /// At once: there is no pace to keep.
    Freely,
    /// Everything, and tell how long that took.
    InTurn(InTurn<'p>),
    /// Somebody else has collected everything meanwhile.
    Done,
}

/// The right to collect everything now.
pub(crate) struct InTurn<'p> {
    pace: &'p Pace,
    _turn: TurnGuard<'p>,
}

impl Inner {
    /// Waits until such a collection is due, if it has to keep a pace. `majors` is how many of
    /// everything there had been when it was asked for.
    pub(crate) async fn pace(&self, kind: Option<CollectionKind>, majors: u64) -> Paced<'_> {
        let is_paced = kind == Some(CollectionKind::Major)
            && self.platform.turns().is_some()
            && self.heap.has_accounts();
        if !is_paced {
            return Paced::Freely;
        }
        let turn = self.pace.turn.take().await;
        loop {
            if self.heap.majors() != majors {
                return Paced::Done;
            }
            let not_before = *self.pace.not_before.lock();
            let rest = not_before.saturating_sub(self.platform.now());
            if rest.is_zero() {
                let pace = &self.pace;
                return Paced::InTurn(InTurn { pace, _turn: turn });
            }
            self.platform.sleep(rest).await;
        }
    }
}

impl InTurn<'_> {
    /// The world has stood still from then to now.
    pub(crate) fn end(self, from: Duration, now: Duration) {
        *self.pace.not_before.lock() = now + now.saturating_sub(from);
    }
}
