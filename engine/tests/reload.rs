//! Hot reload: versions side by side, the entry slot, deferral, patience.

mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gcrucible_bytecode::VerifiedProgram;
use gcrucible_engine::{
    Argument, CallError, CallHandle, CallKind, Engine, EngineEvent, EngineOptions, Fork, ForkError,
    Loader, NewVersion, Object, Observer, Outcome, Platform as _, ReloadAnswer, ReloadFailure,
    ReloadOptions, ReloadStep, Source, Tick, VirtualPlatform, compile, compile_modules,
};
use gcrucible_heap::{CollectionKind, VerifyLevel};
use gcrucible_platform::sync::Mutex;

use self::world::small_heap;

/// An engine that is reloaded, and what became of its versions.
struct Hot {
    engine: Engine,
    platform: Arc<VirtualPlatform>,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen(Mutex<Noted>);

#[derive(Default)]
struct Noted {
    steps: Vec<(u32, ReloadStep)>,
    printed: Vec<String>,
    aborted: Vec<u32>,
    violations: Vec<String>,
}

impl Observer for Seen {
    fn event(&self, event: &EngineEvent<'_>) {
        let mut seen = self.0.lock();
        match event {
            EngineEvent::Reload { version, step } => seen.steps.push((*version, (*step).clone())),
            EngineEvent::Slice { outcome, .. } => seen.printed.extend(outcome.printed.clone()),
            EngineEvent::Aborted { task } => seen.aborted.push(*task),
            EngineEvent::Collected { report } => {
                let found = report.violations.iter().map(ToString::to_string);
                seen.violations.extend(found);
            }
            _ => {}
        }
    }
}

const FORCED: ReloadOptions = ReloadOptions { is_forced: true };
const PATIENT: ReloadOptions = ReloadOptions { is_forced: false };

fn program(text: &str) -> Arc<VerifiedProgram> {
    let made = compile(&Source::new("main.crux", text));
    Arc::new(made.unwrap_or_else(|errors| panic!("{errors}")))
}

impl Hot {
    /// An engine whose entry has been loaded, under modes that find what is freed too early.
    fn new(text: &str) -> Hot {
        let hot = Hot::empty(text, "collect=safepoint,zombie,verify=full");
        let init = hot.start_init();
        hot.settle();
        assert_eq!(init.call().outcome(), Some(Outcome::Returned));
        assert_eq!(hot.tick(), Tick::Fulfilled);
        hot
    }

    /// The same before its entry is loaded.
    fn empty(text: &str, modes: &str) -> Hot {
        let platform = Arc::new(VirtualPlatform::new(7));
        let seen = Arc::<Seen>::default();
        let options = EngineOptions {
            heap: small_heap(),
            debug: modes.parse().expect("modes"),
            ..EngineOptions::default()
        };
        let engine = Engine::new(
            program(text),
            &options,
            Arc::clone(&platform) as _,
            Some(Arc::clone(&seen) as _),
        );
        Hot {
            engine: engine.expect("an engine"),
            platform,
            seen,
        }
    }

    fn start_init(&self) -> CallHandle {
        let init = self.platform.block_on(self.engine.start_init());
        init.expect("no top level runs")
    }

    fn reload(&self, text: &str, options: ReloadOptions) -> ReloadAnswer {
        let made: NewVersion = compile(&Source::new("main.crux", text))
            .map(Arc::new)
            .map_err(|errors| errors.to_string());
        self.ask(made, options)
    }

    fn ask(&self, made: NewVersion, options: ReloadOptions) -> ReloadAnswer {
        self.platform.block_on(self.engine.reload(made, options))
    }

    /// Reloads, lets the new version settle, and swaps.
    fn swap(&self, text: &str) {
        let answer = self.reload(text, PATIENT);
        assert!(matches!(answer, ReloadAnswer::Begun(_)), "{answer:?}");
        self.settle();
        assert_eq!(self.tick(), Tick::Fulfilled);
    }

    fn tick(&self) -> Tick {
        self.platform.block_on(self.engine.tick())
    }

    /// Takes steps until nobody is ready; no time passes.
    fn settle(&self) {
        while self.platform.step() {}
    }

