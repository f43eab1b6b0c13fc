//! The host script as an actor: each event is one step.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use gcrucible_bytecode::VerifiedProgram;
use gcrucible_engine::{
    CallError, CallHandle, Engine, Fork, ForkOptions, HostValue, NewVersion, Outcome, Preload,
    ReloadOptions, Request, RequestError, RequestId,
};
use gcrucible_heap::{Handle, Kind, Unchecked};
use gcrucible_vm::Realm;

use super::joiners::Joiners;
use super::observer::{TraceObserver, version_failure};
use crate::executor::simulated_platform::SimulatedPlatform;
use crate::executor::trace::{Asked, Callee, Event, TaskId};
use crate::oracles::forks_share_nothing;
use crate::scenario::{Header, HostEvent, Programs};
use gcrucible_trace::{EventKind, Injected, Site};

/// What the embedder holds while it goes through its script.
pub(super) struct HostScript {
    stage: Stage,
    next: usize,
    /// The last call of each id that the host still holds.
    calls: BTreeMap<u32, Arc<CallHandle>>,
    /// Who waits for these.
    joiners: Joiners,
    init: Option<CallHandle>,
    /// Forks by the script's numbers.
    forks: BTreeMap<u32, Fork>,
    /// Requests by the ids of their calls.
    requests: BTreeMap<u32, Request>,
    /// What it reloads to.
    versions: Vec<NewVersion>,
    preload: Option<Preload>,
    /// Ends of entries that took the place of the first one.
    overrides: Vec<CallHandle>,
    /// Call, its task, handle of its result.
    protected: Vec<(u32, TaskId, Handle)>,
    /// What the host did, for the pairs: number of trace events before it, task, kind.
    pub(super) actions: Vec<(usize, TaskId, EventKind)>,
    /// Cancellations of calls and futures that had ended.
    pub(super) late_cancels: u64,
}

/// Numbers of the forks that a schedule makes by itself.
const FORKS_INJECTED: u32 = 1 << 16;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Init,
    Initialising,
    Script,
}

/// Says what the next call will run.
fn announce(realm: &Realm, observer: &TraceObserver, call: u32, function: &str, args: &[i64]) {
    if let Some(global) = realm.program().entry_export(function) {
        let args = args.to_vec();
        observer.announce(call, Callee::Export { global, args });
    }
}

/// What a step of the host did.
pub(super) enum Progress {
    Done,
    TimePassed,
}

impl HostScript {
    pub(super) fn new(versions: Vec<NewVersion>) -> Self {
        HostScript {
            stage: Stage::Init,
            next: 0,
            calls: BTreeMap::new(),
            joiners: Joiners::default(),
            init: None,
            forks: BTreeMap::new(),
            requests: BTreeMap::new(),
            versions,
            preload: None,
            overrides: Vec::new(),
            protected: Vec::new(),
            actions: Vec::new(),
            late_cancels: 0,
        }
    }

    /// Where the host stands, if it can go on.
    pub(super) fn site(&self, engine: &Engine, programs: &Programs) -> Option<Site> {
        let is_ready = match self.stage {
            Stage::Init => true,
            Stage::Initialising => self.init_outcome().is_some(),
            Stage::Script => match programs.host.get(self.next) {
                None => false,
                Some(HostEvent::JoinCall { call }) => self
                    .handle(*call)
                    .is_none_or(|handle| handle.call().outcome().is_some()),
                Some(HostEvent::JoinEntry) => !engine.is_entry_pending(),
                Some(HostEvent::FinishPreload) => self
                    .preload
                    .as_ref()
                    .is_none_or(|preload| preload.call().outcome().is_some()),
                Some(_) => true,
            },
        };
        let at = match self.stage {
            Stage::Init => 0,
            Stage::Initialising => 1,
            Stage::Script => self.next as u32 + 2,
        };
        is_ready.then_some(Site {
            actor: Site::HOST,
            function: 0,
            at,
            visit: 0,
        })
    }

