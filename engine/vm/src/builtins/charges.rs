//! What built-ins cost by size, where they are done in one go.

use gcrucible_bytecode::Method;
use gcrucible_heap::{Checks, Kind, Value};

use super::methods::Call;
use crate::interpreter::Context;

/// From this length on a container that is full when something is added costs its copy.
const GROWTH_MIN: u32 = 1024;

/// Units for an entry of a map that is entered anew, with its hash.
const UNITS_PER_ENTRY: u32 = 4;

impl<'p, C: Checks> Context<'p, C> {
    /// Charges for the text of a string, if it is one.
    #[inline]
    pub(crate) fn charge_text(&self, value: Value<'p>) {
        if self.m.kind(value) == Some(Kind::String) {
            self.work.charge_bytes(self.m.size_bytes(value));
        }
    }

    /// Charges for the comparison of two texts.
    #[inline]
    pub(crate) fn charge_comparison(&self, a: Value<'p>, b: Value<'p>) {
        if self.m.kind(a) == Some(Kind::String) && self.m.kind(b) == Some(Kind::String) {
            let bytes = self.m.size_bytes(a).min(self.m.size_bytes(b));
            self.work.charge_bytes(bytes);
        }
    }

    /// Charges for a key that is looked up in a map.
    #[inline]
    pub(crate) fn charge_key(&self, key: Value<'p>) {
        if self.m.kind(key) == Some(Kind::String) {
            // It is hashed byte by byte, and compared.
            self.work.charge_bytes(4 * self.m.size_bytes(key));
        }
    }

    /// Charges for an entry that may be added to a map.
    #[inline]
    pub(crate) fn charge_entry(&self, map: Value<'p>, key: Value<'p>) {
        self.charge_key(key);
        let len = self.m.map_len(map).unwrap_or(0);
        if len >= GROWTH_MIN && len.is_power_of_two() {
            self.work.charge(UNITS_PER_ENTRY * len);
        }
    }

    /// Charges for a call of a method that goes over its receiver or an argument in one go.
    pub(super) fn charge_method(&self, kind: Kind, method: Method, call: Call<'p, '_>) {
        match kind {
            Kind::String => {
                for index in 0..call.count() {
                    self.charge_text(self.arg(call, index));
                }
            }
            Kind::Array => {
                let len = self.m.array_len(call.receiver).unwrap_or(0);
                match method {
                    Method::Push if len >= GROWTH_MIN && len.is_power_of_two() => {
                        self.work.charge_elements(len as usize);
                    }
                    // The elements on the shorter side move.
                    Method::Insert | Method::Remove => {
                        let index = self.m.as_int(self.arg(call, 0)).unwrap_or(0);
                        let index = index.clamp(0, i64::from(len)) as u32;
                        let moved = match method {
                            Method::Insert => self.m.array_insert_moves(call.receiver, index),
                            _ => self.m.array_remove_moves(call.receiver, index),
                        };
                        self.work.charge_elements(moved as usize);
                    }
                    _ => {}
                }
            }
            Kind::Map if matches!(method, Method::Has | Method::Get | Method::Remove) => {
                self.charge_key(self.arg(call, 0));
            }
            _ => {}
        }
    }
}
