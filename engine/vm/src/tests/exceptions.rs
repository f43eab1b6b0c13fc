//! Throwing, catching, finally.

use super::driver::{Setup, printed, run, thrown_by};

#[test]
fn a_throw_goes_to_the_innermost_handler() {
    let text = "
        fn thrower(v) { throw v }
        fn main() {
          try {
            try { thrower(1) } catch e { print(\"inner\", e)
              thrower(2) }
          } catch e { print(\"outer\", e) }
          try { print(\"none\") } catch e { print(\"never\") }
          throw [3]
        }
    ";
    let output = run(text, &Setup::default());
    assert_eq!(output.printed, ["inner 1", "outer 2", "none"]);
    assert!(output.is_thrown);
    assert_eq!(output.result, "[3]");
}

#[test]
fn finally_runs_on_every_way_out() {
    let text = "
        fn way(n) {
          for i in 0..2 {
            try {
              if n == 0 { return \"returned\" }
              if n == 1 { break }
              if n == 2 { continue }
              if n == 3 { throw \"thrown\" }
            } finally { print(n, i) }
          }
          return \"through\"
        }
        for n in 0..5 { try { print(way(n)) } catch e { print(\"caught\", e) } }
    ";
    assert_eq!(
        printed(text),
        [
            "0 0",
            "returned",
            "1 0",
            "through",
            "2 0",
            "2 1",
            "through",
            "3 0",
            "caught thrown",
            "4 0",
            "4 1",
            "through",
        ]
    );
}

#[test]
fn a_way_out_of_finally_wins() {
    let text = "
        fn a() { try { throw 1 } finally { return 2 } }
        fn b() { try { return 1 } finally { throw 3 } }
        fn c() { while true { try { return 1 } finally { break } }
          return 4 }
        fn d() { try { try { return 1 } finally { print(\"in\") } } finally { print(\"out\") } }
        print(a())
        try { b() } catch e { print(e) }
        print(c(), d())
    ";
    assert_eq!(printed(text), ["2", "3", "in", "out", "4 1"]);
}

#[test]
fn handlers_of_dropped_frames_are_gone() {
    let text = "
        fn inner() { try { throw 1 } finally { print(\"f\") } }
        fn main() {
          for i in 0..3 { try { inner() } catch e { print(e) } }
          throw \"end\"
        }
    ";
    let output = run(text, &Setup::default());
    assert_eq!(output.printed, ["f", "1", "f", "1", "f", "1"]);
    assert_eq!(output.result, "end");
}

#[test]
fn errors_of_the_machine_have_kind_message_and_payload() {
    let text = "
        try { 1 / 0 } catch e { print(e, e.kind, e.message, e.payload, type(e)) }
        try { throw error(\"mine\", [1]) } catch e { print(e, e.kind, e.message, e.payload) }
        try { assert(1 == 2, \"why\") } catch e { print(e, e.kind, e.payload) }
        try { assert(nil) } catch e { print(e.payload) }
        try { error(\"x\").other } catch e { print(e) }
        try { error(1) } catch e { print(e) }
        print(assert(true, \"unused\"))
    ";
    assert_eq!(
        printed(text),
        [
            "DivideByZero: division by zero: 1 / 0 DivideByZero division by zero: 1 / 0 nil error",
            "Error: mine User mine [1]",
            "AssertionFailed: assertion failed: why AssertionFailed why",
            "nil",
            "UnknownField: no such field: `other` of error",
            "TypeError: operand of a wrong type: `error(1)`",
            "nil",
        ]
    );
}

#[test]
fn an_error_in_finally_replaces_the_one_in_flight() {
    let body = "try { throw 1 } finally { let x = nil + 1 }";
    assert_eq!(thrown_by(body), "TypeError: operand of a wrong type");
}

#[test]
fn values_in_flight_survive_collections() {
    let text = "
        fn kept() { try { return [\"kept\", 1] } finally { collect()
          let junk = [1, 2, 3]
          collect() } }
        fn thrown() { try { throw [\"thrown\", 2] } finally { collect()
          let junk = {1: 2}
          collect() } }
        print(kept())
        try { thrown() } catch e { print(e) }
    ";
    let output = run(text, &Setup::with_modes("zombie,scribble,verify=full"));
    assert_eq!(output.printed, ["[\"kept\", 1]", "[\"thrown\", 2]"]);
}
