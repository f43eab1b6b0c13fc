//! What is called, asked and iterated: methods, types, enums, the protocol of `for`.

use gcrucible_bytecode::{
    Builtin, Class, Enum, ErrorKind, LibraryMethod, Op, Type, ValueKind, Variant,
};

use super::machine::{Assembly, Machine};
use crate::SliceEnd;

const RETURN: Op = Op::Return { src: 0 };

/// What `main` returned or threw, as text.
fn result(assembly: Assembly) -> String {
    let machine = Machine::assembled(assembly);
    let end = machine.at(0).end;
    assert!(
        matches!(end, SliceEnd::Returned | SliceEnd::Threw),
        "{end:?}"
    );
    machine.exchange()
}

fn builtin(base: u8, builtin: Builtin, argc: u8) -> Op {
    Op::CallBuiltin {
        base,
        builtin,
        argc,
    }
}

/// A program with class `Counter { n }` and its methods `add(by)`, function 2, which returns
/// the sum, and `next()`, function 3, which counts down and yields nil at zero.
fn with_class(main: impl Fn(u16, u16) -> Vec<Op>) -> Assembly {
    let mut assembly = Assembly::new(Vec::new());
    let (n, add) = (assembly.text("n"), assembly.text("add"));
    assembly.set_main(main(n, add));
    let field = |dst| Op::GetField {
        dst,
        object: 0,
        name: n,
    };
    let sum = Op::Add {
        dst: 0,
        lhs: 2,
        rhs: 1,
    };
    let add = assembly.function("add", 2, vec![field(2), sum, RETURN]);
    // Zero is truthy: the end is asked for by comparing.
    let next = vec![
        field(1),
        Op::LoadInt { dst: 3, value: 0 },
        Op::Eq {
            dst: 3,
            lhs: 1,
            rhs: 3,
        },
        Op::JumpIfNot { cond: 3, target: 6 },
        Op::LoadNil { dst: 0 },
        RETURN,
        Op::LoadInt { dst: 2, value: 1 },
        Op::Sub {
            dst: 2,
            lhs: 1,
            rhs: 2,
        },
        Op::SetField {
            object: 0,
            name: n,
            src: 2,
        },
        Op::Return { src: 1 },
    ];
    let next = assembly.function("next", 1, next);
    assembly.program.classes.push(Class {
        name: "Counter".to_owned(),
        fields: vec!["n".to_owned()],
        methods: vec![("add".to_owned(), add), ("next".to_owned(), next)],
    });
    assembly
}

const COUNTER_OF_3: [Op; 2] = [
    Op::LoadInt { dst: 0, value: 3 },
    Op::NewInstance {
        dst: 0,
        class: 0,
        first: 0,
    },
];

#[test]
fn a_method_is_called_with_its_receiver() {
    let called = with_class(|_, add| {
        let call = Op::CallMethod {
            base: 0,
            name: add,
            argc: 1,
        };
        let by = Op::LoadInt { dst: 1, value: 4 };
        [&COUNTER_OF_3[..], &[by, call, RETURN]].concat()
    });
    assert_eq!(result(called), "7");
}

#[test]
fn a_bound_method_keeps_its_receiver() {
    let bound = with_class(|_, add| {
        let get = Op::GetField {
            dst: 0,
            object: 0,
            name: add,
        };
        let by = Op::LoadInt { dst: 1, value: 5 };
        let call = Op::Call { base: 0, argc: 1 };
        [&COUNTER_OF_3[..], &[get, by, call, RETURN]].concat()
    });
    assert_eq!(result(bound), "8");
    let shown = with_class(|_, add| {
        let get = Op::GetField {
            dst: 0,
            object: 0,
            name: add,
        };
        [&COUNTER_OF_3[..], &[get, RETURN]].concat()
    });
    assert_eq!(result(shown), "<fn add>");
    let misfit = with_class(|_, add| {
        let get = Op::GetField {
            dst: 0,
            object: 0,
            name: add,
        };
        let call = Op::Call { base: 0, argc: 0 };
        [&COUNTER_OF_3[..], &[get, call, RETURN]].concat()
    });
    assert_eq!(
        result(misfit),
        "WrongArity: wrong number of arguments: `add` takes 1, not 0"
    );
}

