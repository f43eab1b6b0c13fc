//! The part of the library that is written in Crux.
//!
//! Its sources are compiled once, when the first program is, and programs get copies of
//! the functions that they can reach (see [`Linker`]). All sources are one module.

mod spoiled;

use std::sync::OnceLock;

use gcrucible_bytecode::{
    Builtin, Function, LibraryMethod, LiveMap, Module, Op, Program, SourceSpan, verify,
};
use rustc_hash::FxHashMap;

use crate::ast::Ast;
use crate::compile;
use crate::diagnostic::Sink;
use crate::link::{Bases, Linker};
use crate::parser::{Dialect, parse};
use crate::resolve;

/// The path of the library's module.
const PATH: &str = "<library>";

/// The namespaces that every module sees.
pub(crate) const NAMESPACES: &[&str] = &[
    "math", "random", "time", "json", "log", "sys", "testing", "fs", "http", "clients",
];

const SOURCES: &[(&str, &str)] = &[
    ("array", include_str!("../library/array.crux")),
    ("clients", include_str!("../library/clients.crux")),
    ("host", include_str!("../library/host.crux")),
    ("json", include_str!("../library/json.crux")),
    ("lifecycle", include_str!("../library/lifecycle.crux")),
    ("log", include_str!("../library/log.crux")),
    ("map", include_str!("../library/map.crux")),
    ("math", include_str!("../library/math.crux")),
    ("range", include_str!("../library/range.crux")),
    ("schedule", include_str!("../library/schedule.crux")),
    ("stream", include_str!("../library/stream.crux")),
    ("string", include_str!("../library/string.crux")),
    ("testing", include_str!("../library/testing.crux")),
];

/// The compiled library.
pub(crate) struct Library {
    pub(crate) catalog: Catalog,
    /// Function 0 is the initialiser, which only returns.
    pub(crate) program: Program,
}

/// What the library has, by name.
#[derive(Default)]
pub(crate) struct Catalog {
    pub(crate) functions: Vec<Entry>,
    pub(crate) classes: Vec<ClassEntry>,
    pub(crate) enums: Vec<EnumEntry>,
    /// All methods of built-in kinds, with the number of their name.
    pub(crate) methods: Vec<(LibraryMethod, u16)>,
    /// Each name of a method once.
    pub(crate) method_names: FxHashMap<String, u16>,
    by_name: FxHashMap<String, Item>,
}

/// Something the library has, by its index in the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Function(u16),
    Class(u16),
    Enum(u16),
}

/// A function that is no method.
pub(crate) struct Entry {
    pub(crate) name: String,
    /// In the library's program.
    pub(crate) function: u16,
    /// Fewest arguments.
    pub(crate) required: u8,
    /// Arguments that may be left out, which are nil then.
    pub(crate) optional: u8,
    /// Whether all other arguments come as an array.
    pub(crate) has_rest: bool,
}

/// A class.
pub(crate) struct ClassEntry {
    pub(crate) name: String,
    pub(crate) fields: Vec<String>,
}

/// An enum.
pub(crate) struct EnumEntry {
    pub(crate) name: String,
    /// Its first variant in the library's program.
    pub(crate) first: u16,
    /// Names and arities.
    pub(crate) variants: Vec<(String, u8)>,
}

impl Catalog {
    /// What has this name.
    pub(crate) fn item(&self, name: &str) -> Option<Item> {
        self.by_name.get(name).copied()
    }

    /// The function of this name.
    pub(crate) fn function(&self, name: &str) -> Option<&Entry> {
        match self.item(name)? {
            Item::Function(index) => Some(&self.functions[usize::from(index)]),
            _ => None,
        }
    }

    /// The names that programs may use.
    pub(crate) fn public_names(&self) -> impl Iterator<Item = &str> {
        let functions = self.functions.iter().map(|entry| entry.name.as_str());
        let classes = self.classes.iter().map(|entry| entry.name.as_str());
        let enums = self.enums.iter().map(|entry| entry.name.as_str());
        functions
            .chain(classes)
            .chain(enums)
            .filter(|name| !is_private(name))
    }

