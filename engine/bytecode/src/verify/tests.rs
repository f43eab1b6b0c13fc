//! One refused program for each rule, and accepted ones.

use super::*;
use crate::builtin::Builtin;
use crate::program::{Capture, Class, Constant, Global, Module, SourceSpan};

fn function(code: Vec<Op>) -> Function {
    Function {
        name: "f".into(),
        module: 0,
        arity: 0,
        locals: 1,
        registers: 4,
        captures: Vec::new(),
        spans: vec![SourceSpan::default(); code.len()],
        code,
    }
}

/// A program whose initialiser runs `code` with registers 0 to 3. Function 1 captures
/// two cells, function 2 none; constant 0 is an int, constant 1 a string; class 0 has
/// two fields; there is one global.
fn program(code: Vec<Op>) -> Program {
    let mut capturing = function(vec![Op::Return { src: 0 }]);
    capturing.captures = vec![Capture::Register(3), Capture::Register(0)];
    Program {
        modules: vec![Module {
            path: "m".into(),
            init: 0,
            exports: vec![("g".into(), 0)],
        }],
        functions: vec![
            function(code),
            capturing,
            function(vec![Op::Return { src: 0 }]),
        ],
        constants: vec![Constant::Int(1 << 40), Constant::String("name".into())],
        classes: vec![Class {
            name: "C".into(),
            fields: vec!["a".into(), "b".into()],
        }],
        globals: vec![Global {
            name: "g".into(),
            module: 0,
        }],
    }
}

const END: Op = Op::Return { src: 0 };

fn valid() -> Program {
    program(vec![END])
}

/// The first rule that `program` breaks.
fn rule(program: &Program) -> Rule {
    verify(program).expect_err("must be refused")[0].rule
}

/// The rule that `op`, followed by a return, breaks at instruction 0.
fn op_rule(op: Op) -> Rule {
    let errors = verify(&program(vec![op, END])).expect_err("must be refused");
    assert_eq!(
        (errors[0].function, errors[0].instruction),
        (Some(0), Some(0)),
        "{op:?}"
    );
    errors[0].rule
}

fn code_rule(code: Vec<Op>) -> (usize, Rule) {
    let errors = verify(&program(code)).expect_err("must be refused");
    (
        errors[0].instruction.expect("a rule of an instruction"),
        errors[0].rule,
    )
}

#[test]
fn every_kind_of_instruction_is_accepted() {
    let code = vec![
        Op::Move { dst: 0, src: 3 },
        Op::LoadNil { dst: 3 },
        Op::LoadBool {
            dst: 3,
            value: true,
        },
        Op::LoadInt { dst: 3, value: -1 },
        Op::LoadConst {
            dst: 3,
            constant: 0,
        },
        Op::LoadFunction {
            dst: 3,
            function: 2,
        },
        Op::LoadGlobal { dst: 3, global: 0 },
        Op::StoreGlobal { global: 0, src: 3 },
        Op::Add {
            dst: 1,
            lhs: 2,
            rhs: 3,
        },
        Op::Not { dst: 1, src: 3 },
        Op::Concat {
            dst: 3,
            first: 0,
            count: 4,
        },
        Op::NewArray {
            dst: 0,
            first: 4,
            count: 0,
        },
        Op::NewMap {
            dst: 0,
            first: 0,
            pairs: 2,
        },
        Op::NewInstance {
            dst: 0,
            class: 0,
            first: 2,
        },
        Op::NewClosure {
            dst: 0,
            function: 1,
        },
        Op::NewRange { dst: 0, first: 2 },
        Op::NewCell { dst: 0, src: 0 },
        Op::LoadCell { dst: 0, cell: 3 },
        Op::StoreCell { cell: 3, src: 0 },
        Op::GetField {
            dst: 0,
            object: 1,
            name: 1,
        },
        Op::SetIndex {
            object: 0,
            index: 1,
            src: 3,
        },
        Op::NewIterator { dst: 1, src: 0 },
        Op::NextOrJump {
            dst: 2,
            iterator: 1,
            target: 24,
        },
        Op::Loop { target: 22 },
        Op::Call { base: 1, argc: 2 },
        Op::CallMethod {
            base: 3,
            name: 1,
            argc: 0,
        },
        Op::CallBuiltin {
            base: 0,
            builtin: Builtin::Print,
            argc: 4,
        },
        Op::Spawn { base: 0, argc: 3 },
        Op::Await { dst: 0, src: 0 },
        Op::Cancel { src: 0 },
        END,
    ];
    assert_eq!(verify(&program(code)), Ok(()));
}

