//! The platform on which the harness decides who runs when: one thread, virtual time.
//!
//! Tasks wait as futures with a flag that says whether they are ready. Nobody runs until
//! the executor steps one of them. A task that lets others go first says where it stands,
//! which is what a schedule's decisions are keyed by.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use gcrucible_engine::{Engine, yield_points};
use gcrucible_platform::sync::Mutex;
use gcrucible_platform::{HostOperation, HostRequest, HostValue, Place, Platform, StopToken, Task};
use rustc_hash::FxHashMap;

use crate::scenario::{Data, HostAnswer};
use gcrucible_trace::Site;

/// A platform in which nothing happens by itself.
#[derive(Default)]
pub struct SimulatedPlatform {
    actors: Mutex<Vec<Actor>>,
    timers: Arc<Mutex<Timers>>,
    fuel: AtomicU32,
    random: AtomicU64,
    hash_key: [u64; 2],
    /// What host operations come to, in the order in which they begin.
    answers: Mutex<VecDeque<HostAnswer>>,
    /// Of each operation that has begun whether it was told to stop by its end.
    told: Arc<Mutex<Vec<Option<bool>>>>,
}

/// A task of the engine.
struct Actor {
    number: u32,
    /// Taken out while it is polled; `None` for good when it has ended.
    future: Option<Task>,
    has_ended: bool,
    flag: Arc<Flag>,
    waker: Waker,
    place: Place,
    /// How often it stood where it stands.
    visit: u32,
    visits: FxHashMap<(u16, u32), u32>,
}

/// Whether a task is ready.
#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

/// Virtual time and who waits for it.
#[derive(Default)]
struct Timers {
    now: Duration,
    next: u64,
    waiting: BTreeMap<(Duration, u64), Waker>,
}

impl SimulatedPlatform {
    /// A platform at time zero without tasks; what host operations come to is given, and the
    /// key of the heap's hashes, on which nothing that is recorded may depend.
    pub fn new(answers: &[HostAnswer], hash_key: [u64; 2]) -> Arc<Self> {
        Arc::new(Self {
            random: AtomicU64::new(1),
            hash_key,
            answers: Mutex::new(answers.iter().cloned().collect()),
            ..Self::default()
        })
    }

    /// What a future of the host's gives, which comes between two steps and has no reason to
    /// wait.
    ///
    /// # Panics
    /// If it waits all the same.
    pub fn ready_now<F: Future>(&self, future: F) -> F::Output {
        let mut future = std::pin::pin!(future);
        let mut cx = Context::from_waker(Waker::noop());
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("nobody holds a permit between two steps"),
        }
    }

    /// Adds the sites of the ready tasks, in order of their numbers.
    pub fn ready(&self, ready: &mut Vec<Site>) {
        for actor in self.actors.lock().iter() {
            if !actor.has_ended && actor.flag.0.load(Relaxed) {
                ready.push(Site {
                    actor: actor.number,
                    function: actor.place.function,
                    at: actor.place.at,
                    visit: actor.visit,
                });
            }
        }
    }

    /// Runs a ready task until it lets others go first, waits, or ends.
    pub fn step(&self, number: u32, fuel: u32) {
        self.fuel.store(fuel.max(1), Relaxed);
        let (index, mut future, waker) = {
            let mut actors = self.actors.lock();
            let Some(index) = actors.iter().position(|actor| actor.number == number) else {
                return;
            };
            let actor = &mut actors[index];
            actor.flag.0.store(false, Relaxed);
            let Some(future) = actor.future.take() else {
                return;
            };
            (index, future, actor.waker.clone())
        };
        let poll = future.as_mut().poll(&mut Context::from_waker(&waker));
        match poll {
            Poll::Pending => self.actors.lock()[index].future = Some(future),
            Poll::Ready(()) => {
                self.actors.lock()[index].has_ended = true;
                drop(future);
            }
        }
    }

    /// The time.
    pub fn now_ms(&self) -> u64 {
        self.timers.lock().now.as_millis() as u64
    }

    /// Number of timers that are set; zero at rest.
    pub fn timers(&self) -> usize {
        self.timers.lock().waiting.len()
    }

    /// Goes on to the next timer and fires it. Returns whether there was one.
    pub fn fire_next_timer(&self) -> bool {
        let first = {
            let mut timers = self.timers.lock();
            let first = timers.waiting.pop_first();
            if let Some(((deadline, _), _)) = &first {
                timers.now = timers.now.max(*deadline);
            }
            first
        };
        first.map(|(_, waker)| waker.wake()).is_some()
    }

    /// Lets time pass and fires what is due.
    pub fn advance(&self, by: Duration) {
        let until = {
            let mut timers = self.timers.lock();
            timers.now += by;
            timers.now
        };
        while self
            .timers
            .lock()
            .waiting
            .first_key_value()
            .is_some_and(|((at, _), _)| *at <= until)
        {
            self.fire_next_timer();
        }
    }

    /// Of each host operation, in order of their begins, whether it was told to stop before it
    /// ended or was dropped; nothing of one that panicked or has not ended.
    pub fn told(&self) -> Vec<Option<bool>> {
        self.told.lock().clone()
    }

    /// Drops all tasks, as the end of the process would.
    pub fn clear(&self) {
        let actors = std::mem::take(&mut *self.actors.lock());
        drop(actors);
        self.timers.lock().waiting.clear();
    }
}

impl Platform for SimulatedPlatform {
    fn is_parallel(&self) -> bool {
        false
    }

