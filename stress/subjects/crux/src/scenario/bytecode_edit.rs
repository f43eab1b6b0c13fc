//! Edits of a compiled program: bytecode that no front end would write.

use arbitrary::Arbitrary;
use gcrucible_bytecode::{Function, LiveMap, Op, Program};
use serde::{Deserialize, Serialize};

/// One change of a program. Functions and instructions are counted modulo how many there
/// are, so that an edit means something in every program.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BytecodeEdit {
    /// The function.
    pub function: u16,
    /// What happens to it.
    pub change: Change,
}

/// One change of a function. Targets of instructions that come anew are counted modulo, too.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Change {
    /// Another instruction in the place of one.
    Replace {
        /// The instruction.
        at: u16,
        /// What comes there.
        op: Op,
    },
    /// One more instruction before one; targets move with the instructions.
    Insert {
        /// The instruction.
        at: u16,
        /// What comes before it.
        op: Op,
    },
    /// A copy of another instruction of the function in the place of one.
    Copy {
        /// The instruction.
        at: u16,
        /// The other.
        from: u16,
    },
    /// A copy of another instruction of the function before one; targets move.
    Repeat {
        /// The instruction.
        at: u16,
        /// The other.
        from: u16,
    },
    /// Two instructions change places.
    Swap {
        /// The first.
        at: u16,
        /// The second.
        with: u16,
    },
    /// One instruction less; targets move with the instructions.
    Remove {
        /// The instruction.
        at: u16,
    },
    /// Another target of a jump or handler; others stay as they are.
    Target {
        /// The instruction.
        at: u16,
        /// Where it leads.
        target: u16,
    },
    /// Another number of registers.
    Registers(u8),
    /// Another number of parameters.
    Arity(u8),
}

impl BytecodeEdit {
    /// Changes the program, which the verifier may refuse then.
    pub fn apply(self, program: &mut Program) {
        let count = program.functions.len();
        if count == 0 {
            return;
        }
        let function = &mut program.functions[usize::from(self.function) % count];
        let len = function.code.len();
        if len == 0 {
            return;
        }
        // What was alive may not be, and the other way round.
        function.live = LiveMap::default();
        let place = |at: u16| usize::from(at) % len;
        match self.change {
            Change::Replace { at, op } => function.code[place(at)] = within(op, len),
            Change::Insert { at, op } => insert(function, place(at), within(op, len)),
            Change::Copy { at, from } => function.code[place(at)] = function.code[place(from)],
            Change::Repeat { at, from } => {
                let op = function.code[place(from)];
                insert(function, place(at), op);
            }
            Change::Swap { at, with } => function.code.swap(place(at), place(with)),
            Change::Remove { at } => {
                let at = place(at);
                function.code.remove(at);
                function.spans.remove(at);
                for op in &mut function.code {
                    *op = op.with_target(|target| target - u32::from(target as usize > at));
                }
            }
            Change::Target { at, target } => {
                let target = place(target) as u32;
                let at = place(at);
                function.code[at] = function.code[at].with_target(|_| target);
            }
            Change::Registers(registers) => function.registers = registers,
            Change::Arity(arity) => function.arity = arity,
        }
    }
}

/// The instruction with a target inside a function of `len` instructions.
fn within(op: Op, len: usize) -> Op {
    op.with_target(|target| (target as usize % len) as u32)
}

fn insert(function: &mut Function, at: usize, op: Op) {
    let moved = |target: u32| target + u32::from(target as usize > at);
    for op in &mut function.code {
        *op = op.with_target(moved);
    }
    function.code.insert(at, op.with_target(moved));
    function.spans.insert(at, function.spans[at]);
}
