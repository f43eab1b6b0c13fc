//! What the code under test is given.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use gcrucible_trace::choices::{Choices as _, SeededChoices};

use super::settings::{Disturbance, Settings};
use super::token::{Token, Tokens};
use super::waker::{TASKS_MAX, Wakes};

/// A task's future.
pub(crate) type TaskFuture = Pin<Box<dyn Future<Output = ()>>>;

/// A panic of a scenario's own.
pub(crate) struct PlannedPanic;

/// Tasks and time, as the code under test sees them. Clones are of the same world.
#[derive(Clone)]
pub struct World(pub(crate) Rc<Inner>);

pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) wakes: Arc<Wakes>,
    pub(crate) tasks: RefCell<Vec<Task>>,
    pub(crate) at_rest: RefCell<Vec<Box<dyn FnOnce()>>>,
    pub(crate) timers: RefCell<Vec<Timer>>,
    pub(crate) now: Cell<u64>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) must_let_wakers_go: Cell<bool>,
    may_panic: Cell<bool>,
    pub(crate) lines: RefCell<Option<Vec<(u32, String)>>>,
    /// The task being polled, from 1; 0 outside.
    pub(crate) current: Cell<u32>,
    choices: RefCell<SeededChoices>,
    points: Cell<u32>,
    pub(crate) droppables: Cell<usize>,
    /// The scenario has made a task panic.
    pub(crate) has_panicked: Cell<bool>,
    /// The next place at which a task may panic is one at which it does.
    pub(crate) panics_next: Cell<bool>,
}

/// A task.
pub(crate) struct Task {
    pub(crate) name: String,
    pub(crate) future: Option<TaskFuture>,
    pub(crate) waker: Option<Waker>,
    pub(crate) disturbance: Disturbance,
    /// It may be dropped, whether or not its disturbance says so.
    pub(crate) is_droppable: bool,
    /// Polls so far.
    pub(crate) polls: u32,
    pub(crate) is_done: bool,
    /// It need not end.
    pub(crate) is_background: bool,
    /// It woke itself in its last poll.
    pub(crate) spins: bool,
}

/// A timer.
pub(crate) struct Timer {
    pub(crate) at: u64,
    pub(crate) number: u64,
    pub(crate) waker: Waker,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("now", &self.0.now.get())
            .finish_non_exhaustive()
    }
}

impl World {
    pub(crate) fn new(settings: &Settings, records: bool) -> World {
        World(Rc::new(Inner {
            settings: settings.clone(),
            wakes: Wakes::new(),
            tasks: RefCell::default(),
            at_rest: RefCell::default(),
            timers: RefCell::default(),
            now: Cell::new(0),
            tokens: Arc::default(),
            must_let_wakers_go: Cell::new(false),
            may_panic: Cell::new(false),
            lines: RefCell::new(records.then(Vec::new)),
            current: Cell::new(0),
            choices: RefCell::new(SeededChoices::new(settings.seed.into())),
            points: Cell::new(0),
            droppables: Cell::new(0),
            has_panicked: Cell::new(false),
            panics_next: Cell::new(false),
        }))
    }

    /// Starts a task, which must end.
    ///
    /// # Panics
    /// If there are 64 tasks already.
    pub fn task(&self, name: &str, future: impl Future<Output = ()> + 'static) {
        self.spawn(name, Box::pin(future), Disturbance::None);
    }

    /// Starts a task that may be dropped before its first poll, or at any of its awaits.
    /// If nobody drops it, it must end.
    ///
    /// # Panics
    /// If there are 64 tasks already.
    pub fn droppable(&self, name: &str, future: impl Future<Output = ()> + 'static) {
        let index = self.0.droppables.replace(self.0.droppables.get() + 1);
        let disturbance = self.0.settings.of_droppable(index);
        let at = self.spawn(name, Box::pin(future), disturbance);
        self.0.tasks.borrow_mut()[at].is_droppable = true;
    }

    /// Starts a task that need not end.
    ///
    /// # Panics
    /// If there are 64 tasks already.
    pub fn background(&self, name: &str, future: impl Future<Output = ()> + 'static) {
        let at = self.spawn(name, Box::pin(future), Disturbance::None);
        self.0.tasks.borrow_mut()[at].is_background = true;
    }

