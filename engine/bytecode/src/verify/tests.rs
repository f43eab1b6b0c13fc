//! One refused program for each rule, and accepted ones.

use super::*;
use crate::builtin::Builtin;
use crate::opcode::Op;
use crate::program::{
    Boundary, Capture, Class, Constant, Enum, Global, LibraryMethod, Module, SourceSpan, Step,
    Type, Variant,
};
use crate::value_kind::ValueKind;

fn function(code: Vec<Op>) -> Function {
    Function {
        name: "f".into(),
        module: 0,
        arity: 0,
        locals: 1,
        registers: 4,
        captures: Vec::new(),
        capture_names: Vec::new(),
        spans: vec![SourceSpan::default(); code.len()],
        code,
        ..Function::default()
    }
}

/// A program whose initialiser runs `code` with registers 0 to 3. Function 1 captures
/// two cells, function 2 none; constant 0 is an int, constant 1 a string; class 0 has
/// two fields; there is one global. Function 3 has a parameter: it is method `m` of class 0
/// and of arrays, and finishes a run. Variant 0 has no payload, variant 1 one of two; type 0 is
/// class 0.
fn program(code: Vec<Op>) -> Program {
    let mut capturing = function(vec![Op::Return { src: 0 }]);
    capturing.captures = vec![Capture::Register(3), Capture::Register(0)];
    let mut method = function(vec![Op::Return { src: 0 }]);
    method.arity = 1;
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
            method,
        ],
        constants: vec![Constant::Int(1 << 40), Constant::String("name".into())],
        classes: vec![Class {
            name: "C".into(),
            fields: vec!["a".into(), "b".into()],
            methods: vec![("m".into(), 3)],
        }],
        enums: vec![Enum {
            name: "E".into(),
            first: 0,
            count: 2,
        }],
        variants: vec![variant(0), variant(2)],
        types: vec![Type::Class(0)],
        steps: vec![Step {
            name: "s".into(),
            instructions: None,
            calls: None,
            time_ms: None,
            boundary: Boundary::Fail,
        }],
        library: vec![library("map", 3)],
        finish: Some(3),
        interrupt: None,
        globals: vec![Global {
            name: "g".into(),
            module: 0,
        }],
    }
}

fn variant(arity: u8) -> Variant {
    Variant {
        of: 0,
        name: "V".into(),
        arity,
    }
}

