//! Which registers are alive: what a frame still reads before it writes it.
//!
//! A register that is dead keeps nothing alive: the collector does not follow it, and clears
//! it. So roots are precise, and a variable ends where it is read last, not where its block or
//! its function does.
//!
//! # Idea
//!
//! The map of a function has a set of registers for each instruction: those that are alive
//! right before it. It follows the plain flow of control only. Where a frame can go on
//! otherwise is data that it has while it runs: its open handlers, and its completions. So what
//! is alive in a frame is what is alive
//!
//! - at its next instruction, but for the register that the result of a call will be put into;
//! - at the target of each handler that it has open, but for the register of what is caught;
//! - where each of its completions resumes, but for the register whose value that has.
//!
//! Handlers that are pushed later are edges of the instructions that push them, and the place
//! behind an `EnterFinally` is one of its successors. So whatever a frame will read is alive now.
//!
//! The map is the classic backward analysis (Aho, Lam, Sethi, Ullman, *Compilers*, 9.2.5). Whoever
//! makes bytecode can use [`LiveMap::of`]; the verifier does not trust it, and refuses a map in
//! which a register that is read later is dead. A map that calls more registers alive than need
//! be is no danger.

use serde::{Deserialize, Serialize};

use crate::opcode::{Facts, Op, Reg};
use crate::operand::{Edge, Operand};
use crate::program::{Function, Program};

/// A set of registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RegisterSet([u64; 4]);

impl RegisterSet {
    /// All registers.
    pub const ALL: RegisterSet = RegisterSet([u64::MAX; 4]);

    /// Whether the register is in it.
    #[inline]
    pub fn has(&self, register: Reg) -> bool {
        self.0[usize::from(register) / 64] >> (register % 64) & 1 == 1
    }

    /// Adds a register.
    pub fn add(&mut self, register: Reg) {
        self.0[usize::from(register) / 64] |= 1 << (register % 64);
    }

    /// Takes a register out.
    pub fn remove(&mut self, register: Reg) {
        self.0[usize::from(register) / 64] &= !(1 << (register % 64));
    }

    /// Adds all registers of another set.
    pub fn add_all(&mut self, other: &RegisterSet) {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word |= other;
        }
    }

    /// The least register that is in it and not in the other set.
    pub fn first_beyond(&self, other: &RegisterSet) -> Option<Reg> {
        let beyond = |at: usize| self.0[at] & !other.0[at];
        let at = (0..self.0.len()).find(|&at| beyond(at) != 0)?;
        Some((at * 64) as Reg + beyond(at).trailing_zeros() as Reg)
    }
}

/// For each instruction of a function the registers that are alive right before it.
///
/// A function without a map keeps all its registers alive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveMap {
    /// A row of words for each instruction, a bit for each register.
    bits: Vec<u64>,
}

impl LiveMap {
    /// The map of a function: as few registers as can be.
    ///
    /// The code may be anything: what the verifier would refuse is left out.
    pub fn of(program: &Program, function: &Function) -> LiveMap {
        let code = &function.code;
        let mut alive = vec![RegisterSet::default(); code.len()];
        let transfers: Vec<Transfer> = code.iter().map(|&op| Transfer::of(program, op)).collect();
        let predecessors = Predecessors::of(&transfers);
        // From the end on, most instructions are right at once.
        let mut pending: Vec<usize> = (0..code.len()).collect();
        let mut is_pending = vec![true; code.len()];
        while let Some(at) = pending.pop() {
            is_pending[at] = false;
            let found = transfers[at].needed(at, code.len(), |at| alive[at]);
            if found != alive[at] {
                alive[at] = found;
                for from in predecessors.of_instruction(at) {
                    if !std::mem::replace(&mut is_pending[from], true) {
                        pending.push(from);
                    }
                }
            }
        }
        let row = row_words(function.registers);
        let mut bits = Vec::with_capacity(row * code.len());
        for set in &alive {
            bits.extend_from_slice(&set.0[..row]);
        }
        LiveMap { bits }
    }

    /// Whether there is no map: all registers are alive.
    pub fn is_empty(&self) -> bool {
        self.bits.is_empty()
    }

