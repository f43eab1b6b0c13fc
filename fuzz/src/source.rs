//! What must hold of the front end for any text.

use gcrucible_bytecode::{disassemble, verify};
use gcrucible_frontend::{Source, compile};

/// Instructions of a program for each byte of its text, at most. The most that one byte
/// stands for is `}`, which leaves scopes, handlers and squads.
const INSTRUCTIONS_PER_BYTE: usize = 32;

/// Instructions of the library, all of it, at most.
const LIBRARY_INSTRUCTIONS: usize = 20_000;

/// Compiles a text. The result is a program that the verifier accepts and that can be
/// listed, or errors that can be shown; either is no larger than linear.
///
/// # Panics
/// When one of these does not hold.
pub(crate) fn check(text: &str) {
    let source = Source {
        path: "main.crux".to_owned(),
        text: text.to_owned(),
    };
    match compile(&source) {
        Ok(program) => {
            let verified = verify(&program);
            assert!(verified.is_ok(), "the verifier refused: {verified:?}");
            let instructions: usize = program.functions.iter().map(|f| f.code.len()).sum();
            let most = LIBRARY_INSTRUCTIONS + INSTRUCTIONS_PER_BYTE * text.len();
            assert!(instructions <= most, "{instructions} instructions");
            assert!(!disassemble(&program).is_empty());
        }
        Err(errors) => {
            assert!(!errors.is_empty(), "refused without an error");
            let lines: Vec<&str> = text.split('\n').collect();
            for error in errors.iter() {
                let line = lines.get(error.line as usize - 1);
                let columns = line.map_or(0, |line| line.chars().count());
                let is_inside = line.is_some() && error.column as usize <= columns + 1;
                assert!(is_inside, "{error:?} is outside");
            }
            assert!(!errors.render(&source, false).is_empty());
        }
    }
}
