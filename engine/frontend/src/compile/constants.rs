//! The constant pool.

use gcrucible_bytecode::Constant;
use rustc_hash::FxHashMap;

use crate::ast::{Names, Symbol};

/// The most constants of a program.
pub(crate) const MAX_CONSTANTS: usize = 1 << 16;

/// Constants without duplicates, in order of first use.
pub(crate) struct Constants {
    pool: Vec<Constant>,
    /// For each symbol of the current source the constant plus one, or 0.
    strings: Vec<u32>,
    /// All strings, from the second source on.
    by_text: Option<FxHashMap<String, u16>>,
    ints: FxHashMap<i64, u16>,
    /// By bits: zeros of both signs are two constants, a NaN is one.
    floats: FxHashMap<u64, u16>,
    is_full: bool,
}

impl Constants {
    pub(crate) fn new() -> Self {
        Self {
            pool: Vec::new(),
            strings: Vec::new(),
            by_text: None,
            ints: FxHashMap::default(),
            floats: FxHashMap::default(),
            is_full: false,
        }
    }

    /// From now on symbols are those of `names`.
    pub(crate) fn begin(&mut self, names: &Names<'_>) {
        if !self.strings.is_empty() {
            self.by_text();
        }
        self.pool.reserve(names.len() / 2);
        self.strings.clear();
        self.strings.resize(names.len(), 0);
    }

    pub(crate) fn string(&mut self, names: &Names<'_>, symbol: Symbol) -> u16 {
        if let Some(known) = self.strings[symbol.index()].checked_sub(1) {
            return known as u16;
        }
        let text = names.text(symbol);
        let index = if self.by_text.is_some() {
            self.text(text)
        } else {
            self.add(Constant::String(text.to_owned()))
        };
        self.strings[symbol.index()] = u32::from(index) + 1;
        index
    }

    /// The constant of a text that has no symbol.
    pub(crate) fn text(&mut self, text: &str) -> u16 {
        if let Some(&known) = self.by_text().get(text) {
            return known;
        }
        let index = self.add(Constant::String(text.to_owned()));
        self.by_text().insert(text.to_owned(), index);
        index
    }

    fn by_text(&mut self) -> &mut FxHashMap<String, u16> {
        let pool = &self.pool;
        self.by_text.get_or_insert_with(|| {
            let strings = pool.iter().enumerate().filter_map(|(at, constant)| {
                let Constant::String(text) = constant else {
                    return None;
                };
                Some((text.clone(), at as u16))
            });
            strings.collect()
        })
    }

    pub(crate) fn int(&mut self, value: i64) -> u16 {
        if let Some(&known) = self.ints.get(&value) {
            return known;
        }
        let index = self.add(Constant::Int(value));
        self.ints.insert(value, index);
        index
    }

    pub(crate) fn float(&mut self, value: f64) -> u16 {
        if let Some(&known) = self.floats.get(&value.to_bits()) {
            return known;
        }
        let index = self.add(Constant::Float(value));
        self.floats.insert(value.to_bits(), index);
        index
    }

    fn add(&mut self, constant: Constant) -> u16 {
        if self.pool.len() >= MAX_CONSTANTS {
            self.is_full = true;
            return 0;
        }
        self.pool.push(constant);
        (self.pool.len() - 1) as u16
    }

    /// Whether there were too many.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    pub(crate) fn finish(self) -> Vec<Constant> {
        self.pool
    }
}
