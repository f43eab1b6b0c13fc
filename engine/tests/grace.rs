//! What was told to end and goes on, whatever it catches: deadlines, steps, squads, interrupt
//! handlers, and tasks that were cancelled.
#![cfg(feature = "tokio")]

mod world;

use gcrucible_engine::{HostValue, VirtualPlatform};
use gcrucible_heap::HeapConfig;

use self::world::clockwork::Clockwork;
use self::world::small_heap;

/// Functions of all programs: one that always has something to do, and one that lets time pass.
const COMMON: &str = r#"
    fn busy() { while true { try { while true { } } catch { } } }
    fn ticks(over) { while over.len() == 0 { sleep(1) } }
    fn main() {
      let over = []
      spawn detached ticks(over)
      let result = body(over)
      over.push("over")
      return result
    }
"#;

/// What `body` returns, while time goes on although somebody is always ready.
fn timed(heap: HeapConfig, body: &str) -> String {
    let source = format!("{COMMON}{body}");
    let world = Clockwork::on_heap(heap, "", VirtualPlatform::new(20), &source);
    let main = world.main();
    for _ in 0..5_000 {
        for _ in 0..40 {
            world.platform.step();
        }
        if main.call().outcome().is_some() {
            break;
        }
        world.platform.fire_next_timer();
    }
    assert!(main.call().outcome().is_some(), "it does not end: {body}");
    world.run();
    let text = world.text(&main);
    assert!(
        matches!(world.data(&main), Some(HostValue::Array(_))),
        "{text}"
    );
    world.finish();
    text
}

/// Where a deadline of 100 ms, or what else is told to end then, ends after its grace time.
const LATE: &str = "fn is_late(since) { let ms = time.now() - since - 350
                      return ms >= 0 && ms < 30 }";

#[track_caller]
fn ends_late(body: &str, expected: &str) {
    let text = timed(small_heap(), &format!("{LATE} {body}"));
    assert_eq!(text, expected);
}

#[test]
fn a_deadline_is_caught_inside_for_its_grace_time() {
    ends_late(
        r#"fn body(over) {
             let log = []
             try {
               deadline 100ms { try { busy() } finally { log.push("finally") } }
             } catch e { return [e.kind, is_late(0), log] }
           }"#,
        r#"["DeadlineExceeded", true, []]"#,
    );
}

#[test]
fn the_outermost_of_nested_scopes_surfaces_at_its_own_edge() {
    ends_late(
        r#"fn body(over) {
             try {
               deadline 100ms {
                 try { deadline 100ms { busy() } } catch e { busy() }
               }
             } catch e { return [e.kind, is_late(0)] }
           }"#,
        r#"["DeadlineExceeded", true]"#,
    );
}

#[test]
fn code_outside_of_the_scope_goes_on_as_ever() {
    ends_late(
        r#"fn body(over) {
             let m = mutex()
             let log = []
             for i in 0..2 {
               try {
                 deadline 50ms { sync m { for x in [1, 2] { try { busy() } catch e { } } } }
               } catch e is DeadlineExceeded { log.push(i) } finally { log.push("finally") }
             }
             sync m { log.push("free") }
             return log
           }"#,
        r#"[0, "finally", 1, "finally", "free"]"#,
    );
}

#[test]
fn a_spent_step_ends_at_its_boundary() {
    ends_late(
        r#"fn body(over) {
             sleep(100)
             let nothing = step "a" (instructions: 50, boundary: continue) { busy() }
             let late = is_late(0)
             try {
               step "b" (instructions: 50, boundary: escalate) { busy() }
             } catch e { return [nothing, late, e.kind, e.payload.kind] }
           }"#,
        r#"[nil, true, "StepEscalated", "StepExhausted"]"#,
    );
}

#[test]
fn what_waits_inside_a_spent_step_is_woken() {
    ends_late(
        r#"fn body(over) {
             sleep(100)
             try {
               step "a" (instructions: 50) {
                 try { while true { } } catch e { sleep(100000) }
               }
             } catch e { return [e.kind, is_late(0)] }
           }"#,
        r#"["StepExhausted", true]"#,
    );
}

#[test]
fn an_inherited_deadline_ends_the_task() {
    ends_late(
        r#"fn body(over) {
             let f = nil
             deadline 100ms { f = spawn busy() }
             try { await f } catch e { return [e.kind, is_late(0)] }
           }"#,
        r#"["DeadlineExceeded", true]"#,
    );
}

