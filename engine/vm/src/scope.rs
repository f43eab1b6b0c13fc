//! Scopes: guards, deadlines, squads, steps and interrupt handlers, as one stack of a task.
//!
//! A scope belongs to the frame that was on top when it was pushed; that of a step or of an
//! interrupt handler to the frame that it was pushed for. A throw pops the scopes that are
//! deeper than the handler's, a return those of its frame (I-9).
//!
//! Scopes with a time throw once when it is over ([`Scopes::check_due`]), and then again at every
//! waiting instruction ([`Scopes::check_wait`]). So does a squad one of whose children has failed.
//! What runs inside has the grace time then, as after a cancellation. When that is over the scope is
//! *cut* ([`Scopes::mark_cuts`]): no handler inside takes anything any more, `finally` blocks
//! included, and the scope's error surfaces at its edge, whatever is caught inside. Only squads
//! inside still wait for their children, which are cancelled, on the way there.

use gcrucible_bytecode::{ErrorKind, Program};
use gcrucible_heap::{Checks, Sizes, Slot, Value};
use gcrucible_platform::planted;

use crate::frame::{Control, Frame};
use crate::interpreter::{Context, Effects, Stop};

/// One scope.
#[derive(Debug)]
pub(crate) struct Scope {
    /// Number of frames up to and including its own.
    pub(crate) depth: u32,
    /// When its time is over, in milliseconds since the engine began.
    pub(crate) at_ms: Option<u64>,
    /// Whether it has thrown: its time or its budget is over.
    pub(crate) has_thrown: bool,
    /// Since when what runs inside has had the time to end: it has thrown then, or there was no
    /// memory for its error.
    pub(crate) told_ms: Option<u64>,
    /// Whether nothing inside catches any more.
    pub(crate) is_cut: bool,
    /// Handlers that were there when it was pushed, which are outside.
    pub(crate) handlers: u32,
    pub(crate) kind: ScopeKind,
}

/// What a scope is for.
#[derive(Debug)]
pub(crate) enum ScopeKind {
    /// Holds a mutex.
    Guard { mutex: Slot },
    /// What was spawned since there were so many children is cancelled when it throws.
    Deadline { children_from: usize },
    /// Collects the futures of what is spawned.
    Squad {
        children: Slot,
        is_drained: bool,
        /// Which of the task's squads it is.
        number: u32,
        /// Whether a child has failed before anything else ended the block.
        has_failed: bool,
    },
    /// Index of the step; what is left of its budgets.
    Step {
        step: u16,
        /// [`Scopes::executed`] at which its instructions are spent.
        instructions_end: Option<u64>,
        calls_left: Option<u32>,
        /// The function that has the `CallStep`.
        caller: u16,
    },
    /// The time of an interrupt handler.
    Interrupt,
}

impl Scope {
    /// What the collector finds in it.
    pub(crate) fn root(&self) -> Option<&Slot> {
        match &self.kind {
            ScopeKind::Guard { mutex } => Some(mutex),
            ScopeKind::Squad { children, .. } => Some(children),
            ScopeKind::Deadline { .. } | ScopeKind::Step { .. } | ScopeKind::Interrupt => None,
        }
    }

    /// What it throws when it is over.
    fn error(&self) -> ErrorKind {
        match self.kind {
            ScopeKind::Step { .. } => ErrorKind::StepExhausted,
            ScopeKind::Interrupt => ErrorKind::HandlerTimeout,
            ScopeKind::Squad { .. } => ErrorKind::Cancelled,
            _ => ErrorKind::DeadlineExceeded,
        }
    }

    /// Whether it ends what runs inside: its time is over, or a child of the squad has failed.
    fn is_over(&self, now_ms: u64) -> bool {
        match self.kind {
            ScopeKind::Squad {
                has_failed,
                is_drained,
                ..
            } => has_failed && !is_drained,
            _ => self.at_ms.is_some_and(|at| at <= now_ms),
        }
    }

    fn is_deadline(&self) -> bool {
        matches!(self.kind, ScopeKind::Deadline { .. })
    }
}

/// An interrupt handler in execution, below which nothing is unwound.
#[derive(Debug)]
pub(crate) struct Interrupt {
    pub(crate) signal: String,
    /// Frames, handlers, completions and scopes below it.
    pub(crate) frames: usize,
    pub(crate) handlers: usize,
    pub(crate) completions: usize,
    pub(crate) scopes: usize,
    /// The operation in whose middle it runs.
    pub(crate) operation: Option<crate::frame::Operation>,
}

