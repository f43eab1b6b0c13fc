//! A body under construction: what is in scope, and what may still be spent.

use super::world::{Kind, World};
use crate::generator::swarm::Feature;
use crate::generator::topics;
use crate::scenario::program::{Expr, Name, Stem, Stmt};
use gcrucible_trace::choices::Choices;

/// What a body is the body of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::generator) enum Role {
    /// Of the module.
    Init,
    /// Of a function that others call: it neither waits nor starts tasks.
    Helper,
    /// Of a function that runs as a task.
    Worker,
    /// Of a function that the host calls.
    Entry,
}

/// A variable.
#[derive(Clone, Copy, Debug)]
pub(in crate::generator) struct Local {
    pub(in crate::generator) name: Name,
    pub(in crate::generator) kind: Kind,
    pub(in crate::generator) is_assignable: bool,
}

/// See [`Body::mark`].
#[derive(Clone, Copy, Debug)]
pub(in crate::generator) struct Mark {
    locals: usize,
    fuel: i32,
    tasks: i32,
    copies_left: u8,
}

/// A body under construction.
pub(in crate::generator) struct Body<'a, C> {
    pub(in crate::generator) c: &'a mut C,
    pub(in crate::generator) world: &'a mut World,
    pub(in crate::generator) role: Role,
    pub(in crate::generator) locals: Vec<Local>,
    /// Statements that may still be executed.
    pub(in crate::generator) fuel: i32,
    /// Tasks that may still be started.
    pub(in crate::generator) tasks: i32,
    /// How often the current block runs.
    pub(in crate::generator) rounds: i32,
    /// Blocks around the current one.
    pub(in crate::generator) nesting: u8,
    /// Loops around the current block, in the same function.
    pub(in crate::generator) loops: u8,
    /// Whether a `return` may stand here.
    pub(in crate::generator) may_return: bool,
}

impl<'a, C: Choices> Body<'a, C> {
    pub(in crate::generator) fn new(
        c: &'a mut C,
        world: &'a mut World,
        role: Role,
        fuel: i32,
        tasks: i32,
    ) -> Self {
        let may_return = role != Role::Init;
        Body {
            c,
            world,
            role,
            locals: Vec::new(),
            fuel,
            tasks,
            rounds: 1,
            nesting: 0,
            loops: 0,
            may_return,
        }
    }

    pub(in crate::generator) fn has(&self, feature: Feature) -> bool {
        self.world.swarm.has(feature)
    }

    /// Whether a feature is on and a chance of one in `of` came up; a better one if the scenario is
    /// made to have it.
    pub(in crate::generator) fn sometimes(&mut self, feature: Feature, of: u32) -> bool {
        let is_aimed_at = self.world.aims.has(feature);
        let of = if is_aimed_at { of.min(2) } else { of };
        self.has(feature) && self.c.chance(1, of)
    }

    /// What statements that are about to be drawn may declare and spend.
    pub(in crate::generator) fn mark(&self) -> Mark {
        Mark {
            locals: self.locals.len(),
            fuel: self.fuel,
            tasks: self.tasks,
            copies_left: self.world.copies_left,
        }
    }

    /// Takes back what statements declared and spent that are not kept.
    pub(in crate::generator) fn take_back(&mut self, mark: Mark) {
        self.locals.truncate(mark.locals);
        self.fuel = mark.fuel;
        self.tasks = mark.tasks;
        self.world.copies_left = mark.copies_left;
    }

    pub(in crate::generator) fn below(&mut self, bound: usize) -> usize {
        self.c.below(bound as u32) as usize
    }

    /// Whether the body may wait for futures and time.
    pub(in crate::generator) fn may_wait(&self) -> bool {
        matches!(self.role, Role::Worker | Role::Entry)
    }

    /// Spends the cost of a statement that is executed once in each round.
    pub(in crate::generator) fn spend(&mut self, cost: i32) {
        self.fuel -= cost * self.rounds;
    }

    /// Whether so much can be spent in each round.
    pub(in crate::generator) fn affords(&self, cost: i32) -> bool {
        cost * self.rounds <= self.fuel
    }

    /// Declares a variable.
    pub(in crate::generator) fn declare(&mut self, stem: Stem, kind: Kind) -> Name {
        let name = self.world.fresh(stem);
        self.locals.push(Local {
            name,
            kind,
            is_assignable: true,
        });
        name
    }

