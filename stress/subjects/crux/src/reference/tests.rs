//! What programs print and leave behind.

use gcrucible_bytecode::Program;
use gcrucible_frontend::{Source, compile};

use super::Limits;
use super::self_driver::{DriveLimits, World, drive};
use crate::executor::graph::{GraphDump, GraphNode, GraphValue};
use crate::executor::trace::{Event, Outcome};
use crate::scenario::HostEvent;
use gcrucible_trace::choices::{ByteChoices, SeededChoices};

const LIMITS: DriveLimits = DriveLimits {
    model: Limits {
        max_frames: 40,
        grace_ms: 5,
        has_library: true,
    },
    fuel: 50,
    decisions: 10_000,
};

fn compiled(text: &str) -> Program {
    compile(&Source {
        path: "main.crux".into(),
        text: text.into(),
    })
    .unwrap_or_else(|errors| panic!("{errors}"))
    .into_inner()
}

fn call_of_main() -> Vec<HostEvent> {
    vec![HostEvent::Call {
        call: 1,
        function: "main".into(),
        args: vec![],
    }]
}

/// Lines printed by the top level and then by `main`, if there is one.
fn printed(text: &str) -> Vec<String> {
    let mut choices = ByteChoices::new(&[]);
    let host = call_of_main();
    let world = World {
        host: &host,
        answers: &[],
    };
    let drive = drive(&compiled(text), world, &mut choices, LIMITS);
    assert!(drive.quiescent);
    let lines = drive.events.into_iter().filter_map(|event| match event {
        Event::Printed { text, .. } => Some(text),
        _ => None,
    });
    lines.collect()
}

/// What `main` returned or threw.
fn outcome(text: &str) -> Outcome {
    let mut choices = ByteChoices::new(&[]);
    let host = call_of_main();
    let world = World {
        host: &host,
        answers: &[],
    };
    let drive = drive(&compiled(text), world, &mut choices, LIMITS);
    let outcome = drive
        .events
        .into_iter()
        .rev()
        .find_map(|event| match event {
            Event::CallEnded {
                call: 1, outcome, ..
            } => Some(outcome),
            _ => None,
        });
    outcome.expect("main was called and ended")
}

#[test]
fn values_display_as_documented() {
    let lines = printed(
        r#"
        class P { a, b }
        print(nil, true, -3, 1.0, 1e300, 0.0 / 0.0, 1.0 / 0, -1.0 / 0)
        print("raw", ["qu\"ote", "a\nb"], { "k": 1, 2: [] }, {}, 1..4)
        print(P { a: 1, b: "x" }, |x| x, error("m"), [error("m", 1)])
        print([[[[1]]]], [[[{}]]], [[[P { a: 1, b: 2 }]]])
        "#,
    );
    assert_eq!(lines[0], "nil true -3 1.0 1e300 NaN inf -inf");
    assert_eq!(
        lines[1],
        r#"raw ["qu\"ote", "a\nb"] {"k": 1, 2: []} {} 1..4"#
    );
    assert_eq!(
        lines[2],
        r#"P { a: 1, b: "x" } <fn <lambda>> Error: m [Error: m]"#
    );
    assert_eq!(lines[3], "[[[[...]]]] [[[{...}]]] [[[P {...}]]]");
}

#[test]
fn arithmetic_is_checked_and_mixed() {
    let lines = printed(
        r#"
        fn kind(f) { try { return f() } catch e { return e.kind } }
        print(7 / -2, 7 % -2, -7 % 2, 1 + 0.5, "a" + "b", 2 < 2.5, "a" < "b")
        print(kind(|| 9223372036854775807 + 1), kind(|| 1 / 0), kind(|| 1 % 0), kind(|| "a" + 1))
        print(1 == 1.0, "a" == "a", [] == [], nil == false, 9007199254740993 == 9007199254740992.0)
        "#,
    );
    assert_eq!(lines[0], "-3 1 -1 1.5 ab true true");
    assert_eq!(lines[1], "Overflow DivideByZero DivideByZero TypeError");
    assert_eq!(lines[2], "true true false false false");
}