    fn init_outcome(&self) -> Option<Outcome> {
        self.init
            .as_ref()
            .and_then(|handle| handle.call().outcome())
    }

    /// Whether it waits for a call that does not end.
    pub(super) fn is_stuck(&self) -> bool {
        self.stage != Stage::Script
            || self
                .calls
                .values()
                .map(|handle| &**handle)
                .chain(self.requests.values().map(Request::call))
                .any(|handle| handle.call().outcome().is_none())
    }

    /// The last call of an id, if the host still holds it.
    fn handle(&self, call: u32) -> Option<&CallHandle> {
        let of_request = self.requests.get(&call).map(Request::call);
        of_request.or_else(|| self.calls.get(&call).map(|handle| &**handle))
    }

    /// Serves a request, and looks at its fork before anything runs in it.
    fn request(
        &mut self,
        engine: &Engine,
        platform: &SimulatedPlatform,
        observer: &TraceObserver,
        call: u32,
        (function, args): (&str, &[i64]),
        header: &Header,
    ) {
        let generated = || format!("generated {call}");
        observer.push(Event::RequestAsked {
            call,
            id: header.expected(&generated()),
        });
        let args: Vec<HostValue> = args.iter().copied().map(HostValue::Int).collect();
        let id = RequestId::from_header(header.bytes().as_deref(), generated);
        match platform.ready_now(engine.request(id, call, function, &args)) {
            Ok(request) => {
                if let Err(failure) = forks_share_nothing::check(engine, request.fork().realm()) {
                    observer.fail(failure);
                }
                self.forget_call(call);
                self.requests.insert(call, request);
            }
            Err(RequestError::Call(CallError::DuplicateCallId(call))) => {
                observer.push(Event::CallRefused { call });
            }
            // The engine's events say it, and a script may name what does not exist.
            Err(_) => {}
        }
    }

    /// Drops the host's end of a request, if it has one.
    fn disconnect(&mut self, observer: &TraceObserver, call: u32) {
        if let Some(request) = self.requests.remove(&call) {
            let task = request.call().call().task();
            self.note(observer, task, EventKind::CallDrop);
            if request.call().call().outcome().is_none() {
                let request = request.number();
                observer.push(Event::ClientGone { request });
            }
            request.disconnect();
        }
    }

