//! Names to what they mean: registers, captured cells, globals, built-ins, classes.
//!
//! One walk over the tree. A name is looked up in constant time: for each symbol the
//! innermost visible definition is known, and each definition remembers the one that it
//! hides. A variable of an outer function becomes a *cell* that each function in between
//! captures; which variables are cells is known when the walk is over, so code is
//! made afterwards.
//!
//! Registers of local variables are assigned here: a block gives its registers back at
//! its end, hence a function's `locals` is the most that are in use at one place.

mod expr;
mod hint;
mod module;
mod namespace;
mod pattern;
mod stmt;
mod types;

pub(crate) use types::Imported;

use gcrucible_bytecode::verify::{MAX_MEMBERS, MAX_NESTING};
use gcrucible_bytecode::{Builtin, Capture, Reg};

use crate::ast::{Ast, DeclId, DeclKind, FunctionNodeId, Symbol};
use crate::diagnostic::Sink;
use crate::hint::MAX_HINTS;
use crate::library::{self, Item};
use crate::link::{Bases, Linker};
use crate::resolve::types::Named;
use crate::source::Span;

/// The most registers of a function. Some are left free so that no sum of a register
/// and a count can pass the end of a byte.
pub(crate) const MAX_REGISTERS: u32 = 250;

/// The most globals, functions and classes each.
pub(crate) const MAX_ITEMS: usize = 1 << 16;

/// A source as part of a program.
#[derive(Clone, Copy)]
pub(crate) struct Unit<'u> {
    pub(crate) bases: Bases,
    pub(crate) is_library: bool,
    /// For each imported name of the tree what it is.
    pub(crate) imports: &'u [Imported],
}

/// The most variants of an enum: they are searched one by one.
pub(crate) const MAX_VARIANTS: usize = 1000;

/// What the names of a tree mean.
pub(crate) struct Resolved {
    /// For each expression; set for names, instance literals, and calls and fields that
    /// are of a namespace or an enum.
    pub(crate) bindings: Vec<Binding>,
    /// For each pattern; set for those of enums and classes.
    pub(crate) patterns: Vec<Binding>,
    /// For each name of a type the number of the type in the program.
    pub(crate) types: Vec<u16>,
    /// For each field of an instance literal its place in the class.
    pub(crate) fields: Vec<u8>,
    /// For each declaration.
    pub(crate) variables: Vec<Variable>,
    /// For each function.
    pub(crate) frames: Vec<Frame>,
    /// The declarations of the globals, by number.
    pub(crate) globals: Vec<DeclId>,
}

/// What a use of a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    /// Not a use, or reported as an error.
    None,
    /// A variable of the same function.
    Local(DeclId),
    /// A captured cell of this function.
    Capture(u8),
    Global(u16),
    Builtin(Builtin),
    /// The function `cancel`.
    Cancel,
    /// A function of the library, by its index in the catalog.
    Library(u16),
    /// A class, and how many fields it has.
    Class {
        id: u16,
        fields: u8,
    },
    /// A variant, and how many values its payload has.
    Variant {
        variant: u16,
        arity: u8,
    },
    /// A name that stands for a class, enum or namespace and is no value.
    Named(Named),
}

/// Where a variable lives.
#[derive(Clone, Copy)]
pub(crate) struct Variable {
    /// Its register, if it is no global.
    pub(crate) register: Reg,
    /// Whether the register holds a cell.
    pub(crate) is_cell: bool,
    pub(crate) global: Option<u16>,
    /// Whether code that runs at this point of the walk can use it; false for a global
    /// before its `let`.
    is_defined: bool,
    /// The depth of the function that owns it.
    level: u32,
    scope: u32,
    /// What it hides: a declaration plus one, or 0.
    hides: u32,
}

/// What is known of a function.
#[derive(Default)]
pub(crate) struct Frame {
    pub(crate) locals: u8,
    pub(crate) captures: Vec<Capture>,
    /// Which variable each capture holds.
    pub(crate) captured: Vec<DeclId>,
}

