//! What a program makes grow counts against the heap's limit, and nothing of what has ended stays.
#![cfg(feature = "tokio")]

mod world;

use std::sync::Arc;

use gcrucible_engine::{
    Engine, EngineOptions, ForkOptions, HostValue, Outcome, Source, TokioPlatform, VirtualPlatform,
    compile,
};
use gcrucible_heap::{CollectionKind, HeapConfig, Home, RootAudit, RootProvider, RootTracer};

use self::world::clockwork::{Clockwork, ready};
use self::world::small_heap;

fn on_heap(limit_bytes: u64, source: &str) -> Clockwork {
    let heap = HeapConfig {
        limit_bytes,
        ..small_heap()
    };
    Clockwork::on_heap(heap, "natural", VirtualPlatform::new(1_000), source)
}

#[test]
fn calls_that_allocate_nothing_leave_nothing() {
    let world = on_heap(16 << 20, "fn nothing() { return 1 }");
    for _ in 0..20_000 {
        let call = world.engine.start_call(1, "nothing", &[]);
        let call = call.expect("its id is free");
        world.run();
        assert_eq!(call.call().outcome(), Some(Outcome::Returned));
    }
    let stats = world.engine.heap().stats();
    assert_eq!(stats.collections_minor + stats.collections_major, 0);
    assert!(stats.root_providers < 200, "{}", stats.root_providers);
    assert_eq!(stats.external_bytes, 0);
    world.finish();
}

#[test]
fn preloads_that_are_dropped_leave_nothing() {
    let world = on_heap(16 << 20, "fn main() { return 1 }");
    let program = Source::new(
        "before.crux",
        "let f = spawn (|| sleep(1000))()\nsleep(1000)",
    );
    let program = Arc::new(compile(&program).unwrap_or_else(|errors| panic!("{errors}")));
    let heap = Arc::clone(world.engine.heap());
    let before = heap.stats().protected_by_kind;
    for _ in 0..500 {
        let preload = ready(world.engine.start_preload(Arc::clone(&program)));
        let preload = preload.expect("it is loaded").expect("nothing runs");
        world.settle();
        // Who waits for it goes away in the middle.
        {
            let mut finish = std::pin::pin!(preload.finish());
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(finish.as_mut().poll(&mut cx).is_pending());
        }
        world.settle();
        assert_eq!(world.engine.open_call_count(), 0);
        assert_eq!(world.engine.open_task_count(), 0);
        ready(world.engine.tick());
    }
    // The slot has the promise of the last of them.
    assert_eq!(heap.stats().protected_by_kind, before);
    world.engine.try_collect(CollectionKind::Major);
    let stats = heap.stats();
    assert!(stats.root_providers < 200, "{}", stats.root_providers);
    assert!(stats.versions < 4, "{}", stats.versions);
    assert_eq!(stats.external_bytes, 0);
    world.engine.shutdown();
    world.run();
    world.finish();
}

#[test]
fn a_fork_is_gone_after_its_finalizers() {
    let world = on_heap(
        16 << 20,
        r#"
        fn list(n) { let all = []; for i in 0..n { all.push(i) } return all }
        let kept = [nil]
        let padding = list(1000)
        let count = channel(10)
        fn handle(n) {
          kept[0] = [n]
          finalizer(kept[0], |v| { count.send(v[0] + padding.len()) })
        }
        fn counted() { return count.receive() }
        "#,
    );
    let mut used = Vec::new();
    for n in 0..200 {
        let fork = world.fork().expect("there is memory");
        let call = fork.start_call(1, "handle", &[n]).expect("its id is free");
        world.run();
        assert_eq!(call.call().outcome(), Some(Outcome::Returned));
        drop((call, fork));
        world.engine.try_collect(CollectionKind::Major);
        // It is called with the globals of the fork, and they are gone afterwards.
        assert_eq!(world.own("counted", &[]), (n + 1000).to_string());
        world.engine.try_collect(CollectionKind::Major);
        used.push(world.engine.heap().stats().used_bytes);
    }
    assert!(used[199] <= used[19], "{used:?}");
    let stats = world.engine.heap().stats();
    assert!(stats.root_providers < 200, "{}", stats.root_providers);
    assert_eq!(stats.external_bytes, 0);
    world.finish();
}