    /// Does the next event.
    pub(super) fn step(
        &mut self,
        engine: &Engine,
        programs: &Programs,
        platform: &SimulatedPlatform,
        observer: &TraceObserver,
    ) -> Progress {
        match self.stage {
            Stage::Init => {
                self.init = platform.ready_now(engine.start_init()).ok();
                self.stage = Stage::Initialising;
                return Progress::Done;
            }
            Stage::Initialising => {
                // A program whose top level fails has nothing to call.
                if self.init_outcome() != Some(Outcome::Returned) {
                    self.next = programs.host.len();
                }
                self.stage = Stage::Script;
                return Progress::Done;
            }
            Stage::Script => {}
        }
        let Some(event) = programs.host.get(self.next) else {
            return Progress::Done;
        };
        self.next += 1;
        match event {
            HostEvent::Call {
                call,
                function,
                args,
            } => {
                announce(&engine.realm(), observer, *call, function, args);
                let started = engine.start_call(*call, function, args);
                self.started(observer, *call, started);
            }
            HostEvent::Fork { fork } => {
                if !self.forks.contains_key(fork) {
                    self.fork(engine, observer, *fork);
                    self.note_protected(engine, observer);
                }
            }
            HostEvent::CallInFork {
                fork,
                call,
                function,
                args,
            } => {
                if let Some(fork) = self.forks.get(fork) {
                    announce(fork.realm(), observer, *call, function, args);
                    let started = fork.start_call(*call, function, args);
                    self.started(observer, *call, started);
                }
            }
            HostEvent::DropFork { fork } => drop(self.forks.remove(fork)),
            HostEvent::Request {
                call,
                function,
                args,
                header,
                panics,
            } => {
                announce(&engine.realm(), observer, *call, function, args);
                observer.set_panics(*call, *panics);
                self.request(engine, platform, observer, *call, (function, args), header);
                self.note_protected(engine, observer);
            }
            HostEvent::Disconnect { call } => {
                self.disconnect(observer, *call);
                self.note_protected(engine, observer);
            }
            HostEvent::CancelCall { call } => self.cancel_call(engine, observer, *call),
            HostEvent::CancelFuture { future } => self.cancel_future(engine, observer, *future),
            HostEvent::DropCall { call } => self.drop_call(observer, *call),
            HostEvent::JoinCall { .. } | HostEvent::JoinEntry => {}
            HostEvent::Protect { call } => self.protect(engine, observer, *call),
            HostEvent::Unprotect { call } => {
                let at = self.protected.iter().position(|(owner, ..)| owner == call);
                if let Some(at) = at {
                    let (_, task, handle) = self.protected.remove(at);
                    engine.heap().unprotect(handle);
                    self.note(observer, task, EventKind::Unprotect);
                }
            }
            HostEvent::Collect { kind } => {
                let report = engine.try_collect(*kind);
                assert!(report.is_some(), "nobody holds a permit between decisions");
            }
            HostEvent::Interrupt { call, signal } => {
                // An unknown or ended call is refused, which is all that can be seen of it.
                let _ = engine.interrupt(*call, signal);
            }
            HostEvent::AdvanceTime { ms } => {
                platform.advance(Duration::from_millis(u64::from(*ms)));
                return Progress::TimePassed;
            }
            HostEvent::Reload { .. }
            | HostEvent::Tick
            | HostEvent::Preload { .. }
            | HostEvent::FinishPreload
            | HostEvent::OverrideEntry { .. }
            | HostEvent::UnchangedEntry
            | HostEvent::Isolate => {
                self.versions(engine, platform, observer, event);
                self.note_protected(engine, observer);
            }
        }
        Progress::Done
    }

    /// Forks, drops, asks for a version or looks, though its script does not say so.
    pub(super) fn inject(
        &mut self,
        engine: &Engine,
        platform: &SimulatedPlatform,
        observer: &TraceObserver,
        inject: Injected,
    ) {
        // A program whose top level fails serves nobody.
        if self.stage != Stage::Script || self.init_outcome() != Some(Outcome::Returned) {
            return;
        }
        let event = match inject {
            Injected::Fork => {
                let free = (FORKS_INJECTED..).find(|fork| !self.forks.contains_key(fork));
                return self.fork(engine, observer, free.unwrap_or(FORKS_INJECTED));
            }
            Injected::DropFork => return drop(self.forks.pop_last()),
            Injected::Reload(version) if version as usize >= self.versions.len() => {
                let asked = Asked::Reload {
                    program: None,
                    forced: false,
                };
                observer.push(Event::Asked { asked });
                let none = Err("there is no such version".to_owned());
                platform.ready_now(engine.reload(none, ReloadOptions::default()));
                return self.note_protected(engine, observer);
            }
            Injected::Reload(version) => HostEvent::Reload {
                version,
                forced: false,
            },
            _ => HostEvent::Tick,
        };
        self.versions(engine, platform, observer, &event);
        self.note_protected(engine, observer);
    }

    /// The programs that it reloads to, none of those that do not compile.
    pub(super) fn programs(&self) -> Vec<Option<Arc<VerifiedProgram>>> {
        let made = self.versions.iter();
        made.map(|made| made.as_ref().ok().cloned()).collect()
    }

