//! Slice after slice.

use std::sync::Arc;
use std::time::Duration;

use gcrucible_bytecode::ErrorKind;
use gcrucible_heap::{Charge, Checks, CollectMode, CollectionKind, NeedsMemory};
use gcrucible_platform::planted;
use gcrucible_platform::sync::Mutex;
use gcrucible_platform::turns::Turn;
use gcrucible_platform::{Place, yield_point};
use gcrucible_vm::{Change, SliceEnd, SliceInput, SliceOutcome};

use super::ending::BodyEnd;
use super::operation::Operations;
use super::{Runs, SquadOf, Task, yield_points};
use crate::cancellation::Token;
use crate::engine::{Engine, Inner};
use crate::event::EngineEvent;
use crate::memory::Asked;
use crate::roots::ROOTS;
use crate::wait_lists;

/// Takes one task from slice to slice.
pub(super) struct Driver<'e> {
    pub(super) engine: &'e Engine,
    pub(super) task: &'e Arc<Task>,
    /// Sleeps and host operations under way.
    pub(super) operations: Operations,
    /// An error to throw at the next slice's start.
    pub(super) pending: Option<Pending>,
    /// The message of a host operation that has panicked: there is no next slice.
    pub(super) panicked: Option<String>,
    /// The same of the host's observer.
    observer_panicked: Mutex<Option<String>>,
    /// Where it stood when the host panicked: function and instruction of each frame, innermost
    /// first.
    pub(super) panicked_at: Vec<(u16, u32)>,
    /// Whether the machine would not take the cancellation that it was offered: an interrupt
    /// handler runs, or a squad drains.
    pub(super) is_cancel_refused: bool,
    /// Collections since the machine got further.
    attempts: u32,
    /// What a slice that lacked memory left of its fuel, for the next one: a turn is no longer
    /// for that, or a task that allocates without end would never give way.
    fuel_left: Option<u32>,
    /// Whether it is in the middle of a small built-in that a debug mode has made work in steps: it
    /// stays one for other tasks, as it is for the model. Collections come between.
    is_stepping: bool,
    /// Whether the frames of its machine have grown beyond the limit.
    has_outgrown: bool,
    /// Whether a slice has begun the body.
    has_run: bool,
    /// Since when it has waited for the end of a squad.
    drains_since: Option<u64>,
    /// The channel or mutex that it was woken for and has not looked at yet.
    pub(super) turn: Option<wait_lists::Place>,
}

/// An error that the engine throws inside a task.
pub(super) struct Pending {
    pub(super) kind: ErrorKind,
    /// Instead of the kind's own.
    pub(super) message: Option<String>,
}

/// A slice that ran.
struct Ran {
    outcome: SliceOutcome,
    /// What it was told of the time.
    now_ms: u64,
    /// How many instructions it could have run.
    fuel: u32,
    /// The collections before its end.
    asked: Asked,
}

impl From<ErrorKind> for Pending {
    fn from(kind: ErrorKind) -> Self {
        Pending {
            kind,
            message: None,
        }
    }
}

impl<'e> Driver<'e> {
    pub(super) fn new(engine: &'e Engine, task: &'e Arc<Task>) -> Self {
        Driver {
            engine,
            task,
            operations: Operations::default(),
            pending: None,
            panicked: None,
            observer_panicked: Mutex::default(),
            panicked_at: Vec::new(),
            is_cancel_refused: false,
            attempts: 0,
            fuel_left: None,
            is_stepping: false,
            has_outgrown: false,
            has_run: false,
            drains_since: None,
            turn: None,
        }
    }

    pub(super) async fn yield_at(&self, at: u32) {
        let place = Place {
            task: self.task.number,
            function: Place::ENGINE,
            at,
        };
        yield_point(&*self.engine.inner.platform, place).await;
    }

    /// Waits for a turn if the tasks that it shares its turns with have used up theirs.
    pub(super) async fn shared_turn(&self) -> Option<Turn> {
        let platform = &*self.engine.inner.platform;
        let (turns, meter) = platform.turns().zip(self.task.meter.as_ref())?;
        meter.count(platform.now());
        if !turns.is_over(meter.party()) {
            return None;
        }
        Some(turns.take(Some(meter.party())).await)
    }