#[test]
fn squads_inside_wait_for_their_children_all_the_same() {
    ends_late(
        r#"fn child(log) { try { sleep(100000) } finally { log.push("child") } }
           fn body(over) {
             sleep(100)
             let log = []
             try {
               step "a" (instructions: 100) {
                 squad {
                   spawn child(log)
                   yield_now()
                   busy()
                 }
                 log.push("goes on")
               }
             } catch e { return [e.kind, is_late(0), log] }
           }"#,
        r#"["StepExhausted", true, ["child"]]"#,
    );
}

#[test]
fn the_block_of_a_failed_squad_is_ended() {
    ends_late(
        r#"fn fails() { sleep(100); throw error("child") }
           fn body(over) {
             try { squad { spawn fails(); busy() } } catch e { return [e.message, is_late(0)] }
           }"#,
        r#"["child", true]"#,
    );
}

#[test]
fn an_interrupt_handler_that_catches_its_time_out_ends() {
    let text = timed(
        small_heap(),
        r#"fn body(over) {
             on_interrupt("A", || busy())
             sys.interrupt("A")
             yield_now()
             return [time.now() >= 1250, time.now() < 1300]
           }"#,
    );
    assert_eq!(text, "[true, true]");
}

#[test]
fn a_cancelled_task_has_no_new_time_for_each_squad() {
    ends_late(
        r#"fn sleeper() { sleep(100000) }
           fn squads() { while true { try { squad { spawn sleeper() } } catch { } } }
           fn body(over) {
             let f = spawn squads()
             sleep(100)
             cancel(f)
             // The time in which it waits for the squads' tasks is not its own.
             try { await f } catch e { return [e.kind, time.now() < 1500] }
           }"#,
        r#"["Cancelled", true]"#,
    );
}

/// A task that holds all memory there is, and catches that there is no more.
const HOG: &str =
    "fn hog(a) { while true { try { while true { a.push([1, 2, 3]) } } catch e { } } }";

fn tiny() -> HeapConfig {
    HeapConfig {
        limit_bytes: 256 << 10,
        ..small_heap()
    }
}

#[test]
fn a_cancelled_task_without_memory_for_the_error_is_aborted() {
    let body = r#"fn body(over) {
        let f = spawn hog([])
        sleep(100)
        cancel(f)
        try { await f } catch e { return [e.kind, time.now() < 500] }
    }"#;
    let text = timed(tiny(), &format!("{HOG} {body}"));
    assert_eq!(text, r#"["Cancelled", true]"#);
}

#[test]
fn a_deadline_without_memory_for_its_error_ends_all_the_same() {
    let body = r#"fn body(over) {
        try { deadline 100ms { hog([]) } } catch e { return ["ended", time.now() < 500] }
    }"#;
    let text = timed(tiny(), &format!("{HOG} {body}"));
    assert_eq!(text, r#"["ended", true]"#);
}

#[test]
fn a_host_operation_that_heeds_nothing_is_cut_off() {
    let source = r#"
        fn fails() { sleep(20); throw error("child") }
        fn forever() { while true { try { host("never") } catch e { } } }
        fn ticks(over) { while over.len() == 0 { sleep(1) } }
        fn main() {
          let log = []
          let over = []
          spawn detached ticks(over)
          try { squad { spawn fails(); host("never") } } catch e { log.push([e.message, time.now() / 10]) }
          try { deadline 30ms { host("never") } } catch e { log.push([e.kind, time.now() / 10]) }
          let f = spawn forever()
          sleep(50)
          cancel(f)
          // The operation has its grace time, and the body has none left to begin another one.
          try { await f } catch e { log.push([e.kind, time.now() / 10]) }
          over.push("over")
          return log
        }
    "#;
    let platform = VirtualPlatform::with_host(20, |_| Box::pin(std::future::pending()));
    let world = Clockwork::new(platform, source);
    let main = world.main();
    for _ in 0..2_000 {
        for _ in 0..40 {
            world.platform.step();
        }
        if main.call().outcome().is_some() || !world.platform.fire_next_timer() {
            break;
        }
    }
    let text = world.text(&main);
    assert_eq!(
        text,
        r#"[["child", 2], ["DeadlineExceeded", 5], ["Cancelled", 60]]"#
    );
    world.run();
    world.finish();
}
