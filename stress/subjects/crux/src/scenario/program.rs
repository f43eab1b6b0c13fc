//! Generated programs in an abstract form that renders to Crux source text.
//!
//! ```text
//! Module ── render ──► source text             render.rs
//!        ── reductions ──► smaller modules     reductions.rs
//!        ── repair ──► a module that compiles  repair.rs
//! ```
//!
//! Loops carry their own bounds ([`Stmt::Repeat`], [`Stmt::For`]), so that a program keeps
//! ending whatever is removed from it, unless what is removed is the test that ends a
//! recursion.

mod name;
mod reductions;
mod render;
mod repair;
mod walk;

pub use name::{Name, Stem};
pub use reductions::{Place, Reductions};

use gcrucible_bytecode::{Boundary, Builtin, ErrorKind, Method, ValueKind};
use serde::{Deserialize, Serialize};

/// A generated module. It renders in this order: imports, enums, classes, functions, globals,
/// top level.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Module {
    /// The modules that are initialised before it. Each may use what those before it declare.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub modules: Vec<Module>,
    /// Its enums.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub enums: Vec<Enum>,
    /// Its classes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<Class>,
    /// Its functions, all of them exported by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<Function>,
    /// Its global variables, all of them exported by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub globals: Vec<Global>,
    /// Statements that run after the globals got their values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub top_level: Vec<Stmt>,
}

/// An enum: variants, and how many values each holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enum {
    /// Its name.
    pub name: Name,
    /// Its variants.
    pub variants: Vec<(Name, u8)>,
}

/// A class: fields and methods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Its name.
    pub name: Name,
    /// Its fields.
    pub fields: Vec<Name>,
    /// Its methods; the receiver is no parameter of theirs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<Function>,
}

/// A function of the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Function {
    /// Its name.
    pub name: Name,
    /// Its parameters.
    pub params: Vec<Name>,
    /// Its body.
    pub body: Vec<Stmt>,
}

/// A variable of the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Global {
    /// Its name.
    pub name: Name,
    /// Its first value.
    pub value: Expr,
}

/// A statement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Stmt {
    /// `let name = value`
    Let(Name, Expr),
    /// `const name = value`
    Const(Name, Expr),
    /// `target = value`; the target is a name, a field or an element.
    Assign(Expr, Expr),
    /// `target op= value`
    Update(Expr, BinaryOp, Expr),
    /// An expression for its effect.
    Expr(Expr),
    /// `if condition { … } else { … }`; no `else` when that block is empty.
    If(Expr, Vec<Stmt>, Vec<Stmt>),
    /// A `while` loop with a counter of its own that ends it after `times` rounds.
    Repeat {
        /// The counter's name; it counts from 1 inside the body.
        counter: Name,
        /// Rounds at most.
        times: u8,
        /// Goes on only while this holds.
        condition: Expr,
        /// What it repeats.
        body: Vec<Stmt>,
    },
    /// `for name in over { … }`, left after `limit` rounds if there is one.
    For {
        /// The loop variable.
        name: Name,
        /// What it goes over.
        over: Expr,
        /// A counter and the rounds it allows, for a body that lets `over` grow.
        limit: Option<(Name, u8)>,
        /// What it repeats.
        body: Vec<Stmt>,
    },
    /// `break`
    Break,
    /// `continue`
    Continue,
    /// `return value`
    Return(Expr),
    /// `throw value`
    Throw(Expr),
    /// `deadline ms { … }`
    Deadline(Expr, Vec<Stmt>),
    /// `sync mutex { … }`
    Sync(Expr, Vec<Stmt>),
    /// `try { … } catch name is TYPE { … } catch name { … } finally { … }`, with at least one
    /// of the latter three.
    Try {
        /// What is tried.
        body: Vec<Stmt>,
        /// Typed handlers: the name that gets the error, its type, the handler.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        typed: Vec<(Name, TypeName, Vec<Stmt>)>,
        /// The name that gets the error, and the handler.
        catch: Option<(Name, Vec<Stmt>)>,
        /// What runs in any case.
        finally: Option<Vec<Stmt>>,
    },
    /// `cancel(future)`
    Cancel(Expr),
}