#[test]
fn return_through_catch_and_finally_is_accepted() {
    let code = vec![
        Op::PushFinally { target: 8 },
        Op::PushCatch { dst: 1, target: 5 },
        Op::PopHandler,
        Op::PopHandler,
        Op::Jump { target: 6 },
        // The handler of the catch is gone here, that of the finally is not.
        Op::PopHandler,
        Op::EnterFinallyWith {
            value: 2,
            target: 8,
        },
        Op::Return { src: 2 },
        // The finally block, left by a throw of its own handler or by its end.
        Op::PushCatch { dst: 1, target: 11 },
        Op::PopHandler,
        Op::EndFinally,
        Op::DropCompletion,
        END,
    ];
    assert_eq!(verify(&program(code)), Ok(()));
}

#[test]
fn tables_are_checked() {
    assert_eq!(rule(&Program::default()), Rule::NoModules);

    let mut p = valid();
    p.constants = vec![Constant::Int(0); 65537];
    assert_eq!(rule(&p), Rule::TooManyItems(65537));

    let mut p = valid();
    p.modules[0].init = 3;
    assert_eq!(rule(&p), Rule::InitIndex(3));
    p.modules[0].init = 1;
    assert_eq!(rule(&p), Rule::InitSignature(1));
    p.modules[0].init = 2;
    p.functions[2].arity = 1;
    assert_eq!(rule(&p), Rule::InitSignature(2));

    let mut p = valid();
    p.modules.push(Module {
        path: "n".into(),
        init: 0,
        exports: Vec::new(),
    });
    assert_eq!(rule(&p), Rule::InitModule(0));

    let mut p = valid();
    p.modules[0].exports.push(("f".into(), 0));
    assert_eq!(rule(&p), Rule::ExportOrder(1));
    p.modules[0].exports = vec![("f".into(), 1)];
    assert_eq!(rule(&p), Rule::ExportGlobal(1));

    let mut p = valid();
    p.globals.push(Global {
        name: "h".into(),
        module: 1,
    });
    assert_eq!(rule(&p), Rule::GlobalModule(1));

    let mut p = valid();
    p.classes[0].fields[1] = "a".into();
    assert_eq!(rule(&p), Rule::DuplicateField(1));
    p.classes[0].fields = (0..256).map(|n| n.to_string()).collect();
    assert_eq!(rule(&p), Rule::TooManyFields(256));
}

#[test]
fn function_headers_are_checked() {
    let broken = |change: fn(&mut Function)| {
        let mut p = valid();
        change(&mut p.functions[2]);
        let errors = verify(&p).expect_err("must be refused");
        assert_eq!(errors[0].function, Some(2));
        errors[0].rule
    };
    assert_eq!(broken(|f| f.module = 1), Rule::FunctionModule(1));
    assert_eq!(broken(|f| f.arity = 2), Rule::ArityAboveLocals(2));
    assert_eq!(broken(|f| f.locals = 5), Rule::LocalsAboveRegisters(5));
    assert_eq!(
        broken(|f| f.captures = vec![Capture::Outer(0); 256]),
        Rule::TooManyCaptures(256)
    );
    assert_eq!(broken(|f| f.spans.clear()), Rule::SpanCount(0));
    assert_eq!(
        broken(|f| {
            f.code.clear();
            f.spans.clear();
        }),
        Rule::EmptyCode
    );
    assert_eq!(
        broken(|f| f.code[0] = Op::LoadNil { dst: 0 }),
        Rule::FallsThrough
    );
    assert_eq!(
        broken(|f| f.code[0] = Op::JumpIf { cond: 0, target: 0 }),
        Rule::FallsThrough
    );
    assert_eq!(
        broken(|f| f.code[0] = Op::EnterFinally { target: 0 }),
        Rule::FallsThrough
    );
    assert_eq!(
        broken(|f| {
            f.code = vec![END; MAX_CODE + 1];
            f.spans = vec![SourceSpan::default(); MAX_CODE + 1];
        }),
        Rule::CodeTooLong(MAX_CODE + 1)
    );
}