    /// Lets others go first, between two slices, if the platform or the program says so. The turn
    /// that it waited for is over for the others when it has run a slice.
    async fn turn(&self, is_asked: bool) -> Option<Turn> {
        let platform = &self.engine.inner.platform;
        match (platform.turns(), &self.task.meter) {
            (Some(turns), Some(meter)) if is_asked => Some(turns.take(Some(meter.party())).await),
            (Some(_), Some(_)) => self.shared_turn().await,
            (Some(turns), None) if is_asked || platform.is_turn_over() => {
                Some(turns.take(None).await)
            }
            (Some(_), None) => None,
            (None, _) => {
                self.yield_turn(is_asked).await;
                None
            }
        }
    }

    /// The same where the platform decides on each turn itself.
    async fn yield_turn(&self, is_asked: bool) {
        if !self.engine.inner.platform.is_turn_over() && !is_asked {
            return;
        }
        let (function, at) = self.task.vm.position();
        let place = Place {
            task: self.task.number,
            function,
            at,
        };
        yield_point(&*self.engine.inner.platform, place).await;
    }

    pub(super) fn observe(&self, event: &EngineEvent<'_>) {
        if let Err(message) = self.engine.inner.try_observe(event) {
            self.observer_panicked.lock().get_or_insert(message);
        }
    }

    /// Milliseconds of the engine's time.
    pub(super) fn now_ms(&self) -> u64 {
        self.engine.inner.now_ms()
    }

    /// Runs slices until the body ends.
    pub(super) async fn run<C: Checks>(&mut self) -> BodyEnd {
        let task = self.task;
        let mut is_turn_over = false;
        let mut has_asked = false;
        let mut got_further = false;
        loop {
            let mut turn = None;
            if std::mem::replace(&mut is_turn_over, true) {
                turn = self.turn(has_asked).await;
            }
            // Others go on while room is made: what they request is looked at behind it.
            if self.has_outgrown && !planted!(B308) {
                turn = None;
                self.fit_machine().await;
            }
            if task.token.is_unanswered() && !self.has_run {
                return BodyEnd::NeverStarted;
            }
            if let Some(message) = self.take_panic() {
                return self.fail::<C>(message).await;
            }
            if self.is_grace_over() {
                return self.abort::<C>().await;
            }
            if planted!(B308, self.has_outgrown) {
                turn = None;
                self.fit_machine().await;
            }
            let Ran {
                mut outcome,
                now_ms,
                fuel,
                asked,
            } = self.slice::<C>(turn).await;
            self.use_turn(&outcome);
            self.pass_on(&outcome, now_ms).await;
            // Signals that wait for their handler count, too.
            self.has_outgrown |= !outcome.interrupts.is_empty() && self.is_over_limit();
            if matches!(outcome.end, SliceEnd::Returned | SliceEnd::Threw)
                && let Some(message) = self.take_panic()
            {
                return self.fail::<C>(message).await;
            }
            has_asked = outcome.end == SliceEnd::Yielded;
            got_further |= outcome.instructions > 0 || outcome.delivered || outcome.advanced;
            if self.is_stepping {
                is_turn_over = false;
            }
            match outcome.end {
                SliceEnd::Fuel | SliceEnd::Yielded => {}
                SliceEnd::Safepoint => self.safepoint().await,
                SliceEnd::NeedsMemory { words } => {
                    let mut attempts = self.attempts;
                    let has_room = self.make_room(words, &mut attempts, Some(asked)).await;
                    self.attempts = attempts;
                    if !has_room {
                        self.pending = Some(ErrorKind::OutOfMemory.into());
                    }
                    // Whom the collection has woken goes first, on this worker too, or a task
                    // that runs out of memory again and again would keep all others waiting. Only
                    // one that got no further since it went first last goes first again: the
                    // room is for it.
                    is_turn_over = std::mem::take(&mut got_further) && !self.is_stepping;
                    has_asked = true;
                }
                SliceEnd::Spawn { .. } if planted!(B48, outcome.instructions == fuel) => {}
                SliceEnd::Spawn { detached } => {
                    if let Some(error) = self.register::<C>(detached).await {
                        self.pending = Some(error);
                    }
                }
                SliceEnd::Await { future } => {
                    if let Some(error) = self.wait_for(future).await {
                        self.pending = Some(error.into());
                    }
                }
                SliceEnd::AwaitMany { drain } => {
                    self.drains_since = drain.then_some(now_ms);
                    if let Some(error) = self.wait_for_any(&outcome.awaited, drain).await {
                        self.pending = Some(error.into());
                    }
                }
                SliceEnd::Wait {
                    object,
                    version,
                    side,
                } => {
                    self.wait_for_change::<C>((object, side), version).await;
                }
                SliceEnd::Cancel => {}
                SliceEnd::Sleep { .. } | SliceEnd::Host => {
                    self.begin_operation(&mut outcome).await;
                    self.operate::<C>().await;
                }
                SliceEnd::Resume => self.operate::<C>().await,
                SliceEnd::Collect => {
                    self.engine.inner.collect(CollectionKind::Major).await;
                }
                SliceEnd::Returned => return BodyEnd::Returned,
                SliceEnd::Threw => {
                    return BodyEnd::Threw {
                        trace: outcome.trace,
                        failed: outcome.failed,
                    };
                }
            }
        }
    }

