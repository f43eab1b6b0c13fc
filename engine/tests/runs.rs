//! A call ends when what it started has; hooks see its value on the way.
#![cfg(feature = "tokio")]

mod world;

use gcrucible_engine::{CallError, Outcome, VirtualPlatform};
use gcrucible_heap::HeapConfig;

use self::world::clockwork::Clockwork;

fn world(source: &str) -> Clockwork {
    Clockwork::new(VirtualPlatform::new(20), source)
}

#[test]
fn a_call_waits_for_its_own_spawns_but_not_for_detached_ones() {
    let world = world(
        r#"
        fn own() { sleep(50) }
        fn detached() { sleep(200) }
        fn main() {
          spawn own()
          spawn detached detached()
          return "value"
        }
        "#,
    );
    let main = world.main();
    world.run_until(49);
    assert_eq!(main.call().outcome(), None);
    world.run_until(50);
    assert_eq!(main.call().outcome(), Some(Outcome::Returned));
    assert_eq!(world.text(&main), "value");
    assert_eq!(world.engine.active_future_count(), 1);
    world.run();
    assert_eq!(world.now(), 200);
    world.finish();
}

#[test]
fn a_call_does_not_wait_for_the_spawns_of_another() {
    let world = world(
        r#"
        fn long() { sleep(100) }
        fn main() { spawn long() }
        fn other() { return "other" }
        "#,
    );
    let main = world.main();
    let other = world.engine.start_call(1, "other", &[]).expect("a call");
    world.settle();
    assert_eq!(other.call().outcome(), Some(Outcome::Returned));
    assert_eq!(main.call().outcome(), None);
    world.run();
    assert_eq!(main.call().outcome(), Some(Outcome::Returned));
    world.finish();
}

#[test]
fn a_task_that_a_top_level_started_serves_the_calls() {
    let world = world(
        r#"
        const requests = channel(1)
        const answers = channel(1)
        fn serve() { for n in requests { answers.send(n * 2) } }
        let server = spawn serve()
        fn main() {
          requests.send(21)
          let answer = answers.receive()
          requests.close()
          return answer
        }
        "#,
    );
    let main = world.main();
    world.run();
    assert_eq!(world.text(&main), "42");
    world.finish();
}

#[test]
fn a_cancelled_run_takes_its_tasks_with_it() {
    let world = world(
        r#"
        fn child() { try { channel(1).receive() } finally { print("child") } }
        fn main() { spawn child(); spawn child(); yield_now(); channel(1).receive() }
        "#,
    );
    let main = world.main();
    world.run();
    assert_eq!(main.call().outcome(), None);
    assert_eq!(world.engine.blocked_tasks().len(), 3);
    assert_eq!(world.engine.cancel_call(0), Ok(()));
    world.run();
    assert_eq!(main.call().outcome(), Some(Outcome::Cancelled));
    assert_eq!(world.printed(), ["child", "child"]);
    world.finish();
}

#[test]
fn a_cancellation_is_recognised_whatever_wraps_it() {
    let world = world(
        r#"
        fn child() { channel(1).receive() }
        fn main(depth) {
          let f = spawn child()
          cancel(f)
          try { await f } catch e {
            let wrapped = e
            for i in 0..depth { wrapped = error("wrapped ${i}", wrapped) }
            throw wrapped
          }
        }
        fn other() { throw error("other", error("no cancellation", [1])) }
        "#,
    );
    for depth in 0..3 {
        let call = world.engine.start_call(depth, "main", &[depth.into()]);
        let call = call.expect("the id is free");
        world.run();
        assert_eq!(call.call().outcome(), Some(Outcome::Threw));
        assert!(call.call().is_cancelled(), "{depth}");
    }
    let other = world.engine.start_call(0, "other", &[]);
    let other = other.expect("the id is free");
    world.run();
    assert_eq!(other.call().outcome(), Some(Outcome::Threw));
    assert!(!other.call().is_cancelled());
    world.finish();
}

#[test]
fn hooks_see_the_value_and_what_is_unsettled() {
    let world = world(
        r#"
        fn child() { sleep(10) }
        fn main() {
          pre_finish(|value, unsettled| {
            print("pre ${value} ${unsettled}")
            return Hook.Modify("changed")
          })
          on_unsettled(|value, unsettled| print("unsettled ${value} ${unsettled}"))
          on_finish(|value| "final ${value}")
          post_finish(|value, unsettled| print("post ${value} ${unsettled}"))
          spawn child()
          return "value"
        }
        "#,
    );
    let main = world.main();
    world.run();
    assert_eq!(world.text(&main), "final changed");
    let expected = ["pre value 1", "unsettled changed 1", "post final changed 1"];
    assert_eq!(world.printed(), expected);
    world.finish();
}