#[test]
fn registers_lie_within_the_frame() {
    for op in [
        Op::Move { dst: 4, src: 0 },
        Op::Move { dst: 0, src: 4 },
        Op::LoadNil { dst: 4 },
        Op::LoadBool {
            dst: 4,
            value: false,
        },
        Op::LoadInt { dst: 4, value: 0 },
        Op::LoadConst {
            dst: 4,
            constant: 0,
        },
        Op::LoadFunction {
            dst: 4,
            function: 2,
        },
        Op::LoadGlobal { dst: 4, global: 0 },
        Op::StoreGlobal { global: 0, src: 4 },
        Op::Add {
            dst: 4,
            lhs: 0,
            rhs: 0,
        },
        Op::Sub {
            dst: 0,
            lhs: 4,
            rhs: 0,
        },
        Op::Le {
            dst: 0,
            lhs: 0,
            rhs: 4,
        },
        Op::Neg { dst: 4, src: 0 },
        Op::Not { dst: 0, src: 4 },
        Op::Concat {
            dst: 4,
            first: 0,
            count: 1,
        },
        Op::NewArray {
            dst: 4,
            first: 0,
            count: 0,
        },
        Op::NewMap {
            dst: 4,
            first: 0,
            pairs: 0,
        },
        Op::NewInstance {
            dst: 4,
            class: 0,
            first: 0,
        },
        Op::NewClosure {
            dst: 4,
            function: 1,
        },
        Op::NewRange { dst: 4, first: 0 },
        Op::NewCell { dst: 4, src: 0 },
        Op::LoadCell { dst: 0, cell: 4 },
        Op::StoreCell { cell: 0, src: 4 },
        Op::LoadCapture { dst: 4, index: 0 },
        Op::StoreCapture { index: 0, src: 4 },
        Op::GetField {
            dst: 0,
            object: 4,
            name: 1,
        },
        Op::SetField {
            object: 0,
            name: 1,
            src: 4,
        },
        Op::GetIndex {
            dst: 0,
            object: 0,
            index: 4,
        },
        Op::SetIndex {
            object: 4,
            index: 0,
            src: 0,
        },
        Op::NewIterator { dst: 4, src: 0 },
        Op::NextOrJump {
            dst: 4,
            iterator: 0,
            target: 0,
        },
        Op::NextOrJump {
            dst: 0,
            iterator: 4,
            target: 0,
        },
        Op::JumpIf { cond: 4, target: 0 },
        Op::JumpIfNot { cond: 4, target: 0 },
        Op::Return { src: 4 },
        Op::Throw { src: 4 },
        Op::PushCatch { dst: 4, target: 1 },
        Op::EnterFinallyWith {
            value: 4,
            target: 1,
        },
        Op::Await { dst: 0, src: 4 },
        Op::Cancel { src: 4 },
    ] {
        assert_eq!(op_rule(op), Rule::Register(4), "{op:?}");
    }
}

#[test]
fn ranges_of_registers_lie_within_the_frame() {
    for op in [
        Op::Concat {
            dst: 0,
            first: 2,
            count: 3,
        },
        Op::NewArray {
            dst: 0,
            first: 5,
            count: 0,
        },
        Op::NewMap {
            dst: 0,
            first: 1,
            pairs: 2,
        },
        Op::NewInstance {
            dst: 0,
            class: 0,
            first: 3,
        },
        Op::NewRange { dst: 0, first: 3 },
        Op::Call { base: 4, argc: 0 },
        Op::Call { base: 1, argc: 3 },
        Op::CallMethod {
            base: 3,
            name: 1,
            argc: 1,
        },
        Op::CallBuiltin {
            base: 4,
            builtin: Builtin::Collect,
            argc: 0,
        },
        Op::CallBuiltin {
            base: 3,
            builtin: Builtin::Assert,
            argc: 2,
        },
        Op::Spawn { base: 0, argc: 4 },
    ] {
        assert_eq!(op_rule(op), Rule::Register(5), "{op:?}");
    }
    assert_eq!(
        op_rule(Op::NewMap {
            dst: 0,
            first: 255,
            pairs: 255
        }),
        Rule::Register(765)
    );
}

