//! A fork for serving shares nothing with the engine that can change, but for channels and
//! futures (I-23), and is refused where a stream is reachable (I-24).
#![cfg(feature = "tokio")]

mod world;

use gcrucible_engine::{CallError, ForkError, HostValue, Outcome, RealmStats, VirtualPlatform};
use gcrucible_heap::{CollectionKind, HeapConfig};

use self::world::World;
use self::world::clockwork::{Clockwork, ready};

/// Heap modes under which every test runs.
const MODES: [&str; 7] = [
    "natural",
    "collect=seeded:7:500,verify=full",
    "collect=alloc:1,zombie,scribble",
    "collect=safepoint,zombie,tags,verify=full",
    "kind=minor,promote=always,verify=full,collect=alloc:3",
    "quarantine=2,scribble,zombie,verify=full",
    "steps=1,collect=safepoint,zombie,verify=full",
];

/// Runs a check on each heap.
fn on_each(source: &str, check: impl Fn(&Clockwork)) {
    for modes in MODES {
        let world =
            Clockwork::on_heap(world::small_heap(), modes, VirtualPlatform::new(20), source);
        println!("under {modes}");
        check(&world);
        world.finish();
    }
}

#[test]
fn each_kind_of_object_is_copied() {
    on_each(
        r#"
        class Point { x, y
          fn grow(n) { self.x.push(n) } }
        enum Shape { Dot, Circle(center) }
        let array = [1, [2]]
        let map = {"a": [1], 2: {}}
        let point = Point { x: [0], y: nil }
        let circle = Shape.Circle([5])
        fn counting() { let n = 0; return || { n += 1; return n } }
        let counter = counting()
        let bound = point.grow
        let failed = try_it()
        fn try_it() { try { throw error("no", [1]) } catch e { return e } }
        fn change() {
          array[1].push(3)
          map["a"].push(2)
          map["b"] = 1
          point.x.push(1)
          point.y = 4
          match circle { Shape.Circle(c) => c.push(6), _ => nil }
          bound(9)
          failed.payload.push(2)
          return counter()
        }
        fn show() {
          return [array, map, [point.x, point.y], circle, failed.payload]
        }
        "#,
        |world| {
            let before = world.own("show", &[]);
            let fork = world.fork().expect("nothing is in its way");
            assert_eq!(world.returned(&fork, "show", &[]), before);
            assert_eq!(world.returned(&fork, "change", &[]), "1");
            assert_eq!(world.returned(&fork, "change", &[]), "2");
            let changed = world.returned(&fork, "show", &[]);
            assert_eq!(
                changed,
                "[[1, [2, 3, 3]], {\"a\": [1, 2, 2], 2: {}, \"b\": 1}, [[0, 1, 9, 1, 9], 4], \
                 Shape.Circle([5, 6, 6]), [1, 2, 2]]"
            );
            assert_eq!(world.own("show", &[]), before);
            // And the other way, with a second fork.
            assert_eq!(world.own("change", &[]), "1");
            let second = world.fork().expect("nothing is in its way");
            assert_eq!(world.returned(&second, "change", &[]), "2");
            assert_eq!(world.returned(&fork, "show", &[]), changed);
        },
    );
}

#[test]
fn what_is_one_object_stays_one() {
    on_each(
        r#"
        let shared = [0]
        let first = [shared]
        let second = {"it": shared}
        let log = []
        fn maker() {
          let n = 0
          let add = || { n += 1; return n }
          let read = || n
          return [add, add, read]
        }
        let made = maker()
        let alias = made[0]
        let cycle = [nil]
        cycle[0] = cycle
        let by_identity = {}
        by_identity[shared] = "here"
        fn holds() {
          shared.push(1)
          assert(first[0] == shared && second["it"] == shared && first[0].len() == 2)
          assert(made[0] == made[1] && made[0] == alias)
          assert(alias() == 1 && made[1]() == 2 && made[2]() == 2)
          assert(cycle[0] == cycle && cycle[0][0][0] == cycle)
          assert(by_identity[shared] == "here" && by_identity.len() == 1)
          return "it holds"
        }
        "#,
        |world| {
            for _ in 0..2 {
                let fork = world.fork().expect("nothing is in its way");
                assert_eq!(world.returned(&fork, "holds", &[]), "it holds");
            }
            assert_eq!(world.own("holds", &[]), "it holds");
        },
    );
}

#[test]
fn channels_and_futures_are_shared() {
    on_each(
        r#"
        let requests = channel(3)
        let answer = spawn work()
        fn work() { return requests.receive() }
        fn ask(n) { requests.send(n); return await answer }
        fn waits() { return await answer }
        "#,
        |world| {
            let fork = world.fork().expect("nothing is in its way");
            assert_eq!(world.returned(&fork, "ask", &[5]), "5");
            assert_eq!(world.own("waits", &[]), "5");
        },
    );
}

