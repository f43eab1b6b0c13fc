//! Scopes: guards, deadlines, squads, steps, interrupt handlers.

use gcrucible_bytecode::ErrorKind;

use super::machine::{Outcome, Raise};
use super::model::Model;
use super::task::{Frame, Interrupt, Scope, ScopeKind, Task};
use super::value::{Object, ObjectId, Value};
use crate::executor::pairs::EventKind;

/// Milliseconds that an interrupt handler may run.
const HANDLER_TIMEOUT_MS: u64 = 1000;

/// Pushes a scope of the innermost frame.
pub(super) fn push_scope(task: &mut Task, until: Option<u64>, kind: ScopeKind) {
    task.scopes.push(Scope {
        depth: task.frames.len(),
        until,
        threw: false,
        kind,
    });
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

    /// When it is next interrupted by time, if it will be.
    pub(super) fn deadline(&self) -> Option<u64> {
        let scopes = self.scopes[self.floor()..].iter();
        let own = scopes.filter(|scope| !scope.threw);
        let inherited = (self.interrupts.is_empty() && !self.inherited_threw)
            .then_some(self.inherited_deadline)
            .flatten();
        own.filter_map(|scope| scope.until).chain(inherited).min()
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
        let counts = |until: Option<u64>, threw: bool| {
            until.is_some_and(|until| until <= now) && (again || !threw)
        };
        if self.interrupts.is_empty() && counts(self.inherited_deadline, self.inherited_threw) {
            return Some(Over::Inherited);
        }
        (self.floor()..self.scopes.len())
            .find(|&at| counts(self.scopes[at].until, self.scopes[at].threw))
            .map(Over::Scope)
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

    fn throw_over(&mut self, task: &mut Task, over: Over) -> ErrorKind {
        self.log.note(EventKind::Deadline, None);
        let at = match over {
            Over::Inherited => {
                task.inherited_threw = true;
                return ErrorKind::DeadlineExceeded;
            }
            Over::Scope(at) => at,
        };
        let scope = &mut task.scopes[at];
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
            ScopeKind::Guard(_) | ScopeKind::Squad(..) => panic!("it has no time"),
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
                ScopeKind::Squad(children, drains) => Some((*children, drains)),
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
        task.frames.push(Frame {
            interrupts: true,
            ..Frame::new(self.loaded.program, function, &[argument])
        });
        let until = self.now_ms().saturating_add(HANDLER_TIMEOUT_MS);
        push_scope(task, Some(until), ScopeKind::Interrupt);
        Ok(())
    }
}
