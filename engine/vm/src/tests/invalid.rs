//! What the verifier does not prove is checked when it runs: programs by hand.

use std::sync::Arc;

use gcrucible_bytecode::{
    Builtin, Class, Constant, Function, Method, Module, Op, Program, SourceSpan, VerifiedProgram,
};

use super::driver::{Setup, run_program, without_detail};

fn function(name: &str, code: Vec<Op>) -> Function {
    Function {
        name: name.to_owned(),
        module: 0,
        arity: 0,
        locals: 2,
        registers: 6,
        captures: Vec::new(),
        capture_names: Vec::new(),
        spans: vec![SourceSpan::default(); code.len()],
        code,
        ..Function::default()
    }
}

/// A program whose `main` runs `code` and then prints and returns register 0.
fn program(code: &[Op]) -> Arc<VerifiedProgram> {
    let mut body = code.to_vec();
    body.push(Op::Return { src: 0 });
    let init = vec![
        Op::LoadFunction {
            dst: 0,
            function: 1,
        },
        Op::StoreGlobal { global: 0, src: 0 },
        Op::Return { src: 1 },
    ];
    let program = Program {
        modules: vec![Module {
            path: "main.crux".to_owned(),
            init: 0,
            exports: vec![("main".to_owned(), 0)],
        }],
        functions: vec![function("<module>", init), function("main", body)],
        constants: vec![
            Constant::String("kind".to_owned()),
            Constant::String(Method::Push.name().to_owned()),
            Constant::Float(1.5),
        ],
        classes: vec![Class {
            name: "P".to_owned(),
            fields: vec!["never_named".to_owned()],
            methods: Vec::new(),
        }],
        globals: vec![gcrucible_bytecode::Global {
            name: "main".to_owned(),
            module: 0,
        }],
        ..Program::default()
    };
    Arc::new(VerifiedProgram::new(program).unwrap_or_else(|refusal| panic!("{refusal}")))
}

fn result(code: &[Op]) -> String {
    run_program(program(code), &Setup::default()).result
}

const INTERNAL: &str = "Internal: internal error";

#[test]
fn what_is_no_cell_or_iterator_is_an_internal_error() {
    let (dst, target) = (0, 0);
    let next = Op::NextOrJump {
        dst,
        iterator: 1,
        target,
    };
    for code in [
        vec![Op::LoadCell { dst: 0, cell: 1 }],
        vec![Op::StoreCell { cell: 1, src: 0 }],
        vec![next, Op::EndIfNil { dst, target }],
    ] {
        assert_eq!(result(&code), INTERNAL, "{code:?}");
    }
}

#[test]
fn cells_hold_values() {
    let code = [
        Op::LoadConst {
            dst: 0,
            constant: 2,
        },
        Op::NewCell { dst: 1, src: 0 },
        Op::LoadInt { dst: 0, value: 7 },
        Op::StoreCell { cell: 1, src: 0 },
        Op::LoadNil { dst: 0 },
        Op::LoadCell { dst: 0, cell: 1 },
    ];
    assert_eq!(result(&code), "7");
}

#[test]
fn built_ins_check_their_number_of_arguments() {
    for (builtin, argc) in [
        (Builtin::Str, 0),
        (Builtin::Len, 2),
        (Builtin::Collect, 1),
        (Builtin::Assert, 3),
    ] {
        let call = Op::CallBuiltin {
            base: 0,
            builtin,
            argc,
        };
        let expected = "WrongArity: wrong number of arguments";
        assert_eq!(without_detail(&result(&[call])), expected, "{builtin:?}");
    }
}

#[test]
fn a_field_that_no_constant_names_is_still_there() {
    let code = [
        Op::LoadInt { dst: 2, value: 5 },
        Op::NewInstance {
            dst: 0,
            class: 0,
            first: 2,
        },
    ];
    assert_eq!(result(&code), "P { never_named: 5 }");
    let by_other_name = [
        code[0],
        code[1],
        Op::GetField {
            dst: 0,
            object: 0,
            name: 0,
        },
    ];
    assert_eq!(
        result(&by_other_name),
        "UnknownField: no such field: `kind` of P"
    );
}

#[test]
fn a_refused_program_cannot_be_loaded() {
    let mut refused = (*program(&[])).clone().into_inner();
    refused.functions[1].code[0] = Op::Return { src: 200 };
    let refusal = VerifiedProgram::new(refused).unwrap_err();
    assert_eq!(refusal.errors.len(), 1);
    assert_eq!(
        refusal.program.functions[1].code[0],
        Op::Return { src: 200 }
    );
    let text = refusal.to_string();
    assert!(text.contains("register 200 is outside"), "{text}");
}
