//! Code as the hot loop reads it: instructions that belong together, seen as one.
//!
//! A constant is mostly loaded for the operator behind it. Where that is so, the place of
//! the load has a *fused* instruction that does the work of both and costs what both cost.
//! All other instructions stay where they are, the second of the two as well: jumps there,
//! traces and positions are those of the plain code.

use gcrucible_bytecode::operand::roles;
use gcrucible_bytecode::{Function, Op, Reg, instructions};

use crate::feedback::Site;

/// An int that needs no alignment, so that two instructions take no more room than one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Int([u8; 4]);

impl Int {
    fn new(int: i32) -> Self {
        Int(int.to_ne_bytes())
    }

    #[inline(always)]
    pub(crate) fn get(self) -> i32 {
        i32::from_ne_bytes(self.0)
    }
}

macro_rules! with_pairs {
    // Keeps the rows of hot instructions.
    (@ [$($kept:tt)*]
        $(#[$meaning:meta])*
        $name:ident $({ $($field:ident: $role:ident $(($size:expr))?),* })?
            => $method:ident hot $($fact:ident)*;
        $($rest:tt)*
    ) => {
        with_pairs! { @ [$($kept)* $name { $($($field: $role),*)? }] $($rest)* }
    };
    // Drops the others.
    (@ [$($kept:tt)*]
        $(#[$meaning:meta])*
        $name:ident $({ $($field:ident: $role:ident $(($size:expr))?),* })?
            => $method:ident $($fact:ident)*;
        $($rest:tt)*
    ) => {
        with_pairs! { @ [$($kept)*] $($rest)* }
    };
    (@ [$($name:ident { $($field:ident: $role:ident),* })*]) => {
        /// An instruction, or two.
        #[derive(Clone, Copy, Debug)]
        #[repr(u8)]
        pub(crate) enum Fused {
            $($name { $($field: roles::$role),* },)*
            /// Loads an int into `tmp`; then `dst = lhs + tmp`.
            AddInt { dst: Reg, lhs: Reg, tmp: Reg, value: Int },
            /// The same, `dst = lhs - tmp`.
            SubInt { dst: Reg, lhs: Reg, tmp: Reg, value: Int },
            /// The same, `dst = lhs % tmp`; the int is positive.
            RemInt { dst: Reg, lhs: Reg, tmp: Reg, value: Int },
            /// The same, `dst = lhs < tmp`.
            LtInt { dst: Reg, lhs: Reg, tmp: Reg, value: Int },
            /// The same, `dst = lhs <= tmp`.
            LeInt { dst: Reg, lhs: Reg, tmp: Reg, value: Int },
            /// The same, `dst = tmp < lhs`.
            GtInt { dst: Reg, lhs: Reg, tmp: Reg, value: Int },
            /// The same, `dst = tmp <= lhs`.
            GeInt { dst: Reg, lhs: Reg, tmp: Reg, value: Int },
            /// The same, `dst = lhs == tmp`.
            EqInt { dst: Reg, lhs: Reg, tmp: Reg, value: Int },
            /// Loads nil into `tmp`; then `dst = lhs == tmp`.
            EqNil { dst: Reg, lhs: Reg, tmp: Reg },
            /// The same, `dst = lhs != tmp`.
            NeNil { dst: Reg, lhs: Reg, tmp: Reg },
            /// An instruction that is not for the hot loop. One for all, so that the loop needs
            /// no look at the range of its jump table.
            Other,
        }

        /// An instruction as it is.
        fn plain(op: Op) -> Fused {
            match op {
                $(Op::$name { $($field),* } => Fused::$name { $($field),* },)*
                _ => Fused::Other,
            }
        }
    };
    ($($rows:tt)*) => {
        with_pairs! { @ [] $($rows)* }
    };
}

instructions!(with_pairs);

const _: () = assert!(size_of::<Fused>() == size_of::<Op>());

/// What the hot loop needs of a function, close together.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The name of a field or method is the number of a site here.
    pub(crate) code: Box<[Fused]>,
    pub(crate) arity: u8,
    pub(crate) registers: u8,
}

impl Entry {
    /// A function with its code fused, and its sites behind those that there are.
    pub(crate) fn of(function: &Function, sites: &mut Vec<Site>) -> Self {
        let mut code = fused(&function.code);
        for op in &mut code {
            let (Fused::GetField { name, .. }
            | Fused::SetField { name, .. }
            | Fused::CallMethod { name, .. }) = op
            else {
                continue;
            };
            match u16::try_from(sites.len()) {
                Ok(site) => {
                    sites.push(Site::new(*name));
                    *name = site;
                }
                // No number is left for it.
                Err(_) => *op = Fused::Other,
            }
        }
        Entry {
            code,
            arity: function.arity,
            registers: function.registers,
        }
    }
}

impl Fused {
    /// The site of an instruction that has one.
    pub(crate) fn site(self) -> Option<u16> {
        match self {
            Fused::GetField { name, .. }
            | Fused::SetField { name, .. }
            | Fused::CallMethod { name, .. } => Some(name),
            _ => None,
        }
    }
}

fn fused(code: &[Op]) -> Box<[Fused]> {
    let pairs = code.iter().zip(code.iter().skip(1).map(Some).chain([None]));
    pairs
        .map(|(&op, next)| next.and_then(|&next| pair(op, next)).unwrap_or(plain(op)))
        .collect()
}

/// Two instructions as one, if they are such a pair.
fn pair(first: Op, second: Op) -> Option<Fused> {
    match first {
        Op::LoadInt { dst: tmp, value } => with_int(tmp, value, second),
        Op::LoadNil { dst: tmp } => match second {
            Op::Eq { dst, lhs, rhs } if rhs == tmp && lhs != tmp => {
                Some(Fused::EqNil { dst, lhs, tmp })
            }
            Op::Ne { dst, lhs, rhs } if rhs == tmp && lhs != tmp => {
                Some(Fused::NeNil { dst, lhs, tmp })
            }
            _ => None,
        },
        _ => None,
    }
}

fn with_int(tmp: Reg, int: i32, second: Op) -> Option<Fused> {
    let value = Int::new(int);
    // An operand that is the loaded register itself has another value than before.
    let is_right = |lhs: Reg, rhs: Reg| rhs == tmp && lhs != tmp;
    Some(match second {
        Op::Add { dst, lhs, rhs } if is_right(lhs, rhs) => Fused::AddInt {
            dst,
            lhs,
            tmp,
            value,
        },
        Op::Sub { dst, lhs, rhs } if is_right(lhs, rhs) => Fused::SubInt {
            dst,
            lhs,
            tmp,
            value,
        },
        Op::Rem { dst, lhs, rhs } if is_right(lhs, rhs) && int > 0 => Fused::RemInt {
            dst,
            lhs,
            tmp,
            value,
        },
        Op::Lt { dst, lhs, rhs } if is_right(lhs, rhs) => Fused::LtInt {
            dst,
            lhs,
            tmp,
            value,
        },
        Op::Le { dst, lhs, rhs } if is_right(lhs, rhs) => Fused::LeInt {
            dst,
            lhs,
            tmp,
            value,
        },
        Op::Lt { dst, lhs, rhs } if is_right(rhs, lhs) => Fused::GtInt {
            dst,
            lhs: rhs,
            tmp,
            value,
        },
        Op::Le { dst, lhs, rhs } if is_right(rhs, lhs) => Fused::GeInt {
            dst,
            lhs: rhs,
            tmp,
            value,
        },
        Op::Eq { dst, lhs, rhs } if is_right(lhs, rhs) => Fused::EqInt {
            dst,
            lhs,
            tmp,
            value,
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_of_a_pair_changes() {
        let load = Op::LoadInt { dst: 1, value: 3 };
        let add = Op::Add {
            dst: 0,
            lhs: 2,
            rhs: 1,
        };
        let code = fused(&[load, add, load]);
        assert!(matches!(
            code[0],
            Fused::AddInt { dst: 0, lhs: 2, tmp: 1, value } if value.get() == 3
        ));
        assert!(matches!(
            code[1],
            Fused::Add {
                dst: 0,
                lhs: 2,
                rhs: 1
            }
        ));
        assert!(matches!(code[2], Fused::LoadInt { dst: 1, value: 3 }));
    }

    #[test]
    fn an_operand_that_is_loaded_twice_over_is_left_alone() {
        let load = Op::LoadInt { dst: 1, value: 3 };
        let twice = Op::Add {
            dst: 0,
            lhs: 1,
            rhs: 1,
        };
        assert!(matches!(fused(&[load, twice])[0], Fused::LoadInt { .. }));
    }
}
