//! Draws programs. Each has its own mix of operations (swarm testing: Groce et al., ISSTA 2012), and some of
//! the shapes that collectors get wrong: rings, nodes that only something dying refers to.

use gcrucible_trace::choices::Choices;

use super::caps::Caps;
use super::program::{Act, Op, Plan, Program, ROOTS, WEAKS};
use super::subject::{Collect, Knobs};

/// Sorts of operations with their usual weights.
const KINDS: [(Kind, u32); 17] = [
    (Kind::Alloc, 20),
    (Kind::Store, 20),
    (Kind::Drop, 14),
    (Kind::Collect, 6),
    (Kind::Load, 6),
    (Kind::Clone, 5),
    (Kind::Clear, 3),
    (Kind::Same, 1),
    (Kind::Downgrade, 6),
    (Kind::Upgrade, 6),
    (Kind::CloneWeak, 2),
    (Kind::DropWeak, 3),
    (Kind::WeakField, 4),
    (Kind::Ephemeron, 4),
    (Kind::Elsewhere, 3),
    (Kind::Rare, 1),
    (Kind::Ring, 3),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Alloc,
    Store,
    Drop,
    Collect,
    Load,
    Clone,
    Clear,
    Same,
    Downgrade,
    Upgrade,
    CloneWeak,
    DropWeak,
    WeakField,
    Ephemeron,
    Elsewhere,
    Rare,
    Ring,
}

/// Whether a heap with these capabilities can be asked for an operation, from outside or from a
/// callback.
pub(crate) fn is_allowed(caps: Caps, op: &Op, is_nested: bool) -> bool {
    let needs = match op {
        Op::Downgrade { .. } | Op::Upgrade { .. } | Op::CloneWeak { .. } | Op::DropWeak { .. } => {
            Caps::WEAK
        }
        Op::StoreWeak { .. } | Op::LoadWeak { .. } => Caps::WEAK.and(Caps::WEAK_FIELDS),
        Op::Ephemeron { .. } => Caps::EPHEMERONS,
        Op::DropElsewhere { .. } => Caps::THREADS,
        Op::Fail { .. } => Caps::FAILURES,
        Op::Stranger { .. } => Caps::OWNED,
        Op::Chain { .. } => Caps::DEEP,
        Op::Collect(Collect::Minor) => Caps::GENERATIONS,
        Op::Collect(Collect::Step) => Caps::INCREMENTAL,
        Op::Collect(Collect::Full) if is_nested => Caps::NESTED_COLLECT,
        _ => Caps::NONE,
    };
    let may_nest = caps.has(Caps::DROP_USES) || caps.has(Caps::FINALIZER_USES);
    caps.has(needs) && (!is_nested || may_nest)
}

/// A program for a heap with these capabilities, of so many operations or a drawn number of them. The
/// same choices make the same program.
pub fn generate(choices: &mut dyn Choices, caps: Caps, length: Option<usize>) -> Program {
    let length = length.unwrap_or_else(|| match choices.below(4) {
        0 => choices.within(4, 12) as usize,
        1 | 2 => choices.within(12, 40) as usize,
        _ => choices.within(40, 100) as usize,
    });
    let mut generator = Generator::new(choices, caps);
    let mut program = Program {
        knobs: generator.knobs(),
        ops: Vec::with_capacity(length + 8),
    };
    while program.ops.len() < length {
        generator.add(&mut program.ops);
    }
    program.ops.truncate(length);
    program
}

struct Generator<'a> {
    choices: &'a mut dyn Choices,
    caps: Caps,
    weights: [u32; KINDS.len()],
    /// Of ten allocated nodes, so many have something planned.
    plans: u32,
    /// Places in use: with few of them operations meet more often.
    roots: u32,
}