/// Resolves all names of `ast`. The result is good for compilation only if nothing was
/// reported to `sink`.
pub(crate) fn resolve(
    ast: &Ast<'_>,
    unit: &Unit<'_>,
    linker: &mut Linker<'_>,
    sink: &mut Sink,
) -> Resolved {
    let unknown = Variable {
        register: 0,
        is_cell: false,
        global: None,
        is_defined: true,
        level: 0,
        scope: 0,
        hides: 0,
    };
    let global_base = linker.program.globals.len();
    let mut resolver = Resolver {
        ast,
        unit,
        linker,
        sink,
        out: Resolved {
            bindings: vec![Binding::None; ast.exprs.len()],
            patterns: vec![Binding::None; ast.patterns.len()],
            types: vec![0; ast.types.len()],
            fields: vec![0; ast.field_inits.len()],
            variables: vec![unknown; ast.decls.len()],
            frames: Vec::new(),
            globals: Vec::new(),
        },
        global_base,
        visible: vec![0; ast.names.len()],
        named: vec![None; ast.names.len()],
        active: Vec::new(),
        scopes: Vec::new(),
        scope_count: 0,
        functions: Vec::new(),
        hints_left: MAX_HINTS,
    };
    resolver
        .out
        .frames
        .resize_with(ast.functions.len(), Frame::default);
    resolver.module();
    resolver.out
}

struct Resolver<'a, 's, 'd, 'l> {
    ast: &'a Ast<'s>,
    unit: &'a Unit<'a>,
    linker: &'d mut Linker<'l>,
    sink: &'d mut Sink,
    out: Resolved,
    /// How many globals other modules have.
    global_base: usize,
    /// For each symbol the innermost definition plus one, or 0.
    visible: Vec<u32>,
    /// For each symbol the class or enum that this source defines or imports by it.
    named: Vec<Option<Named>>,
    /// The definitions of all open scopes.
    active: Vec<DeclId>,
    scopes: Vec<Scope>,
    scope_count: u32,
    /// The functions around the place of the walk, the module's body first.
    functions: Vec<Open>,
    hints_left: u32,
}

struct Scope {
    /// Unlike any other's.
    id: u32,
    /// Where its definitions begin in `active`.
    start: usize,
    next_register: u32,
}

/// A function whose body is being walked.
struct Open {
    id: FunctionNodeId,
    next_register: u32,
    registers: u32,
    /// Which variable each capture holds.
    captured: Vec<DeclId>,
    captures: Vec<Capture>,
    loops: u32,
    /// Handlers, completions and scopes that are open at this place when the code runs.
    nesting: usize,
    is_too_large: bool,
}

impl Resolver<'_, '_, '_, '_> {
    fn duplicate(&mut self, name: Symbol, span: Span) {
        if name != Symbol::EMPTY {
            let name = self.ast.names.text(name);
            self.sink.report_expected(
                span,
                format!("`{name}` is defined twice"),
                "a name not yet used in this scope",
            );
        }
    }

    fn open_function(&mut self, id: FunctionNodeId) {
        self.functions.push(Open {
            id,
            next_register: 0,
            registers: 0,
            captured: Vec::new(),
            captures: Vec::new(),
            loops: 0,
            nesting: 0,
            is_too_large: false,
        });
        self.open_scope();
    }

    fn close_function(&mut self) {
        self.close_scope();
        if let Some(open) = self.functions.pop() {
            self.out.frames[open.id.index()] = Frame {
                locals: open.registers.min(MAX_REGISTERS) as u8,
                captures: open.captures,
                captured: open.captured,
            };
        }
    }

    fn function(&mut self) -> &mut Open {
        self.functions
            .last_mut()
            .expect("the module's body is open during the whole walk")
    }

    fn level(&self) -> u32 {
        self.functions.len() as u32 - 1
    }

    fn open_scope(&mut self) {
        let next_register = self.function().next_register;
        self.scope_count += 1;
        self.scopes.push(Scope {
            id: self.scope_count,
            start: self.active.len(),
            next_register,
        });
    }

    fn close_scope(&mut self) {
        let Some(scope) = self.scopes.pop() else {
            return;
        };
        for decl in self.active.drain(scope.start..).rev() {
            let name = self.ast.decls[decl.index()].name;
            self.visible[name.index()] = self.out.variables[decl.index()].hides;
        }
        self.function().next_register = scope.next_register;
    }

    /// Makes a name visible in the current scope. `None` if it has no name.
    fn enter_name(&mut self, decl: DeclId) -> Option<&mut Variable> {
        let name = self.ast.decl(decl).name;
        if name == Symbol::EMPTY {
            return None;
        }
        let scope = self.scopes.last().map_or(0, |scope| scope.id);
        let hides = self.visible[name.index()];
        let is_taken = match hides.checked_sub(1) {
            Some(other) => self.out.variables[other as usize].scope == scope,
            None => self.scopes.len() == 1 && self.named[name.index()].is_some(),
        };
        if is_taken && name != Symbol::UNDERSCORE {
            self.duplicate(name, self.ast.decl(decl).span);
        }
        self.visible[name.index()] = decl.0 + 1;
        self.active.push(decl);
        let level = self.level();
        let variable = &mut self.out.variables[decl.index()];
        variable.level = level;
        variable.scope = scope;
        variable.hides = hides;
        Some(variable)
    }

