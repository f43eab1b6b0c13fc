//! The interning table: strings that are shared for as long as they live.
//!
//! Characters of a string, names of kinds, fields and variants are asked for again and
//! again; each lives once on the heap. The table keeps nothing alive: a collection
//! forwards the entries whose strings survive and drops the others.

use std::collections::BTreeMap;

use gcrucible_platform::planted;
use gcrucible_platform::sync::Mutex;

use crate::value::Word;

/// Longest text that is interned, in bytes.
pub(crate) const LONGEST: usize = 40;

/// Strings by the hash of their text. Of two texts with one hash the first is in the table.
#[derive(Debug, Default)]
pub(crate) struct InternTable {
    strings: Mutex<BTreeMap<u64, Word>>,
}

impl InternTable {
    pub(crate) fn get(&self, hash: u64) -> Option<Word> {
        self.strings.lock().get(&hash).copied()
    }

    /// Adds a string, unless there is one with this hash; what is there then. Of two threads
    /// that add the same text at once the second learns of the first one's.
    pub(crate) fn insert(&self, hash: u64, string: Word) -> Word {
        *self.strings.lock().entry(hash).or_insert(string)
    }

    /// Forwards the entries to where `survivor` says their strings are now, and drops those
    /// that it knows nothing of.
    pub(crate) fn settle(&self, survivor: impl Fn(Word) -> Option<Word>) {
        self.strings.lock().retain(|_, string| {
            let after = survivor(*string);
            let is_lost = planted!(B280, after.is_some_and(|after| after != *string));
            *string = after.unwrap_or(*string);
            after.is_some() && !is_lost
        });
    }

    /// All entries, for the verifier.
    pub(crate) fn entries(&self) -> Vec<(u64, Word)> {
        let strings = self.strings.lock();
        strings.iter().map(|(&hash, &word)| (hash, word)).collect()
    }
}
