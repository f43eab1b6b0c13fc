//! The program as it grows: tables that all modules share, and the library's part.
//!
//! The numbers of functions, classes and enums of all modules are known when their trees
//! are; what a program uses of the library gets the numbers behind them, in the order of
//! first use. At the end the functions are copied over, and whatever they use in their
//! turn: by name for methods, since nobody knows the kind of a receiver.

use gcrucible_bytecode::{
    Builtin, Class, Constant, Enum, Function, LibraryMethod, Module, Op, Operand, Program, Step,
    Type, ValueKind, Variant,
};
use rustc_hash::FxHashMap;

use crate::ast::{Ast, Names, Symbol};
use crate::compile::Constants;
use crate::library::{Catalog, Library};
use crate::resolve::MAX_ITEMS;

/// How many functions, … come before those of a module.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bases {
    pub(crate) functions: usize,
    pub(crate) classes: usize,
    pub(crate) enums: usize,
    pub(crate) variants: usize,
}

impl Bases {
    /// The ones of the module behind `ast`.
    pub(crate) fn after(self, ast: &Ast<'_>) -> Self {
        Self {
            functions: self.functions + ast.functions.len(),
            classes: self.classes + ast.classes.len(),
            enums: self.enums + ast.enums.len(),
            variants: self.variants + ast.variants.len(),
        }
    }

    fn is_too_large(self) -> bool {
        [self.functions, self.classes, self.enums, self.variants]
            .iter()
            .any(|&count| count > MAX_ITEMS)
    }
}

/// A program that is being made.
pub(crate) struct Linker<'l> {
    /// Functions, classes, enums, variants, globals, modules, steps as far as compiled.
    pub(crate) program: Program,
    pub(crate) constants: Constants,
    pub(crate) catalog: &'l Catalog,
    types: FxHashMap<Type, u16>,
    /// `None` while the library itself is compiled: its numbers are those of the catalog.
    library: Option<&'l Library>,
    /// What the library's part follows.
    next: Bases,
    uses: Uses,
    is_full: bool,
}

/// What a program uses of the library. Vectors are empty until something is used.
#[derive(Default)]
struct Uses {
    /// For each function of the library its number in the program plus one, or 0.
    functions: Vec<u32>,
    /// For each class.
    classes: Vec<u32>,
    /// For each enum: itself, and its first variant.
    enums: Vec<(u32, u16)>,
    /// Those with a number, in its order.
    function_order: Vec<u16>,
    class_order: Vec<u16>,
    enum_order: Vec<u16>,
    /// For each method name of the library whether it is called.
    methods: Vec<bool>,
    has_methods: bool,
    /// Whether there can be streams.
    has_streams: bool,
}

impl<'l> Linker<'l> {
    /// `next` is what comes behind all modules.
    pub(crate) fn new(catalog: &'l Catalog, library: Option<&'l Library>, next: Bases) -> Self {
        Self {
            program: Program::default(),
            constants: Constants::new(),
            catalog,
            types: FxHashMap::default(),
            library,
            is_full: next.is_too_large(),
            next,
            uses: Uses::default(),
        }
    }

    /// The constant of a text.
    pub(crate) fn text(&mut self, names: &Names<'_>, symbol: Symbol) -> u16 {
        self.constants.string(names, symbol)
    }

    /// The number of a type.
    pub(crate) fn type_id(&mut self, of: Type) -> u16 {
        let types = &mut self.program.types;
        *self.types.entry(of).or_insert_with(|| {
            self.is_full |= types.len() >= MAX_ITEMS;
            types.push(of);
            (types.len() - 1) as u16
        })
    }

    /// The number of a step.
    pub(crate) fn step(&mut self, step: Step) -> u16 {
        self.is_full |= self.program.steps.len() >= MAX_ITEMS;
        self.program.steps.push(step);
        (self.program.steps.len() - 1) as u16
    }

    /// The number of a function of the library.
    pub(crate) fn function(&mut self, index: u16) -> u16 {
        let Some(library) = self.library else {
            return index;
        };
        let known = &mut self.uses.functions;
        known.resize(library.program.functions.len(), 0);
        let known = &mut known[usize::from(index)];
        if *known == 0 {
            self.is_full |= self.next.functions >= MAX_ITEMS;
            *known = self.next.functions as u32 + 1;
            self.next.functions += 1;
            self.uses.function_order.push(index);
        }
        (*known - 1) as u16
    }