/// Why a scope is popped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// `PopScope`, or the end of the task.
    InOrder,
    /// Its frame returns.
    Return,
    /// A throw goes to a handler at this depth.
    Throw { depth: u32 },
}

/// A scope that is over.
#[derive(Clone, Copy, Debug)]
enum Over {
    Inherited,
    Scope(usize),
}

/// A scope in which nothing catches any more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// Its index; the whole task's if there is none.
    pub(crate) scope: Option<usize>,
    /// Handlers outside of it.
    pub(crate) handlers: usize,
}

/// The scopes of a task, and what they limit.
#[derive(Debug)]
pub(crate) struct Scopes {
    /// Innermost last, of all frames.
    pub(crate) scopes: Vec<Scope>,
    /// Interrupt handlers in execution, innermost last.
    pub(crate) interrupts: Vec<Interrupt>,
    /// Ids of the futures that were spawned since the outermost deadline was pushed.
    children: Vec<u64>,
    /// The deadline that the task inherited.
    pub(crate) inherited_deadline: Option<u64>,
    has_inherited_thrown: bool,
    /// As [`Scope::told_ms`] and [`Scope::is_cut`], of the whole task.
    inherited_told_ms: Option<u64>,
    is_inherited_cut: bool,
    /// How long what has thrown may go on.
    grace_ms: u64,
    /// Since when the task has waited for the end of a squad.
    drains_since: Option<u64>,
    /// Squads that were pushed.
    squads: u32,
    /// Instructions executed, brought up to date when the run loop leaves off.
    pub(crate) executed: u64,
    /// The earliest number of executed instructions at which a step's budget is spent.
    pub(crate) instructions_end: u64,
    /// Whether a step counts calls.
    pub(crate) has_call_budget: bool,
}

impl Scopes {
    /// Bytes that they take.
    pub(crate) fn bytes(&self) -> usize {
        self.scopes.capacity() * size_of::<Scope>()
            + self.interrupts.capacity() * size_of::<Interrupt>()
            + self.children.capacity() * size_of::<u64>()
    }

    pub(crate) fn new(grace_ms: u64) -> Self {
        Scopes {
            scopes: Vec::new(),
            interrupts: Vec::new(),
            children: Vec::new(),
            inherited_deadline: None,
            has_inherited_thrown: false,
            inherited_told_ms: None,
            is_inherited_cut: false,
            grace_ms,
            drains_since: None,
            squads: 0,
            executed: 0,
            instructions_end: u64::MAX,
            has_call_budget: false,
        }
    }

    /// Pops all scopes but the first `keep`, innermost first: guards are released, deadlines
    /// disarmed, squads and steps forgotten.
    pub(crate) fn pop<C: Checks>(
        &mut self,
        cx: &Context<'_, C>,
        effects: &mut Effects,
        keep: usize,
        leaving: Leaving,
    ) {
        if self.scopes.len() <= keep {
            return;
        }
        let are_deadlines = || self.scopes[keep..].iter().all(Scope::is_deadline);
        let is_deeper = |than| self.scopes[keep].depth > than;
        let to_deeper = |leaving| matches!(leaving, Leaving::Throw { depth } if is_deeper(depth));
        let to_same = |leaving| matches!(leaving, Leaving::Throw { depth } if !is_deeper(depth));
        if planted!(B90, leaving == Leaving::Return && are_deadlines())
            || planted!(B81, to_deeper(leaving) && are_deadlines())
            || planted!(B91, to_same(leaving) && are_deadlines())
        {
            return;
        }
        for scope in self.scopes.drain(keep..).rev() {
            if let ScopeKind::Guard { mutex } = &scope.kind {
                if planted!(B80, matches!(leaving, Leaving::Throw { .. })) {
                    continue;
                }
                let mutex = cx.m.load_root(mutex);
                cx.m.mutex_release(mutex, cx.task);
                effects.note_change(cx, mutex);
            }
            if let ScopeKind::Deadline { children_from } = scope.kind
                && planted!(B202, children_from < self.children.len())
            {
                self.children.truncate(children_from);
            }
        }
        if !self.scopes.iter().any(Scope::is_deadline) {
            self.children.clear();
        }
        self.note_budgets();
    }

    /// The index of the first scope that belongs to frame number `depth` or a deeper one.
    pub(crate) fn above(&self, depth: u32) -> usize {
        let scopes = self.scopes.iter().rev();
        self.scopes.len() - scopes.take_while(|scope| scope.depth >= depth).count()
    }