#[test]
fn indexes_exist_and_have_the_right_kind() {
    assert_eq!(
        op_rule(Op::LoadConst {
            dst: 0,
            constant: 2
        }),
        Rule::ConstantIndex(2)
    );
    assert_eq!(
        op_rule(Op::GetField {
            dst: 0,
            object: 0,
            name: 2
        }),
        Rule::ConstantIndex(2)
    );
    assert_eq!(
        op_rule(Op::SetField {
            object: 0,
            name: 0,
            src: 0
        }),
        Rule::NameNotString(0)
    );
    assert_eq!(
        op_rule(Op::CallMethod {
            base: 0,
            name: 0,
            argc: 0
        }),
        Rule::NameNotString(0)
    );
    assert_eq!(
        op_rule(Op::LoadGlobal { dst: 0, global: 1 }),
        Rule::GlobalIndex(1)
    );
    assert_eq!(
        op_rule(Op::StoreGlobal { global: 1, src: 0 }),
        Rule::GlobalIndex(1)
    );
    assert_eq!(
        op_rule(Op::LoadFunction {
            dst: 0,
            function: 3
        }),
        Rule::FunctionIndex(3)
    );
    assert_eq!(
        op_rule(Op::LoadFunction {
            dst: 0,
            function: 1
        }),
        Rule::FunctionCaptures(1)
    );
    assert_eq!(
        op_rule(Op::NewClosure {
            dst: 0,
            function: 3
        }),
        Rule::FunctionIndex(3)
    );
    assert_eq!(
        op_rule(Op::NewInstance {
            dst: 0,
            class: 1,
            first: 0
        }),
        Rule::ClassIndex(1)
    );
    assert_eq!(
        op_rule(Op::LoadCapture { dst: 0, index: 0 }),
        Rule::CaptureIndex(0)
    );
    assert_eq!(
        op_rule(Op::StoreCapture { index: 0, src: 0 }),
        Rule::CaptureIndex(0)
    );
}

#[test]
fn captures_exist_where_the_closure_is_made() {
    let mut p = program(vec![
        Op::NewClosure {
            dst: 0,
            function: 1,
        },
        END,
    ]);
    assert_eq!(verify(&p), Ok(()));
    p.functions[1].captures[1] = Capture::Register(4);
    assert_eq!(rule(&p), Rule::ClosureCapture(Capture::Register(4)));
    p.functions[1].captures[1] = Capture::Outer(0);
    assert_eq!(rule(&p), Rule::ClosureCapture(Capture::Outer(0)));
}

#[test]
fn targets_lie_within_the_code() {
    for op in [
        Op::Jump { target: 2 },
        Op::JumpIf { cond: 0, target: 2 },
        Op::JumpIfNot { cond: 0, target: 2 },
        Op::Loop { target: 2 },
        Op::NextOrJump {
            dst: 0,
            iterator: 0,
            target: 2,
        },
        Op::PushCatch { dst: 0, target: 2 },
        Op::PushFinally { target: 2 },
        Op::EnterFinally { target: 2 },
        Op::EnterFinallyWith {
            value: 0,
            target: 2,
        },
    ] {
        assert_eq!(op_rule(op), Rule::Target(2), "{op:?}");
    }
    assert_eq!(op_rule(Op::Loop { target: 1 }), Rule::LoopForwards(1));
}

