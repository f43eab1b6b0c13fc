//! One task: slices of its machine, and what the engine does between them.
//!
//! A slice never waits and never calls up; it returns why it ended, and the task acts on
//! that, without a permit in hand whenever it waits. Before every step that others could
//! come before, there is a yield point.
//!
//! ```text
//! driver      slice after slice, until the body ends
//! wait        waiting for futures, channels, mutexes and time
//! meter       what the tasks of a fork use of the time
//! operation   sleeps and host operations, which interrupt handlers may come between
//! ending      what happens when a body has ended
//! ```

mod driver;
mod ending;
mod meter;
mod operation;
mod wait;

pub(crate) use operation::message_of;

use std::any::Any;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::ops::DerefMut;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Weak};
use std::task::Poll;

use gcrucible_heap::{Charge, Checks, Heap, Value};
use gcrucible_platform::planted;
use gcrucible_platform::sync::Mutex;
use gcrucible_vm::Vm;

use self::driver::Driver;
use self::ending::BodyEnd;
use self::meter::{Meter, metered};
use crate::call::{CallGuard, CallKind, Outcome};
use crate::cancellation::{Link, Token};
use crate::deadlock::{Busy, Presence};
use crate::engine::{Engine, small_ints};
use crate::event::EngineEvent;
use crate::futures::Signal;
use crate::run::{Membership, Run};
use crate::serve::DetachedPlace;

/// The engine's own yield points, as [`Place::at`](gcrucible_platform::Place::at) names
/// them.
pub mod yield_points {
    /// A task is about to start.
    pub const START: u32 = 1;
    /// Between a machine's await and the engine's answer.
    pub const BEFORE_WAIT: u32 = 2;
    /// Between the end of a body and the future's settling.
    pub const BEFORE_SETTLE: u32 = 3;
    /// Between the settling and the removal from the registry.
    pub const BEFORE_REMOVE: u32 = 4;
    /// Between the removal, or a change of a channel or mutex, and the waking of who waits.
    pub const BEFORE_WAKE: u32 = 5;
    /// Between the end of a call's body and the call's end.
    pub const BEFORE_CALL_END: u32 = 6;
    /// The collector of `collect=continuous`.
    pub const CONTINUOUS_COLLECTION: u32 = 7;

    /// The name of a yield point, for timelines.
    pub fn name(at: u32) -> &'static str {
        match at {
            START => "start",
            BEFORE_WAIT => "before wait",
            BEFORE_SETTLE => "before settle",
            BEFORE_REMOVE => "before remove",
            BEFORE_WAKE => "before wake",
            BEFORE_CALL_END => "before call end",
            CONTINUOUS_COLLECTION => "continuous collection",
            _ => "yield point",
        }
    }
}

/// What a task is for.
#[derive(Debug)]
pub(crate) enum Runs {
    /// A call of the host.
    Call(CallGuard),
    /// The body of a future, its token's place among the others, and the task's place in a run
    /// unless it is detached.
    Future(u64, Link, Option<Membership>),
}

/// How the task of a call gets what it runs.
#[derive(Debug)]
pub(crate) enum Beginning {
    /// Its machine has it.
    Ready,
    /// It takes the finalizer of that number from the queue.
    Finalizer(u64),
    /// It gives its machine a global of its realm, and arguments.
    Late(LateStart),
}

/// A call that began while the heap was being collected.
#[derive(Debug)]
pub(crate) struct LateStart {
    pub(crate) global: u16,
    /// Ints that need no box.
    pub(crate) args: Vec<i64>,
}

/// A task's state that others reach.
#[derive(Debug)]
pub(crate) struct Task {
    number: u32,
    vm: Arc<Vm>,
    token: Arc<Token>,
    signal: Arc<Signal>,
    /// The run it belongs to; none for a detached task.
    run: Option<Arc<Run>>,
    /// The deadline that it inherited, in milliseconds of the engine's time.
    inherited_deadline: Option<u64>,
    /// Its place among the tasks of forks that belong to no call, if it is one.
    _detached: Option<DetachedPlace>,
    /// What it is still to give its machine.
    late: Mutex<Option<LateStart>>,
    /// What it takes outside of the heap's blocks.
    charge: Mutex<Charge>,
    /// Counts its time, if it shares its turns.
    meter: Option<Arc<Meter>>,
    /// Counts it, once it has been started.
    presence: Option<Presence>,
    /// The squad that it was spawned in.
    squad: Option<SquadOf>,
    /// Its own squads, by number, that have failed since its last slice.
    failed_squads: Mutex<Vec<u32>>,
}

/// A squad.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SquadOf {
    /// The number of the task whose it is.
    pub(crate) task: u32,
    /// Its number among those of that task.
    pub(crate) number: u32,
}

impl Task {
    /// What a task takes besides the stack of its machine when that has grown: measured over
    /// 100,000 that sleep.
    pub(crate) const BYTES: u64 = 5 << 10;

