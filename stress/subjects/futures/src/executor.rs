//! Runs a world under a strategy, one decision for each poll, and judges it.
//!
//! Everything that can happen is an actor that a strategy can choose: the next poll of a woken task, the drop of a
//! droppable one, a poll that nobody asked for, the next timer. So a drop is one event at a uniformly drawn place
//! under URW, a change of priorities under PCT, and a recorded decision that shrinks in a replay.

mod dry_run;
mod judge;
mod points;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::{Context, Poll};

use gcrucible_explore::{Driver, EventCounts, InjectionPoint, ReadyActor, Schedule, Strategy};
use gcrucible_scenario::Lane;
use gcrucible_trace::{Failure, RunOptions, RunReport, Site};

use super::settings::{Disturbance, Settings};
use super::world::{Inner, PlannedPanic, TaskFuture, World};

/// Polls without any progress after which all who are awake are said to spin.
const IDLE_MAX: u32 = 400;

/// Polls without progress after which a task that wakes itself gives way to others.
const PATIENCE: u32 = 40;

/// What a decision is about: three actors for each task.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Event {
    Poll(usize),
    Drop(usize),
    Spurious(usize),
    Timer,
}

fn actor(task: usize, event: u32) -> u32 {
    1 + 3 * task as u32 + event
}

fn event(actor: u32) -> Event {
    if actor == Site::TIMERS {
        return Event::Timer;
    }
    let task = (actor as usize - 1) / 3;
    match (actor - 1) % 3 {
        0 => Event::Poll(task),
        1 => Event::Drop(task),
        _ => Event::Spurious(task),
    }
}

/// A run under way.
struct Executor<'s> {
    world: World,
    report: RunReport,
    /// Whether somebody will read what happened.
    records: bool,
    driver: Driver<'s>,
    ready: Vec<ReadyActor>,
    spurious: u8,
    /// Polls since something happened that is not a task waking itself.
    idle: u32,
    progress: u32,
    hash: u64,
    /// Steps of each actor, for strategies that need to know them.
    counts: Option<EventCounts>,
    /// Where something can be injected, for the strategy that does so.
    points: Option<Vec<InjectionPoint>>,
    /// The task that is to panic at its next place for that.
    panics: Option<usize>,
    was_forgotten: bool,
}

/// Runs a world.
pub(crate) fn run(
    lane: Lane,
    make: &dyn Fn(&World),
    settings: &Settings,
    schedule: &Schedule,
    options: &RunOptions,
) -> RunReport {
    let counts = dry_run::counts(lane, make, settings, schedule);
    let driver = Driver::new(schedule, options, counts.as_deref());
    let mut executor = Executor::new(settings, driver, options.record);
    executor.run(make, options);
    executor.report
}

/// Runs a world under a strategy that goes on with the next run. Also returns how many droppable tasks
/// it had.
pub(crate) fn run_under(
    make: &dyn Fn(&World),
    settings: &Settings,
    strategy: &mut dyn Strategy,
    options: &RunOptions,
) -> (RunReport, usize) {
    let driver = Driver::with(Box::new(strategy), options);
    let mut executor = Executor::new(settings, driver, options.record);
    executor.run(make, options);
    (executor.report, executor.world.0.droppables.get())
}

impl<'s> Executor<'s> {
    fn new(settings: &Settings, driver: Driver<'s>, records: bool) -> Self {
        Executor {
            world: World::new(settings, records),
            report: RunReport::default(),
            records,
            driver,
            ready: Vec::new(),
            spurious: settings.spurious,
            idle: 0,
            progress: 0,
            hash: 0,
            counts: None,
            points: None,
            panics: None,
            was_forgotten: false,
        }
    }

