//! Finalizers run one after another, whatever the host does, and report what they throw.
#![cfg(feature = "tokio")]

mod world;

use std::sync::Arc;

use gcrucible_engine::{
    CallError, CallKind, Engine, EngineEvent, EngineOptions, Observer, Source, VirtualPlatform,
    compile,
};
use gcrucible_heap::CollectionKind;
use gcrucible_platform::sync::Mutex;

use self::world::World;
use self::world::clockwork::Clockwork;

#[test]
fn the_host_reaches_no_finalizer() {
    let world = Clockwork::new(
        VirtualPlatform::new(20),
        r#"
        fn make() { finalizer([1], |v| { sleep(10); print("ran", v) }) }
        fn main() { make(); collect() }
        "#,
    );
    let main = world.main();
    world.run_until(5);
    assert!(main.call().outcome().is_some());
    assert_eq!(world.engine.open_call_count(), 1);
    let id = CallKind::Finalizer.id();
    assert_eq!(
        world.engine.cancel_call(id),
        Err(CallError::CallNotFound(id))
    );
    let interrupted = world.engine.interrupt(id, "INT");
    assert_eq!(interrupted, Err(CallError::CallNotFound(id)));
    let taken = world.engine.start_call(id, "main", &[]);
    assert_eq!(taken.err(), Some(CallError::DuplicateCallId(id)));
    world.run();
    assert_eq!(world.printed(), ["ran [1]"]);
    world.finish();
}

#[test]
fn a_collection_of_the_host_runs_them_too() {
    let world = Clockwork::new(
        VirtualPlatform::new(20),
        r#"
        fn main() { finalizer([1], |v| print("ran", v)) }
        "#,
    );
    let _main = world.main();
    world.run();
    let report = world.engine.try_collect(CollectionKind::Major);
    assert!(report.is_some_and(|report| report.violations.is_empty()));
    world.run();
    assert_eq!(world.printed(), ["ran [1]"]);
    world.finish();
}

#[derive(Default)]
struct Failures(Mutex<Vec<String>>);

impl Observer for Failures {
    fn event(&self, event: &EngineEvent<'_>) {
        if let EngineEvent::FinalizerFailed { text, .. } = event {
            self.0.lock().push((*text).to_owned());
        }
    }
}

#[test]
fn an_error_of_a_finalizer_is_reported_once() {
    let source = r#"
        fn make() {
          finalizer([1], |v| { throw error("no ${v}") })
          finalizer([2], |v| { try { throw v } catch e { } })
        }
        fn main() { make(); collect(); sleep(5); collect(); sleep(5) }
        "#;
    let program = compile(&Source::new("main.crux", source)).expect("a program");
    let platform = Arc::new(VirtualPlatform::new(20));
    let failures = Arc::<Failures>::default();
    let options = EngineOptions {
        heap: world::small_heap(),
        ..EngineOptions::default()
    };
    let engine = Engine::new(
        Arc::new(program),
        &options,
        Arc::clone(&platform) as _,
        Some(Arc::clone(&failures) as _),
    )
    .expect("an engine");
    let init = platform.block_on(engine.start_init());
    let _init = init.expect("nothing runs yet");
    assert!(platform.run(10_000));
    let _main = engine.start_call(1, "main", &[]).expect("a call");
    assert!(platform.run(10_000));
    assert_eq!(*failures.0.lock(), ["Error: no [1]"]);
}

#[test]
fn a_heap_that_is_taken_back_has_no_finalizers() {
    let world = Clockwork::new(
        VirtualPlatform::new(20),
        r#"
        fn main() { finalizer([1], |v| print("ran", v)) }
        "#,
    );
    let main = world.main();
    world.run();
    drop(main);
    let engine = world.engine.clone();
    drop(world);
    let heap = engine.into_heap().expect("nobody else has it");
    let mut permit = heap.try_exclusive().expect("nobody runs");
    let report = permit.collect(CollectionKind::Major);
    assert_eq!(report.queued, Vec::<u64>::new());
    assert_eq!(heap.next_finalizer(), None);
}

#[test]
fn on_several_threads_each_runs_once_and_none_beside_another() {
    let source = r#"
        let runs = [0, 0]
        fn note(v) {
          runs[1] = runs[1] + 1
          assert(runs[1] == 1)
          yield_now()
          runs[0] = runs[0] + 1
          runs[1] = runs[1] - 1
        }
        fn work(count) {
          for i in 0..count { finalizer([i], note) }
        }
        fn main() {
          squad { for i in 0..4 { spawn work(50) } }
          collect()
        }
        fn count() { return runs[0] }
        "#;
    let world = World::new(4, 7, "verify=quick", source);
    let main = world.call(1, "main", &[]);
    world.join(&main);
    let mut id = 1;
    let mut counted = String::new();
    while counted != "200" {
        id += 1;
        counted = world.returned(id, "count", &[]);
    }
    world.finish();
}