impl<'a> Generator<'a> {
    fn new(choices: &'a mut dyn Choices, caps: Caps) -> Self {
        let mut weights = KINDS.map(|(_, weight)| weight);
        // Allocations, stores and drops are in all of them.
        weights[3] *= [1, 1, 2, 5][choices.below(4) as usize];
        for weight in &mut weights[4..] {
            *weight *= [0, 1, 1, 3][choices.below(4) as usize];
        }
        let has_plans = caps.has(Caps::DROP_LOOKS)
            || caps.has(Caps::DROP_USES)
            || caps.has(Caps::FINALIZERS)
            || caps.has(Caps::PANICS)
            || caps.has(Caps::TRACE_PANICS);
        Generator {
            plans: if has_plans {
                [0, 2, 5, 8][choices.below(4) as usize]
            } else {
                0
            },
            roots: choices.within(2, ROOTS as u32),
            weights,
            choices,
            caps,
        }
    }

    fn knobs(&mut self) -> Knobs {
        Knobs {
            threshold: [0, 0, 1, 3][self.choices.below(4) as usize],
            collects_always: self.choices.chance(1, 8),
            extra: self.choices.below(256) as u8,
        }
    }

    fn root(&mut self) -> u8 {
        self.choices.below(self.roots) as u8
    }

    fn weak(&mut self) -> u8 {
        self.choices.below(WEAKS as u32) as u8
    }

    fn field(&mut self) -> u8 {
        self.choices.below(3) as u8
    }

    /// An operation more, or a few.
    fn add(&mut self, ops: &mut Vec<Op>) {
        let kind = KINDS[self.choices.weighted(&self.weights)].0;
        if kind == Kind::Ring {
            self.ring(ops);
            return;
        }
        let op = self.op(kind);
        if is_allowed(self.caps, &op, false) {
            ops.push(op);
        }
    }

    fn op(&mut self, kind: Kind) -> Op {
        let (one, two) = (self.root(), self.root());
        match kind {
            Kind::Alloc => self.alloc(one),
            Kind::Store => Op::Store {
                at: one,
                field: self.field(),
                from: two,
            },
            Kind::Drop => Op::Drop { at: one },
            Kind::Collect => Op::Collect(self.collect()),
            Kind::Load => Op::Load {
                at: one,
                field: self.field(),
                to: two,
            },
            Kind::Clone => Op::Clone { from: one, to: two },
            Kind::Clear => Op::Clear {
                at: one,
                field: self.field(),
            },
            Kind::Same => Op::Same { one, other: two },
            Kind::Downgrade => Op::Downgrade {
                from: one,
                to: self.weak(),
            },
            Kind::Upgrade => Op::Upgrade {
                from: self.weak(),
                to: one,
            },
            Kind::CloneWeak => Op::CloneWeak {
                from: self.weak(),
                to: self.weak(),
            },
            Kind::DropWeak => Op::DropWeak { at: self.weak() },
            Kind::WeakField if self.choices.chance(1, 3) => Op::LoadWeak {
                at: one,
                to: self.weak(),
            },
            Kind::WeakField => Op::StoreWeak {
                at: one,
                from: self.weak(),
            },
            Kind::Ephemeron => Op::Ephemeron {
                key: one,
                value: two,
            },
            Kind::Elsewhere => Op::DropElsewhere { at: one },
            Kind::Rare | Kind::Ring => match self.choices.below(3) {
                0 => Op::Stranger { at: one },
                1 => Op::Fail {
                    count: self.choices.within(1, 3) as u8,
                },
                _ if self.choices.chance(1, 40) => Op::Chain {
                    to: one,
                    length: self.choices.within(1, 255) as u8,
                },
                _ => Op::Chain { to: one, length: 1 },
            },
        }
    }

    fn collect(&mut self) -> Collect {
        match self.choices.below(4) {
            0 if self.caps.has(Caps::GENERATIONS) => Collect::Minor,
            // It takes many steps to get somewhere.
            1..=3 if self.caps.has(Caps::INCREMENTAL) => Collect::Step,
            _ => Collect::Full,
        }
    }