    /// The number of a class of the library.
    pub(crate) fn class(&mut self, index: u16) -> u16 {
        let Some(library) = self.library else {
            return index;
        };
        let classes = &library.program.classes;
        self.uses.classes.resize(classes.len(), 0);
        if self.uses.classes[usize::from(index)] == 0 {
            self.is_full |= self.next.classes >= MAX_ITEMS;
            self.uses.classes[usize::from(index)] = self.next.classes as u32 + 1;
            self.next.classes += 1;
            self.uses.class_order.push(index);
            for &(_, method) in &classes[usize::from(index)].methods {
                self.function(method);
            }
        }
        (self.uses.classes[usize::from(index)] - 1) as u16
    }

    /// The number of an enum of the library, and that of its first variant.
    pub(crate) fn enumeration(&mut self, index: u16) -> (u16, u16) {
        let Some(library) = self.library else {
            return (index, self.catalog.enums[usize::from(index)].first);
        };
        let enums = &library.program.enums;
        self.uses.enums.resize(enums.len(), (0, 0));
        let known = &mut self.uses.enums[usize::from(index)];
        if known.0 == 0 {
            *known = (self.next.enums as u32 + 1, self.next.variants as u16);
            self.next.enums += 1;
            self.next.variants += usize::from(enums[usize::from(index)].count);
            self.is_full |= self.next.is_too_large();
            self.uses.enum_order.push(index);
        }
        let (number, first) = self.uses.enums[usize::from(index)];
        ((number - 1) as u16, first)
    }

    /// The program calls methods of this name.
    pub(crate) fn calls_method(&mut self, name: &str) {
        if self.library.is_some()
            && let Some(&number) = self.catalog.method_names.get(name)
        {
            self.uses
                .methods
                .resize(self.catalog.method_names.len(), false);
            self.uses.methods[usize::from(number)] = true;
            self.uses.has_methods = true;
        }
    }

    /// The program with what it uses of the library. Wrong if it [is full](Self::is_full).
    pub(crate) fn finish(mut self) -> (Program, bool) {
        if let Some(library) = self.library
            && !self.is_full
            && (self.uses.has_methods
                || !self.uses.function_order.is_empty()
                || !self.uses.class_order.is_empty()
                || !self.uses.enum_order.is_empty())
        {
            self.link(library);
        }
        let Self {
            mut program,
            constants,
            is_full,
            ..
        } = self;
        let is_full = is_full || constants.is_full();
        program.constants = constants.finish();
        (program, is_full)
    }

    fn link(&mut self, library: &'l Library) {
        let first = self.program.functions.len();
        let mut linked: Vec<(LibraryMethod, u16)> = Vec::new();
        loop {
            // Functions that are copied may ask for more.
            while let Some(&index) = self
                .uses
                .function_order
                .get(self.program.functions.len() - first)
            {
                let function = self.copy(library, &library.program.functions[usize::from(index)]);
                self.program.functions.push(function);
            }
            let before = self.uses.function_order.len();
            self.link_methods(&mut linked);
            self.link_run();
            if self.uses.function_order.len() == before {
                break;
            }
        }
        self.program.library = linked.into_iter().map(|(method, _)| method).collect();
        self.program.library.sort_unstable();
        self.link_types(library);
        if self.program.functions.len() > first {
            self.add_module(library);
        }
    }

    /// Gives numbers to the methods whose names are called.
    fn link_methods(&mut self, linked: &mut Vec<(LibraryMethod, u16)>) {
        if !self.uses.has_methods {
            return;
        }
        let catalog = self.catalog;
        for (method, number) in &catalog.methods {
            let is_called = self.uses.methods[usize::from(*number)];
            let can_be = method.receiver != ValueKind::Stream || self.uses.has_streams;
            if is_called && can_be && !linked.iter().any(|(_, of)| *of == method.function) {
                let function = self.function(method.function);
                let method_here = LibraryMethod {
                    function,
                    ..method.clone()
                };
                linked.push((method_here, method.function));
            }
        }
    }

    /// The functions that finish and interrupt a run, if something can be registered.
    fn link_run(&mut self) {
        let is_used = |uses: &Uses, index: u16| {
            uses.functions
                .get(usize::from(index))
                .is_some_and(|&number| number != 0)
        };
        let catalog = self.catalog;
        let uses_any = |names: &[&str], uses: &Uses| {
            names
                .iter()
                .filter_map(|name| catalog.function(name))
                .any(|entry| is_used(uses, entry.function))
        };
        let hooks = ["on_finish", "pre_finish", "on_unsettled", "post_finish"];
        if self.program.finish.is_none()
            && uses_any(&hooks, &self.uses)
            && let Some(entry) = catalog.function("__finish")
        {
            self.program.finish = Some(self.function(entry.function));
        }
        if self.program.interrupt.is_none()
            && uses_any(&["on_interrupt"], &self.uses)
            && let Some(entry) = catalog.function("__interrupt")
        {
            self.program.interrupt = Some(self.function(entry.function));
        }
    }

