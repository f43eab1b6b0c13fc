//! A worker's mapped slot: what it is doing, readable after its death.
//!
//! Before each scenario the worker stores a few words into a file that it shares with its
//! parent by mapping. That costs nanoseconds and no system call, and the file's pages
//! outlive every process that maps them, whatever signal kills it.
#![allow(
    unsafe_code,
    reason = "mapping a file shared with another process has no safe form"
)]

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{MmapOptions, MmapRaw};

/// Words of a slot.
const WORDS: usize = 8;
const CHUNK: usize = 0;
const POSITION: usize = 1;
const PHASE: usize = 2;
const STEPS: usize = 3;

/// Phases in the order in which a scenario goes through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Between scenarios.
    Idle,
    /// The scenario is being generated.
    Generate,
    /// The scenario runs, and its oracles with it.
    Run,
}

impl Phase {
    /// The name in sites of failures.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Idle => "idle",
            Phase::Generate => "generate",
            Phase::Run => "run",
        }
    }

    fn from_word(word: u64) -> Phase {
        match word {
            1 => Phase::Generate,
            2 => Phase::Run,
            _ => Phase::Idle,
        }
    }
}

/// What a slot says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotState {
    /// Number of the chunk being worked on.
    pub chunk: u64,
    /// Position of the scenario in its lane's shard.
    pub position: u64,
    /// Where the worker is with it.
    pub phase: Phase,
    /// Changes with every scenario.
    pub steps: u64,
}

/// A mapped slot.
///
/// # Invariants
/// 1. `map` is at least `WORDS` words long, page-aligned, readable and writable, and
///    nobody shrinks the file while it is mapped (its folder belongs to the campaign).
#[derive(Debug)]
pub struct Slot {
    map: MmapRaw,
}

impl Slot {
    /// Creates the slot's file, all zero, and maps it.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn create(path: &Path) -> io::Result<Slot> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(path)?;
        file.set_len((WORDS * 8) as u64)?;
        Self::map(&file)
    }

    /// Maps a slot that [`Slot::create`] made.
    ///
    /// # Errors
    /// What the operating system says; a file that is too short.
    pub fn open(path: &Path) -> io::Result<Slot> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        if file.metadata()?.len() < (WORDS * 8) as u64 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "not a worker's slot",
            ));
        }
        Self::map(&file)
    }

    fn map(file: &std::fs::File) -> io::Result<Slot> {
        Ok(Slot {
            map: MmapOptions::new().len(WORDS * 8).map_raw(file)?,
        })
    }

    /// Notes that the worker is about to begin a scenario.
    #[inline]
    pub fn begin(&self, chunk: u64, position: u64) {
        let words = self.words();
        words[CHUNK].store(chunk, Ordering::Relaxed);
        words[POSITION].store(position, Ordering::Relaxed);
        let steps = words[STEPS].load(Ordering::Relaxed);
        words[STEPS].store(steps.wrapping_add(1), Ordering::Relaxed);
        words[PHASE].store(1, Ordering::Release);
    }

    /// Notes that the scenario is generated and now runs.
    #[inline]
    pub fn running(&self) {
        self.words()[PHASE].store(2, Ordering::Release);
    }

    /// Notes that no scenario is under way.
    #[inline]
    pub fn idle(&self) {
        self.words()[PHASE].store(0, Ordering::Release);
    }

    /// What the slot says now.
    pub fn state(&self) -> SlotState {
        let words = self.words();
        let phase = Phase::from_word(words[PHASE].load(Ordering::Acquire));
        SlotState {
            chunk: words[CHUNK].load(Ordering::Relaxed),
            position: words[POSITION].load(Ordering::Relaxed),
            phase,
            steps: words[STEPS].load(Ordering::Relaxed),
        }
    }

    fn words(&self) -> &[AtomicU64; WORDS] {
        // SAFETY: invariant 1 gives length, alignment and access for as long as `self`
        // lives, and every access from any process is atomic.
        unsafe { &*self.map.as_mut_ptr().cast::<[AtomicU64; WORDS]>() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_mapping_stores_the_other_reads() {
        let path = std::env::temp_dir().join(format!("crucible-slot-{}", std::process::id()));
        let parent = Slot::create(&path).unwrap();
        assert_eq!(parent.state().phase, Phase::Idle);
        let worker = Slot::open(&path).unwrap();
        worker.begin(4, 99);
        worker.running();
        drop(worker);
        let state = parent.state();
        assert_eq!(
            (state.chunk, state.position, state.phase),
            (4, 99, Phase::Run)
        );
        assert_eq!(state.steps, 1);
        std::fs::write(&path, "short").unwrap();
        assert!(Slot::open(&path).is_err());
        std::fs::remove_file(&path).unwrap();
    }
}
