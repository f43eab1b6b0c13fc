//! The instructions, one function each.
//!
//! ```text
//! values     registers, constants, globals, operators, captured variables
//! objects    making, reading and writing objects
//! flow       jumps, returns, throws, handlers, `finally`
//! calling    calls of all sorts, the protocol of `for`
//! waiting    tasks, squads, guards, deadlines
//! ```
//!
//! An instruction that cannot go on is an `Err` of [`Stop`](super::Stop), and has had no effect
//! then; what it leads to otherwise is a [`Flow`](super::run::Flow). The table of instructions
//! names the function of each. The hot loop does the common
//! cases of most of them by itself; here is all that each of them can do.

mod calling;
mod flow;
mod objects;
mod values;
mod waiting;

use gcrucible_bytecode::{Op, instructions};
use gcrucible_heap::Checks;

use super::run::{Executed, Run};

macro_rules! dispatch {
    ($(
        $(#[$meaning:meta])*
        $name:ident $({ $($field:ident: $role:ident $(($size:expr))?),* })?
            => $method:ident $($fact:ident)*;
    )*) => {
        impl<'p, C: Checks> Run<'_, 'p, C> {
            /// Executes one instruction.
            #[inline(always)]
            pub(super) fn execute(&mut self, op: Op) -> Executed<'p> {
                match op {
                    $(Op::$name $({ $($field),* })? => self.$method($($($field),*)?),)*
                }
            }
        }
    };
}

instructions!(dispatch);