    /// The classes and enums of the library that are used.
    fn link_types(&mut self, library: &Library) {
        for at in 0..self.uses.class_order.len() {
            let index = self.uses.class_order[at];
            let class = &library.program.classes[usize::from(index)];
            let methods = class.methods.iter();
            let methods = methods
                .map(|(name, function)| (name.clone(), self.function(*function)))
                .collect();
            self.program.classes.push(Class {
                name: class.name.clone(),
                fields: class.fields.clone(),
                methods,
            });
        }
        for &index in &self.uses.enum_order {
            let found = &library.program.enums[usize::from(index)];
            let of = self.program.enums.len() as u16;
            let from = usize::from(found.first);
            let variants = &library.program.variants[from..from + usize::from(found.count)];
            let first = self.program.variants.len() as u16;
            let copies = variants.iter().map(|variant| Variant {
                of,
                ..variant.clone()
            });
            self.program.variants.extend(copies);
            self.program.enums.push(Enum {
                first,
                ..found.clone()
            });
        }
    }

    /// The library's module comes first.
    fn add_module(&mut self, library: &Library) {
        let init = self.program.functions.len();
        self.is_full |= init >= MAX_ITEMS;
        let own = init - self.uses.function_order.len();
        for function in &mut self.program.functions[..own] {
            function.module += 1;
        }
        for global in &mut self.program.globals {
            global.module += 1;
        }
        let end = &library.program.functions[0];
        self.program.functions.push(Function {
            module: 0,
            ..end.clone()
        });
        let module = Module {
            path: library.program.modules[0].path.clone(),
            init: init as u16,
            exports: Vec::new(),
        };
        self.program.modules.insert(0, module);
    }

    /// A function of the library with the numbers of this program.
    fn copy(&mut self, library: &Library, function: &Function) -> Function {
        let mut copy = function.clone();
        copy.module = 0;
        for op in &mut copy.code {
            match *op {
                Op::CallMethod { name, .. } => {
                    if let Constant::String(name) = &library.program.constants[usize::from(name)] {
                        self.calls_method(name);
                    }
                }
                Op::CallBuiltin {
                    builtin: Builtin::NewStream,
                    ..
                } => {
                    self.uses.has_streams = true;
                    self.calls_method("next");
                }
                _ => {}
            }
            *op = op.with_operands(|operand| self.renumbered(library, operand));
        }
        copy
    }

    /// An operand of the library's code with the number of this program.
    fn renumbered(&mut self, library: &Library, operand: Operand) -> Operand {
        match operand {
            Operand::Constant(index) => Operand::Constant(self.constant(library, index)),
            Operand::Name(index) => Operand::Name(self.constant(library, index)),
            Operand::BareFunction(function) => Operand::BareFunction(self.function(function)),
            Operand::Closure(function) => Operand::Closure(self.function(function)),
            Operand::Class(class) => Operand::Class(self.class(class)),
            Operand::BareVariant(variant) => Operand::BareVariant(self.variant(library, variant)),
            Operand::Variant(variant) => Operand::Variant(self.variant(library, variant)),
            Operand::Type(type_id) => {
                let of = match library.program.types[usize::from(type_id)] {
                    Type::Class(class) => Type::Class(self.class(class)),
                    Type::Enum(of) => Type::Enum(self.enumeration(of).0),
                    Type::Variant(variant) => Type::Variant(self.variant(library, variant)),
                    other @ (Type::Error(_) | Type::Kind(_)) => other,
                };
                Operand::Type(self.type_id(of))
            }
            Operand::Step(step) => {
                Operand::Step(self.step(library.program.steps[usize::from(step)].clone()))
            }
            other => other,
        }
    }

    fn constant(&mut self, library: &Library, index: u16) -> u16 {
        match &library.program.constants[usize::from(index)] {
            Constant::Int(value) => self.constants.int(*value),
            Constant::Float(value) => self.constants.float(*value),
            Constant::String(text) => self.constants.text(text),
        }
    }

    fn variant(&mut self, library: &Library, variant: u16) -> u16 {
        let of = library.program.variants[usize::from(variant)].of;
        let (_, first) = self.enumeration(of);
        first + (variant - library.program.enums[usize::from(of)].first)
    }
}
