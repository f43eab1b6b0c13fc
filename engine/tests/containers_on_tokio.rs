//! Arrays and maps that several real threads change and read at once (I-2): updates may be lost,
//! nobody sees what nobody stored.
#![cfg(feature = "tokio")]

mod world;

use gcrucible_engine::Outcome;

use self::world::World;

/// Runs `main(rounds)` of a program on four workers, in short slices.
fn hold(source: &str, rounds: i64) {
    for modes in ["natural", "collect=seeded:5:10,verify=quick"] {
        let world = World::new(4, 200, modes, source);
        let handle = world.call(1, "main", &[rounds]);
        let outcome = world.join(&handle);
        assert_eq!(outcome, Outcome::Returned, "{}", world.value(&handle));
        drop(handle);
        world.finish();
    }
}

#[test]
fn nobody_sees_a_nil_in_an_array_that_never_holds_one() {
    hold(
        r#"
        fn change(a, rounds) {
          for i in 0..rounds {
            a.push(i + 1)
            there(|| a.pop())
            a.insert(0, i + 1)
            there(|| a.remove(0))
            there(|| a.remove(a.len() - 1))
            a.push(1)
            if i % 16 == 0 {
              a.clear()
              a.extend([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20])
            }
            a.reverse()
          }
        }

        // What is out of bounds just now is no nil.
        fn there(f) {
          try { return f() } catch e is IndexOutOfBounds { return 0 }
        }

        fn read(a, rounds) {
          for i in 0..rounds {
            let slice = there(|| a.slice(0, a.len()))
            if slice is array { assert(!slice.has(nil), "a slice has one") }
            let all = []
            all.extend(a)
            assert(all.index_of(nil) == nil, "an extended array has one")
            assert(there(|| a[a.len() - 1]) != nil, "the last element is one")
            assert(there(|| a[0]) != nil, "the first element is one")
            for x in a { assert(x != nil, "a loop meets one") }
            assert(!a.join(",").has("nil"), "a text has one")
            assert(!deep_copy(a).has(nil), "a copy has one")
          }
        }

        fn main(rounds) {
          let a = [1, 2, 3]
          squad {
            spawn change(a, rounds)
            spawn change(a, rounds)
            spawn read(a, rounds)
            spawn read(a, rounds)
          }
        }
        "#,
        200,
    );
}

#[test]
fn two_arrays_that_are_appended_to_each_other_block_nobody() {
    hold(
        r#"
        fn append(a, b, rounds) {
          for i in 0..rounds {
            a.extend(b)
            if a.len() > 100 {
              a.clear()
              a.push(1)
            }
          }
        }

        fn main(rounds) {
          let a = [1]
          let b = [2]
          squad {
            spawn append(a, b, rounds)
            spawn append(b, a, rounds)
            spawn append(a, a, rounds)
          }
        }
        "#,
        300,
    );
}

#[test]
fn the_keys_of_a_map_are_those_of_one_moment() {
    hold(
        r#"
        fn change(m, rounds) {
          for i in 0..rounds {
            // There is always one of the two, and never both for longer than this.
            m["b"] = i
            m.remove("a")
            m["a"] = i
            m.remove("b")
            m[i] = i
            m.remove(i)
          }
        }

        fn read(m, rounds) {
          for i in 0..rounds {
            let keys = m.keys()
            assert(keys.has("a") || keys.has("b"), "neither key is there")
            assert(!keys.has(nil), "a key is nil")
            assert(!m.values().has(nil), "a value is nil")
          }
        }

        fn main(rounds) {
          let m = { a: 0 }
          squad {
            spawn change(m, rounds)
            spawn read(m, rounds)
            spawn read(m, rounds)
          }
        }
        "#,
        300,
    );
}