#[test]
fn paths_agree_on_nesting() {
    // Once with and once without the handler.
    let code = vec![
        Op::JumpIf { cond: 0, target: 2 },
        Op::PushCatch { dst: 0, target: 3 },
        Op::Jump { target: 3 },
        END,
    ];
    assert!(matches!(code_rule(code), (_, Rule::NestingDiffers)));
    // A loop that opens a handler in each round.
    let code = vec![
        Op::PushCatch { dst: 0, target: 2 },
        Op::Loop { target: 0 },
        END,
    ];
    assert_eq!(code_rule(code), (1, Rule::NestingDiffers));
    // A handler level and a completion level are not the same.
    let code = vec![
        Op::PushFinally { target: 2 },
        Op::Jump { target: 2 },
        Op::EndFinally,
    ];
    assert_eq!(code_rule(code), (1, Rule::NestingDiffers));
    // The end of a finally block must have the nesting of its start.
    let code = vec![
        Op::EnterFinally { target: 2 },
        END,
        Op::PushCatch { dst: 0, target: 1 },
        Op::EndFinally,
    ];
    assert!(matches!(
        code_rule(code),
        (_, Rule::NestingDiffers | Rule::NoCompletion)
    ));
}

#[test]
fn pops_find_their_kind() {
    assert_eq!(op_rule(Op::PopHandler), Rule::NoHandler);
    assert_eq!(op_rule(Op::DropCompletion), Rule::NoCompletion);
    assert_eq!(code_rule(vec![Op::EndFinally]), (0, Rule::NoCompletion));
    // A catch block has no completion.
    let code = vec![
        Op::PushCatch { dst: 0, target: 3 },
        Op::PopHandler,
        END,
        Op::EndFinally,
    ];
    assert_eq!(code_rule(code), (3, Rule::NoCompletion));
    // A completion below an open handler must not be dropped: a throw would restore it.
    let code = vec![
        Op::EnterFinally { target: 2 },
        END,
        Op::PushCatch { dst: 0, target: 4 },
        Op::DropCompletion,
        Op::EndFinally,
    ];
    assert_eq!(code_rule(code), (3, Rule::NoCompletion));
    // A finally block entered from inside its own handler.
    let code = vec![
        Op::PushFinally { target: 3 },
        Op::EnterFinally { target: 3 },
        END,
        Op::EndFinally,
    ];
    assert!(verify(&program(code)).is_err());
}

#[test]
fn return_leaves_nothing_behind() {
    let code = vec![Op::PushCatch { dst: 0, target: 1 }, END];
    assert!(verify(&program(code)).is_err());
    let code = vec![Op::PushCatch { dst: 0, target: 2 }, END, END];
    assert_eq!(code_rule(code), (1, Rule::ReturnNested));
    let code = vec![Op::EnterFinally { target: 2 }, END, END];
    assert_eq!(code_rule(code), (2, Rule::ReturnNested));
}

#[test]
fn nesting_is_limited() {
    let nested = |depth: usize| {
        let mut code = vec![
            Op::PushCatch {
                dst: 0,
                target: 2 * depth as u32
            };
            depth
        ];
        code.extend(vec![Op::PopHandler; depth]);
        // Each handler of its own target: the nesting differs between them.
        for (at, op) in code.iter_mut().take(depth).enumerate() {
            *op = Op::PushCatch {
                dst: 0,
                target: (2 * depth - at) as u32,
            };
        }
        code.push(END);
        code
    };
    assert_eq!(verify(&program(nested(MAX_NESTING))), Ok(()));
    assert_eq!(
        code_rule(nested(MAX_NESTING + 1)),
        (MAX_NESTING, Rule::NestingTooDeep)
    );
}

#[test]
fn unreachable_code_needs_no_nesting_but_right_operands() {
    assert_eq!(verify(&program(vec![END, Op::PopHandler, END])), Ok(()));
    assert_eq!(
        code_rule(vec![END, Op::LoadNil { dst: 4 }, END]),
        (1, Rule::Register(4))
    );
}

#[test]
fn errors_say_where_and_what() {
    let errors = verify(&program(vec![Op::LoadNil { dst: 9 }, END])).expect_err("refused");
    assert_eq!(
        errors[0].to_string(),
        "function 0, instruction 0: register 9 is outside the frame"
    );
}
