//! Runs programs raced with a host script, on the simulated platform.

mod canary;
mod dump;
mod host;
mod joiners;
mod observer;
mod tally;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use gcrucible_bytecode::VerifiedProgram;
use gcrucible_engine::{CallKind, Engine, EngineOptions, NewVersion};
use gcrucible_frontend::Source;
use gcrucible_heap::{CollectMode, CollectionKind, Heap, HeapDebug, HeapFault, Kind};

use self::canary::Canary;
use self::host::{HostScript, Progress};
use self::observer::TraceObserver;
use super::footprint::{Step, Watch};
use super::simulated_platform::{SimulatedPlatform, is_collector};
use super::trace::{Event, Passing};
use super::{Ran, heap_debug, kind_of, note_heap, points, region_pool, trace_digest};
use crate::oracles::{
    self, Evidence, Notes, deadlocks_are_seen, matches_reference, memory_runs_out_with_reason,
};
use crate::scenario::{Body, HostEvent, ModuleSource, Programs, Scenario, is_costly};
use gcrucible_explore::{self as scheduler, EventCounts, Point, ReadyActor, Strategy, Touched};
use gcrucible_explore::{DryRun, Schedule, StrategyName};
use gcrucible_trace::{Decision, EventKind, Failure, Injected, RunOptions, RunReport, Site};

/// Frames of a task: few, so that a generated recursion meets the limit, and that three such
/// tasks end in time when each instruction is followed by a collection that goes over all of
/// their frames.
pub const MAX_FRAMES: usize = 128;

/// Milliseconds of grace: few, so that the times in a generated program meet them.
pub const GRACE_MS: u64 = 5;

/// Requests that may be under way at once: few, so that a generated script meets the limit.
pub const REQUESTS_MAX: usize = 3;

/// Words that collections of one run may go over before only those come that the engine itself
/// needs: well under a second of CPU time, many times what a usual scenario takes. Without it a
/// long program whose every step is followed by a verified collection takes as long as one that
/// hangs.
const FORCED_WORK_MAX: u64 = 40_000_000;

/// Decisions without a timer that is set after which time passes by itself: however long a body goes
/// on, the grace time that it has comes to its end.
const DECISIONS_PER_MS: u32 = 1_000;

/// The signal that a schedule raises by itself.
const INJECTED_SIGNAL: &str = "INT";

/// Frames of a task of a person's own program: as many as in production.
const MAX_FRAMES_OWN: usize = gcrucible_vm::Vm::MAX_FRAMES_PRODUCTION;

/// Runs a scenario of programs.
///
/// # Panics
/// When the engine does; a stale access is caught and becomes a failure.
pub fn run(scenario: &Scenario, programs: &Programs, options: &RunOptions) -> Ran {
    let compiled = match compile(programs) {
        Ok(compiled) => compiled,
        Err(refusal) => {
            return Ran {
                report: refused(refusal),
                ..Ran::default()
            };
        }
    };
    let mut schedule = scenario.schedule.clone();
    if !options.advantages.controlled_schedule {
        schedule = Schedule::Drawn {
            strategy: StrategyName::RoundRobin,
            seed: 0,
        };
    }
    let counts =
        dry_schedule(&schedule).map(|dry| dry_run(scenario, programs, &compiled, &dry, options));
    let mut strategy = scheduler::strategy(&schedule, options.replay, counts.as_ref());
    run_under(scenario, programs, &compiled, &mut *strategy, options)
}

