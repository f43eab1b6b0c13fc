//! Scopes: guards, deadlines, squads, steps, interrupt handlers.

use gcrucible_bytecode::ErrorKind;

use super::machine::{Outcome, Raise};
use super::model::Model;
use super::task::{Frame, Interrupt, Scope, ScopeKind, Task};
use super::value::{Object, ObjectId, Value};
use crate::executor::trace::TaskId;
use gcrucible_trace::EventKind;

/// Milliseconds that an interrupt handler may run.
const HANDLER_TIMEOUT_MS: u64 = 1000;

/// Pushes a scope of the innermost frame.
pub(super) fn push_scope(task: &mut Task, until: Option<u64>, kind: ScopeKind) {
    task.scopes.push(Scope {
        depth: task.frames.len(),
        until,
        threw: false,
        told: None,
        cut: false,
        handlers: task.handlers.len(),
        kind,
    });
}

/// The outermost scope inside of which nothing catches any more.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    /// Its place; none if it is the whole task.
    pub(super) at: Option<usize>,
    /// Handlers outside of it.
    pub(super) handlers: usize,
}

impl Scope {
    /// Whether what is inside has to end.
    fn is_over(&self, now: u64) -> bool {
        match self.kind {
            ScopeKind::Squad { failed, drains, .. } => failed && !drains,
            _ => self.until.is_some_and(|until| until <= now),
        }
    }
}

/// What of several times is over.
#[derive(Clone, Copy)]
enum Over {
    Inherited,
    Scope(usize),
}

impl Task {
    /// The first scope that counts for time, squads and children: a handler of an interrupt
    /// sees none of those below it.
    fn floor(&self) -> usize {
        self.interrupts.last().map_or(0, |below| below.scopes)
    }

    /// When it is next interrupted by time, if it will be; what has thrown is cut so many
    /// milliseconds after that.
    pub(super) fn deadline(&self, grace: u64) -> Option<u64> {
        let mut times = Vec::new();
        for scope in &self.scopes[self.floor()..] {
            times.extend(scope.until.filter(|_| !scope.threw));
            times.extend(scope.told.filter(|_| !scope.cut).map(|told| told + grace));
        }
        if self.interrupts.is_empty() {
            times.extend(self.inherited_deadline.filter(|_| !self.inherited_threw));
            let told = self.inherited_told.filter(|_| !self.inherited_cut);
            times.extend(told.map(|told| told + grace));
        }
        times.into_iter().min()
    }

    /// Whether the block of a squad is to be told that a child has failed.
    pub(super) fn has_failed_squad(&self) -> bool {
        self.scopes[self.floor()..].iter().any(|scope| {
            matches!(scope.kind, ScopeKind::Squad { .. }) && scope.is_over(0) && !scope.threw
        })
    }

    /// The number of the innermost squad that it sees.
    pub(super) fn innermost_squad(&self) -> Option<u32> {
        let mut scopes = self.scopes[self.floor()..].iter().rev();
        scopes.find_map(|scope| match scope.kind {
            ScopeKind::Squad { number, .. } => Some(number),
            _ => None,
        })
    }

    /// Since when its body has had its time, which the wait for a squad's end is no part of.
    pub(super) fn body_since(&self, now: u64) -> u64 {
        let waited = self
            .drains_since
            .map_or(0, |since| now - since.max(self.body_since_ms).min(now));
        self.body_since_ms + waited
    }

    /// It does not wait for the end of a squad any more.
    pub(super) fn end_draining(&mut self, now: u64) {
        self.body_since_ms = self.body_since(now);
        let Some(since) = self.drains_since.take() else {
            return;
        };
        let floor = self.floor();
        for scope in &mut self.scopes[floor..] {
            scope.told = scope.told.map(|told| told + (now - since));
        }
        self.inherited_told = self.inherited_told.map(|told| told + (now - since));
    }

    /// There is no memory: not for the error of what is over, either.
    pub(super) fn note_no_memory(&mut self, now: u64) {
        match self.over(now, false) {
            Some(Over::Inherited) => _ = self.inherited_told.get_or_insert(now),
            Some(Over::Scope(at)) => _ = self.scopes[at].told.get_or_insert(now),
            None => {}
        }
    }

