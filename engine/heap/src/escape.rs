//! What some seeded bugs do and the types forbid: keeping raw words across a safepoint.
//!
//! Only a build with the switches keeps anything here; without them the type is empty and
//! its functions do nothing.

#[cfg(feature = "seeded-bugs")]
use gcrucible_platform::sync::Mutex;

use crate::value::Offset;

/// What an operation that found no memory leaves for its next attempt, unseen by the
/// collection between.
#[derive(Debug, Default)]
pub(crate) struct Escape {
    #[cfg(feature = "seeded-bugs")]
    state: Mutex<State>,
}

#[cfg(feature = "seeded-bugs")]
#[derive(Debug, Default)]
struct State {
    judgement: Option<bool>,
    copies: Vec<Offset>,
}

#[cfg(feature = "seeded-bugs")]
impl Escape {
    /// Keeps what a barrier found out about its operands.
    pub(crate) fn keep_judgement(&self, needs_mark: bool) {
        self.state.lock().judgement = Some(needs_mark);
    }

    /// What was kept, if anything was.
    pub(crate) fn take_judgement(&self) -> Option<bool> {
        self.state.lock().judgement.take()
    }

    /// Keeps where objects lie.
    pub(crate) fn keep_copies(&self, copies: &[Offset]) {
        self.state.lock().copies = copies.to_vec();
    }

    /// Where they lay.
    pub(crate) fn take_copies(&self) -> Vec<Offset> {
        std::mem::take(&mut self.state.lock().copies)
    }
}

#[cfg(not(feature = "seeded-bugs"))]
impl Escape {
    /// Does nothing: this build has no switches.
    pub(crate) fn keep_judgement(&self, _needs_mark: bool) {}

    /// Always `None`: this build has no switches.
    pub(crate) fn take_judgement(&self) -> Option<bool> {
        None
    }

    /// Does nothing: this build has no switches.
    pub(crate) fn keep_copies(&self, _copies: &[Offset]) {}

    /// Always empty: this build has no switches.
    pub(crate) fn take_copies(&self) -> Vec<Offset> {
        Vec::new()
    }
}
