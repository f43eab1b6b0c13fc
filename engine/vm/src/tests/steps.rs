//! Steps: budgets and boundaries.

use gcrucible_bytecode::{Boundary, Builtin, Op};

use super::machine::{Assembly, Machine};
use crate::{SliceEnd, SliceInput};

const EXHAUSTED: &str = "StepExhausted: the budget of the step is spent";
const RETURN: Op = Op::Return { src: 0 };

/// Calls function 2 as step 0 and returns an array of its result.
fn main_with_step() -> Vec<Op> {
    vec![
        Op::LoadFunction {
            dst: 0,
            function: 2,
        },
        Op::CallStep { base: 0, step: 0 },
        Op::NewArray {
            dst: 0,
            first: 0,
            count: 1,
        },
        RETURN,
    ]
}

fn endless() -> Vec<Op> {
    vec![Op::LoadNil { dst: 0 }, Op::Loop { target: 0 }]
}

/// A step over `body`, with at most 5 instructions.
fn limited(boundary: Boundary, body: Vec<Op>) -> Assembly {
    let mut assembly = Assembly::new(main_with_step());
    assembly.step("work", boundary).instructions = Some(5);
    assembly.function("body", 0, body);
    assembly
}

/// Runs in slices of so much fuel: the last outcome, and instructions and skipped steps of
/// all.
fn run(machine: &Machine, fuel: u32) -> (crate::SliceOutcome, u32, u32) {
    let (mut instructions, mut skipped) = (0, 0);
    loop {
        let outcome = machine.run(SliceInput::with_fuel(fuel));
        instructions += outcome.instructions;
        skipped += outcome.skipped_steps;
        if outcome.end != SliceEnd::Fuel {
            return (outcome, instructions, skipped);
        }
    }
}

#[test]
fn a_spent_budget_goes_as_the_boundary_says() {
    for fuel in [1, 2, 3, 1000] {
        let machine = Machine::assembled(limited(Boundary::Continue, endless()));
        let (outcome, instructions, skipped) = run(&machine, fuel);
        assert_eq!((outcome.end, skipped), (SliceEnd::Returned, 1));
        assert_eq!(instructions, 2 + 5 + 2);
        assert_eq!(machine.exchange(), "[nil]");

        let machine = Machine::assembled(limited(Boundary::Fail, endless()));
        let (outcome, instructions, _) = run(&machine, fuel);
        assert_eq!((outcome.end, instructions), (SliceEnd::Threw, 2 + 5));
        assert_eq!(machine.exchange(), EXHAUSTED);
        assert_eq!(outcome.trace, [(2, 1), (1, 1)]);

        let machine = Machine::assembled(limited(Boundary::Escalate, endless()));
        let (outcome, _, _) = run(&machine, fuel);
        assert_eq!((outcome.end, outcome.thrown), (SliceEnd::Threw, 2));
        assert_eq!(machine.exchange(), "StepEscalated: step work in main");
        assert_eq!(outcome.trace, [(2, 1), (1, 1)]);
    }
}

#[test]
fn a_budget_that_is_just_enough_is_not_spent() {
    for (extra, expected) in [(3, "[nil]"), (4, "[7]"), (5, "[nil]")] {
        let mut body = vec![Op::LoadInt { dst: 0, value: 7 }; extra];
        body.push(RETURN);
        let machine = Machine::assembled(limited(Boundary::Continue, body));
        let (_, _, skipped) = run(&machine, 1000);
        let expected = if extra < 5 { "[7]" } else { expected };
        assert_eq!(machine.exchange(), expected, "{extra}");
        assert_eq!(skipped, u32::from(extra == 5));
    }
}

#[test]
fn what_a_step_calls_counts_and_can_catch() {
    let mut assembly = limited(
        Boundary::Continue,
        vec![
            Op::LoadFunction {
                dst: 0,
                function: 3,
            },
            Op::Call { base: 0, argc: 0 },
            RETURN,
        ],
    );
    // The callee catches what is thrown in it and returns it: an ordinary throw.
    assembly.function(
        "callee",
        0,
        vec![
            Op::PushCatch { dst: 0, target: 2 },
            Op::Loop { target: 1 },
            RETURN,
        ],
    );
    let machine = Machine::assembled(assembly);
    let (outcome, _, skipped) = run(&machine, 1000);
    assert_eq!((outcome.end, skipped), (SliceEnd::Returned, 0));
    assert_eq!(machine.exchange(), format!("[{EXHAUSTED}]"));
    assert_eq!(outcome.caught, 1);
}

#[test]
fn a_step_counts_its_calls() {
    let call = [
        Op::LoadFunction {
            dst: 0,
            function: 3,
        },
        Op::Call { base: 0, argc: 0 },
    ];
    for (calls, skipped_steps) in [(2, 0), (1, 1)] {
        let body = [&call[..], &call[..], &[RETURN]].concat();
        let mut assembly = Assembly::new(main_with_step());
        assembly.step("calls", Boundary::Continue).calls = Some(calls);
        assembly.function("body", 0, body);
        assembly.function("callee", 0, vec![RETURN]);
        let machine = Machine::assembled(assembly);
        let (outcome, _, skipped) = run(&machine, 1000);
        assert_eq!((outcome.end, skipped), (SliceEnd::Returned, skipped_steps));
    }
}

#[test]
fn a_step_has_its_time() {
    let yields = Op::CallBuiltin {
        base: 0,
        builtin: Builtin::YieldNow,
        argc: 0,
    };
    let mut assembly = Assembly::new(main_with_step());
    assembly.step("slow", Boundary::Escalate).time_ms = Some(10);
    assembly.function("body", 0, vec![yields, RETURN]);
    let machine = Machine::assembled(assembly);
    assert_eq!(machine.at(0).end, SliceEnd::Yielded);
    assert_eq!(machine.vm.deadline(), Some(10));
    assert_eq!(machine.vm.inheritable_deadline(), None);
    assert_eq!(machine.at(10).end, SliceEnd::Threw);
    assert_eq!(machine.exchange(), "StepEscalated: step slow in main");
}

#[test]
fn finally_runs_before_the_boundary() {
    let body = vec![
        Op::PushFinally { target: 2 },
        Op::Loop { target: 1 },
        Op::LoadInt { dst: 0, value: 1 },
        Op::CallBuiltin {
            base: 0,
            builtin: Builtin::Print,
            argc: 1,
        },
        Op::EndFinally,
    ];
    let machine = Machine::assembled(limited(Boundary::Escalate, body));
    let (outcome, _, _) = run(&machine, 1000);
    assert_eq!(outcome.printed, ["1"]);
    assert_eq!(machine.exchange(), "StepEscalated: step work in main");
    assert_eq!(outcome.trace, [(2, 1), (1, 1)]);
}