    /// Cuts what has thrown and was not left in time.
    pub(super) fn mark_cuts(&mut self, now: u64, grace: u64) {
        let is_late = |told: Option<u64>| told.is_some_and(|told| told + grace <= now);
        self.inherited_cut |= self.interrupts.is_empty() && is_late(self.inherited_told);
        let floor = self.floor();
        for scope in &mut self.scopes[floor..] {
            scope.cut |= is_late(scope.told);
        }
    }

    /// The outermost of what was cut.
    pub(super) fn cut(&self) -> Option<Cut> {
        if self.inherited_cut && self.interrupts.is_empty() {
            return Some(Cut {
                at: None,
                handlers: 0,
            });
        }
        let at = (self.floor()..self.scopes.len()).find(|&at| self.scopes[at].cut)?;
        Some(Cut {
            at: Some(at),
            handlers: self.scopes[at].handlers,
        })
    }

    /// Whether the end of its innermost squad throws what the first child threw that failed.
    pub(super) fn ends_with_failure(&self) -> bool {
        let mut scopes = (self.floor()..self.scopes.len()).rev();
        let innermost = scopes.find(|&at| matches!(self.scopes[at].kind, ScopeKind::Squad { .. }));
        let Some(innermost) = innermost else {
            return false;
        };
        let ScopeKind::Squad { failed, .. } = self.scopes[innermost].kind else {
            return false;
        };
        let is_outside_cut = match self.cut() {
            Some(Cut { at, .. }) => at.is_none_or(|at| at < innermost),
            None => false,
        };
        failed && !is_outside_cut
    }

    /// What a task that it spawns inherits.
    pub(super) fn inheritable_deadline(&self) -> Option<u64> {
        let deadlines = self.scopes.iter();
        let deadlines = deadlines.filter(|scope| matches!(scope.kind, ScopeKind::Deadline(_)));
        let own = deadlines.filter_map(|scope| scope.until);
        own.chain(self.inherited_deadline).min()
    }

    /// The outermost of what is over; `again`: that has thrown before, too.
    fn over(&self, now: u64, again: bool) -> Option<Over> {
        if self.interrupts.is_empty()
            && self.inherited_deadline.is_some_and(|until| until <= now)
            && (again || !self.inherited_threw)
        {
            return Some(Over::Inherited);
        }
        (self.floor()..self.scopes.len())
            .find(|&at| self.scopes[at].is_over(now) && (again || !self.scopes[at].threw))
            .map(Over::Scope)
    }

    /// Whether an instruction that waits would throw instead.
    pub(super) fn must_stop(&self, now: u64) -> bool {
        self.token || self.over(now, true).is_some()
    }

    /// Whether a handler of this signal runs.
    fn handles(&self, signal: &str) -> bool {
        self.interrupts.iter().any(|below| below.signal == signal)
    }
}