/// Runs a scenario whose programs are compiled already, under a strategy that need not be
/// that of its schedule.
///
/// # Panics
/// When the engine does; a stale access is caught and becomes a failure.
pub fn run_under(
    scenario: &Scenario,
    programs: &Programs,
    compiled: &Compiled,
    strategy: &mut dyn Strategy,
    options: &RunOptions,
) -> Ran {
    let debug = heap_debug(scenario, options.advantages);
    let mut run = Run::new(scenario, compiled, debug, options);
    let outcome = catch_unwind(AssertUnwindSafe(|| run.all(programs, strategy)));
    run.report.counters.injections = u64::from(strategy.injected());
    match outcome {
        Ok(result) => run.report.failure = result.err(),
        // What the verifier saw before a panic says more than the panic.
        Err(payload) => match (run.observer.take_failure(), payload.downcast::<HeapFault>()) {
            (Some(failure), _) => run.report.failure = Some(failure),
            (None, Ok(fault)) => run.report.failure = Some(stale(&fault)),
            (None, Err(other)) => resume_unwind(other),
        },
    }
    run.finish(&compiled.entry)
}

/// Why there is no program to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The front end's diagnostics, as people read them.
    FrontEnd(String),
    /// What the verifier has against the edited bytecode.
    Verifier(String),
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refused::FrontEnd(message) => f.write_str(message),
            Refused::Verifier(message) => write!(f, "the verifier refused the edits: {message}"),
        }
    }
}

/// The programs of a scenario, compiled once for all of its runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Compiled {
    /// The entry module, with the scenario's edits.
    pub entry: Arc<VerifiedProgram>,
    /// What the embedder reloads to.
    pub versions: Vec<NewVersion>,
}

/// Compiles the entry module, makes the scenario's edits, and compiles the versions.
///
/// # Errors
/// Who refused the entry module, and why.
pub fn compile(programs: &Programs) -> Result<Compiled, Refused> {
    let mut entry = compile_module(&programs.entry).map_err(Refused::FrontEnd)?;
    if !programs.edits.is_empty() {
        let mut edited = entry.into_inner();
        for edit in &programs.edits {
            edit.apply(&mut edited);
        }
        edited.find_live_registers();
        entry = VerifiedProgram::new(edited)
            .map_err(|refusal| Refused::Verifier(refusal.errors[0].to_string()))?;
    }
    let version = |source| compile_module(source).map(Arc::new);
    Ok(Compiled {
        entry: Arc::new(entry),
        versions: programs.versions.iter().map(version).collect(),
    })
}

fn compile_module(source: &ModuleSource) -> Result<VerifiedProgram, String> {
    let text = match source {
        ModuleSource::Text(text) => text.clone(),
        ModuleSource::Tree(module) if module.modules.is_empty() => module.render(),
        ModuleSource::Tree(module) => {
            let files = Files(module.render_files());
            return gcrucible_frontend::compile_modules("main.crux", &files)
                .map_err(|errors| errors.render(false));
        }
    };
    let source = Source {
        path: "main.crux".to_owned(),
        text,
    };
    gcrucible_frontend::compile(&source).map_err(|errors| errors.render(&source, false))
}

/// The modules of a generated program.
struct Files(Vec<(String, String)>);

impl gcrucible_frontend::Loader for Files {
    fn load(&self, path: &str) -> Result<String, String> {
        let found = self.0.iter().find(|(name, _)| name == path);
        found
            .map(|(_, text)| text.clone())
            .ok_or_else(|| "there is no such module".to_owned())
    }
}

/// A program that the front end refuses is no finding of the engine; the campaign counts
/// it and warns. That the verifier refuses edited bytecode is what it is there for.
fn refused(refusal: Refused) -> RunReport {
    let mut report = RunReport::default();
    report.counters.scenarios = 1;
    match refusal {
        Refused::FrontEnd(_) => report.counters.invalid = 1,
        Refused::Verifier(_) => report.counters.refused = 1,
    }
    report.timeline.push((0, refusal.to_string()));
    report
}

/// The schedule of the dry run that a schedule needs. Uniform random walk weighs actors by
/// the events they still have, which a run without races can tell; the k-th point is one of
/// its base schedule, and so is what is aimed at.
fn dry_schedule(schedule: &Schedule) -> Option<Schedule> {
    match schedule.dry_run() {
        // Its guess is good enough for what a dry run costs.
        DryRun::Nothing | DryRun::Length => None,
        DryRun::Events => Some(Schedule::Drawn {
            strategy: StrategyName::RoundRobin,
            seed: 0,
        }),
        DryRun::Points => Some(schedule.clone()),
    }
}

