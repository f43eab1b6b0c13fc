//! Operations of the host: results, failures, and what ends them.
#![cfg(feature = "tokio")]

mod world;

use std::sync::Arc;

use gcrucible_engine::{
    CallError, Engine, EngineOptions, HostValue, Outcome, Source, VirtualPlatform, compile,
    on_print,
};
use gcrucible_heap::HeapConfig;
use gcrucible_platform::HostRequest;
use gcrucible_platform::host::unknown_operation;
use gcrucible_platform::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use self::world::World;
use self::world::clockwork::Clockwork;

const HOST: &str = r#"
fn try_host(a, b) {
  try { return host(a, b) } catch e { return "${e.kind}: ${e.message}" }
}
fn echo(value) { return host("echo", value) }
fn wait(ms) {
  try { deadline ms { host("never", ms) } } catch e { return e.kind }
}
fn main() { host("never", 0) }
fn child() { return host("never", 0) }
fn cancelled() {
  let f = spawn child()
  sleep(5)
  cancel(f)
  try { return await f } catch e { return e.kind }
}
fn told() { return host("heeds", nil) }
fn is_told() {
  let f = spawn told()
  sleep(5)
  cancel(f)
  try { return await f } catch e { return e.kind }
}
fn asleep() { sleep(300) }
fn goes_on(m) {
  sync m {
    try { sleep(1000) } catch {
      try { while true {} } finally { print("finally") }
    }
  }
}
fn aborted() {
  let m = mutex()
  let f = spawn goes_on(m)
  spawn asleep()
  yield_now()
  cancel(f)
  let kind = caught(f)
  sync m { return [kind, "the lock is free"] }
}
fn interrupted() {
  on_interrupt("A", || print(host("echo", "in the handler")))
  return host("late", 50)
}
fn panics() { return host("panic", "broken") }
fn panics_locked(m) { sync m { host("panic", "broken") } }
fn caught(f) {
  try { return await f } catch e { return [e.kind, e.payload] }
}
fn tries_panics() {
  try { return panics() } catch e { return "caught" } finally { print("finally") }
}
fn awaits_panics() {
  let m = mutex()
  let f = spawn panics_locked(m)
  let results = [caught(f), caught(f), await spawn caught(f)]
  sync m { results.push("the lock is free") }
  return results
}
"#;

/// A host whose operations count how many of them are under way.
fn host(under_way: &Arc<AtomicUsize>) -> VirtualPlatform {
    struct UnderWay(Arc<AtomicUsize>);
    impl Drop for UnderWay {
        fn drop(&mut self) {
            self.0.fetch_sub(1, SeqCst);
        }
    }

    let count = Arc::clone(under_way);
    VirtualPlatform::with_host(20, move |request: HostRequest| {
        count.fetch_add(1, SeqCst);
        let guard = UnderWay(Arc::clone(&count));
        let mut args = request.args.clone();
        match (request.name.as_str(), args.pop()) {
            ("echo", Some(value)) => Box::pin(async move {
                let _guard = guard;
                Ok(value)
            }),
            ("late", Some(value)) => {
                let mut polls = 0;
                Box::pin(async move {
                    let _guard = guard;
                    // It ends some polls later, as an operation of another thread would.
                    std::future::poll_fn(|cx| {
                        polls += 1;
                        cx.waker().wake_by_ref();
                        match polls {
                            5 => std::task::Poll::Ready(()),
                            _ => std::task::Poll::Pending,
                        }
                    })
                    .await;
                    Ok(value)
                })
            }
            ("never", _) => Box::pin(async move {
                let _guard = guard;
                std::future::pending().await
            }),
            ("heeds", _) => Box::pin(async move {
                let _guard = guard;
                request.stop.fired().await;
                Err("stopped".to_owned())
            }),
            ("nest", Some(HostValue::Int(levels))) => Box::pin(async move {
                let _guard = guard;
                Ok(nested(levels))
            }),
            ("panic", Some(HostValue::String(text))) => Box::pin(async move {
                let _guard = guard;
                // Without a word on stderr.
                std::panic::resume_unwind(Box::new(text))
            }),
            ("fail", _) => Box::pin(async move {
                let _guard = guard;
                Err("it is broken".to_owned())
            }),
            _ => unknown_operation(&request),
        }
    })
}