#[test]
fn a_fork_stays_while_something_else_leads_to_what_it_finalizes() {
    let world = on_heap(
        16 << 20,
        r#"
        let given = channel(10)
        let name = ["nobody"]
        fn handle() {
          let v = [1]
          name[0] = "the fork"
          given.send(v)
          finalizer(v, |v| print("gone with", name[0]))
        }
        fn let_go() { given.receive() }
        "#,
    );
    let fork = world.fork().expect("there is memory");
    let call = fork.start_call(1, "handle", &[]).expect("its id is free");
    world.run();
    drop((call, fork));
    for kind in [CollectionKind::Minor, CollectionKind::Major] {
        world.engine.try_collect(kind);
        world.run();
    }
    assert_eq!(world.printed(), [""; 0]);
    world.own("let_go", &[]);
    world.engine.try_collect(CollectionKind::Major);
    world.run();
    assert_eq!(world.printed(), ["gone with the fork"]);
    world.finish();
}

#[test]
fn tasks_count_against_the_limit() {
    let world = on_heap(
        1 << 20,
        r#"
        fn wait() { sleep(1000) }
        fn main() {
          let made = 0
          try { while true { spawn detached wait(); made = made + 1 } }
          catch e { return "${e.kind} after ${made}" }
        }
        "#,
    );
    let main = world.main();
    world.settle();
    let text = world.text(&main);
    let made = text.strip_prefix("OutOfMemory after ");
    let made: u32 = made
        .and_then(|made| made.parse().ok())
        .expect("it is refused");
    assert!((50..400).contains(&made), "{made}");
    world.run();
    assert_eq!(world.engine.heap().stats().external_bytes, 0);
    // All of that is there again.
    let again = world.main();
    world.settle();
    assert_eq!(world.text(&again), text);
    world.run();
    world.finish();
}

#[test]
fn the_stacks_of_tasks_count_against_the_limit() {
    let world = on_heap(
        1 << 20,
        r#"
        fn deep(n) { if n == 0 { sleep(100) } else { deep(n - 1) } return n }
        fn main() { for n in 0..150 { spawn detached deep(180) } }
        "#,
    );
    // Without their stacks there is room for all.
    let main = world.main();
    world.run_until(50);
    let open = world.engine.open_task_count();
    assert!((20..80).contains(&open), "{open}");
    let external = world.engine.heap().stats().external_bytes;
    assert!(external < (1 << 20) + (64 << 10), "{external}");
    world.run();
    drop(main);
    // Those that were refused have failed, and nobody has collected since.
    world.engine.try_collect(CollectionKind::Major);
    assert_eq!(world.engine.heap().stats().external_bytes, 0);
    world.finish();
}

#[test]
fn finalizers_count_against_the_limit() {
    let world = on_heap(
        1 << 20,
        r#"
        fn main() {
          let v = [1]
          let made = 0
          try { while true { finalizer(v, |v| nil); made = made + 1 } }
          catch e { return e.kind }
        }
        "#,
    );
    let main = world.main();
    world.run();
    assert_eq!(world.text(&main), "OutOfMemory");
    world.engine.try_collect(CollectionKind::Major);
    world.run();
    assert_eq!(world.engine.heap().stats().external_bytes, 0);
    world.finish();
}

#[test]
fn failures_of_futures_that_are_kept_count_against_the_limit() {
    let world = on_heap(
        1 << 20,
        r#"
        let kept = []
        fn fail() { throw error("no") }
        fn main() {
          try {
            while true {
              let f = spawn fail()
              kept.push(f)
              try { await f } catch e is User { }
            }
          } catch e is OutOfMemory { }
          return kept.len()
        }
        fn let_go() { kept.clear() }
        "#,
    );
    let main = world.main();
    world.run();
    let kept: u32 = world.text(&main).parse().expect("it is refused");
    // A future alone has some 50 bytes.
    assert!((1000..8000).contains(&kept), "{kept}");
    let stats = world.engine.heap().stats();
    assert!(stats.external_bytes > 300 << 10, "{stats:?}");
    assert_eq!(stats.external_bytes, world.engine.bytes_at_rest());
    drop(main);
    world.own("let_go", &[]);
    world.engine.try_collect(CollectionKind::Major);
    assert_eq!(world.engine.heap().stats().external_bytes, 0);
    world.finish();
}

/// A task that catches OutOfMemory and goes on, until it is told to end.
const STUBBORN: &str = r#"
let done = [false]
fn hog() {
  let all = []
  let caught = 0
  while !done[0] {
    try { while true { all.push([1, 2, 3]) } } catch e is OutOfMemory { caught = caught + 1 }
  }
  return caught
}
fn work(n) {
  let i = 0
  while i < n { i = i + 1 }
  done[0] = true
}
fn beside_one(n) {
  let a = spawn hog()
  work(n)
  return await a
}
fn beside_three(n) {
  let a = spawn hog()
  let b = spawn hog()
  let c = spawn hog()
  work(n)
  return await a + await b + await c
}
fn fill(kept) { while true { kept[0].push([1, 2, 3]) } }
fn again_and_again() {
  let kept = [[]]
  let rounds = 0
  while rounds < 20 {
    try { fill(kept) }
    catch e is OutOfMemory {
      kept[0] = nil
      rounds = rounds + 1
      // There is room at once.
      kept[0] = []
      let n = 0
      while n < 100 { kept[0].push([n]); n = n + 1 }
    }
  }
  return rounds
}
"#;

