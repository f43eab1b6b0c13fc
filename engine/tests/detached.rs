//! Tasks of forks that belong to no call, and what a host knows of a fork.

use std::sync::Arc;
use std::time::Duration;

use gcrucible_engine::{
    CallHandle, Engine, EngineEvent, EngineOptions, Fork, HostValue, Observer, Outcome, Source,
    VirtualPlatform, compile,
};
use gcrucible_platform::sync::Mutex;

const PROGRAM: &str = "
    fn waits() { sleep(1000) }
    fn detach(count) {
      for i in 0..count { spawn detached waits() }
      return count
    }
    fn caught() {
      try { spawn detached waits() } catch e { return e.kind }
      return nil
    }
    fn parent() { for i in 0..3 { spawn waits() } }
    fn nested() { spawn detached parent() }
    fn two(a, b) { return [a, b] }
    fn gives_two() { return two }
    fn prints() { print(\"from a fork\") }
";

#[derive(Default)]
struct Printed(Mutex<Vec<(String, Option<String>)>>);

impl Observer for Printed {
    fn event(&self, event: &EngineEvent<'_>) {
        if let EngineEvent::Slice { realm, outcome, .. } = event {
            let name = realm.attachment();
            let name = name.and_then(|name| name.downcast_ref::<String>().cloned());
            let lines = outcome
                .printed
                .iter()
                .map(|line| (line.clone(), name.clone()));
            self.0.lock().extend(lines);
        }
    }
}

struct World {
    platform: Arc<VirtualPlatform>,
    engine: Engine,
    printed: Arc<Printed>,
    calls: u32,
}

impl World {
    fn new() -> World {
        let program = compile(&Source::new("main.crux", PROGRAM)).expect("it is right");
        let platform = Arc::new(VirtualPlatform::new(100));
        let options = EngineOptions {
            detached_max: 4,
            ..EngineOptions::default()
        };
        let printed = Arc::<Printed>::default();
        let engine = Engine::new(
            Arc::new(program),
            &options,
            Arc::clone(&platform) as _,
            Some(Arc::clone(&printed) as _),
        );
        let engine = engine.expect("an engine");
        let init = platform.block_on(engine.start_init()).expect("it starts");
        assert!(platform.run(1_000));
        init.detach();
        World {
            platform,
            engine,
            printed,
            calls: 0,
        }
    }

    fn fork(&self) -> Fork {
        let fork = self.platform.block_on(self.engine.fork_for_serving());
        fork.expect("a fork")
    }

    /// Runs a call to its end, and what it detached until it waits.
    fn call(&mut self, fork: &Fork, name: &str, args: &[HostValue]) -> CallHandle {
        self.calls += 1;
        let call = fork.call(self.calls, name, args);
        let call = self.platform.block_on(call).expect("it starts");
        while self.platform.step() {}
        call
    }

    fn data(&self, call: &CallHandle) -> Option<HostValue> {
        self.platform.block_on(call.data())
    }
}

#[test]
fn they_are_counted_limited_and_cancelled_by_their_age() {
    let mut world = World::new();
    let fork = world.fork();
    let call = world.call(&fork, "detach", &[HostValue::Int(3)]);
    assert_eq!(world.data(&call), Some(HostValue::Int(3)));
    assert_eq!(world.engine.detached_task_count(), 3);
    // One more finds a place, the next one throws where it is spawned.
    let call = world.call(&fork, "caught", &[]);
    assert_eq!(world.data(&call), Some(HostValue::Nil));
    let call = world.call(&fork, "caught", &[]);
    let refused = HostValue::String("HostError".to_owned());
    assert_eq!(world.data(&call), Some(refused));
    // Those of another fork count, too; those of the engine's own realm do not.
    let other = world.fork();
    let call = world.call(&other, "detach", &[HostValue::Int(1)]);
    assert_eq!(call.call().outcome(), Some(Outcome::Threw));
    world.calls += 1;
    let own = world.engine.start_call(world.calls, "detach", &[9]);
    let own = own.expect("it starts");
    while world.platform.step() {}
    assert_eq!(own.call().outcome(), Some(Outcome::Returned));
    assert_eq!(world.engine.detached_task_count(), 4);

    assert_eq!(world.engine.cancel_detached(Duration::from_millis(1)), 0);
    assert_eq!(world.engine.cancel_detached(Duration::ZERO), 4);
    assert_eq!(world.engine.cancel_detached(Duration::ZERO), 0);
    while world.platform.step() {}
    assert_eq!(world.engine.detached_task_count(), 0);
    let call = world.call(&fork, "caught", &[]);
    assert_eq!(world.data(&call), Some(HostValue::Nil));
}

#[test]
fn what_they_spawn_counts_and_the_end_of_each_gives_its_place_back() {
    let mut world = World::new();
    let fork = world.fork();
    let _ = world.call(&fork, "nested", &[]);
    // The parent has ended.
    assert_eq!(world.engine.detached_task_count(), 3);
    assert!(world.platform.run(10_000));
    assert_eq!(world.engine.detached_task_count(), 0);
}

#[test]
fn what_is_attached_to_a_fork_is_seen_where_it_prints() {
    let mut world = World::new();
    let fork = world.fork();
    fork.realm().attach(Arc::new("r-1".to_owned()));
    fork.realm().attach(Arc::new("r-2".to_owned()));
    let _ = world.call(&fork, "prints", &[]);
    let plain = world.fork();
    let _ = world.call(&plain, "prints", &[]);
    let line = "from a fork".to_owned();
    let expected = [(line.clone(), Some("r-1".to_owned())), (line, None)];
    assert_eq!(*world.printed.0.lock(), expected);
}

#[test]
fn a_function_that_is_returned_has_parameters() {
    let mut world = World::new();
    let fork = world.fork();
    let call = world.call(&fork, "gives_two", &[]);
    assert_eq!(world.platform.block_on(call.parameters()), Some(2));
    let call = world.call(&fork, "detach", &[HostValue::Int(0)]);
    assert_eq!(world.platform.block_on(call.parameters()), None);
}