    /// Notes a task that was spawned: the innermost squad and the deadlines hear of it. The
    /// squad's array has a place for it already, see [`Scopes::squad`].
    pub(crate) fn note_spawned<'p, C: Checks>(&mut self, cx: &Context<'p, C>, future: Value<'p>) {
        if let Some(children) = self.squad() {
            let children = cx.m.load_root(children);
            if let Some(last) = cx.m.array_len(children).and_then(|len| len.checked_sub(1)) {
                cx.m.array_set(children, last, future);
            }
        }
        if self.visible().iter().any(Scope::is_deadline)
            && !planted!(B201, self.squad().is_some())
            && let Some(id) = cx.m.future_id(future)
        {
            self.children.push(id);
        }
    }

    /// What was to be spawned was not, for want of memory: the place that the innermost squad
    /// had for it goes.
    pub(crate) fn forget_spawned<C: Checks>(&self, cx: &Context<'_, C>) {
        let Some(children) = self.squad() else {
            return;
        };
        cx.m.array_pop(cx.m.load_root(children));
    }

    /// The number of the innermost squad.
    pub(crate) fn squad_number(&self) -> Option<u32> {
        let mut scopes = self.visible().iter().rev();
        scopes.find_map(|scope| match scope.kind {
            ScopeKind::Squad { number, .. } => Some(number),
            _ => None,
        })
    }

    /// The array of the innermost squad.
    pub(crate) fn squad(&self) -> Option<&Slot> {
        self.visible()
            .iter()
            .rev()
            .find_map(|scope| match &scope.kind {
                ScopeKind::Squad { children, .. } => Some(children),
                _ => None,
            })
    }

    /// Notes that the innermost squad drains; says whether it did already.
    pub(crate) fn set_drained(&mut self) -> bool {
        let from = self.floor();
        for scope in self.scopes[from..].iter_mut().rev() {
            if let ScopeKind::Squad { is_drained, .. } = &mut scope.kind {
                return std::mem::replace(is_drained, true);
            }
        }
        false
    }

    /// The first scope that counts: an interrupt handler sees none of those below it.
    fn floor(&self) -> usize {
        let floor = self.interrupts.last().map_or(0, |at| at.scopes);
        floor.min(self.scopes.len())
    }

    fn visible(&self) -> &[Scope] {
        &self.scopes[self.floor()..]
    }

    /// The outermost deadline of which `counts` says so and whose time is over.
    fn over(&self, now_ms: u64, counts: impl Fn(bool) -> bool) -> Option<Over> {
        if self.interrupts.is_empty()
            && self.inherited_deadline.is_some_and(|at| at <= now_ms)
            && counts(self.has_inherited_thrown)
        {
            return Some(Over::Inherited);
        }
        let from = self.floor();
        let visible = self.visible().iter();
        let found = visible
            .enumerate()
            .find(|(_, scope)| scope.is_over(now_ms) && counts(scope.has_thrown));
        found.map(|(index, _)| Over::Scope(from + index))
    }

    /// Takes note that children of these squads have failed. Of one whose block goes on, and that
    /// nothing outside ends, this is what ends the block, and its other children are cancelled.
    pub(crate) fn note_failures<C: Checks>(
        &mut self,
        cx: &Context<'_, C>,
        effects: &mut Effects,
        numbers: &[u32],
    ) {
        if numbers.is_empty() {
            return;
        }
        let mut is_ended =
            cx.is_cancel_requested || self.inherited_deadline.is_some_and(|at| at <= cx.now_ms);
        for scope in &mut self.scopes {
            if let ScopeKind::Squad {
                children,
                is_drained: false,
                number,
                has_failed: has_failed @ false,
            } = &mut scope.kind
                && numbers.contains(number)
                && !is_ended
            {
                if planted!(B171) {
                    continue;
                }
                *has_failed = true;
                let children = cx.m.load_root(children);
                effects.cancel.extend(cx.pending(children));
            }
            is_ended |= scope.is_over(cx.now_ms);
        }
    }

    /// Whether the block of a squad is to be told that a child has failed.
    pub(crate) fn has_failed_squad(&self) -> bool {
        let mut visible = self.visible().iter();
        visible.any(|scope| {
            matches!(
                scope.kind,
                ScopeKind::Squad {
                    has_failed: true,
                    is_drained: false,
                    ..
                }
            ) && !scope.has_thrown
        })
    }

    /// Whether the block of the innermost squad was ended by the failure of a child, which no
    /// cut of a scope around it has come over since.
    pub(crate) fn ends_with_failure(&self) -> bool {
        let cut = self.cut();
        let mut visible = self.visible().iter().enumerate().rev();
        let innermost = visible.find_map(|(at, scope)| match scope.kind {
            ScopeKind::Squad { has_failed, .. } => Some((self.floor() + at, has_failed)),
            _ => None,
        });
        innermost.is_some_and(|(at, has_failed)| {
            has_failed && cut.is_none_or(|cut| cut.scope.is_some_and(|scope| scope >= at))
        })
    }

    /// What is about to happen cannot: there is no memory for an error. That of a scope which is
    /// over is one of them, and what runs inside has its time from now on all the same.
    pub(crate) fn note_no_memory(&mut self, now_ms: u64) {
        match self.over(now_ms, |has_thrown| !has_thrown) {
            Some(Over::Inherited) => {
                self.inherited_told_ms.get_or_insert(now_ms);
            }
            Some(Over::Scope(index)) => {
                self.scopes[index].told_ms.get_or_insert(now_ms);
            }
            None => {}
        }
    }

    /// The task waits for the end of a squad.
    pub(crate) fn begin_draining(&mut self, now_ms: u64) {
        self.drains_since = Some(now_ms);
    }

    /// It does no longer: the children's time was not that of what runs inside the scopes.
    pub(crate) fn end_draining(&mut self, now_ms: u64) {
        let Some(since) = self.drains_since.take() else {
            return;
        };
        let waited_ms = now_ms.saturating_sub(since);
        let mut from = self.floor();
        if planted!(B222, self.scopes.len() > from + 1) {
            from = self.scopes.len() - 1;
        }
        let told = self.scopes[from..]
            .iter_mut()
            .map(|scope| &mut scope.told_ms);
        for told in told.chain([&mut self.inherited_told_ms]) {
            *told = told.map(|told| told.saturating_add(waited_ms));
        }
    }

    fn is_grace_over(&self, told_ms: Option<u64>, now_ms: u64) -> bool {
        told_ms.is_some_and(|told| told.saturating_add(self.grace_ms) <= now_ms)
    }

    /// Cuts the scopes in which something has gone on for longer than the grace time.
    pub(crate) fn mark_cuts(&mut self, now_ms: u64) {
        if self.interrupts.is_empty() && self.is_grace_over(self.inherited_told_ms, now_ms) {
            self.is_inherited_cut = !planted!(B172);
        }
        for index in self.floor()..self.scopes.len() {
            if self.is_grace_over(self.scopes[index].told_ms, now_ms) {
                self.scopes[index].is_cut = !planted!(B172);
            }
        }
    }

    /// The outermost cut.
    pub(crate) fn cut(&self) -> Option<Cut> {
        if self.is_inherited_cut && self.interrupts.is_empty() {
            return Some(Cut {
                scope: None,
                handlers: 0,
            });
        }
        let from = self.floor();
        let at = self.visible().iter().position(|scope| scope.is_cut)?;
        Some(Cut {
            scope: Some(from + at),
            handlers: self.scopes[from + at].handlers as usize,
        })
    }

    /// Throws what a scope throws that was cut, of several the outermost.
    ///
    /// # Errors
    /// See [`Scopes::check_due`].
    pub(crate) fn check_cut<'p, C: Checks>(
        &mut self,
        cx: &Context<'p, C>,
        effects: &mut Effects,
    ) -> Result<(), Stop<'p>> {
        match self.cut() {
            Some(Cut { scope: None, .. }) => Err(self.throw_over(cx, effects, Over::Inherited)),
            Some(Cut {
                scope: Some(index), ..
            }) => Err(self.throw_over(cx, effects, Over::Scope(index))),
            None => Ok(()),
        }
    }

    /// Throws when a deadline is over for the first time, as at the start of a slice.
    ///
    /// # Errors
    /// The throw; or that there is no memory for its error.
    pub(crate) fn check_due<'p, C: Checks>(
        &mut self,
        cx: &Context<'p, C>,
        effects: &mut Effects,
    ) -> Result<(), Stop<'p>> {
        match self.over(cx.now_ms, |has_thrown| !has_thrown) {
            Some(over) => Err(self.throw_over(cx, effects, over)),
            None => Ok(()),
        }
    }

    /// Throws when a deadline is over, for the first time or not, as waiting instructions and
    /// host operations do; before that, if the task's cancellation was requested.
    ///
    /// # Errors
    /// See [`Scopes::check_due`].
    pub(crate) fn check_wait<'p, C: Checks>(
        &mut self,
        cx: &Context<'p, C>,
        effects: &mut Effects,
    ) -> Result<(), Stop<'p>> {
        if cx.is_cancel_requested {
            return Err(ErrorKind::Cancelled.into());
        }
        match self.over(cx.now_ms, |_| true) {
            Some(over) => Err(self.throw_over(cx, effects, over)),
            None => Ok(()),
        }
    }

    fn throw_over<'p, C: Checks>(
        &mut self,
        cx: &Context<'p, C>,
        effects: &mut Effects,
        over: Over,
    ) -> Stop<'p> {
        let kind = match over {
            Over::Inherited => ErrorKind::DeadlineExceeded,
            Over::Scope(index) => self.scopes[index].error(),
        };
        // Made first: there may be no memory for it, and then nothing has happened.
        let error = match kind {
            ErrorKind::StepExhausted => cx.exhausted(self),
            kind => cx.error(kind, Value::NIL),
        };
        let error = match error {
            Ok(error) => error,
            Err(needs) => return needs.into(),
        };
        match over {
            Over::Inherited => {
                self.has_inherited_thrown = true;
                self.inherited_told_ms.get_or_insert(cx.now_ms);
            }
            Over::Scope(index) => {
                let scope = &mut self.scopes[index];
                scope.told_ms.get_or_insert(cx.now_ms);
                if !std::mem::replace(&mut scope.has_thrown, true)
                    && let ScopeKind::Deadline { children_from } = scope.kind
                {
                    let children = self.children.get(children_from..).unwrap_or_default();
                    effects.cancel.extend(children);
                }
                self.note_budgets();
            }
        }
        Stop::Throw(error)
    }

    /// When the next deadline throws for the first time, or is cut.
    pub(crate) fn deadline(&self) -> Option<u64> {
        let next = |has_thrown: bool, at_ms: Option<u64>, told_ms: Option<u64>, is_cut: bool| {
            let cut = told_ms.filter(|_| !is_cut && !planted!(B172));
            let cut = cut.map(|told| told.saturating_add(self.grace_ms));
            at_ms.filter(|_| !has_thrown).into_iter().chain(cut).min()
        };
        let inherited = next(
            self.has_inherited_thrown,
            self.inherited_deadline,
            self.inherited_told_ms,
            self.is_inherited_cut,
        );
        let inherited = inherited.filter(|_| self.interrupts.is_empty());
        let scopes = self.visible().iter();
        scopes
            .filter_map(|scope| next(scope.has_thrown, scope.at_ms, scope.told_ms, scope.is_cut))
            .chain(inherited)
            .min()
    }

    /// The earliest of the deadlines, thrown or not, that a task spawned now inherits.
    pub(crate) fn inheritable_deadline(&self) -> Option<u64> {
        let deadlines = self.scopes.iter().filter(|scope| scope.is_deadline());
        let times = deadlines.filter_map(|scope| scope.at_ms);
        if planted!(B200, times.clone().count() > 1) {
            return times.last();
        }
        times.chain(self.inherited_deadline).min()
    }

    /// Works out again what the steps leave to the run loop.
    fn note_budgets(&mut self) {
        let mut end = u64::MAX;
        let mut is_limited = false;
        for scope in &self.scopes {
            if let ScopeKind::Step {
                instructions_end,
                calls_left,
                ..
            } = scope.kind
                && !scope.has_thrown
            {
                end = end.min(instructions_end.unwrap_or(u64::MAX));
                is_limited |= calls_left.is_some();
            }
        }
        self.instructions_end = end;
        self.has_call_budget = is_limited;
    }

    /// Notes that a step's instructions are spent, of several the outermost's.
    pub(crate) fn spend_instructions(&mut self, now_ms: u64) {
        let now = self.executed;
        let is_spent = |scope: &Scope| match scope.kind {
            ScopeKind::Step {
                instructions_end, ..
            } => instructions_end.is_some_and(|end| end <= now),
            _ => false,
        };
        self.note_spent(now_ms, is_spent);
    }

    /// Whether a step has no call left.
    pub(crate) fn is_call_budget_spent(&self) -> bool {
        let mut scopes = self.scopes.iter();
        scopes.any(|scope| !scope.has_thrown && has_no_call_left(scope))
    }

    /// Notes that a step's calls are spent, of several the outermost's.
    pub(crate) fn spend_last_call(&mut self, now_ms: u64) {
        self.note_spent(now_ms, has_no_call_left);
    }

    /// Takes a call from the budget of every step.
    pub(crate) fn spend_call(&mut self) {
        for scope in &mut self.scopes {
            if let ScopeKind::Step {
                calls_left: Some(calls),
                ..
            } = &mut scope.kind
            {
                *calls = calls.saturating_sub(1);
            }
        }
    }

    fn note_spent(&mut self, now_ms: u64, is_spent: impl Fn(&Scope) -> bool) {
        let mut scopes = self.scopes.iter_mut();
        if let Some(scope) = scopes.find(|scope| !scope.has_thrown && is_spent(scope)) {
            scope.has_thrown = true;
            scope.told_ms.get_or_insert(now_ms);
        }
        self.note_budgets();
    }

    /// Sizes of what the errors of a step's boundary may need.
    pub(crate) fn boundary_sizes<C: Checks>(&self, cx: &Context<'_, C>) -> Sizes {
        let steps = self.scopes.iter().filter_map(|scope| match scope.kind {
            ScopeKind::Step { step, caller, .. } => Some(cx.escalation(step, caller).len()),
            _ => None,
        });
        let longest = steps.max().unwrap_or(0);
        let mut sizes = Sizes::default();
        sizes.error().string(longest).error();
        sizes
    }
}