#[test]
fn who_fails_to_allocate_again_and_again_lets_others_work() {
    let caught = |function: &str| {
        let world = on_heap(1 << 20, STUBBORN);
        let caught: u64 = world.own(function, &[300_000]).parse().expect("a count");
        let majors = world.engine.heap().stats().collections_major;
        world.finish();
        (caught, majors)
    };
    // The others do as much between two collections of everything as these look at words, here
    // about 130,000, and there are a million instructions to do. Each turn had one, once.
    let (one, majors) = caught("beside_one");
    assert!((2..30).contains(&one), "{one}");
    assert!(majors < 60, "{majors}");
    // One collection is for all who ask.
    let (of_three, majors_of_three) = caught("beside_three");
    assert!(of_three >= one, "{of_three}");
    assert!(
        majors_of_three < 2 * majors,
        "{majors_of_three} for {majors}"
    );
}

#[test]
fn memory_that_was_let_go_when_there_was_none_is_there_at_once() {
    let world = on_heap(1 << 20, STUBBORN);
    assert_eq!(world.own("again_and_again", &[]), "20");
    world.finish();
}

/// An operation that takes memory without end, or as much as it is told.
fn greedy() -> VirtualPlatform {
    VirtualPlatform::with_host(1_000, |request| {
        Box::pin(async move {
            let pieces = match request.args.as_slice() {
                [HostValue::Int(pieces)] => *pieces,
                _ => i64::MAX,
            };
            for _ in 0..pieces {
                request.budget.take(1 << 10).await?;
            }
            Ok(HostValue::Int(pieces))
        })
    })
}

const GREEDY: &str = r#"
fn list(n) { let all = []; for i in 0..n { all.push(i) } return all }
let kept = []
fn fill(limit) {
  for n in 0..limit { kept.push(list(50)) }
}
fn main() {
  try { return host("take") } catch e { return "${e.kind}: ${e.message}" }
}
fn some(pieces) {
  try { return host("take", pieces) } catch e { return e.kind }
}
fn garbage() { for n in 0..900 { list(100) } }
"#;

#[test]
fn what_host_operations_bring_counts_against_the_limit() {
    let heap = HeapConfig {
        limit_bytes: 1 << 20,
        ..small_heap()
    };
    let world = Clockwork::on_heap(heap, "natural", greedy(), GREEDY);
    assert_eq!(
        world.own("main", &[]),
        "HostError: it has over 262144 bytes, the most that an operation may hold"
    );
    assert_eq!(world.engine.heap().stats().external_bytes, 0);
    // What is garbage is collected for it.
    world.own("garbage", &[]);
    assert_eq!(world.own("some", &[250]), "250");
    world.own("fill", &[1400]);
    assert_eq!(world.own("some", &[250]), "OutOfMemory");
    assert_eq!(world.own("some", &[10]), "10");
    assert_eq!(world.engine.heap().stats().external_bytes, 0);
    world.finish();
}

const HOG: &str = r#"
fn list(n) { let all = []; for i in 0..n { all.push(i) } return all }
let kept = []
fn eat() {
  try { while true { kept.push(list(50)) } }
  catch e { return "${e.kind} after ${kept.len()}" }
}
fn eat_and_sleep() { eat(); sleep(1000) }
fn churn() {
  for n in 0..5000 { list(50) }
  return "done"
}
fn live(n) {
  for n in 0..n { kept.push(list(50)) }
  return kept.len()
}
"#;

#[test]
fn a_fork_has_a_share_of_the_limit() {
    let world = on_heap(2 << 20, HOG);
    let options = ForkOptions {
        memory_limit: Some(256 << 10),
    };
    let realm = world.engine.realm();
    let fork = || ready(world.engine.fork_with(&realm, &options)).expect("there is memory");
    let forks: Vec<_> = (0..4).map(|_| fork()).collect();
    for fork in &forks[..2] {
        let text = world.returned(fork, "eat", &[]);
        let made = text.strip_prefix("OutOfMemory after ");
        let made: u32 = made
            .and_then(|made| made.parse().ok())
            .expect("it is refused");
        // An array of 50 takes some 450 bytes.
        assert!((300..700).contains(&made), "{made}");
        assert!(fork.memory_used() <= 300 << 10, "{}", fork.memory_used());
    }
    // Neither that nor garbage of its own keeps a neighbour from its share.
    assert_eq!(world.returned(&forks[2], "churn", &[]), "done");
    assert_eq!(world.returned(&forks[3], "live", &[300]), "300");
    drop(forks);
    world.engine.try_collect(CollectionKind::Major);
    assert_eq!(world.returned(&fork(), "live", &[300]), "300");
    assert_eq!(world.engine.heap().stats().external_bytes, 0);
    world.finish();
}