    /// A task; the root of a run waits for the signal of that.
    pub(crate) fn new(
        number: u32,
        vm: Arc<Vm>,
        token: Arc<Token>,
        run: Option<Arc<Run>>,
        inherited_deadline: Option<u64>,
        charge: Charge,
    ) -> Self {
        let signal = match &run {
            Some(run) if run.root() == number => Arc::clone(run.signal()),
            _ => Arc::default(),
        };
        Task {
            number,
            vm,
            token,
            signal,
            run,
            inherited_deadline,
            _detached: None,
            late: Mutex::default(),
            charge: Mutex::new(charge),
            meter: None,
            presence: None,
            squad: None,
            failed_squads: Mutex::default(),
        }
    }

    /// The same with something to give to its machine first.
    pub(crate) fn starting(mut self, late: Option<LateStart>) -> Self {
        *self.late.get_mut() = late;
        self
    }

    /// Charges what its machine has grown by, or shrunk, in a slice. Whether it has grown beyond
    /// the limit.
    fn charge_machine(&self, heap: &Heap) -> bool {
        let bytes = Task::BYTES + self.vm.grown_bytes();
        let mut charge = self.charge.lock();
        let before = charge.bytes();
        if bytes != before {
            charge.set(bytes);
        }
        bytes > before && heap.is_over_limit(self.vm.realm().account())
    }

    /// Counts it among those that can go on, until its end.
    pub(crate) fn count_in(&mut self, busy: &Arc<Busy>) {
        self.presence = Some(Presence::new(busy, &self.signal));
    }

    /// It shares its turns with the other tasks of its realm from now on, if that is a fork's.
    pub(crate) fn share_turns(&mut self) {
        let realm = self.vm.realm();
        self.meter = realm.is_fork().then(|| Meter::new(realm.party()));
    }

    /// Whether it is the root of a run that handles signals.
    pub(crate) fn takes_interrupts(&self) -> bool {
        self.own_run().is_some_and(|run| run.takes_interrupts())
    }

    /// The same in a place among the tasks of forks that belong to no call.
    pub(crate) fn in_place(mut self, mut place: DetachedPlace, now_ms: u64) -> Self {
        place.start(&self.token, now_ms);
        self._detached = Some(place);
        self
    }

    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    pub(crate) fn vm(&self) -> &Vm {
        &self.vm
    }

    /// When the time is over that it inherited.
    pub(crate) fn inherited_deadline(&self) -> Option<u64> {
        self.inherited_deadline
    }

    /// The same spawned in a squad.
    pub(crate) fn in_squad(mut self, squad: Option<SquadOf>) -> Self {
        self.squad = squad;
        self
    }

    /// Tells it that a task has failed which it spawned in one of its squads. Whether that woke it.
    fn squad_failed(&self, number: u32) -> bool {
        self.failed_squads.lock().push(number);
        self.signal.notify()
    }

    pub(crate) fn signal(&self) -> &Signal {
        &self.signal
    }

    /// The run whose root this task is.
    fn own_run(&self) -> Option<&Arc<Run>> {
        self.run.as_ref().filter(|run| run.root() == self.number)
    }
}

/// The live tasks by number.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    tasks: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    tasks: BTreeMap<u32, Weak<Task>>,
    /// At so many, those that have ended are forgotten.
    prune_at: usize,
}

impl Tasks {
    pub(crate) fn add(&self, task: &Arc<Task>) {
        let mut known = self.tasks.lock();
        if known.tasks.len() >= known.prune_at {
            known.tasks.retain(|_, task| task.strong_count() > 0);
            // A look at all of them only after as many new ones.
            known.prune_at = known.tasks.len() * 2 + 16;
        }
        known.tasks.insert(task.number, Arc::downgrade(task));
    }

    /// All of them, in order.
    pub(crate) fn live(&self) -> Vec<Arc<Task>> {
        let known = self.tasks.lock();
        known.tasks.values().filter_map(Weak::upgrade).collect()
    }

    pub(crate) fn find(&self, number: u32) -> Option<Arc<Task>> {
        self.tasks.lock().tasks.get(&number)?.upgrade()
    }
}

/// Runs a task to its end, whatever happens: when the engine itself panics in it, it ends as by
/// a host operation that panics, on platforms that want to survive that.
pub(crate) fn driven<C: Checks>(
    engine: Engine,
    task: Arc<Task>,
    runs: Runs,
) -> gcrucible_platform::Task {
    let Some(meter) = task.meter.clone() else {
        return Box::pin(drive::<C>(engine, task, runs));
    };
    let platform = Arc::clone(&engine.inner.platform);
    Box::pin(metered(platform, meter, drive::<C>(engine, task, runs)))
}