    /// What the host has panicked with, if it has.
    fn take_panic(&mut self) -> Option<String> {
        let of_observer = self.observer_panicked.get_mut().take();
        self.panicked.take().or(of_observer)
    }

    /// Whether the body has had its time to end after its cancellation. What it waits for is not
    /// its time: the end of a squad, whose tasks are cancelled, too, and that of a host
    /// operation, which has a grace time of its own.
    fn is_grace_over(&mut self) -> bool {
        let token = &self.task.token;
        let now = self.now_ms();
        if let Some(began) = self.drains_since.take()
            && !planted!(B215, began < now)
        {
            token.put_body_off(began, now);
        }
        let Some(since) = token.body_since_ms() else {
            return false;
        };
        if self.operations.is_at_host() {
            token.restart_body(now);
            return false;
        }
        if self.task.vm.drains_squad() {
            return false;
        }
        let is_over = now >= since.saturating_add(self.engine.inner.grace);
        if planted!(B71, is_over) {
            return false;
        }
        is_over
    }

    /// Ends the body although it would go on: nothing more of it runs, and what it holds is
    /// released.
    async fn abort<C: Checks>(&mut self) -> BodyEnd {
        let changed = {
            let permit = self.engine.inner.heap.shared().await;
            self.task.vm.abandon::<C>(&permit)
        };
        self.operations = Operations::default();
        self.is_stepping = false;
        self.observe(&EngineEvent::Aborted {
            task: self.task.number,
        });
        if !planted!(B218, !changed.is_empty()) {
            self.wake_changed(&changed).await;
        }
        BodyEnd::Aborted
    }

