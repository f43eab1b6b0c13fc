//! Built-ins that work in steps: whatever comes between two of them, the result is the same.

use gcrucible_heap::CollectionKind;

use super::driver::{Setup, run};
use super::machine::Machine;
use crate::SliceEnd;

/// Each prints what it makes of operands that have parts.
const PROGRAMS: &[&str] = &[
    "fn main() {
       let a = [1, \"two\", [3.5, nil], { k: [true] }]
       a.push(a)
       let b = deep_copy(a)
       print(b, b[4] == b, b[2] == a[2], deep_equals(a, b))
       b[3][\"k\"].push(1)
       print(a, deep_equals(a, b), deep_equals(b, deep_copy(b)))
     }",
    "class P { x, next }
     enum E { One(v), None }
     fn main() {
       let shared = [0]
       let list = nil
       for i in 0..30 { list = P { x: [i, shared, E.One(\"${i}\")], next: list } }
       let copy = deep_copy(list)
       shared.push(1)
       let at = copy
       let count = 0
       let first = copy.x[1]
       while at != nil {
         if at.x[1] == first { count += at.x[0] }
         at = at.next
       }
       print(count, first, deep_equals(list, copy))
       first.push(1)
       print(deep_equals(list, copy), copy.x[2], deep_equals(E.None, deep_copy(E.None)))
     }",
    "fn main() {
       let key = [1]
       let m = { a: 1, b: { c: key } }
       for i in 0..40 { m[i] = [i] }
       m[key] = \"by identity\"
       let copy = deep_copy(m)
       let inner = copy[\"b\"][\"c\"]
       print(copy.len(), copy.has(key), copy.get(inner), copy[7], copy[\"a\"])
       for i in 0..20 { m.remove(i) }
       print(m.keys(), m.values(), deep_equals(m, copy), deep_equals(m, deep_copy(m)))
     }",
    "fn main() {
       print(\"a,b,,cé\".split(\",\"), \"\".split(\",\"), \",\".split(\",\"), \"aéb\".split(\"\"), \"\".split(\"\"))
       print(\"a--b---c\".split(\"--\"), (\"ab\".repeat(50) + \"X\").split(\"ab\").len(), \"aaa\".split(\"aa\"))
     }",
    "fn main() {
       let a = []
       for i in 0..50 { a.push(\"element ${i}\") }
       print(a.has(\"element 40\"), a.index_of(\"element 33\"), a.index_of(nil), a.has([]))
     }",
    "class P { x, next }
     enum E { One(v), Two(a, b), None }
     fn main() {
       let long = \"a\\\"é\\n\".repeat(700)
       let m = { k: [1, [2, [3, [4]]]], long: long }
       m[[E.None]] = E.Two(P { x: long, next: P { x: { a: {} }, next: E.One([1]) } }, 1..3)
       m[\"itself\"] = m
       print(m)
       print(long, \"${m}\", error(\"why\", m), [])
     }",
    "fn main() {
       let t = \"aé\\u{1F600}bcb\".repeat(40)
       print(t.len(), t.upper().lower() == t, t.upper().index_of(\"BCBA\"), t.has(\"bcc\"), t.has(\"\"))
       print(t.index_of(\"cba\"), \"\".has(\"a\"), \"\".index_of(\"\"), \"ab\".repeat(0), \"\".repeat(9), \"x\".repeat(300))
       print(t.replace(\"b\", \"--\"), \"aaaa\".replace(\"aa\", \"b\"), t.replace(\"cb\", \"\"), \"abc\".replace(\"\", \"x\"))
       print((\"  \" + t + \" \").trim() == t, t.slice(1, 8), t + t == t.repeat(2), \"\" + \"\", t.slice(0, t.len()) == t)
     }",
    "fn main() {
       let a = []
       for i in 0..101 { a.push([i]) }
       let b = a.slice(3, 90)
       print(b.len(), b[0], b[86], a.slice(5, 5), b.slice(0, 87).len())
       b.reverse()
       b.extend(a)
       b.extend(b)
       print(b.len(), b[0], b[86], b[87], b[375], b[188])
       b.fill(nil)
       print(b.len(), b[0], b[375])
       a.reverse()
       [].reverse()
       a.extend([])
       a.insert(50, \"new\")
       print(a, a.remove(3))
     }",
];

#[test]
fn steps_of_any_size_give_what_one_go_gives() {
    for text in PROGRAMS {
        let whole = run(text, &Setup::default());
        assert!(!whole.is_thrown, "{} of {text}", whole.result);
        for modes in [
            "steps=1",
            "steps=3,collect=safepoint,verify=full",
            "steps=7,collect=safepoint,kind=major,verify=full,zombie,quarantine=2",
            "steps=2,collect=alloc:2,promote=always,verify=full,tags",
            "steps=50,collect=alloc:3,kind=alternate,verify=full,scribble",
        ] {
            let setup = Setup {
                fuel: 7,
                ..Setup::with_modes(modes)
            };
            let stepped = run(text, &setup);
            assert_eq!(stepped.printed, whole.printed, "{modes}: {text}");
            assert_eq!(
                (stepped.result, stepped.instructions),
                (whole.result.clone(), whole.instructions),
                "{modes}: {text}"
            );
        }
    }
}

#[test]
fn a_built_in_that_is_not_done_is_no_instruction() {
    let text = "
        fn main() {
          let a = []
          for i in 0..2000 { a.push([i]) }
          yield_now()
          return deep_copy(a).len()
        }
    ";
    let machine = Machine::calling_main(text);
    let mut unfinished = 0;
    loop {
        let outcome = machine.slice(1_000_000);
        if outcome.advanced {
            assert!(outcome.charged < 30_000, "{outcome:?}");
            unfinished += 1;
        }
        match outcome.end {
            SliceEnd::Returned => break,
            SliceEnd::NeedsMemory { .. } => {
                let mut permit = machine.heap.try_exclusive().expect("nobody holds one");
                permit.collect(CollectionKind::Major);
            }
            _ => {}
        }
    }
    assert!(unfinished >= 2, "{unfinished}");
    assert_eq!(machine.exchange(), "2000");
}

#[test]
fn what_has_failed_does_not_begin_anew_for_want_of_memory() {
    // The last part is no data, which the conversion finds at its end.
    let text = "
        fn main() {
          let a = []
          for i in 0..500 { a.push(i) }
          a.push(main)
          yield_now()
          host(\"x\", a)
        }
    ";
    // One of these allocations is that of the error.
    let failed = (0..200).filter(|at| {
        let machine = Machine::under(text, &format!("steps=100,fail=alloc:{at}"));
        let (mut has_begun, mut has_failed) = (false, false);
        loop {
            let outcome = machine.slice(1_000_000);
            has_begun |= outcome.advanced;
            assert!(!(has_failed && outcome.advanced), "{at}: {outcome:?}");
            match outcome.end {
                SliceEnd::Threw => break,
                SliceEnd::Host => panic!("a function is no data"),
                SliceEnd::NeedsMemory { words } => {
                    has_failed = has_begun;
                    // Asked for once more, it is there.
                    machine.heap.has_room_within_limit(words);
                    let mut permit = machine.heap.try_exclusive().expect("nobody holds one");
                    permit.collect(CollectionKind::Major);
                }
                _ => {}
            }
        }
        let error = machine.exchange();
        assert!(error.contains("TypeError"), "{error}");
        has_failed
    });
    assert!(failed.count() > 0, "no allocation is that of the error");
}

/// What makes something large, and what goes over it.
const LARGE: &[(&str, &str)] = &[
    ("array", "deep_copy(nested)"),
    ("array", "deep_equals(nested, deep_copy(nested))"),
    ("array", "a.has(nil)"),
    ("array", "a.index_of(-1)"),
    ("array", "a.slice(1, a.len())"),
    ("array", "[0].extend(a)"),
    ("array", "a.fill(1)"),
    ("array", "a.reverse()"),
    ("array", "a.join(\",\")"),
    ("array", "str(a)"),
    ("array", "print(a)"),
    ("array", "\"${a}\""),
    ("array", "host(\"x\", a)"),
    ("map", "m.keys()"),
    ("map", "m.values()"),
    ("map", "str(m)"),
    ("map", "deep_copy(m)"),
    ("map", "host(\"x\", m)"),
    ("text", "s.split(\"b\")"),
    ("text", "s.split(\"\")"),
    ("text", "s.upper()"),
    ("text", "s.lower()"),
    ("text", "s.trim()"),
    ("text", "s.slice(0, s.len())"),
    ("text", "s.replace(\"b\", \"cc\")"),
    ("text", "s.has(\"aaaab\")"),
    ("text", "s.index_of(\"bb\")"),
    ("text", "\"ab\".repeat(60000)"),
    ("text", "s + s"),
    ("text", "\"${s}${s}\""),
    ("text", "str([s])"),
];

#[test]
fn no_built_in_does_more_than_a_step_at_a_time() {
    const STEP: u32 = 100;
    for (operand, call) in LARGE {
        let setup = match *operand {
            "array" => {
                "let a = []
                 let nested = []
                 for i in 0..3000 { a.push(i); nested.push([i]) }"
            }
            "map" => "let m = {}\n for i in 0..1500 { m[\"${i}\"] = i }",
            _ => "let s = \"aé\".repeat(20000)",
        };
        let text = format!("fn main() {{ {setup}\n yield_now()\n let made = {call} }}");
        let machine = Machine::stepping(&text, STEP);
        let mut steps = 0;
        let mut slices = 0;
        let mut is_set_up = false;
        loop {
            let outcome = machine.slice(1_000_000);
            if is_set_up {
                // Small steps grow. The last step's slice goes on behind it, with work of its own.
                let step = machine.heap.debug().units_of_step(slices);
                slices += 1;
                let most = if outcome.advanced { 2 * step } else { 4 * step };
                assert!(outcome.charged <= most, "{call}: {outcome:?}");
                steps += u32::from(outcome.advanced);
            }
            match outcome.end {
                SliceEnd::Yielded => is_set_up = true,
                SliceEnd::Returned | SliceEnd::Host => break,
                SliceEnd::Threw => panic!("{call} threw {}", machine.exchange()),
                SliceEnd::NeedsMemory { .. } => {
                    let mut permit = machine.heap.try_exclusive().expect("nobody holds one");
                    permit.collect(CollectionKind::Major);
                }
                _ => {}
            }
        }
        assert!(steps >= 3, "{call} took {steps} steps");
    }
}
