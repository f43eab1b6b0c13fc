//! Interrupt handlers, the end of a run, traces.

use gcrucible_bytecode::{Builtin, ErrorKind, Op};

use super::machine::{Assembly, Machine};
use crate::{SliceEnd, SliceInput};

const YIELD: Op = Op::CallBuiltin {
    base: 7,
    builtin: Builtin::YieldNow,
    argc: 0,
};
const RETURN: Op = Op::Return { src: 0 };
const PRINT: Op = Op::CallBuiltin {
    base: 0,
    builtin: Builtin::Print,
    argc: 1,
};

fn sleep(ms: i32) -> [Op; 2] {
    [
        Op::LoadInt { dst: 1, value: ms },
        Op::CallBuiltin {
            base: 1,
            builtin: Builtin::Sleep,
            argc: 1,
        },
    ]
}

/// A program whose interrupt function has this code; the signal is in register 0.
fn interrupted(main: Vec<Op>, handler: Vec<Op>) -> Machine {
    let mut assembly = Assembly::new(main);
    let handler = assembly.function("handler", 1, handler);
    assembly.program.interrupt = Some(handler);
    Machine::assembled(assembly)
}

fn signal(now_ms: u64) -> SliceInput {
    SliceInput {
        now_ms,
        interrupt: Some("term".to_owned()),
        ..SliceInput::with_fuel(100)
    }
}

#[test]
fn a_handler_runs_on_top_of_what_it_interrupts() {
    let main = vec![Op::LoadInt { dst: 0, value: 5 }, YIELD, RETURN];
    let machine = interrupted(main, vec![PRINT, RETURN]);
    assert!(!machine.vm.can_dispatch("term"));
    assert_eq!(machine.at(0).end, SliceEnd::Yielded);
    assert!(machine.vm.can_dispatch("term"));
    let outcome = machine.run(signal(0));
    assert!(outcome.interrupted);
    assert_eq!(outcome.printed, ["term"]);
    assert_eq!(outcome.end, SliceEnd::Returned);
    assert_eq!(machine.exchange(), "5");
}

#[test]
fn no_handler_runs_within_one_of_the_same_signal() {
    let machine = interrupted(vec![YIELD, RETURN], vec![YIELD, RETURN]);
    machine.at(0);
    assert_eq!(machine.run(signal(0)).end, SliceEnd::Yielded);
    assert!(!machine.vm.can_dispatch("term"));
    assert!(machine.vm.can_dispatch("other"));
    let outcome = machine.run(signal(0));
    assert!(!outcome.interrupted);
    assert_eq!(outcome.end, SliceEnd::Returned);
}

#[test]
fn what_a_handler_throws_ends_the_handler_alone() {
    let main = vec![
        Op::PushCatch { dst: 0, target: 4 },
        YIELD,
        Op::PopHandler,
        RETURN,
        PRINT,
        RETURN,
    ];
    let machine = interrupted(main, vec![Op::Throw { src: 0 }]);
    machine.at(0);
    let outcome = machine.run(signal(0));
    assert_eq!(outcome.printed, ["interrupt handler failed: term"]);
    assert_eq!((outcome.thrown, outcome.caught), (1, 0));
    assert_eq!(outcome.end, SliceEnd::Returned);
}

#[test]
fn a_handler_that_overruns_its_time_is_stopped() {
    let machine = interrupted(vec![YIELD, RETURN], vec![YIELD, Op::Loop { target: 0 }]);
    machine.at(0);
    assert_eq!(machine.run(signal(5)).end, SliceEnd::Yielded);
    assert_eq!(machine.vm.deadline(), Some(1005));
    assert_eq!(machine.at(1004).end, SliceEnd::Yielded);
    let outcome = machine.at(1005);
    let line = "interrupt handler failed: \
                HandlerTimeout: an interrupt handler overran its time";
    assert_eq!(outcome.printed, [line]);
    assert_eq!(outcome.end, SliceEnd::Returned);
}

#[test]
fn a_cancellation_is_for_the_frames_below_a_handler() {
    let machine = interrupted(vec![YIELD, RETURN], vec![YIELD, RETURN]);
    machine.at(0);
    machine.run(signal(0));
    let cancelled = SliceInput {
        deliver: Some(ErrorKind::Cancelled),
        ..SliceInput::with_fuel(1)
    };
    let outcome = machine.run(cancelled.clone());
    assert_eq!((outcome.delivered, outcome.end), (false, SliceEnd::Fuel));
    assert_eq!(machine.run(cancelled).end, SliceEnd::Threw);
}

