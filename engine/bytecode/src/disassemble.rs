//! The disassembler: a stable listing of a program for people and for snapshots.

use std::fmt::{self, Write as _};

use crate::opcode::Op;
use crate::operand::Operand;
use crate::program::{Capture, Constant, Enum, Function, Program, Type, Variant};

/// A listing of `program`: tables first, then each function with one line per
/// instruction (`line  index  operation  operands  ; what an index stands for`).
///
/// Any value of [`Program`] can be listed, a refused one too: an index that points
/// nowhere gets the comment `?`.
pub fn disassemble(program: &Program) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = Listing {
        program,
        out: &mut out,
    }
    .write();
    out
}

struct Listing<'p> {
    program: &'p Program,
    out: &'p mut String,
}

impl Listing<'_> {
    fn write(&mut self) -> fmt::Result {
        for (index, module) in self.program.modules.iter().enumerate() {
            writeln!(
                self.out,
                "module {index} {:?} init f{}",
                module.path, module.init
            )?;
            for (name, global) in &module.exports {
                writeln!(self.out, "  export {name} = g{global}")?;
            }
        }
        for (index, global) in self.program.globals.iter().enumerate() {
            writeln!(
                self.out,
                "global g{index} {} of module {}",
                global.name, global.module
            )?;
        }
        for (index, class) in self.program.classes.iter().enumerate() {
            writeln!(
                self.out,
                "class {index} {} {{ {} }}",
                class.name,
                class.fields.join(", ")
            )?;
            for (name, function) in &class.methods {
                writeln!(self.out, "  method {name} = f{function}")?;
            }
        }
        self.enums_types_steps()?;
        for method in &self.program.library {
            writeln!(
                self.out,
                "library {}.{} = f{}",
                method.receiver.name(),
                method.name,
                method.function
            )?;
        }
        if let Some(finish) = self.program.finish {
            writeln!(self.out, "finish f{finish}")?;
        }
        if let Some(interrupt) = self.program.interrupt {
            writeln!(self.out, "interrupt f{interrupt}")?;
        }
        for (index, function) in self.program.functions.iter().enumerate() {
            self.function(index, function)?;
        }
        Ok(())
    }

    fn enums_types_steps(&mut self) -> fmt::Result {
        for (index, found) in self.program.enums.iter().enumerate() {
            let Enum { name, first, count } = found;
            writeln!(
                self.out,
                "enum {index} {name}, {count} variants from {first}"
            )?;
        }
        for (index, variant) in self.program.variants.iter().enumerate() {
            let Variant { of, name, arity } = variant;
            writeln!(self.out, "variant {index} {name}({arity}) of enum {of}")?;
        }
        for index in 0..self.program.types.len().min(1 << 16) {
            writeln!(self.out, "type {index} {}", self.type_name(index as u16))?;
        }
        for (index, step) in self.program.steps.iter().enumerate() {
            write!(self.out, "step {index} {:?}", step.name)?;
            for (what, most) in [
                ("instructions", step.instructions),
                ("calls", step.calls),
                ("ms", step.time_ms),
            ] {
                if let Some(most) = most {
                    write!(self.out, ", {what} {most}")?;
                }
            }
            writeln!(self.out, ", {:?}", step.boundary)?;
        }
        Ok(())
    }

    fn function(&mut self, index: usize, function: &Function) -> fmt::Result {
        let Function {
            name,
            module,
            arity,
            locals,
            registers,
            ..
        } = function;
        writeln!(self.out)?;
        write!(
            self.out,
            "function f{index} {name} (module {module}, arity {arity}, locals {locals}, \
             registers {registers}"
        )?;
        for (at, capture) in function.captures.iter().enumerate() {
            self.out.push_str(if at == 0 { ", captures " } else { " " });
            match capture {
                Capture::Register(register) => write!(self.out, "r{register}")?,
                Capture::Outer(outer) => write!(self.out, "c{outer}")?,
            }
        }
        writeln!(self.out, ")")?;
        let mut last_line = None;
        for (at, &op) in function.code.iter().enumerate() {
            // A source line is named once, where it begins.
            let line = function.spans.get(at).map(|span| span.line);
            match line {
                Some(line) if Some(line) != last_line => write!(self.out, "{line:>5} ")?,
                _ => self.out.push_str("      "),
            }
            last_line = line;
            write!(self.out, "{at:>5}  ")?;
            self.instruction(op)?;
            self.out.push('\n');
        }
        Ok(())
    }

    fn instruction(&mut self, op: Op) -> fmt::Result {
        let mut operands = String::new();
        let mut comment = None;
        op.each_operand(|operand| {
            let separator = match operand {
                _ if operands.is_empty() => "",
                Operand::Count(_) => " x ",
                Operand::PairCount(_) => " x 2 x ",
                _ => ", ",
            };
            operands.push_str(separator);
            operands.push_str(&text(operand));
            if comment.is_none() {
                comment = self.name_behind(operand);
            }
        });
        let name = op.name();
        match (operands.is_empty(), comment) {
            (true, _) => write!(self.out, "{name}"),
            (false, None) => write!(self.out, "{name:<16} {operands}"),
            (false, Some(comment)) => write!(self.out, "{name:<16} {operands:<16} ; {comment}"),
        }
    }

    /// The name of what an operand is the number of.
    fn name_behind(&self, operand: Operand) -> Option<String> {
        Some(match operand {
            Operand::Constant(index) | Operand::Name(index) => self.constant(index),
            Operand::BareFunction(index) | Operand::Closure(index) => self.function_name(index),
            Operand::Global(index) => self.global_name(index),
            Operand::Class(index) => self.class_name(index),
            Operand::BareVariant(index) | Operand::Variant(index) => self.variant_name(index),
            Operand::Type(index) => self.type_name(index),
            Operand::Step(index) => self.step_name(index),
            _ => return None,
        })
    }

    fn constant(&self, index: u16) -> String {
        match self.program.constants.get(usize::from(index)) {
            Some(Constant::Int(value)) => value.to_string(),
            Some(Constant::Float(value)) => format!("{value:?}"),
            Some(Constant::String(value)) => format!("{value:?}"),
            None => "?".to_owned(),
        }
    }

    fn function_name(&self, index: u16) -> String {
        let function = self.program.functions.get(usize::from(index));
        function.map_or("?", |function| &function.name).to_owned()
    }

    fn global_name(&self, index: u16) -> String {
        let global = self.program.globals.get(usize::from(index));
        global.map_or("?", |global| &global.name).to_owned()
    }

    fn class_name(&self, index: u16) -> String {
        let class = self.program.classes.get(usize::from(index));
        class.map_or("?", |class| &class.name).to_owned()
    }

    fn enum_name(&self, index: u16) -> &str {
        let found = self.program.enums.get(usize::from(index));
        found.map_or("?", |found| &found.name)
    }

    fn variant_name(&self, index: u16) -> String {
        match self.program.variants.get(usize::from(index)) {
            Some(variant) => format!("{}.{}", self.enum_name(variant.of), variant.name),
            None => "?".to_owned(),
        }
    }

    fn type_name(&self, index: u16) -> String {
        match self.program.types.get(usize::from(index)) {
            Some(&Type::Class(class)) => self.class_name(class),
            Some(&Type::Enum(of)) => self.enum_name(of).to_owned(),
            Some(&Type::Variant(variant)) => self.variant_name(variant),
            Some(Type::Error(kind)) => kind.name().to_owned(),
            Some(Type::Kind(kind)) => kind.name().to_owned(),
            None => "?".to_owned(),
        }
    }

    fn step_name(&self, index: u16) -> String {
        match self.program.steps.get(usize::from(index)) {
            Some(step) => format!("{:?}", step.name),
            None => "?".to_owned(),
        }
    }
}

