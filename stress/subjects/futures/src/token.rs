//! Things that must not be lost: messages, permits, connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const LIVE: u64 = 0x746F_6B65_6E20_6F6B;
const DEAD: u64 = 0xDEAD_746F_6B65_6E00;

/// Something that must be dropped exactly once by the end of a run. Send it through a channel, put it into a pool:
/// the world notices if it is lost, or dropped twice, or looked at after that.
#[derive(Debug)]
pub struct Token {
    magic: AtomicU64,
    /// Its number, in order of creation.
    number: usize,
    tokens: Arc<Tokens>,
}

/// All tokens of a run.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    made: AtomicUsize,
    dropped: AtomicUsize,
    /// Looks at and drops of tokens that were dropped before.
    dead: AtomicUsize,
}

impl Tokens {
    pub(crate) fn token(self: &Arc<Self>) -> Token {
        Token {
            magic: AtomicU64::new(LIVE),
            number: self.made.fetch_add(1, Ordering::Relaxed),
            tokens: Arc::clone(self),
        }
    }

    /// How many were made and not dropped; below zero it is more drops than tokens.
    pub(crate) fn missing(&self) -> i64 {
        let count = |count: &AtomicUsize| count.load(Ordering::Relaxed) as i64;
        count(&self.made) - count(&self.dropped)
    }

    pub(crate) fn dead(&self) -> usize {
        self.dead.load(Ordering::Relaxed)
    }
}

impl Token {
    /// Its number, in order of creation from 0.
    ///
    /// # Panics
    /// If it was dropped.
    pub fn number(&self) -> usize {
        let is_live = std::hint::black_box(self).magic.load(Ordering::Relaxed) == LIVE;
        if !is_live {
            self.tokens.dead.fetch_add(1, Ordering::Relaxed);
        }
        assert!(is_live, "a token is used after it was dropped");
        self.number
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        match self.magic.swap(DEAD, Ordering::Relaxed) {
            LIVE => self.tokens.dropped.fetch_add(1, Ordering::Relaxed),
            _ => self.tokens.dead.fetch_add(1, Ordering::Relaxed),
        };
        std::hint::black_box(&self.magic);
    }
}
