//! Instructions that run again after a collection, and heaps that are full.

use gcrucible_heap::HeapConfig;

use super::driver::{Setup, run};

/// One program that uses every instruction and built-in that allocates, and in which an
/// error of the machine takes the place of a value in flight.
const ALL_KINDS: &str = r#"
class P { x, y }
fn make(n) {
  let total = n
  let add = |k| { total = total + k
    return total }
  add(n)
  return [P { x: n, y: "p${n}" }, {"a": n, "b": [n], n: add(1)}, n..n + 3, add, error("e", [n])]
}
fn work(n) {
  let made = make(n)
  let p = made[0]
  p.x = [p.x, 140737488355328 + n]
  let m = made[1]
  for i in made[2] { m[i] = "v${i}" }
  for k in m { m[k] = [m[k], k] }
  let a = []
  for k in m.keys() { a.push(k) }
  for v in m.values() { a.insert(0, v) }
  a.remove(1)
  let copy = deep_copy(a)
  assert(deep_equals(a, copy))
  let text = a.slice(0, 2).join("+") + str(p) + type(p) + "né"[1]
  try {
    try { throw [text, n] } finally { text = [text][made[3](10)] }
  } catch e { a.push(e.kind) }
  try { return [text, a.len(), made[4].payload, made[3](5)] } finally { text = [text] }
}
fn child(n) { let w = work(n)
  yield_now()
  return w[1] }
fn main() {
  let futures = []
  for i in 0..3 { futures.push(spawn child(i)) }
  let out = []
  for i in 0..6 { out.push(work(i)) }
  for f in futures { out.push(await f) }
  for o in out { print(o) }
  return out.len()
}
"#;

#[test]
fn every_mode_gives_the_same_output() {
    let expected = run(ALL_KINDS, &Setup::default());
    assert_eq!(expected.result, "9", "{expected:?}");
    assert_eq!(expected.printed.len(), 9);
    let mut safepoints = 0;
    let mut memory_stops = 0;
    for modes in [
        "collect=safepoint,zombie,scribble,kind=major,verify=full",
        "collect=safepoint,kind=minor,verify=full",
        "collect=safepoint,kind=alternate,promote=always,zombie,verify=full",
        "collect=alloc:1,kind=major,scribble,verify=full",
        "collect=alloc:1,kind=minor,promote=never,zombie,scribble",
        "collect=alloc:3,kind=alternate,tags",
        "collect=seeded:7:300,zombie,scribble,verify=quick",
        "collect=continuous,kind=minor,quarantine=2,tags",
        "natural",
    ] {
        for fuel in [1_000_000, 3] {
            let setup = Setup {
                fuel,
                is_checked: fuel == 3,
                ..Setup::with_modes(modes)
            };
            let output = run(ALL_KINDS, &setup);
            assert_eq!(output.printed, expected.printed, "{modes}");
            assert_eq!(output.instructions, expected.instructions, "{modes}");
            safepoints += output.safepoints;
            memory_stops += output.memory_stops;
        }
    }
    assert!(safepoints > 1000, "{safepoints}");
    assert!(memory_stops > 1000, "{memory_stops}");
}

#[test]
fn a_full_heap_is_an_error_that_can_be_caught() {
    let text = r#"
        fn fill() { let a = []
          while true { a.push([1, 2, 3]) } }
        fn main() {
          let kinds = []
          for i in 0..3 { try { fill() } catch e { kinds.push(e.kind) } }
          try { let s = "0123456789"
            while true { s = s + s } } catch e { kinds.push(e.kind) }
          print(kinds)
          fill()
        }
    "#;
    let setup = Setup {
        config: HeapConfig {
            limit_bytes: 256 << 10,
            ..HeapConfig::tiny()
        },
        ..Setup::with_modes("verify=full")
    };
    let output = run(text, &setup);
    assert_eq!(
        output.printed,
        ["[\"OutOfMemory\", \"OutOfMemory\", \"OutOfMemory\", \"OutOfMemory\"]"]
    );
    assert_eq!(output.result, "OutOfMemory: out of memory");
}

#[test]
fn the_checked_and_the_unchecked_copy_do_the_same() {
    let checked = run(ALL_KINDS, &Setup::default());
    let unchecked = Setup {
        is_checked: false,
        ..Setup::default()
    };
    assert_eq!(run(ALL_KINDS, &unchecked), checked);
}

#[test]
fn a_refused_key_after_others_ends_even_if_every_allocation_collects() {
    let text = "
        fn main() {
          try { return {1: [1], 0.0 / 0.0: 2} } catch e { return e.kind }
        }
    ";
    for modes in ["collect=alloc:1,kind=minor", "collect=alloc:2,kind=major"] {
        assert_eq!(run(text, &Setup::with_modes(modes)).result, "InvalidKey");
    }
}

#[test]
fn a_text_that_no_string_could_hold_is_given_up() {
    let text = r#"
        fn main() {
          let s = "0123456789abcdef"
          for i in 0..8 { s = s + s }
          let a = []
          for i in 0..1000 { a.push(s) }
          let b = []
          for i in 0..1000 { b.push(a) }
          let kinds = []
          try { str([b]) } catch e { kinds.push(e.kind) }
          try { b.join(s) } catch e { kinds.push(e.kind) }
          try { return "${b}" } catch e { kinds.push(e.kind) }
          return kinds
        }
    "#;
    let output = run(text, &Setup::default());
    assert_eq!(
        output.result,
        "[\"OutOfMemory\", \"OutOfMemory\", \"OutOfMemory\"]"
    );
}