    /// Runs one slice, and keeps the driver's books.
    async fn slice<C: Checks>(&mut self, turn: Option<Turn>) -> Ran {
        let inner = &self.engine.inner;
        let task = self.task;
        let is_cancel_due = task.token.is_undelivered();
        let is_failed = matches!(&self.pending, Some(error) if error.kind == ErrorKind::HostError);
        // A machine that refused the cancellation gets the other error, lest neither comes.
        let is_refused = self.is_cancel_refused && self.pending.is_some();
        // Making the error of a cancellation needs memory: that there is none must not wait
        // for it.
        let lacks_memory =
            matches!(&self.pending, Some(error) if error.kind == ErrorKind::OutOfMemory);
        let mut offers_cancel = is_cancel_due && !is_refused && !lacks_memory;
        if planted!(B68, offers_cancel && !self.operations.is_under_way()) {
            offers_cancel = false;
        }
        let (deliver, deliver_message) = match &self.pending {
            _ if offers_cancel => (Some(ErrorKind::Cancelled), None),
            Some(error) => (Some(error.kind), error.message.clone()),
            None => (None, None),
        };
        let input = SliceInput {
            fuel: match self.fuel_left.take() {
                Some(left) => left,
                None => inner.platform.fuel(task.number).max(1),
            },
            deliver,
            deliver_message,
            cancel_requested: task.token.is_requested(),
            now_ms: self.now_ms(),
            inherited_deadline: task.inherited_deadline,
            // Its text needs memory, too, and comes first: the error would never be thrown.
            interrupt: match lacks_memory && !planted!(B301) {
                true => None,
                false => self.dispatchable(),
            },
            // The result of an operation that failed is its error: should the machine refuse
            // the cancellation, it must not go on without either.
            operation_over: !(self.operations.is_under_way() || (offers_cancel && is_failed)),
            open_tasks: task.run.as_ref().map_or(0, |run| run.unsettled()),
            turn: self.turn.map(|(object, _)| object),
            failed_squads: std::mem::take(&mut *task.failed_squads.lock()),
        };
        let (mut outcome, cancelling, asked) = {
            let permit = inner.heap.shared().await;
            let outcome = task.vm.run_slice::<C>(&permit, input.clone());
            let cancelling = (outcome.end == SliceEnd::Cancel)
                .then(|| {
                    let m = permit.reader::<C>();
                    m.future_id(task.vm.load_exchange(&m))
                })
                .flatten();
            (outcome, cancelling, Asked::now(&inner.heap))
        };
        drop(turn);
        self.is_stepping = outcome.unfinished && inner.heap.debug().steps.is_some();
        let spent = outcome.instructions.saturating_add(outcome.charged);
        inner.pressure.note_work(spent);
        if matches!(outcome.end, SliceEnd::NeedsMemory { .. }) {
            self.fuel_left = Some(input.fuel.saturating_sub(spent).max(1));
        }
        if outcome.delivered {
            if offers_cancel {
                task.token.set_delivered(input.now_ms);
            } else if is_cancel_due && lacks_memory {
                // There may never be memory for the error of the cancellation.
                task.token.begin_body(input.now_ms);
            }
            // An error of what the cancellation took the task away from is of no use.
            self.pending = None;
        }
        // A handler that has ended gives way to the frames that may take the cancellation.
        let has_resumed = outcome.end == SliceEnd::Resume && outcome.instructions > 0;
        // Without memory for its error it was neither taken nor refused.
        let is_put_off =
            matches!(outcome.end, SliceEnd::NeedsMemory { .. }) && outcome.instructions == 0;
        if !is_put_off {
            self.is_cancel_refused = offers_cancel && !outcome.delivered && !has_resumed;
        }
        if outcome.interrupted
            && let (Some(run), Some(name)) = (task.own_run(), &input.interrupt)
        {
            run.dispatched(name);
        }
        self.has_outgrown = task.charge_machine(&inner.heap);
        // Until the lines are written.
        let lines = self.charge_lines(&outcome.printed);
        inner.failures.saw(&outcome.seen);
        self.operations.after_slice(&task.vm, &outcome);
        task.vm.realm().note_slice(outcome.instructions);
        self.observe(&EngineEvent::Slice {
            task: task.number,
            realm: task.vm.realm(),
            input: &input,
            outcome: &outcome,
            cancelling,
        });
        for data in std::mem::take(&mut outcome.discarded) {
            inner.platform.discard(data);
        }
        if !outcome.printed.is_empty() {
            let call = task.run.as_ref().map(|run| run.call());
            let realm = task.vm.realm().number();
            let output = &inner.output;
            output.write(&outcome.printed, task.number, call, realm);
        }
        drop(lines);
        if outcome.instructions > 0 || outcome.delivered || outcome.advanced {
            self.attempts = 0;
        }
        // A slice that got no further than a safepoint has not begun the body.
        self.has_run |= outcome.instructions > 0
            || !matches!(
                outcome.end,
                SliceEnd::Safepoint | SliceEnd::NeedsMemory { .. }
            );
        if let Some(future) = cancelling {
            let slot = task.vm.exchange(ROOTS);
            inner.cancel_future::<C>(self.engine, future, slot).await;
        }
        Ran {
            outcome,
            now_ms: input.now_ms,
            fuel: input.fuel,
            asked,
        }
    }

    /// Whether more is in use than the limit allows.
    fn is_over_limit(&self) -> bool {
        let account = self.task.vm.realm().account();
        self.engine.inner.heap.is_over_limit(account)
    }

    /// Charges the lines that a slice has printed; a few short ones are the task's own.
    fn charge_lines(&self, lines: &[String]) -> Option<Charge> {
        const SHORT: u64 = 1 << 10;
        let bytes = lines.iter().map(|line| line.capacity() as u64).sum();
        let account = self.task.vm.realm().account();
        (bytes > SHORT).then(|| self.engine.inner.heap.charge_anyway(account, bytes))
    }