    /// Does an event that concerns versions.
    fn versions(
        &mut self,
        engine: &Engine,
        platform: &SimulatedPlatform,
        observer: &TraceObserver,
        event: &HostEvent,
    ) {
        let ask = |asked| observer.push(Event::Asked { asked });
        let program = |version: u32| {
            let made = self.versions.get(version as usize)?;
            made.as_ref().ok().cloned()
        };
        match *event {
            HostEvent::Reload { version, forced } => {
                let Some(made) = self.versions.get(version as usize) else {
                    return;
                };
                let program = made.is_ok().then_some(version as usize);
                ask(Asked::Reload { program, forced });
                let options = ReloadOptions { is_forced: forced };
                platform.ready_now(engine.reload(made.clone(), options));
            }
            HostEvent::Tick => {
                ask(Asked::Tick);
                platform.ready_now(engine.tick());
            }
            HostEvent::Preload { version } => {
                if let Some(program) = program(version)
                    && self.preload.is_none()
                {
                    let version = version as usize;
                    ask(Asked::Preload { program: version });
                    let begun = platform.ready_now(engine.start_preload(program));
                    self.preload = begun.ok().flatten();
                }
            }
            HostEvent::FinishPreload => {
                if let Some(preload) = self.preload.take() {
                    let ended = platform.ready_now(preload.finish());
                    let failure = ended.as_ref().err().map(version_failure);
                    observer.push(Event::PreloadFinished { failure });
                }
            }
            HostEvent::OverrideEntry { version } => {
                if let Some(program) = program(version) {
                    let version = version as usize;
                    ask(Asked::Override { program: version });
                    let begun = platform.ready_now(engine.override_entry(program));
                    self.overrides.extend(begun.ok().flatten());
                }
            }
            HostEvent::UnchangedEntry => {
                // Without memory for a promise nothing has changed.
                let loaded = platform.ready_now(engine.load_unchanged_entry());
                if loaded.is_ok() {
                    ask(Asked::Unchanged);
                }
            }
            HostEvent::Isolate => {
                ask(Asked::Isolate);
                platform.ready_now(engine.isolate());
            }
            _ => {}
        }
    }

