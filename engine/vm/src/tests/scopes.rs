//! Guards, deadlines and squads, and what leaves them.

use gcrucible_bytecode::{Builtin, Op};
use gcrucible_heap::FutureState;

use super::machine::{Assembly, Machine};
use crate::SliceEnd;

const YIELD: Op = Op::CallBuiltin {
    base: 7,
    builtin: Builtin::YieldNow,
    argc: 0,
};
const DEADLINE_50: [Op; 2] = [
    Op::LoadInt { dst: 0, value: 50 },
    Op::PushDeadline { src: 0 },
];
const EXCEEDED: &str = "DeadlineExceeded: deadline exceeded";

fn load(function: u16) -> Op {
    Op::LoadFunction { dst: 0, function }
}

fn code(parts: &[&[Op]]) -> Vec<Op> {
    parts.concat()
}

const RETURN: [Op; 1] = [Op::Return { src: 0 }];
const CALL: [Op; 1] = [Op::Call { base: 0, argc: 0 }];

#[test]
fn a_deadline_throws_at_the_start_of_a_slice() {
    let machine = Machine::assembled(Assembly::new(code(&[
        &DEADLINE_50,
        &[YIELD, YIELD, Op::PopScope],
        &RETURN,
    ])));
    assert_eq!(machine.at(100).end, SliceEnd::Yielded);
    assert_eq!(machine.vm.deadline(), Some(150));
    assert_eq!(machine.vm.inheritable_deadline(), Some(150));
    assert_eq!(machine.at(149).end, SliceEnd::Yielded);
    let outcome = machine.at(150);
    assert_eq!((outcome.end, outcome.instructions), (SliceEnd::Threw, 0));
    assert_eq!(machine.exchange(), EXCEEDED);
    assert_eq!(outcome.trace, [(1, 4)]);
    assert_eq!(machine.vm.deadline(), None);
}

#[test]
fn every_way_out_of_a_deadline_disarms_it() {
    let deadline = code(&[&DEADLINE_50, &[YIELD]]);
    let mut in_callee = Assembly::new(code(&[&[load(2)], &CALL, &[YIELD], &RETURN]));
    in_callee.function("returns", 0, code(&[&deadline, &RETURN]));
    let mut by_throw = Assembly::new(vec![
        Op::PushCatch { dst: 0, target: 5 },
        load(2),
        CALL[0],
        Op::PopHandler,
        RETURN[0],
        YIELD,
        RETURN[0],
    ]);
    by_throw.function("throws", 0, code(&[&deadline, &[Op::Throw { src: 0 }]]));
    let in_order = Assembly::new(code(&[&deadline, &[Op::PopScope, YIELD], &RETURN]));
    let same_frame = Assembly::new(vec![
        Op::PushCatch { dst: 0, target: 6 },
        DEADLINE_50[0],
        DEADLINE_50[1],
        YIELD,
        Op::Throw { src: 0 },
        RETURN[0],
        YIELD,
        RETURN[0],
    ]);
    for assembly in [in_callee, by_throw, in_order, same_frame] {
        let machine = Machine::assembled(assembly);
        assert_eq!(machine.at(0).end, SliceEnd::Yielded);
        assert_eq!(machine.vm.deadline(), Some(50));
        assert_eq!(machine.at(10).end, SliceEnd::Yielded);
        assert_eq!(machine.vm.deadline(), None);
        assert_eq!(machine.at(60).end, SliceEnd::Returned);
    }
}

#[test]
fn a_passed_deadline_throws_once_and_then_where_the_task_would_wait() {
    // The catch lies within the deadline; behind it an await, which throws again.
    let machine = Machine::assembled(Assembly::new(code(&[
        &DEADLINE_50,
        &[
            Op::PushCatch { dst: 1, target: 5 },
            YIELD,
            Op::PopHandler,
            YIELD,
            Op::Await { dst: 1, src: 1 },
            Op::PopScope,
        ],
        &RETURN,
    ])));
    assert_eq!(machine.at(0).end, SliceEnd::Yielded);
    let outcome = machine.at(50);
    assert_eq!((outcome.end, outcome.caught), (SliceEnd::Yielded, 1));
    // What comes next is the end of the grace time, when it can be caught inside no more.
    assert_eq!(machine.vm.deadline(), Some(300));
    assert_eq!(machine.vm.inheritable_deadline(), Some(50));
    let outcome = machine.at(51);
    assert_eq!((outcome.end, outcome.instructions), (SliceEnd::Threw, 1));
    assert_eq!(machine.exchange(), EXCEEDED);
}

#[test]
fn an_inherited_deadline_throws_without_a_scope() {
    let machine = Machine::assembled(Assembly::new(vec![YIELD, YIELD, RETURN[0]]));
    let at = |now_ms| crate::SliceInput {
        now_ms,
        inherited_deadline: Some(5),
        ..crate::SliceInput::with_fuel(100)
    };
    assert_eq!(machine.run(at(4)).end, SliceEnd::Yielded);
    assert_eq!(machine.vm.deadline(), Some(5));
    assert_eq!(machine.run(at(6)).end, SliceEnd::Threw);
    assert_eq!(machine.exchange(), EXCEEDED);
}