impl Model<'_> {
    /// Pops all scopes but the first `keep`, innermost first.
    pub(super) fn pop_scopes(&mut self, task: &mut Task, keep: usize) {
        while task.scopes.len() > keep {
            if let Some(Scope {
                kind: ScopeKind::Guard(mutex),
                ..
            }) = task.scopes.pop()
            {
                self.release(mutex);
            }
        }
        let is_deadline = |scope: &Scope| matches!(scope.kind, ScopeKind::Deadline(_));
        if !task.scopes.iter().any(is_deadline) {
            task.children.clear();
        }
    }

    /// Pops the innermost scope if it is one of the innermost frame.
    pub(super) fn pop_scope(&mut self, task: &mut Task) {
        let depth = task.frames.len();
        let is_own = task.scopes.last().is_some_and(|scope| {
            scope.depth >= depth && !matches!(scope.kind, ScopeKind::Interrupt)
        });
        if is_own {
            self.pop_scopes(task, task.scopes.len() - 1);
        }
    }

    fn release(&mut self, mutex: ObjectId) {
        if let Object::Mutex(mutex) = self.store.get_mut(mutex) {
            mutex.holder = None;
            mutex.version += 1;
            let id = mutex.id;
            self.log.changed(id);
            self.log.note(EventKind::GuardRelease, Some(id));
        }
    }

    /// Throws, of what is over, the outermost that has not thrown yet: `None` if there is
    /// none.
    pub(super) fn take_due(&mut self, task: &mut Task) -> Option<ErrorKind> {
        let over = task.over(self.now_ms(), false)?;
        Some(self.throw_over(task, over))
    }

    /// Throws, of what was cut, the outermost.
    pub(super) fn take_cut(&mut self, task: &mut Task) -> Option<ErrorKind> {
        let over = match task.cut()?.at {
            None => Over::Inherited,
            Some(at) => Over::Scope(at),
        };
        Some(self.throw_over(task, over))
    }

    /// Takes note that children of these squads of a task have failed.
    pub(super) fn note_failures(&mut self, task: &mut Task, numbers: &[u32]) {
        if numbers.is_empty() {
            return;
        }
        let now = self.now_ms();
        let mut is_ended = task.token || task.inherited_deadline.is_some_and(|until| until <= now);
        for at in 0..task.scopes.len() {
            if let ScopeKind::Squad {
                children,
                drains: false,
                number,
                failed: failed @ false,
            } = &mut task.scopes[at].kind
                && numbers.contains(number)
                && !is_ended
            {
                *failed = true;
                let pending = self.pending(*children);
                self.log.effects.cancel.extend(pending);
            }
            is_ended |= task.scopes[at].is_over(now);
        }
    }

    fn throw_over(&mut self, task: &mut Task, over: Over) -> ErrorKind {
        let now = self.now_ms();
        let at = match over {
            Over::Inherited => {
                self.log.note(EventKind::Deadline, None);
                task.inherited_threw = true;
                task.inherited_told.get_or_insert(now);
                return ErrorKind::DeadlineExceeded;
            }
            Over::Scope(at) => at,
        };
        let scope = &mut task.scopes[at];
        scope.told.get_or_insert(now);
        if !matches!(scope.kind, ScopeKind::Squad { .. }) {
            self.log.note(EventKind::Deadline, None);
        }
        let is_first = !std::mem::replace(&mut scope.threw, true);
        match scope.kind {
            ScopeKind::Step { .. } => ErrorKind::StepExhausted,
            ScopeKind::Interrupt => ErrorKind::HandlerTimeout,
            ScopeKind::Deadline(children) => {
                if is_first {
                    let children = task.children.get(children..).unwrap_or_default();
                    self.log.effects.cancel.extend(children);
                }
                ErrorKind::DeadlineExceeded
            }
            ScopeKind::Squad { .. } => ErrorKind::Cancelled,
            ScopeKind::Guard(_) => panic!("it has no time"),
        }
    }

    /// What an instruction that waits throws before all else.
    pub(super) fn before_waiting(&mut self, task: &mut Task) -> Outcome<()> {
        if task.token {
            return Err(ErrorKind::Cancelled.into());
        }
        match task.over(self.now_ms(), true) {
            Some(over) => Err(self.throw_over(task, over).into()),
            None => Ok(()),
        }
    }

    /// The scope of a step whose frame was just entered.
    pub(super) fn push_step(&mut self, task: &mut Task, step: u16, caller: u16) {
        let budget = &self.loaded.program.steps[usize::from(step)];
        let until = budget
            .time_ms
            .map(|ms| self.now_ms().saturating_add(u64::from(ms)));
        let instructions_end = budget
            .instructions
            .map(|count| task.executed + u64::from(count));
        let kind = ScopeKind::Step {
            step,
            instructions_end,
            calls_left: budget.calls,
            caller,
        };
        push_scope(task, until, kind);
    }

    /// Notes that the instructions of the outermost step that has none left are spent; false
    /// if all have some left.
    pub(super) fn take_spent(&self, task: &mut Task) -> bool {
        let executed = task.executed;
        let spent = task.scopes.iter_mut().find(|scope| {
            let end = match scope.kind {
                ScopeKind::Step {
                    instructions_end, ..
                } => instructions_end,
                _ => None,
            };
            !scope.threw && end.is_some_and(|end| end <= executed)
        });
        match spent {
            Some(scope) => {
                scope.threw = true;
                scope.told.get_or_insert(self.now_ms());
                true
            }
            None => false,
        }
    }

    /// Takes a call from the budgets of all steps.
    pub(super) fn spend_call(&self, task: &mut Task) -> Outcome<()> {
        for scope in &mut task.scopes {
            if let ScopeKind::Step {
                calls_left: Some(0),
                ..
            } = scope.kind
                && !scope.threw
            {
                scope.threw = true;
                scope.told.get_or_insert(self.now_ms());
                return Err(ErrorKind::StepExhausted.into());
            }
        }
        for scope in &mut task.scopes {
            if let ScopeKind::Step {
                calls_left: Some(calls),
                ..
            } = &mut scope.kind
            {
                *calls = calls.saturating_sub(1);
            }
        }
        Ok(())
    }

    /// The innermost squad that the task sees.
    pub(super) fn squad<'t>(&self, task: &'t mut Task) -> Option<(Value, &'t mut bool)> {
        let floor = task.floor();
        task.scopes[floor..]
            .iter_mut()
            .rev()
            .find_map(|scope| match &mut scope.kind {
                ScopeKind::Squad {
                    children, drains, ..
                } => Some((*children, drains)),
                _ => None,
            })
    }

    /// Tells the innermost squad and the deadlines of a task that it has spawned a future.
    pub(super) fn note_child(&mut self, task: &mut Task, future: u64, value: Value) {
        if let Some((Value::Object(children), _)) = self.squad(task)
            && let Object::Array(children) = self.store.get_mut(children)
        {
            children.push(value);
        }
        let mut visible = task.scopes[task.floor()..].iter();
        if visible.any(|scope| matches!(scope.kind, ScopeKind::Deadline(_))) {
            task.children.push(future);
        }
    }

    /// Whether the program has registered a handler of a signal in the run of this root task.
    pub fn has_handler(&self, root: TaskId, signal: &str) -> bool {
        let entry = |map: Value, name: &str| match self.store.object(map) {
            Some(Object::Map(map)) => map.iter().find_map(|(key, value)| {
                let is_it = self.store.text(key).is_some_and(|key| **key == *name);
                is_it.then_some(value)
            }),
            _ => None,
        };
        let locals = self.task(root).and_then(|task| task.locals);
        let handlers = locals.and_then(|locals| entry(locals, "interrupts"));
        let handlers = handlers.and_then(|handlers| entry(handlers, signal));
        match handlers.and_then(|handlers| self.store.object(handlers)) {
            Some(Object::Array(handlers)) => !handlers.is_empty(),
            _ => false,
        }
    }

    /// Whether a task could handle a signal now.
    pub(super) fn could_handle(&self, task: &Task, signal: &str) -> bool {
        self.loaded(task.version).program.interrupt.is_some()
            && task.future.is_none()
            && !task.frames.is_empty()
            && !task.handles(signal)
    }

    /// The signal that a task handles next, if it could handle one now.
    pub(super) fn next_signal<'t>(&self, task: &'t Task) -> Option<&'t str> {
        let mut signals = task.signals.iter();
        signals
            .find(|signal| self.could_handle(task, signal))
            .map(String::as_str)
    }

    /// Enters the handler of a signal.
    pub(super) fn interrupt(&mut self, task: &mut Task, signal: &str) -> Outcome<()> {
        let function = self
            .loaded
            .program
            .interrupt
            .ok_or(Raise::from(ErrorKind::Internal))?;
        if let Some(at) = task.signals.iter().position(|pending| pending == signal) {
            task.signals.remove(at);
        }
        self.log.note(EventKind::Interrupt, None);
        task.interrupts.push(Interrupt {
            signal: signal.to_owned(),
            frames: task.frames.len(),
            handlers: task.handlers.len(),
            completions: task.completions.len(),
            scopes: task.scopes.len(),
            operation: task.operation.take(),
        });
        let argument = self.store.string(signal);
        let mut handling = Frame {
            interrupts: true,
            ..Frame::new(self.loaded.program, function, &[argument])
        };
        self.note_library_entry(task, &mut handling);
        task.frames.push(handling);
        let until = self.now_ms().saturating_add(HANDLER_TIMEOUT_MS);
        push_scope(task, Some(until), ScopeKind::Interrupt);
        Ok(())
    }
}