    /// Does to others what a slice did to what they share: requests cancellations, raises
    /// signals, wakes who waits for a channel or mutex.
    async fn pass_on(&self, outcome: &SliceOutcome, now_ms: u64) {
        let inner = &self.engine.inner;
        for &future in &outcome.cancel {
            if let Some(token) = inner.registry.token(future) {
                self.engine.cancel_child(&token, now_ms);
            }
        }
        if let Some(run) = &self.task.run
            && !outcome.interrupts.is_empty()
        {
            let permit = inner.heap.shared().await;
            for name in &outcome.interrupts {
                inner.raise(&permit, run, name);
            }
        }
        self.wake_changed(&outcome.changed).await;
    }

    /// Makes room for the machine, which has grown beyond what there was for it.
    async fn fit_machine(&mut self) {
        self.has_outgrown = false;
        if !self.make_room(0, &mut 1, None).await {
            self.pending.get_or_insert(ErrorKind::OutOfMemory.into());
        }
    }

    /// What a slice made of the turn that the task was woken for.
    fn use_turn(&mut self, outcome: &SliceOutcome) {
        let Some(place) = self.turn else { return };
        let got_no_further = outcome.instructions == 0
            && !outcome.delivered
            && !outcome.interrupted
            && matches!(
                outcome.end,
                SliceEnd::Safepoint | SliceEnd::NeedsMemory { .. }
            );
        match outcome.end {
            _ if outcome.took_turn => {
                self.turn = None;
                let own = outcome.changed.iter().find(|it| it.object == place.0);
                // Who acquires a mutex changes nothing that others wait for.
                let version = own.map_or(u64::MAX, |change| change.version);
                for (waiter, signal) in self.engine.inner.wait_lists.end_turn(place, version) {
                    if signal.notify() {
                        self.observe(&EngineEvent::Woken { task: waiter });
                    }
                }
            }
            // It waits again, and gives the turn back then.
            SliceEnd::Wait { object, side, .. } if (object, side) == place => {}
            _ if got_no_further => {}
            _ => self.pass_turn_on(),
        }
    }

    /// The task will not take what it was woken for.
    fn pass_turn_on(&mut self) {
        let Some(place) = self.turn.take() else {
            return;
        };
        let next = self.engine.inner.wait_lists.pass_turn_on(place);
        if let Some((waiter, signal)) = next
            && signal.notify()
        {
            self.observe(&EngineEvent::Woken { task: waiter });
        }
    }

    /// Wakes who waits for channels and mutexes that have changed, as many as can have something
    /// of them.
    pub(super) async fn wake_changed(&self, changed: &[Change]) {
        let wait_lists = &self.engine.inner.wait_lists;
        if changed.is_empty() || !wait_lists.has_any(changed) {
            return;
        }
        if !self.is_stepping {
            self.yield_at(yield_points::BEFORE_WAKE).await;
        }
        for (waiter, signal) in wait_lists.take(changed) {
            if signal.notify() {
                self.observe(&EngineEvent::Woken { task: waiter });
            }
        }
    }

    /// The signal that the next slice is to dispatch.
    pub(super) fn dispatchable(&self) -> Option<String> {
        self.task.own_run()?.dispatchable(&self.task.vm)
    }

    /// At a safepoint the heap's modes say whether to collect.
    async fn safepoint(&self) {
        let heap = &self.engine.inner.heap;
        // Under `continuous` the collector task asks, not each safepoint.
        if heap.debug().collect != CollectMode::Continuous
            && let Some(kind) = heap.at_safepoint()
        {
            self.engine.inner.collect(kind).await;
        }
    }

    /// Collects for an allocation of this task that found no memory; `false` when it fails
    /// for good. `asked` says when it failed, if the caller knows.
    pub(super) async fn make_room(
        &self,
        words: u32,
        attempts: &mut u32,
        asked: Option<Asked>,
    ) -> bool {
        let (inner, account) = (&self.engine.inner, self.task.vm.realm().account());
        let asked = asked.unwrap_or_else(|| Asked::now(&inner.heap));
        let bytes = u64::from(NeedsMemory::parts(words).0) * 8;
        let is_refused = account.is_some_and(|account| account.refuses(bytes));
        let goes_on = self.is_stepping || Inner::is_scattered(words, *attempts);
        if (*attempts > 0 || is_refused) && !goes_on {
            self.let_others_work().await;
        }
        let has_room = inner.make_room_asked(account, words, attempts, asked).await;
        if !has_room {
            self.observe(&EngineEvent::MemoryRefused {
                task: self.task.number,
                words,
                account_bytes: account.map(|account| account.used()),
            });
        }
        has_room
    }

