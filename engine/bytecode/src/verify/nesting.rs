//! The flow of control: which handlers, completions and scopes are open at each
//! instruction.

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

/// The handlers, completions and scopes that a frame has open, innermost last.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Nesting {
    depth: usize,
    /// Bit `n` is set if level `n` is a completion. Here and in `scopes` bits from
    /// `depth` on are clear, so that equality is that of the stacks.
    completions: u64,
    /// Bit `n` is set if level `n` is a scope.
    scopes: u64,
}

/// One level of a [`Nesting`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Handler,
    Completion,
    Scope,
}

const _: () = assert!(MAX_NESTING <= u64::BITS as usize);

impl Nesting {
    fn with(self, level: Level) -> Option<Self> {
        let bit = |kind| u64::from(level == kind) << self.depth;
        (self.depth < MAX_NESTING).then(|| Self {
            depth: self.depth + 1,
            completions: self.completions | bit(Level::Completion),
            scopes: self.scopes | bit(Level::Scope),
        })
    }

    /// `None` if the innermost level is another one.
    fn without(self, level: Level) -> Option<Self> {
        let depth = self.depth.checked_sub(1)?;
        let bit = 1 << depth;
        let found = if self.completions & bit != 0 {
            Level::Completion
        } else if self.scopes & bit != 0 {
            Level::Scope
        } else {
            Level::Handler
        };
        (found == level).then_some(Self {
            depth,
            completions: self.completions & !bit,
            scopes: self.scopes & !bit,
        })
    }

    fn has_only_scopes(self) -> bool {
        self.scopes.count_ones() as usize == self.depth
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
            | Op::EndIfNil { target, .. } => {
                self.reach(at, target as usize, nesting);
                self.reach(at, next, nesting);
            }
            // The instruction behind it is an EndIfNil, which does not come last.
            Op::NextOrJump { target, .. } => {
                self.reach(at, target as usize, nesting);
                self.reach(at, next, nesting);
                self.reach(at, next + 1, nesting);
            }
            Op::Return { .. } => {
                if !nesting.has_only_scopes() {
                    (self.refuse)(at, Rule::ReturnNested);
                }
            }
            Op::Throw { .. } => {}
            Op::PushCatch { target, .. } | Op::PushCatchIf { target, .. } => {
                match nesting.with(Level::Handler) {
                    Some(inside) => {
                        self.reach(at, target as usize, nesting);
                        self.reach(at, next, inside);
                    }
                    None => (self.refuse)(at, Rule::NestingTooDeep),
                }
            }
            Op::PushFinally { target } => {
                match (
                    nesting.with(Level::Completion),
                    nesting.with(Level::Handler),
                ) {
                    (Some(entered), Some(inside)) => {
                        self.reach(at, target as usize, entered);
                        self.reach(at, next, inside);
                    }
                    _ => (self.refuse)(at, Rule::NestingTooDeep),
                }
            }
            Op::PopHandler => match nesting.without(Level::Handler) {
                Some(outside) => self.reach(at, next, outside),
                None => (self.refuse)(at, Rule::NoHandler),
            },
            Op::EnterFinally { target } | Op::EnterFinallyWith { target, .. } => {
                match nesting.with(Level::Completion) {
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
                if nesting.without(Level::Completion).is_none() {
                    (self.refuse)(at, Rule::NoCompletion);
                }
            }
            Op::DropCompletion => match nesting.without(Level::Completion) {
                Some(outside) => self.reach(at, next, outside),
                None => (self.refuse)(at, Rule::NoCompletion),
            },
            Op::PushGuard { .. } | Op::PushDeadline { .. } | Op::PushSquad { .. } => {
                match nesting.with(Level::Scope) {
                    Some(inside) => self.reach(at, next, inside),
                    None => (self.refuse)(at, Rule::NestingTooDeep),
                }
            }
            Op::PopScope => match nesting.without(Level::Scope) {
                Some(outside) => self.reach(at, next, outside),
                None => (self.refuse)(at, Rule::NoScope),
            },
            _ => self.reach(at, next, nesting),
        }
    }
}
