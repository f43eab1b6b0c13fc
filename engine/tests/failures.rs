//! Tasks that fail: their traces go along, and an error that nobody awaits is reported once.

use std::sync::Arc;

use gcrucible_engine::{
    CallHandle, Engine, EngineEvent, EngineOptions, HeapConfig, HeapDebug, Observer, Outcome,
    Source, VirtualPlatform, compile,
};
use gcrucible_platform::sync::Mutex;

/// What was reported: texts and the functions of the traces.
#[derive(Default)]
struct Reports(Mutex<Vec<String>>);

impl Observer for Reports {
    fn event(&self, event: &EngineEvent<'_>) {
        if let EngineEvent::Unobserved { text, trace, .. } = event {
            let functions: Vec<&str> = trace.iter().map(|at| at.function.as_str()).collect();
            let report = format!("{text} in {}", functions.join(" "));
            self.0.lock().push(report);
        }
    }
}

struct World {
    engine: Engine,
    platform: Arc<VirtualPlatform>,
    reports: Arc<Reports>,
}

impl World {
    fn new(text: &str) -> World {
        let platform = Arc::new(VirtualPlatform::new(50));
        let reports = Arc::<Reports>::default();
        let options = EngineOptions {
            heap: HeapConfig::tiny(),
            debug: "verify=full,scribble".parse::<HeapDebug>().expect("modes"),
            ..EngineOptions::default()
        };
        let program = compile(&Source::new("main.crux", text)).expect("it compiles");
        let engine = Engine::new(
            Arc::new(program),
            &options,
            Arc::clone(&platform) as _,
            Some(Arc::clone(&reports) as _),
        )
        .expect("an engine");
        let world = World {
            engine,
            platform,
            reports,
        };
        let init = world.platform.block_on(world.engine.start_init());
        init.expect("nothing runs yet").detach();
        world.run();
        world
    }

    /// Takes steps and lets time pass until nothing is left to do.
    fn run(&self) {
        assert!(self.platform.run(100_000), "it ends");
    }

    fn call(&self, id: u32, function: &str) -> CallHandle {
        let call = self.engine.start_call(id, function, &[]);
        let call = call.expect("the call is accepted");
        self.run();
        call
    }

    fn reports(&self) -> Vec<String> {
        std::mem::take(&mut *self.reports.0.lock())
    }
}

const PROGRAM: &str = r#"
let kept = nil
fn fails(text) { throw error(text) }
fn awaits(f) { return await f }
fn seen() {
  let f = spawn fails("a")
  try { await f } catch { }
  let g = spawn awaits(spawn fails("b"))
  try { await g } catch { }
  try { squad { spawn fails("c"); spawn fails("d") } } catch { }
  return "caught"
}
fn lost() {
  spawn fails("e")
  spawn awaits(spawn fails("f"))
  sleep(1)
  collect()
  yield_now()
  return "lost"
}
fn late() {
  let f = spawn fails("g")
  sleep(5)
  collect()
  try { await f } catch { }
}
fn detached() {
  let hold = [spawn detached fails("h")]
  sleep(1)
  return hold
}
fn uncaught() { await (spawn awaits(spawn fails("i"))) }
fn again() {
  let f = spawn fails("j")
  try { await f } catch { }
  collect()
  awaits(f)
}
"#;

#[test]
fn what_was_awaited_is_not_reported() {
    let world = World::new(PROGRAM);
    for (id, function) in [(1, "seen"), (2, "late")] {
        let call = world.call(id, function);
        assert_eq!(call.call().outcome(), Some(Outcome::Returned));
    }
    world.engine.report_failures();
    assert_eq!(world.reports(), [""; 0]);
}

#[test]
fn what_nobody_awaits_is_reported_when_its_future_is_freed() {
    let world = World::new(PROGRAM);
    let call = world.call(1, "lost");
    assert_eq!(call.call().outcome(), Some(Outcome::Returned));
    let expected = ["Error: e in fails", "Error: f in fails awaits"];
    assert_eq!(world.reports(), expected);
    world.engine.report_failures();
    assert_eq!(world.reports(), [""; 0], "once");
}

#[test]
fn a_detached_task_is_reported_at_the_end_of_the_engine() {
    let world = World::new(PROGRAM);
    let call = world.call(1, "detached");
    assert_eq!(world.reports(), [""; 0], "it belongs to no run");
    drop(call);
    world.engine.report_failures();
    assert_eq!(world.reports(), ["Error: h in fails"]);
}

#[test]
fn the_trace_leads_through_all_who_awaited() {
    let world = World::new(PROGRAM);
    let frames = |call: &CallHandle| -> Vec<(String, bool)> {
        let trace = call.call().trace();
        let frames = trace.into_iter();
        frames.map(|at| (at.function, at.awaits)).collect()
    };
    let call = world.call(1, "uncaught");
    let expected = [("fails", false), ("awaits", true), ("uncaught", true)];
    let expected = expected.map(|(function, awaits)| (function.to_owned(), awaits));
    assert_eq!(frames(&call), expected);
    // Awaiting twice gives the same error with the same trace.
    let call = world.call(2, "again");
    let expected = [("fails", false), ("awaits", true), ("again", false)];
    let expected = expected.map(|(function, awaits)| (function.to_owned(), awaits));
    assert_eq!(frames(&call), expected);
    assert_eq!(world.reports(), [""; 0]);
}

#[test]
fn a_deadlock_is_known_when_nothing_is_left_to_do() {
    let world = World::new(
        "let c = channel(1)\nfn main() { c.receive() }\nfn other() { c.send(1) }\n\
         fn sleeps() { sleep(10); c.receive() }",
    );
    let deadlock = || world.platform.block_on(world.engine.deadlock());
    assert_eq!(deadlock(), None, "nobody waits");
    let main = world.call(1, "main");
    let found = deadlock().expect("it waits for ever");
    assert_eq!(
        found.to_string(),
        "task 2 waits for a value from channel 1 at main (main.crux:2:15)"
    );
    // What the host starts can end it.
    let other = world.call(2, "other");
    assert_eq!(deadlock(), None);
    for call in [main, other] {
        assert_eq!(call.call().outcome(), Some(Outcome::Returned));
    }
    let sleeps = world.engine.start_call(3, "sleeps", &[]);
    let sleeps = sleeps.expect("it is accepted");
    while world.platform.step() {}
    assert_eq!(deadlock(), None, "a timer is set");
    world.run();
    assert!(deadlock().is_some());
    drop(sleeps);
    world.run();
    assert_eq!(deadlock(), None, "it was cancelled");
}
