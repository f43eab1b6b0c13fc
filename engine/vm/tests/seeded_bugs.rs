//! Each seeded bug of this crate makes a difference that can be seen. One test, because
//! the switch is one for the whole process.
#![cfg(feature = "seeded-bugs")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use gcrucible_bytecode::ErrorKind;
use gcrucible_frontend::{Source, compile};
use gcrucible_heap::{Checked, CollectionKind, Heap, HeapConfig, HeapDebug};
use gcrucible_platform::seeded_bugs::{self, Bug};
use gcrucible_vm::{Realm, SliceEnd, SliceInput, SliceOutcome, Vm, display};

/// Milliseconds that a `yield_now()` takes.
const YIELD_MS: u64 = 300;

/// Slices after which a program is taken to be endless.
const SLICES_MAX: u32 = 10_000;

/// A bug and a program that shows it.
struct Case {
    bug: Bug,
    text: &'static str,
    /// What it prints and how it ends, without the bug.
    expected: &'static [&'static str],
    fuel: u32,
    /// What the engine delivers, or signals, at the first `yield_now()`.
    deliver: Option<ErrorKind>,
    signal: Option<&'static str>,
}

impl Case {
    fn new(bug: Bug, text: &'static str, expected: &'static [&'static str]) -> Self {
        Case {
            bug,
            text,
            expected,
            fuel: 1000,
            deliver: None,
            signal: None,
        }
    }
}

/// Runs a program's top level, then its functions `first` and `second`. What that printed and
/// how it ended, or what the verifier found in a collection.
fn run(case: &Case) -> Result<Vec<String>, String> {
    let source = Source {
        path: "main.crux".into(),
        text: case.text.to_owned(),
    };
    let program = compile(&source).unwrap_or_else(|errors| panic!("{errors}"));
    let debug: HeapDebug = "zombie,verify=full".parse().expect("well formed");
    let heap = Heap::new(HeapConfig::tiny(), debug).expect("there is address space");
    let permit = heap.try_shared().expect("nobody else has a permit");
    let realm = Realm::load(&permit, Arc::new(program)).expect("it loads");
    drop(permit);
    let mut world = World {
        case,
        heap,
        realm,
        now_ms: 0,
        slices: 0,
        lines: Vec::new(),
    };
    world.call(|vm| vm.start_init())?;
    for name in ["first", "second"] {
        let realm = Arc::clone(&world.realm);
        if let Some(function) = realm.program().entry_export(name) {
            let heap = Arc::clone(&world.heap);
            world.call(|vm| {
                let permit = heap.try_shared().expect("nobody collects");
                vm.start_global(&permit, function, &[]);
            })?;
        }
    }
    Ok(world.lines)
}

struct World<'c> {
    case: &'c Case,
    heap: Arc<Heap>,
    realm: Arc<Realm>,
    now_ms: u64,
    slices: u32,
    lines: Vec<String>,
}

impl World<'_> {
    fn call(&mut self, start: impl FnOnce(&Vm)) -> Result<(), String> {
        let vm = Vm::new(&self.heap, Arc::clone(&self.realm), 0);
        start(&vm);
        let (mut deliver, mut interrupt) = (None, None);
        let mut has_yielded = false;
        let mut operation_over = false;
        loop {
            self.slices += 1;
            if self.slices > SLICES_MAX {
                return Err("it does not end".to_owned());
            }
            let input = SliceInput {
                fuel: self.case.fuel,
                deliver,
                now_ms: self.now_ms,
                interrupt: interrupt.take(),
                operation_over: std::mem::take(&mut operation_over),
                ..SliceInput::default()
            };
            let outcome = {
                let permit = self.heap.try_shared().expect("nobody collects");
                vm.run_slice::<Checked>(&permit, input)
            };
            deliver = deliver.filter(|_| !outcome.delivered);
            self.lines.extend(outcome.printed.iter().cloned());
            match outcome.end {
                SliceEnd::Fuel => {}
                SliceEnd::Collect => self.collect(CollectionKind::Major)?,
                SliceEnd::NeedsMemory { .. } => self.collect(CollectionKind::Minor)?,
                SliceEnd::Yielded => {
                    self.now_ms += YIELD_MS;
                    if !std::mem::replace(&mut has_yielded, true) {
                        deliver = self.case.deliver;
                        interrupt = self.case.signal.map(str::to_owned);
                    }
                }
                SliceEnd::Sleep { ms } => {
                    self.now_ms += ms;
                    operation_over = true;
                }
                SliceEnd::Returned | SliceEnd::Threw => {
                    let end = self.end(&vm, &outcome);
                    self.lines.push(end);
                    return Ok(());
                }
                end => return Err(format!("it ends a slice with {end:?}")),
            }
        }
    }

    fn collect(&self, kind: CollectionKind) -> Result<(), String> {
        let mut permit = self.heap.try_exclusive().expect("nobody has a permit");
        let report = permit.collect(kind);
        match report.violations.first() {
            Some(violation) => Err(format!("{violation:?}")),
            None => Ok(()),
        }
    }

    /// How a call ended: with which value, and for one that threw, in which functions.
    fn end(&self, vm: &Vm, outcome: &SliceOutcome) -> String {
        let permit = self.heap.try_shared().expect("nobody collects");
        let m = permit.reader::<Checked>();
        let program = self.realm.program();
        let value = display(&m, program, vm.load_exchange(&m));
        if outcome.end == SliceEnd::Returned {
            return format!("= {value}");
        }
        let frames = outcome.trace.iter();
        let names: Vec<_> = frames
            .map(|(function, _)| program.functions[usize::from(*function)].name.as_str())
            .collect();
        format!("! {value} in {}", names.join(" "))
    }
}