/// Goes over what `source` leaves in register 0 and returns an array of what came.
fn collecting(source: &[Op], push: u16) -> Vec<Op> {
    let start = source.len() as u32 + 2;
    let (dst, end) = (3, start + 6);
    [
        source,
        &[
            Op::NewArray {
                dst: 1,
                first: 0,
                count: 0,
            },
            Op::NewIterator { dst: 2, src: 0 },
            Op::NextOrJump {
                dst,
                iterator: 2,
                target: end,
            },
            Op::EndIfNil { dst, target: end },
            Op::Move { dst: 5, src: 3 },
            Op::Move { dst: 4, src: 1 },
            Op::CallMethod {
                base: 4,
                name: push,
                argc: 1,
            },
            Op::Loop { target: start },
            Op::Return { src: 1 },
        ],
    ]
    .concat()
}

#[test]
fn an_instance_with_next_can_be_iterated() {
    let mut assembly = with_class(|_, _| Vec::new());
    let push = assembly.text("push");
    let code = collecting(&COUNTER_OF_3, push);
    assembly.set_main(code);
    assert_eq!(result(assembly), "[3, 2, 1]");
}

#[test]
fn a_channel_is_iterated_until_it_is_closed_and_empty() {
    let mut assembly = Assembly::new(Vec::new());
    let [send, close, push] = ["send", "close", "push"].map(|name| assembly.text(name));
    let sent = |value| {
        let method = |name, argc| Op::CallMethod {
            base: 1,
            name,
            argc,
        };
        vec![
            Op::Move { dst: 1, src: 0 },
            Op::LoadInt { dst: 2, value },
            method(send, 1),
            Op::Move { dst: 1, src: 0 },
        ]
    };
    let close = Op::CallMethod {
        base: 1,
        name: close,
        argc: 0,
    };
    let source = [
        vec![
            Op::LoadInt { dst: 0, value: 2 },
            builtin(0, Builtin::Channel, 1),
        ],
        sent(8),
        sent(9),
        vec![close],
    ];
    let code = collecting(&source.concat(), push);
    assembly.set_main(code);
    assert_eq!(result(assembly), "[8, 9]");
}

#[test]
fn a_full_channel_makes_the_sender_wait() {
    let mut assembly = Assembly::new(Vec::new());
    let send = assembly.text("send");
    let call = [
        Op::Move { dst: 1, src: 0 },
        Op::CallMethod {
            base: 1,
            name: send,
            argc: 1,
        },
    ];
    let code = [
        &[
            Op::LoadInt { dst: 0, value: 1 },
            builtin(0, Builtin::Channel, 1),
        ][..],
        &call,
        &call,
        &[RETURN],
    ]
    .concat();
    assembly.set_main(code);
    let machine = Machine::assembled(assembly);
    let outcome = machine.at(0);
    assert_eq!(outcome.changed.len(), 1);
    let SliceEnd::Wait { object, .. } = outcome.end else {
        panic!("{:?}", outcome.end)
    };
    let changed: Vec<u64> = outcome.changed.iter().map(|change| change.object).collect();
    assert_eq!(changed, [object]);
    assert_eq!(machine.exchange(), "<channel>");
    // Each attempt costs its instruction, and cancellation goes first.
    let again = machine.at(0);
    assert_eq!((again.end, again.instructions), (outcome.end, 1));
    let cancelled = machine.slice_with(10, None, true);
    assert_eq!(cancelled.end, SliceEnd::Threw);
    assert_eq!(machine.exchange(), "Cancelled: cancelled");
}

/// A program with `enum Fault { NotFound, Busy(after) }` and some types.
fn with_enum(main: Vec<Op>) -> Assembly {
    let mut assembly = Assembly::new(main);
    assembly.program.enums.push(Enum {
        name: "Fault".to_owned(),
        first: 0,
        count: 2,
    });
    for (name, arity) in [("NotFound", 0), ("Busy", 1)] {
        assembly.program.variants.push(Variant {
            of: 0,
            name: name.to_owned(),
            arity,
        });
    }
    assembly.program.types = vec![
        Type::Enum(0),
        Type::Variant(1),
        Type::Error(ErrorKind::Overflow),
        Type::Kind(ValueKind::Int),
    ];
    assembly
}