    fn alloc(&mut self, to: u8) -> Op {
        let fields = match self.choices.below(16) {
            0 => 0,
            1 if self.caps.has(Caps::ARRAYS) => self.choices.within(4, 64),
            _ => self.choices.within(1, 3),
        };
        let plan = if self.choices.chance(self.plans, 10) {
            self.plan()
        } else {
            Plan::default()
        };
        Op::Alloc {
            to,
            fields: fields as u8,
            plan,
        }
    }

    /// Nodes that refer to one another in a circle, without roots but for one at the most.
    fn ring(&mut self, ops: &mut Vec<Op>) {
        let length = self.choices.within(1, self.roots.min(3)) as u8;
        for place in 0..length {
            ops.push(match self.alloc(place) {
                Op::Alloc { to, fields, plan } => Op::Alloc {
                    to,
                    fields: fields.max(1),
                    plan,
                },
                other => other,
            });
        }
        for place in 0..length {
            ops.push(Op::Store {
                at: place,
                field: 0,
                from: (place + 1) % length,
            });
        }
        if self.caps.has(Caps::WEAK) && self.choices.chance(1, 2) {
            ops.push(Op::Downgrade {
                from: 0,
                to: self.weak(),
            });
        }
        let kept = u8::from(self.choices.chance(1, 3));
        ops.extend((kept..length).map(|at| Op::Drop { at }));
    }

    fn plan(&mut self) -> Plan {
        let mut plan = Plan::default();
        let caps = self.caps;
        let in_drop = [
            (Caps::DROP_LOOKS, Act::Look(0)),
            (Caps::DROP_TAKES, Act::Take { field: 0, to: 0 }),
            (Caps::DROP_USES, Act::Use(Op::Drop { at: 0 })),
            (Caps::PANICS, Act::Panic),
        ];
        let in_finalizer = [
            (Caps::FINALIZERS, Act::Look(0)),
            (Caps::RESURRECTION, Act::Take { field: 0, to: 0 }),
            (Caps::FINALIZER_USES, Act::Use(Op::Drop { at: 0 })),
            (Caps::PANICS, Act::Panic),
        ];
        for _ in 0..self.choices.within(1, 3) {
            let is_finalizer = caps.has(Caps::FINALIZERS) && self.choices.chance(1, 2);
            let (menu, acts) = if is_finalizer {
                (&in_finalizer, &mut plan.on_finalize)
            } else {
                (&in_drop, &mut plan.on_drop)
            };
            let (needs, act) = &menu[self.choices.weighted(&[3, 3, 4, 1])];
            if caps.has(*needs) {
                acts.push(act.clone());
            }
        }
        for act in plan.on_drop.iter_mut().chain(&mut plan.on_finalize) {
            self.fill(act);
        }
        if caps.has(Caps::TRACE_PANICS) && self.choices.chance(1, 6) {
            plan.on_trace.push(Act::Panic);
        }
        plan
    }

    /// Draws what an act is about.
    fn fill(&mut self, act: &mut Act) {
        *act = match act {
            Act::Look(_) => Act::Look(self.field()),
            Act::Take { .. } => Act::Take {
                field: self.field(),
                to: self.root(),
            },
            Act::Use(_) => Act::Use(self.nested()),
            Act::Panic => Act::Panic,
        }
    }

    /// An operation for a callback.
    fn nested(&mut self) -> Op {
        let kinds = [
            Kind::Drop,
            Kind::Clear,
            Kind::Store,
            Kind::Load,
            Kind::Clone,
            Kind::Upgrade,
            Kind::Downgrade,
            Kind::DropWeak,
            Kind::Collect,
            Kind::Alloc,
        ];
        let kind = kinds[self.choices.weighted(&[4, 2, 2, 2, 2, 3, 1, 2, 2, 2])];
        let op = match kind {
            Kind::Alloc => Op::Alloc {
                to: self.root(),
                fields: 1,
                plan: Plan::default(),
            },
            Kind::Collect => Op::Collect(Collect::Full),
            kind => self.op(kind),
        };
        if is_allowed(self.caps, &op, true) {
            op
        } else {
            Op::Drop { at: self.root() }
        }
    }
}