/// An array in an array in an array.
fn nested(levels: i64) -> HostValue {
    (0..levels).fold(HostValue::Nil, |part, _| HostValue::Array(vec![part]))
}

/// A world, and how many of its operations are under way.
fn clockwork() -> (Clockwork, Arc<AtomicUsize>) {
    let under_way = Arc::new(AtomicUsize::new(0));
    (Clockwork::new(host(&under_way), HOST), under_way)
}

/// The display text of what a call with plain data returns.
fn returned(world: &Clockwork, function: &str, args: &[HostValue]) -> String {
    let platform = Arc::clone(&world.platform);
    let mut call = std::pin::pin!(world.engine.call(9, function, args));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(call) = call.as_mut().poll(&mut cx) else {
        panic!("nobody holds a permit");
    };
    let call = call.expect("a call");
    assert!(platform.run(100_000));
    assert_eq!(call.call().outcome(), Some(Outcome::Returned));
    world.text(&call)
}

fn text(text: &str) -> HostValue {
    HostValue::String(text.to_owned())
}

#[test]
fn plain_data_goes_there_and_back() {
    let (world, under_way) = clockwork();
    let data = HostValue::Map(vec![
        (
            "list".to_owned(),
            HostValue::Array(vec![HostValue::Int(1 << 60), HostValue::Nil]),
        ),
        ("half".to_owned(), HostValue::Float(0.5)),
        ("yes".to_owned(), HostValue::Bool(true)),
        ("long".to_owned(), text(&"x".repeat(5_000))),
    ]);
    let call = {
        let args = [data.clone()];
        let mut call = std::pin::pin!(world.engine.call(1, "echo", &args));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        match call.as_mut().poll(&mut cx) {
            std::task::Poll::Ready(call) => call.expect("a call"),
            std::task::Poll::Pending => panic!("nobody holds a permit"),
        }
    };
    world.run();
    assert_eq!(world.data(&call), Some(data));
    assert_eq!(under_way.load(SeqCst), 0);
    world.finish();
}