#[test]
fn an_operation_is_not_lost_when_it_is_interrupted() {
    let main = [&sleep(9)[..], &[YIELD, RETURN]].concat();
    let machine = interrupted(main, [&sleep(1)[..], &[RETURN]].concat());
    assert_eq!(machine.at(0).end, SliceEnd::Sleep { ms: 9 });
    assert_eq!(machine.vm.operations(), 1);
    assert_eq!(machine.run(signal(0)).end, SliceEnd::Sleep { ms: 1 });
    assert_eq!(machine.vm.operations(), 2);
    let outcome = machine.at(0);
    assert_eq!((outcome.end, outcome.instructions), (SliceEnd::Resume, 0));
    let over = |fuel| SliceInput {
        operation_over: true,
        ..SliceInput::with_fuel(fuel)
    };
    // The handler's operation is over, then the handler: the other one is not.
    let outcome = machine.run(over(100));
    assert_eq!((outcome.end, outcome.instructions), (SliceEnd::Resume, 1));
    assert_eq!(machine.vm.operations(), 1);
    assert_eq!(machine.run(over(100)).end, SliceEnd::Yielded);
    assert_eq!(machine.vm.operations(), 0);
}

#[test]
fn what_is_thrown_at_an_operation_ends_it() {
    let machine = Machine::assembled(Assembly::new([&sleep(9)[..], &[RETURN]].concat()));
    assert_eq!(machine.at(0).end, SliceEnd::Sleep { ms: 9 });
    let outcome = machine.run(SliceInput {
        deliver: Some(ErrorKind::HostError),
        deliver_message: Some("no such file".to_owned()),
        ..SliceInput::with_fuel(100)
    });
    assert_eq!(outcome.end, SliceEnd::Threw);
    assert_eq!(machine.exchange(), "HostError: no such file");
    assert_eq!(machine.vm.operations(), 0);
}

const LOCALS: Op = Op::CallBuiltin {
    base: 1,
    builtin: Builtin::Locals,
    argc: 0,
};

/// A program whose finish function gives an array of the value.
fn finished(main: Vec<Op>) -> Machine {
    let mut assembly = Assembly::new(main);
    let array = Op::NewArray {
        dst: 0,
        first: 0,
        count: 1,
    };
    let finish = assembly.function("finish", 1, vec![array, RETURN]);
    assembly.program.finish = Some(finish);
    Machine::assembled(assembly)
}

#[test]
fn a_run_with_hooks_ends_with_the_finish_function() {
    let main = vec![LOCALS, Op::LoadInt { dst: 0, value: 3 }, RETURN];
    let machine = finished(main);
    let outcome = machine.at(0);
    assert_eq!((outcome.end, outcome.instructions), (SliceEnd::Returned, 5));
    assert!(outcome.finishing);
    assert_eq!(machine.exchange(), "[3]");
}

#[test]
fn a_run_without_hooks_or_that_fails_ends_without_it() {
    let machine = finished(vec![Op::LoadInt { dst: 0, value: 3 }, RETURN]);
    let outcome = machine.at(0);
    assert!(!outcome.finishing);
    assert_eq!(machine.exchange(), "3");

    let machine = finished(vec![LOCALS, Op::Throw { src: 0 }]);
    assert_eq!(machine.at(0).end, SliceEnd::Threw);
    machine.start_main();
    assert_eq!(machine.at(0).end, SliceEnd::Threw);
}

#[test]
fn a_trace_is_that_of_the_throw() {
    // `thrower` throws through a `finally` of `main`, in which another throw is caught.
    let mut assembly = Assembly::new(vec![
        Op::PushFinally { target: 4 },
        Op::LoadFunction {
            dst: 0,
            function: 2,
        },
        Op::Call { base: 0, argc: 0 },
        RETURN,
        Op::PushCatch { dst: 1, target: 6 },
        Op::Throw { src: 0 },
        Op::EndFinally,
    ]);
    assembly.program.functions[1].code[3] = Op::Throw { src: 0 };
    assembly.function("thrower", 0, vec![YIELD, Op::Throw { src: 0 }]);
    let machine = Machine::assembled(assembly);
    machine.at(0);
    let outcome = machine.at(0);
    assert_eq!(outcome.end, SliceEnd::Threw);
    assert_eq!((outcome.thrown, outcome.caught), (3, 1));
    assert_eq!(outcome.trace, [(2, 1), (1, 2)]);
}