/// An expression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Expr {
    /// `nil`
    Nil,
    /// `true`, `false`
    Bool(bool),
    /// An int above `i64::MIN`, which has no literal.
    Int(i64),
    /// A finite float.
    Float(f64),
    /// A string.
    Text(String),
    /// A string with values in it: the texts of all parts, joined.
    Interpolation(Vec<Expr>),
    /// A variable, parameter, function or global.
    Name(Name),
    /// `[a, b]`
    Array(Vec<Expr>),
    /// `{ key: value }`
    Map(Vec<(Expr, Expr)>),
    /// `from..to`
    Range(Box<Expr>, Box<Expr>),
    /// `Class { field: value }`
    Instance(Name, Vec<(Name, Expr)>),
    /// `|a, b| { … }`, or `|a, b| value` when the body is one `return`.
    Lambda(Vec<Name>, Vec<Stmt>),
    /// `-a`
    Neg(Box<Expr>),
    /// `!a`
    Not(Box<Expr>),
    /// `a op b`
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `object.field`
    Field(Box<Expr>, Name),
    /// `object[index]`
    Index(Box<Expr>, Box<Expr>),
    /// `callee(arguments)`
    Call(Box<Expr>, Vec<Expr>),
    /// `object.field(arguments)`, a closure in a field of an instance.
    CallField(Box<Expr>, Name, Vec<Expr>),
    /// `object.method(arguments)`, a method of a built-in kind.
    Method(Box<Expr>, Method, Vec<Expr>),
    /// `builtin(arguments)`
    Builtin(Builtin, Vec<Expr>),
    /// `object.name(arguments)`: a method of the library or of a class.
    Named(Box<Expr>, String, Vec<Expr>),
    /// `name(arguments)`: a function of the library, `math.abs`, `on_finish`.
    Library(String, Vec<Expr>),
    /// `spawn callee(arguments)`
    Spawn(Box<Expr>, Vec<Expr>),
    /// `spawn detached callee(arguments)`
    SpawnDetached(Box<Expr>, Vec<Expr>),
    /// `await future`
    Await(Box<Expr>),
    /// `Enum.Variant`, with its payload if there is one.
    Variant(Name, Name, Vec<Expr>),
    /// `value is TYPE`
    Is(Box<Expr>, TypeName),
    /// `match subject { … }`
    Match(Box<Expr>, Vec<Arm>),
    /// `squad { … }`
    Squad(Vec<Stmt>),
    /// `step "name" (budget) { … }`
    Step(Budget, Vec<Stmt>),
    /// `schedule every ms |tick, skipped| { … }`
    Schedule(u32, Vec<Name>, Vec<Stmt>),
}

/// An arm of a `match`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// What it takes.
    pub pattern: Pattern,
    /// A condition besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<Expr>,
    /// `=> value` when this is one expression, `=> { … }` else.
    pub body: Vec<Stmt>,
}

/// What an arm takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Pattern {
    /// A literal.
    Literal(Expr),
    /// `from..to`
    Range(i64, i64),
    /// `_`
    Any,
    /// A name, which is bound.
    Bind(Name),
    /// `Enum.Variant(patterns)`
    Variant(Name, Name, Vec<Pattern>),
    /// `Class { field: pattern }`
    Class(Name, Vec<(Name, Pattern)>),
    /// `name is TYPE` or `is TYPE`
    Is(Option<Name>, TypeName),
    /// `[p, q]`
    Array(Vec<Pattern>),
    /// `p | q`, without names.
    Or(Vec<Pattern>),
}

/// What a value can be asked to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TypeName {
    /// An instance of a class.
    Class(Name),
    /// A value of an enum.
    Enum(Name),
    /// A value of a variant.
    Variant(Name, Name),
    /// An error of a kind.
    Error(ErrorKind),
    /// A value of a built-in kind.
    Kind(ValueKind),
}

/// What a step may spend, and what happens when it is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Instructions at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<u32>,
    /// Calls at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
    /// Milliseconds at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<u32>,
    /// What happens then.
    pub boundary: Boundary,
}

/// An operator with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "they are named after what they do")]
pub enum BinaryOp {
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
    And,
    Or,
}

impl BinaryOp {
    /// Its sign in source text.
    pub fn sign(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Rem => "%",
            BinaryOp::Eq => "==",
            BinaryOp::Ne => "!=",
            BinaryOp::Lt => "<",
            BinaryOp::Le => "<=",
            BinaryOp::Gt => ">",
            BinaryOp::Ge => ">=",
            BinaryOp::And => "&&",
            BinaryOp::Or => "||",
        }
    }

    /// Whether `a op= b` is a statement.
    pub fn updates(self) -> bool {
        matches!(
            self,
            Self::Add | Self::Sub | Self::Mul | Self::Div | Self::Rem
        )
    }
}