fn cases() -> Vec<Case> {
    let roots = [
        Case::new(
            Bug::B08,
            "let a = [1]
             collect()
             print(a)",
            &["[1]", "= nil"],
        ),
        Case::new(
            Bug::B13,
            "fn pair(a, b) { return [a, b] }
             fn collected() { collect()
               return 1 }
             print(pair([5], collected()))",
            &["[[5], 1]", "= nil"],
        ),
        Case::new(
            Bug::B14,
            "fn f() { try { return [6] } finally { collect() } }
             print(f())",
            &["[6]", "= nil"],
        ),
        Case::new(
            Bug::B15,
            "for x in [1, 2] { collect()
               print(x) }",
            &["1", "2", "= nil"],
        ),
        Case::new(
            Bug::B34,
            "fn same(x) { collect()
               return x }
             print([1, 2].map(same))",
            &["[1, 2]", "= nil"],
        ),
    ];
    let precise_roots = [
        Case::new(
            Bug::B160a,
            "fn f(v) {
               try { collect()
                 throw 1 } catch e { print(v) } }
             f([7])",
            &["[7]", "= nil"],
        ),
        Case::new(
            Bug::B160b,
            "fn f(v) {
               try { print(1) } finally { collect() }
               print(v) }
             f([8])",
            &["1", "[8]", "= nil"],
        ),
    ];
    let unwinding = [
        Case::new(
            Bug::B80,
            "let m = mutex()
             try { sync m { throw 1 } } catch e { }
             sync m { print(2) }",
            &["2", "= nil"],
        ),
        Case::new(
            Bug::B81,
            "fn f() { deadline 5ms { throw 1 } }
             try { f() } catch e { }
             sleep(10)
             print(2)",
            &["2", "= nil"],
        ),
        Case::new(
            Bug::B82,
            "for x in [1, 2] {
               try { for y in [7, 8, 9] { throw y } } catch e { print(x, e) }
             }",
            &["1 7", "2 7", "= nil"],
        ),
        Case::new(
            Bug::B83,
            "fn f() { try { return 1 } catch e { print(3) } }
             f()
             print(0)
             throw 2",
            &["0", "! 2 in <module>"],
        ),
        Case::new(
            Bug::B84,
            "try { throw 5 } catch e is string { print(1) } catch e { print(2) }",
            &["2", "= nil"],
        ),
        Case {
            deliver: Some(ErrorKind::Cancelled),
            ..Case::new(
                Bug::B85,
                "try { try { yield_now() } finally { print(1) } } catch e { print(e.kind) }",
                &["1", "Cancelled", "= nil"],
            )
        },
        Case::new(
            Bug::B90,
            "fn f() { deadline 5ms { return 1 } }
             f()
             sleep(10)
             print(2)",
            &["2", "= nil"],
        ),
        Case::new(
            Bug::B91,
            "try { deadline 5ms { throw 1 } } catch e { }
             sleep(10)
             print(2)",
            &["2", "= nil"],
        ),
        Case::new(
            Bug::B95a,
            "fn f() { throw 1 }
             f()",
            &["! 1 in f <module>"],
        ),
        Case::new(
            Bug::B95b,
            "fn f() { throw 1 }
             try { f() } catch e { }
             throw 2",
            &["! 2 in <module>"],
        ),
    ];
    let runs = [
        Case {
            fuel: 1,
            ..Case::new(
                Bug::B73,
                "print(step \"s\" (instructions: 9, boundary: continue) { while true { } })",
                &["nil", "= nil"],
            )
        },
        Case::new(
            Bug::B86,
            "fn first() {
               on_finish(|value| value + 1)
               return 1
             }",
            &["= nil", "= 2"],
        ),
        Case::new(
            Bug::B87,
            "fn first() {
               on_finish(|value| print(value))
               throw 1
             }
             fn second() { return 2 }",
            &["= nil", "! 1 in first", "= 2"],
        ),
        Case::new(
            Bug::B88,
            "fn endless() { while true { } }
             print(step \"s\" (instructions: 50, boundary: continue) { endless()
               return 5 })",
            &["nil", "= nil"],
        ),
        Case {
            signal: Some("term"),
            ..Case::new(
                Bug::B89,
                "fn first() {
                   on_interrupt(\"term\", || { while true { yield_now() } })
                   yield_now()
                   print(2)
                 }",
                &[
                    "= nil",
                    "interrupt handler failed: HandlerTimeout: an interrupt handler overran its time",
                    "2",
                    "= nil",
                ],
            )
        },
    ];
    let roots = roots.into_iter().chain(precise_roots);
    roots.chain(unwinding).chain(runs).collect()
}

#[test]
fn each_seeded_bug_is_seen() {
    for case in cases() {
        let id = case.bug.id();
        let expected: Vec<String> = case
            .expected
            .iter()
            .map(|line| (*line).to_owned())
            .collect();
        seeded_bugs::activate(None);
        assert_eq!(run(&case), Ok(expected.clone()), "without {id}");
        seeded_bugs::activate(Some(case.bug));
        // Some of them make the machine run into its own checks.
        let seen = catch_unwind(AssertUnwindSafe(|| run(&case)));
        assert!(
            !matches!(seen, Ok(Ok(lines)) if lines == expected),
            "{id} makes no difference"
        );
        let (reached, triggered) = seeded_bugs::counts();
        assert!(reached > 0, "{id} was not reached");
        assert!(triggered > 0, "{id} was not triggered");
        seeded_bugs::activate(None);
    }
}