    /// Before everything is collected once more: lets others do the work that they are owed for
    /// the last time that this was in vain. It ends when they have nothing to do, and when there
    /// is news for this task.
    async fn let_others_work(&self) {
        /// How long somebody who is at work on another thread is waited for, at a time.
        const PATIENCE: Duration = Duration::from_millis(1);
        let inner = &self.engine.inner;
        let deadline = self.task.vm.deadline();
        let is_late = || deadline.is_some_and(|at| at <= self.now_ms());
        while inner.pressure.has_debt() && !self.has_news() && !is_late() {
            let before = inner.pressure.work();
            self.turn(true).await;
            if inner.pressure.work() > before {
                continue;
            }
            if !inner.heap.is_shared_now() {
                return;
            }
            inner.platform.sleep(PATIENCE).await;
        }
    }

    /// Registers the future that the machine spawned, and starts its task.
    /// Returns the error to throw instead when there is no room for a future.
    async fn register<C: Checks>(&self, detached: bool) -> Option<Pending> {
        let inner = &self.engine.inner;
        let exchange = self.task.vm.exchange(ROOTS);
        let outlives_calls = detached || self.task.run.is_none();
        let place = match outlives_calls && self.task.vm.realm().is_fork() {
            false => None,
            true => match inner.detached.enter() {
                Some(place) => Some(place),
                None => {
                    // As below, the error comes before the machine can look.
                    exchange.clear();
                    return Some(Pending {
                        kind: ErrorKind::HostError,
                        message: Some(inner.detached.refusal()),
                    });
                }
            },
        };
        let mut attempts = 0;
        let (id, token, charge) = loop {
            let registered = {
                let permit = inner.heap.shared().await;
                let new_token = || Arc::new(Token::new(inner.new_task()));
                let charged = inner
                    .heap
                    .charge(self.task.vm.realm().account(), Task::BYTES);
                charged.and_then(|charge| {
                    let registered = inner.registry.register::<C>(&permit, exchange, new_token);
                    // Both at once, or there would be room for each alone, for ever.
                    let bytes = Task::BYTES + u64::from(inner.heap.config().block_bytes);
                    let both = |needs: NeedsMemory| NeedsMemory {
                        words: needs.words.saturating_add((bytes / 8) as u32),
                    };
                    let registered = registered.map_err(both)?;
                    Ok((registered, charge))
                })
            };
            match registered {
                Ok(((id, token), charge)) => break (id, token, charge),
                Err(needs) => {
                    if !self.make_room(needs.words, &mut attempts, None).await {
                        // The machine gets nil for a future, and the error before it can look.
                        exchange.clear();
                        return Some(ErrorKind::OutOfMemory.into());
                    }
                }
            }
        };
        let runner = token.task();
        let run = self.task.run.as_ref().filter(|_| !detached);
        let membership = run.map(|run| run.join());
        let deadline = match detached {
            true => None,
            false => self.task.vm.inheritable_deadline(),
        };
        let seed = inner.platform.random();
        self.observe(&EngineEvent::Registered {
            task: self.task.number,
            future: id,
            runner,
            detached,
            deadline,
            seed,
        });
        let squad = self.task.vm.squad().filter(|_| !detached);
        let squad = squad.map(|number| SquadOf {
            task: self.task.number,
            number,
        });
        let vm = inner.new_vm(self.task.vm.realm(), runner, seed, false);
        let parent = self.parent_of_spawned(detached);
        let link = inner.tokens.link(&token, parent, self.now_ms());
        if token.is_requested() {
            // It was spawned by a task that is cancelled.
            self.observe(&EngineEvent::CancelRequested { task: runner });
        }
        let task = Task::new(runner, vm, token, run.cloned(), deadline, charge);
        let mut task = task.in_squad(squad);
        if let Some(place) = place {
            task = task.in_place(place, self.now_ms());
        }
        self.engine.spawn(task, Runs::Future(id, link, membership));
        None
    }

    /// The task whose token is the parent of that of a task which this one spawns.
    fn parent_of_spawned(&self, detached: bool) -> Option<u32> {
        if planted!(B57, !detached && self.task.vm.squad().is_some()) {
            return None;
        }
        (!detached).then_some(self.task.number)
    }
}

impl Drop for Driver<'_> {
    /// However the task ends, by a panic too.
    fn drop(&mut self) {
        self.pass_turn_on();
    }
}
