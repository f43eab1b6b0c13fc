//! The instructions of Crux bytecode.
//!
//! A register machine: each frame owns `Function::registers` registers, parameters
//! first. An instruction reads and writes registers of its own frame only. All
//! instructions fit in eight bytes.
//!
//! # Rules that every executor of this format follows
//!
//! 1. One instruction costs one unit of fuel. An instruction that ends a slice
//!    without effect (no memory, safepoint taken) costs none and runs again.
//! 2. Registers of a new frame hold nil, then the arguments are stored.
//! 3. `false` and nil are falsy, all else is truthy.
//! 4. A *throw* finds the innermost handler of the task (see [`Op::PushCatch`]),
//!    pops frames above it, truncates the completion stack to what it was when the
//!    handler was pushed, and jumps. Without a handler the task ends with the value.
//! 5. Errors the machine itself raises are error objects with an
//!    [`ErrorKind`](crate::ErrorKind), whose message begins with
//!    [`ErrorKind::message`](crate::ErrorKind::message); what follows behind a colon, if
//!    anything does, is read off the instruction (docs/crux/errors.md).
//! 6. A task has a stack of *scopes*: guards, deadlines, squads, steps. A handler
//!    remembers how many there were when it was pushed, a frame how many when it was
//!    entered; a throw that reaches the handler, and a return from the frame, pop those
//!    above, innermost first. Popping a guard releases it, popping a deadline disarms it,
//!    popping a squad or step forgets it.
//!    A scope with a time ([`Op::PushDeadline`], [`Op::CallStep`], an interrupt handler)
//!    throws when that is over: once at the start of a slice, of several the outermost's
//!    first, then at each waiting instruction and host operation while it lasts. Nothing is
//!    thrown at the start of a slice whose next instruction is [`Op::DrainSquad`].
//! 7. *Waiting* instructions ([`Op::Await`], [`Op::JoinSquad`], [`Op::DrainSquad`],
//!    [`Op::PushGuard`], the built-ins that send and receive) that cannot go on yet cost
//!    their unit of fuel, end the slice and run again after a wake-up. Each time they run,
//!    before anything else, they throw `Cancelled` if the task's cancellation was
//!    requested, and `DeadlineExceeded` if a deadline of the task has passed
//!    ([`Op::DrainSquad`] throws neither). A built-in's number of arguments is looked at
//!    first.
//! 8. An interrupt handler runs in a frame on top of what it interrupts, in the root task of
//!    a run. It sees nothing below: no handler, no squad, no deadline; `Cancelled` is not
//!    delivered while it runs. What is thrown out of it ends it alone and is printed as
//!    `interrupt handler failed: TEXT`; its result is dropped.

use std::convert::Infallible;

use serde::{Deserialize, Serialize};

use crate::operand::{Operand, roles};

/// A register of the current frame.
pub type Reg = u8;

macro_rules! define {
    ($(
        $(#[$meaning:meta])*
        $name:ident $({ $($field:ident: $role:ident $(($size:expr))?),* })?
            => $method:ident $($fact:ident)*;
    )*) => {
        /// One instruction.
        ///
        /// `target` is always an absolute index into the function's code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[allow(missing_docs, reason = "operands are named after their role")]
        #[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
        #[repr(u8)]
        pub enum Op {
            $($(#[$meaning])* $name $({ $($field: roles::$role),* })?,)*
        }

        impl Op {
            /// Its name in listings.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Op::$name { .. } => stringify!($name),)*
                }
            }

            /// Passes its operands, in the order of the listing, until one is refused.
            ///
            /// # Errors
            /// What `each` refuses.
            #[inline]
            pub fn try_operands<E>(
                self,
                mut each: impl FnMut(Operand) -> Result<(), E>,
            ) -> Result<(), E> {
                match self {
                    $(Op::$name $({ $($field),* })? => {
                        $($(each(Operand::$role($field $(, $size)?))?;)*)?
                    })*
                }
                Ok(())
            }

            /// The same instruction with other operands. One that comes back in another role
            /// stays as it was.
            #[must_use]
            pub fn with_operands(self, mut edit: impl FnMut(Operand) -> Operand) -> Op {
                match self {
                    $(Op::$name $({ $($field),* })? => Op::$name $({
                        $($field: match edit(Operand::$role($field $(, $size)?)) {
                            Operand::$role(edited, ..) => edited,
                            _ => $field,
                        }),*
                    })?,)*
                }
            }

            /// What is known of it whatever its operands are.
            pub const fn facts(self) -> Facts {
                match self {
                    $(Op::$name { .. } => Facts { $($fact: true,)* ..Facts::NONE },)*
                }
            }
        }
    };
}

crate::instructions!(define);

const _: () = assert!(size_of::<Op>() == 8);

impl Op {
    /// The same instruction with its target moved, if it has one.
    #[must_use]
    pub fn with_target(self, moved: impl Fn(u32) -> u32) -> Op {
        self.with_operands(|operand| match operand {
            Operand::Target(target) => Operand::Target(moved(target)),
            other => other,
        })
    }

    /// Passes its operands, in the order of the listing.
    #[inline]
    pub fn each_operand(self, mut each: impl FnMut(Operand)) {
        let Ok(()) = self.try_operands(|operand| {
            each(operand);
            Ok::<(), Infallible>(())
        });
    }
}

/// What is known of an instruction whatever its operands are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// It touches nothing but registers, frames, handlers and completions of its own task,
    /// objects that it makes, and what never changes: no other task can tell when it runs.
    pub local: bool,
    /// Control never goes to the instruction behind it.
    pub ends: bool,
    /// Control can skip the instruction behind it.
    pub skips: bool,
    /// It opens or closes a handler, completion or scope of its frame.
    pub nests: bool,
    /// It opens a scope, in its frame or in the one that it calls.
    pub opens_scope: bool,
}

impl Facts {
    /// None of them.
    pub const NONE: Facts = Facts {
        local: false,
        ends: false,
        skips: false,
        nests: false,
        opens_scope: false,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_are_changed_in_their_role_only() {
        let catch = Op::PushCatchIf {
            dst: 1,
            type_id: 2,
            target: 3,
        };
        let edited = catch.with_operands(|operand| match operand {
            Operand::Type(index) => Operand::Type(index + 5),
            Operand::Target(_) => Operand::Int(7),
            other => other,
        });
        let expected = Op::PushCatchIf {
            dst: 1,
            type_id: 7,
            target: 3,
        };
        assert_eq!(edited, expected);
    }

    #[test]
    fn a_row_gives_name_operands_and_facts() {
        let call = Op::Call { base: 3, argc: 2 };
        assert_eq!(call.name(), "Call");
        let operands_of = |op: Op| {
            let mut operands = Vec::new();
            op.each_operand(|operand| operands.push(operand));
            operands
        };
        let operands = operands_of(call);
        assert_eq!(operands, [Operand::Call(3, 2), Operand::ArgumentCount(2)]);
        assert!(call.facts().local && !call.facts().ends);
        let end = Op::EndFinally;
        assert_eq!(operands_of(end), []);
        assert!(end.facts().ends && end.facts().nests && !end.facts().opens_scope);
    }
}
