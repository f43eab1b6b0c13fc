//! Classes, enums and namespaces: names that are no values.

use gcrucible_bytecode::{ErrorKind, Type, ValueKind};

use super::{Binding, MAX_VARIANTS, Resolver};
use crate::ast::{ClassId, EnumId, Symbol, TypeNameId};
use crate::library::{Item, NAMESPACES};
use crate::source::Span;

/// What a name stands for that is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Class(ClassId),
    Enum(EnumId),
    /// By its number in the program.
    ImportedClass(u16),
    ImportedEnum(u16),
    /// By its index in the catalog.
    LibraryClass(u16),
    LibraryEnum(u16),
    /// Index into [`NAMESPACES`].
    Namespace(u8),
    /// Something imported that was reported.
    Unknown,
}

/// What an imported name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Imported {
    /// By its number in the program.
    Global(u16),
    Class(u16),
    Enum(u16),
    /// Was reported.
    Unknown,
}

impl Named {
    pub(super) fn what(self) -> &'static str {
        match self {
            Named::Class(_) | Named::ImportedClass(_) | Named::LibraryClass(_) => "class",
            Named::Enum(_) | Named::ImportedEnum(_) | Named::LibraryEnum(_) => "enum",
            Named::Namespace(_) => "namespace",
            Named::Unknown => "name",
        }
    }
}

impl Resolver<'_, '_, '_, '_> {
    /// The class or enum that a name stands for, if nothing hides it.
    pub(super) fn named(&self, name: Symbol) -> Option<Named> {
        if self.visible[name.index()] != 0 {
            return None;
        }
        self.named_type(name)
    }

    /// The class or enum that a name stands for where a type belongs: variables of this
    /// name do not matter.
    pub(super) fn named_type(&self, name: Symbol) -> Option<Named> {
        if let Some(named) = self.named[name.index()] {
            return Some(named);
        }
        match self.library_item(self.ast.names.text(name))? {
            Item::Function(_) => None,
            Item::Class(index) => Some(Named::LibraryClass(index)),
            Item::Enum(index) => Some(Named::LibraryEnum(index)),
        }
    }

    /// The number of a class and how many fields it has.
    pub(super) fn class(&mut self, named: Named) -> Option<Binding> {
        let (id, fields) = match named {
            Named::Class(id) => {
                let fields = self.ast.classes[id.index()].fields.len as usize;
                ((self.unit.bases.classes + id.index()) as u16, fields)
            }
            Named::ImportedClass(id) => {
                let class = &self.linker.program.classes[usize::from(id)];
                (id, class.fields.len())
            }
            Named::LibraryClass(index) => {
                let class = &self.linker.catalog.classes[usize::from(index)];
                (self.linker.class(index), class.fields.len())
            }
            _ => return None,
        };
        let fields = fields.min(255) as u8;
        Some(Binding::Class { id, fields })
    }

    /// For each field of a class, in order, its symbol in this source, if it has one.
    pub(super) fn class_fields(&self, named: Named) -> Vec<Option<Symbol>> {
        let known = |names: &[String]| {
            names
                .iter()
                .map(|name| self.ast.names.known(name))
                .collect()
        };
        match named {
            Named::Class(id) => {
                let fields = self.ast.classes[id.index()].fields;
                let fields = &self.ast.class_fields[fields.range()];
                fields.iter().map(|field| Some(field.name)).collect()
            }
            Named::ImportedClass(id) => known(&self.linker.program.classes[usize::from(id)].fields),
            Named::LibraryClass(index) => {
                known(&self.linker.catalog.classes[usize::from(index)].fields)
            }
            _ => Vec::new(),
        }
    }

    /// The names of the fields of a class, or of the variants of an enum.
    pub(super) fn member_names(&self, named: Named) -> Vec<String> {
        let text = |symbol| self.ast.names.text(symbol).to_owned();
        match named {
            Named::Class(id) => {
                let fields = self.ast.classes[id.index()].fields;
                let fields = &self.ast.class_fields[fields.range()];
                fields.iter().map(|field| text(field.name)).collect()
            }
            Named::Enum(id) => {
                let variants = self.ast.enums[id.index()].variants;
                let variants = &self.ast.variants[variants.range()];
                let variants = variants.iter().take(MAX_VARIANTS);
                variants.map(|variant| text(variant.name)).collect()
            }
            Named::ImportedClass(id) => self.linker.program.classes[usize::from(id)].fields.clone(),
            Named::ImportedEnum(id) => {
                let found = &self.linker.program.enums[usize::from(id)];
                let first = usize::from(found.first);
                let variants = &self.linker.program.variants[first..];
                let count = usize::from(found.count).min(MAX_VARIANTS);
                let variants = variants.iter().take(count);
                variants.map(|variant| variant.name.clone()).collect()
            }
            Named::LibraryClass(index) => self.linker.catalog.classes[usize::from(index)]
                .fields
                .clone(),
            Named::LibraryEnum(index) => {
                let found = &self.linker.catalog.enums[usize::from(index)];
                found
                    .variants
                    .iter()
                    .map(|(name, _)| name.clone())
                    .collect()
            }
            Named::Namespace(index) => {
                let namespace = NAMESPACES[usize::from(index)];
                self.namespace_functions(namespace)
                    .map(str::to_owned)
                    .collect()
            }
            Named::Unknown => Vec::new(),
        }
    }

