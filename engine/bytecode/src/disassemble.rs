//! The disassembler: a stable listing of a program for people and for snapshots.

use std::fmt::{self, Write as _};

use crate::opcode::Op;
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
        let Text {
            name,
            operands,
            comment,
        } = self.text(op);
        match (operands.is_empty(), comment.is_empty()) {
            (true, _) => write!(self.out, "{name}"),
            (false, true) => write!(self.out, "{name:<16} {operands}"),
            (false, false) => write!(self.out, "{name:<16} {operands:<16} ; {comment}"),
        }
    }

    fn text(&self, op: Op) -> Text {
        match op {
            Op::Move { dst, src } => text("Move", format!("r{dst}, r{src}")),
            Op::LoadNil { dst } => text("LoadNil", format!("r{dst}")),
            Op::LoadBool { dst, value } => text("LoadBool", format!("r{dst}, {value}")),
            Op::LoadInt { dst, value } => text("LoadInt", format!("r{dst}, {value}")),
            Op::LoadConst { dst, constant } => {
                text("LoadConst", format!("r{dst}, k{constant}")).with(self.constant(constant))
            }
            Op::LoadFunction { dst, function } => {
                text("LoadFunction", format!("r{dst}, f{function}"))
                    .with(self.function_name(function))
            }
            Op::LoadGlobal { dst, global } => {
                text("LoadGlobal", format!("r{dst}, g{global}")).with(self.global_name(global))
            }
            Op::StoreGlobal { global, src } => {
                text("StoreGlobal", format!("g{global}, r{src}")).with(self.global_name(global))
            }
            Op::Add { dst, lhs, rhs } => three("Add", dst, lhs, rhs),
            Op::Sub { dst, lhs, rhs } => three("Sub", dst, lhs, rhs),
            Op::Mul { dst, lhs, rhs } => three("Mul", dst, lhs, rhs),
            Op::Div { dst, lhs, rhs } => three("Div", dst, lhs, rhs),
            Op::Rem { dst, lhs, rhs } => three("Rem", dst, lhs, rhs),
            Op::Neg { dst, src } => text("Neg", format!("r{dst}, r{src}")),
            Op::Not { dst, src } => text("Not", format!("r{dst}, r{src}")),
            Op::Eq { dst, lhs, rhs } => three("Eq", dst, lhs, rhs),
            Op::Ne { dst, lhs, rhs } => three("Ne", dst, lhs, rhs),
            Op::Lt { dst, lhs, rhs } => three("Lt", dst, lhs, rhs),
            Op::Le { dst, lhs, rhs } => three("Le", dst, lhs, rhs),
            Op::Concat { dst, first, count } => {
                text("Concat", format!("r{dst}, r{first} x {count}"))
            }
            Op::Is { dst, src, type_id } => {
                text("Is", format!("r{dst}, r{src}, t{type_id}")).with(self.type_name(type_id))
            }
            Op::Jump { target } => text("Jump", format!("@{target}")),
            Op::JumpIf { cond, target } => text("JumpIf", format!("r{cond}, @{target}")),
            Op::JumpIfNot { cond, target } => text("JumpIfNot", format!("r{cond}, @{target}")),
            Op::Loop { target } => text("Loop", format!("@{target}")),
            Op::NewArray { dst, first, count } => {
                text("NewArray", format!("r{dst}, r{first} x {count}"))
            }
            Op::NewMap { dst, first, pairs } => {
                text("NewMap", format!("r{dst}, r{first} x 2 x {pairs}"))
            }
            Op::NewInstance { dst, class, first } => {
                text("NewInstance", format!("r{dst}, {class}, r{first}"))
                    .with(self.class_name(class))
            }
            Op::LoadVariant { dst, variant } => {
                text("LoadVariant", format!("r{dst}, {variant}")).with(self.variant_name(variant))
            }
            Op::NewVariant {
                dst,
                variant,
                first,
            } => text("NewVariant", format!("r{dst}, {variant}, r{first}"))
                .with(self.variant_name(variant)),
            Op::GetPayload { dst, src, index } => {
                text("GetPayload", format!("r{dst}, r{src}, {index}"))
            }
            Op::NewClosure { dst, function } => text("NewClosure", format!("r{dst}, f{function}"))
                .with(self.function_name(function)),
            Op::NewRange { dst, first } => text("NewRange", format!("r{dst}, r{first}")),
            Op::NewCell { dst, src } => text("NewCell", format!("r{dst}, r{src}")),
            Op::LoadCell { dst, cell } => text("LoadCell", format!("r{dst}, r{cell}")),
            Op::StoreCell { cell, src } => text("StoreCell", format!("r{cell}, r{src}")),
            Op::LoadCapture { dst, index } => text("LoadCapture", format!("r{dst}, c{index}")),
            Op::StoreCapture { index, src } => text("StoreCapture", format!("c{index}, r{src}")),
            Op::GetField { dst, object, name } => {
                text("GetField", format!("r{dst}, r{object}, k{name}")).with(self.constant(name))
            }
            Op::SetField { object, name, src } => {
                text("SetField", format!("r{object}, k{name}, r{src}")).with(self.constant(name))
            }
            Op::GetIndex { dst, object, index } => three("GetIndex", dst, object, index),
            Op::SetIndex { object, index, src } => three("SetIndex", object, index, src),
            Op::NewIterator { dst, src } => text("NewIterator", format!("r{dst}, r{src}")),
            Op::NextOrJump {
                dst,
                iterator,
                target,
            } => text("NextOrJump", format!("r{dst}, r{iterator}, @{target}")),
            Op::EndIfNil { dst, target } => text("EndIfNil", format!("r{dst}, @{target}")),
            Op::Call { base, argc } => text("Call", format!("r{base}, {argc}")),
            Op::CallMethod { base, name, argc } => {
                text("CallMethod", format!("r{base}, k{name}, {argc}")).with(self.constant(name))
            }
            Op::CallBuiltin {
                base,
                builtin,
                argc,
            } => text(
                "CallBuiltin",
                format!("r{base}, {}, {argc}", builtin.name()),
            ),
            Op::Return { src } => text("Return", format!("r{src}")),
            Op::Throw { src } => text("Throw", format!("r{src}")),
            Op::PushCatch { dst, target } => text("PushCatch", format!("r{dst}, @{target}")),
            Op::PushCatchIf {
                dst,
                type_id,
                target,
            } => text("PushCatchIf", format!("r{dst}, t{type_id}, @{target}"))
                .with(self.type_name(type_id)),
            Op::PushFinally { target } => text("PushFinally", format!("@{target}")),
            Op::PopHandler => text("PopHandler", String::new()),
            Op::EnterFinally { target } => text("EnterFinally", format!("@{target}")),
            Op::EnterFinallyWith { value, target } => {
                text("EnterFinallyWith", format!("r{value}, @{target}"))
            }
            Op::EndFinally => text("EndFinally", String::new()),
            Op::DropCompletion => text("DropCompletion", String::new()),
            Op::Spawn { base, argc } => text("Spawn", format!("r{base}, {argc}")),
            Op::SpawnDetached { base, argc } => text("SpawnDetached", format!("r{base}, {argc}")),
            Op::Await { dst, src } => text("Await", format!("r{dst}, r{src}")),
            Op::Cancel { src } => text("Cancel", format!("r{src}")),
            Op::PushGuard { src } => text("PushGuard", format!("r{src}")),
            Op::PushDeadline { src } => text("PushDeadline", format!("r{src}")),
            Op::PushSquad { dst } => text("PushSquad", format!("r{dst}")),
            Op::PopScope => text("PopScope", String::new()),
            Op::JoinSquad { squad } => text("JoinSquad", format!("r{squad}")),
            Op::DrainSquad { squad } => text("DrainSquad", format!("r{squad}")),
            Op::CallStep { base, step } => {
                text("CallStep", format!("r{base}, {step}")).with(self.step_name(step))
            }
        }
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

/// One instruction as text.
struct Text {
    name: &'static str,
    operands: String,
    comment: String,
}

impl Text {
    fn with(self, comment: String) -> Self {
        Self { comment, ..self }
    }
}

fn text(name: &'static str, operands: String) -> Text {
    Text {
        name,
        operands,
        comment: String::new(),
    }
}

fn three(name: &'static str, a: u8, b: u8, c: u8) -> Text {
    text(name, format!("r{a}, r{b}, r{c}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error_kind::ErrorKind;
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
