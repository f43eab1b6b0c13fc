//! The modules of a program, and which imports which.

use std::cell::OnceCell;

use rustc_hash::FxHashMap;

use super::{Loader, path};
use crate::ast::Ast;
use crate::diagnostic::Sink;
use crate::parser::{Dialect, parse};
use crate::source::{MAX_SOURCE_BYTES, Source, Span};

/// The most modules of a program.
pub const MAX_MODULES: usize = 4096;

/// Room for the sources of all modules: trees refer to texts, and modules are found while
/// there are trees.
pub(super) struct Texts {
    sources: Vec<OnceCell<Source>>,
}

impl Texts {
    pub(super) fn new() -> Self {
        Self {
            sources: (0..MAX_MODULES).map(|_| OnceCell::new()).collect(),
        }
    }

    /// Keeps a source at a place that is free.
    fn keep(&self, at: usize, source: Source) -> &Source {
        self.sources[at].get_or_init(|| source)
    }
}

/// The modules of a program.
pub(super) struct Graph<'t> {
    /// The entry module first, then in the order in which they were found.
    pub(super) modules: Vec<Parsed<'t>>,
    /// Indexes of modules in the order of initialisation.
    pub(super) order: Vec<usize>,
}

/// A module.
pub(super) struct Parsed<'t> {
    pub(super) source: &'t Source,
    /// `None` if it is too large or nested too deeply.
    pub(super) ast: Option<Ast<'t>>,
    pub(super) sink: Sink,
    /// For each import of the tree the module; `None` if there is none, which was
    /// reported.
    pub(super) targets: Vec<Option<usize>>,
}

impl<'t> Parsed<'t> {
    fn new(source: &'t Source) -> Self {
        let mut sink = Sink::default();
        let ast = if source.text.len() > MAX_SOURCE_BYTES {
            sink.report(
                Span::default(),
                format!("source file too large, the limit is {MAX_SOURCE_BYTES} bytes"),
            );
            None
        } else {
            parse(&source.text, Dialect::Program, &mut sink)
        };
        Self {
            source,
            ast,
            sink,
            targets: Vec::new(),
        }
    }

    /// The path and the place of an import, if there are so many; no path if it is
    /// misplaced.
    fn import(&self, at: usize) -> Option<(Option<&str>, Span)> {
        let ast = self.ast.as_ref()?;
        let import = ast.imports.get(at)?;
        let path = (!import.is_misplaced).then(|| ast.names.text(import.path));
        Some((path, import.span))
    }
}

impl<'t> Graph<'t> {
    /// The graph of one source whose imports are errors.
    pub(super) fn single(source: &'t Source) -> Self {
        let mut module = Parsed::new(source);
        let mut at = 0;
        while let Some((path, span)) = module.import(at) {
            if path.is_some() {
                module.sink.report_expected(
                    span,
                    "modules cannot be imported here, there is no module loader",
                    "a program of one file",
                );
            }
            module.targets.push(None);
            at += 1;
        }
        Self {
            modules: vec![module],
            order: vec![0],
        }
    }

    /// The module at `entry` and all that it needs. Errors are in the sinks.
    pub(super) fn load(texts: &'t Texts, entry: &str, loader: &dyn Loader) -> Self {
        let mut walk = Walk {
            texts,
            loader,
            modules: Vec::new(),
            by_path: FxHashMap::default(),
            states: Vec::new(),
        };
        if let Err(reason) = walk.add(entry.to_owned()) {
            let source = texts.keep(0, Source::new(entry, ""));
            let mut module = Parsed::new(source);
            let message = format!("the entry module cannot be read: {reason}");
            module.sink.report(Span::default(), message);
            return Self {
                modules: vec![module],
                order: vec![0],
            };
        }
        let order = walk.run();
        Self {
            modules: walk.modules,
            order,
        }
    }
}

/// How far the walk has come with a module.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Some of its imports are not done.
    Open,
    Done,
}

struct Walk<'t, 'l> {
    texts: &'t Texts,
    loader: &'l dyn Loader,
    modules: Vec<Parsed<'t>>,
    by_path: FxHashMap<String, usize>,
    states: Vec<State>,
}

impl Walk<'_, '_> {
    fn add(&mut self, path: String) -> Result<usize, String> {
        let index = self.modules.len();
        if index >= MAX_MODULES {
            return Err(format!("too many modules, the limit is {MAX_MODULES}"));
        }
        let text = self.loader.load(&path)?;
        let source = self.texts.keep(index, Source::new(path.clone(), text));
        self.modules.push(Parsed::new(source));
        self.by_path.insert(path, index);
        self.states.push(State::Open);
        Ok(index)
    }

    /// Follows all imports, from the first module on, in depth before breadth and without
    /// recursion; the order in which modules are done.
    fn run(&mut self) -> Vec<usize> {
        let mut order = Vec::new();
        let mut open = vec![0];
        while let Some(&index) = open.last() {
            let module = &self.modules[index];
            let at = module.targets.len();
            let Some((path, span)) = module.import(at) else {
                self.states[index] = State::Done;
                order.push(index);
                open.pop();
                continue;
            };
            let path = path.map(str::to_owned);
            let target = path.and_then(|path| self.follow(index, &path, span, &open));
            self.modules[index].targets.push(target);
            if let Some(target) = target
                && self.states[target] == State::Open
            {
                open.push(target);
            }
        }
        order
    }

    /// The module that an import names, or `None`, which is reported.
    fn follow(&mut self, index: usize, path: &str, span: Span, open: &[usize]) -> Option<usize> {
        let importer = &self.modules[index].source.path;
        let full = match path::join(importer, path) {
            Ok(full) => full,
            Err((message, expected)) => {
                let sink = &mut self.modules[index].sink;
                sink.report_expected(span, message, expected);
                return None;
            }
        };
        let known = self.by_path.get(&full).copied();
        if let Some(target) = known.filter(|&target| self.states[target] == State::Done) {
            return Some(target);
        }
        if let Some(target) = known {
            let from = open.iter().position(|&other| other == target).unwrap_or(0);
            let cycle = self.cycle(&open[from..], target);
            self.modules[index].sink.report_hint(
                span,
                format!("modules import one another: {cycle}"),
                Some("move what both need into a third module".to_owned()),
            );
            return None;
        }
        match self.add(full) {
            Ok(target) => Some(target),
            Err(reason) => {
                let message = format!("the module \"{path}\" cannot be read: {reason}");
                self.modules[index].sink.report(span, message);
                None
            }
        }
    }

    /// The modules of a cycle, for a message.
    fn cycle(&self, open: &[usize], target: usize) -> String {
        const SHOWN: usize = 8;
        let path = |&index: &usize| self.modules[index].source.path.as_str();
        let mut names: Vec<&str> = open.iter().take(SHOWN).map(path).collect();
        if open.len() > SHOWN {
            names.push("…");
        }
        names.push(path(&target));
        names.join(" → ")
    }
}
