//! Cancellation that races with everything else, on real threads.
#![cfg(feature = "tokio")]

mod world;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use gcrucible_engine::{CallError, Outcome};
use gcrucible_heap::FutureState;
use gcrucible_platform::sync::atomic::{AtomicBool, Ordering::SeqCst};

use self::world::World;

const NURSERY: &str = r#"
fn child(n) {
  let kept = []
  for i in 0..n { kept.push([i, kept]) }
  return kept.len()
}

fn sleeper() { sleep(1000000000) }

// Spawned once and for all: a task that is cancelled right after a spawn cannot cancel what
// it spawned.
let never = spawn sleeper()

fn stop() { cancel(never) }

fn wait_for_ever() { await never }

fn family(n) {
  let futures = []
  let cells = []
  try {
    for i in 0..n { futures.push(spawn child(i)) }
    print("all are under way")
    while true {
      cells.push([cells])
      if cells.len() > 20 { cells.clear() }
      yield_now()
    }
  } finally {
    for f in futures { cancel(f) }
  }
}
"#;

/// Ends the future that never ends by itself, and then the world.
fn stop(world: World) {
    assert_eq!(world.returned(1_000_000, "stop", &[]), "nil");
    world.finish();
}

#[test]
fn a_cancelled_call_ends_whatever_it_waits_for() {
    let world = World::new(3, 11, "collect=seeded:1:5,verify=quick", NURSERY);
    for round in 0..150u32 {
        let handle = world.call(round, "wait_for_ever", &[]);
        // Differing amounts of work before the request, so that it meets the call before
        // its start, in its spawn, in its await.
        for _ in 0..round * 4 {
            gcrucible_platform::sync::thread::spin_loop();
        }
        assert_eq!(world.engine.cancel_call(round), Ok(()));
        assert_eq!(world.join(&handle), Outcome::Cancelled);
    }
    stop(world);
}

#[test]
fn cancelled_families_leave_no_future_behind() {
    let world = World::new(4, 9, "zombie,verify=full", NURSERY);
    for round in 0..8 {
        let handles: Vec<_> = (0..4)
            .map(|call| world.call(round * 4 + call, "family", &[6]))
            .collect();
        world.wait_for_lines((round as usize + 1) * 4);
        for handle in &handles {
            world
                .engine
                .cancel_call(handle.call().id())
                .expect("it runs until it is cancelled");
        }
        for handle in &handles {
            assert_eq!(world.join(handle), Outcome::Cancelled);
        }
    }
    assert!(world.watch.settled(FutureState::Ready) > 0);
    stop(world);
}

#[test]
fn a_dropped_handle_cancels_its_call() {
    let world = World::new(2, 15, "verify=quick", NURSERY);
    for round in 0..30 {
        drop(world.call(round, "family", &[3]));
    }
    stop(world);
}

#[test]
fn an_id_is_free_as_soon_as_its_call_was_joined() {
    let world = World::new(2, 50, "natural", NURSERY);
    for _ in 0..500 {
        let handle = world.call(7, "child", &[2]);
        assert_eq!(world.join(&handle), Outcome::Returned);
        assert_eq!(world.engine.open_call_count(), 0);
    }
    stop(world);
}

#[test]
fn a_taken_id_is_refused_and_an_ended_one_not_found() {
    let world = World::new(2, 50, "natural", NURSERY);
    let first = world.call(1, "wait_for_ever", &[]);
    let second = world.engine.start_call(1, "child", &[1]);
    assert_eq!(second.err(), Some(CallError::DuplicateCallId(1)));
    assert_eq!(world.engine.cancel_call(1), Ok(()));
    assert_eq!(world.join(&first), Outcome::Cancelled);
    assert_eq!(world.engine.cancel_call(1), Err(CallError::CallNotFound(1)));
    stop(world);
}

#[test]
fn every_joiner_of_a_call_learns_of_its_end() {
    type Join<'h> = Pin<Box<dyn Future<Output = Outcome> + 'h>>;

    /// Whether a joiner was woken.
    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, SeqCst);
        }
    }

    let world = World::new(2, 50, "natural", NURSERY);
    let handle = world.call(0, "wait_for_ever", &[]);
    let flags: [Arc<Woken>; 2] = Default::default();
    let mut joins = flags
        .each_ref()
        .map(|flag| (flag, Box::pin(handle.join()) as Join<'_>));
    let poll = |flag: &Arc<Woken>, join: &mut Join<'_>| {
        join.as_mut()
            .poll(&mut Context::from_waker(&Waker::from(Arc::clone(flag))))
    };
    for (flag, join) in &mut joins {
        assert_eq!(poll(flag, join), Poll::Pending);
    }
    world.engine.cancel_call(0).expect("it waits for ever");
    for (flag, join) in &mut joins {
        let is_woken = (0..10_000_000).any(|_| {
            gcrucible_platform::sync::thread::yield_now();
            flag.0.load(SeqCst)
        });
        assert!(is_woken, "a joiner was forgotten");
        assert_eq!(poll(flag, join), Poll::Ready(Outcome::Cancelled));
    }
    drop(joins);
    stop(world);
}

#[test]
fn a_future_that_is_cancelled_by_many_ends_once_and_for_all_the_same() {
    let world = World::new(
        4,
        3,
        "collect=seeded:5:10,verify=quick",
        r#"
        fn body(n) {
          let i = 0
          while i < n {
            i += 1
            yield_now()
          }
          return "done"
        }

        fn canceller(f, n) {
          for i in 0..n { yield_now() }
          cancel(f)
          cancel(f)
        }

        fn result(f) {
          try { return await f } catch e { return e.kind }
        }

        fn main(n) {
          let f = spawn body(n)
          let others = [spawn canceller(f, n - 1), spawn canceller(f, n), spawn canceller(f, n + 1)]
          let results = [spawn result(f), spawn result(f)]
          let mine = result(f)
          for other in others { await other }
          for r in results { assert((await r) == mine) }
          assert(result(f) == mine)
          return mine
        }
        "#,
    );
    for round in 0..60 {
        let result = world.returned(round, "main", &[i64::from(round % 12)]);
        assert!(["done", "Cancelled"].contains(&result.as_str()), "{result}");
    }
    world.finish();
}
