//! Channels, mutexes and futures wake as many tasks as can go on, in the order of waiting.

use std::sync::Arc;

use gcrucible_engine::{
    Engine, EngineEvent, EngineOptions, HostValue, Observer, Source, VirtualPlatform, compile,
};
use gcrucible_platform::sync::atomic::{AtomicUsize, Ordering::SeqCst};

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Observer for Wakes {
    fn event(&self, event: &EngineEvent<'_>) {
        if matches!(event, EngineEvent::Woken { .. }) {
            self.0.fetch_add(1, SeqCst);
        }
    }
}

/// What `main(count)` returns, and how many tasks were woken for that.
fn run(source: &str, count: i64) -> (Option<HostValue>, usize) {
    let program = compile(&Source::new("main.crux", source));
    let program = program.unwrap_or_else(|errors| panic!("{errors}"));
    let platform = Arc::new(VirtualPlatform::new(1_000));
    let wakes = Arc::<Wakes>::default();
    let options = EngineOptions::default();
    let engine = Engine::new(
        Arc::new(program),
        &options,
        Arc::clone(&platform) as _,
        Some(Arc::clone(&wakes) as _),
    );
    let engine = engine.expect("an engine");
    let init = platform.block_on(engine.start_init()).expect("a beginning");
    assert!(platform.run(1_000));
    drop(init);
    let main = engine.start_call(0, "main", &[count]).expect("a call");
    assert!(platform.run(10_000_000), "it does not end");
    assert!(engine.blocked_tasks().is_empty());
    let value = platform.block_on(main.data());
    (value, wakes.0.load(SeqCst))
}

/// That twice as much wakes twice as often, and no task more than three times for each message.
fn grows_with_the_number(source: &str) {
    let (_, few) = run(source, 200);
    let (_, many) = run(source, 400);
    assert!(few >= 200, "{few} wake-ups");
    assert!(many <= 2 * few + 20, "{few} wake-ups, then {many}");
    assert!(many <= 3 * 400 + 20, "{many} wake-ups");
}

#[test]
fn a_message_wakes_one_receiver() {
    grows_with_the_number(
        "fn receive(c) { return c.receive() }
         fn main(n) {
           let c = channel(1)
           let receivers = []
           for i in 0..n { receivers.push(spawn receive(c)) }
           sleep(1)
           for i in 0..n { c.send(i); yield_now() }
           for r in receivers { await r }
         }",
    );
}

#[test]
fn a_free_place_wakes_one_sender() {
    grows_with_the_number(
        "fn send(c, i) { c.send(i) }
         fn main(n) {
           let c = channel(1)
           for i in 0..n { spawn send(c, i) }
           sleep(1)
           for i in 0..n { c.receive() }
         }",
    );
}

#[test]
fn a_release_wakes_one() {
    grows_with_the_number(
        "fn lock(m, log, i) { sync m { yield_now(); log.push(i) } }
         fn main(n) {
           let m = mutex()
           let log = []
           let all = []
           sync m { for i in 0..n { all.push(spawn lock(m, log, i)) }; sleep(1) }
           for f in all { await f }
           return log
         }",
    );
}

#[test]
fn a_future_wakes_each_that_awaits_it_once() {
    grows_with_the_number(
        "fn wait(f) { return await f }
         fn main(n) {
           let f = spawn (|| sleep(10))()
           let all = []
           for i in 0..n { all.push(spawn wait(f)) }
           for f in all { await f }
         }",
    );
}

#[test]
fn who_waits_longest_comes_first() {
    let (value, _) = run(
        "fn lock(m, log, i) { sync m { log.push(i); yield_now() } }
         fn receive(c, log, i) { c.receive(); log.push(i) }
         fn main(n) {
           let m = mutex()
           let log = []
           sync m { for i in 0..n { spawn lock(m, log, i) }; sleep(1) }
           sleep(1)
           let c = channel(1)
           for i in 0..n { spawn receive(c, log, n + i) }
           sleep(1)
           for i in 0..n { c.send(i) }
           sleep(1)
           for i in 0..2 * n { if log[i] != i { return log } }
           return log.len()
         }",
        20,
    );
    assert_eq!(value, Some(HostValue::Int(40)));
}

#[test]
fn a_turn_of_no_use_is_passed_on() {
    // The value comes at the moment at which the time of all but the last is over.
    let (value, _) = run(
        "fn receive(c, log, i) { c.receive(); log.push(i) }
         fn late(c, log, i) { try { deadline 5ms { receive(c, log, i) } } catch e { } }
         fn send(c) { sleep(5); c.send(1) }
         fn main(n) {
           let c = channel(1)
           let log = []
           let sender = spawn send(c)
           yield_now()
           for i in 0..n { spawn late(c, log, i) }
           await spawn receive(c, log, n)
           return log[0]
         }",
        6,
    );
    assert_eq!(value, Some(HostValue::Int(6)));
}

#[test]
fn closing_wakes_all() {
    let (value, _) = run(
        "fn receive(c) { try { return c.receive() } catch e is ChannelClosed { return 1 } }
         fn main(n) {
           let c = channel(1)
           let all = []
           for i in 0..n { all.push(spawn receive(c)) }
           sleep(1)
           c.close()
           let closed = 0
           for f in all { closed += await f }
           return closed
         }",
        30,
    );
    assert_eq!(value, Some(HostValue::Int(30)));
}
