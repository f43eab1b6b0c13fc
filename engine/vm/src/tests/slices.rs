//! What a slice says of itself.

use gcrucible_bytecode::ErrorKind;
use gcrucible_heap::{Checked, CollectionKind, Value};

use super::driver::{Setup, run};
use super::machine::Machine;
use crate::SliceEnd;

const COUNTING: &str = "
    fn main() {
      let s = []
      for i in 0..5 { s.push(\"${i}\") }
      try { throw s } catch e { return e.join(\",\") }
    }
";

#[test]
fn one_instruction_at_a_time_gives_the_same_as_all_at_once() {
    let whole = run(COUNTING, &Setup::default());
    assert_eq!(whole.result, "0,1,2,3,4");
    for fuel in [1, 2, 7] {
        let setup = Setup {
            fuel,
            ..Setup::default()
        };
        assert_eq!(run(COUNTING, &setup), whole);
    }
}

#[test]
fn a_slice_executes_no_more_than_its_fuel() {
    let machine = Machine::calling_main(COUNTING);
    assert_eq!(machine.slice(0).end, SliceEnd::Fuel);
    let mut instructions = 0;
    loop {
        let outcome = machine.slice(3);
        instructions += outcome.instructions;
        match outcome.end {
            SliceEnd::Fuel => assert_eq!(outcome.instructions, 3),
            end => {
                assert_eq!(end, SliceEnd::Returned);
                break;
            }
        }
    }
    let whole = Machine::calling_main(COUNTING).slice(1000);
    assert_eq!(
        (whole.end, whole.instructions),
        (SliceEnd::Returned, instructions)
    );
    assert_eq!(machine.exchange(), "0,1,2,3,4");
}

#[test]
fn a_safepoint_ends_a_slice_once_and_costs_nothing() {
    let machine = Machine::calling_main(COUNTING);
    let instructions = Machine::calling_main(COUNTING).slice(1000).instructions;
    machine.heap.request_polls();
    let mut executed = 0;
    let mut safepoints = 0;
    let mut last = None;
    loop {
        let outcome = machine.slice(1000);
        executed += outcome.instructions;
        if outcome.end == SliceEnd::Returned {
            break;
        }
        assert_eq!(outcome.end, SliceEnd::Safepoint);
        // Nobody stops twice without an instruction between.
        assert!(outcome.instructions > 0 || last.is_none());
        last = Some(machine.vm.position());
        safepoints += 1;
    }
    assert_eq!(executed, instructions);
    // Five times round: the text, the push, the back-edge; and what is before and behind.
    assert!(safepoints >= 15, "{safepoints}");
}

#[test]
fn a_passed_safepoint_is_not_taken_again_after_memory_was_short() {
    let text = "fn main() { let a = []
        let i = 0
        while i < 100 { a.push([i])
          i = i + 1 }
        return a.len() }";
    let machine = Machine::calling_main(text);
    machine.heap.request_polls();
    let mut last = SliceEnd::Fuel;
    let mut memory_stops = 0;
    loop {
        let outcome = machine.slice(1000);
        match outcome.end {
            SliceEnd::Safepoint => {
                assert!(
                    outcome.instructions > 0 || last == SliceEnd::Fuel,
                    "{last:?}"
                );
            }
            SliceEnd::NeedsMemory { words } => {
                assert!(words > 0);
                memory_stops += 1;
                let mut permit = machine.heap.try_exclusive().unwrap();
                permit.collect(CollectionKind::Minor);
            }
            end => {
                assert_eq!(end, SliceEnd::Returned);
                break;
            }
        }
        last = outcome.end;
    }
    assert!(memory_stops > 0);
    assert_eq!(machine.exchange(), "100");
}

#[test]
fn a_delivered_error_is_thrown_where_the_machine_stands() {
    let text = "fn main() {
        let n = 0
        try { while true { n = n + 1 } } catch e { return [e.kind, n > 0] }
    }";
    let machine = Machine::calling_main(text);
    assert_eq!(machine.slice(50).end, SliceEnd::Fuel);
    let outcome = machine.slice_with(50, Some(ErrorKind::Cancelled), true);
    assert!(outcome.delivered);
    assert_eq!(outcome.end, SliceEnd::Returned);
    assert_eq!(machine.exchange(), "[\"Cancelled\", true]");
}

#[test]
fn an_error_delivered_before_the_first_instruction_ends_the_task() {
    let machine = Machine::calling_main("fn main() { print(1) }");
    let outcome = machine.slice_with(50, Some(ErrorKind::Cancelled), true);
    assert!(outcome.delivered);
    assert_eq!(outcome.end, SliceEnd::Threw);
    assert_eq!((outcome.instructions, outcome.printed.len()), (0, 0));
    assert_eq!(machine.exchange(), "Cancelled: cancelled");
}

#[test]
fn a_call_that_does_not_fit_throws_in_its_first_slice() {
    let machine = Machine::new("let n = 1\nfn f(a) { return a }");
    machine.vm.start_init();
    machine.slice(1000);
    let global = |name| machine.realm.program().entry_export(name).unwrap();
    for (callee, args, expected) in [
        ("n", 0, "NotCallable: not a function: int"),
        (
            "f",
            0,
            "WrongArity: wrong number of arguments: `f` takes 1, not 0",
        ),
        (
            "f",
            2,
            "WrongArity: wrong number of arguments: `f` takes 1, not 2",
        ),
    ] {
        {
            let permit = machine.heap.try_shared().unwrap();
            let args = vec![Value::NIL; args];
            machine.vm.start_global(&permit, global(callee), &args);
        }
        let outcome = machine.slice(1000);
        assert_eq!((outcome.end, outcome.instructions), (SliceEnd::Threw, 0));
        assert_eq!(machine.exchange(), expected);
    }
    {
        let permit = machine.heap.try_shared().unwrap();
        let arg = machine
            .realm
            .load_global(&permit.reader::<Checked>(), global("n"));
        machine.vm.start_global(&permit, global("f"), &[arg]);
    }
    assert_eq!(machine.slice(1000).end, SliceEnd::Returned);
    assert_eq!(machine.exchange(), "1");
}

#[test]
fn what_the_engine_does_ends_a_slice() {
    let text = "fn main() {
        print(yield_now())
        print(sleep(7))
        print(collect())
    }";
    let machine = Machine::calling_main(text);
    assert_eq!(machine.slice(100).end, SliceEnd::Yielded);
    let outcome = machine.slice(100);
    assert_eq!(outcome.end, SliceEnd::Sleep { ms: 7 });
    assert_eq!(outcome.printed, ["nil"]);
    let outcome = machine.slice(100);
    assert_eq!(outcome.end, SliceEnd::Collect);
    assert_eq!(outcome.printed, ["nil"]);
    let outcome = machine.slice(100);
    assert_eq!(outcome.end, SliceEnd::Returned);
    assert_eq!(outcome.printed, ["nil"]);
}

#[test]
fn a_spawned_future_comes_from_the_exchange_slot() {
    let text = "fn f(a) { return a }
        fn main() { let f = spawn f([1])
          return await f }";
    let machine = Machine::calling_main(text);
    let outcome = machine.slice(100);
    assert_eq!(outcome.end, SliceEnd::Spawn { detached: false });
    assert_eq!(machine.exchange(), "<future>");
    let holder = gcrucible_heap::Holder::new(&machine.heap, "test", 1);
    let future = &holder.registers()[0];
    {
        let permit = machine.heap.try_shared().unwrap();
        let m = permit.mutator::<Checked>(holder.tlab());
        let call = machine.vm.load_exchange(&m);
        assert_eq!(m.unscheduled_args(call), Some(1));
        m.store(future, m.future(41).unwrap());
        machine.vm.store_exchange(&m, m.load(future));
    }

    // Waiting costs the instruction that waits, each time.
    let before = machine.slice(100);
    assert_eq!(before.end, SliceEnd::Await { future: 41 });
    let position = machine.vm.position();
    let again = machine.slice(100);
    assert_eq!((again.end, again.instructions), (before.end, 1));
    assert_eq!(machine.vm.position(), position);
    assert_eq!(machine.exchange(), "<future>");

    {
        let permit = machine.heap.try_shared().unwrap();
        let m = permit.mutator::<Checked>(holder.tlab());
        let value = m.string("settled").unwrap();
        m.future_settle(
            m.load_root(future),
            gcrucible_heap::FutureState::InternalError,
            value,
        );
    }
    let outcome = machine.slice(100);
    assert_eq!((outcome.end, outcome.instructions), (SliceEnd::Threw, 1));
    assert_eq!(machine.exchange(), "Internal: internal error: settled");
    let permit = machine.heap.try_shared().unwrap();
    let m = permit.mutator::<Checked>(holder.tlab());
    let (_, _, payload) = m.error_parts(machine.vm.load_exchange(&m)).unwrap();
    assert_eq!(m.text(payload), Some("settled"));
}

#[test]
fn a_position_is_that_of_the_next_instruction() {
    let machine = Machine::calling_main("fn main() { return 1 }");
    let main = machine.realm.program().functions.iter();
    let main = main.clone().position(|function| function.name == "main");
    assert_eq!(machine.vm.position(), (0, 0));
    machine.slice(0);
    assert_eq!(machine.vm.position(), (main.unwrap() as u16, 0));
    machine.slice(1);
    assert_eq!(machine.vm.position(), (main.unwrap() as u16, 1));
}

#[test]
#[should_panic(expected = "a slice needs something to run")]
fn a_slice_of_a_machine_that_is_done_is_refused() {
    let machine = Machine::calling_main("fn main() { }");
    assert_eq!(machine.slice(100).end, SliceEnd::Returned);
    machine.slice(100);
}

/// Runs a program one instruction at a time for so many slices, delivers `Cancelled`, and lets
/// it run to its end. What it printed; `None` if it had ended before.
fn printed_with_an_error_after(text: &str, slices: usize) -> Option<Vec<String>> {
    let machine = Machine::calling_main(text);
    let mut printed = Vec::new();
    for _ in 0..slices {
        let outcome = machine.slice(1);
        printed.extend(outcome.printed);
        if outcome.end == SliceEnd::Returned {
            return None;
        }
    }
    let mut outcome = machine.slice_with(1000, Some(ErrorKind::Cancelled), false);
    printed.append(&mut outcome.printed);
    Some(printed)
}

/// A clause that was taken begins by leaving the handlers of those behind it. A slice may end
/// before that. What arrives then goes to one of these, just as if it had arrived right before
/// the throw: of the clauses of a `try` there runs one, wherever slices end.
#[test]
fn one_clause_of_a_try_runs_wherever_an_error_arrives() {
    let text = "fn main() {
        try {
          try { throw \"text\" }
          catch e is string { print(\"string\") }
          catch e is int { print(\"int\") }
          catch e { print(e.kind) }
          finally { print(\"finally\") }
          print(\"behind\")
        } catch e { print(\"outer\") }
    }";
    let ends = (0..).map_while(|slices| printed_with_an_error_after(text, slices));
    let mut ends: Vec<String> = ends.map(|printed| printed.join(" ")).collect();
    let all = ends.len();
    ends.dedup();
    assert_eq!(
        ends,
        [
            // Before the outer `try`, in it, and when the inner one has but its `finally`.
            "",
            "outer",
            "finally outer",
            // In the inner one, and while the handlers behind the taken clause are left.
            "Cancelled finally behind",
            // In the clause.
            "finally outer",
            "string finally outer",
            // In its `finally`, behind it, and behind the outer `try`.
            "string outer",
            "string finally outer",
            "string finally behind outer",
            "string finally behind",
        ]
    );
    assert!(all > 12, "{all}");
}

#[test]
fn work_is_charged_by_size_and_counts_as_no_instruction() {
    let text = "
        fn main() {
          let s = \"ab\".repeat(2000)
          for i in 0..10 { s.has(\"x\") }
          return s.len()
        }
    ";
    let whole = Machine::calling_main(text).slice(100_000);
    assert_eq!(whole.end, SliceEnd::Returned);
    assert!(whole.charged > 100, "{whole:?}");
    // What is left when work took the fuel is for the next slice, and nothing is lost.
    let machine = Machine::calling_main(text);
    let (mut instructions, mut shortened) = (0, 0);
    loop {
        let outcome = machine.slice(20);
        instructions += outcome.instructions;
        assert!(outcome.instructions + outcome.charged <= 20);
        match outcome.end {
            SliceEnd::Fuel => shortened += u32::from(outcome.instructions < 20),
            end => {
                assert_eq!(end, SliceEnd::Returned);
                break;
            }
        }
    }
    assert_eq!(instructions, whole.instructions);
    assert!(shortened >= 10);
    assert_eq!(machine.exchange(), "4000");
}