impl Control {
    /// Pushes a scope of the running frame.
    pub(crate) fn push_scope(&mut self, at_ms: Option<u64>, kind: ScopeKind) {
        self.top().flags |= Frame::SCOPES;
        self.scopes.scopes.push(Scope {
            depth: self.frames.len() as u32,
            at_ms,
            has_thrown: false,
            told_ms: None,
            is_cut: false,
            handlers: self.handlers.len() as u32,
            kind,
        });
        self.scopes.note_budgets();
    }

    /// Pushes the scope of a deadline.
    pub(crate) fn push_deadline(&mut self, at_ms: u64) {
        let children_from = self.scopes.children.len();
        self.push_scope(Some(at_ms), ScopeKind::Deadline { children_from });
    }

    /// Pushes the scope of a squad, whose children will be in the array.
    pub(crate) fn push_squad(&mut self, children: Slot) {
        let number = self.scopes.squads;
        self.scopes.squads = number.wrapping_add(1);
        let kind = ScopeKind::Squad {
            children,
            is_drained: false,
            number,
            has_failed: false,
        };
        self.push_scope(None, kind);
    }

    /// Pushes the scope of a step, whose frame is on top.
    pub(crate) fn push_step(&mut self, program: &Program, step: u16, caller: u16, now_ms: u64) {
        let budget = &program.steps[usize::from(step)];
        let at_ms = budget
            .time_ms
            .map(|ms| now_ms.saturating_add(u64::from(ms)));
        let executed = self.scopes.executed;
        let instructions = budget.instructions.map(u64::from);
        self.push_scope(
            at_ms,
            ScopeKind::Step {
                step,
                instructions_end: instructions.map(|count| executed + count),
                calls_left: budget.calls,
                caller,
            },
        );
    }

    /// Pops the innermost scope, if it is one of the running frame.
    pub(crate) fn pop_scope<C: Checks>(&mut self, cx: &Context<'_, C>, effects: &mut Effects) {
        let depth = self.frames.len() as u32;
        let is_own =
            |scope: &Scope| scope.depth >= depth && !matches!(scope.kind, ScopeKind::Interrupt);
        let scopes = &mut self.scopes;
        if scopes.scopes.last().is_some_and(is_own) {
            scopes.pop(cx, effects, scopes.scopes.len() - 1, Leaving::InOrder);
        }
    }

    /// Pops the scopes of the running frame, which returns.
    pub(crate) fn pop_frame_scopes<C: Checks>(
        &mut self,
        cx: &Context<'_, C>,
        effects: &mut Effects,
    ) {
        let keep = self.scopes.above(self.frames.len() as u32);
        self.scopes.pop(cx, effects, keep, Leaving::Return);
    }
}

fn has_no_call_left(scope: &Scope) -> bool {
    matches!(
        scope.kind,
        ScopeKind::Step {
            calls_left: Some(0),
            ..
        }
    )
}