#[test]
fn collections_do_what_their_methods_say() {
    let lines = printed(
        r#"
        fn kind(f) { try { return f() } catch e { return e.kind } }
        let a = [1, 2]
        a.push(3)
        a.insert(0, 0)
        print(a, a.pop(), a.remove(1), a, a.has(2.0), a.slice(0, 1), a.join("-"), a.len())
        print(kind(|| [].pop()), kind(|| a[9]), kind(|| a[-1]), kind(|| a["x"]), kind(|| a.keys()))
        let m = { "x": 1, 2: "y" }
        m[2.0] = "z"
        m["x"] = nil
        print(m, m.remove("x"), m, m.get("q", 7), m.has(2), m.keys(), m.values(), m["none"])
        print(kind(|| { m[0.0 / 0.0] = 1 }), "süß"[1], kind(|| "süß"[2]), "süß".slice(1, 3), len("süß"))
        "#,
    );
    assert_eq!(lines[0], "[0, 2] 3 1 [0, 2] true [0] 0-2 2");
    assert_eq!(
        lines[1],
        "IndexOutOfBounds IndexOutOfBounds IndexOutOfBounds TypeError UnknownMethod"
    );
    assert_eq!(lines[2], r#"{2: "z"} nil {2: "z"} 7 true [2] ["z"] nil"#);
    assert_eq!(lines[3], "InvalidKey ü IndexOutOfBounds ü 5");
}

#[test]
fn iteration_sees_what_changes_meanwhile() {
    let lines = printed(
        r#"
        let a = [1, 2]
        for x in a { if a.len() < 4 { a.push(x * 10) } }
        print(a)
        let m = { "a": 1, "b": 2, "c": 3 }
        let seen = []
        for k in m {
          seen.push(k)
          if k == "a" { m.remove("b") }
          if k == "c" { m["d"] = 4 }
          if k == "d" { m.clear() }
        }
        print(seen, m)
        "#,
    );
    assert_eq!(lines, ["[1, 2, 10, 20]", r#"["a", "c", "d"] {}"#]);
}

#[test]
fn finally_runs_on_every_way_out() {
    let lines = printed(
        r#"
        fn ret() { try { return "r" } finally { print("f1") } }
        fn over() { try { return "lost" } finally { return "won" } }
        fn thrown() { try { throw "t" } finally { print("f2") } }
        print(ret(), over())
        try { thrown() } catch e { print("caught", e) }
        for i in 0..3 {
          try { if i == 0 { continue } if i == 1 { break } } finally { print("round", i) }
        }
        "#,
    );
    assert_eq!(
        lines,
        ["f1", "r won", "f2", "caught t", "round 0", "round 1"]
    );
}

#[test]
fn closures_capture_variables() {
    let lines = printed(
        r#"
        fn counter() { let n = 0  return || { n += 1  return n } }
        let (c) = nil
        "#
        .replace(
            "let (c) = nil",
            "let c = counter()\nc()\nprint(c(), counter()())",
        )
        .replace("n = 0  return", "n = 0\nreturn")
        .replace("n += 1  return n", "n += 1\nreturn n")
        .as_str(),
    );
    assert_eq!(lines, ["2 1"]);
}

#[test]
fn frames_are_limited() {
    let lines = printed(
        r#"
        fn deep(n) { return deep(n + 1) }
        fn main() { try { deep(0) } catch e { print(e) } }
        "#,
    );
    assert_eq!(lines, ["StackOverflow: stack overflow"]);
}

#[test]
fn globals_are_frozen_after_initialisation() {
    let lines = printed(
        r#"
        let g = 1
        fn set() { g = 2 }
        set()
        print(g)
        fn main() { try { set() } catch e { print(e.kind, g) } }
        "#,
    );
    assert_eq!(lines, ["2", "StoreGlobalAfterInit 2"]);
}

#[test]
fn tasks_end_as_they_should() {
    let text = r#"
        fn ok(x) { return [x] }
        fn bad(x) { throw error("bad", x) }
        fn slow() { sleep(10) }
        fn stubborn() { try { sleep(10) } catch e { return e.kind } }
        fn main() {
          print(await spawn ok(1))
          let t = spawn bad(2)
          try { await t } catch e { print(e, e.payload) }
          try { await t } catch e { print(e.message) }
          let never = spawn ok(3)
          cancel(never)
          try { await never } catch e { print("never", e.kind) }
          let s = spawn slow()
          yield_now()
          sleep(1)
          cancel(s)
          try { await s } catch e { print("slow", e.kind) }
          let q = spawn stubborn()
          sleep(1)
          cancel(q)
          print("stubborn", await q)
        }
    "#;
    let lines = printed(text);
    assert_eq!(
        lines,
        [
            "[1]",
            "Error: bad 2",
            "bad",
            "never Cancelled",
            "slow Cancelled",
            "stubborn Cancelled"
        ]
    );
}

#[test]
fn every_schedule_ends_a_producer_and_its_consumers() {
    let text = r#"
        let seen = []
        fn make(n) { yield_now() return [n] }
        fn take(t) { seen.push(await t) }
        fn main() {
          let t = spawn make(7)
          let a = spawn take(t)
          let b = spawn take(t)
          await a
          await b
          print(seen, seen[0] == seen[1])
        }
    "#
    .replace("yield_now() return", "yield_now()\nreturn");
    let program = compiled(&text);
    let host = call_of_main();
    let world = World {
        host: &host,
        answers: &[],
    };
    for seed in 0..50 {
        let limits = DriveLimits { fuel: 3, ..LIMITS };
        let drive = drive(&program, world, &mut SeededChoices::new(seed), limits);
        let line = Event::Printed {
            task: 2,
            text: "[[7], [7]] true".into(),
        };
        assert!(
            drive.events.contains(&line),
            "seed {seed}: {:?}",
            drive.events
        );
    }
}

#[test]
fn dumps_number_nodes_as_they_are_met() {
    let text = r#"
        class P { l, r }
        fn main() {
          let shared = [1]
          let p = P { l: shared, r: { "k": shared } }
          p.l.push(p)
          return [p, "s", 2.5, shared]
        }
    "#;
    let node = GraphValue::Node;
    let expected = GraphDump {
        root: node(0),
        nodes: vec![
            GraphNode::Array(vec![
                node(1),
                GraphValue::String("s".into()),
                GraphValue::Float(2.5f64.to_bits()),
                node(2),
            ]),
            GraphNode::Instance(0, vec![node(2), node(3)]),
            GraphNode::Array(vec![GraphValue::Int(1), node(1)]),
            GraphNode::Map(vec![(GraphValue::String("k".into()), node(2))]),
        ],
    };
    assert_eq!(outcome(text), Outcome::Returned(expected));
}

#[test]
fn copies_keep_cycles_and_sharing() {
    let lines = printed(
        r#"
        let a = [1]
        a.push(a)
        let b = deep_copy(a)
        print(b == a, b[1] == b, deep_equals(a, b))
        let x = [0]
        print(deep_equals([x, x], [[0], [0]]), deep_equals({ "k": [1.0] }, { "k": [1] }))
        print(deep_equals(error("m", 1), error("m", 2)), deep_equals(0.0 / 0.0, 0.0 / 0.0))
        "#,
    );
    assert_eq!(lines, ["false true true", "false true", "false true"]);
}

#[test]
fn enums_match_and_typed_handlers() {
    let lines = printed(
        r#"
        enum Fault { NotFound, Busy(after) }
        class Job { id  fn twice() { return self.id * 2 } }
        fn kind(v) {
          return match v {
            Fault.Busy(n) if n > 3 => "long",
            Fault.Busy(_) => "short",
            Job { id: 1..5 } => "few",
            [a, b] => a + b,
            is string => "text",
          }
        }
        print(kind(Fault.Busy(9)), kind(Fault.Busy(1)), kind(Job { id: 2 }), kind([1, 2]), kind("x"))
        try { kind(nil) } catch e is NoMatch { print(e.kind, e.payload) }
        try {
          try { throw Fault.NotFound } catch e is Job { print("no") } finally { print("on its way") }
        } catch e is Fault.NotFound { print(e, Fault.Busy(1), Fault.NotFound == e) }
        let f = Job { id: 4 }.twice
        print(f(), type(e_of(|| f(1))))
        fn e_of(f) { try { f() } catch e { return e.kind } }
        "#,
    );
    assert_eq!(lines[0], "long short few 3 text");
    assert_eq!(lines[1], "NoMatch nil");
    assert_eq!(lines[2], "on its way");
    assert_eq!(lines[3], "Fault.NotFound Fault.Busy(1) true");
    assert_eq!(lines[4], "8 string");
}

#[test]
fn scopes_are_left_in_every_way() {
    let lines = printed(
        r#"
        fn main() {
          let m = mutex()
          try { sync m { throw 1 } } catch e { print("thrown", e) }
          sync m { print("free again") }
          try { sync m { sync m { } } } catch e { print(e.kind) }
          try { deadline 5 { sleep(20) } } catch e is DeadlineExceeded { print("late") }
          sleep(10)
          let squad_of_two = squad { spawn (|| 1)()
            spawn (|| 2)() }
          print(squad_of_two)
          try { squad { spawn (|| { throw "child" })()
            spawn (|| { sleep(50) })() } } catch e { print(e) }
          let x = step "s" (instructions: 10, boundary: continue) { while true { } }
          print(x)
          try { step "t" (calls: 0, boundary: escalate) { main2() } } catch e { print(e, e.payload.kind) }
          on_finish(|v| [v, "finished"])
          return 7
        }
        fn main2() { }
        "#,
    );
    assert_eq!(
        lines,
        [
            "thrown 1",
            "free again",
            "WouldDeadlock",
            "late",
            "[1, 2]",
            "child",
            "nil",
            "StepEscalated: step t in main StepExhausted",
        ]
    );
}

#[test]
fn channels_streams_and_interrupts() {
    let lines = printed(
        r#"
        fn main() {
          let c = channel(1)
          let t = spawn (|| { for x in 0..3 { c.send(x) }
            c.close() })()
          for x in c { print(x) }
          try { c.send(1) } catch e { print(e.kind) }
          let s = stream([1, 2, 3]).map(|x| x * 10).filter(|x| x > 10)
          print(s.collect())
          try { s.collect() } catch e { print(e.kind) }
          on_interrupt("INT", || { print("interrupted") })
          sys.interrupt("INT")
          sleep(1)
          print([3, 1, 2].sort(), "a-b".split("-"), weak(c).target() == c)
        }
        "#,
    );
    assert_eq!(
        lines,
        [
            "0",
            "1",
            "2",
            "ChannelClosed",
            "[20, 30]",
            "StreamTaken",
            "interrupted",
            r#"[1, 2, 3] ["a", "b"] true"#,
        ]
    );
}
