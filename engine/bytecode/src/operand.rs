//! Operands and their roles.
//!
//! The type of a field says how it is stored, its role what the instruction does with it. The
//! table of [instructions](mod@crate::instructions) is written in roles.

use crate::builtin::Builtin;
use crate::opcode::Reg;
use crate::program::{Capture, Program};

/// One operand in its role. Where a role has a size, it comes second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A register that is written.
    Def(Reg),
    /// A register that is read.
    Use(Reg),
    /// A register that is written unless control goes to the target: the next element.
    Element(Reg),
    /// A register that is written if control goes to the target: what a handler catches.
    Caught(Reg),
    /// A register that is read, and nil afterwards.
    Taken(Reg),
    /// The first of so many registers that are read.
    Range(Reg, u8),
    /// The first of so many pairs of registers that are read.
    PairRange(Reg, u8),
    /// The first of as many registers as the class has fields; they are read.
    Fields(Reg, u16),
    /// The first of as many registers as the variant has payload; they are read.
    Payload(Reg, u16),
    /// What is called, with so many arguments behind it; they are read. Then the result is
    /// written there.
    Call(Reg, u8),
    /// The first of so many arguments, which are read. Then the result is written there.
    Arguments(Reg, u8),
    /// How many registers a [`Range`](Operand::Range) has.
    Count(u8),
    /// How many pairs a [`PairRange`](Operand::PairRange) has.
    PairCount(u8),
    /// How many arguments there are.
    ArgumentCount(u8),
    /// A place in a payload.
    Index(u8),
    /// A cell that the running closure has captured.
    Captured(u8),
    /// A bool.
    Bool(bool),
    /// An int.
    Int(i32),
    /// A constant.
    Constant(u16),
    /// A constant that is the name of a field or method.
    Name(u16),
    /// A global.
    Global(u16),
    /// A function without captures.
    BareFunction(u16),
    /// A function of which a closure is made: the registers that it captures are read.
    Closure(u16),
    /// A class.
    Class(u16),
    /// A variant without payload.
    BareVariant(u16),
    /// A variant with a payload.
    Variant(u16),
    /// A type.
    Type(u16),
    /// A step.
    Step(u16),
    /// A built-in function.
    BuiltIn(Builtin),
    /// Where control can go.
    Target(u32),
}

/// How an operand of each role is stored.
#[allow(missing_docs, reason = "the roles are described at `Operand`")]
pub mod roles {
    use super::{Builtin, Reg};

    pub type Def = Reg;
    pub type Use = Reg;
    pub type Element = Reg;
    pub type Caught = Reg;
    pub type Taken = Reg;
    pub type Range = Reg;
    pub type PairRange = Reg;
    pub type Fields = Reg;
    pub type Payload = Reg;
    pub type Call = Reg;
    pub type Arguments = Reg;
    pub type Count = u8;
    pub type PairCount = u8;
    pub type ArgumentCount = u8;
    pub type Index = u8;
    pub type Captured = u8;
    pub type Bool = bool;
    pub type Int = i32;
    pub type Constant = u16;
    pub type Name = u16;
    pub type Global = u16;
    pub type BareFunction = u16;
    pub type Closure = u16;
    pub type Class = u16;
    pub type BareVariant = u16;
    pub type Variant = u16;
    pub type Type = u16;
    pub type Step = u16;
    pub type BuiltIn = Builtin;
    pub type Target = u32;
}

impl Operand {
    /// First and number of the registers side by side that it names, if it names any. The
    /// number is `None` if it depends on something that the program does not have.
    pub fn registers(self, program: &Program) -> Option<(Reg, Option<usize>)> {
        Some(match self {
            Operand::Def(register)
            | Operand::Use(register)
            | Operand::Element(register)
            | Operand::Caught(register)
            | Operand::Taken(register) => (register, Some(1)),
            Operand::Range(first, count) => (first, Some(usize::from(count))),
            Operand::PairRange(first, pairs) => (first, Some(2 * usize::from(pairs))),
            Operand::Fields(first, class) => {
                let class = program.classes.get(usize::from(class));
                (first, class.map(|class| class.fields.len()))
            }
            Operand::Payload(first, variant) => {
                let variant = program.variants.get(usize::from(variant));
                (first, variant.map(|variant| usize::from(variant.arity)))
            }
            Operand::Call(base, arguments) => (base, Some(1 + usize::from(arguments))),
            // The result needs a register even where there is no argument.
            Operand::Arguments(base, count) => (base, Some(usize::from(count).max(1))),
            _ => return None,
        })
    }

    /// Passes each register that the instruction reads because of this operand.
    #[inline]
    pub fn each_read(self, program: &Program, mut read: impl FnMut(Reg)) {
        let (first, count) = match self {
            Operand::Use(register) | Operand::Taken(register) => return read(register),
            Operand::Arguments(base, count) => (base, usize::from(count)),
            Operand::Range(..)
            | Operand::PairRange(..)
            | Operand::Fields(..)
            | Operand::Payload(..)
            | Operand::Call(..) => match self.registers(program) {
                Some((first, Some(count))) => (first, count),
                _ => return,
            },
            Operand::Closure(function) => {
                let made = program.functions.get(usize::from(function));
                for capture in made.iter().flat_map(|made| &made.captures) {
                    if let Capture::Register(register) = *capture {
                        read(register);
                    }
                }
                return;
            }
            _ => return,
        };
        (first..=Reg::MAX).take(count).for_each(read);
    }

    /// The register that the instruction surely writes when control leaves it by this edge.
    #[inline]
    pub fn written(self, edge: Edge) -> Option<Reg> {
        match (self, edge) {
            (Operand::Def(register) | Operand::Taken(register), _)
            | (Operand::Element(register), Edge::Next)
            | (Operand::Caught(register), Edge::Target)
            | (Operand::Call(register, _) | Operand::Arguments(register, _), _) => Some(register),
            _ => None,
        }
    }
}

/// How control leaves an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// To the instruction behind it, or past that.
    Next,
    /// To its target.
    Target,
}