#[test]
fn what_is_nested_too_deep_is_refused_both_ways() {
    let (world, under_way) = clockwork();
    let args = [text("nest"), HostValue::Int(65)];
    assert_eq!(
        returned(&world, "try_host", &args),
        "HostError: the host's answer has over 64 levels"
    );
    let args = [text("echo"), nested(64)];
    assert!(returned(&world, "try_host", &args).starts_with("[[["));
    {
        let args = [nested(65)];
        let mut call = std::pin::pin!(world.engine.call(1, "echo", &args));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        match call.as_mut().poll(&mut cx) {
            std::task::Poll::Ready(Err(CallError::ArgumentTooDeep)) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(world.engine.open_call_count(), 0);
    assert_eq!(under_way.load(SeqCst), 0);
    world.finish();
}

/// Each is made of several objects, and each attempt to make them begins anew.
#[test]
fn data_and_failures_come_through_collections_between_any_two_allocations() {
    let under_way = Arc::new(AtomicUsize::new(0));
    for modes in [
        "collect=alloc:1",
        "collect=alloc:2",
        "collect=alloc:3,kind=major",
    ] {
        let world = Clockwork::on_heap(HeapConfig::tiny(), modes, host(&under_way), HOST);
        let row = |n| {
            let value = HostValue::Array(vec![HostValue::Int(n), text("a longer text")]);
            (format!("row {n}"), value)
        };
        let data = HostValue::Map((0..40).map(row).collect());
        let shown = returned(&world, "echo", &[data]);
        assert!(
            shown.starts_with("{\"row 0\": [0, \"a longer text\"]"),
            "{shown}"
        );
        let failed = returned(&world, "try_host", &[text("fail"), HostValue::Nil]);
        assert_eq!(failed, "HostError: it is broken");
        world.finish();
    }
}

#[test]
fn a_failure_is_an_error_with_the_hosts_message() {
    let (world, _) = clockwork();
    let failed = returned(&world, "try_host", &[text("fail"), HostValue::Nil]);
    assert_eq!(failed, "HostError: it is broken");
    world.finish();
}

#[test]
fn a_deadline_ends_an_operation() {
    let (world, under_way) = clockwork();
    assert_eq!(
        returned(&world, "wait", &[HostValue::Int(30)]),
        "DeadlineExceeded"
    );
    assert_eq!(world.now(), 30);
    assert_eq!(under_way.load(SeqCst), 0);
    world.finish();
}

#[test]
fn cancellation_ends_an_operation() {
    let (world, under_way) = clockwork();
    assert_eq!(returned(&world, "cancelled", &[]), "Cancelled");
    assert_eq!(under_way.load(SeqCst), 0);
    // It did not end by itself: that is what the grace time is for.
    assert_eq!(world.now(), 5 + EngineOptions::GRACE.as_millis());
    let main = world.main();
    world.settle();
    assert_eq!(under_way.load(SeqCst), 1);
    assert_eq!(world.engine.cancel_call(0), Ok(()));
    world.run();
    assert_eq!(main.call().outcome(), Some(Outcome::Cancelled));
    assert_eq!(under_way.load(SeqCst), 0);
    world.finish();
}

#[test]
fn an_operation_that_heeds_its_token_ends_at_once() {
    let (world, under_way) = clockwork();
    assert_eq!(returned(&world, "is_told", &[]), "Cancelled");
    assert_eq!(under_way.load(SeqCst), 0);
    assert_eq!(world.now(), 5);
    world.finish();
}

#[test]
fn a_body_that_goes_on_after_its_cancellation_is_aborted() {
    let (world, _) = clockwork();
    let call = world.engine.start_call(6, "aborted", &[]).expect("a call");
    // The loop never waits, so that no time passes by itself.
    let steps = |count| (0..count).for_each(|_| assert!(world.platform.step()));
    steps(200);
    assert_eq!(call.call().outcome(), None);
    while world.now() < 300 {
        assert!(world.platform.fire_next_timer());
    }
    world.run();
    assert_eq!(
        world.text(&call),
        r#"[["Cancelled", nil], "the lock is free"]"#
    );
    // No more of it ran.
    assert_eq!(world.printed(), [""; 0]);
    world.finish();
}

#[test]
fn an_operation_goes_on_while_a_handler_begins_one_of_its_own() {
    let (world, under_way) = clockwork();
    let call = world
        .engine
        .start_call(3, "interrupted", &[])
        .expect("a call");
    // Into the operation, which ends after some more steps.
    while under_way.load(SeqCst) == 0 {
        assert!(world.platform.step());
    }
    assert_eq!(world.engine.interrupt(3, "A"), Ok(true));
    world.run();
    assert_eq!(world.printed(), ["in the handler"]);
    assert_eq!(world.data(&call), Some(HostValue::Int(50)));
    world.finish();
}

#[test]
fn files_and_the_environment_on_real_threads() {
    let world = World::new(
        2,
        50,
        "collect=seeded:1:20,scribble,verify=quick",
        r#"
        fn kind(f) { try { return f() } catch e { return "${e.kind}: ${e.message}" } }
        fn files() {
          let path = sys.args()[0]
          fs.write(path, "one\ntwo ü")
          let text = fs.read(path)
          let many = squad { for i in 0..8 { spawn fs.read(path) } }
          return [
            text,
            many.all(|one| one == text),
            kind(|| fs.read(path + ".absent")).ends_with("no such file or directory"),
            kind(|| host("fs.read", 1)),
            kind(|| host("unheard of")),
            sys.env("CARGO_PKG_NAME"),
            sys.env("NO SUCH=NAME"),
          ]
        }
        "#,
    );
    assert_eq!(
        world.returned(1, "files", &[]),
        "[\"one\\ntwo ü\", true, true, \
         \"HostError: `fs.read` takes other arguments, all of them texts\", \
         \"HostError: this host has no operation `unheard of`\", \"gcrucible-engine\", nil]"
    );
    world.finish();
}

#[test]
fn an_operation_that_panics_fails_its_own_call_only() {
    let (world, under_way) = clockwork();
    let call = world.engine.start_call(4, "tries_panics", &[]);
    let call = call.expect("a call");
    let other = world.engine.start_call(5, "cancelled", &[]);
    let other = other.expect("a call");
    world.run();
    assert_eq!(call.call().outcome(), Some(Outcome::Panicked));
    assert_eq!(world.text(&call), "broken");
    // No more of it ran.
    assert_eq!(world.printed(), [""; 0]);
    assert_eq!(other.call().outcome(), Some(Outcome::Returned));
    assert_eq!(under_way.load(SeqCst), 0);
    world.finish();
}

#[test]
fn a_callback_that_panics_fails_the_task_that_it_was_called_for() {
    let source = r#"
        const m = mutex()
        fn locked() { sync m { print("child"); sleep(1) } }
        fn child() {
          try { await spawn locked() } catch e { sync m { return [e.kind, e.payload] } }
        }
        fn last() { print("last"); return 1 }
        fn quiet() { sleep(2); return 2 }
        "#;
    let program = compile(&Source::new("main.crux", source)).expect("a program");
    let platform = Arc::new(VirtualPlatform::new(20));
    // Without a word on stderr.
    let print = on_print(|line| std::panic::resume_unwind(Box::new(format!("no {line}"))));
    let options = EngineOptions::default();
    let engine = Engine::new(
        Arc::new(program),
        &options,
        Arc::clone(&platform) as _,
        Some(print),
    );
    let engine = engine.expect("an engine");
    let init = platform
        .block_on(engine.start_init())
        .expect("nothing runs");
    assert!(platform.run(1_000));
    assert_eq!(init.call().outcome(), Some(Outcome::Returned));
    let calls = [(1, "child"), (2, "last"), (3, "quiet")].map(|(id, name)| {
        let call = engine.start_call(id, name, &[]);
        (name, call)
    });
    assert!(platform.run(1_000));
    let ends = calls.map(|(name, call)| {
        let call = call.unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut text = std::pin::pin!(call.text());
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        match text.as_mut().poll(&mut cx) {
            std::task::Poll::Ready(text) => (call.call().outcome(), text),
            std::task::Poll::Pending => panic!("nobody holds a permit"),
        }
    });
    let [child, last, quiet] = ends.map(|(outcome, text)| (outcome.expect("it ended"), text));
    let text = |text: &str| text.to_owned();
    assert_eq!(
        child,
        (Outcome::Returned, text(r#"["Internal", "no child"]"#))
    );
    assert_eq!(last, (Outcome::Panicked, text("no last")));
    assert_eq!(quiet, (Outcome::Returned, text("2")));
    assert_eq!(engine.active_future_count(), 0);
    assert_eq!(engine.open_call_count(), 0);
    assert_eq!(engine.open_task_count(), 0);
}

#[test]
fn whoever_awaits_a_task_that_panicked_gets_the_cause() {
    let (world, under_way) = clockwork();
    let cause = r#"["Internal", "broken"]"#;
    assert_eq!(
        returned(&world, "awaits_panics", &[]),
        format!(r#"[{cause}, {cause}, {cause}, "the lock is free"]"#)
    );
    assert_eq!(under_way.load(SeqCst), 0);
    world.finish();
}
