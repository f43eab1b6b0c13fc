//! Slices: how they begin and end.

use gcrucible_bytecode::ErrorKind;

use super::clients::Broken;
use super::library::BrokenPledge;
use super::machine::{Step, set};
use super::model::Model;
use super::task::{Operation, Status, Task};
use super::value::Value;
use crate::executor::graph::FutureState;
use crate::executor::trace::{Effects, SliceEnd, SliceStart, TaskId};
use gcrucible_trace::EventKind;

/// What a slice did so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SliceLog {
    /// Lines that it printed.
    pub printed: Vec<String>,
    /// Values thrown.
    pub thrown: u32,
    /// Of these, values that a `catch` got.
    pub caught: u32,
    /// What it did to others.
    pub effects: Effects,
    /// What happened in it, in order, with the channel or mutex that it happened to.
    pub happened: Vec<(EventKind, Option<u64>)>,
    /// The first thing that a client did though it must not.
    pub broken: Option<Broken>,
    /// The first pledge of the library that was not kept.
    pub broken_pledge: Option<BrokenPledge>,
}

impl SliceLog {
    /// Notes what happened.
    pub(super) fn note(&mut self, kind: EventKind, object: Option<u64>) {
        self.happened.push((kind, object));
    }

    /// Notes that a channel or mutex has changed.
    pub(super) fn changed(&mut self, number: u64) {
        if !self.effects.changed.contains(&number) {
            self.effects.changed.push(number);
        }
    }
}

