//! The constant pool.

use gcrucible_bytecode::Constant;
use rustc_hash::FxHashMap;

use crate::ast::{Names, Symbol};

/// The most constants of a program.
pub(super) const MAX_CONSTANTS: usize = 1 << 16;

/// Constants without duplicates, in order of first use.
pub(super) struct Constants {
    pool: Vec<Constant>,
    /// For each symbol the constant plus one, or 0.
    strings: Vec<u32>,
    ints: FxHashMap<i64, u16>,
    /// By bits: zeros of both signs are two constants, a NaN is one.
    floats: FxHashMap<u64, u16>,
    is_full: bool,
}

impl Constants {
    pub(super) fn new(symbols: usize) -> Self {
        Self {
            pool: Vec::with_capacity(symbols / 2),
            strings: vec![0; symbols],
            ints: FxHashMap::default(),
            floats: FxHashMap::default(),
            is_full: false,
        }
    }

    pub(super) fn string(&mut self, names: &Names<'_>, symbol: Symbol) -> u16 {
        if let Some(known) = self.strings[symbol.index()].checked_sub(1) {
            return known as u16;
        }
        let index = self.add(Constant::String(names.text(symbol).to_owned()));
        self.strings[symbol.index()] = u32::from(index) + 1;
        index
    }

    pub(super) fn int(&mut self, value: i64) -> u16 {
        if let Some(&known) = self.ints.get(&value) {
            return known;
        }
        let index = self.add(Constant::Int(value));
        self.ints.insert(value, index);
        index
    }

    pub(super) fn float(&mut self, value: f64) -> u16 {
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
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    pub(super) fn finish(self) -> Vec<Constant> {
        self.pool
    }
}
