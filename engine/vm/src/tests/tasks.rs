//! Spawning, awaiting, cancelling.

use super::driver::{Setup, printed, run, thrown_by};

#[test]
fn an_await_gives_what_the_task_returned() {
    let text = "
        fn square(n) { yield_now()
          return n * n }
        let futures = []
        for i in 0..4 { futures.push(spawn square(i)) }
        let sum = 0
        for f in futures { sum = sum + await f }
        print(sum, await futures[3], futures[0])
    ";
    assert_eq!(printed(text), ["14 9 <future>"]);
}

#[test]
fn an_await_throws_what_the_task_threw() {
    let text = "
        fn fails(v) { throw v }
        let f = spawn fails([1])
        try { await f } catch e { print(e) }
        try { await f } catch e { print(\"again\", e) }
    ";
    assert_eq!(printed(text), ["[1]", "again [1]"]);
}

#[test]
fn tasks_share_what_they_capture() {
    let text = "
        let n = [0]
        fn add(k) { n[0] = n[0] + k
          sleep(1)
          n[0] = n[0] + k }
        let a = spawn add(1)
        let b = spawn add(10)
        await a
        await b
        print(n[0])
    ";
    assert_eq!(printed(text), ["22"]);
}

#[test]
fn a_cancelled_task_throws_at_every_await() {
    let text = "
        fn waits(log, other) {
          try { await other } catch e { log.push(e.kind) }
          try { await other } catch e { log.push(e.kind) }
          try { sleep(5) } catch e { log.push(e.kind) }
          try { await 1 } catch e { log.push(e.kind) }
          log.push(cancellation_requested())
        }
        fn never() { for i in 0..20 { yield_now() } }
        fn main() {
          let log = []
          let other = spawn never()
          let f = spawn waits(log, other)
          print(cancellation_requested())
          yield_now()
          cancel(f)
          try { await f } catch e { print(e) }
          print(log)
        }
    ";
    let output = run(text, &Setup::default());
    assert_eq!(
        output.printed,
        [
            "false",
            "[\"Cancelled\", \"Cancelled\", \"Cancelled\", \"Cancelled\", true]",
        ]
    );
}

#[test]
fn finally_runs_when_a_task_is_cancelled() {
    let text = "
        fn waits(log, other) { try { await other } finally { log.push(\"finally\") } }
        fn never() { for i in 0..20 { yield_now() } }
        fn main() {
          let log = []
          let f = spawn waits(log, spawn never())
          yield_now()
          cancel(f)
          try { await f } catch e { log.push(e.kind) }
          print(log)
        }
    ";
    let output = run(text, &Setup::default());
    assert_eq!(output.printed, ["[\"finally\", \"Cancelled\"]"]);
}

#[test]
fn what_is_no_future_is_neither_awaited_nor_cancelled() {
    const TYPE_ERROR: &str = "TypeError: operand of a wrong type";
    assert_eq!(thrown_by("await 1"), TYPE_ERROR);
    assert_eq!(thrown_by("cancel([])"), TYPE_ERROR);
    assert_eq!(thrown_by("sleep(-1)"), TYPE_ERROR);
    assert_eq!(thrown_by("sleep(1.0)"), TYPE_ERROR);
    assert_eq!(
        thrown_by("let f = 1\nspawn f()"),
        "NotCallable: not a function"
    );
    assert_eq!(
        thrown_by("let f = |x| x\nspawn f()"),
        "WrongArity: wrong number of arguments"
    );
}