    /// The name of a class, enum or namespace.
    pub(super) fn title(&self, named: Named) -> &str {
        let program = &self.linker.program;
        let catalog = self.linker.catalog;
        match named {
            Named::Class(id) => self.ast.names.text(self.ast.classes[id.index()].name),
            Named::Enum(id) => self.ast.names.text(self.ast.enums[id.index()].name),
            Named::ImportedClass(id) => &program.classes[usize::from(id)].name,
            Named::ImportedEnum(id) => &program.enums[usize::from(id)].name,
            Named::LibraryClass(index) => &catalog.classes[usize::from(index)].name,
            Named::LibraryEnum(index) => &catalog.enums[usize::from(index)].name,
            Named::Namespace(index) => NAMESPACES[usize::from(index)],
            Named::Unknown => "",
        }
    }

    /// The number of an enum.
    fn enumeration(&mut self, named: Named) -> Option<u16> {
        match named {
            Named::Enum(id) => Some((self.unit.bases.enums + id.index()) as u16),
            Named::ImportedEnum(id) => Some(id),
            Named::LibraryEnum(index) => Some(self.linker.enumeration(index).0),
            _ => None,
        }
    }

    /// A variant of an enum, reported if there is none.
    pub(super) fn variant(&mut self, named: Named, variant: Symbol, span: Span) -> Option<Binding> {
        let name = self.ast.names.text(variant);
        let found = match named {
            Named::Enum(id) => {
                let list = self.ast.enums[id.index()].variants;
                let variants = &self.ast.variants[list.range()];
                let mut known = variants.iter().take(MAX_VARIANTS);
                let at = known.position(|found| found.name == variant);
                at.map(|at| {
                    let index = self.unit.bases.variants + list.start as usize + at;
                    (index as u16, variants[at].arity.min(255) as u8)
                })
            }
            Named::ImportedEnum(id) => {
                let of = &self.linker.program.enums[usize::from(id)];
                let variants = &self.linker.program.variants;
                let first = usize::from(of.first);
                let mut range = first..first + usize::from(of.count).min(MAX_VARIANTS);
                range
                    .find(|&at| variants[at].name == name)
                    .map(|at| (at as u16, variants[at].arity))
            }
            Named::LibraryEnum(index) => {
                let variants = &self.linker.catalog.enums[usize::from(index)].variants;
                let at = variants.iter().position(|(found, _)| found == name);
                at.map(|at| {
                    let (_, first) = self.linker.enumeration(index);
                    (first + at as u16, variants[at].1)
                })
            }
            Named::Unknown => return None,
            _ => {
                self.sink.report_expected(
                    span,
                    format!("this {} has no variants", named.what()),
                    "the name of an enum before the `.`",
                );
                return None;
            }
        };
        if found.is_none() && variant != Symbol::EMPTY {
            self.unknown_member(named, variant, span);
        }
        found.map(|(variant, arity)| Binding::Variant { variant, arity })
    }

    /// Sets the type that a name of a type means, or reports that there is none. The
    /// result is the variant that it names, if it names one.
    pub(super) fn type_name(&mut self, id: TypeNameId) -> Option<Binding> {
        let of = self.ast.types[id.index()];
        if of.name == Symbol::EMPTY {
            return None;
        }
        let (found, variant) = match (self.named_type(of.name), of.variant) {
            (Some(Named::Unknown), _) => return None,
            (Some(named), Some(name)) => {
                let binding = self.variant(named, name, of.span)?;
                let Binding::Variant { variant, .. } = binding else {
                    return None;
                };
                (Type::Variant(variant), Some(binding))
            }
            (Some(named), None) => match self.class(named) {
                Some(Binding::Class { id, .. }) => (Type::Class(id), None),
                _ => (Type::Enum(self.enumeration(named)?), None),
            },
            (None, variant) => {
                let text = self.ast.names.text(of.name);
                let kind = ErrorKind::ALL.iter().find(|kind| kind.name() == text);
                match (variant, kind, ValueKind::from_name(text)) {
                    (None, Some(&kind), _) => (Type::Error(kind), None),
                    (None, None, Some(kind)) => (Type::Kind(kind), None),
                    _ => {
                        self.unknown_type(of.name, of.span);
                        return None;
                    }
                }
            }
        };
        self.out.types[id.index()] = self.linker.type_id(found);
        variant
    }
}
