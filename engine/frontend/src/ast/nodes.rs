//! The kinds of nodes.

use gcrucible_bytecode::{Boundary, ValueKind};

use super::{ClassId, DeclId, EnumId, ExprId, FunctionNodeId, List, PatternId, Symbol, TypeNameId};
use crate::source::Span;

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
    Is(ExprId, TypeNameId),
    And(ExprId, ExprId),
    Or(ExprId, ExprId),
    Neg(ExprId),
    Not(ExprId),
    /// The callee and its arguments, in `expr_ids`.
    Call(ExprId, List),
    /// Receiver, method, arguments, in `expr_ids`; or enum, variant, payload; or
    /// namespace, function, arguments.
    MethodCall(ExprId, Symbol, List),
    Field(ExprId, Symbol),
    Index(ExprId, ExprId),
    /// Class and fields, in `field_inits`.
    Instance(Symbol, List),
    Closure(FunctionNodeId),
    /// A `Call` or `MethodCall`, and whether the task is detached.
    Spawn(ExprId, bool),
    Await(ExprId),
    /// Index into `matches`.
    Match(u32),
    /// Its block, in `stmt_ids`.
    Squad(List),
    /// Index into `steps`.
    Step(u32),
    /// The interval, and the function of each tick.
    Schedule(ExprId, FunctionNodeId),
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
    Enum(EnumId),
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
    Deadline(ExprId, List),
    Sync(ExprId, List),
    /// One of `imports`.
    Import,
}

/// `cond { … }` of an `if`.
#[derive(Clone, Copy)]
pub(crate) struct Arm {
    pub(crate) cond: ExprId,
    pub(crate) body: List,
}

/// `try`, with catch blocks (in `catches`), a finally block or both.
#[derive(Clone, Copy)]
pub(crate) struct Try {
    pub(crate) body: List,
    pub(crate) catches: List,
    pub(crate) finally: Option<List>,
}

/// `catch e is T { … }`
#[derive(Clone, Copy)]
pub(crate) struct Catch {
    pub(crate) variable: Option<DeclId>,
    pub(crate) of: Option<TypeNameId>,
    pub(crate) body: List,
    pub(crate) span: Span,
}

/// `match subject { … }`, its arms in `match_arms`.
#[derive(Clone, Copy)]
pub(crate) struct Match {
    pub(crate) subject: ExprId,
    pub(crate) arms: List,
}

/// `pattern if guard => body`
#[derive(Clone, Copy)]
pub(crate) struct MatchArm {
    pub(crate) pattern: PatternId,
    pub(crate) guard: Option<ExprId>,
    pub(crate) body: ArmBody,
}

#[derive(Clone, Copy)]
pub(crate) enum ArmBody {
    Expr(ExprId),
    /// In `stmt_ids`; its value is nil.
    Block(List),
}

/// A pattern of a `match`.
#[derive(Clone, Copy)]
pub(crate) struct Pattern {
    pub(crate) kind: PatternKind,
    pub(crate) span: Span,
}

/// Lists of patterns are in `pattern_ids`.
#[derive(Clone, Copy)]
pub(crate) enum PatternKind {
    Error,
    /// `_`
    Any,
    Bind(DeclId),
    /// `_ is T` or `name is T`
    Is(Option<DeclId>, TypeNameId),
    /// An expression that is a literal.
    Literal(ExprId),
    /// Ints, without the second one.
    Range(i64, i64),
    /// The name of the variant with its enum, and the patterns of its payload if there
    /// are brackets.
    Variant(TypeNameId, Option<List>),
    /// The class, and fields in `field_patterns`.
    Instance(TypeNameId, List),
    Array(List),
    /// Alternatives.
    Or(List),
}

/// `field: pattern`
#[derive(Clone, Copy)]
pub(crate) struct FieldPattern {
    pub(crate) name: Symbol,
    pub(crate) span: Span,
    pub(crate) pattern: PatternId,
}

/// `Name` or `Enum.Variant` where a type belongs.
#[derive(Clone, Copy)]
pub(crate) struct TypeName {
    pub(crate) name: Symbol,
    pub(crate) variant: Option<Symbol>,
    pub(crate) span: Span,
}

/// `step "name" (…) { … }`
#[derive(Clone, Copy)]
pub(crate) struct Step {
    pub(crate) name: Symbol,
    pub(crate) instructions: Option<u32>,
    pub(crate) calls: Option<u32>,
    pub(crate) time_ms: Option<u32>,
    pub(crate) boundary: Boundary,
    pub(crate) body: FunctionNodeId,
}

/// A name that a source defines, other than a class or enum.
#[derive(Clone, Copy)]
pub(crate) struct Decl {
    pub(crate) name: Symbol,
    pub(crate) kind: DeclKind,
    pub(crate) span: Span,
    /// Whether other modules may import it.
    pub(crate) is_exported: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeclKind {
    Let,
    Const,
    Function,
    Parameter,
    /// `self` of a method.
    Receiver,
    LoopVariable,
    Caught,
    /// Bound by a pattern.
    Bound,
    Import,
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
    /// In `methods`.
    pub(crate) methods: List,
    pub(crate) is_exported: bool,
}

/// A field of a class.
#[derive(Clone, Copy)]
pub(crate) struct ClassField {
    pub(crate) name: Symbol,
    pub(crate) span: Span,
}

/// A method of a class. The receiver is its first parameter.
#[derive(Clone, Copy)]
pub(crate) struct Method {
    pub(crate) name: Symbol,
    pub(crate) span: Span,
    pub(crate) function: FunctionNodeId,
}

/// An enum.
#[derive(Clone, Copy)]
pub(crate) struct Enum {
    pub(crate) name: Symbol,
    pub(crate) span: Span,
    /// In `variants`.
    pub(crate) variants: List,
    pub(crate) is_exported: bool,
}

/// A variant of an enum.
#[derive(Clone, Copy)]
pub(crate) struct EnumVariant {
    pub(crate) name: Symbol,
    pub(crate) span: Span,
    /// Values of its payload.
    pub(crate) arity: u32,
}

/// `import { … } from "path"`
#[derive(Clone, Copy)]
pub(crate) struct Import {
    /// The path as written.
    pub(crate) path: Symbol,
    pub(crate) span: Span,
    /// In `import_names`.
    pub(crate) names: List,
    /// Whether it stands where imports may not, which was reported.
    pub(crate) is_misplaced: bool,
}

/// `name as other` of an import.
#[derive(Clone, Copy)]
pub(crate) struct ImportName {
    /// Its name in the module that exports it.
    pub(crate) name: Symbol,
    pub(crate) span: Span,
    /// Its name here.
    pub(crate) decl: DeclId,
}

/// A function of the library: `fn array.map(f)`, `fn json.parse(text)`, `fn stream(source)`.
#[derive(Clone, Copy)]
pub(crate) struct LibraryFunction {
    /// With the kind of the receiver or the namespace before it.
    pub(crate) name: Symbol,
    /// What it is a method of.
    pub(crate) receiver: Option<(ValueKind, Symbol)>,
    pub(crate) function: FunctionNodeId,
    pub(crate) optional: u8,
    pub(crate) has_rest: bool,
}