/// Runs the scenario once, to count each actor's events or the points of its base schedule.
fn dry_run(
    scenario: &Scenario,
    programs: &Programs,
    compiled: &Compiled,
    schedule: &Schedule,
    options: &RunOptions,
) -> EventCounts {
    let mut strategy = scheduler::strategy(schedule, options.replay, None);
    let needs_points = strategy.note().is_some();
    // A point is a decision of the very run that is repeated, so under the same modes.
    let debug = match needs_points {
        true => heap_debug(scenario, options.advantages),
        false => HeapDebug::default(),
    };
    let mut run = Run::new(scenario, compiled, debug, options);
    run.counts = Some(EventCounts::default());
    run.marks = needs_points.then(Vec::new);
    // A dry run that breaks counts what it saw; the real run will say what is wrong.
    let _ = catch_unwind(AssertUnwindSafe(|| run.explore(programs, &mut *strategy)));
    let mut counts = run.counts.take().unwrap_or_default();
    if let Some(marks) = run.marks.take() {
        let events = run.observer.take_events();
        let is_aimed = matches!(
            schedule,
            Schedule::Drawn {
                strategy: StrategyName::Aimed,
                ..
            }
        );
        let points_of_run = match is_aimed {
            true => points::aimed,
            false => points::everywhere,
        };
        counts.set_points(points_of_run(&marks, &events, CallKind::HOST_IDS));
    }
    run.tear_down();
    counts
}

/// What was there before a step.
#[derive(Clone, Copy)]
struct Seen<'p> {
    site: Site,
    host: Option<&'p HostEvent>,
    events: usize,
    refills: u64,
    timers: usize,
}

struct Run<'s> {
    /// What a canary falsifies.
    canary: Canary,
    options: &'s RunOptions,
    /// What the run begins with.
    program: Arc<VerifiedProgram>,
    platform: Arc<SimulatedPlatform>,
    observer: Arc<TraceObserver>,
    engine: Option<Engine>,
    host: HostScript,
    /// The trace, once the run is over.
    events: Vec<Event>,
    report: RunReport,
    counts: Option<EventCounts>,
    /// For the points of a dry run: its decisions.
    marks: Option<Vec<points::Mark>>,
    /// The schedule brought about something that is not in the host script.
    has_injected: bool,
    /// Allocations that were made to fail besides those of the heap's modes.
    faults: usize,
    is_generated: bool,
    /// Nobody knows whether edited bytecode ends.
    is_edited: bool,
    max_frames: usize,
    grace_ms: u64,
    /// Where tasks stood when they were chosen, by number of trace events before it; for
    /// the timeline.
    places: Vec<(usize, Site)>,
    /// What the oracles found out besides.
    notes: Notes,
}