    fn run(&mut self, make: &dyn Fn(&World), options: &RunOptions) {
        let world = self.world.clone();
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| make(&world))) {
            self.fail("no_crash", "panic", "the world", &panic_text(&*payload));
        }
        while self.report.failure.is_none() {
            self.show();
            let Some((site, choice)) = self.driver.next(&self.ready, &mut self.report) else {
                break;
            };
            let places = self.world.panic_places();
            self.note_points();
            if let Some(inject) = choice.inject {
                self.inject(inject);
            }
            self.step(event(site.actor));
            if self.world.panic_places() > places {
                self.note_panic_point(event(site.actor));
            }
            self.driver.ran(1);
            if let Some(counts) = &mut self.counts {
                counts.note(site.actor, 1);
            }
            if self.idle > IDLE_MAX {
                self.spins();
            }
        }
        self.report.counters.tasks = world.0.tasks.borrow().len() as u64;
        if self.report.failure.is_none() && self.report.diverged.is_none() {
            self.judge(options);
        }
        self.clean_up();
        self.report.trace_hash = self.hash;
        self.report.timeline = world.0.lines.take().unwrap_or_default();
    }

    /// Lists what can happen next, in the order of actors.
    fn show(&mut self) {
        self.ready.clear();
        let inner = &self.world.0;
        let tasks = inner.tasks.borrow();
        let woken = inner.wakes.woken();
        let site = |task: usize, event: u32, at: u32| ReadyActor {
            site: Site {
                actor: actor(task, event),
                at,
                ..Site::default()
            },
        };
        // Those that only wake themselves give way, now and then.
        let gives_way = self.idle % PATIENCE == PATIENCE - 1
            && tasks
                .iter()
                .enumerate()
                .any(|(at, task)| woken >> at & 1 != 0 && !task.spins);
        for (at, task) in tasks.iter().enumerate() {
            if task.is_done {
                continue;
            }
            let is_woken = woken >> at & 1 != 0;
            if is_woken && !(gives_way && task.spins) {
                self.ready.push(site(at, 0, task.polls));
            }
            let may_drop = match task.disturbance {
                Disturbance::None => false,
                Disturbance::Drop | Disturbance::Forget => true,
                Disturbance::DropWoken => is_woken && task.polls > 0,
            };
            if may_drop {
                self.ready.push(site(at, 1, task.polls));
            }
            if self.spurious > 0 && !is_woken && woken != 0 && task.polls > 0 {
                self.ready.push(site(at, 2, task.polls));
            }
        }
        if woken == 0 && !inner.timers.borrow().is_empty() {
            self.ready.push(ReadyActor {
                site: Site {
                    actor: Site::TIMERS,
                    ..Site::default()
                },
            });
        }
    }

    /// Does what was decided, unless what was injected right before it has made it impossible.
    fn step(&mut self, event: Event) {
        if self.report.failure.is_some() {
            return;
        }
        match event {
            Event::Poll(task) if self.is_unfinished(task) => self.poll(task),
            Event::Spurious(task) if self.is_unfinished(task) => {
                self.spurious -= 1;
                self.note(task, "is polled though nobody woke it");
                self.poll(task);
            }
            Event::Drop(task) if self.is_unfinished(task) => {
                let disturbance = self.world.0.tasks.borrow()[task].disturbance;
                self.drop_task(task, disturbance == Disturbance::Forget);
            }
            Event::Timer if self.world.0.wakes.woken() == 0 => self.fire(),
            _ => {}
        }
    }

    fn is_unfinished(&self, task: usize) -> bool {
        let tasks = self.world.0.tasks.borrow();
        tasks.get(task).is_some_and(|task| !task.is_done)
    }

    fn poll(&mut self, at: usize) {
        let world = self.world.clone();
        let inner = &world.0;
        let (mut future, waker) = {
            let mut tasks = inner.tasks.borrow_mut();
            let task = &mut tasks[at];
            let Some(future) = task.future.take() else {
                return;
            };
            task.polls += 1;
            let waker = match task.waker.take() {
                Some(waker) if !inner.settings.fresh_wakers => waker,
                _ => inner.wakes.waker(at),
            };
            (future, waker)
        };
        inner.current.set(at as u32 + 1);
        inner.panics_next.set(self.panics == Some(at));
        inner.wakes.begin_poll(at);
        let mut context = Context::from_waker(&waker);
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut context)));
        inner.wakes.end_poll();
        inner.panics_next.set(false);
        inner.tasks.borrow_mut()[at].waker = Some(waker);
        self.report.counters.operations += 1;
        self.polled(at, polled, future, inner);
        inner.current.set(0);
    }

    /// What came of a poll.
    fn polled(
        &mut self,
        at: usize,
        polled: std::thread::Result<Poll<()>>,
        future: TaskFuture,
        inner: &Inner,
    ) {
        let is_pending = matches!(polled, Ok(Poll::Pending));
        self.observe(at as u64 * 4 + u64::from(is_pending));
        if is_pending {
            let spins = inner.wakes.woken() >> at & 1 != 0;
            let mut tasks = inner.tasks.borrow_mut();
            tasks[at].future = Some(future);
            tasks[at].spins = spins;
            drop(tasks);
            self.note(at, if spins { "runs on" } else { "waits" });
            let progress = inner.wakes.progress();
            self.idle = if progress == self.progress && spins {
                self.idle + 1
            } else {
                0
            };
            self.progress = progress;
            return;
        }
        self.idle = 0;
        self.end_task(at, Some(future));
        match polled {
            Ok(_) => {
                self.report.counters.futures_ready += 1;
                self.note(at, "ends");
            }
            Err(payload) if payload.is::<PlannedPanic>() || inner.has_panicked.get() => {
                self.report.counters.futures_error += 1;
            }
            Err(payload) => {
                let name = inner.tasks.borrow()[at].name.clone();
                self.fail("no_crash", "panic", &name, &panic_text(&*payload));
            }
        }
    }

    /// Drops a task's future where nothing is borrowed; its drop may panic like any code.
    fn end_task(&mut self, at: usize, future: Option<TaskFuture>) {
        let world = self.world.clone();
        let waker = {
            let mut tasks = world.0.tasks.borrow_mut();
            tasks[at].is_done = true;
            tasks[at].waker.take()
        };
        world.0.wakes.forget(at);
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(future)));
        drop(waker);
        if let Err(payload) = dropped
            && !world.0.has_panicked.get()
        {
            let name = world.0.tasks.borrow()[at].name.clone();
            self.fail("no_crash", "panic_in_drop", &name, &panic_text(&*payload));
        }
    }

    fn drop_task(&mut self, at: usize, is_forgotten: bool) {
        let future = self.world.0.tasks.borrow_mut()[at].future.take();
        self.observe(at as u64 * 4 + 2);
        self.idle = 0;
        self.report.counters.drops += 1;
        if is_forgotten {
            self.note(at, "is forgotten");
            self.was_forgotten = true;
            std::mem::forget(future);
            self.end_task(at, None);
        } else {
            self.note(at, "is dropped");
            self.end_task(at, future);
        }
    }

    fn fire(&mut self) {
        let timer = {
            let mut timers = self.world.0.timers.borrow_mut();
            let first = timers
                .iter()
                .enumerate()
                .min_by_key(|(_, timer)| (timer.at, timer.number));
            let first = first.map(|(at, _)| at);
            first.map(|at| timers.swap_remove(at))
        };
        let Some(timer) = timer else { return };
        self.idle = 0;
        self.observe(3);
        self.report.counters.deadlines += 1;
        self.world.0.now.set(timer.at);
        self.world.note(|| format!("it is {}", timer.at));
        timer.waker.wake();
    }

    fn observe(&mut self, word: u64) {
        let mixed = (self.hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.hash = mixed ^ (mixed >> 29);
    }

    /// A line in a task's column.
    #[inline]
    fn note(&self, at: usize, what: &str) {
        if self.records {
            self.write_note(at, what);
        }
    }

    #[cold]
    fn write_note(&self, at: usize, what: &str) {
        if let Some(lines) = &mut *self.world.0.lines.borrow_mut() {
            let name = self.world.0.tasks.borrow()[at].name.clone();
            lines.push((at as u32 + 1, format!("{name} {what}")));
        }
    }

    fn fail(&mut self, oracle: &str, check: &str, site: &str, message: &str) {
        self.report.failure.get_or_insert_with(|| Failure {
            oracle: oracle.to_owned(),
            check: check.to_owned(),
            site: site.to_owned(),
            message: message.to_owned(),
        });
    }

    /// Takes everything apart, in an order in which nothing that is borrowed is called.
    fn clean_up(&mut self) {
        let inner = Rc::clone(&self.world.0);
        let tasks = std::mem::take(&mut *inner.tasks.borrow_mut());
        let timers = std::mem::take(&mut *inner.timers.borrow_mut());
        let checks = std::mem::take(&mut *inner.at_rest.borrow_mut());
        if self.report.failure.is_some() {
            // What is wrong is not to be asked to clean up.
            std::mem::forget((tasks, timers, checks));
            return;
        }
        let _ = catch_unwind(AssertUnwindSafe(|| drop((tasks, timers, checks))));
    }
}

/// What a panic says.
fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned());
    text.map_or("it panics".to_owned(), |text| format!("it panics: {text}"))
}