#[test]
fn a_mutex_and_a_weak_reference_are_the_forks_own() {
    on_each(
        r#"
        let lock = mutex()
        let target = [1]
        let to_it = weak(target)
        let to_nothing = weak([2])
        let to_text = weak("text")
        fn hold() { sync lock { sleep(50); return 1 } }
        fn enter() { sync lock { return 2 } }
        fn look() {
          target.push(2)
          return [to_it.target() == target, to_it.target(), to_text.target()]
        }
        fn lost() { return to_nothing.target() }
        "#,
        |world| {
            let holder = world.engine.start_call(1, "hold", &[]).expect("a new id");
            world.settle();
            let fork = world.fork().expect("nothing is in its way");
            let enters = fork.start_call(2, "enter", &[]).expect("a new id");
            world.settle();
            assert_eq!(world.text(&enters), "2");
            assert_eq!(holder.call().outcome(), None);
            world.run();
            let seen = world.returned(&fork, "look", &[]);
            assert_eq!(seen, "[true, [1, 2], \"text\"]");
            assert_eq!(world.own("look", &[]), seen);
            // Nothing strong led to its target when the fork was made.
            assert_eq!(world.returned(&fork, "lost", &[]), "nil");
        },
    );
}

#[test]
fn a_stream_is_refused_with_the_way_to_it() {
    let to = |setup: &str, path: &str| {
        let source = format!(
            "class Box {{ items }}\nenum Item {{ One(it) }}\nfn numbers() {{ return stream(|| nil) }}\n{setup}\nfn main() {{ return 1 }}"
        );
        on_each(&source, |world| {
            let before = world.engine.heap().stats().used_bytes;
            let refused = world.fork().map(drop);
            let path = path.to_owned();
            assert_eq!(refused, Err(ForkError::Stream { path }));
            // Nothing was copied, and nothing else is in its way.
            assert!(world.engine.heap().stats().used_bytes <= before);
            assert_eq!(world.own("main", &[]), "1");
        });
    };
    to("let it = numbers()", "it");
    to("let it = [1, [numbers()]]", "it[1][0]");
    to(r#"let it = {"list": numbers(), 3: 1}"#, r#"it["list"]"#);
    to("let it = Box { items: [numbers()] }", "it.items[0]");
    to("let it = Item.One(numbers())", "it.0");
    to(
        "fn closed() { let log = [0, 1, 2, numbers()]; return || log }\nlet handlers = {\"list\": closed()}",
        r#"handlers["list"].captured log[3]"#,
    );
    to(
        "let queue = channel(1)\nqueue.send([numbers()])",
        "queue[0][0]",
    );
    to("let it = spawn numbers()\nawait it", "it.result");
    to(
        "let far = [[[numbers()]]]\nlet near = [far[0][0][0]]",
        "near[0]",
    );
}

#[test]
fn what_refuses_a_fork_says_why() {
    let path = "it[3]".to_owned();
    let refused = ForkError::Stream { path };
    assert!(refused.to_string().starts_with("it[3] is a stream"));
    let world = Clockwork::on_heap(
        HeapConfig {
            limit_bytes: 256 << 10,
            ..world::small_heap()
        },
        "verify=full",
        VirtualPlatform::new(20),
        r#"
        let much = []
        for i in 0..2500 { much.push([i]) }
        fn len() { return much.len() }
        fn drop_it() { much.clear() }
        "#,
    );
    assert_eq!(world.fork().map(drop), Err(ForkError::OutOfMemory));
    assert_eq!(world.own("len", &[]), "2500");
    world.own("drop_it", &[]);
    let fork = world.fork().expect("there is room now");
    assert_eq!(world.returned(&fork, "len", &[]), "0");
    drop(fork);
    world.finish();
}

#[test]
fn a_program_that_initialises_is_not_served() {
    let world = Clockwork::new(VirtualPlatform::new(20), "fn main() { return 1 }");
    let program = gcrucible_engine::compile(&gcrucible_engine::Source::new(
        "main.crux",
        "sleep(5)\nlet it = 1",
    ));
    let engine = gcrucible_engine::Engine::new(
        std::sync::Arc::new(program.expect("it is right")),
        &gcrucible_engine::EngineOptions::default(),
        std::sync::Arc::clone(&world.platform) as _,
        None,
    )
    .expect("an engine");
    let init = ready(engine.start_init()).expect("nothing runs yet");
    world.settle();
    let refused = ready(engine.fork_for_serving()).map(drop);
    assert_eq!(refused, Err(ForkError::Initialising));
    world.run();
    assert_eq!(init.call().outcome(), Some(Outcome::Returned));
    assert!(ready(engine.fork_for_serving()).is_ok());
    world.finish();
}

#[test]
fn a_dropped_fork_leaves_nothing() {
    on_each(
        r#"
        let data = []
        for i in 0..50 { data.push([i]) }
        fn slow() { sleep(20); return data.len() }
        "#,
        |world| {
            let census = || {
                let report = world.engine.try_collect(CollectionKind::Major);
                assert!(report.is_some_and(|report| report.violations.is_empty()));
                let heap = world.engine.heap();
                let mut permit = heap.try_exclusive().expect("nobody runs");
                permit.census()
            };
            let before = census();
            for _ in 0..3 {
                let forks = [world.fork(), world.fork()];
                // A call goes on in the fork that the host has dropped.
                let fork = forks[0].as_ref().expect("nothing is in its way");
                let call = fork.start_call(1, "slow", &[]).expect("a new id");
                drop(forks);
                world.run();
                assert_eq!(world.text(&call), "50");
            }
            assert_eq!(census(), before);
        },
    );
}

#[test]
fn a_finalizer_runs_where_it_was_registered() {
    on_each(
        r#"
        let seen = []
        fn make(n) { finalizer([n], |v| seen.push(v[0])) }
        fn look() { return seen }
        "#,
        |world| {
            let fork = world.fork().expect("nothing is in its way");
            world.returned(&fork, "make", &[1]);
            world.own("make", &[2]);
            world.returned(&fork, "make", &[3]);
            world.engine.try_collect(CollectionKind::Major);
            world.run();
            assert_eq!(world.own("look", &[]), "[2]");
            let seen = world.returned(&fork, "look", &[]);
            assert!(seen == "[1, 3]" || seen == "[3, 1]", "{seen}");
        },
    );
}

#[test]
fn calls_of_forks_are_calls_of_the_engine() {
    let world = Clockwork::new(
        VirtualPlatform::new(20),
        r#"
        let n = [0]
        fn wait() { n[0] += 1; sleep(100); return n[0] }
        fn add(list, more) { list.push(more); n[0] += 1; return [list, n[0]] }
        "#,
    );
    let forks = [world.fork(), world.fork()].map(|fork| fork.expect("nothing is in its way"));
    let first = forks[0].start_call(1, "wait", &[]).expect("a new id");
    let duplicate = forks[1].start_call(1, "wait", &[]);
    assert_eq!(duplicate.err(), Some(CallError::DuplicateCallId(1)));
    let second = forks[1].start_call(2, "wait", &[]).expect("a new id");
    world.run_until(50);
    assert_eq!(world.engine.cancel_call(1), Ok(()));
    world.run();
    assert_eq!(first.call().outcome(), Some(Outcome::Cancelled));
    assert_eq!(world.text(&second), "1");
    assert_eq!([first.call().realm(), second.call().realm()], [1, 2]);
    let args = [HostValue::Array(vec![HostValue::Int(1)]), HostValue::Int(2)];
    let third = ready(forks[1].call(3, "add", &args)).expect("a new id");
    world.run();
    assert_eq!(world.text(&third), "[[1, 2], 2]");
    let unknown = forks[0].start_call(4, "nobody", &[]);
    assert_eq!(
        unknown.err(),
        Some(CallError::UnknownExport("nobody".into()))
    );
    drop(forks);
    world.finish();
}

#[test]
fn forks_are_made_while_others_change_the_template_on_threads() {
    for modes in ["natural", "collect=continuous,zombie,scribble,verify=quick"] {
        let world = World::new(
            2,
            200,
            modes,
            r#"
            let list = []
            let map = {}
            fn counting() { let n = 0; return || { n += 1; return n } }
        let counter = counting()
            fn churn(count) {
              for i in 0..count {
                list.push([i])
                map["k${i % 7}"] = [i]
                counter()
                if list.len() > 40 { list.clear(); map.clear() }
              }
              return 1
            }
            fn holds() {
              let before = list.len()
              for element in list { assert(element == nil || element.len() == 1) }
              for key in map.keys() { assert(map[key].len() == 1) }
              let n = counter()
              list.push(0)
              assert(counter() == n + 1 && list.len() == before + 1)
              return 1
            }
            "#,
        );
        let churns = [1, 2].map(|id| world.call(id, "churn", &[3000]));
        for round in 0..20 {
            let fork = world.block_on(world.engine.fork_for_serving());
            let fork = fork.expect("nothing is in its way");
            let call = fork.start_call(10 + round, "holds", &[]).expect("a new id");
            assert_eq!(
                world.join(&call),
                Outcome::Returned,
                "{}",
                world.value(&call)
            );
        }
        for churn in churns {
            assert_eq!(world.join(&churn), Outcome::Returned);
        }
    }
}

#[test]
fn each_fork_counts_what_it_has_run() {
    let world = Clockwork::new(
        VirtualPlatform::new(20),
        "fn child() { yield_now(); return 1 }
        fn busy() { return await spawn child() }
        fn waits() { sleep(1000) }",
    );
    let (one, two) = (world.fork().expect("a fork"), world.fork().expect("a fork"));
    assert_eq!(world.returned(&one, "busy", &[]), "1");
    let first = one.stats();
    let calls = (
        first.calls_started,
        first.calls_ended,
        first.calls_cancelled,
    );
    assert_eq!(calls, (1, 1, 0));
    assert!(first.slices >= 2 && first.instructions >= 8, "{first:?}");
    assert_eq!(two.stats(), RealmStats::default());
    let waits = two.start_call(1, "waits", &[]).expect("the id is free");
    world.settle();
    assert_eq!(two.stats().calls_ended, 0);
    drop(waits);
    world.run();
    let second = two.stats();
    let calls = (
        second.calls_started,
        second.calls_ended,
        second.calls_cancelled,
    );
    assert_eq!(calls, (1, 1, 1));
    assert_eq!(one.stats(), first);
    drop((one, two));
    world.finish();
}
