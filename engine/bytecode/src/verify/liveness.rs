//! The map of registers that are alive: none that is read later is called dead.

use super::Rule;
use crate::live::needed;
use crate::program::{Function, Program};

/// Reports each instruction before which a register is called dead that is needed there. The
/// operands must have been checked, and the map must fit.
pub(super) fn check(program: &Program, function: &Function, refuse: &mut dyn FnMut(usize, Rule)) {
    if function.live.is_empty() {
        return;
    }
    let alive = |at: usize| function.live.at(function.registers, at);
    for at in 0..function.code.len() {
        let needed = needed(program, &function.code, at, alive);
        if let Some(register) = needed.first_beyond(&alive(at)) {
            refuse(at, Rule::DeadRegister(register));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::opcode::Op;
    use crate::program::{Capture, Function, Module, Program, SourceSpan};
    use crate::verify::{Rule, verify};

    fn program() -> Program {
        let function = |registers, captures, code: Vec<Op>| Function {
            registers,
            captures,
            spans: vec![SourceSpan::default(); code.len()],
            code,
            ..Function::default()
        };
        let code = vec![
            Op::LoadNil { dst: 8 },
            Op::PushCatch { dst: 0, target: 6 },
            Op::NewClosure {
                dst: 0,
                function: 1,
            },
            Op::PopHandler,
            Op::JumpIf { cond: 1, target: 7 },
            Op::Loop { target: 1 },
            Op::Return { src: 2 },
            Op::Return { src: 0 },
        ];
        let mut program = Program {
            modules: vec![Module {
                path: "main.crux".into(),
                init: 0,
                exports: Vec::new(),
            }],
            functions: vec![
                function(9, Vec::new(), code),
                function(1, vec![Capture::Register(8)], vec![Op::Return { src: 0 }]),
            ],
            ..Program::default()
        };
        program.find_live_registers();
        program
    }

    fn refused(program: &Program) -> Vec<(Option<usize>, Rule)> {
        let errors = verify(program).err().unwrap_or_default();
        let told = errors.iter().map(|error| (error.instruction, error.rule));
        told.collect()
    }

    #[test]
    fn the_map_of_the_analysis_is_accepted_and_every_bit_of_it_is_needed() {
        let right = program();
        assert_eq!(refused(&right), []);
        let mut needed = 0;
        for (index, function) in right.functions.iter().enumerate() {
            for at in 0..function.code.len() {
                let alive = function.live.at(function.registers, at);
                for register in (0..function.registers).filter(|&it| alive.has(it)) {
                    let mut wrong = right.clone();
                    wrong.functions[index]
                        .live
                        .kill(function.registers, at, register);
                    assert_eq!(refused(&wrong), [(Some(at), Rule::DeadRegister(register))]);
                    needed += 1;
                }
            }
        }
        assert_eq!(needed, 22);
    }

    #[test]
    fn a_map_fits_its_function() {
        let mut wrong = program();
        wrong.functions[0].live = wrong.functions[1].live.clone();
        assert_eq!(refused(&wrong), [(None, Rule::LiveMapSize)]);
    }

    #[test]
    fn without_a_map_everything_is_alive() {
        let mut bare = program();
        bare.functions[0].live = Default::default();
        assert_eq!(refused(&bare), []);
        assert!((0..9).all(|register| bare.functions[0].live.at(9, 0).has(register)));
    }
}