#[test]
fn in_a_full_heap_the_fork_that_has_most_of_it_is_refused_first() {
    let world = on_heap(8 << 20, HOG);
    let options = ForkOptions {
        memory_limit: Some(8 << 20),
    };
    let realm = world.engine.realm();
    let fork = || ready(world.engine.fork_with(&realm, &options)).expect("there is memory");
    let (hog, neighbour) = (fork(), fork());
    let call = hog
        .start_call(1, "eat_and_sleep", &[])
        .expect("its id is free");
    world.settle();
    assert!(hog.memory_used() > 5 << 20, "{}", hog.memory_used());
    // It was refused while there was room for the neighbour.
    for made in 1..=10 {
        assert_eq!(
            world.returned(&neighbour, "live", &[10]),
            (made * 10).to_string()
        );
    }
    assert!(call.call().outcome().is_some());
    drop((call, hog, neighbour));
    world.finish();
}

/// A root that cannot be traced.
struct Broken(Home);

// SAFETY: it has no slots.
#[allow(unsafe_code, reason = "the trait is one to be kept")]
unsafe impl RootProvider for Broken {
    fn name(&self) -> String {
        "broken".to_owned()
    }

    fn home(&self) -> &Home {
        &self.0
    }

    fn trace(&self, _tracer: &mut dyn RootTracer) {
        panic!("this root cannot be traced")
    }

    fn audit(&self, _audit: &mut RootAudit<'_>) {}
}

#[test]
fn a_collection_that_panics_ends_all_calls_with_its_message() {
    let source = Source::new(
        "main.crux",
        r#"
        fn work() { sleep(1); collect(); return 1 }
        fn main() { let f = spawn work(); return await f }
        fn wait() { sleep(300); return [1] }
        "#,
    );
    let program = compile(&source).unwrap_or_else(|errors| panic!("{errors}"));
    let platform = Arc::new(TokioPlatform::new(2).expect("threads start"));
    let options = EngineOptions::default();
    let engine = Engine::new(
        Arc::new(program),
        &options,
        Arc::clone(&platform) as _,
        None,
    );
    let engine = engine.expect("an engine");
    platform.block_on(async {
        let init = engine.start_init().await.expect("nothing runs yet");
        assert_eq!(init.join().await, Outcome::Returned);
        let calls = [(1, "main"), (2, "wait")].map(|(id, name)| engine.start_call(id, name, &[]));
        let broken = Arc::new(Broken(Home::new(engine.heap())));
        engine.heap().add_provider(&broken);
        for call in calls {
            let call = call.expect("its id is free");
            assert_eq!(call.join_run().await, Outcome::Panicked);
            let fault = call.text().await;
            assert!(fault.contains("this root cannot be traced"), "{fault}");
        }
        // Nor does anything begin that would use it.
        let call = engine.start_call(3, "wait", &[]).expect("its id is free");
        assert_eq!(call.join().await, Outcome::Panicked);
    });
    let broken = engine.heap().broken().expect("it says why");
    assert_eq!(&*broken, "this root cannot be traced");
    assert!(engine.heap().try_shared().is_none());
    assert_eq!(engine.open_call_count(), 0);
    assert_eq!(engine.active_future_count(), 0);
}

#[test]
fn a_fork_that_a_finalizer_keeps_counts_against_the_limit() {
    let world = on_heap(
        8 << 20,
        r#"
        fn handle() {
          let object = [1]
          finalizer(object, |it| nil)
          return nil
        }
        "#,
    );
    for _ in 0..100 {
        let fork = ready(world.engine.fork_for_serving());
        let fork = fork.expect("there is memory");
        assert_eq!(world.returned(&fork, "handle", &[]), "nil");
    }
    let heap = world.engine.heap();
    let forks = heap.provider_bytes();
    assert!(forks > 10_000, "{forks}");
    assert_eq!(forks + heap.finalizer_bytes(), heap.stats().external_bytes);
    world.engine.try_collect(CollectionKind::Major);
    world.run();
    assert_eq!(world.engine.heap().stats().external_bytes, 0);
    world.finish();
}
