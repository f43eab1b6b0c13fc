//! The root providers that a heap enumerates.

use std::sync::{Arc, Weak};

use crate::roots::RootProvider;

/// Providers in order of registration. It keeps none alive; those that are dead are forgotten
/// when the list has doubled since they last were, so that what never allocates, and so never
/// collects, does not leave them behind.
#[derive(Default)]
pub(crate) struct Providers {
    list: Vec<Weak<dyn RootProvider>>,
    prune_at: usize,
}

impl Providers {
    /// With fewer, the dead ones do no harm.
    const LEAST: usize = 64;

    pub(crate) fn add(&mut self, provider: Weak<dyn RootProvider>) {
        if self.list.len() >= self.prune_at.max(Self::LEAST) {
            self.prune();
        }
        self.list.push(provider);
    }

    /// Those that live.
    pub(crate) fn live(&mut self) -> Vec<Arc<dyn RootProvider>> {
        let live: Vec<_> = self.list.iter().filter_map(Weak::upgrade).collect();
        if live.len() < self.list.len() {
            self.prune();
        }
        live
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    fn prune(&mut self) {
        self.list.retain(|provider| provider.strong_count() > 0);
        self.prune_at = self.list.len() * 2;
        // What was there at the peak is not kept.
        self.list.shrink_to(self.prune_at.max(Self::LEAST));
    }
}

impl std::fmt::Debug for Providers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Providers")
            .field("len", &self.list.len())
            .finish_non_exhaustive()
    }
}
