//! The top level: what a source defines and imports.

use gcrucible_bytecode::verify::MAX_MEMBERS;

use super::types::{Imported, Named};
use super::{MAX_ITEMS, MAX_VARIANTS, Resolver};
use crate::ast::{ClassId, DeclId, EnumId, FunctionNodeId, StmtKind, Symbol};
use crate::source::Span;

impl Resolver<'_, '_, '_, '_> {
    pub(super) fn module(&mut self) {
        let body = self.ast.functions[0].body;
        if self.ast.functions.len() > MAX_ITEMS
            || self.ast.classes.len() > MAX_ITEMS
            || self.ast.enums.len() > MAX_ITEMS
            || self.ast.variants.len() > MAX_ITEMS
        {
            self.sink.report(
                Span::default(),
                format!(
                    "too many functions, classes, enums or variants, the limit is {MAX_ITEMS} of \
                     each"
                ),
            );
            return;
        }
        self.open_function(FunctionNodeId(0));
        self.imports();
        // Functions first: their globals are set before the module's code runs.
        for hoisted in [true, false] {
            for &stmt in &self.ast.stmt_ids[body.range()] {
                match self.ast.stmt(stmt).kind {
                    // The library's functions are known to all of its sources.
                    StmtKind::Fn(..) if self.unit.is_library => {}
                    StmtKind::Fn(decl, _) if hoisted => self.define_global(decl, true),
                    StmtKind::Let(decl, _) if !hoisted => self.define_global(decl, false),
                    StmtKind::Class(class) if hoisted => self.define_class(class),
                    StmtKind::Enum(of) if hoisted => self.define_enum(of),
                    _ => {}
                }
            }
        }
        self.stmts(body);
        self.close_function();
    }

    fn imports(&mut self) {
        for (at, name) in self.ast.import_names.iter().enumerate() {
            let decl = *self.ast.decl(name.decl);
            let imported = self.unit.imports.get(at);
            let named = match imported.copied().unwrap_or(Imported::Unknown) {
                Imported::Global(global) => {
                    if let Some(variable) = self.enter_name(name.decl) {
                        variable.global = Some(global);
                    }
                    continue;
                }
                Imported::Class(id) => Named::ImportedClass(id),
                Imported::Enum(id) => Named::ImportedEnum(id),
                Imported::Unknown => Named::Unknown,
            };
            self.define_named(decl.name, decl.span, named);
        }
    }

    fn define_global(&mut self, decl: DeclId, is_defined: bool) {
        let number = self.global_base + self.out.globals.len();
        let Some(variable) = self.enter_name(decl) else {
            return;
        };
        variable.is_defined = is_defined;
        if number >= MAX_ITEMS {
            let span = self.ast.decl(decl).span;
            self.sink
                .report(span, format!("too many globals, the limit is {MAX_ITEMS}"));
            return;
        }
        self.out.variables[decl.index()].global = Some(number as u16);
        self.out.globals.push(decl);
    }

    fn define_named(&mut self, name: Symbol, span: Span, named: Named) {
        if name == Symbol::EMPTY {
            return;
        }
        if self.named[name.index()].is_some() || self.visible[name.index()] != 0 {
            self.duplicate(name, span);
        } else {
            self.named[name.index()] = Some(named);
        }
    }

    fn define_class(&mut self, id: ClassId) {
        let class = &self.ast.classes[id.index()];
        self.define_named(class.name, class.span, Named::Class(id));
        let fields = &self.ast.class_fields[class.fields.range()];
        if fields.len() > MAX_MEMBERS {
            self.sink.report(
                class.span,
                format!("too many fields, the limit is {MAX_MEMBERS} for a class"),
            );
            return;
        }
        let methods = &self.ast.methods[class.methods.range()];
        let fields = fields.iter().map(|field| (field.name, field.span));
        let methods = methods.iter().map(|method| (method.name, method.span));
        self.all_differ(fields.chain(methods).collect());
    }

    fn define_enum(&mut self, id: EnumId) {
        let found = &self.ast.enums[id.index()];
        self.define_named(found.name, found.span, Named::Enum(id));
        let variants = &self.ast.variants[found.variants.range()];
        if variants.len() > MAX_VARIANTS {
            self.sink.report(
                found.span,
                format!("too many variants, the limit is {MAX_VARIANTS} for an enum"),
            );
        }
        let names = variants.iter().map(|variant| (variant.name, variant.span));
        self.all_differ(names.collect());
        for variant in variants {
            if variant.arity as usize > MAX_MEMBERS {
                self.sink.report(
                    variant.span,
                    format!("too many values, the limit is {MAX_MEMBERS} for a variant"),
                );
            }
        }
    }

    /// Reports each name that is there more than once; there may be many.
    fn all_differ(&mut self, mut names: Vec<(Symbol, Span)>) {
        names.sort_unstable_by_key(|&(name, span)| (name.index(), span.start));
        for pair in names.windows(2) {
            if pair[0].0 == pair[1].0 {
                self.duplicate(pair[1].0, pair[1].1);
            }
        }
    }
}