    /// Whether it has a row for each instruction of a function.
    pub fn fits(&self, function: &Function) -> bool {
        self.is_empty() || self.bits.len() == row_words(function.registers) * function.code.len()
    }

    /// What is alive right before an instruction of a frame with so many registers; everything, if
    /// there is no row for it.
    pub fn at(&self, registers: u8, instruction: usize) -> RegisterSet {
        let row = row_words(registers);
        let Some(words) = self.bits.get(row * instruction..row * (instruction + 1)) else {
            return RegisterSet::ALL;
        };
        let mut set = RegisterSet::default();
        set.0[..row].copy_from_slice(words);
        set
    }

    /// Says that a register is dead before an instruction: what the verifier must refuse if it
    /// is not.
    pub fn kill(&mut self, registers: u8, instruction: usize, register: Reg) {
        let at = row_words(registers) * instruction + usize::from(register) / 64;
        if let Some(word) = self.bits.get_mut(at) {
            *word &= !(1 << (register % 64));
        }
    }
}

/// None: a fuzzer's map would mostly not even fit.
#[cfg(feature = "arbitrary")]
impl<'a> arbitrary::Arbitrary<'a> for LiveMap {
    fn arbitrary(_: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(LiveMap::default())
    }

    fn size_hint(_: usize) -> (usize, Option<usize>) {
        (0, Some(0))
    }
}

impl Program {
    /// Finds out which registers are alive, in all functions that have no map.
    pub fn find_live_registers(&mut self) {
        for index in 0..self.functions.len() {
            if self.functions[index].live.is_empty() {
                let live = LiveMap::of(self, &self.functions[index]);
                self.functions[index].live = live;
            }
        }
    }
}

fn row_words(registers: u8) -> usize {
    usize::from(registers).div_ceil(64)
}

/// What must be alive before instruction `at` of `code`, given what is alive before others.
pub(crate) fn needed(
    program: &Program,
    code: &[Op],
    at: usize,
    alive: impl Fn(usize) -> RegisterSet,
) -> RegisterSet {
    Transfer::of(program, code[at]).needed(at, code.len(), alive)
}

/// What the analysis has to know of an instruction: its transfer function, and where control goes
/// from it.
struct Transfer {
    /// What it reads.
    read: RegisterSet,
    /// The register that it writes if control goes on behind it; none writes more than one.
    on_next: Option<Reg>,
    /// The register that it writes if control goes to its target.
    on_target: Option<Reg>,
    target: Option<usize>,
    facts: Facts,
}

impl Transfer {
    fn of(program: &Program, op: Op) -> Self {
        let mut transfer = Transfer {
            read: RegisterSet::default(),
            on_next: None,
            on_target: None,
            target: None,
            facts: op.facts(),
        };
        op.each_operand(|operand| {
            operand.each_read(program, |register| transfer.read.add(register));
            if let Operand::Target(target) = operand {
                transfer.target = Some(target as usize);
            }
            transfer.on_next = transfer.on_next.or(operand.written(Edge::Next));
            transfer.on_target = transfer.on_target.or(operand.written(Edge::Target));
        });
        transfer
    }

    /// What must be alive before it, at index `at` of so many instructions: what it reads, and what
    /// its successors need and it does not write.
    fn needed(&self, at: usize, count: usize, alive: impl Fn(usize) -> RegisterSet) -> RegisterSet {
        let mut needed = self.read;
        self.each_successor(at, |next, edge| {
            if next >= count {
                return;
            }
            let mut behind = alive(next);
            let written = match edge {
                Edge::Next => self.on_next,
                Edge::Target => self.on_target,
            };
            if let Some(register) = written {
                behind.remove(register);
            }
            needed.add_all(&behind);
        });
        needed
    }

    /// Passes each instruction that control can go to from it, at index `at`.
    #[inline(always)]
    fn each_successor(&self, at: usize, mut reach: impl FnMut(usize, Edge)) {
        if let Some(target) = self.target {
            reach(target, Edge::Target);
        }
        if !self.facts.ends {
            reach(at + 1, Edge::Next);
        }
        if self.facts.skips {
            reach(at + 2, Edge::Next);
        }
    }
}