    /// Lets time pass, and settles at each timer.
    fn pass(&self, time: Duration) {
        self.settle();
        let until = self.platform.now() + time;
        // Nothing else happens at that time: it is the clock that goes on.
        let mut waiting = self.platform.sleep(time);
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(waiting.as_mut().poll(&mut cx).is_pending());
        while self.platform.now() < until {
            self.platform.fire_next_timer();
            self.settle();
        }
    }

    fn start(&self, id: u32, function: &str) -> CallHandle {
        let call = self.engine.start_call(id, function, &[]);
        call.unwrap_or_else(|error| panic!("{error}"))
    }

    /// What a call gives that has no reason to wait.
    fn call(&self, function: &str) -> String {
        let call = self.start(0, function);
        self.settle();
        assert_eq!(call.call().outcome(), Some(Outcome::Returned));
        self.text(&call)
    }

    fn text(&self, call: &CallHandle) -> String {
        self.platform.block_on(call.text())
    }

    fn protected(&self) -> BTreeMap<&'static str, u64> {
        self.engine.heap().stats().protected_by_kind
    }

    /// What became of versions since this was asked last.
    fn steps(&self) -> Vec<(u32, ReloadStep)> {
        std::mem::take(&mut self.seen.0.lock().steps)
    }

    fn printed(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.0.lock().printed)
    }

    /// Looks at an engine at rest, and at its heap once that is all there is.
    fn finish(self) {
        self.settle();
        assert_eq!(self.engine.active_future_count(), 0);
        assert_eq!(self.engine.open_call_count(), 0);
        assert_eq!(self.engine.open_task_count(), 0);
        assert_eq!(self.seen.0.lock().violations, Vec::<String>::new());
        self.platform.clear();
        let heap = self.engine.into_heap().expect("nothing else refers to it");
        assert_eq!(heap.stats().protected_by_kind, BTreeMap::new());
        let mut permit = heap.try_exclusive().expect("nobody runs");
        permit.collect(CollectionKind::Major);
        assert_eq!(permit.verify(VerifyLevel::Full), []);
        assert_eq!(permit.census(), []);
    }
}

fn one_future() -> BTreeMap<&'static str, u64> {
    BTreeMap::from([("future", 1)])
}

/// A version that says its number, and has something of its own on the heap.
fn numbered(number: u32) -> String {
    format!(
        "let list = [{number}, [\"version\"]]\n\
         fn number() {{ return list[0] }}\n\
         fn slow() {{ sleep(50)\n return [number(), list[1].len()] }}\n"
    )
}

#[test]
fn running_calls_finish_on_their_version_and_new_ones_see_the_new() {
    let hot = Hot::new(&numbered(1));
    let old = hot.start(7, "slow");
    hot.settle();
    hot.swap(&numbered(2));
    let new = hot.start(8, "slow");
    assert_eq!(hot.call("number"), "2");
    hot.pass(Duration::from_millis(60));
    assert_eq!(hot.text(&old), "[1, 1]");
    assert_eq!(hot.text(&new), "[2, 1]");
    assert_eq!(
        hot.steps(),
        [(2, ReloadStep::Begun), (2, ReloadStep::Swapped)]
    );
    drop((old, new));
    hot.finish();
}