    fn spawn(&self, number: u32, task: Task) {
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let place = Place {
            task: number,
            function: Place::ENGINE,
            at: yield_points::START,
        };
        self.actors.lock().push(Actor {
            number,
            future: Some(task),
            has_ended: false,
            waker: Waker::from(Arc::clone(&flag)),
            flag,
            place,
            visit: 0,
            visits: FxHashMap::default(),
        });
    }

    fn sleep(&self, duration: Duration) -> Task {
        sleep(&self.timers, duration)
    }

    fn now(&self) -> Duration {
        self.timers.lock().now
    }

    fn hash_key(&self) -> [u64; 2] {
        self.hash_key
    }

    fn random(&self) -> u64 {
        // Weyl sequence: any stream does, as long as it is the same each time.
        self.random.fetch_add(0x9E37_79B9_7F4A_7C15, Relaxed)
    }

    fn host(&self, request: HostRequest) -> HostOperation {
        let answer = self.answers.lock().pop_front();
        let answer = answer.unwrap_or_else(|| HostAnswer {
            result: Err(format!("nobody answers `{}`", request.name)),
            ..HostAnswer::default()
        });
        let number = {
            let mut told = self.told.lock();
            told.push(None);
            told.len() - 1
        };
        Box::pin(Answering {
            timer: self.sleep(Duration::from_millis(u64::from(answer.after_ms))),
            answer,
            stop: request.stop,
            stopping: None,
            timers: Arc::clone(&self.timers),
            told: Arc::clone(&self.told),
            number,
        })
    }

    fn fuel(&self, _task: u32) -> u32 {
        self.fuel.load(Relaxed)
    }

    fn poll_yield(&self, place: Place, has_yielded: bool, cx: &mut Context<'_>) -> Poll<()> {
        // A task that was spawned stands at its start already.
        let is_start = place.function == Place::ENGINE && place.at == yield_points::START;
        if has_yielded || is_start {
            return Poll::Ready(());
        }
        let mut actors = self.actors.lock();
        if let Some(actor) = actors.iter_mut().find(|actor| actor.number == place.task) {
            actor.place = place;
            let visits = actor.visits.entry((place.function, place.at)).or_default();
            actor.visit = *visits;
            *visits += 1;
        }
        drop(actors);
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// A host operation under way.
struct Answering {
    answer: HostAnswer,
    timer: Task,
    stop: StopToken,
    /// It was told to stop and heeds that: when it ends.
    stopping: Option<Task>,
    timers: Arc<Mutex<Timers>>,
    told: Arc<Mutex<Vec<Option<bool>>>>,
    number: usize,
}

impl Future for Answering {
    type Output = Result<HostValue, String>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.timer.as_mut().poll(cx).is_ready() {
            if let Some(message) = this.answer.panics.take() {
                this.number = usize::MAX;
                // A panic of the host's, which is no finding: without a word on stderr.
                std::panic::resume_unwind(Box::new(message));
            }
            let result = this.answer.result.as_ref();
            return Poll::Ready(result.map(host_value).map_err(String::clone));
        }
        let Some(after_ms) = this.answer.stops_after_ms else {
            return Poll::Pending;
        };
        if this.stopping.is_none() && this.stop.poll_fired(cx).is_ready() {
            this.stopping = Some(sleep(&this.timers, Duration::from_millis(after_ms.into())));
        }
        match &mut this.stopping {
            Some(timer) => timer.as_mut().poll(cx).map(|()| Err("stopped".to_owned())),
            None => Poll::Pending,
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if let Some(told) = self.told.lock().get_mut(self.number) {
            *told = Some(self.stop.has_fired());
        }
    }
}

/// A timer that ends after this much time.
fn sleep(timers: &Arc<Mutex<Timers>>, duration: Duration) -> Task {
    let key = {
        let mut timers = timers.lock();
        let key = (timers.now + duration, timers.next);
        timers.next += 1;
        key
    };
    Box::pin(Sleep {
        timers: Arc::clone(timers),
        key,
    })
}

fn host_value(data: &Data) -> HostValue {
    match data {
        Data::Nil => HostValue::Nil,
        Data::Bool(bool) => HostValue::Bool(*bool),
        Data::Int(int) => HostValue::Int(*int),
        Data::Float(bits) => HostValue::Float(f64::from_bits(*bits)),
        Data::Text(text) => HostValue::String(text.clone()),
        Data::List(elements) => HostValue::Array(elements.iter().map(host_value).collect()),
        Data::Map(entries) => HostValue::Map(
            entries
                .iter()
                .map(|(key, value)| (key.clone(), host_value(value)))
                .collect(),
        ),
    }
}

/// Data as the trace has it.
pub(super) fn data(value: &HostValue) -> Data {
    match value {
        HostValue::Nil => Data::Nil,
        HostValue::Bool(bool) => Data::Bool(*bool),
        HostValue::Int(int) => Data::Int(*int),
        HostValue::Float(float) => Data::Float(float.to_bits()),
        HostValue::String(text) => Data::Text(text.clone()),
        HostValue::Array(elements) => Data::List(elements.iter().map(data).collect()),
        HostValue::Map(entries) => Data::Map(
            entries
                .iter()
                .map(|(key, value)| (key.clone(), data(value)))
                .collect(),
        ),
    }
}

/// Whether an actor is the collector of `collect=continuous`, which never ends by itself.
pub fn is_collector(site: &Site) -> bool {
    site.actor == Engine::COLLECTOR_TASK
}

/// A timer; dropping it takes it out.
struct Sleep {
    timers: Arc<Mutex<Timers>>,
    key: (Duration, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut timers = self.timers.lock();
        if timers.now >= self.key.0 {
            timers.waiting.remove(&self.key);
            return Poll::Ready(());
        }
        timers.waiting.insert(self.key, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.timers.lock().waiting.remove(&self.key);
    }
}