    /// Starts a task, and returns its place.
    fn spawn(&self, name: &str, future: TaskFuture, disturbance: Disturbance) -> usize {
        let mut tasks = self.0.tasks.borrow_mut();
        assert!(
            tasks.len() < TASKS_MAX,
            "a world has {TASKS_MAX} tasks at the most"
        );
        self.0.wakes.wake(tasks.len());
        tasks.push(Task {
            name: name.to_owned(),
            future: Some(future),
            waker: None,
            disturbance,
            is_droppable: false,
            polls: 0,
            is_done: false,
            is_background: false,
            spins: false,
        });
        tasks.len() - 1
    }

    /// Runs when all tasks have ended: for invariants. A panic is a finding.
    pub fn at_rest(&self, check: impl FnOnce() + 'static) {
        self.0.at_rest.borrow_mut().push(Box::new(check));
    }

    /// Lets others go first, if the schedule says so.
    pub fn yield_now(&self) -> impl Future<Output = ()> + 'static {
        let world = self.clone();
        let mut was_polled = false;
        std::future::poll_fn(move |context| {
            if std::mem::replace(&mut was_polled, true) {
                return Poll::Ready(());
            }
            world.point();
            context.waker().wake_by_ref();
            Poll::Pending
        })
    }

    /// Waits for so many ticks of virtual time, which goes on when nothing else can.
    pub fn sleep(&self, ticks: u64) -> impl Future<Output = ()> + 'static {
        Sleep {
            world: self.clone(),
            until: None,
            ticks,
            number: 0,
        }
    }

    /// The virtual time, in ticks.
    pub fn now(&self) -> u64 {
        self.0.now.get()
    }

    /// A number below `bound`, drawn anew for each scenario: parameters of the world.
    pub fn below(&self, bound: u32) -> u32 {
        self.0.choices.borrow_mut().below(bound)
    }

    /// Something that must be dropped exactly once by the end.
    pub fn token(&self) -> Token {
        self.0.tokens.token()
    }

    /// From here on, what is under test must have let all wakers go when the tasks have ended.
    pub fn must_let_wakers_go(&self) {
        self.0.must_let_wakers_go.set(true);
    }

    /// From here on, the scenario may make a task panic where it yields or sleeps; once in a run.
    pub fn may_panic(&self) {
        self.0.may_panic.set(true);
    }

    /// Whether a task may fail because the scenario has made one panic: locks may be poisoned.
    pub fn has_panicked(&self) -> bool {
        self.0.has_panicked.get()
    }

    /// A line in the report, in the column of the task that says it.
    pub fn note(&self, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut *self.0.lines.borrow_mut() {
            lines.push((self.0.current.get(), line()));
        }
    }

    /// Places so far at which a task may panic.
    pub(crate) fn panic_places(&self) -> u32 {
        match self.0.may_panic.get() {
            true => self.0.points.get(),
            false => 0,
        }
    }

    /// A place at which the scenario may make the task panic.
    fn point(&self) {
        let point = self.0.points.get() + 1;
        self.0.points.set(point);
        let may = self.0.may_panic.get() && !std::thread::panicking();
        let is_it = point == u32::from(self.0.settings.panic_at) || self.0.panics_next.get();
        if may && is_it && !self.0.has_panicked.replace(true) {
            self.note(|| "panics".to_owned());
            resume_unwind(Box::new(PlannedPanic));
        }
    }
}

/// Waits for virtual time.
struct Sleep {
    world: World,
    until: Option<u64>,
    ticks: u64,
    number: u64,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let now = self.world.now();
        let until = match self.until {
            Some(until) => until,
            None => {
                self.world.point();
                self.until = Some(now + self.ticks);
                self.number = u64::from(self.world.0.points.get());
                now + self.ticks
            }
        };
        let inner = Rc::clone(&self.world.0);
        let mut timers = inner.timers.borrow_mut();
        timers.retain(|timer| timer.number != self.number);
        if now >= until {
            return Poll::Ready(());
        }
        timers.push(Timer {
            at: until,
            number: self.number,
            waker: context.waker().clone(),
        });
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let mut timers = self.world.0.timers.borrow_mut();
        timers.retain(|timer| timer.number != self.number || self.until.is_none());
    }
}
