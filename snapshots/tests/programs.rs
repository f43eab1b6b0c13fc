//! What the front end says about programs.

use gcrucible_bytecode::disassemble;
use gcrucible_frontend::{Source, compile};
use gcrucible_snapshots::{expect, inputs};

#[test]
fn good_programs_compile_to_this() {
    for (name, text) in inputs("programs", "crux") {
        let source = Source::new(format!("{name}.crux"), text);
        let program = compile(&source).unwrap_or_else(|errors| panic!("{errors}"));
        expect(&format!("disassembly_{name}"), &disassemble(&program));
    }
}

#[test]
fn bad_programs_are_refused_like_this() {
    for (name, text) in inputs("programs/bad", "crux") {
        let source = Source::new(format!("{name}.crux"), text);
        let errors = compile(&source).expect_err("a bad program");
        expect(
            &format!("diagnostics_{name}"),
            &errors.render(&source, false),
        );
    }
}
