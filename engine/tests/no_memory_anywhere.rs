//! Whatever allocation finds no memory, a program gets `OutOfMemory` or its right value, and
//! leaves a sound heap and nothing else.

mod world;

use std::sync::Arc;

use gcrucible_engine::{
    CallHandle, Engine, EngineOptions, Outcome, Source, VirtualPlatform, compile,
};
use gcrucible_heap::VerifyLevel;

use self::world::clockwork::ready;
use self::world::small_heap;

/// The most allocations of one program that are tried, so that none is added without a look at
/// what it costs.
const ALLOCATIONS_MAX: u32 = 1500;

/// A program, and the text of what its `main` returns.
struct Case {
    name: &'static str,
    text: &'static str,
    value: &'static str,
}

const CASES: &[Case] = &[
    Case {
        name: "a squad",
        text: "fn child(i) { yield_now(); return [i, \"c${i}\"] }
               fn main() { return squad { for i in 0..4 { spawn child(i) } } }",
        value: "[[0, \"c0\"], [1, \"c1\"], [2, \"c2\"], [3, \"c3\"]]",
    },
    Case {
        name: "squads in a squad",
        text: "fn leaf(i) { sleep(i); return i }
               fn branch(n) { return squad { for i in 0..n { spawn leaf(i) } } }
               fn main() { return squad { spawn branch(2); spawn branch(3); spawn leaf(9) } }",
        value: "[[0, 1], [0, 1, 2], 9]",
    },
    Case {
        name: "a squad whose child fails",
        text: "fn child(i) { if i == 1 { throw \"no\" } sleep(1000) }
               fn main() {
                 try { squad { for i in 0..3 { spawn child(i) } } } catch e is string { return e }
               }",
        value: "no",
    },
    Case {
        name: "spawn and await",
        text: "fn twice(x) { yield_now(); return [x, x] }
               fn main() {
                 let f = spawn twice(\"a\")
                 let g = spawn twice([1])
                 let h = spawn (|| await f)()
                 return [await f, await g, await h, await f == await h]
               }",
        value: "[[\"a\", \"a\"], [[1], [1]], [\"a\", \"a\"], true]",
    },
    Case {
        name: "channels",
        text: "fn produce(c) { for i in 0..5 { c.send(\"m${i}\") } c.close() }
               fn main() {
                 let c = channel(2)
                 let all = []
                 // One that fails ends the other, which would wait for it for ever.
                 squad { spawn produce(c); for m in c { all.push(m) } }
                 try { c.receive() } catch e is ChannelClosed { all.push(e.kind) }
                 return all
               }",
        value: "[\"m0\", \"m1\", \"m2\", \"m3\", \"m4\", \"ChannelClosed\"]",
    },
    Case {
        name: "mutexes",
        text: "fn add(m, sum) { for i in 0..3 { sync m { let s = sum[0]; yield_now(); sum[0] = s + 1 } } }
               fn main() {
                 let m = mutex()
                 let sum = [0]
                 squad { for i in 0..3 { spawn add(m, sum) } }
                 return sum[0]
               }",
        value: "9",
    },
    Case {
        name: "closures",
        text: "fn counter() { let n = 0; return || { n += 1; return n } }
               fn main() {
                 let all = []
                 for i in 0..3 { let c = counter(); c(); all.push(|| [i, c()]) }
                 return all.map(|f| f())
               }",
        value: "[[0, 2], [1, 2], [2, 2]]",
    },
    Case {
        name: "maps",
        text: "fn main() {
                 let m = {}
                 for i in 0..20 { m[\"key ${i}\"] = [i] }
                 for i in 0..10 { m.remove(\"key ${i * 2}\") }
                 m[1.0] = \"one\"
                 return [m.len(), m[\"key 7\"], m[1], m.keys().len(), m.values()[1], m.entries()[0]]
               }",
        value: "[11, [7], \"one\", 11, [3], [\"key 1\", [1]]]",
    },
    Case {
        name: "texts",
        text: "fn main() {
                 let s = \"\"
                 for i in 0..6 { s = s + \"é${i}, \" }
                 return [s.trim().upper(), s.split(\", \").len(), s.replace(\"é\", \"e\").slice(0, 4),
                         \"ab\".repeat(3), s.index_of(\"5\"), [1, nil].join(\"-\"), s[0], chr(233)]
               }",
        value: "[\"é0, é1, é2, é3, é4, é5,\", 7, \"e0, \", \"ababab\", 27, \"1-nil\", \"é\", \"é\"]",
    },
    Case {
        name: "JSON",
        text: "fn main() {
                 let v = json.parse(\"{\\\"a\\\": [1, 2.5, null, \\\"x\\\\n\\\"], \\\"b\\\": {\\\"c\\\": true}}\")
                 let kind = nil
                 try { json.parse(\"[1,\") } catch e is ParseError { kind = e.kind }
                 return [json.stringify(v), kind]
               }",
        value: r#"["{\"a\":[1,2.5,null,\"x\\n\"],\"b\":{\"c\":true}}", "ParseError"]"#,
    },
    Case {
        name: "iterators and streams",
        text: "class Three { n, fn next() { self.n += 1; if self.n > 3 { return nil } return self.n } }
               fn main() {
                 let all = []
                 for x in (Three { n: 0 }) { all.push(x) }
                 for c in \"aé\" { all.push(c) }
                 for k in { k: 1 } { all.push(k) }
                 let i = iter([7, 8])
                 all.push(next(i))
                 for x in i { all.push(x) }
                 return [all, stream(0..10).map(|x| x * 2).filter(|x| x > 5).take(2).collect()]
               }",
        value: "[[1, 2, 3, \"a\", \"é\", \"k\", 7, 8], [6, 8]]",
    },
    Case {
        name: "arrays",
        text: "fn main() {
                 let a = [3, 1, 2]
                 for i in 0..12 { a.push(i) }
                 a.insert(0, 9)
                 a.extend(a)
                 return [a.len(), a.sort().slice(0, 5), a.unique().len(), a.remove(0), a.group_by(|x| x % 2).len(),
                         [[1], [2, 3]].flat(), [1, 2].zip([3, 4])]
               }",
        value: "[32, [0, 0, 1, 1, 1], 12, 9, 2, [1, 2, 3], [[1, 3], [2, 4]]]",
    },
    Case {
        name: "errors",
        text: "fn kind(f) {
                 try { f() } catch e is TypeError { return e.kind } catch e is User { return e.payload }
                   catch e is IndexOutOfBounds { return e.message }
               }
               fn main() {
                 return [kind(|| nil + 1), kind(|| { throw error(\"why\", [1]) }), kind(|| [1][2])]
               }",
        value: "[\"TypeError\", [1], \"index out of bounds: 2, length 1\"]",
    },
    Case {
        name: "finally",
        text: "fn main() {
                 let seen = []
                 let f = || { try { return \"value\" } finally { seen.push(\"finally\") } }
                 return [f(), seen]
               }",
        value: "[\"value\", [\"finally\"]]",
    },
    Case {
        name: "copies and comparison",
        text: "class Node { value, next }
               fn main() {
                 let a = Node { value: [1], next: nil }
                 a.next = a
                 let m = { k: a, list: [a, a] }
                 let b = deep_copy(m)
                 return [deep_equals(m, b), b.k == a, b.list[0] == b.k, deep_copy(\"text\")]
               }",
        value: "[true, false, true, \"text\"]",
    },
    Case {
        name: "deadlines and steps",
        text: "fn main() {
                 let all = []
                 try { deadline 5ms { sleep(100) } } catch e is DeadlineExceeded { all.push(e.kind) }
                 all.push(step \"s\" (instructions: 100, boundary: continue) { while true { } })
                 let f = schedule every 1ms |tick, skipped| { all.push(tick); return tick < 2 }
                 await f
                 return all
               }",
        value: "[\"DeadlineExceeded\", nil, 1, 2]",
    },
    Case {
        name: "cancellation",
        text: "fn work() { try { sleep(1000) } finally { yield_now() } }
               fn main() {
                 let f = spawn work()
                 sleep(1)
                 cancel(f)
                 try { await f } catch e is Cancelled { return e.kind }
               }",
        value: "Cancelled",
    },
    Case {
        name: "hooks",
        text: "fn main() {
                 on_finish(|v| [v, \"finished\"])
                 pre_finish(|v, n| Hook.Modify(\"${v}!\"))
                 return \"value\"
               }",
        value: "[\"value!\", \"finished\"]",
    },
    Case {
        name: "enums and matches",
        text: "enum Shape { Circle(r), Square(a), Empty }
               fn area(s) {
                 return match s { Shape.Circle(r) => r * 3, Shape.Square(a) => a * a, Shape.Empty => 0 }
               }
               fn main() {
                 let none = nil
                 try { match 5 { 1 => 1 } } catch e is NoMatch { none = e.payload }
                 return [area(Shape.Circle(2)), area(Shape.Square(3)), area(Shape.Empty), Shape.Circle([1]), none]
               }",
        value: "[6, 9, 0, Shape.Circle([1]), 5]",
    },
    Case {
        name: "numbers",
        text: "fn main() {
                 return [9223372036854775807, int(\"9223372036854775807\"), math.pow(2, 62), float(\"2.5\")]
               }",
        value: "[9223372036854775807, 9223372036854775807, 4611686018427387904, 2.5]",
    },
    Case {
        name: "an operation of the host",
        text: "fn main() { return [host(\"echo\", { a: [1, \"text\"], b: nil }), time.now()] }",
        value: "[[{\"a\": [1, \"text\"], \"b\": nil}], 0]",
    },
    Case {
        name: "weak references",
        text: "fn main() { let v = [1]; let w = weak(v); collect(); return [w.target(), v] }",
        value: "[[1], [1]]",
    },
];

/// How a program ended when the allocation with this number had found no memory, if it has so
/// many.
fn run(
    case: &Case,
    program: &Arc<gcrucible_bytecode::VerifiedProgram>,
    number: u32,
) -> Option<String> {
    let platform = Arc::new(VirtualPlatform::with_host(1_000, |request| {
        let mut args = request.args;
        Box::pin(async move { Ok(args.pop().unwrap_or_default()) })
    }));
    let options = EngineOptions {
        heap: small_heap(),
        debug: format!("fail=alloc:{number}").parse().expect("modes"),
        ..EngineOptions::default()
    };
    let program = Arc::clone(program);
    let engine = match Engine::new(program, &options, Arc::clone(&platform) as _, None) {
        Ok(engine) => engine,
        Err(error) => return Some(error.to_string()),
    };
    let settle = || assert!(platform.run(1_000_000), "{}: it does not end", case.name);
    let mut ended = None;
    let init = ready(engine.start_init());
    settle();
    let is_ready = |init: &CallHandle| init.call().outcome() == Some(Outcome::Returned);
    if init.as_ref().is_ok_and(is_ready) {
        let main = engine.start_call(1, "main", &[]).expect("its id is free");
        settle();
        let text = ready(main.text());
        ended = Some(match main.call().outcome() {
            Some(Outcome::Returned) => text,
            Some(Outcome::Threw) => format!("error: {text}"),
            other => panic!("{}, allocation {number}: {other:?}", case.name),
        });
    }
    drop(init);
    // A task that found no memory for its start leaves nothing behind either.
    let about = format!("{}, allocation {number}", case.name);
    assert_eq!(engine.open_task_count(), 0, "{about}");
    assert_eq!(engine.open_call_count(), 0, "{about}");
    assert_eq!(engine.active_future_count(), 0, "{about}");
    assert_eq!(engine.waiting_tasks(), [], "{about}");
    assert_eq!(engine.blocked_tasks(), [], "{about}");
    assert_eq!(platform.next_timer(), None, "{about}");
    let heap = engine.heap();
    {
        let mut permit = heap.try_exclusive().expect("nobody runs");
        let violations = permit.verify(VerifyLevel::Full);
        assert_eq!(violations, [], "{about}");
    }
    engine.try_collect(gcrucible_heap::CollectionKind::Major);
    assert_eq!(heap.stats().external_bytes, 0, "{about}");
    match heap.stats().faults {
        0 => None,
        _ => Some(ended.unwrap_or_else(|| "error: OutOfMemory: in the top level".to_owned())),
    }
}

fn fails_anywhere(cases: &[Case]) {
    for case in cases {
        let source = Source::new("main.crux", case.text);
        let program = compile(&source).unwrap_or_else(|errors| panic!("{}: {errors}", case.name));
        let program = Arc::new(program);
        let mut wrong = Vec::new();
        let mut refused = 0;
        let mut tried = 0;
        for number in 0.. {
            assert!(number < ALLOCATIONS_MAX, "{} allocates more", case.name);
            let Some(ended) = run(case, &program, number) else {
                break;
            };
            tried += 1;
            if ended.contains("OutOfMemory") || ended.contains("no room") {
                refused += 1;
            } else if ended != case.value {
                wrong.push((number, ended));
            }
        }
        assert_eq!(wrong, [], "{}", case.name);
        // Those whose operation is tried again are right all the same; others are refused.
        assert!(refused > 0, "{}: none of {tried} is refused", case.name);
    }
}

#[test]
fn tasks_get_the_error_or_the_right_value() {
    fails_anywhere(&CASES[..8]);
}

#[test]
fn values_are_right_or_there_is_an_error() {
    fails_anywhere(&CASES[8..15]);
}

#[test]
fn scopes_get_the_error_or_the_right_value() {
    fails_anywhere(&CASES[15..]);
}
