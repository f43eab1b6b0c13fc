//! Signals of the host come to the root task of a run, in the middle of whatever it does.
#![cfg(feature = "tokio")]

mod world;

use gcrucible_engine::{CallError, HostValue, Outcome, VirtualPlatform};

use self::world::clockwork::Clockwork;

fn world(source: &str) -> Clockwork {
    Clockwork::new(VirtualPlatform::new(20), source)
}

#[test]
fn a_sleep_goes_on_after_the_handler() {
    let world = world(
        r#"
        fn main() {
          on_interrupt("A", || {
            print("handler at ${time.now()}")
            sleep(30)
            print("handled at ${time.now()}")
          })
          sleep(100)
          return time.now()
        }
        "#,
    );
    let main = world.main();
    world.run_until(10);
    assert_eq!(world.engine.interrupt(0, "A"), Ok(true));
    world.run();
    assert_eq!(main.call().outcome(), Some(Outcome::Returned));
    assert_eq!(world.data(&main), Some(HostValue::Int(100)));
    // The clock stands still while nobody's time has come.
    assert_eq!(world.printed(), ["handler at 0", "handled at 30"]);
    world.finish();
}

#[test]
fn a_sleep_that_ends_during_the_handler_has_ended() {
    let world = world(
        r#"
        fn main() {
          on_interrupt("A", || { sleep(300) })
          sleep(100)
          return time.now()
        }
        "#,
    );
    let main = world.main();
    world.settle();
    assert_eq!(world.engine.interrupt(0, "A"), Ok(true));
    world.run();
    assert_eq!(world.data(&main), Some(HostValue::Int(300)));
    world.finish();
}

#[test]
fn every_wait_can_be_interrupted_and_goes_on() {
    let world = world(
        r#"
        fn child() { sleep(50); return "child" }
        fn holder(m) { sync m { sleep(50) } }
        fn main() {
          on_interrupt("A", || print("A"), true)
          let results = []
          results.push(await spawn child())
          let m = mutex()
          let h = spawn holder(m)
          yield_now()
          sync m { results.push("mutex") }
          results.push(squad { spawn child() })
          let c = channel(1)
          let s = spawn sender(c)
          results.push(c.receive())
          return results
        }
        fn sender(c) { sleep(50); c.send("sent") }
        "#,
    );
    let main = world.main();
    for _ in 0..4 {
        world.settle();
        assert_eq!(world.engine.interrupt(0, "A"), Ok(true));
        world.settle();
        assert_eq!(world.printed(), ["A"]);
        world.platform.fire_next_timer();
    }
    world.run();
    assert_eq!(
        world.text(&main),
        r#"["child", "mutex", ["child"], "sent"]"#
    );
    world.finish();
}

#[test]
fn a_handler_that_overruns_is_stopped_and_the_program_goes_on() {
    let world = world(
        r#"
        fn main() {
          on_interrupt("A", || { channel(1).receive() })
          let f = spawn later()
          return await f
        }
        fn later() { sleep(5000); return "later" }
        "#,
    );
    let main = world.main();
    world.run_until(10);
    assert_eq!(world.engine.interrupt(0, "A"), Ok(true));
    world.run_until(999);
    assert_eq!(world.printed(), Vec::<String>::new());
    world.run_until(1000);
    let printed = world.printed();
    assert_eq!(printed.len(), 1);
    assert!(printed[0].starts_with("interrupt handler failed: HandlerTimeout"));
    world.run();
    assert_eq!(world.text(&main), "later");
    world.finish();
}

#[test]
fn a_signal_waits_while_its_handler_runs_and_another_does_not() {
    let world = world(
        r#"
        fn main() {
          on_interrupt("A", || { print("A begins"); sleep(10); print("A ends") }, true)
          on_interrupt("B", || { print("B") }, true)
          sleep(100)
        }
        "#,
    );
    let main = world.main();
    world.settle();
    for signal in ["A", "A", "B"] {
        assert_eq!(world.engine.interrupt(0, signal), Ok(true));
        world.settle();
    }
    world.run();
    let expected = ["A begins", "B", "A ends", "A begins", "A ends"];
    assert_eq!(world.printed(), expected);
    assert_eq!(main.call().outcome(), Some(Outcome::Returned));
    world.finish();
}

#[test]
fn cancellation_in_a_handler_is_for_the_program_below_it() {
    let world = world(
        r#"
        fn main() {
          on_interrupt("A", || { sleep(100) })
          try { sleep(1000) } finally { print("finally at ${time.now()}") }
        }
        "#,
    );
    let main = world.main();
    world.settle();
    assert_eq!(world.engine.interrupt(0, "A"), Ok(true));
    world.settle();
    assert_eq!(world.engine.cancel_call(0), Ok(()));
    world.run();
    assert_eq!(main.call().outcome(), Some(Outcome::Cancelled));
    let printed = world.printed();
    assert_eq!(
        printed.last().map(String::as_str),
        Some("finally at 100"),
        "{printed:?}"
    );
    world.finish();
}

#[test]
fn a_program_without_handlers_is_told_nothing() {
    let world = world("fn main() { sleep(10) }");
    let main = world.main();
    world.settle();
    assert_eq!(world.engine.interrupt(0, "A"), Ok(false));
    assert_eq!(
        world.engine.interrupt(7, "A"),
        Err(CallError::CallNotFound(7))
    );
    world.run();
    assert_eq!(main.call().outcome(), Some(Outcome::Returned));
    world.finish();
}

#[test]
fn a_program_can_signal_its_own_run() {
    let world = world(
        r#"
        fn child() { sys.interrupt("A") }
        fn main() {
          let c = channel(1)
          on_interrupt("A", || c.send("from the child"))
          await spawn child()
          return c.receive()
        }
        "#,
    );
    let main = world.main();
    world.run();
    assert_eq!(world.text(&main), "from the child");
    world.finish();
}