#[test]
fn a_failed_run_runs_no_hooks_and_leaves_none_behind() {
    let world = world(
        r#"
        fn main() {
          on_finish(|value| print("hook"))
          throw "failed"
        }
        fn other() { return "other" }
        "#,
    );
    let main = world.main();
    world.run();
    assert_eq!(main.call().outcome(), Some(Outcome::Threw));
    let other = world.engine.start_call(1, "other", &[]).expect("a call");
    world.run();
    assert_eq!(world.text(&other), "other");
    assert_eq!(world.printed(), Vec::<String>::new());
    world.finish();
}

#[test]
fn an_uncaught_error_has_the_trace_of_its_throw() {
    let world =
        world("fn f(x) {\n  return x.y\n}\nfn main() {\n  try { f(1) } finally { print(1) }\n}");
    let main = world.main();
    world.run();
    assert_eq!(main.call().outcome(), Some(Outcome::Threw));
    let trace: Vec<String> = main
        .call()
        .trace()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(trace, ["f (main.crux:2:12)", "main (main.crux:5:9)"]);
    world.finish();
}

#[test]
fn tasks_draw_random_numbers_of_their_own_and_the_same_each_time() {
    let source = r#"
        fn draw() { return [random.int(0, 1000000), random.int(0, 1000000)] }
        fn main() { return [draw(), await spawn draw(), await spawn draw()] }
        "#;
    let texts = [0, 1].map(|_| {
        let world = world(source);
        let main = world.main();
        world.run();
        let text = world.text(&main);
        world.finish();
        text
    });
    assert_eq!(texts[0], texts[1]);
    let parts: Vec<&str> = texts[0].split("], [").collect();
    assert_eq!(parts.len(), 3);
    assert_ne!(parts[1], parts[2].trim_end_matches(']'));
}

#[test]
fn a_task_that_allocates_and_never_waits_gives_way_to_others() {
    // A turn has many more instructions than the nursery has room for arrays.
    let source = r#"
        fn other() { print("other") }
        fn main() {
          spawn other()
          for n in 0..5000 { [n, n, n] }
          print("main")
        }
    "#;
    let platform = VirtualPlatform::new(10_000);
    let world = Clockwork::on_heap(HeapConfig::tiny(), "natural", platform, source);
    let main = world.main();
    world.run();
    assert_eq!(world.text(&main), "nil");
    assert_eq!(world.printed(), ["other", "main"]);
    world.finish();
}

const FAMILY: &str = r#"
    fn child(name) {
      try { sleep(20); print("${name} slept") } finally { print("${name} ends") }
    }
    fn main() { spawn child("a"); spawn detached child("detached"); sleep(20); print("main") }
"#;

#[test]
fn a_dropped_call_takes_all_it_started_with_it() {
    let world = world(FAMILY);
    let main = world.main();
    world.run_until(5);
    assert_eq!(world.engine.open_task_count(), 3);
    drop(main);
    world.run_until(5);
    assert_eq!(world.printed(), ["a ends"]);
    assert_eq!(world.engine.open_call_count(), 0);
    assert_eq!(world.engine.open_task_count(), 1);
    world.run();
    assert_eq!(world.printed(), ["detached slept", "detached ends"]);
    world.finish();
}

#[test]
fn a_detached_call_goes_on_alone() {
    let world = world(FAMILY);
    world.main().detach();
    world.run();
    let printed = world.printed();
    assert!(printed.contains(&"main".to_owned()), "{printed:?}");
    assert!(printed.contains(&"a slept".to_owned()), "{printed:?}");
    world.finish();
}

#[test]
fn a_future_of_another_engine_is_refused() {
    let (world, other) = (world(FAMILY), world("fn main() {}"));
    let main = world.main();
    world.run_until(5);
    let refused = Err(CallError::FutureNotFound(1));
    assert_eq!(other.engine.cancel_future(1), refused);
    assert_eq!(world.engine.cancel_future(1), Ok(true));
    world.run();
    assert_eq!(world.engine.cancel_future(1), Ok(false));
    assert_eq!(main.call().outcome(), Some(Outcome::Returned));
    assert_eq!(
        world.printed(),
        ["a ends", "main", "detached slept", "detached ends"]
    );
    world.finish();
    other.finish();
}