#[test]
fn what_was_spawned_in_a_deadline_is_cancelled_when_it_throws() {
    let spawn = |op: fn(u8, u8) -> Op| vec![load(2), op(0, 0)];
    let attached = |base, argc| Op::Spawn { base, argc };
    let detached = |base, argc| Op::SpawnDetached { base, argc };
    let mut assembly = Assembly::new(code(&[
        &spawn(attached),
        &DEADLINE_50,
        &spawn(attached),
        &spawn(detached),
        &[YIELD, Op::PopScope],
        &RETURN,
    ]));
    assembly.function("f", 0, RETURN.to_vec());
    let machine = Machine::assembled(assembly);
    for (id, detached) in [(5, false), (6, false), (7, true)] {
        assert_eq!(machine.at(0).end, SliceEnd::Spawn { detached });
        machine.register(id);
    }
    assert_eq!(machine.at(0).end, SliceEnd::Yielded);
    let outcome = machine.at(50);
    assert_eq!((outcome.end, outcome.cancel), (SliceEnd::Threw, vec![6]));
}

const MUTEX: [Op; 1] = [Op::CallBuiltin {
    base: 0,
    builtin: Builtin::Mutex,
    argc: 0,
}];

#[test]
fn every_way_out_of_a_guard_releases_it() {
    let guarded = code(&[&MUTEX, &[Op::PushGuard { src: 0 }, YIELD]]);
    for end in [RETURN[0], Op::Throw { src: 0 }] {
        let machine = Machine::assembled(Assembly::new(code(&[&guarded, &[end]])));
        let outcome = machine.at(0);
        assert_eq!((outcome.end, outcome.changed.len()), (SliceEnd::Yielded, 0));
        assert_eq!(machine.at(0).changed.len(), 1);
    }
    let in_order = code(&[&guarded, &[Op::PopScope, YIELD], &RETURN]);
    let machine = Machine::assembled(Assembly::new(in_order));
    machine.at(0);
    assert_eq!(machine.at(0).changed.len(), 1);
    assert_eq!(machine.at(0).changed.len(), 0);
}

#[test]
fn a_task_that_is_aborted_releases_its_guards() {
    let guarded = code(&[&MUTEX, &[Op::PushGuard { src: 0 }, YIELD], &RETURN]);
    let machine = Machine::assembled(Assembly::new(guarded));
    machine.at(0);
    let permit = machine.heap.try_shared().unwrap();
    let changed = machine.vm.abandon::<gcrucible_heap::Checked>(&permit);
    assert_eq!(changed.len(), 1);
    assert_eq!(machine.vm.position(), (0, 0));
}

#[test]
fn a_mutex_cannot_be_acquired_twice_by_one_task() {
    let guard = [Op::PushGuard { src: 0 }];
    let twice = code(&[&MUTEX, &guard, &guard, &RETURN]);
    let machine = Machine::assembled(Assembly::new(twice));
    let outcome = machine.at(0);
    assert_eq!((outcome.end, outcome.changed.len()), (SliceEnd::Threw, 1));
    assert_eq!(
        machine.exchange(),
        "WouldDeadlock: the task already holds this mutex"
    );
}

/// Spawns two children in a squad, joins, and returns their array; a failure drains.
fn squad() -> Machine {
    let spawn = [
        Op::LoadFunction {
            dst: 1,
            function: 2,
        },
        Op::Spawn { base: 1, argc: 0 },
    ];
    let drain = 11;
    let mut assembly = Assembly::new(code(&[
        &[Op::PushSquad { dst: 0 }, Op::PushFinally { target: drain }],
        &spawn,
        &spawn,
        &[
            Op::JoinSquad { squad: 0 },
            Op::PopHandler,
            Op::PopScope,
            RETURN[0],
            Op::LoadNil { dst: 0 },
            Op::DrainSquad { squad: 0 },
            Op::EndFinally,
        ],
    ]));
    assembly.function("f", 0, RETURN.to_vec());
    let machine = Machine::assembled(assembly);
    for id in [1, 2] {
        assert_eq!(machine.at(0).end, SliceEnd::Spawn { detached: false });
        machine.register(id);
    }
    let outcome = machine.at(0);
    assert_eq!(outcome.end, SliceEnd::AwaitMany { drain: false });
    assert_eq!(outcome.awaited, [2]);
    machine
}

#[test]
fn a_squad_gives_the_values_of_its_children_in_spawn_order() {
    let machine = squad();
    machine.settle(2, FutureState::Ready, 20);
    assert_eq!(machine.at(0).awaited, [1]);
    machine.settle(1, FutureState::Ready, 10);
    let outcome = machine.at(0);
    assert_eq!(outcome.end, SliceEnd::Returned);
    assert_eq!(machine.exchange(), "[10, 20]");
}

#[test]
fn a_squad_throws_what_failed_first_and_outlives_its_children() {
    let machine = squad();
    machine.settle(2, FutureState::Error, 20);
    let outcome = machine.at(0);
    assert_eq!(outcome.end, SliceEnd::AwaitMany { drain: true });
    assert_eq!((outcome.cancel, outcome.awaited), (vec![1], vec![1]));
    assert_eq!(machine.vm.deadline(), None);

    // Neither a cancellation nor a second request comes in between.
    let input = crate::SliceInput {
        deliver: Some(gcrucible_bytecode::ErrorKind::Cancelled),
        cancel_requested: true,
        ..crate::SliceInput::with_fuel(100)
    };
    let outcome = machine.run(input);
    assert!(!outcome.delivered);
    assert_eq!(outcome.end, SliceEnd::AwaitMany { drain: true });
    assert!(outcome.cancel.is_empty());

    machine.settle(1, FutureState::Cancelled, 0);
    assert_eq!(machine.at(0).end, SliceEnd::Threw);
    assert_eq!(machine.exchange(), "20");
}

#[test]
fn of_two_failures_a_squad_throws_the_earlier() {
    let machine = squad();
    machine.settle(2, FutureState::Error, 20);
    machine.settle(1, FutureState::Error, 10);
    assert_eq!(machine.at(0).end, SliceEnd::Threw);
    assert_eq!(machine.exchange(), "20");
}
