//! Programs of several files: imports are followed, modules compiled in the order in which
//! they are initialised.

mod graph;
mod listing;
mod path;

use std::fmt;

use gcrucible_bytecode::{Module, VerifiedProgram};
use rustc_hash::FxHashMap;

use crate::ast::{Ast, Symbol};
use crate::compile::{self, MAX_CONSTANTS};
use crate::diagnostic::{Diagnostics, Sink};
use crate::hint::{MAX_HINTS, list, nearest};
use crate::library::library;
use crate::link::{Bases, Linker};
use crate::modules::graph::{Graph, Texts};
use crate::resolve::{self, Imported, MAX_ITEMS, Resolved, Unit};
use crate::source::{Source, Span};

pub use graph::MAX_MODULES;
pub use listing::Listing;
pub(crate) use listing::module_paths;

/// Gives the texts of modules. The front end itself reads no files.
pub trait Loader {
    /// The text of the module at `path`, which is relative to where the path of the entry
    /// module begins, with `/` between its parts.
    ///
    /// # Errors
    ///
    /// Why there is none, as a part of a sentence: `no such file`.
    fn load(&self, path: &str) -> Result<String, String>;
}

/// All errors of the modules of a program; never empty when it comes from
/// [`compile_modules`](crate::compile_modules).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleErrors {
    modules: Vec<(Source, Diagnostics)>,
}

impl ModuleErrors {
    /// The modules with errors, in order of initialisation, and their errors.
    pub fn iter(&self) -> std::slice::Iter<'_, (Source, Diagnostics)> {
        self.modules.iter()
    }

    /// A report for people, as [`Diagnostics::render`] makes it.
    pub fn render(&self, color: bool) -> String {
        let modules = self.modules.iter();
        modules
            .map(|(source, errors)| errors.render(source, color))
            .collect()
    }
}

impl fmt::Display for ModuleErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self.modules.iter().flat_map(|(source, errors)| {
            let path = &source.path;
            errors.iter().map(move |error| format!("{path}:{error}"))
        });
        if let Some(first) = lines.next() {
            f.write_str(&first)?;
        }
        lines.try_for_each(|line| write!(f, "\n{line}"))
    }
}

impl std::error::Error for ModuleErrors {}

/// See [`crate::compile_modules`].
pub(crate) fn compile_all(
    entry: &str,
    loader: &dyn Loader,
) -> Result<VerifiedProgram, ModuleErrors> {
    let texts = Texts::new();
    let mut graph = Graph::load(&texts, entry, loader);
    let program = link(&mut graph);
    let errors: Vec<_> = graph
        .modules
        .into_iter()
        .filter(|module| !module.sink.is_empty())
        .map(|module| {
            (
                module.source.clone(),
                module.sink.finish(&module.source.text),
            )
        })
        .collect();
    match program {
        Some(program) if errors.is_empty() => Ok(program),
        _ => Err(ModuleErrors { modules: errors }),
    }
}

/// One source, the entry module, which cannot import.
pub(crate) fn compile_one(source: &Source) -> Result<VerifiedProgram, Diagnostics> {
    let mut graph = Graph::single(source);
    let program = link(&mut graph);
    let module = graph.modules.pop();
    match (program, module) {
        (Some(program), Some(module)) if module.sink.is_empty() => Ok(program),
        (_, module) => {
            let sink = module.map(|module| module.sink).unwrap_or_default();
            Err(sink.finish(&source.text))
        }
    }
}

/// What a module defines at its top level.
struct Exports {
    by_name: FxHashMap<String, Export>,
    /// The names that others may import, sorted.
    public: Vec<String>,
}

#[derive(Clone, Copy)]
struct Export {
    what: Imported,
    /// Whether others may import it.
    is_exported: bool,
}

/// The program of all modules, or `None`; then the sinks say why.
fn link(graph: &mut Graph<'_>) -> Option<VerifiedProgram> {
    let library = library();
    let mut bases = Vec::with_capacity(graph.order.len());
    let mut end = Bases::default();
    for &index in &graph.order {
        bases.push(end);
        if let Some(ast) = &graph.modules[index].ast {
            end = end.after(ast);
        }
    }
    let mut linker = Linker::new(&library.catalog, Some(library), end);
    let mut exports: Vec<Option<Exports>> = graph.modules.iter().map(|_| None).collect();
    let mut is_right = graph.modules.iter().all(|module| module.sink.is_empty());
    let order = std::mem::take(&mut graph.order);
    for (&index, &bases) in order.iter().zip(&bases) {
        let is_entry = index == 0;
        let imports = imports(graph, index, &exports);
        let module = &mut graph.modules[index];
        let Some(ast) = &module.ast else {
            continue;
        };
        let unit = Unit {
            bases,
            is_library: false,
            imports: &imports,
        };
        let resolved = resolve::resolve(ast, &unit, &mut linker, &mut module.sink);
        is_right &= module.sink.is_empty();
        if is_right {
            let text = &module.source.text;
            let sink = &mut module.sink;
            compile::generate(ast, &resolved, &unit, text, &mut linker, sink);
            is_right &= module.sink.is_empty();
        }
        let first_global = linker.program.globals.len();
        compile::declare(ast, &resolved, &unit, &mut linker);
        linker.program.modules.push(Module {
            path: module.source.path.clone(),
            init: bases.functions as u16,
            exports: public_globals(ast, &resolved, first_global, is_entry),
        });
        if !is_entry {
            exports[index] = Some(top_level(ast, &resolved, bases, first_global));
        }
    }
    if !is_right {
        return None;
    }
    finish(linker, &mut graph.modules.first_mut()?.sink)
}