const BUSY_5: [Op; 2] = [
    Op::LoadInt { dst: 0, value: 5 },
    Op::NewVariant {
        dst: 0,
        variant: 1,
        first: 0,
    },
];

#[test]
fn enum_values_have_their_payload() {
    let text = |code: &[Op]| result(with_enum([code, &[RETURN]].concat()));
    assert_eq!(text(&BUSY_5), "Fault.Busy(5)");
    assert_eq!(
        text(&[Op::LoadVariant { dst: 0, variant: 0 }]),
        "Fault.NotFound"
    );
    let part = |index| Op::GetPayload {
        dst: 0,
        src: 0,
        index,
    };
    assert_eq!(text(&[BUSY_5[0], BUSY_5[1], part(0)]), "5");
    let internal = "Internal: internal error";
    assert_eq!(text(&[BUSY_5[0], BUSY_5[1], part(1)]), internal);
    assert_eq!(text(&[BUSY_5[0], part(0)]), internal);
    let type_of = builtin(0, Builtin::TypeOf, 1);
    assert_eq!(text(&[BUSY_5[0], BUSY_5[1], type_of]), "Fault");
}

#[test]
fn types_are_told_apart() {
    let types_of = |code: &[Op]| {
        let asked = (0..4).map(|type_id| Op::Is {
            dst: 1 + type_id as u8,
            src: 0,
            type_id,
        });
        let array = Op::NewArray {
            dst: 0,
            first: 1,
            count: 4,
        };
        let code: Vec<Op> = code
            .iter()
            .copied()
            .chain(asked)
            .chain([array, RETURN])
            .collect();
        result(with_enum(code))
    };
    assert_eq!(types_of(&BUSY_5), "[true, true, false, false]");
    let not_found = Op::LoadVariant { dst: 0, variant: 0 };
    assert_eq!(types_of(&[not_found]), "[true, false, false, false]");
    assert_eq!(types_of(&[BUSY_5[0]]), "[false, false, false, true]");
}

#[test]
fn a_typed_handler_lets_other_values_pass() {
    let handlers = |value: &[Op]| {
        let [outer, inner] = [6, 8].map(|target| target + value.len() as u32);
        let code = [
            &[
                Op::PushCatch {
                    dst: 0,
                    target: outer,
                },
                Op::PushCatchIf {
                    dst: 0,
                    type_id: 0,
                    target: inner,
                },
            ][..],
            value,
            &[
                Op::Throw { src: 0 },
                Op::PopHandler,
                Op::PopHandler,
                RETURN,
                Op::LoadInt { dst: 0, value: 1 },
                RETURN,
                Op::PopHandler,
                Op::LoadInt { dst: 0, value: 2 },
                RETURN,
            ],
        ];
        result(with_enum(code.concat()))
    };
    assert_eq!(handlers(&BUSY_5), "2");
    assert_eq!(handlers(&[BUSY_5[0]]), "1");
}

#[test]
fn methods_of_built_in_kinds_come_from_the_library_too() {
    let mut assembly = Assembly::new(Vec::new());
    let name = assembly.text("pair");
    let code = vec![
        Op::LoadInt { dst: 0, value: 6 },
        Op::CallMethod {
            base: 0,
            name,
            argc: 0,
        },
        RETURN,
    ];
    assembly.set_main(code);
    let twice = vec![
        Op::Move { dst: 1, src: 0 },
        Op::NewArray {
            dst: 0,
            first: 0,
            count: 2,
        },
        RETURN,
    ];
    let function = assembly.function("int.pair", 1, twice);
    assembly.program.library.push(LibraryMethod {
        receiver: ValueKind::Int,
        name: "pair".to_owned(),
        function,
    });
    assert_eq!(result(assembly), "[6, 6]");
}

#[test]
fn a_stream_is_taken_once() {
    let stream = [
        Op::LoadFunction {
            dst: 0,
            function: 0,
        },
        builtin(0, Builtin::NewStream, 1),
        Op::NewIterator { dst: 1, src: 0 },
    ];
    let twice = [&stream[..], &[stream[2], RETURN]].concat();
    assert_eq!(
        result(Assembly::new(twice)),
        "StreamTaken: a stream can be used only once"
    );
}