impl Model<'_> {
    /// Whether a cancellation that was requested can be thrown where the task stands.
    fn takes_cancellation(&self, task: &Task) -> bool {
        task.interrupts.is_empty() && !task.drains(self.loaded(task.version).program)
    }

    /// The error that the next slice of a task must be offered: a cancellation that was
    /// requested and not delivered yet, or the failure of its host operation.
    pub fn to_deliver(&self, task: TaskId) -> Option<ErrorKind> {
        let task = self.task(task)?;
        if task.token && !task.delivered {
            return Some(ErrorKind::Cancelled);
        }
        task.failed_operation.as_ref().map(|_| ErrorKind::HostError)
    }

    /// When the host operation at which a cancelled task stands is cut off; none if that does
    /// not concern it.
    pub fn grace_end(&self, task: &Task) -> Option<u64> {
        let operation = task.operation.as_ref()?;
        operation.watched().filter(|_| task.token)?;
        let begin_ms = task.requested_ms.max(operation.began?.at_ms);
        Some(begin_ms.saturating_add(self.limits.grace_ms))
    }

    /// Whether a task waits for the begin of its host operation, or for its end in the grace
    /// time after a cancellation: nothing but a deadline or a signal comes between.
    fn is_held(&self, task: &Task) -> bool {
        if task.status != Status::Host(false) {
            return false;
        }
        if task.operation.as_ref().is_some_and(|at| at.began.is_none()) {
            return true;
        }
        let is_late = self.is_late(task);
        let is_over = self.grace_end(task).is_none_or(|end| end <= self.now_ms());
        !is_over && !is_late && self.next_signal(task).is_none()
    }

    /// Whether the time of something has come.
    fn is_late(&self, task: &Task) -> bool {
        let deadline = task.deadline(self.limits.grace_ms);
        deadline.is_some_and(|at| at <= self.now_ms())
    }

    /// Whether the next slice start of a task comes too late for it: it was cancelled, and its
    /// body has had its time since.
    pub fn is_body_overdue(&self, task: TaskId) -> bool {
        self.task(task).is_some_and(|task| {
            task.status != Status::Ended
                && task.token
                && (task.delivered || task.body_begun)
                && !task.drains(self.program_of(task.number))
                && !self.is_at_host(task)
                && task.body_since(self.now_ms()) + self.limits.grace_ms <= self.now_ms()
        })
    }

    /// Whether a task stands at a host operation, which has a grace time of its own.
    fn is_at_host(&self, task: &Task) -> bool {
        let at_host = |operation: &Operation| operation.status == Status::Host(false);
        task.operation.as_ref().is_some_and(at_host)
    }

    /// The signal that the next slice of a task must be offered.
    pub fn to_dispatch(&self, task: TaskId) -> Option<&str> {
        self.next_signal(self.task(task)?)
    }

    /// What a task is told at the start of its next slice, by an engine without faults.
    pub fn slice_start(&self, task: TaskId, fuel: u32) -> SliceStart {
        let offered = self.to_deliver(task);
        let Some(found) = self.task(task) else {
            return SliceStart::default();
        };
        let interrupt = self.next_signal(found).map(str::to_owned);
        let takes = interrupt.is_none() && self.takes_cancellation(found);
        SliceStart {
            fuel,
            offered,
            message: match offered {
                Some(ErrorKind::HostError) => found.failed_operation.clone(),
                _ => None,
            },
            delivered: offered.is_some_and(|kind| kind != ErrorKind::Cancelled || takes),
            cancel_requested: found.token,
            now_ms: self.now_ms(),
            inherited_deadline: found.inherited_deadline,
            dispatched: interrupt.is_some(),
            interrupt,
            operation_over: self.is_operation_over(found),
            open_tasks: self.open_tasks(found),
            failed_squads: found.failed_squads.clone(),
        }
    }

    /// Whether the operation that a task stands at is over; true if there is none.
    pub fn is_operation_over(&self, task: &Task) -> bool {
        match task.operation.as_ref().map(|operation| &operation.status) {
            Some(Status::Sleeping { ms, since }) => since.saturating_add(*ms) <= self.now_ms(),
            Some(Status::Host(is_over)) => *is_over,
            _ => true,
        }
    }

    /// Tasks of the run of a task that have not settled.
    pub fn open_tasks(&self, task: &Task) -> u32 {
        let Some(root) = task.root else { return 0 };
        let open = self.futures().iter().filter(|future| {
            future.state == FutureState::Pending
                && self.task(future.runner).and_then(|task| task.root) == Some(root)
        });
        open.count() as u32
    }

    /// Whether a task that waits was told something that it cannot take just now: a
    /// cancellation or a signal while a handler runs or a squad drains. It looks again.
    pub fn was_told(&self, task: TaskId) -> bool {
        self.task(task).is_some_and(|task| {
            !task.signals.is_empty()
                || !task.failed_squads.is_empty()
                || (task.token && !task.delivered)
        })
    }

    /// Whether a task may look again whether it can be cancelled: a cancellation was requested,
    /// and was not refused since an interrupt handler ended.
    pub fn offers_cancellation(&self, task: TaskId) -> bool {
        self.task(task).is_some_and(|task| {
            task.status != Status::Ended
                && task.token
                && !task.delivered
                && !task.refused_cancel
                && !self.is_held(task)
        })
    }

    /// A handler has ended: the frames below may take the cancellation that it did not.
    pub fn offer_again(&mut self, task: TaskId) {
        if let Some(task) = self.task_mut(task) {
            task.refused_cancel = false;
        }
    }

    /// Whether a task could run: it is ready, or what it waits for has happened, or there is
    /// other news.
    pub fn could_run(&self, task: TaskId) -> bool {
        let Some(task) = self.task(task) else {
            return false;
        };
        match &task.status {
            Status::Ended => return false,
            Status::Ready => return task.spawning.is_none(),
            _ if self.is_held(task) => return false,
            _ => {}
        }
        self.has_other_news(task) || self.has_happened(task)
    }

    /// Whether a task waits that could go on: unlike one that [could run](Model::could_run), it
    /// would not find that another was there before it.
    pub fn waits_in_vain(&self, task: TaskId) -> bool {
        let is_available = |task: &Task| match task.status {
            Status::Blocked { object, puts, .. } => {
                self.has_other_news(task) || self.available(object, puts) > 0
            }
            _ => true,
        };
        self.could_run(task) && self.task(task).is_some_and(is_available)
    }

    /// Whether what a task waits for has happened, and nothing else that could wake it.
    pub fn is_settled_only(&self, task: TaskId) -> bool {
        let is_told = self.was_told(task);
        let task = self.task(task);
        task.is_some_and(|task| !is_told && !self.is_late(task) && self.has_happened(task))
    }

    /// Whether a task was told, or is to be told, of something besides what it waits for.
    pub fn has_news(&self, task: TaskId) -> bool {
        self.was_told(task)
            || self
                .task(task)
                .is_some_and(|task| self.has_other_news(task))
    }

    /// Whether a task that waits has something to do besides what it waits for.
    fn has_other_news(&self, task: &Task) -> bool {
        if self.next_signal(task).is_some() || !task.failed_squads.is_empty() {
            return true;
        }
        let drains = matches!(task.status, Status::WaitingForAny { drain: true, .. });
        if !drains {
            let is_cancelled = task.token && !task.delivered && self.takes_cancellation(task);
            return is_cancelled || self.is_late(task) || task.has_failed_squad();
        }
        false
    }

    /// Whether what a task waits for has happened.
    fn has_happened(&self, task: &Task) -> bool {
        let is_settled = |future: u64| {
            self.future(future)
                .is_none_or(|future| future.state != FutureState::Pending)
        };
        match &task.status {
            Status::Waiting(future) => is_settled(*future),
            Status::WaitingForAny { futures, .. } => futures.iter().any(|&f| is_settled(f)),
            Status::Blocked {
                object, version, ..
            } => self.version(*object) != Some(*version),
            Status::Sleeping { .. } | Status::Host(_) => self.is_operation_over(task),
            Status::Ready | Status::Ended => false,
        }
    }

    /// Begins a slice: stores the result of an operation, enters an interrupt handler, throws
    /// what is delivered and what is over. With `thrown_max` what is over is thrown only as
    /// long as less was thrown: there may have been no memory for its error. Gives how the
    /// slice ended, if it did.
    ///
    /// # Panics
    /// If there is no such task.
    pub fn begin_slice(
        &mut self,
        task: TaskId,
        start: &SliceStart,
        thrown_max: Option<u32>,
    ) -> Option<SliceEnd> {
        self.log = SliceLog::default();
        self.open_now = start.open_tasks;
        let mut running = self.take_task(task);
        let end = self.begin(&mut running, start, thrown_max);
        self.put_task(task, running);
        end
    }

    fn begin(
        &mut self,
        task: &mut Task,
        start: &SliceStart,
        thrown_max: Option<u32>,
    ) -> Option<SliceEnd> {
        let now = self.now_ms();
        task.end_draining(now);
        if self.is_at_host(task) {
            task.body_since_ms = now;
        }
        task.status = Status::Ready;
        task.failed_squads.clear();
        self.note_failures(task, &start.failed_squads);
        // Nothing that was thrown before the first frame was entered stands anywhere.
        let nowhere = (!task.entered).then(Vec::new);
        if start.operation_over
            && let Some(operation) = task.operation.take()
        {
            set(task, operation.register, operation.value);
        }
        if start.dispatched
            && let Some(signal) = &start.interrupt
        {
            // A signal that cannot be handled is not dispatched.
            let _ = self.interrupt(task, signal);
        }
        task.refused_cancel = start.offered == Some(ErrorKind::Cancelled) && !start.delivered;
        let delivered = start.offered.filter(|_| start.delivered);
        if delivered == Some(ErrorKind::Cancelled) {
            task.delivered = true;
            task.has_thrown_cancel = true;
            if !std::mem::replace(&mut task.body_begun, true) {
                task.body_since_ms = now;
            }
        }
        if delivered == Some(ErrorKind::OutOfMemory) {
            task.note_no_memory(now);
            if task.token && !task.delivered && !std::mem::replace(&mut task.body_begun, true) {
                task.body_since_ms = now;
            }
        }
        if !task.drains(self.loaded.program) {
            task.mark_cuts(now, self.limits.grace_ms);
        }
        if delivered.is_none() && task.refused.is_some() && thrown_max == Some(0) {
            // Without memory for the error the call is as good as not begun.
            return None;
        }
        if let Some(kind) = delivered.or(task.refused.as_ref().map(|(kind, _)| *kind)) {
            task.failed_operation = None;
            let refusal = task.refused.clone().filter(|_| delivered.is_none());
            let message = match &refusal {
                Some((_, message)) => Some(message),
                None => start.message.as_ref(),
            };
            let error = match (message, kind) {
                // The machine makes this one beforehand: there is one for all.
                (_, ErrorKind::OutOfMemory) => self.no_memory(),
                (Some(message), kind) => self.store.error_saying(kind, message, Value::Nil),
                (None, kind) => self.store.error(kind, Value::Nil),
            };
            if let Some(end) = self.throw(task, error, nowhere.clone())
                && end != SliceEnd::Resuming
            {
                return Some(end);
            }
        }
        let is_due = self.is_late(task) || task.cut().is_some() || task.has_failed_squad();
        for take in [Self::take_cut, Self::take_due] {
            if thrown_max.is_none_or(|max| self.log.thrown < max)
                && !task.drains(self.loaded.program)
                && let Some(kind) = take(self, task)
            {
                let error = self.store.error(kind, Value::Nil);
                // Back at an operation that a handler had interrupted, it may be due for more.
                if let Some(end) = self.throw(task, error, nowhere.clone())
                    && end != SliceEnd::Resuming
                {
                    return Some(end);
                }
            }
        }
        // Without memory for an error it did not come so far.
        task.entered |= thrown_max.is_none() || !is_due;
        // One that found no memory for an error does not come so far as to stand there.
        let stands = task.operation.is_some() && thrown_max.is_none();
        stands.then_some(SliceEnd::Resuming)
    }

    /// Throws what a step throws whose instructions are spent, if one is, where the task
    /// stands. Gives how the slice ended, if it did. There was memory for `thrown_max` errors
    /// in the slice, if there was not for all.
    ///
    /// # Panics
    /// If there is no such task.
    pub fn throw_spent(&mut self, task: TaskId, thrown_max: Option<u32>) -> Option<SliceEnd> {
        let mut running = self.take_task(task);
        let mut end = None;
        while end.is_none()
            && thrown_max.is_none_or(|max| self.log.thrown < max)
            && !running.drains(self.loaded.program)
            && self.take_spent(&mut running)
        {
            let error = self.store.error(ErrorKind::StepExhausted, Value::Nil);
            end = self.throw(&mut running, error, None);
        }
        self.put_task(task, running);
        end
    }

    /// Runs one instruction of a task.
    ///
    /// # Panics
    /// If there is no such task or it has ended.
    pub fn step(&mut self, task: TaskId) -> Step {
        let mut running = self.take_task(task);
        let step = self.step_task(&mut running);
        self.put_task(task, running);
        step
    }

    /// Ends a slice that ended so: the task waits, or can run again.
    pub fn finish_slice(&mut self, task: TaskId, end: &SliceEnd) {
        let now = self.now_ms();
        let version = match *end {
            SliceEnd::Waiting { object } => self.version(object).unwrap_or(0),
            _ => 0,
        };
        let awaited = self.log.effects.awaited.clone();
        let Some(task) = self.task_mut(task) else {
            return;
        };
        if *end == (SliceEnd::AwaitingMany { drain: true }) {
            task.drains_since = Some(now);
        }
        // A body that got no further than a safepoint has not begun.
        let got_further = !matches!(end, SliceEnd::Preempted | SliceEnd::NoMemory);
        task.started |= task.executed > 0 || got_further;
        let status = match *end {
            SliceEnd::Awaiting { future } => Status::Waiting(future),
            SliceEnd::AwaitingMany { drain } => Status::WaitingForAny {
                futures: awaited,
                drain,
            },
            SliceEnd::Waiting { object } => Status::Blocked {
                object,
                version,
                puts: task.puts,
            },
            SliceEnd::Sleeping { ms } => Status::Sleeping { ms, since: now },
            SliceEnd::Host => Status::Host(false),
            SliceEnd::Resuming => match &task.operation {
                Some(operation) => operation.status.clone(),
                None => Status::Ready,
            },
            _ => return,
        };
        if matches!(end, SliceEnd::Sleeping { .. } | SliceEnd::Host) {
            task.operation = Some(Operation {
                register: task.operation_register,
                status: status.clone(),
                value: Value::Nil,
                began: None,
            });
        }
        task.status = status;
    }

    /// What the slice did so far.
    pub fn log(&self) -> &SliceLog {
        &self.log
    }

    /// Runs a task for at most `fuel` instructions, from a slice start on.
    ///
    /// # Panics
    /// If there is no such task or it has ended.
    pub fn run_task(&mut self, task: TaskId, start: &SliceStart) -> SliceReport {
        let mut instructions = 0;
        let mut end = self.begin_slice(task, start, None);
        while end.is_none() && instructions < start.fuel {
            end = self.throw_spent(task, None);
            if end.is_none() {
                instructions += 1;
                if let Step::Ended(how) = self.step(task) {
                    end = Some(how);
                }
            }
        }
        let end = end.unwrap_or(SliceEnd::Preempted);
        self.finish_slice(task, &end);
        SliceReport {
            instructions,
            end,
            log: std::mem::take(&mut self.log),
        }
    }
}

/// What a slice did.
#[derive(Clone, Debug, PartialEq)]
pub struct SliceReport {
    /// Instructions that were executed.
    pub instructions: u32,
    /// Why it ended.
    pub end: SliceEnd,
    /// What it printed and did to others.
    pub log: SliceLog,
}