#[test]
fn what_the_host_keeps_of_a_version_is_called_in_that_version_or_not_at_all() {
    let text = |number: u32| {
        // The function that gives the number is another one in each version.
        let others = "fn other(a, b) { return [a, b] }\n".repeat(number as usize % 2);
        format!(
            "{others}fn maker() {{ let n = {number}\n return || {{ n = n + 1\n return n }} }}\n\
             fn made() {{ return maker() }}\nfn apply(f) {{ return f() }}\n"
        )
    };
    let hot = Hot::new(&text(1));
    let made = [hot.start(1, "made"), hot.start(2, "made")];
    hot.settle();
    let kept = Arc::new(hot.platform.block_on(made[0].object()));
    let called = |object: &Arc<Object>, id| hot.platform.block_on(object.call(id, &[]));
    let passed = |object: &Arc<Object>, id| {
        let args = [Argument::Object(Arc::clone(object))];
        hot.platform
            .block_on(hot.engine.call_with(id, "apply", &args))
    };
    let result = |call: Result<CallHandle, CallError>| {
        let call = call.expect("it is of the version that runs it");
        hot.settle();
        hot.text(&call)
    };
    assert_eq!(result(called(&kept, 3)), "2");
    assert_eq!(result(passed(&kept, 4)), "3");
    hot.swap(&text(2));
    // It goes on in its own version, and is nothing to the new one.
    assert_eq!(result(called(&kept, 5)), "4");
    assert_eq!(passed(&kept, 6).err(), Some(CallError::ForeignObject));
    // What is kept only now finds its version gone.
    let late = Arc::new(hot.platform.block_on(made[1].object()));
    assert_eq!(called(&late, 7).err(), Some(CallError::ForeignObject));
    assert_eq!(passed(&late, 8).err(), Some(CallError::ForeignObject));
    drop((made, kept, late));
    hot.finish();
}

#[test]
fn a_host_that_holds_a_version_forks_that_whatever_is_current() {
    let hot = Hot::new(&numbered(1));
    let old = hot.engine.realm();
    hot.swap(&numbered(2));
    let number = |fork: Result<Fork, ForkError>| {
        let fork = fork.expect("nothing is in its way");
        let call = fork.start_call(3, "number", &[]).expect("it is exported");
        hot.settle();
        hot.text(&call)
    };
    assert_eq!(number(hot.platform.block_on(hot.engine.fork_of(&old))), "1");
    assert_eq!(
        number(hot.platform.block_on(hot.engine.fork_for_serving())),
        "2"
    );
    // It is what keeps the old version alive, and nothing else does.
    drop(old);
    hot.swap(&numbered(3));
    assert_eq!(
        number(hot.platform.block_on(hot.engine.fork_for_serving())),
        "3"
    );
    hot.finish();
}

#[test]
fn nothing_of_a_version_is_seen_before_the_swap() {
    let hot = Hot::new(&numbered(1));
    hot.reload(&numbered(2), PATIENT);
    assert_eq!(hot.call("number"), "1", "its top level has not run");
    hot.settle();
    assert_eq!(hot.call("number"), "1", "nobody has looked");
    assert_eq!(hot.tick(), Tick::Fulfilled);
    assert_eq!(hot.call("number"), "2");
    assert_eq!(hot.tick(), Tick::Idle);
    hot.finish();
}

