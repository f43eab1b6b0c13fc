//! Each seeded bug of this crate makes a difference that can be seen. One test, because
//! the switch is one for the whole process.
#![cfg(feature = "seeded-bugs")]

use std::sync::Arc;

use gcrucible_bytecode::ErrorKind;
use gcrucible_frontend::{Source, compile};
use gcrucible_heap::{Checked, CollectionKind, Heap, HeapConfig, HeapDebug};
use gcrucible_platform::seeded_bugs::{self, Bug};
use gcrucible_vm::{LoadedProgram, SliceEnd, SliceInput, Vm};

/// What a run of `text` printed, or what the verifier found in a collection.
fn run(text: &str, deliver_at_yield: Option<ErrorKind>) -> Result<Vec<String>, String> {
    let source = Source {
        path: "main.crux".into(),
        text: text.to_owned(),
    };
    let program = compile(&source).expect("the test program is right");
    let debug: HeapDebug = "zombie,verify=full".parse().expect("well formed");
    let heap = Heap::new(HeapConfig::tiny(), debug).expect("there is address space");
    let permit = heap.try_shared().expect("nobody else has a permit");
    let program = LoadedProgram::load(&heap, &permit, Arc::new(program)).expect("it loads");
    drop(permit);
    let vm = Vm::new(&heap, program, 0);
    vm.start_init();
    let mut printed = Vec::new();
    let mut deliver = None;
    loop {
        let input = SliceInput {
            fuel: 1000,
            deliver: deliver.take(),
            ..SliceInput::default()
        };
        let permit = heap.try_shared().expect("nobody collects");
        let outcome = vm.run_slice::<Checked>(&permit, input);
        drop(permit);
        printed.extend(outcome.printed);
        match outcome.end {
            SliceEnd::Collect => {
                let mut permit = heap.try_exclusive().expect("nobody has a permit");
                let report = heap.collect(&mut permit, CollectionKind::Major);
                if let Some(violation) = report.violations.first() {
                    return Err(format!("{violation:?}"));
                }
            }
            SliceEnd::Yielded => deliver = deliver_at_yield,
            SliceEnd::Returned | SliceEnd::Threw => return Ok(printed),
            end => panic!("the test program has no {end:?}"),
        }
    }
}

#[test]
fn each_seeded_bug_is_seen() {
    let temporaries = "
        fn pair(a, b) { return [a, b] }
        fn collected() { collect()
          return 1 }
        print(pair([5], collected()))";
    let in_flight = "
        fn f() { try { return [6] } finally { collect() } }
        print(f())";
    let cancelled = "
        try { try { yield_now() } finally { print(\"finally\") } } catch e { print(e.kind) }";
    for (bug, text, expected) in [
        (Bug::B13, temporaries, vec!["[[5], 1]"]),
        (Bug::B14, in_flight, vec!["[6]"]),
        (Bug::B85, cancelled, vec!["finally", "Cancelled"]),
    ] {
        let expected: Vec<String> = expected.into_iter().map(String::from).collect();
        let deliver = Some(ErrorKind::Cancelled);
        seeded_bugs::activate(None);
        assert_eq!(
            run(text, deliver),
            Ok(expected.clone()),
            "without {}",
            bug.id()
        );
        seeded_bugs::activate(Some(bug));
        assert_ne!(run(text, deliver), Ok(expected), "with {}", bug.id());
        let (reached, triggered) = seeded_bugs::counts();
        assert!(reached > 0, "{} was not reached", bug.id());
        assert!(triggered > 0, "{} made no difference", bug.id());
        seeded_bugs::activate(None);
    }
}