fn finish(linker: Linker<'_>, sink: &mut Sink) -> Option<VerifiedProgram> {
    let has_too_many_constants = linker.constants.is_full();
    let (mut program, is_full) = linker.finish();
    if is_full {
        let what = if has_too_many_constants || program.constants.len() >= MAX_CONSTANTS {
            format!("too many literals and names, the limit is {MAX_CONSTANTS}")
        } else {
            format!(
                "too many functions, classes, enums, types or steps, the limit is {MAX_ITEMS} of \
                 each"
            )
        };
        sink.report(Span::default(), what);
        return None;
    }
    program.find_live_registers();
    let refused = match VerifiedProgram::new(program) {
        Ok(program) => return Some(program),
        Err(refused) => refused,
    };
    // Never seen by a user unless the compiler is wrong; no executor may see it.
    for error in refused.errors {
        sink.report(
            Span::default(),
            format!("the compiler made wrong code: {error}"),
        );
    }
    None
}

/// The globals that the host may read by name: those that are exported, and all of the
/// entry module.
fn public_globals(
    ast: &Ast<'_>,
    resolved: &Resolved,
    first: usize,
    is_entry: bool,
) -> Vec<(String, u16)> {
    let mut exports: Vec<(String, u16)> = resolved
        .globals
        .iter()
        .enumerate()
        .map(|(at, &decl)| (ast.decl(decl), (first + at) as u16))
        .filter(|(decl, _)| (is_entry || decl.is_exported) && decl.name != Symbol::UNDERSCORE)
        .map(|(decl, number)| (ast.names.text(decl.name).to_owned(), number))
        .collect();
    exports.sort_unstable();
    exports
}

/// What a module defines, for those that import it.
fn top_level(ast: &Ast<'_>, resolved: &Resolved, bases: Bases, first_global: usize) -> Exports {
    let text = |symbol| ast.names.text(symbol).to_owned();
    let globals = resolved.globals.iter().enumerate().map(|(at, &decl)| {
        let decl = ast.decl(decl);
        let what = Imported::Global((first_global + at) as u16);
        (decl.name, what, decl.is_exported)
    });
    let classes = ast.classes.iter().enumerate().map(|(at, class)| {
        let what = Imported::Class((bases.classes + at) as u16);
        (class.name, what, class.is_exported)
    });
    let enums = ast.enums.iter().enumerate().map(|(at, found)| {
        let what = Imported::Enum((bases.enums + at) as u16);
        (found.name, what, found.is_exported)
    });
    let by_name = globals.chain(classes).chain(enums);
    let by_name =
        by_name.map(|(name, what, is_exported)| (text(name), Export { what, is_exported }));
    let by_name: FxHashMap<String, Export> = by_name.collect();
    // Some of them, for messages.
    const SHOWN: usize = 1000;
    let public = by_name.iter().filter(|(_, export)| export.is_exported);
    let mut public: Vec<String> = public.map(|(name, _)| name.clone()).collect();
    public.sort_unstable();
    public.truncate(SHOWN);
    Exports { by_name, public }
}

/// What each imported name of a module is; what is wrong is reported.
fn imports(graph: &mut Graph<'_>, index: usize, exports: &[Option<Exports>]) -> Vec<Imported> {
    let module = &mut graph.modules[index];
    let Some(ast) = &module.ast else {
        return Vec::new();
    };
    let mut found = vec![Imported::Unknown; ast.import_names.len()];
    let mut hints_left = MAX_HINTS;
    for (import, target) in ast.imports.iter().zip(&module.targets) {
        let Some(exports) = target.and_then(|target| exports[target].as_ref()) else {
            continue;
        };
        for at in import.names.range() {
            let name = ast.import_names[at];
            let text = ast.names.text(name.name);
            if text.is_empty() {
                continue;
            }
            let path = ast.names.text(import.path);
            match exports.by_name.get(text) {
                Some(export) if export.is_exported => found[at] = export.what,
                Some(_) => module.sink.report_hint(
                    name.span,
                    format!("`{text}` of \"{path}\" is not exported"),
                    Some("put `export` before its definition".to_owned()),
                ),
                None if !module.sink.keeps_more() => module.sink.report(name.span, ""),
                None => {
                    let names: Vec<&str> = exports.public.iter().map(String::as_str).collect();
                    let hint = if hints_left > 0 {
                        nearest(text, names.iter().copied())
                    } else {
                        None
                    };
                    hints_left = hints_left.saturating_sub(1);
                    let expected = match names.is_empty() {
                        true => "nothing, it exports nothing".to_owned(),
                        false => format!("one of {}", list(&names)),
                    };
                    module.sink.add(
                        name.span,
                        format!("\"{path}\" has no `{text}`"),
                        Some(expected),
                        hint,
                    );
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