impl<'s> Run<'s> {
    fn new(
        scenario: &Scenario,
        compiled: &Compiled,
        debug: HeapDebug,
        options: &'s RunOptions,
    ) -> Self {
        let answers = match &scenario.body {
            Body::Programs(programs) => programs.answers.as_slice(),
            Body::HeapOps(_) => &[],
        };
        let platform = SimulatedPlatform::new(answers, scenario.hash_key());
        let observer = Arc::new(TraceObserver::new(debug.needs_checks()));
        let costly = is_costly(&debug);
        let is_generated = match &scenario.body {
            Body::Programs(programs) => matches!(programs.entry, ModuleSource::Tree(_)),
            Body::HeapOps(_) => false,
        };
        let is_edited = match &scenario.body {
            Body::Programs(programs) => !programs.edits.is_empty(),
            Body::HeapOps(_) => false,
        };
        let max_frames = if is_generated {
            MAX_FRAMES
        } else {
            MAX_FRAMES_OWN
        };
        let grace_ms = if is_generated {
            GRACE_MS
        } else {
            EngineOptions::GRACE.as_millis() as u64
        };
        let engine_options = EngineOptions {
            heap: scenario.heap,
            debug,
            max_frames,
            grace: Duration::from_millis(grace_ms),
            requests_max: REQUESTS_MAX,
            ..EngineOptions::default()
        };
        let engine = Engine::in_region(
            region_pool::region(&scenario.heap),
            Arc::clone(&compiled.entry),
            &engine_options,
            Arc::clone(&platform) as _,
            Some(Arc::clone(&observer) as _),
        )
        .expect("a verified program and a small heap make an engine");
        observer.attach(engine.heap());
        engine.heap().bound_forced_work(FORCED_WORK_MAX);
        let mut report = RunReport::default();
        report.counters.costly = u64::from(costly);
        Run {
            canary: Canary::of(&scenario.origin),
            options,
            program: Arc::clone(&compiled.entry),
            platform,
            observer,
            engine: Some(engine),
            host: HostScript::new(compiled.versions.clone()),
            events: Vec::new(),
            report,
            counts: None,
            marks: None,
            has_injected: false,
            faults: 0,
            is_generated,
            is_edited,
            max_frames,
            grace_ms,
            places: Vec::new(),
            notes: Notes::default(),
        }
    }

    fn engine(&self) -> &Engine {
        self.engine
            .as_ref()
            .expect("the engine lives until the run is torn down")
    }

    /// The run and everything that judges it.
    fn all(&mut self, programs: &Programs, strategy: &mut dyn Strategy) -> Result<(), Failure> {
        self.explore(programs, strategy)?;
        if self.report.diverged.is_some() {
            return Ok(());
        }
        self.judge()
    }

    /// Takes decisions until nothing is ready any more.
    fn explore(&mut self, programs: &Programs, strategy: &mut dyn Strategy) -> Result<(), Failure> {
        let program = Arc::clone(&self.program);
        let mut watch = strategy.is_watching().then(|| Watch::new(&program));
        let mut sites = Vec::new();
        let mut ready = Vec::new();
        let mut without_timer = 0;
        for ordinal in 0.. {
            sites.clear();
            if let Some(site) = self.host.site(self.engine(), programs) {
                sites.push(site);
            }
            self.platform.ready(&mut sites);
            sites.retain(|site| !is_collector(site));
            let timers = self.platform.timers();
            if sites.is_empty() && timers == 0 {
                break;
            }
            without_timer = if timers > 0 { 0 } else { without_timer + 1 };
            if without_timer >= DECISIONS_PER_MS {
                without_timer = 0;
                self.platform.advance(Duration::from_millis(1));
                self.observer.push(Event::TimeAdvanced {
                    now_ms: self.platform.now_ms(),
                    why: Passing::Timer,
                });
            }
            if timers > 0 {
                let actor = Site::TIMERS;
                sites.push(Site {
                    actor,
                    visit: self.report.counters.decisions as u32,
                    ..Site::default()
                });
            }
            if ordinal >= self.options.decisions_max {
                return self.cut_off();
            }
            ready.clear();
            ready.extend(sites.iter().map(|&site| ReadyActor { site }));
            let point = Point {
                ready: &ready,
                ordinal,
            };
            let mut choice = match strategy.choose(&point) {
                Ok(choice) => choice,
                Err(divergence) => {
                    self.report.diverged = Some(divergence.message);
                    return Ok(());
                }
            };
            let may_force = self.engine().heap().may_force();
            if !may_force {
                choice.collect = None;
            }
            let site = sites[choice.index];
            self.report.counters.decisions += 1;
            if self.options.record {
                let decision = Decision {
                    site,
                    fuel: choice.fuel,
                    collect: choice.collect,
                    inject: choice.inject,
                };
                self.report.decisions.push(decision);
            }
            let seen = watch.is_some().then(|| self.look(programs, site));
            if let Some(marks) = &mut self.marks {
                marks.push(points::Mark {
                    events: self.observer.len(),
                    is_host: site.actor == Site::HOST,
                });
            }
            // The collector of `collect=continuous` asks again at once: it always comes
            // between two slices.
            let heap = self.engine().heap();
            let is_continuous = heap.debug().collect == CollectMode::Continuous;
            let continuous = (is_continuous && may_force).then(|| heap.kind_to_collect());
            if let Some(kind) = choice.collect.map(kind_of).or(continuous) {
                self.collect(kind);
            }
            if let Some(inject) = choice.inject {
                self.inject(inject);
            }
            if self.options.record {
                self.places.push((self.observer.len(), site));
            }
            let before = self.observer.instructions();
            let passing = match sites.len() {
                1 if self.is_idle(programs, &mut sites) => Passing::Idle,
                _ => Passing::Timer,
            };
            let events = self.observer.len();
            self.step(programs, site, choice.fuel, passing);
            self.look_at_waits(events)?;
            strategy.ran((self.observer.instructions() - before) as u32);
            if let (Some(watch), Some(seen)) = (&mut watch, seen) {
                strategy.touched(self.touched(watch, seen));
            }
            if let Some(failure) = self.observer.take_failure() {
                return Err(failure);
            }
        }
        if let Err(divergence) = strategy.finish() {
            self.report.diverged = Some(divergence.message);
            return Ok(());
        }
        let operations = self.platform.told();
        if !operations.is_empty() {
            self.observer.push(Event::Told { operations });
        }
        self.observer.push(Event::Quiescent {
            waiting: self.engine().waiting_tasks(),
            blocked: self.engine().blocked_tasks(),
        });
        Ok(())
    }

