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

use gcrucible_bytecode::{Builtin, Method};
use serde::{Deserialize, Serialize};

/// A generated module. It renders in this order: classes, functions, globals, top level.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Module {
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

/// A class: a list of fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Its name.
    pub name: Name,
    /// Its fields.
    pub fields: Vec<Name>,
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
    /// `try { … } catch name { … } finally { … }`, with at least one of the latter two.
    Try {
        /// What is tried.
        body: Vec<Stmt>,
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
    /// `spawn callee(arguments)`
    Spawn(Box<Expr>, Vec<Expr>),
    /// `await future`
    Await(Box<Expr>),
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
    /// The module as Crux source text, indented by two spaces.
    pub fn render(&self) -> String {
        render::render(self)
    }

    /// Number of statements: those of all bodies, one for each global. Functions and
    /// classes themselves do not count.
    pub fn statement_count(&self) -> usize {
        self.globals.len()
            + walk::count(&self.top_level)
            + self
                .globals
                .iter()
                .map(|global| walk::count_inside(&global.value))
                .sum::<usize>()
            + self
                .functions
                .iter()
                .map(|function| walk::count(&function.body))
                .sum::<usize>()
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