    /// Declares a variable with a value.
    pub(in crate::generator) fn let_in(
        &mut self,
        out: &mut Vec<Stmt>,
        stem: Stem,
        kind: Kind,
        value: Expr,
    ) -> Name {
        let name = self.declare(stem, kind);
        out.push(Stmt::Let(name, value));
        self.spend(1);
        name
    }

    /// Fills a block: what it declares is gone afterwards.
    pub(in crate::generator) fn block(
        &mut self,
        fill: impl FnOnce(&mut Self, &mut Vec<Stmt>),
    ) -> Vec<Stmt> {
        let outer = self.locals.len();
        let mut block = Vec::with_capacity(4);
        self.nesting += 1;
        fill(self, &mut block);
        self.nesting -= 1;
        self.locals.truncate(outer);
        block
    }

    /// The body of a loop of so many rounds.
    pub(in crate::generator) fn loop_body(
        &mut self,
        rounds: i32,
        fill: impl FnOnce(&mut Self, &mut Vec<Stmt>),
    ) -> Vec<Stmt> {
        let outer = self.rounds;
        self.rounds = outer.saturating_mul(rounds.max(1));
        self.loops += 1;
        let block = self.block(fill);
        self.loops -= 1;
        self.rounds = outer;
        block
    }

    /// A closure. Its body sees the variables around it, and captures those it uses.
    pub(in crate::generator) fn lambda(
        &mut self,
        params: &[Kind],
        fill: impl FnOnce(&mut Self, &mut Vec<Stmt>),
    ) -> Expr {
        let outer = self.locals.len();
        let loops = std::mem::take(&mut self.loops);
        let may_return = std::mem::replace(&mut self.may_return, true);
        let params = params
            .iter()
            .map(|&kind| self.declare(Stem::Param, kind))
            .collect();
        let mut body = Vec::new();
        self.nesting += 1;
        fill(self, &mut body);
        self.nesting -= 1;
        self.may_return = may_return;
        self.loops = loops;
        self.locals.truncate(outer);
        Expr::Lambda(params, body)
    }

    /// Some statements of any topic.
    pub(in crate::generator) fn statements(&mut self, count: u32, out: &mut Vec<Stmt>) {
        for _ in 0..count {
            if self.fuel <= 0 {
                return;
            }
            topics::statement(self, out);
        }
    }

    /// A block of one to three statements of any topic.
    pub(in crate::generator) fn small_block(&mut self) -> Vec<Stmt> {
        let count = self.c.within(1, 3);
        self.block(|body, out| body.statements(count, out))
    }

    /// A variable of a kind, local ones preferred.
    pub(in crate::generator) fn variable(&mut self, kind: Kind) -> Option<Expr> {
        let locals = self
            .locals
            .iter()
            .filter(|local| local.kind == kind)
            .count();
        let globals = self
            .world
            .globals
            .iter()
            .filter(|global| global.kind == kind)
            .count();
        if locals + globals == 0 {
            return None;
        }
        let at = self.below(locals + globals);
        let local = self
            .locals
            .iter()
            .filter(|local| local.kind == kind)
            .nth(at);
        let global = self
            .world
            .globals
            .iter()
            .filter(|global| global.kind == kind);
        let name = match local {
            Some(local) => local.name,
            None => global.map(|global| global.name).nth(at - locals)?,
        };
        Some(Expr::Name(name))
    }

    /// A global of a kind: an object that lives long.
    pub(in crate::generator) fn global(&mut self, kind: Kind) -> Option<Expr> {
        let count = self
            .world
            .globals
            .iter()
            .filter(|global| global.kind == kind)
            .count();
        let at = self.below(count);
        let mut globals = self
            .world
            .globals
            .iter()
            .filter(|global| global.kind == kind);
        globals.nth(at).map(|global| Expr::Name(global.name))
    }

    /// A local variable of a kind that can be assigned.
    pub(in crate::generator) fn assignable(&mut self, kind: Kind) -> Option<Name> {
        let fits = |local: &&Local| local.kind == kind && local.is_assignable;
        let count = self.locals.iter().filter(fits).count();
        let at = self.below(count);
        self.locals
            .iter()
            .filter(fits)
            .nth(at)
            .map(|local| local.name)
    }
}
