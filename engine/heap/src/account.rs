//! Who uses how much of a heap's limit.
//!
//! The limit is for all that a program can make grow. What lies in blocks the allocator counts.
//! What does not (machines and their stacks, waiters, data of the host) is *charged*: a
//! [`Charge`] stands for so many bytes until it drops, and leaves that much less for blocks.
//!
//! A [`MemoryAccount`] is the share of one part of the program: what its holders allocate, and
//! what only its roots reach. A major collection says exactly how much that is; until the next
//! one, what was allocated since is added, as far as it survived.

use std::sync::{Arc, Weak};

use gcrucible_platform::planted;
use gcrucible_platform::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::allocator::NeedsMemory;
use crate::heap::Heap;

/// Bytes outside of blocks that count against the limit.
#[derive(Debug, Default)]
pub(crate) struct External {
    bytes: AtomicU64,
}

impl External {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }
}

/// Bytes that are charged to a heap's limit until this drops.
#[derive(Debug)]
pub struct Charge {
    external: Arc<External>,
    account: Option<Arc<MemoryAccount>>,
    bytes: u64,
}

impl Charge {
    /// How many bytes it stands for.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Makes it stand for so many bytes, whether there is room for them or not: for what has
    /// shrunk, or is there already.
    pub fn set(&mut self, bytes: u64) {
        self.external.bytes.fetch_add(bytes, Relaxed);
        self.external.bytes.fetch_sub(self.bytes, Relaxed);
        if let Some(account) = &self.account
            && !planted!(B276, bytes < self.bytes)
        {
            account.external.fetch_add(bytes, Relaxed);
            account.external.fetch_sub(self.bytes, Relaxed);
        }
        self.bytes = bytes;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// The share of a heap's limit that one part of the program may use.
#[derive(Debug)]
pub struct MemoryAccount {
    limit: u64,
    /// What the last major collection reached from its roots and from nobody's before.
    reached: AtomicU64,
    /// Which collection that was.
    reached_in: AtomicU64,
    /// What it has allocated since then and before the last collection, as far as that survived.
    survived: AtomicU64,
    /// What it has allocated since the last collection.
    fresh: AtomicU64,
    external: AtomicU64,
}

impl MemoryAccount {
    /// Bytes that its holders may use.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Bytes that they use: exact right after a major collection, and too many rather than too
    /// few until the next one.
    pub fn used(&self) -> u64 {
        let parts = [&self.reached, &self.survived, &self.fresh, &self.external];
        parts.iter().map(|bytes| bytes.load(Relaxed)).sum()
    }

    /// Whether they get no `more` bytes: before a major collection this says that one is due,
    /// and right after it that there is no memory for them.
    pub fn refuses(&self, more: u64) -> bool {
        self.used().saturating_add(more) > self.limit
    }

    /// Counts what an allocation of theirs took.
    pub fn note_allocated(&self, bytes: u64) {
        self.fresh.fetch_add(bytes, Relaxed);
    }

    /// Bytes counted since the last collection, and before it as far as they survived.
    pub(crate) fn fresh_and_survived(&self) -> (u64, u64) {
        (self.fresh.load(Relaxed), self.survived.load(Relaxed))
    }

    /// Bytes that a major collection has reached from its roots, if it has.
    pub(crate) fn reached_by(&self, number: u64) -> Option<u64> {
        (self.reached_in.load(Relaxed) == number).then(|| self.reached.load(Relaxed))
    }

    /// Ends a major collection, of this number, that has reached so much.
    pub(crate) fn note_reached(&self, bytes: u64, number: u64) {
        self.reached.store(bytes, Relaxed);
        self.reached_in.store(number, Relaxed);
        if !planted!(B277, self.survived.load(Relaxed) > 0) {
            self.survived.store(0, Relaxed);
        }
        self.fresh.store(0, Relaxed);
    }

    /// Ends a minor collection that `survivors` of `all` young words survived: whose they are it
    /// does not know.
    pub(crate) fn note_survived(&self, survivors: u64, all: u64) {
        let fresh = u128::from(self.fresh.swap(0, Relaxed));
        let survived = match planted!(B299, fresh > 0) {
            true => fresh.saturating_sub(u128::from(all * 8)),
            false => fresh * u128::from(survivors.min(all)) / u128::from(all.max(1)),
        };
        self.survived.fetch_add(survived as u64, Relaxed);
    }
}

impl Heap {
    /// What is wrong with the accounts: together they know of no more charges than there are, and
    /// right after a major collection of nothing but what that has reached.
    pub(crate) fn audit_accounts(&self, is_after_major: bool) -> Option<String> {
        let accounts = self.accounts.lock();
        let live: Vec<_> = accounts.iter().filter_map(Weak::upgrade).collect();
        let external: u64 = live.iter().map(|it| it.external.load(Relaxed)).sum();
        if external > self.external.bytes() {
            let all = self.external.bytes();
            return Some(format!(
                "{external} bytes are charged to them, {all} in all"
            ));
        }
        // An account without holders is not reached.
        let now = self.collections();
        let reached = live.iter().filter(|it| it.reached_in.load(Relaxed) == now);
        let left = reached.map(|it| it.survived.load(Relaxed) + it.fresh.load(Relaxed));
        let left = left.max().unwrap_or(0);
        (is_after_major && left > 0)
            .then(|| format!("{left} bytes are counted beside what a major collection has reached"))
    }

    /// Opens an account: those of its holders' allocation buffers
    /// [name it](crate::Tlab::of_account).
    pub fn open_account(&self, limit: u64) -> Arc<MemoryAccount> {
        let account = Arc::new(MemoryAccount {
            limit,
            reached: AtomicU64::new(0),
            reached_in: AtomicU64::new(0),
            survived: AtomicU64::new(0),
            fresh: AtomicU64::new(0),
            external: AtomicU64::new(0),
        });
        let mut accounts = self.accounts.lock();
        // A look at all of them only after as many new ones.
        if accounts.len() == accounts.capacity() {
            accounts.retain(|account| account.strong_count() > 0);
        }
        accounts.push(Arc::downgrade(&account));
        account
    }

    /// The accounts that live.
    pub(crate) fn live_accounts(&self) -> Vec<Arc<MemoryAccount>> {
        let accounts = self.accounts.lock();
        accounts.iter().filter_map(Weak::upgrade).collect()
    }

    /// Whether somebody has a share of the limit.
    pub fn has_accounts(&self) -> bool {
        let accounts = self.accounts.lock();
        accounts.iter().any(|account| account.strong_count() > 0)
    }

    /// Charges bytes outside of the heap's blocks to its limit, and to an account if one is
    /// given.
    ///
    /// # Errors
    /// When there is no room for them before a collection.
    pub fn charge(
        &self,
        account: Option<&Arc<MemoryAccount>>,
        bytes: u64,
    ) -> Result<Charge, NeedsMemory> {
        let mut allocator = self.allocator.lock();
        if allocator.refuses(account.map(Arc::as_ref), bytes)
            || !allocator.has_room_beside(self.region(), bytes)
        {
            return Err(NeedsMemory::of_bytes(bytes));
        }
        allocator.give_way(self.region(), bytes);
        Ok(self.charged(account, bytes))
    }

    /// Whether more is in use than the limit allows, that of an account if one is given: there
    /// is what was charged anyway.
    pub fn is_over_limit(&self, account: Option<&Arc<MemoryAccount>>) -> bool {
        let mut allocator = self.allocator.lock();
        allocator.give_way(self.region(), 0);
        allocator.refuses(account.map(Arc::as_ref), 0)
            || !allocator.has_room_beside(self.region(), 0)
    }

    /// Whether the holders of an account get no `more` bytes because the heap is nearly full: the
    /// last eighth of it is for those that use little.
    pub fn is_reserved_from(&self, account: &MemoryAccount, more: u64) -> bool {
        self.allocator.lock().is_reserved_from(account, more)
    }

    /// Bytes that are charged for root providers as long as these live.
    pub fn provider_bytes(&self) -> u64 {
        let live = self.providers();
        live.iter().map(|provider| provider.charged_bytes()).sum()
    }

    /// Gives memory of free blocks back for so many bytes that are about to be taken outside of
    /// blocks, and charged afterwards.
    pub fn make_way(&self, bytes: u64) {
        self.allocator.lock().give_way(self.region(), bytes);
    }

    /// Charges bytes that are there already, whether there is room for them or not: the next
    /// allocation pays for it.
    pub fn charge_anyway(&self, account: Option<&Arc<MemoryAccount>>, bytes: u64) -> Charge {
        self.allocator.lock().give_way(self.region(), bytes);
        self.charged(account, bytes)
    }

    fn charged(&self, account: Option<&Arc<MemoryAccount>>, bytes: u64) -> Charge {
        let mut charge = Charge {
            external: Arc::clone(&self.external),
            account: account.cloned(),
            bytes: 0,
        };
        charge.set(bytes);
        charge
    }
}
