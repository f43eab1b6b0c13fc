//! Calls, closures, cells, globals.

use super::driver::{Setup, printed, run, thrown_by, value_of};

#[test]
fn calls_pass_arguments_and_results() {
    let text = "
        fn fib(n) { if n < 2 { return n }
        return fib(n - 1) + fib(n - 2) }
        fn swap(a, b) { return [b, a] }
        fn nothing() { }
        print(fib(15), swap(1, 2), nothing(), (|x| x * 2)(4))
    ";
    assert_eq!(printed(text), ["610 [2, 1] nil 8"]);
}

#[test]
fn wrong_calls_throw() {
    assert_eq!(thrown_by("let f = 1\nf()"), "NotCallable: not a function");
    assert_eq!(
        thrown_by("let f = |x| x\nf()"),
        "WrongArity: wrong number of arguments"
    );
    assert_eq!(
        thrown_by("let f = [|x| x]\nf[0](1, 2)"),
        "WrongArity: wrong number of arguments"
    );
}

#[test]
fn closures_share_what_they_capture() {
    let text = "
        fn counter() {
          let n = 0
          return [|| { n = n + 1
            return n }, || n]
        }
        let a = counter()
        let b = counter()
        a[0]()
        a[0]()
        b[0]()
        print(a[1](), b[1]())
        fn deep(x) { return || || { x = x + 1
          return x } }
        let f = deep(1)()
        f()
        print(f())
    ";
    assert_eq!(printed(text), ["2 1", "3"]);
}

#[test]
fn too_many_frames_throw_and_can_be_caught() {
    let text = "
        fn down(n) { return down(n + 1) }
        fn depth(n) { try { return depth(n + 1) } catch e { return n } }
        fn main() {
          print(depth(1))
          return down(0)
        }
    ";
    for max_frames in [5, Setup::default().max_frames] {
        let setup = Setup {
            max_frames,
            ..Setup::default()
        };
        let output = run(text, &setup);
        assert_eq!(output.result, "StackOverflow: stack overflow");
        // `main` is a frame too.
        assert_eq!(output.printed, [format!("{}", max_frames - 1)]);
    }
}

#[test]
fn deep_recursion_grows_the_stack() {
    let text = "
        fn sum(n) { if n == 0 { return 0 }
        return n + sum(n - 1) }
        fn main() { return sum(9000) }
    ";
    let setup = Setup {
        max_frames: 10_000,
        ..Setup::with_modes("verify=full")
    };
    assert_eq!(run(text, &setup).result, "40504500");
}

#[test]
fn globals_are_frozen_after_initialisation() {
    let text = "
        let g = 1
        g = 2
        fn set() { g = 3 }
        set()
        fn main() { print(g)
          set() }
    ";
    let output = run(text, &Setup::default());
    assert_eq!(output.printed, ["3"]);
    assert_eq!(
        output.result,
        "StoreGlobalAfterInit: a global cannot be assigned after its module was initialised: `g`"
    );
    assert_eq!(value_of("1"), "1");
}