/// Where control comes from: for each instruction a run of one list.
struct Predecessors {
    ends: Vec<usize>,
    all: Vec<usize>,
}

impl Predecessors {
    fn of(transfers: &[Transfer]) -> Self {
        // Counted, then put in place: linear in the code.
        let each_edge = |edge: &mut dyn FnMut(usize, usize)| {
            for (at, transfer) in transfers.iter().enumerate() {
                transfer.each_successor(at, |next, _| {
                    if next < transfers.len() {
                        edge(next, at);
                    }
                });
            }
        };
        let mut ends = vec![0; transfers.len()];
        each_edge(&mut |next, _| ends[next] += 1);
        let mut count = 0;
        for end in &mut ends {
            count += std::mem::replace(end, count);
        }
        let mut all = vec![0; count];
        each_edge(&mut |next, from| {
            all[ends[next]] = from;
            ends[next] += 1;
        });
        Predecessors { ends, all }
    }

    fn of_instruction(&self, at: usize) -> impl Iterator<Item = usize> {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.all[start..self.ends[at]].iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(registers: u8, code: Vec<Op>) -> Function {
        Function {
            registers,
            code,
            ..Function::default()
        }
    }

    /// The registers that are alive before each instruction.
    fn alive(code: Vec<Op>) -> Vec<Vec<Reg>> {
        let function = function(8, code);
        let live = LiveMap::of(&Program::default(), &function);
        assert!(live.fits(&function));
        let sets = (0..function.code.len()).map(|at| live.at(8, at));
        let listed = |set: RegisterSet| (0..8).filter(|&register| set.has(register)).collect();
        sets.map(listed).collect()
    }

    #[test]
    fn a_loop_keeps_alive_what_its_next_round_reads() {
        let code = vec![
            Op::JumpIfNot { cond: 0, target: 3 },
            Op::Move { dst: 1, src: 2 },
            Op::Loop { target: 0 },
            Op::Return { src: 1 },
        ];
        assert_eq!(
            alive(code),
            [vec![0, 1, 2], vec![0, 2], vec![0, 1, 2], vec![1]]
        );
    }

    #[test]
    fn the_result_of_a_call_is_not_alive_before_it_but_what_is_called_is() {
        let code = vec![
            Op::Call { base: 2, argc: 1 },
            Op::Add {
                dst: 0,
                lhs: 2,
                rhs: 1,
            },
            Op::CallBuiltin {
                base: 4,
                builtin: crate::Builtin::Collect,
                argc: 0,
            },
            Op::Return { src: 0 },
        ];
        assert_eq!(alive(code), [vec![1, 2, 3], vec![1, 2], vec![0], vec![0]]);
    }

    #[test]
    fn a_handler_gets_what_it_catches_and_an_element_is_missing_at_the_end() {
        let code = vec![
            Op::PushCatch { dst: 1, target: 3 },
            Op::PopHandler,
            Op::Return { src: 2 },
            Op::NextOrJump {
                dst: 1,
                iterator: 3,
                target: 5,
            },
            Op::EndIfNil { dst: 1, target: 5 },
            Op::Return { src: 1 },
        ];
        assert_eq!(
            alive(code),
            [
                // Register 1 is written if something is caught.
                vec![2, 3],
                vec![2],
                vec![2],
                vec![1, 3],
                vec![1],
                vec![1]
            ]
        );
    }

    #[test]
    fn a_value_that_finally_takes_is_alive_before_and_dead_inside() {
        let code = vec![
            Op::EnterFinallyWith {
                value: 0,
                target: 2,
            },
            Op::Return { src: 0 },
            Op::LoadNil { dst: 1 },
            Op::EndFinally,
        ];
        assert_eq!(alive(code), [vec![0], vec![0], vec![], vec![]]);
    }

    #[test]
    fn code_that_leads_nowhere_is_no_trouble() {
        let code = vec![
            Op::Jump { target: 9 },
            Op::NewClosure {
                dst: 0,
                function: 7,
            },
        ];
        assert_eq!(alive(code), [Vec::<Reg>::new(), vec![]]);
    }
}
