//! Interned text: identifiers and string literals.

use std::borrow::Cow;
use std::hash::Hasher;

use rustc_hash::FxHasher;

/// An interned text. Equal texts have equal symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Symbol(u32);

impl Symbol {
    /// The empty text; as a name it stands for one that is missing in the source.
    pub(crate) const EMPTY: Self = Self(0);

    /// The method that long array literals are made with.
    pub(crate) const PUSH: Self = Self(1);

    /// The receiver of a method.
    pub(crate) const SELF: Self = Self(2);

    /// The wildcard.
    pub(crate) const UNDERSCORE: Self = Self(3);

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// All texts of a source, those without escapes as slices of it.
pub(crate) struct Names<'s> {
    entries: Vec<(Cow<'s, str>, u32)>,
    /// Open addressing: an index into `entries` plus one, or 0. The length is a power
    /// of two.
    table: Vec<u32>,
}

impl<'s> Names<'s> {
    pub(crate) fn new(expected: usize) -> Self {
        let mut names = Self {
            entries: Vec::with_capacity(expected),
            table: vec![0; (2 * expected).next_power_of_two().max(64)],
        };
        let known = ["", "push", "self", "_"].map(|text| names.intern(text));
        debug_assert_eq!(
            known,
            [
                Symbol::EMPTY,
                Symbol::PUSH,
                Symbol::SELF,
                Symbol::UNDERSCORE
            ]
        );
        names
    }

    /// The number of symbols; their indexes are below it.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn text(&self, symbol: Symbol) -> &str {
        &self.entries[symbol.index()].0
    }

    pub(crate) fn intern(&mut self, text: &'s str) -> Symbol {
        match self.find(text) {
            Ok(symbol) => symbol,
            Err((slot, hash)) => self.insert(Cow::Borrowed(text), slot, hash),
        }
    }

    pub(crate) fn intern_owned(&mut self, text: String) -> Symbol {
        match self.find(&text) {
            Ok(symbol) => symbol,
            Err((slot, hash)) => self.insert(Cow::Owned(text), slot, hash),
        }
    }

    /// The symbol of a text, if it is among them.
    pub(crate) fn known(&self, text: &str) -> Option<Symbol> {
        self.find(text).ok()
    }

    fn find(&self, text: &str) -> Result<Symbol, (usize, u32)> {
        let mut hasher = FxHasher::default();
        hasher.write(text.as_bytes());
        let hash = hasher.finish() as u32;
        let mask = self.table.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            match self.table[slot].checked_sub(1) {
                None => return Err((slot, hash)),
                Some(index) => {
                    let (entry, entry_hash) = &self.entries[index as usize];
                    if *entry_hash == hash && entry == text {
                        return Ok(Symbol(index));
                    }
                }
            }
            slot = (slot + 1) & mask;
        }
    }

    fn insert(&mut self, text: Cow<'s, str>, slot: usize, hash: u32) -> Symbol {
        let symbol = Symbol(self.entries.len() as u32);
        self.entries.push((text, hash));
        self.table[slot] = symbol.0 + 1;
        if 2 * self.entries.len() > self.table.len() {
            self.grow();
        }
        symbol
    }

    fn grow(&mut self) {
        let length = 2 * self.table.len();
        let mask = length - 1;
        self.table.clear();
        self.table.resize(length, 0);
        for (index, (_, hash)) in self.entries.iter().enumerate() {
            let mut slot = *hash as usize & mask;
            while self.table[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            self.table[slot] = index as u32 + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_equal_symbols() {
        let texts: Vec<String> = (0..1000).map(|n| format!("name{n}")).collect();
        let mut names = Names::new(0);
        let symbols: Vec<Symbol> = texts.iter().map(|text| names.intern(text)).collect();
        for (text, &symbol) in texts.iter().zip(&symbols) {
            assert_eq!(names.intern_owned(text.clone()), symbol);
            assert_eq!(names.text(symbol), text);
        }
        assert_eq!(names.len(), 1004);
        assert_eq!(names.known("name7"), Some(symbols[7]));
        assert_eq!(names.known("other"), None);
        assert_eq!(names.intern(""), Symbol::EMPTY);
    }
}
