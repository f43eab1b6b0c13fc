//! Deadlocks on several threads: said when there is one, and never when there is none.
#![cfg(feature = "tokio")]

mod world;

use std::future::poll_fn;
use std::task::Poll;

use gcrucible_engine::{Outcome, WaitsFor};

use self::world::World;

/// Tasks that wait for each other all the time, and at the end for what never comes.
const PROGRAM: &str = r#"
fn ping(a, b, rounds) {
  for i in 0..rounds { a.send(i); b.receive() }
}
fn pong(a, b, rounds) {
  for i in 0..rounds { a.receive(); b.send(i) }
}
fn locked(m, rounds) {
  for i in 0..rounds { sync m { yield_now() } }
}
fn main(rounds) {
  let m = mutex()
  squad {
    for i in 0..4 {
      let a = channel(1)
      let b = channel(1)
      spawn ping(a, b, rounds)
      spawn pong(a, b, rounds)
      spawn locked(m, rounds)
    }
  }
  return "done"
}
fn stuck(rounds) {
  main(rounds)
  channel(1).receive()
}
fn sleeps() {
  let c = channel(1)
  spawn (|| { sleep(20); c.send("late") })()
  return c.receive()
}
fn receive(c) { return c.receive() }
fn many(count) {
  let c = channel(1)
  let receivers = []
  for i in 0..count { receivers.push(spawn receive(c)) }
  for i in 0..count { c.send(i); yield_now() }
  for receiver in receivers { await receiver }
  return "done"
}
"#;

/// Calls a function that returns; what waits for ever is said at once.
fn ends(world: &World, id: u32, function: &str, arg: i64) {
    let call = world.call(id, function, &[arg]);
    let outcome = world.block_on(async {
        let mut deadlocked = std::pin::pin!(world.engine.deadlocked());
        let mut join = std::pin::pin!(call.join());
        poll_fn(|cx| {
            if let Poll::Ready(outcome) = join.as_mut().poll(cx) {
                return Poll::Ready(outcome);
            }
            if let Poll::Ready(deadlock) = deadlocked.as_mut().poll(cx) {
                panic!("no deadlock:\n{deadlock}");
            }
            Poll::Pending
        })
        .await
    });
    assert_eq!(outcome, Outcome::Returned, "{}", world.value(&call));
}

/// A value that comes between a task's look and the end of its turn gives the next one its turn.
#[test]
fn each_message_reaches_one_of_many_receivers() {
    let world = World::new(4, 7, "", PROGRAM);
    for round in 0..20 {
        ends(&world, round, "many", 500);
    }
    world.finish();
}

#[test]
fn tasks_that_wait_for_each_other_are_in_no_deadlock() {
    let world = World::new(4, 7, "", PROGRAM);
    for round in 0..10 {
        ends(&world, round, "main", 100);
    }
    assert_eq!(world.returned(10, "sleeps", &[]), "late");
    assert_eq!(world.block_on(world.engine.deadlock()), None);
    world.finish();
}

#[test]
fn a_deadlock_is_said_as_soon_as_it_is_there() {
    let world = World::new(4, 7, "", PROGRAM);
    for round in 0..10 {
        let call = world.call(round, "stuck", &[30]);
        let deadlock = world.block_on(world.engine.deadlocked());
        let [task] = &deadlock.tasks[..] else {
            panic!("one task is left:\n{deadlock}");
        };
        assert_eq!(task.task, call.call().task());
        assert!(matches!(task.waits_for, WaitsFor::Receive(_)), "{deadlock}");
        assert!(deadlock.handled_signals.is_empty());
        let at = task.at.as_ref().expect("it runs the program");
        assert_eq!((at.function.as_str(), at.line), ("stuck", 26));
        // The host can end it.
        world.engine.cancel_call(round).expect("it is in progress");
        assert_eq!(world.join(&call), Outcome::Cancelled);
    }
    world.finish();
}