    /// Whether nobody can go on but for a timer. What was injected or collected right before a step
    /// may have woken somebody who was not ready when it was chosen.
    fn is_idle(&self, programs: &Programs, sites: &mut Vec<Site>) -> bool {
        sites.clear();
        self.platform.ready(sites);
        sites.iter().all(is_collector) && self.host.site(self.engine(), programs).is_none()
    }

    fn collect(&mut self, kind: CollectionKind) {
        // No slice runs between decisions, so the exclusive permit is free.
        let report = self.engine().try_collect(kind);
        assert!(report.is_some(), "nobody holds a permit between decisions");
    }

    /// Makes an allocation fail, the one after so many.
    fn fail_allocation(&mut self, after: u32) {
        self.faults += 1;
        let heap = self.engine().heap();
        heap.fail_allocation(after);
        if let Err(failure) = memory_runs_out_with_reason::was_injected(heap.has_faults_to_come()) {
            self.observer.fail(failure);
        }
    }

    /// What a schedule brings about besides collections.
    fn inject(&mut self, inject: Injected) {
        self.has_injected = true;
        let engine = self.engine.as_ref().expect("the engine lives");
        match inject {
            Injected::AllocationFailure => {
                self.fail_allocation(0);
            }
            Injected::LaterAllocationFailure(after) => {
                self.fail_allocation(after);
            }
            // What is unknown or has ended is refused, which is all that can be seen of it.
            Injected::CancelCall(call) => self.host.cancel_call(engine, &self.observer, call),
            Injected::CancelFuture(future) => {
                self.host.cancel_future(engine, &self.observer, future)
            }
            Injected::DropCall(call) => self.host.drop_call(&self.observer, call),
            Injected::Interrupt(call) => drop(engine.interrupt(call, INJECTED_SIGNAL)),
            Injected::Fork | Injected::DropFork | Injected::Reload(_) | Injected::Tick => {
                let (platform, observer) = (&self.platform, &self.observer);
                self.host.inject(engine, platform, observer, inject);
            }
            // Tasks of the engine are dropped and polled by the engine alone.
            Injected::DropTask(_) | Injected::PollTask(_) | Injected::PanicTask(_) => {}
        }
    }