    /// Defines a local variable and gives it a register.
    fn define(&mut self, decl: DeclId) {
        let span = self.ast.decl(decl).span;
        let open = self.function();
        let register = open.next_register;
        open.next_register += 1;
        open.registers = open.registers.max(open.next_register);
        if register >= MAX_REGISTERS && !std::mem::replace(&mut open.is_too_large, true) {
            self.sink.report_hint(
                span,
                format!("function too large, it has more than {MAX_REGISTERS} variables"),
                Some("split the function, or put the variables into an array".to_owned()),
            );
        }
        if let Some(variable) = self.enter_name(decl) {
            variable.register = register.min(MAX_REGISTERS) as u8;
        }
    }

    /// What a use of `name` means, or `None` if it is not defined.
    fn look_up(&mut self, name: Symbol, span: Span) -> Option<Binding> {
        if let Some(decl) = self.visible[name.index()].checked_sub(1) {
            return Some(self.use_variable(DeclId(decl), span));
        }
        if let Some(named) = self.named[name.index()] {
            return Some(Binding::Named(named));
        }
        let text = self.ast.names.text(name);
        if let Some(builtin) = library::builtin(text, self.unit.is_library) {
            return Some(Binding::Builtin(builtin));
        }
        if text == "cancel" {
            return Some(Binding::Cancel);
        }
        if let Some(item) = self.library_item(text) {
            return Some(match item {
                Item::Function(index) => Binding::Library(index),
                Item::Class(index) => Binding::Named(Named::LibraryClass(index)),
                Item::Enum(index) => Binding::Named(Named::LibraryEnum(index)),
            });
        }
        library::NAMESPACES
            .iter()
            .position(|&namespace| namespace == text)
            .map(|index| Binding::Named(Named::Namespace(index as u8)))
    }

    /// What the library has by this name, for this source.
    fn library_item(&self, text: &str) -> Option<Item> {
        (self.unit.is_library || !library::is_private(text))
            .then(|| self.linker.catalog.item(text))
            .flatten()
    }

    fn use_variable(&mut self, decl: DeclId, span: Span) -> Binding {
        let level = self.level();
        let variable = &mut self.out.variables[decl.index()];
        if let Some(global) = variable.global {
            // A function may run after the definition, the module's own code runs now.
            if level == 0 && !variable.is_defined {
                let name = self.ast.names.text(self.ast.decl(decl).name);
                self.sink
                    .report(span, format!("`{name}` is used before its definition"));
            }
            return Binding::Global(global);
        }
        if variable.level == level {
            return Binding::Local(decl);
        }
        variable.is_cell = true;
        let owner = variable.level;
        let mut source = Capture::Register(variable.register);
        if let Some(index) = self.captured_index(level, decl) {
            return Binding::Capture(index);
        }
        // Each function between the owner and here hands the cell on.
        for between in owner + 1..=level {
            let index = match self.captured_index(between, decl) {
                Some(index) => index,
                None => self.capture(between, decl, source, span),
            };
            source = Capture::Outer(index);
        }
        match source {
            Capture::Outer(index) => Binding::Capture(index),
            Capture::Register(_) => Binding::None,
        }
    }

    fn captured_index(&self, level: u32, decl: DeclId) -> Option<u8> {
        let captured = &self.functions[level as usize].captured;
        captured
            .iter()
            .position(|&other| other == decl)
            .map(|index| index as u8)
    }

    fn capture(&mut self, level: u32, decl: DeclId, source: Capture, span: Span) -> u8 {
        let open = &mut self.functions[level as usize];
        if open.captured.len() >= MAX_MEMBERS {
            if !std::mem::replace(&mut open.is_too_large, true) {
                self.sink.report(
                    span,
                    format!(
                        "function too large, it uses more than {MAX_MEMBERS} variables of the \
                         functions around it"
                    ),
                );
            }
            return 0;
        }
        open.captured.push(decl);
        open.captures.push(source);
        open.captured.len() as u8 - 1
    }

    /// Walks something in which `more` handlers, completions and scopes are open.
    fn nested(&mut self, more: usize, span: Span, walk: impl FnOnce(&mut Self)) {
        self.function().nesting += more;
        if self.function().nesting > MAX_NESTING {
            self.sink.report(
                span,
                format!(
                    "`try`, `squad`, `deadline` or `sync` nested too deeply, the limit is \
                     {MAX_NESTING} blocks"
                ),
            );
        } else {
            walk(self);
        }
        self.function().nesting -= more;
    }

    fn kind(&self, decl: DeclId) -> DeclKind {
        self.ast.decl(decl).kind
    }
}

#[cfg(test)]
mod tests;
