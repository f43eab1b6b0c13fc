//! The tree of one source file.
//!
//! Nodes live in vectors and name each other by index: building and dropping a tree
//! costs few allocations and no recursion, and later passes keep what they learn in
//! vectors beside it.

mod names;

pub(crate) use names::{Names, Symbol};

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
    /// What lists of expressions, statements, … are ranges of.
    pub(crate) expr_ids: Vec<ExprId>,
    pub(crate) stmt_ids: Vec<StmtId>,
    pub(crate) field_inits: Vec<FieldInit>,
    pub(crate) class_fields: Vec<ClassField>,
    pub(crate) arms: Vec<Arm>,
    pub(crate) tries: Vec<Try>,
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

/// An expression.
#[derive(Clone, Copy)]
pub(crate) struct Expr {
    pub(crate) kind: ExprKind,
    pub(crate) span: Span,
    /// Byte offset of the operator, name or bracket at which an error of this very
    /// operation happens.
    pub(crate) at: u32,
}

#[derive(Clone, Copy)]
pub(crate) enum ExprKind {
    /// What could not be parsed; was reported.
    Error,
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    String(Symbol),
    /// The parts of an interpolated string, in `expr_ids`.
    Concat(List),
    /// In `expr_ids`.
    Array(List),
    /// Keys and values in turn, in `expr_ids`.
    Map(List),
    Range(ExprId, ExprId),
    Name(Symbol),
    Binary(BinaryOp, ExprId, ExprId),
    And(ExprId, ExprId),
    Or(ExprId, ExprId),
    Neg(ExprId),
    Not(ExprId),
    /// The callee and its arguments, in `expr_ids`.
    Call(ExprId, List),
    /// Receiver, method, arguments, in `expr_ids`.
    MethodCall(ExprId, Symbol, List),
    Field(ExprId, Symbol),
    Index(ExprId, ExprId),
    /// Class and fields, in `field_inits`.
    Instance(Symbol, List),
    Closure(FunctionNodeId),
    /// A `Call` or `MethodCall`.
    Spawn(ExprId),
    Await(ExprId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// `name: value` of an instance literal.
#[derive(Clone, Copy)]
pub(crate) struct FieldInit {
    pub(crate) name: Symbol,
    pub(crate) span: Span,
    pub(crate) value: ExprId,
}

/// A statement.
#[derive(Clone, Copy)]
pub(crate) struct Stmt {
    pub(crate) kind: StmtKind,
    pub(crate) span: Span,
}

/// Lists are blocks, in `stmt_ids`.
#[derive(Clone, Copy)]
pub(crate) enum StmtKind {
    Error,
    Expr(ExprId),
    Let(DeclId, Option<ExprId>),
    Fn(DeclId, FunctionNodeId),
    Class(ClassId),
    /// Target, operator of a compound assignment, value.
    Assign(ExprId, Option<BinaryOp>, ExprId),
    Block(List),
    /// Conditions with their blocks, in `arms`, and the block of `else`.
    If(List, List),
    While(ExprId, List),
    For(DeclId, ExprId, List),
    Break,
    Continue,
    Return(Option<ExprId>),
    Throw(ExprId),
    /// Index into `tries`.
    Try(u32),
}

/// `cond { … }` of an `if`.
#[derive(Clone, Copy)]
pub(crate) struct Arm {
    pub(crate) cond: ExprId,
    pub(crate) body: List,
}

/// `try`, with a catch block, a finally block or both.
#[derive(Clone, Copy)]
pub(crate) struct Try {
    pub(crate) body: List,
    pub(crate) catch: Option<(Option<DeclId>, List)>,
    pub(crate) finally: Option<List>,
}

/// A name that a source defines, other than a class.
#[derive(Clone, Copy)]
pub(crate) struct Decl {
    pub(crate) name: Symbol,
    pub(crate) kind: DeclKind,
    pub(crate) span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeclKind {
    Let,
    Const,
    Function,
    Parameter,
    LoopVariable,
    Caught,
}

/// A function, closure or module body.
#[derive(Clone, Copy)]
pub(crate) struct Function {
    /// Its name, or what stands for one.
    pub(crate) name: Symbol,
    /// In `decls`.
    pub(crate) parameters: List,
    /// In `stmt_ids`.
    pub(crate) body: List,
    pub(crate) span: Span,
}

/// A class.
#[derive(Clone, Copy)]
pub(crate) struct Class {
    pub(crate) name: Symbol,
    pub(crate) span: Span,
    /// In `class_fields`.
    pub(crate) fields: List,
}

/// A field of a class.
#[derive(Clone, Copy)]
pub(crate) struct ClassField {
    pub(crate) name: Symbol,
    pub(crate) span: Span,
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
            classes: Vec::new(),
            expr_ids: Vec::with_capacity(text_len / 16),
            stmt_ids: Vec::with_capacity(text_len / 16),
            field_inits: Vec::new(),
            class_fields: Vec::new(),
            arms: Vec::new(),
            tries: Vec::new(),
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

    /// The parameters of a function.
    pub(crate) fn parameters(
        &self,
        function: FunctionNodeId,
    ) -> impl Iterator<Item = DeclId> + use<> {
        let List { start, len } = self.function(function).parameters;
        (start..start + len).map(DeclId)
    }
}