async fn drive<C: Checks>(engine: Engine, task: Arc<Task>, runs: Runs) {
    let platform = Arc::clone(&engine.inner.platform);
    let future = match &runs {
        Runs::Future(id, ..) => Some(*id),
        Runs::Call(_) => None,
    };
    let mut runs = Some(runs);
    let Err(panic) = caught(pin!(drive_body::<C>(&engine, &task, &mut runs))).await else {
        return;
    };
    if !platform.survives_panics() {
        resume_unwind(panic);
    }
    let message = message_of(&*panic);
    let ending = end_panicked::<C>(&engine, &task, &mut runs, message.clone());
    if caught(Box::pin(ending)).await.is_err() {
        // There is no heap to end it with.
        drop_panicked(&engine, &task, runs, future, message);
    }
}

/// The future's end, or what it panicked with. Nothing of it is looked at after that.
async fn caught<F: Future<Output = ()>>(mut future: Pin<impl DerefMut<Target = F>>) -> Caught {
    poll_fn(
        |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        },
    )
    .await
}

type Caught = Result<(), Box<dyn Any + Send>>;

async fn drive_body<C: Checks>(engine: &Engine, task: &Arc<Task>, kept: &mut Option<Runs>) {
    let Some(runs) = kept else { return };
    let mut driver = Driver::new(engine, task);
    driver.yield_at(yield_points::START).await;
    drop(driver.shared_turn().await);
    // A call or future that is cancelled before it starts never runs.
    let end = if !task.token.is_requested() {
        start::<C>(engine, task, runs).await;
        driver.run::<C>().await
    } else if planted!(B62, matches!(runs, Runs::Call(_))) {
        task.token.set_delivered(engine.inner.now_ms());
        start::<C>(engine, task, runs).await;
        driver.run::<C>().await
    } else {
        if planted!(B154) {
            let nothing = engine.inner.heap.charge_anyway(None, 0);
            std::mem::forget(std::mem::replace(&mut *task.charge.lock(), nothing));
        }
        BodyEnd::NeverStarted
    };
    finish::<C>(&driver, kept.take(), end).await;
}

async fn finish<C: Checks>(driver: &Driver<'_>, runs: Option<Runs>, end: BodyEnd) {
    match runs {
        Some(Runs::Call(guard)) => driver.end_call::<C>(guard, end).await,
        Some(Runs::Future(id, link, membership)) => {
            driver.settle::<C>(id, link, membership, end).await;
        }
        None => {}
    }
}

/// Ends a task in which the engine panicked, as one in which a host operation did.
async fn end_panicked<C: Checks>(
    engine: &Engine,
    task: &Arc<Task>,
    kept: &mut Option<Runs>,
    message: String,
) {
    let mut driver = Driver::new(engine, task);
    let end = driver.fail::<C>(message.clone()).await;
    // It panicked at its very end: what it had is gone.
    let runs = kept.take().expect("the task has not ended");
    if let Runs::Call(guard) = &runs {
        guard.call().set_fault(message);
    }
    finish::<C>(&driver, Some(runs), end).await;
}

/// The same without the heap: whoever waits for the task is woken and finds it gone.
fn drop_panicked(
    engine: &Engine,
    task: &Task,
    runs: Option<Runs>,
    future: Option<u64>,
    message: String,
) {
    let inner = &engine.inner;
    if let Some(Runs::Call(guard)) = runs {
        let call = Arc::clone(guard.call());
        call.set_fault(message);
        guard.end(Outcome::Panicked);
        let outcome = Outcome::Panicked;
        inner.observe(&EngineEvent::CallEnded {
            call: &call,
            outcome,
        });
    }
    let removed = future.and_then(|id| inner.registry.remove(id));
    for (_, signal) in removed.map(|it| it.waiters).unwrap_or_default() {
        signal.notify();
    }
    if let Some(run) = &task.run {
        run.signal().notify();
    }
}

/// Gives the machine of a future or finalizer its callee and arguments.
async fn start<C: Checks>(engine: &Engine, task: &Task, runs: &Runs) {
    let inner = &engine.inner;
    let id = match runs {
        Runs::Future(id, ..) => *id,
        Runs::Call(guard) if guard.call().kind() == CallKind::Finalizer => {
            return start_finalizer(engine, task).await;
        }
        Runs::Call(_) => {
            let late = task.late.lock().take();
            if let Some(late) = late {
                let permit = inner.heap.shared().await;
                task.vm
                    .start_global(&permit, late.global, &small_ints(&late.args));
            }
            return;
        }
    };
    let permit = inner.heap.shared().await;
    let m = permit.reader::<C>();
    let call = inner.registry.start(id, &m);
    let count = m.unscheduled_args(call).unwrap_or(0);
    let part = |index: u32| m.unscheduled_part(call, index).unwrap_or(Value::NIL);
    let args: Vec<Value<'_>> = (1..=count).map(part).collect();
    task.vm.start_call(&permit, part(0), &args);
}

/// Takes a finalizer from the queue: its machine calls it with its object.
async fn start_finalizer(engine: &Engine, task: &Task) {
    let inner = &engine.inner;
    let permit = inner.heap.shared().await;
    let taken = permit.take_finalizer();
    let (function, object) = taken.expect("only the finalizer that runs takes from the queue");
    task.vm.start_call(&permit, function, &[object]);
}
