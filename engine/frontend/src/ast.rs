//! The tree of one source file.
//!
//! Nodes live in vectors and name each other by index: building and dropping a tree
//! costs few allocations and no recursion, and later passes keep what they learn in
//! vectors beside it.

mod names;
mod nodes;

pub(crate) use names::{Names, Symbol};
pub(crate) use nodes::{
    Arm, ArmBody, BinaryOp, Catch, Class, ClassField, Decl, DeclKind, Enum, EnumVariant, Expr,
    ExprKind, FieldInit, FieldPattern, Function, Import, ImportName, LibraryFunction, Match,
    MatchArm, Method, Pattern, PatternKind, Step, Stmt, StmtKind, Try, TypeName,
};

use crate::source::Span;

/// The tree.
pub(crate) struct Ast<'s> {
    pub(crate) names: Names<'s>,
    pub(crate) exprs: Vec<Expr>,
    pub(crate) stmts: Vec<Stmt>,
    pub(crate) decls: Vec<Decl>,
    /// The first is the body of the module.
    pub(crate) functions: Vec<Function>,
    pub(crate) classes: Vec<Class>,
    pub(crate) enums: Vec<Enum>,
    pub(crate) imports: Vec<Import>,
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) types: Vec<TypeName>,
    /// What lists of expressions, statements, … are ranges of.
    pub(crate) expr_ids: Vec<ExprId>,
    pub(crate) stmt_ids: Vec<StmtId>,
    pub(crate) pattern_ids: Vec<PatternId>,
    pub(crate) field_inits: Vec<FieldInit>,
    pub(crate) field_patterns: Vec<FieldPattern>,
    pub(crate) class_fields: Vec<ClassField>,
    pub(crate) methods: Vec<Method>,
    pub(crate) variants: Vec<EnumVariant>,
    pub(crate) import_names: Vec<ImportName>,
    pub(crate) arms: Vec<Arm>,
    pub(crate) tries: Vec<Try>,
    pub(crate) catches: Vec<Catch>,
    pub(crate) matches: Vec<Match>,
    pub(crate) match_arms: Vec<MatchArm>,
    pub(crate) steps: Vec<Step>,
    /// Functions that other sources of the library can use, in a source of the library.
    pub(crate) library_functions: Vec<LibraryFunction>,
    /// Where expressions begin that have blocks of the same function in them, ascending.
    pub(crate) block_starts: Vec<u32>,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $id:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) struct $id(pub(crate) u32);

        impl $id {
            pub(crate) fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

ids! {
    /// Index into [`Ast::exprs`].
    ExprId,
    /// Index into [`Ast::stmts`].
    StmtId,
    /// Index into [`Ast::decls`].
    DeclId,
    /// Index into [`Ast::functions`].
    FunctionNodeId,
    /// Index into [`Ast::classes`].
    ClassId,
    /// Index into [`Ast::enums`].
    EnumId,
    /// Index into [`Ast::patterns`].
    PatternId,
    /// Index into [`Ast::types`].
    TypeNameId,
}

/// A range of one of the vectors of an [`Ast`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct List {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

impl List {
    pub(crate) fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.start as usize + self.len as usize
    }
}

/// Appends `items` to one of the vectors of an [`Ast`].
pub(crate) fn list_of<T>(all: &mut Vec<T>, items: impl IntoIterator<Item = T>) -> List {
    let start = all.len() as u32;
    all.extend(items);
    List {
        start,
        len: all.len() as u32 - start,
    }
}

impl<'s> Ast<'s> {
    /// An empty tree with room for a source of `text_len` bytes.
    pub(crate) fn with_capacity(text_len: usize) -> Self {
        Self {
            names: Names::new(text_len / 24),
            exprs: Vec::with_capacity(text_len / 5),
            stmts: Vec::with_capacity(text_len / 16),
            decls: Vec::with_capacity(text_len / 32),
            functions: Vec::with_capacity(text_len / 64),
            expr_ids: Vec::with_capacity(text_len / 16),
            stmt_ids: Vec::with_capacity(text_len / 16),
            classes: Vec::new(),
            enums: Vec::new(),
            imports: Vec::new(),
            patterns: Vec::new(),
            types: Vec::new(),
            pattern_ids: Vec::new(),
            field_inits: Vec::new(),
            field_patterns: Vec::new(),
            class_fields: Vec::new(),
            methods: Vec::new(),
            variants: Vec::new(),
            import_names: Vec::new(),
            arms: Vec::new(),
            tries: Vec::new(),
            catches: Vec::new(),
            matches: Vec::new(),
            match_arms: Vec::new(),
            steps: Vec::new(),
            library_functions: Vec::new(),
            block_starts: Vec::new(),
        }
    }

    pub(crate) fn expr(&self, id: ExprId) -> &Expr {
        &self.exprs[id.index()]
    }

    pub(crate) fn stmt(&self, id: StmtId) -> &Stmt {
        &self.stmts[id.index()]
    }

    pub(crate) fn decl(&self, id: DeclId) -> &Decl {
        &self.decls[id.index()]
    }

    pub(crate) fn function(&self, id: FunctionNodeId) -> &Function {
        &self.functions[id.index()]
    }

    pub(crate) fn pattern(&self, id: PatternId) -> &Pattern {
        &self.patterns[id.index()]
    }

    /// The parameters of a function.
    pub(crate) fn parameters(
        &self,
        function: FunctionNodeId,
    ) -> impl Iterator<Item = DeclId> + use<> {
        let List { start, len } = self.function(function).parameters;
        (start..start + len).map(DeclId)
    }

    /// Whether the text of `span` has blocks in its expressions: evaluating them may
    /// assign variables of the same function.
    pub(crate) fn has_blocks(&self, span: Span) -> bool {
        let first = self.block_starts.partition_point(|&at| at < span.start);
        self.block_starts
            .get(first)
            .is_some_and(|&at| at < span.end)
    }
}