/// An operand as text.
fn text(operand: Operand) -> String {
    match operand {
        Operand::Def(register)
        | Operand::Use(register)
        | Operand::Element(register)
        | Operand::Caught(register)
        | Operand::Taken(register)
        | Operand::Range(register, _)
        | Operand::PairRange(register, _)
        | Operand::Fields(register, _)
        | Operand::Payload(register, _)
        | Operand::Call(register, _)
        | Operand::Arguments(register, _) => format!("r{register}"),
        Operand::Count(number)
        | Operand::PairCount(number)
        | Operand::ArgumentCount(number)
        | Operand::Index(number) => number.to_string(),
        Operand::Captured(index) => format!("c{index}"),
        Operand::Bool(value) => value.to_string(),
        Operand::Int(value) => value.to_string(),
        Operand::Constant(index) | Operand::Name(index) => format!("k{index}"),
        Operand::Global(index) => format!("g{index}"),
        Operand::BareFunction(index) | Operand::Closure(index) => format!("f{index}"),
        Operand::Class(number)
        | Operand::BareVariant(number)
        | Operand::Variant(number)
        | Operand::Step(number) => number.to_string(),
        Operand::Type(index) => format!("t{index}"),
        Operand::BuiltIn(builtin) => builtin.name().to_owned(),
        Operand::Target(target) => format!("@{target}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error_kind::ErrorKind;
    use crate::live::LiveMap;
    use crate::program::{Boundary, Class, Global, LibraryMethod, Module, SourceSpan, Step};
    use crate::value_kind::ValueKind;

    #[test]
    fn lists_tables_and_names_behind_indexes() {
        let span = |line| SourceSpan { line, column: 1 };
        let program = Program {
            modules: vec![Module {
                path: "main.crux".into(),
                init: 0,
                exports: vec![("x".into(), 0)],
            }],
            functions: vec![Function {
                name: "<module>".into(),
                module: 0,
                arity: 0,
                locals: 0,
                registers: 1,
                captures: vec![Capture::Register(3), Capture::Outer(1)],
                capture_names: Vec::new(),
                code: vec![
                    Op::LoadConst {
                        dst: 0,
                        constant: 0,
                    },
                    Op::StoreGlobal { global: 0, src: 0 },
                    Op::GetField {
                        dst: 0,
                        object: 0,
                        name: 9,
                    },
                    Op::Return { src: 0 },
                ],
                spans: vec![span(1), span(1), span(2), span(2)],
                live: LiveMap::default(),
            }],
            constants: vec![Constant::String("a\"b".into())],
            classes: vec![Class {
                name: "P".into(),
                fields: vec!["a".into(), "b".into()],
                methods: vec![("m".into(), 0)],
            }],
            enums: vec![Enum {
                name: "E".into(),
                first: 0,
                count: 1,
            }],
            variants: vec![Variant {
                of: 0,
                name: "V".into(),
                arity: 2,
            }],
            types: vec![
                Type::Class(0),
                Type::Enum(0),
                Type::Variant(0),
                Type::Variant(7),
                Type::Error(ErrorKind::Overflow),
                Type::Kind(ValueKind::Int),
            ],
            steps: vec![Step {
                name: "s".into(),
                instructions: Some(10),
                calls: None,
                time_ms: Some(5),
                boundary: Boundary::Continue,
            }],
            library: vec![LibraryMethod {
                receiver: ValueKind::Array,
                name: "map".into(),
                function: 0,
            }],
            finish: Some(0),
            interrupt: Some(0),
            globals: vec![Global {
                name: "x".into(),
                module: 0,
            }],
        };
        let expected = "\
module 0 \"main.crux\" init f0
  export x = g0
global g0 x of module 0
class 0 P { a, b }
  method m = f0
enum 0 E, 1 variants from 0
variant 0 V(2) of enum 0
type 0 P
type 1 E
type 2 E.V
type 3 ?
type 4 Overflow
type 5 int
step 0 \"s\", instructions 10, ms 5, Continue
library array.map = f0
finish f0
interrupt f0

function f0 <module> (module 0, arity 0, locals 0, registers 1, captures r3 c1)
    1     0  LoadConst        r0, k0           ; \"a\\\"b\"
          1  StoreGlobal      g0, r0           ; x
    2     2  GetField         r0, r0, k9       ; ?
          3  Return           r0
";
        assert_eq!(disassemble(&program), expected);
    }
}
