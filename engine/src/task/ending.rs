//! What happens when a body has ended.

use std::sync::Arc;

use gcrucible_heap::{Checks, FutureState, Mutator, Value};
use gcrucible_platform::planted;
use gcrucible_vm::{display, uncaught};

use super::driver::Driver;
use super::yield_points;
use crate::call::{CallGuard, CallKind, Outcome};
use crate::cancellation::Link;
use crate::event::EngineEvent;
use crate::failures::{Failure, Unseen};
use crate::run::Membership;

/// How a body ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BodyEnd {
    Returned,
    Threw {
        /// Function and instruction of each frame at the throw, innermost first.
        trace: Vec<(u16, u32)>,
        /// The future that failed with it, if it came with an await of that.
        failed: Option<u64>,
    },
    NeverStarted,
    /// The host panicked in it. The exchange slot has the message.
    Panicked,
    /// It was cancelled, and went on for longer than its grace time.
    Aborted,
}

impl Driver<'_> {
    /// What that end is for everybody else. What has been requested to end is cancelled, whatever
    /// it ended with, unless it returned.
    fn outcome_of(&self, end: &BodyEnd) -> Outcome {
        match end {
            BodyEnd::Returned => Outcome::Returned,
            BodyEnd::NeverStarted | BodyEnd::Aborted => Outcome::Cancelled,
            _ if self.task.token.is_requested() => Outcome::Cancelled,
            BodyEnd::Threw { .. } => Outcome::Threw,
            BodyEnd::Panicked => Outcome::Panicked,
        }
    }

    /// Tells the task in whose squad this one was spawned that it has failed. That one is woken, if
    /// it waits, and cancels the others.
    fn fail_squad(&self) {
        let Some(squad) = self.task.squad else {
            return;
        };
        if let Some(task) = self.engine.inner.find_task(squad.task)
            && task.squad_failed(squad.number)
        {
            self.observe(&EngineEvent::Woken { task: squad.task });
        }
    }

    /// Settles the future of this task, takes it out of the registry, then wakes who
    /// waits for it: in this order, each of which somebody can come between.
    pub(super) async fn settle<C: Checks>(
        &self,
        id: u64,
        link: Link,
        membership: Option<Membership>,
        end: BodyEnd,
    ) {
        let inner = &self.engine.inner;
        // A request that comes after the body has ended changes nothing any more.
        let state = self.outcome_of(&end).future_state();
        self.observe(&EngineEvent::BodyEnded {
            task: self.task.number,
        });
        if planted!(B58, end == BodyEnd::Panicked) {
            return;
        }
        self.yield_at(yield_points::BEFORE_SETTLE).await;
        let Some(future) = inner.registry.future(id) else {
            return;
        };
        let mut removed = None;
        if planted!(B41) {
            removed = inner.registry.remove(id);
            self.yield_at(yield_points::BEFORE_REMOVE).await;
        }
        if planted!(B54) {
            for (waiter, signal) in inner.registry.waiters(id) {
                if signal.notify() {
                    self.observe(&EngineEvent::Woken { task: waiter });
                }
            }
            self.yield_at(yield_points::BEFORE_WAKE).await;
        }
        let is_settled = {
            let permit = inner.heap.shared().await;
            let m = permit.reader::<C>();
            let payload = match state {
                FutureState::Cancelled => Value::NIL,
                _ => self.task.vm.load_exchange(&m),
            };
            let future = m.load_root(&*future);
            let has_failed = matches!(state, FutureState::Error | FutureState::InternalError);
            if has_failed {
                // Before anybody can see that it is settled, and have seen its error.
                self.note_failure(id, &end, &m, payload);
                permit.watch(future, id);
            }
            let is_settled = m.future_settle(future, state, payload);
            if has_failed && !is_settled {
                let _ = inner.failures.remove(id);
            }
            is_settled
        };
        self.task.vm.clear_exchange();
        if let Some(membership) = &membership
            && !planted!(B208, state == FutureState::Cancelled)
        {
            membership.settled();
        }
        // From now on nothing can be requested of it.
        drop(link);
        if is_settled {
            self.observe(&EngineEvent::Settled { future: id, state });
            if state != FutureState::Ready {
                self.fail_squad();
            }
        } else {
            self.observe(&EngineEvent::SettleRefused { future: id });
        }
        self.yield_at(yield_points::BEFORE_REMOVE).await;
        let removed = removed.or_else(|| inner.registry.remove(id));
        self.yield_at(yield_points::BEFORE_WAKE).await;
        let mut waiters = removed.map(|removed| removed.waiters).unwrap_or_default();
        if planted!(B43, waiters.len() > 1) {
            waiters.truncate(1);
        }
        for (waiter, signal) in &waiters {
            if signal.notify() {
                self.observe(&EngineEvent::Woken { task: *waiter });
            }
        }
        if planted!(B44, !waiters.is_empty()) {
            self.yield_at(yield_points::BEFORE_WAKE).await;
            for (waiter, signal) in &waiters {
                if signal.notify() {
                    self.observe(&EngineEvent::Woken { task: *waiter });
                }
            }
        }
        // The root of the run may wait for its last task.
        if let Some(run) = membership.and_then(Membership::leave)
            && run.signal().notify()
        {
            self.observe(&EngineEvent::Woken { task: run.root() });
        }
    }

    /// Keeps the trace of a failed task, and the text of its error for as long as nobody has
    /// awaited it.
    fn note_failure<'p, C: Checks>(
        &self,
        future: u64,
        end: &BodyEnd,
        m: &Mutator<'p, C>,
        error: Value<'p>,
    ) {
        let failures = &self.engine.inner.failures;
        let program = self.task.vm.realm().loaded();
        let (failure, is_internal) = match end {
            BodyEnd::Threw { trace, failed } => {
                let cause = failed.and_then(|failed| failures.get(failed));
                (Failure::new(program, trace, cause), false)
            }
            _ => (Failure::new(program, &self.panicked_at, None), true),
        };
        let text = uncaught(m, program.program(), error);
        let text = match is_internal {
            true => format!("internal error: {text}"),
            false => text,
        };
        let root = self.task.run.as_ref().map(|run| run.root());
        let realm = self.task.vm.realm();
        let holder = (&*self.engine.inner.heap, self.task.vm().realm().account());
        let unseen = Unseen {
            text,
            root,
            realm: realm.number(),
            attachment: realm.attachment().cloned(),
        };
        failures.add(holder, future, failure, unseen);
    }

    /// Ends a call: when every task of its run has ended, its value moves to the call and
    /// its id becomes free.
    pub(super) async fn end_call<C: Checks>(&self, mut guard: CallGuard, end: BodyEnd) {
        let inner = &self.engine.inner;
        let outcome = self.outcome_of(&end);
        let run = guard.call().run();
        run.root_ended();
        self.observe(&EngineEvent::BodyEnded {
            task: self.task.number,
        });
        self.yield_at(yield_points::BEFORE_CALL_END).await;
        // What a module's top level spawned serves the calls to come: nobody waits for it.
        while guard.call().kind() != CallKind::Init {
            self.task.signal.reset();
            let has_others = || inner.registry.active_future_count() > 0;
            if run.is_over() && !planted!(B59, has_others()) {
                break;
            }
            self.pause(None).await;
        }
        let is_finalizer = guard.call().kind() == CallKind::Finalizer;
        let mut uncaught = None;
        if outcome != Outcome::Cancelled {
            let permit = inner.heap.shared().await;
            let m = permit.reader::<C>();
            let value = self.task.vm.load_exchange(&m);
            guard.call().set_value(&m, value);
            if outcome == Outcome::Threw {
                guard.call().recognise(&m, value);
            }
            // Nobody has a handle on it to ask.
            let has_failed = matches!(outcome, Outcome::Threw | Outcome::Panicked);
            uncaught =
                (is_finalizer && has_failed).then(|| display(&m, guard.call().program(), value));
        }
        self.task.vm.clear_exchange();
        if guard.call().kind() == CallKind::Init {
            self.task.vm.realm().freeze();
            self.engine.settle_promise::<C>(guard.call(), outcome).await;
        }
        match end {
            BodyEnd::Threw { trace, failed } => {
                let cause = failed.and_then(|failed| inner.failures.get(failed));
                guard.call().set_trace(&trace, cause.as_deref());
            }
            BodyEnd::Panicked => guard.call().set_trace(&self.panicked_at, None),
            BodyEnd::Returned | BodyEnd::NeverStarted | BodyEnd::Aborted => {}
        }
        if guard.call().kind() != CallKind::Init {
            // Whoever could have awaited them has ended.
            let root = run.root();
            inner.report_unseen(|unseen| {
                unseen.root == Some(root) || planted!(B210, unseen.root.is_none())
            });
        }
        let is_cancelled = outcome == Outcome::Cancelled;
        self.task.vm.realm().note_call_end(is_cancelled);
        let call = Arc::clone(guard.call());
        let ended = EngineEvent::CallEnded {
            call: &call,
            outcome,
        };
        let is_shown = planted!(B116);
        if is_shown && inner.try_observe(&ended).is_err() {
            // What the rest of the end finds is not where its id is.
            guard.table = Arc::default();
        }
        guard.end(outcome);
        if !is_shown {
            self.observe(&ended);
        }
        if let Some(text) = &uncaught {
            let (output, realm) = (&inner.output, self.task.vm.realm());
            output.report(text, &call.trace(), "in a finalizer", realm.number());
            self.observe(&EngineEvent::FinalizerFailed {
                call: &call,
                text,
                attachment: realm.attachment(),
            });
        }
        if is_finalizer {
            self.engine.start_finalizer();
        }
    }
}