    /// Notes what is protected, for an oracle.
    fn note_protected(&self, engine: &Engine, observer: &TraceObserver) {
        let listed = |counts: BTreeMap<&'static str, u64>| {
            let counts = counts.into_iter();
            counts
                .map(|(kind, count)| (kind.to_owned(), count))
                .collect()
        };
        observer.push(Event::Protected {
            all: listed(engine.heap().stats().protected_by_kind),
            of_host: listed(self.protected_kinds(engine)),
        });
    }

    /// Requests cancellation of a call; an unknown or ended one is refused.
    pub(super) fn cancel_call(&mut self, engine: &Engine, observer: &TraceObserver, call: u32) {
        if engine.cancel_call(call).is_err() {
            let started =
                |event: &Event| matches!(event, Event::CallStarted { call: it, .. } if *it == call);
            self.note_late(observer, started);
        }
    }

    /// Requests cancellation of a future; an unknown or settled one is refused.
    pub(super) fn cancel_future(&mut self, engine: &Engine, observer: &TraceObserver, future: u64) {
        if engine.cancel_future(future) != Ok(true) {
            let registered = |event: &Event| matches!(event, Event::Registered { future: it, .. } if *it == future);
            self.note_late(observer, registered);
        }
    }

    /// Counts a request that was refused, if its target existed once.
    fn note_late(&mut self, observer: &TraceObserver, existed: impl Fn(&Event) -> bool) {
        let existed = observer.with_events_from(0, |events| events.iter().any(existed));
        self.late_cancels += u64::from(existed);
    }

    /// Drops the host's future of a call or request, if it has it.
    pub(super) fn drop_call(&mut self, observer: &TraceObserver, call: u32) {
        if let Some(handle) = self.forget_call(call) {
            let task = handle.call().task();
            self.note(observer, task, EventKind::CallDrop);
            observer.push(Event::CallDropped { task });
            drop(handle);
        }
        self.disconnect(observer, call);
    }

    /// The host's end of a call, which it drops.
    fn forget_call(&mut self, call: u32) -> Option<Arc<CallHandle>> {
        self.joiners.forget(call);
        self.calls.remove(&call)
    }

    /// The calls that have ended though some who wait for that were not told.
    pub(super) fn unjoined(&mut self) -> Vec<u32> {
        self.joiners.go_on();
        let has_ended = |call: &u32| {
            self.calls
                .get(call)
                .is_some_and(|handle| handle.call().outcome().is_some())
        };
        self.joiners.waiting().filter(has_ended).collect()
    }

    /// The event of the script that comes next; none while the modules are initialised.
    pub(super) fn next_event<'p>(&self, programs: &'p Programs) -> Option<&'p HostEvent> {
        programs
            .host
            .get(self.next)
            .filter(|_| self.stage == Stage::Script)
    }

    /// Forks the program, and looks at the fork before anything runs in it. Every second one has an
    /// account, with room for all that there can be, whose books are audited.
    fn fork(&mut self, engine: &Engine, observer: &TraceObserver, number: u32) {
        let realm = engine.realm();
        let options = ForkOptions {
            memory_limit: (number % 2 == 1).then_some(u64::MAX),
        };
        let mut forking = std::pin::pin!(engine.fork_with(&realm, &options));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let Poll::Ready(made) = forking.as_mut().poll(&mut cx) else {
            panic!("nobody holds a permit between decisions");
        };
        let Ok(fork) = made else { return };
        if let Err(failure) = forks_share_nothing::check(engine, fork.realm()) {
            observer.fail(failure);
        }
        self.forks.insert(number, fork);
    }

    fn started(
        &mut self,
        observer: &TraceObserver,
        call: u32,
        started: Result<CallHandle, CallError>,
    ) {
        match started {
            Ok(handle) => {
                self.requests.remove(&call);
                self.forget_call(call);
                let handle = Arc::new(handle);
                self.joiners.begin(call, &handle);
                self.calls.insert(call, handle);
            }
            Err(CallError::DuplicateCallId(call)) => observer.push(Event::CallRefused { call }),
            // A hand-written script may name what does not exist: nothing happens.
            Err(_) => {}
        }
    }

    fn protect(&mut self, engine: &Engine, observer: &TraceObserver, call: u32) {
        let Some(handle) = self.handle(call) else {
            return;
        };
        if handle.call().outcome() != Some(Outcome::Returned) {
            return;
        }
        let permit = engine.heap().try_shared().expect("nobody collects");
        let m = permit.reader::<Unchecked>();
        let protected = permit.protect(handle.call().value(&m));
        let task = handle.call().task();
        self.protected.push((call, task, protected));
        self.note(observer, task, EventKind::Protect);
    }

    fn note(&mut self, observer: &TraceObserver, task: TaskId, kind: EventKind) {
        self.actions.push((observer.len(), task, kind));
    }

    /// Protect counts by kind, as the heap should report them.
    pub(super) fn protected_kinds(&self, engine: &Engine) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        let Some(permit) = engine.heap().try_shared() else {
            return counts;
        };
        let m = permit.reader::<Unchecked>();
        for (_, _, handle) in &self.protected {
            let value = permit.protected(handle);
            *counts
                .entry(m.kind(value).map_or("value", Kind::name))
                .or_default() += 1;
        }
        counts
    }

    /// Gives everything back that the host holds.
    pub(super) fn release(&mut self, engine: &Engine) {
        for (_, _, handle) in self.protected.drain(..) {
            engine.heap().unprotect(handle);
        }
        if let Some(preload) = self.preload.take() {
            preload.abandon();
        }
        self.joiners.clear();
        self.calls.clear();
        self.forks.clear();
        self.requests.clear();
        self.overrides.clear();
        self.init = None;
    }
}