    /// Looks at what a step may change, before it.
    fn look<'p>(&self, programs: &'p Programs, site: Site) -> Seen<'p> {
        Seen {
            site,
            host: (site.actor == Site::HOST)
                .then(|| self.host.next_event(programs))
                .flatten(),
            events: self.observer.len(),
            refills: self.engine().heap().tlab_refills(),
            timers: self.platform.timers(),
        }
    }

    /// What the step after `seen` touched.
    fn touched(&self, watch: &mut Watch<'_>, seen: Seen<'_>) -> Touched {
        let mut sites = Vec::new();
        self.platform.ready(&mut sites);
        self.observer.with_events_from(seen.events, |events| {
            watch.step(&Step {
                site: seen.site,
                host: seen.host,
                events,
                stands: sites.into_iter().find(|site| site.actor == seen.site.actor),
                has_refilled: self.engine().heap().tlab_refills() != seen.refills,
                has_timers_changed: self.platform.timers() != seen.timers,
            })
        })
    }

    /// Lets an actor take a step; `passing` says of the timers whether they are alone.
    fn step(&mut self, programs: &Programs, site: Site, fuel: u32, passing: Passing) {
        let before = self.observer.instructions();
        match site.actor {
            Site::HOST => {
                let engine = self.engine.as_ref().expect("the engine lives");
                match self
                    .host
                    .step(engine, programs, &self.platform, &self.observer)
                {
                    Progress::Done => self.report.counters.operations += 1,
                    Progress::TimePassed => {
                        self.observer.push(Event::TimeAdvanced {
                            now_ms: self.platform.now_ms(),
                            why: Passing::Host,
                        });
                    }
                }
            }
            Site::TIMERS => {
                if passing == Passing::Idle {
                    let deadlock = self.platform.ready_now(self.engine().deadlock());
                    if let Err(failure) = deadlocks_are_seen::while_time_passes(deadlock.as_ref()) {
                        self.observer.fail(failure);
                    }
                }
                self.platform.fire_next_timer();
                self.observer.push(Event::TimeAdvanced {
                    now_ms: self.platform.now_ms(),
                    why: passing,
                });
            }
            actor => self.platform.step(actor, fuel),
        }
        if let Some(counts) = &mut self.counts {
            let instructions = self.observer.instructions() - before;
            counts.note(site.actor, instructions as u32 + 1);
            for (parent, child) in self.observer.take_spawned() {
                counts.spawned(child, parent);
            }
        }
    }

    /// After a step: a task that could go on at its end, or has ended, is on no list of those who wait.
    fn look_at_waits(&self, events: usize) -> Result<(), Failure> {
        let ran = self.observer.with_events_from(events, |events| {
            let mut ends = events.iter().rev();
            ends.find_map(|event| match event {
                Event::SliceEnded { task, end, .. } => Some((*task, end.goes_on())),
                _ => None,
            })
        });
        match ran {
            Some((task, true)) if self.engine().is_waiting(task) => Err(Failure {
                oracle: "nothing_leaks".into(),
                check: "still_waits".into(),
                site: "wait list".into(),
                message: format!(
                    "task {task} runs, or has ended, and is on the list of what it waits for"
                ),
            }),
            _ => Ok(()),
        }
    }

    /// A generated program ends by itself; one that does not has been caught in a loop of
    /// the engine's. A person's own program may be endless, and so may edited bytecode.
    fn cut_off(&mut self) -> Result<(), Failure> {
        if !self.is_generated || self.is_edited {
            return Ok(());
        }
        Err(Failure {
            oracle: "progress_is_made".into(),
            check: "endless".into(),
            site: "schedule".into(),
            message: format!("no end after {} decisions", self.options.decisions_max),
        })
    }

    fn judge(&mut self) -> Result<(), Failure> {
        self.events = self.observer.take_events();
        let falsified;
        let events: &[Event] = if self.options.canary {
            let mut events = self.events.clone();
            canary::corrupt(self.canary, &mut events);
            falsified = events;
            &falsified
        } else {
            &self.events
        };
        let engine = self.engine.as_ref().expect("the engine lives");
        let unjoined = self.host.unjoined();
        let versions = self.host.programs();
        let versions: Vec<_> = versions
            .iter()
            .map(|made| made.as_ref().map(|made| &***made))
            .collect();
        let nobody_waits = engine.waiting_tasks().is_empty() && engine.blocked_tasks().is_empty();
        let debug = engine.heap().debug();
        let deadlock = self.platform.ready_now(engine.deadlock());
        let evidence = Evidence {
            deadlock: deadlock.as_ref(),
            unjoined: &unjoined,
            program: &self.program,
            versions: &versions,
            events,
            engine,
            timers: self.platform.timers(),
            faults: debug.fail.len() + self.faults,
            requests_max: REQUESTS_MAX,
            held_by_host: self.host.protected_kinds(engine),
            is_over: nobody_waits && !self.host.is_stuck(),
            model: self
                .options
                .advantages
                .model
                .then_some(matches_reference::Limits {
                    max_frames: self.max_frames,
                    grace_ms: self.grace_ms,
                    has_library: !self.is_edited,
                }),
            // An event that its host script does not have is none of a program's business.
            is_own: !self.is_generated && !self.has_injected,
            collects: debug.collect != CollectMode::Never && debug.fail.is_empty(),
        };
        let judged = oracles::judge(&evidence, &mut self.notes, self.options.advantages);
        self.report.counters.statements += self.notes.statements;
        let held = judged?.map_or(Ok(()), Err);
        let heap = self.drop_everything();
        match heap {
            Some(heap) => {
                // The oracle collects, too; that is no collection of the run.
                note_heap(&heap.stats(), &mut self.report.counters);
                let verdict = oracles::judge_heap(&heap);
                self.recycle(heap);
                // What the engine did wrong comes first.
                verdict.and(held)
            }
            None => Err(Failure {
                oracle: "nothing_leaks".into(),
                check: "engine".into(),
                site: "engine".into(),
                message: "something still refers to the engine after all tasks were dropped".into(),
            }),
        }
    }

    /// Drops tasks, handles and the engine; what is left is the heap.
    fn drop_everything(&mut self) -> Option<Arc<Heap>> {
        let engine = self.engine.take()?;
        self.platform.clear();
        self.host.release(&engine);
        engine.into_heap()
    }

    fn tear_down(&mut self) {
        if let Some(heap) = self.drop_everything() {
            self.recycle(heap);
        }
    }

    fn recycle(&self, heap: Arc<Heap>) {
        self.observer.detach();
        region_pool::recycle(heap);
    }

    fn finish(mut self, program: &VerifiedProgram) -> Ran {
        if let Some(engine) = &self.engine {
            note_heap(&engine.heap().stats(), &mut self.report.counters);
        }
        let mut events = std::mem::take(&mut self.events);
        if events.is_empty() {
            events = self.observer.take_events();
        }
        let slice_events = self.observer.take_slice_events();
        let mut pairs = observer::pairs(&events, &self.host, &slice_events, &self.notes.happened);
        self.report.pairs = pairs.take();
        tally::count(&events, &self.notes.happened, &mut self.report.counters);
        self.report.counters.cancelled_late += self.host.late_cancels;
        let drops = self.host.actions.iter();
        let drops = drops.filter(|(_, _, kind)| *kind == EventKind::CallDrop);
        self.report.counters.drops = drops.count() as u64;
        self.report.counters.scenarios = 1;
        self.report.counters.operations += self.observer.instructions();
        self.report.trace_hash = trace_digest(&events);
        if self.options.record {
            self.report.timeline = observer::timeline(&events, &self.places, program);
        } else {
            events = Vec::new();
        }
        // A failed run may leave its engine broken; that must not hide what was found.
        let _ = catch_unwind(AssertUnwindSafe(|| self.tear_down()));
        Ran {
            report: self.report,
            events,
        }
    }
}

fn stale(fault: &HeapFault) -> Failure {
    Failure {
        oracle: "no_stale_reference".into(),
        check: fault.what.name().into(),
        site: fault.kind.map_or("object", Kind::name).into(),
        message: fault.to_string(),
    }
}