impl Module {
    /// The module and those it imports as Crux source text, indented by two spaces. With
    /// several modules each begins with its path in a comment.
    pub fn render(&self) -> String {
        let mut files = self.render_files();
        if files.len() == 1
            && let Some((_, text)) = files.pop()
        {
            return text;
        }
        let parts = files
            .iter()
            .map(|(path, text)| format!("// {path}\n{text}"));
        parts.collect()
    }

    /// Path and source text of each module, the entry module last.
    pub fn render_files(&self) -> Vec<(String, String)> {
        render::render_files(self)
    }

    /// It and all those that it imports, which come first.
    pub fn parts(&self) -> impl Iterator<Item = &Module> {
        self.modules.iter().chain(std::iter::once(self))
    }

    /// Number of statements: those of all bodies, one for each global. Functions and
    /// classes themselves do not count.
    pub fn statement_count(&self) -> usize {
        let of_functions = |functions: &[Function]| -> usize {
            let bodies = functions.iter().map(|function| walk::count(&function.body));
            bodies.sum()
        };
        let of = |module: &Module| {
            let classes = module.classes.iter();
            let globals = module.globals.iter();
            module.globals.len()
                + walk::count(&module.top_level)
                + globals
                    .map(|global| walk::count_inside(&global.value))
                    .sum::<usize>()
                + of_functions(&module.functions)
                + classes
                    .map(|class| of_functions(&class.methods))
                    .sum::<usize>()
        };
        self.parts().map(of).sum()
    }

    /// Smaller modules, those that lose most first. Each of them compiles if this one
    /// does; each has fewer statements, expressions or declarations, or simpler ones, so
    /// that taking any of them again and again ends.
    pub fn reductions(&self) -> Reductions<'_> {
        Reductions::from(self, Place::default())
    }

    /// The same, from a place on that the reductions of a larger module had reached.
    pub fn reductions_from(&self, place: Place) -> Reductions<'_> {
        Reductions::from(self, place)
    }

    /// Makes a module compile whatever was removed from it: names that nothing declares
    /// become nil, statements that can no longer stand where they are go.
    pub fn repair(&mut self) {
        repair::repair(self);
    }
}

impl Expr {
    /// The value of a variable.
    pub fn name(name: Name) -> Self {
        Expr::Name(name)
    }

    /// A string.
    pub fn text(text: impl Into<String>) -> Self {
        Expr::Text(text.into())
    }

    /// `a op b`
    pub fn binary(op: BinaryOp, left: Expr, right: Expr) -> Self {
        Expr::Binary(op, Box::new(left), Box::new(right))
    }

    /// A call of a named function.
    pub fn call(function: Name, arguments: Vec<Expr>) -> Self {
        Expr::Call(Box::new(Expr::Name(function)), arguments)
    }

    /// `spawn` of a named function or closure.
    pub fn spawn(function: Name, arguments: Vec<Expr>) -> Self {
        Expr::Spawn(Box::new(Expr::Name(function)), arguments)
    }

    /// `await future`
    pub fn awaited(future: Expr) -> Self {
        Expr::Await(Box::new(future))
    }

    /// `object.method(arguments)`
    pub fn method(object: Expr, method: Method, arguments: Vec<Expr>) -> Self {
        Expr::Method(Box::new(object), method, arguments)
    }

    /// `object.name(arguments)`
    pub fn named(object: Expr, name: &str, arguments: Vec<Expr>) -> Self {
        Expr::Named(Box::new(object), name.to_owned(), arguments)
    }

    /// `name(arguments)`, a function of the library.
    pub fn library(name: &str, arguments: Vec<Expr>) -> Self {
        Expr::Library(name.to_owned(), arguments)
    }

    /// `object[index]`
    pub fn index(object: Expr, index: Expr) -> Self {
        Expr::Index(Box::new(object), Box::new(index))
    }

    /// `object.field`
    pub fn field(object: Expr, field: Name) -> Self {
        Expr::Field(Box::new(object), field)
    }
}

#[cfg(test)]
mod tests;