fn library(name: &str, function: u16) -> LibraryMethod {
    LibraryMethod {
        receiver: ValueKind::Array,
        name: name.into(),
        function,
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
            target: 25,
        },
        Op::EndIfNil { dst: 2, target: 25 },
        Op::Loop { target: 22 },
        Op::Is {
            dst: 0,
            src: 1,
            type_id: 0,
        },
        Op::LoadVariant { dst: 0, variant: 0 },
        Op::NewVariant {
            dst: 0,
            variant: 1,
            first: 2,
        },
        Op::GetPayload {
            dst: 0,
            src: 0,
            index: 255,
        },
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
        Op::SpawnDetached { base: 0, argc: 3 },
        Op::CallStep { base: 3, step: 0 },
        Op::PushGuard { src: 0 },
        Op::PushDeadline { src: 0 },
        Op::PushSquad { dst: 0 },
        Op::PushCatchIf {
            dst: 0,
            type_id: 0,
            target: 42,
        },
        Op::PopHandler,
        Op::JoinSquad { squad: 0 },
        Op::DrainSquad { squad: 0 },
        Op::PopScope,
        Op::PopScope,
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
    p.modules[0].init = 4;
    assert_eq!(rule(&p), Rule::InitIndex(4));
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
fn methods_are_checked() {
    let mut p = valid();
    p.classes[0].methods.push(("l".into(), 3));
    assert_eq!(rule(&p), Rule::MethodOrder(1));
    p.classes[0].methods = vec![("a".into(), 3), ("b".into(), 3)];
    assert_eq!(rule(&p), Rule::MethodIsField(0));
    p.classes[0].methods = vec![("m".into(), 4)];
    assert_eq!(rule(&p), Rule::MethodIndex(4));
    p.classes[0].methods = vec![("m".into(), 2)];
    assert_eq!(rule(&p), Rule::MethodSignature(2));
    p.functions[2].arity = 1;
    assert_eq!(verify(&p), Ok(()));
    p.functions[2].captures.push(Capture::Register(0));
    assert_eq!(rule(&p), Rule::MethodSignature(2));

    let mut p = valid();
    p.library.push(library("map", 3));
    assert_eq!(rule(&p), Rule::LibraryOrder(1));
    p.library = vec![library("map", 2)];
    assert_eq!(rule(&p), Rule::MethodSignature(2));
    p.library = vec![library("map", 4)];
    assert_eq!(rule(&p), Rule::MethodIndex(4));

    let mut p = valid();
    p.interrupt = Some(4);
    assert_eq!(rule(&p), Rule::RunIndex(4));
    p.interrupt = Some(2);
    assert_eq!(rule(&p), Rule::RunSignature(2));
    p.interrupt = None;
    p.finish = Some(1);
    assert_eq!(rule(&p), Rule::RunSignature(1));
}

#[test]
fn enums_have_each_variant_once() {
    let broken = |change: fn(&mut Program)| {
        let mut p = valid();
        change(&mut p);
        rule(&p)
    };
    assert_eq!(broken(|p| p.enums[0].first = 1), Rule::EnumVariants(0));
    assert_eq!(broken(|p| p.enums[0].count = 3), Rule::EnumVariants(0));
    assert_eq!(broken(|p| p.enums[0].count = 1), Rule::VariantCount(1));
    assert_eq!(broken(|p| p.enums.clear()), Rule::VariantCount(0));
    assert_eq!(broken(|p| p.variants[1].of = 1), Rule::VariantEnum(1));
    assert_eq!(
        broken(|p| p.enums.push(p.enums[0].clone())),
        Rule::EnumVariants(1)
    );
}

#[test]
fn types_exist() {
    for (found, is_there) in [
        (Type::Class(1), false),
        (Type::Enum(1), false),
        (Type::Enum(0), true),
        (Type::Variant(2), false),
        (Type::Variant(1), true),
        (Type::Kind(ValueKind::Int), true),
    ] {
        let mut p = valid();
        p.types.push(found);
        let expected = if is_there {
            Ok(())
        } else {
            Err(Rule::TypeOf(1))
        };
        assert_eq!(verify(&p).map_err(|errors| errors[0].rule), expected);
    }
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
        Op::Is {
            dst: 4,
            src: 0,
            type_id: 0,
        },
        Op::LoadVariant { dst: 4, variant: 0 },
        Op::NewVariant {
            dst: 4,
            variant: 1,
            first: 0,
        },
        Op::GetPayload {
            dst: 0,
            src: 4,
            index: 0,
        },
        Op::EndIfNil { dst: 4, target: 0 },
        Op::PushCatchIf {
            dst: 4,
            type_id: 0,
            target: 1,
        },
        Op::PushGuard { src: 4 },
        Op::PushDeadline { src: 4 },
        Op::PushSquad { dst: 4 },
        Op::JoinSquad { squad: 4 },
        Op::DrainSquad { squad: 4 },
        Op::CallStep { base: 4, step: 0 },
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
        Op::SpawnDetached { base: 0, argc: 4 },
        Op::NewVariant {
            dst: 0,
            variant: 1,
            first: 3,
        },
    ] {
        assert_eq!(op_rule(op), Rule::Register(4), "{op:?}");
    }
    assert_eq!(
        op_rule(Op::NewMap {
            dst: 0,
            first: 255,
            pairs: 255
        }),
        Rule::Register(764)
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
            function: 4
        }),
        Rule::FunctionIndex(4)
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
            function: 4
        }),
        Rule::FunctionIndex(4)
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
        op_rule(Op::Is {
            dst: 0,
            src: 0,
            type_id: 1
        }),
        Rule::TypeIndex(1)
    );
    assert_eq!(
        op_rule(Op::PushCatchIf {
            dst: 0,
            type_id: 1,
            target: 1
        }),
        Rule::TypeIndex(1)
    );
    assert_eq!(
        op_rule(Op::LoadVariant { dst: 0, variant: 2 }),
        Rule::VariantIndex(2)
    );
    assert_eq!(
        op_rule(Op::LoadVariant { dst: 0, variant: 1 }),
        Rule::VariantArity(1)
    );
    assert_eq!(
        op_rule(Op::NewVariant {
            dst: 0,
            variant: 0,
            first: 0
        }),
        Rule::VariantArity(0)
    );
    assert_eq!(
        op_rule(Op::CallStep { base: 0, step: 1 }),
        Rule::StepIndex(1)
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
        Op::EndIfNil { dst: 0, target: 2 },
        Op::PushCatch { dst: 0, target: 2 },
        Op::PushCatchIf {
            dst: 0,
            type_id: 0,
            target: 2,
        },
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
fn a_step_of_an_iteration_is_a_pair_of_instructions() {
    let next = Op::NextOrJump {
        dst: 0,
        iterator: 1,
        target: 0,
    };
    for behind in [
        END,
        Op::EndIfNil { dst: 1, target: 0 },
        Op::EndIfNil { dst: 0, target: 1 },
    ] {
        let found = code_rule(vec![next, behind, END]);
        assert_eq!(found, (0, Rule::NoEndIfNil));
    }
    let end = Op::EndIfNil { dst: 0, target: 0 };
    assert_eq!(verify(&program(vec![next, end, END])), Ok(()));
    assert_eq!(code_rule(vec![next, end]), (1, Rule::FallsThrough));
    // The instruction behind the pair is reached too.
    let code = vec![next, end, Op::PopHandler, END];
    assert_eq!(code_rule(code), (2, Rule::NoHandler));
}

#[test]
fn scopes_nest_with_handlers_and_completions() {
    let push = Op::PushDeadline { src: 0 };
    assert_eq!(
        code_rule(vec![Op::PopScope, END]),
        (0, Rule::NoScope),
        "a scope of another frame"
    );
    // A return may leave scopes.
    assert_eq!(verify(&program(vec![push, push, END])), Ok(()));
    assert_eq!(
        code_rule(vec![push, Op::PopHandler, END]),
        (1, Rule::NoHandler)
    );
    let handler = Op::PushCatch { dst: 0, target: 4 };
    assert_eq!(
        code_rule(vec![push, handler, Op::PopScope, END, END]),
        (2, Rule::NoScope),
        "a scope that the handler remembers"
    );
    assert_eq!(
        code_rule(vec![push, Op::Loop { target: 0 }]),
        (1, Rule::NestingDiffers)
    );
    // At the handler the scope is gone.
    let code = vec![Op::PushCatch { dst: 0, target: 4 }, push, Op::PopScope];
    let code = [code, vec![Op::Jump { target: 0 }, Op::PopScope, END]].concat();
    let errors = verify(&program(code)).expect_err("must be refused");
    assert!(errors.iter().any(|error| error.rule == Rule::NoScope));
    // A squad with the block that drains it.
    let code = vec![
        Op::PushSquad { dst: 1 },
        Op::PushFinally { target: 6 },
        Op::JoinSquad { squad: 1 },
        Op::PopHandler,
        Op::PopScope,
        Op::Jump { target: 8 },
        Op::DrainSquad { squad: 1 },
        Op::EndFinally,
        END,
    ];
    assert_eq!(verify(&program(code)), Ok(()));
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
