//! The flow of control: which handlers and completions are open at each instruction.

use super::{MAX_NESTING, Rule};
use crate::opcode::Op;

/// Follows `code` from its start and reports each instruction that breaks a rule of
/// nesting. Targets must have been checked; the last instruction must not fall
/// through.
pub(super) fn check(code: &[Op], refuse: &mut dyn FnMut(usize, Rule)) {
    let mut flow = Flow {
        known: vec![None; code.len()],
        pending: Vec::new(),
        refuse,
    };
    flow.reach(0, 0, Nesting::default());
    while let Some(at) = flow.pending.pop() {
        // An instruction is made pending when its nesting becomes known.
        if let Some(nesting) = flow.known[at] {
            flow.step(at, code[at], nesting);
        }
    }
}

/// The handlers and completions that a frame has open, innermost last.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Nesting {
    depth: usize,
    /// Bit `n` is set if level `n` is a completion. Bits from `depth` on are clear, so
    /// that equality is that of the stacks.
    completions: u64,
}

const _: () = assert!(MAX_NESTING <= u64::BITS as usize);

impl Nesting {
    fn with_handler(self) -> Option<Self> {
        (self.depth < MAX_NESTING).then_some(Self {
            depth: self.depth + 1,
            ..self
        })
    }

    fn with_completion(self) -> Option<Self> {
        (self.depth < MAX_NESTING).then(|| Self {
            depth: self.depth + 1,
            completions: self.completions | (1 << self.depth),
        })
    }

    fn without_handler(self) -> Option<Self> {
        let depth = self.depth.checked_sub(1)?;
        (self.completions & (1 << depth) == 0).then_some(Self { depth, ..self })
    }

    fn without_completion(self) -> Option<Self> {
        let depth = self.depth.checked_sub(1)?;
        (self.completions & (1 << depth) != 0).then(|| Self {
            depth,
            completions: self.completions & !(1 << depth),
        })
    }
}

struct Flow<'r> {
    known: Vec<Option<Nesting>>,
    pending: Vec<usize>,
    refuse: &'r mut dyn FnMut(usize, Rule),
}

impl Flow<'_> {
    /// Control goes from instruction `from` to instruction `to` with `nesting` open.
    fn reach(&mut self, from: usize, to: usize, nesting: Nesting) {
        match self.known[to] {
            None => {
                self.known[to] = Some(nesting);
                self.pending.push(to);
            }
            Some(known) if known == nesting => {}
            Some(_) => (self.refuse)(from, Rule::NestingDiffers),
        }
    }

    fn step(&mut self, at: usize, op: Op, nesting: Nesting) {
        let next = at + 1;
        match op {
            Op::Jump { target } | Op::Loop { target } => self.reach(at, target as usize, nesting),
            Op::JumpIf { target, .. }
            | Op::JumpIfNot { target, .. }
            | Op::NextOrJump { target, .. } => {
                self.reach(at, target as usize, nesting);
                self.reach(at, next, nesting);
            }
            Op::Return { .. } => {
                if nesting.depth != 0 {
                    (self.refuse)(at, Rule::ReturnNested);
                }
            }
            Op::Throw { .. } => {}
            Op::PushCatch { target, .. } => match nesting.with_handler() {
                Some(inside) => {
                    self.reach(at, target as usize, nesting);
                    self.reach(at, next, inside);
                }
                None => (self.refuse)(at, Rule::NestingTooDeep),
            },
            Op::PushFinally { target } => {
                match (nesting.with_completion(), nesting.with_handler()) {
                    (Some(entered), Some(inside)) => {
                        self.reach(at, target as usize, entered);
                        self.reach(at, next, inside);
                    }
                    _ => (self.refuse)(at, Rule::NestingTooDeep),
                }
            }
            Op::PopHandler => match nesting.without_handler() {
                Some(outside) => self.reach(at, next, outside),
                None => (self.refuse)(at, Rule::NoHandler),
            },
            Op::EnterFinally { target } | Op::EnterFinallyWith { target, .. } => {
                match nesting.with_completion() {
                    Some(entered) => {
                        self.reach(at, target as usize, entered);
                        self.reach(at, next, nesting);
                    }
                    None => (self.refuse)(at, Rule::NestingTooDeep),
                }
            }
            // Its successors are the instructions behind each EnterFinally, which were
            // reached from there.
            Op::EndFinally => {
                if nesting.without_completion().is_none() {
                    (self.refuse)(at, Rule::NoCompletion);
                }
            }
            Op::DropCompletion => match nesting.without_completion() {
                Some(outside) => self.reach(at, next, outside),
                None => (self.refuse)(at, Rule::NoCompletion),
            },
            _ => self.reach(at, next, nesting),
        }
    }
}