struct Files(Vec<(&'static str, String)>);

impl Loader for Files {
    fn load(&self, path: &str) -> Result<String, String> {
        let found = self.0.iter().find(|(name, _)| *name == path);
        found
            .map(|(_, text)| text.clone())
            .ok_or_else(|| "no such file".to_owned())
    }
}

#[test]
fn a_new_module_is_never_seen_with_an_old_dependency() {
    let of = |number: u32| {
        let files = Files(vec![
            (
                "main.crux",
                format!(
                    "import {{ part }} from \"./part.crux\"\nlet mine = {number}\n\
                     fn both() {{ yield_now()\n return [mine, part()] }}"
                ),
            ),
            (
                "part.crux",
                format!("let n = {number}\nexport fn part() {{ return n }}"),
            ),
        ]);
        let made = compile_modules("main.crux", &files);
        made.map(Arc::new).map_err(|errors| errors.render(false))
    };
    let hot = Hot::new("fn both() { return [1, 1] }");
    for number in 2..6 {
        hot.ask(of(number), PATIENT);
        let mut calls = Vec::new();
        // Calls start at every step of the initialisation and of the swap.
        for id in 0..40 {
            calls.push(hot.start(id, "both"));
            hot.platform.step();
        }
        hot.settle();
        assert_eq!(hot.tick(), Tick::Fulfilled);
        calls.push(hot.start(40, "both"));
        hot.settle();
        let last = calls.len() - 1;
        for (at, call) in calls.iter().enumerate() {
            let version = if at == last { number } else { number - 1 };
            assert_eq!(hot.text(call), format!("[{version}, {version}]"));
        }
    }
    hot.finish();
}

#[test]
fn what_does_not_compile_is_reported_at_once_and_changes_nothing() {
    let hot = Hot::new(&numbered(1));
    let answer = hot.reload("fn main( {", PATIENT);
    assert_eq!(answer, ReloadAnswer::Failed(2));
    let steps = hot.steps();
    let [(2, ReloadStep::Failed(ReloadFailure::Source(report)))] = &steps[..] else {
        panic!("{steps:?}");
    };
    assert!(report.contains("1:"), "{report}");
    assert_eq!(hot.tick(), Tick::Idle);
    assert_eq!(hot.call("number"), "1");
    assert_eq!(hot.protected(), one_future());
    hot.swap(&numbered(3));
    assert_eq!(hot.call("number"), "3");
    hot.finish();
}

#[test]
fn a_top_level_that_throws_is_reported_once_and_the_old_version_stays() {
    let hot = Hot::new(&numbered(1));
    for version in 2..5 {
        hot.reload("fn number() { return 0 }\nthrow [\"no\"]", PATIENT);
        hot.settle();
        assert_eq!(hot.tick(), Tick::Rejected);
        assert_eq!(hot.tick(), Tick::Idle);
        assert_eq!(hot.tick(), Tick::Idle);
        let steps = hot.steps();
        let [
            (_, ReloadStep::Begun),
            (number, ReloadStep::Failed(failure)),
        ] = &steps[..]
        else {
            panic!("{steps:?}");
        };
        assert_eq!(*number, version);
        assert_eq!(
            failure.to_string(),
            "uncaught [\"no\"]\n  at <module> (main.crux:2:1)"
        );
        assert_eq!(hot.call("number"), "1");
        assert_eq!(hot.protected(), one_future());
    }
    hot.finish();
}

#[test]
fn a_cancelled_top_level_is_reported_once_and_the_old_version_stays() {
    let hot = Hot::new(&numbered(1));
    hot.reload("sleep(1000000)", PATIENT);
    hot.settle();
    assert_eq!(hot.tick(), Tick::Pending);
    hot.engine
        .cancel_call(CallKind::Init.id())
        .expect("the top level runs");
    hot.settle();
    assert_eq!(hot.tick(), Tick::Rejected);
    assert_eq!(hot.tick(), Tick::Idle);
    let failed = ReloadStep::Failed(ReloadFailure::Cancelled);
    assert_eq!(hot.steps(), [(2, ReloadStep::Begun), (2, failed)]);
    assert_eq!(hot.call("number"), "1");
    hot.finish();
}

#[test]
fn the_first_entry_is_reported_like_any_other() {
    let hot = Hot::empty("throw 5", "verify=full");
    let init = hot.start_init();
    assert_eq!(hot.tick(), Tick::Pending);
    hot.settle();
    assert_eq!(hot.tick(), Tick::Rejected);
    assert_eq!(hot.tick(), Tick::Idle);
    assert!(matches!(
        &hot.steps()[..],
        [(1, ReloadStep::Failed(ReloadFailure::Threw { text, .. }))] if text == "5"
    ));
    drop(init);
    hot.swap(&numbered(2));
    assert_eq!(hot.call("number"), "2");
    hot.finish();
}

#[test]
fn a_reload_during_a_pending_entry_waits_and_the_latest_wins() {
    let hot = Hot::new(&numbered(1));
    hot.reload("sleep(100)\nfn number() { return 2 }", PATIENT);
    hot.settle();
    assert_eq!(hot.reload(&numbered(3), PATIENT), ReloadAnswer::Deferred(3));
    assert_eq!(hot.reload(&numbered(4), PATIENT), ReloadAnswer::Deferred(4));
    assert_eq!(hot.tick(), Tick::Pending);
    assert_eq!(hot.call("number"), "1");
    hot.pass(Duration::from_millis(100));
    assert_eq!(hot.tick(), Tick::Fulfilled, "the pending one has settled");
    assert_eq!(hot.call("number"), "2");
    hot.settle();
    assert_eq!(hot.tick(), Tick::Fulfilled, "what was deferred, too");
    assert_eq!(hot.call("number"), "4");
    assert_eq!(
        hot.steps(),
        [
            (2, ReloadStep::Begun),
            (3, ReloadStep::Deferred),
            (4, ReloadStep::Deferred),
            (2, ReloadStep::Swapped),
            (4, ReloadStep::Begun),
            (4, ReloadStep::Swapped),
        ]
    );
    assert_eq!(hot.protected(), one_future());
    hot.finish();
}

#[test]
fn a_version_that_does_not_compile_takes_nobodys_place() {
    let hot = Hot::new(&numbered(1));
    hot.reload("sleep(100)", PATIENT);
    hot.settle();
    hot.reload(&numbered(3), PATIENT);
    assert_eq!(hot.reload("let let", PATIENT), ReloadAnswer::Failed(4));
    hot.pass(Duration::from_millis(100));
    hot.tick();
    hot.settle();
    hot.tick();
    assert_eq!(hot.call("number"), "3");
    hot.finish();
}

#[test]
fn a_request_that_comes_after_the_entry_settled_goes_before_what_was_deferred() {
    let hot = Hot::new(&numbered(1));
    hot.reload("sleep(100)", PATIENT);
    hot.settle();
    hot.reload(&numbered(3), PATIENT);
    hot.pass(Duration::from_millis(100));
    // No tick in between: the request itself finds that the entry has settled.
    assert_eq!(hot.reload(&numbered(4), PATIENT), ReloadAnswer::Begun(4));
    hot.settle();
    assert_eq!(hot.tick(), Tick::Fulfilled);
    hot.settle();
    assert_eq!(hot.tick(), Tick::Idle);
    assert_eq!(hot.call("number"), "4");
    hot.finish();
}

#[test]
fn a_forced_reload_cancels_the_pending_entry_first() {
    let hot = Hot::new(&numbered(1));
    hot.reload(
        "try { sleep(1000000) } finally { print(\"ends\") }",
        PATIENT,
    );
    hot.settle();
    assert_eq!(hot.reload(&numbered(3), FORCED), ReloadAnswer::Deferred(3));
    hot.settle();
    assert_eq!(hot.printed(), ["ends"]);
    assert_eq!(hot.tick(), Tick::Rejected);
    hot.settle();
    assert_eq!(hot.tick(), Tick::Fulfilled);
    assert_eq!(hot.call("number"), "3");
    let failed = ReloadStep::Failed(ReloadFailure::Cancelled);
    assert_eq!(
        hot.steps(),
        [
            (2, ReloadStep::Begun),
            (3, ReloadStep::Deferred),
            (2, failed),
            (3, ReloadStep::Begun),
            (3, ReloadStep::Swapped),
        ]
    );
    hot.finish();
}

#[test]
fn patience_ends_a_top_level_that_never_settles() {
    let hot = Hot::new(&numbered(1));
    hot.reload("let c = channel(1)\nc.receive()", PATIENT);
    hot.settle();
    hot.reload(&numbered(3), PATIENT);
    hot.pass(Duration::from_millis(3000));
    // A later request does not begin the waiting anew.
    hot.reload(&numbered(4), PATIENT);
    hot.pass(Duration::from_millis(1999));
    assert_eq!(hot.tick(), Tick::Pending);
    hot.settle();
    assert_eq!(hot.tick(), Tick::Pending, "patience is not over");
    hot.pass(Duration::from_millis(1));
    assert_eq!(hot.tick(), Tick::Pending);
    hot.settle();
    assert_eq!(hot.tick(), Tick::Rejected, "it was cancelled");
    hot.settle();
    assert_eq!(hot.tick(), Tick::Fulfilled);
    assert_eq!(hot.call("number"), "4");
    hot.finish();
}

#[test]
fn a_top_level_that_never_settles_blocks_nothing_without_a_request() {
    let hot = Hot::new(&numbered(1));
    hot.reload("sleep(20000)\nfn number() { return 2 }", PATIENT);
    hot.settle();
    hot.pass(Duration::from_secs(19));
    assert_eq!(hot.tick(), Tick::Pending);
    hot.pass(Duration::from_secs(1));
    assert_eq!(hot.tick(), Tick::Fulfilled, "nobody was waiting for it");
    assert_eq!(hot.call("number"), "2");
    hot.finish();
}

#[test]
fn an_entry_that_goes_on_after_its_cancellation_is_aborted() {
    let hot = Hot::new(&numbered(1));
    let stubborn = "let m = mutex()\n\
                    fn turn() { while true { yield_now() } }\n\
                    sync m { try { turn() } catch e { print(\"no\")\n turn() } }";
    hot.reload(stubborn, PATIENT);
    let some_steps = || assert!((0..2000).all(|_| hot.platform.step()), "it goes on");
    some_steps();
    hot.reload(&numbered(3), FORCED);
    some_steps();
    assert_eq!(hot.printed(), ["no"]);
    assert_eq!(hot.tick(), Tick::Pending);
    // The clock is the test's: the loop itself is always ready.
    let mut timer = hot.platform.sleep(EngineOptions::GRACE);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(timer.as_mut().poll(&mut cx).is_pending());
    hot.platform.fire_next_timer();
    assert_eq!(hot.tick(), Tick::Pending);
    hot.settle();
    assert_eq!(hot.seen.0.lock().aborted.len(), 1);
    assert_eq!(hot.tick(), Tick::Rejected);
    hot.settle();
    assert_eq!(hot.tick(), Tick::Fulfilled);
    assert_eq!(hot.call("number"), "3");
    hot.finish();
}

#[test]
fn protected_counts_are_what_they_were_after_any_number_of_reloads() {
    let hot = Hot::empty(&numbered(1), "collect=alloc:50,zombie,verify=quick");
    assert_eq!(hot.protected(), BTreeMap::new());
    let init = hot.start_init();
    hot.settle();
    drop(init);
    hot.tick();
    assert_eq!(hot.protected(), one_future());
    for number in 2..=1001_u32 {
        hot.swap(&numbered(number));
        if number == 11 {
            assert_eq!(hot.protected(), one_future());
        }
    }
    assert_eq!(hot.protected(), one_future());
    assert_eq!(hot.call("number"), "1001");
    hot.engine.shutdown();
    assert_eq!(hot.protected(), BTreeMap::new());
    hot.engine.shutdown();
    hot.finish();
}

#[test]
fn an_old_version_is_freed_with_the_last_call_on_it_and_not_before() {
    let hot = Hot::new(&numbered(1));
    let old = Arc::downgrade(&hot.engine.realm());
    let call = hot.start(7, "slow");
    hot.settle();
    hot.swap(&numbered(2));
    assert!(old.upgrade().is_some(), "a call runs on it");
    hot.pass(Duration::from_millis(60));
    assert!(old.upgrade().is_none(), "the call has ended");
    assert_eq!(hot.text(&call), "[1, 1]", "its value has not gone with it");
    drop(call);

    let unused = Arc::downgrade(&hot.engine.realm());
    hot.swap(&numbered(3));
    assert!(unused.upgrade().is_none(), "nothing ran on it");
    let failed = hot.reload("throw 1", PATIENT);
    assert_eq!(failed, ReloadAnswer::Begun(4));
    hot.settle();
    hot.tick();
    assert_eq!(hot.call("number"), "3");
    hot.finish();
}

#[test]
fn a_task_of_an_old_version_spawns_on_that_version() {
    let text = |number: u32| {
        format!(
            "fn child() {{ return {number} }}\n\
             fn parent() {{ sleep(10)\n return await spawn child() }}"
        )
    };
    let hot = Hot::new(&text(1));
    let old = hot.start(1, "parent");
    hot.settle();
    hot.swap(&text(2));
    hot.pass(Duration::from_millis(20));
    assert_eq!(hot.text(&old), "1");
    drop(old);
    hot.finish();
}

#[test]
fn a_finalizer_runs_on_the_version_that_registered_it() {
    let text = |number: u32, make: &str| {
        format!("fn bye(o) {{ print(\"bye from {number}\", o.len()) }}\n{make}\n")
    };
    let hot = Hot::new(&text(
        1,
        "fn make() { finalizer([1, 2, 3], bye)\n return nil }",
    ));
    assert_eq!(hot.call("make"), "nil");
    hot.swap(&text(2, "let unused = 0"));
    hot.engine.try_collect(CollectionKind::Major);
    hot.settle();
    assert_eq!(hot.printed(), ["bye from 1 3"]);
    hot.finish();
}

#[test]
fn an_entry_can_be_overridden_only_while_the_slot_is_empty() {
    let hot = Hot::empty(&numbered(1), "collect=safepoint,zombie,verify=full");
    let other = hot
        .platform
        .block_on(hot.engine.override_entry(program(&numbered(5))));
    let other = other.expect("it is loaded").expect("the slot is empty");
    let again = hot
        .platform
        .block_on(hot.engine.override_entry(program(&numbered(6))));
    assert!(again.expect("nothing is loaded").is_none());
    hot.settle();
    assert_eq!(other.call().outcome(), Some(Outcome::Returned));
    assert_eq!(hot.tick(), Tick::Fulfilled);
    assert_eq!(hot.call("number"), "5");
    let again = hot
        .platform
        .block_on(hot.engine.override_entry(program(&numbered(7))));
    assert!(again.expect("nothing is loaded").is_none());
    assert_eq!(hot.protected(), one_future());

    hot.platform.block_on(hot.engine.isolate());
    assert_eq!(hot.protected(), BTreeMap::new());
    let third = hot
        .platform
        .block_on(hot.engine.override_entry(program(&numbered(8))));
    let third = third.expect("it is loaded").expect("the slot is empty");
    hot.settle();
    assert_eq!(hot.tick(), Tick::Fulfilled);
    assert_eq!(hot.call("number"), "8");
    assert_eq!(hot.protected(), one_future());
    drop((other, third));
    hot.finish();
}

#[test]
fn an_entry_with_nothing_to_evaluate_keeps_the_promise_that_is_there() {
    let hot = Hot::empty("let x = 1", "verify=full");
    let load = || hot.platform.block_on(hot.engine.load_unchanged_entry());
    for _ in 0..3 {
        load().expect("there is memory");
        assert_eq!(hot.protected(), one_future());
    }
    drop(hot.start_init());
    hot.settle();
    for _ in 0..3 {
        load().expect("there is memory");
        assert_eq!(hot.protected(), one_future());
    }
    hot.finish();
}

#[test]
fn a_preload_keeps_its_own_promise_while_a_tick_swaps_the_slot() {
    let hot = Hot::empty(&numbered(1), "collect=safepoint,zombie,verify=full");
    let preload = hot.platform.block_on(
        hot.engine
            .start_preload(program("sleep(10)\nprint(\"set up\")")),
    );
    let preload = preload.expect("it is loaded").expect("nothing runs");
    assert_eq!(hot.protected(), BTreeMap::from([("future", 2)]));
    assert_eq!(hot.reload(&numbered(3), PATIENT), ReloadAnswer::Deferred(3));
    hot.pass(Duration::from_millis(20));
    // The loop has not looked yet, and the slot has the promise of the new version.
    assert_eq!(hot.tick(), Tick::Fulfilled);
    assert_eq!(hot.protected(), BTreeMap::from([("future", 2)]));
    hot.settle();
    hot.engine.try_collect(CollectionKind::Major);
    assert_eq!(hot.platform.block_on(preload.finish()), Ok(()));
    assert_eq!(hot.protected(), one_future());
    assert_eq!(hot.tick(), Tick::Fulfilled);
    assert_eq!(hot.call("number"), "3");
    assert_eq!(hot.printed(), ["set up"]);
    hot.finish();
}

#[test]
fn preloads_run_one_after_the_other_and_the_first_failure_ends_them() {
    let hot = Hot::empty(&numbered(1), "collect=alloc:3,zombie,verify=full");
    let texts = ["sleep(5)\nprint(1)", "print(2)", "throw 3", "print(4)"];
    let programs: Vec<_> = texts.iter().map(|text| program(text)).collect();
    let failure = hot.platform.block_on(hot.engine.preload(&programs));
    assert!(
        matches!(&failure, Err(ReloadFailure::Threw { text, .. }) if text == "3"),
        "{failure:?}"
    );
    assert_eq!(hot.printed(), ["1", "2"]);
    assert_eq!(hot.protected(), one_future());
    drop(hot.start_init());
    hot.settle();
    hot.finish();
}
