//! Channels, mutexes, squads, deadlines and steps on several threads.
#![cfg(feature = "tokio")]

mod world;

use gcrucible_engine::Outcome;
use gcrucible_platform::TokioPlatform;

use self::world::World;

const MODES: &str = "collect=seeded:7:10,scribble,verify=quick";

#[test]
fn what_is_sent_is_received_once() {
    let world = World::new(
        4,
        7,
        MODES,
        r#"
        fn produce(c, from, to) { for i in from..to { c.send([i]) } }
        fn consume(c) {
          let seen = []
          for item in c { seen.push(item[0]) }
          return seen
        }
        fn main(size) {
          let c = channel(size)
          let consumers = [spawn consume(c), spawn consume(c), spawn consume(c)]
          squad { for i in 0..4 { spawn produce(c, i * 25, i * 25 + 25) } }
          c.close()
          let all = []
          for f in consumers { all.extend(await f) }
          let sorted = all.sort()
          assert(sorted.len() == 100, "something was lost or doubled")
          for i in 0..100 { assert(sorted[i] == i, "something was lost or doubled") }
          return "all"
        }
        "#,
    );
    for round in 0..20 {
        assert_eq!(
            world.returned(round, "main", &[i64::from(round % 5) + 1]),
            "all"
        );
    }
    world.finish();
}

#[test]
fn no_increment_under_a_mutex_is_lost() {
    let world = World::new(
        4,
        5,
        MODES,
        r#"
        class Counter { n }
        fn count(m, counter) {
          for _ in 0..50 {
            sync m {
              let n = counter.n
              yield_now()
              counter.n = n + 1
            }
          }
        }
        fn main() {
          let m = mutex()
          let counter = Counter { n: 0 }
          squad { for _ in 0..4 { spawn count(m, counter) } }
          return counter.n
        }
        "#,
    );
    for round in 0..10 {
        assert_eq!(world.returned(round, "main", &[]), "200");
    }
    world.finish();
}

#[test]
fn a_squad_outlives_its_children_whatever_happens() {
    let world = World::new(
        4,
        9,
        MODES,
        r#"
        fn child(began, ended, n) {
          try {
            began[n] = true
            if n == 3 { throw "child ${n}" }
            channel(1).receive()
          } finally {
            ended[n] = true
          }
        }
        fn main() {
          let began = [false, false, false, false, false]
          let ended = [false, false, false, false, false]
          let caught = nil
          try {
            squad { for n in 0..5 { spawn child(began, ended, n) } }
          } catch e {
            caught = e
          }
          return [caught, deep_equals(began, ended)]
        }
        fn receive() { channel(1).receive() }
        fn cut_off() {
          try {
            deadline 1ms { squad { for n in 4..8 { spawn receive() } } }
          } catch e {
            return e.kind
          }
        }
        "#,
    );
    for round in 0..20 {
        let text = world.returned(round, "main", &[]);
        assert_eq!(text, r#"["child 3", true]"#);
        let text = world.returned(round, "cut_off", &[]);
        assert_eq!(text, "DeadlineExceeded");
    }
    world.finish();
}

#[test]
fn a_deadline_ends_whatever_is_waited_for() {
    let world = World::new(
        3,
        11,
        MODES,
        r#"
        fn for_ever() { channel(1).receive() }
        fn hold(m, c) { sync m { c.receive() } }
        fn kind(f) { try { deadline 2ms { f() } } catch e { return e.kind } }
        fn main() {
          let m = mutex()
          let c = channel(1)
          let full = channel(1)
          full.send(1)
          let f = spawn for_ever()
          let h = spawn hold(m, c)
          while m_is_free(m) { yield_now() }
          let kinds = [
            kind(|| sleep(1000000)),
            kind(|| await f),
            kind(|| channel(1).receive()),
            kind(|| full.send(2)),
            kind(|| { sync m {} }),
            kind(|| squad { spawn for_ever() }),
            kind(|| { while true {} }),
            kind(|| { deadline 100000ms { sleep(1000000) } }),
          ]
          c.send(nil)
          cancel(f)
          return kinds.all(|kind| kind == "DeadlineExceeded")
        }
        fn m_is_free(m) {
          try { deadline 0ms { sync m { return true } } } catch e { return false }
        }
        "#,
    );
    for round in 0..3 {
        assert_eq!(world.returned(round, "main", &[]), "true");
    }
    world.finish();
}

#[test]
fn a_step_out_of_time_is_skipped() {
    let world = World::new(
        2,
        100,
        MODES,
        r#"
        fn main() {
          let skipped = step "endless" (time: 2ms, boundary: continue) { while true {} }
          let done = step "short" (time: 100000ms) { return "done" }
          return [skipped, done]
        }
        "#,
    );
    assert_eq!(world.returned(1, "main", &[]), r#"[nil, "done"]"#);
    world.finish();
}

#[test]
fn a_signal_from_another_thread_reaches_a_waiting_call() {
    let world = World::new(
        3,
        13,
        MODES,
        r#"
        fn main() {
          let c = channel(1)
          on_interrupt("A", || c.send("signalled"))
          print("ready")
          return c.receive()
        }
        fn busy() {
          let seen = [false]
          on_interrupt("A", || { seen[0] = true })
          print("ready")
          while !seen[0] {}
          return "seen"
        }
        "#,
    );
    for round in 0..20 {
        for (at, function, expected) in [(1, "main", "signalled"), (2, "busy", "seen")] {
            let call = world.call(round, function, &[]);
            world.wait_for_lines(round as usize * 2 + at);
            assert_eq!(world.engine.interrupt(round, "A"), Ok(true));
            assert_eq!(world.join(&call), Outcome::Returned);
            assert_eq!(world.value(&call), expected);
        }
    }
    world.finish();
}

#[test]
fn cancellation_finds_a_call_in_whatever_it_waits_for() {
    let world = World::new(
        3,
        7,
        MODES,
        r#"
        const m = mutex()
        const c = channel(1)
        fn receive() { channel(1).receive() }
        fn drain() { squad { spawn receive(); spawn receive() } }
        fn lock() { sync m { sync_again() } }
        fn sync_again() { sleep(1000000) }
        fn nap() { deadline 1000000ms { sleep(1000000) } }
        "#,
    );
    for round in 0..60u32 {
        let function = ["receive", "drain", "lock", "nap"][round as usize % 4];
        let call = world.call(round, function, &[]);
        for _ in 0..round * 50 {
            gcrucible_platform::sync::thread::spin_loop();
        }
        assert_eq!(world.engine.cancel_call(round), Ok(()));
        assert_eq!(world.join(&call), Outcome::Cancelled, "{function}");
    }
    world.finish();
}

#[test]
fn a_task_that_never_waits_lets_others_have_their_worker() {
    let platform = TokioPlatform::new(1).expect("threads start");
    let world = World::on(
        platform,
        "",
        r#"
        let open = [false]
        fn opener() { open[0] = true }
        fn main() {
          let f = spawn opener()
          while !open[0] {}
          await f
          return "open"
        }
        "#,
    );
    assert_eq!(world.returned(1, "main", &[]), "open");
    world.finish();
}