    fn add(&mut self, ast: &Ast<'_>, bases: Bases) {
        let text = |symbol| ast.names.text(symbol).to_owned();
        for found in &ast.library_functions {
            let function = (bases.functions + found.function.index()) as u16;
            if let Some((receiver, name)) = found.receiver {
                let names = self.method_names.len() as u16;
                let number = *self.method_names.entry(text(name)).or_insert(names);
                let method = LibraryMethod {
                    receiver,
                    name: text(name),
                    function,
                };
                self.methods.push((method, number));
                continue;
            }
            let parameters = ast.function(found.function).parameters.len as u8;
            let index = self.functions.len() as u16;
            self.by_name.insert(text(found.name), Item::Function(index));
            self.functions.push(Entry {
                name: text(found.name),
                function,
                required: parameters - found.optional - u8::from(found.has_rest),
                optional: found.optional,
                has_rest: found.has_rest,
            });
        }
        for class in &ast.classes {
            let index = self.classes.len() as u16;
            self.by_name.insert(text(class.name), Item::Class(index));
            let fields = &ast.class_fields[class.fields.range()];
            self.classes.push(ClassEntry {
                name: text(class.name),
                fields: fields.iter().map(|field| text(field.name)).collect(),
            });
        }
        let mut first = bases.variants as u16;
        for found in &ast.enums {
            let index = self.enums.len() as u16;
            self.by_name.insert(text(found.name), Item::Enum(index));
            let variants = &ast.variants[found.variants.range()];
            let variants: Vec<_> = variants
                .iter()
                .map(|variant| (text(variant.name), variant.arity as u8))
                .collect();
            let count = variants.len() as u16;
            self.enums.push(EnumEntry {
                name: text(found.name),
                first,
                variants,
            });
            first += count;
        }
    }
}

/// Whether a name is for the library alone.
pub(crate) fn is_private(name: &str) -> bool {
    name.starts_with("__")
}

/// The built-in of this name that programs may call; `is_library` says who asks.
pub(crate) fn builtin(name: &str, is_library: bool) -> Option<Builtin> {
    (is_library || !is_private(name))
        .then(|| Builtin::from_name(name))
        .flatten()
}

/// The library, which is compiled by the first call.
pub(crate) fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    if let Some(spoiled) = spoiled::library() {
        return spoiled;
    }
    LIBRARY.get_or_init(|| match compile_sources(SOURCES) {
        Ok(library) => library,
        // Not with the sources above: a test compiles them.
        Err(errors) => panic!("the library does not compile:\n{errors}"),
    })
}

/// Compiles the library. The errors are for its authors.
fn compile_sources(sources: &[(&str, &str)]) -> Result<Library, String> {
    let mut errors = String::new();
    let mut asts = Vec::new();
    let mut catalog = Catalog::default();
    // The initialiser is function 0.
    let start = Bases {
        functions: 1,
        ..Bases::default()
    };
    let mut end = start;
    for (name, text) in sources {
        let mut sink = Sink::default();
        let ast = parse(text, Dialect::Library, &mut sink);
        if let Some(ast) = ast.filter(|_| sink.is_empty()) {
            catalog.add(&ast, end);
            end = end.after(&ast);
            asts.push((ast, *text));
        } else {
            errors.push_str(&format!("{name}.crux: {}\n", sink.finish(text)));
        }
    }
    catalog
        .methods
        .sort_by(|(a, _), (b, _)| (a.receiver, &a.name).cmp(&(b.receiver, &b.name)));
    let mut linker = Linker::new(&catalog, None, end);
    linker.program.functions.push(initialiser());
    linker.program.modules.push(Module {
        path: PATH.to_owned(),
        init: 0,
        exports: Vec::new(),
    });
    let mut bases = start;
    for ((ast, text), (name, _)) in asts.iter().zip(sources) {
        let mut sink = Sink::default();
        let unit = resolve::Unit {
            bases,
            is_library: true,
            imports: &[],
        };
        let resolved = resolve::resolve(ast, &unit, &mut linker, &mut sink);
        if sink.is_empty() {
            compile::generate(ast, &resolved, &unit, text, &mut linker, &mut sink);
            compile::declare(ast, &resolved, &unit, &mut linker);
        }
        if !sink.is_empty() {
            errors.push_str(&format!("{name}.crux: {}\n", sink.finish(text)));
        }
        bases = bases.after(ast);
    }
    let (mut program, _) = linker.finish();
    program.find_live_registers();
    if errors.is_empty()
        && let Err(found) = verify(&program)
    {
        errors = found.iter().map(|error| format!("{error}\n")).collect();
    }
    if errors.is_empty() {
        Ok(Library { catalog, program })
    } else {
        Err(errors)
    }
}

/// The initialiser of the library's module.
fn initialiser() -> Function {
    let code = vec![Op::LoadNil { dst: 0 }, Op::Return { src: 0 }];
    Function {
        name: "<module>".to_owned(),
        module: 0,
        arity: 0,
        locals: 0,
        registers: 1,
        captures: Vec::new(),
        capture_names: Vec::new(),
        spans: vec![SourceSpan::default(); code.len()],
        code,
        live: LiveMap::default(),
    }
}
