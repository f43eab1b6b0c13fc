//! From the abstract form to source text.

use super::{Class, Expr, Function, Module, Name, Stmt};

/// The module as source text.
pub(super) fn render(module: &Module) -> String {
    let mut text = Text {
        out: String::with_capacity(4096),
        depth: 0,
        interpolations: 0,
    };
    for class in &module.classes {
        text.class(class);
    }
    for function in &module.functions {
        text.function(function);
    }
    for global in &module.globals {
        text.put("let ");
        text.name(global.name);
        text.put(" = ");
        text.expr(&global.value, Place::Open);
        text.put("\n");
    }
    text.lines(&module.top_level);
    text.put("\n");
    text.out
}

/// Where an expression stands.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// Nothing binds to it: it needs no parentheses.
    Open,
    /// Something binds to it.
    Operand,
}

/// Source text under construction, and how deeply its end is nested.
struct Text {
    out: String,
    depth: usize,
    /// Interpolations around its end: in them there are no line ends.
    interpolations: usize,
}

impl Text {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn name(&mut self, name: Name) {
        name.write(&mut self.out);
    }

    /// Begins the line of a statement.
    fn line(&mut self) {
        if self.interpolations > 0 {
            self.put(" ");
            return;
        }
        self.put("\n");
        for _ in 0..self.depth {
            self.out.push_str("  ");
        }
    }

    /// Ends a statement.
    fn end(&mut self) {
        if self.interpolations > 0 {
            self.put(";");
        }
    }

    fn class(&mut self, class: &Class) {
        self.put("class ");
        self.name(class.name);
        self.put(" { ");
        self.names(&class.fields);
        self.put(" }\n");
    }

    fn function(&mut self, function: &Function) {
        self.put("fn ");
        self.name(function.name);
        self.put("(");
        self.names(&function.params);
        self.put(") ");
        self.block(&function.body);
        self.put("\n");
    }

    fn names(&mut self, names: &[Name]) {
        for (at, &name) in names.iter().enumerate() {
            if at > 0 {
                self.put(", ");
            }
            self.name(name);
        }
    }

    fn block(&mut self, body: &[Stmt]) {
        self.open();
        self.lines(body);
        self.close();
    }

    fn open(&mut self) {
        self.put("{");
        self.depth += 1;
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.line();
        self.put("}");
    }

    fn lines(&mut self, body: &[Stmt]) {
        for stmt in body {
            self.line();
            self.stmt(stmt);
            self.end();
        }
    }

    fn keyword(&mut self, keyword: &str, value: &Expr) {
        self.put(keyword);
        self.expr(value, Place::Open);
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Let(name, value) => self.declare("let ", *name, value),
            Stmt::Const(name, value) => self.declare("const ", *name, value),
            Stmt::Assign(target, value) => {
                self.expr(target, Place::Operand);
                self.keyword(" = ", value);
            }
            Stmt::Update(target, op, value) => {
                self.expr(target, Place::Operand);
                self.put(" ");
                self.put(op.sign());
                self.keyword("= ", value);
            }
            // A brace would begin a block.
            Stmt::Expr(value @ Expr::Map(_)) => self.expr(value, Place::Operand),
            Stmt::Expr(value) => self.expr(value, Place::Open),
            Stmt::If(condition, then, otherwise) => {
                self.put("if ");
                self.head(condition);
                self.block(then);
                if !otherwise.is_empty() {
                    self.put(" else ");
                    self.block(otherwise);
                }
            }
            Stmt::Repeat {
                counter,
                times,
                condition,
                body,
            } => {
                self.repeat(*counter, *times, condition, body);
            }
            Stmt::For {
                name,
                over,
                limit,
                body,
            } => self.for_loop(*name, over, *limit, body),
            Stmt::Break => self.put("break"),
            Stmt::Continue => self.put("continue"),
            Stmt::Return(value) => self.keyword("return ", value),
            Stmt::Throw(value) => self.keyword("throw ", value),
            Stmt::Try {
                body,
                catch,
                finally,
            } => {
                self.put("try ");
                self.block(body);
                if let Some((name, handler)) = catch {
                    self.put(" catch ");
                    self.name(*name);
                    self.put(" ");
                    self.block(handler);
                }
                if let Some(finally) = finally {
                    self.put(" finally ");
                    self.block(finally);
                }
            }
            Stmt::Cancel(future) => {
                self.keyword("cancel(", future);
                self.put(")");
            }
        }
    }

    fn declare(&mut self, keyword: &str, name: Name, value: &Expr) {
        self.put(keyword);
        self.name(name);
        self.keyword(" = ", value);
    }

    /// What stands between a keyword and a block, where `{` would begin the block.
    fn head(&mut self, value: &Expr) {
        self.expr(value, Place::Operand);
        self.put(" ");
    }

    fn repeat(&mut self, counter: Name, times: u8, condition: &Expr, body: &[Stmt]) {
        self.declare("let ", counter, &Expr::Int(0));
        self.end();
        self.line();
        self.put("while ");
        self.name(counter);
        self.put(" < ");
        self.int(i64::from(times));
        self.put(" ");
        if *condition != Expr::Bool(true) {
            self.put("&& ");
            self.head(condition);
        }
        self.open();
        self.count(counter);
        self.lines(body);
        self.close();
    }

    fn for_loop(&mut self, name: Name, over: &Expr, limit: Option<(Name, u8)>, body: &[Stmt]) {
        if let Some((counter, _)) = limit {
            self.declare("let ", counter, &Expr::Int(0));
            self.end();
            self.line();
        }
        self.put("for ");
        self.name(name);
        self.put(" in ");
        self.head(over);
        self.open();
        if let Some((counter, rounds)) = limit {
            self.count(counter);
            self.line();
            self.put("if ");
            self.name(counter);
            self.put(" > ");
            self.int(i64::from(rounds));
            self.put(" { break }");
            self.end();
        }
        self.lines(body);
        self.close();
    }

    fn count(&mut self, counter: Name) {
        self.line();
        self.name(counter);
        self.put(" += 1");
        self.end();
    }

    fn list(&mut self, open: &str, values: &[Expr], close: &str) {
        self.put(open);
        for (at, value) in values.iter().enumerate() {
            if at > 0 {
                self.put(", ");
            }
            self.expr(value, Place::Open);
        }
        self.put(close);
    }

    fn int(&mut self, int: i64) {
        if (0..10).contains(&int) {
            self.out.push(char::from(b'0' + int as u8));
        } else {
            self.out.push_str(&int.to_string());
        }
    }

    fn expr(&mut self, expr: &Expr, place: Place) {
        let parentheses = place == Place::Operand && binds(expr);
        if parentheses {
            self.put("(");
        }
        self.bare(expr);
        if parentheses {
            self.put(")");
        }
    }

    fn bare(&mut self, expr: &Expr) {
        match expr {
            Expr::Nil => self.put("nil"),
            Expr::Bool(true) => self.put("true"),
            Expr::Bool(false) => self.put("false"),
            Expr::Int(int) => self.int(*int),
            Expr::Float(float) => self.out.push_str(&format!("{float:?}")),
            Expr::Text(text) => {
                self.put("\"");
                escape(text, &mut self.out);
                self.put("\"");
            }
            Expr::Interpolation(parts) => self.interpolation(parts),
            Expr::Name(name) => self.name(*name),
            Expr::Array(elements) => self.list("[", elements, "]"),
            Expr::Map(entries) => {
                self.put("{");
                for (at, (key, value)) in entries.iter().enumerate() {
                    self.put(if at > 0 { ", " } else { " " });
                    self.key(key);
                    self.keyword(": ", value);
                }
                self.put(if entries.is_empty() { "}" } else { " }" });
            }
            Expr::Range(from, to) => self.binary(from, "..", to),
            Expr::Instance(class, fields) => {
                self.name(*class);
                self.put(" {");
                for (at, (field, value)) in fields.iter().enumerate() {
                    self.put(if at > 0 { ", " } else { " " });
                    self.name(*field);
                    self.keyword(": ", value);
                }
                self.put(" }");
            }
            Expr::Lambda(params, body) => {
                self.put("|");
                self.names(params);
                self.put("| ");
                match body.as_slice() {
                    [Stmt::Return(value)] => self.expr(value, Place::Operand),
                    body => self.block(body),
                }
            }
            Expr::Neg(operand) => {
                self.put("-");
                self.expr(operand, Place::Operand);
            }
            Expr::Not(operand) => {
                self.put("!");
                self.expr(operand, Place::Operand);
            }
            Expr::Binary(op, left, right) => {
                self.expr(left, Place::Operand);
                self.put(" ");
                self.put(op.sign());
                self.put(" ");
                self.expr(right, Place::Operand);
            }
            Expr::Field(object, field) => {
                self.expr(object, Place::Operand);
                self.put(".");
                self.name(*field);
            }
            Expr::Index(object, index) => {
                self.expr(object, Place::Operand);
                self.keyword("[", index);
                self.put("]");
            }
            Expr::Call(callee, arguments) => {
                self.expr(callee, Place::Operand);
                self.list("(", arguments, ")");
            }
            Expr::CallField(object, field, arguments) => {
                self.expr(object, Place::Operand);
                self.put(".");
                self.name(*field);
                self.list("(", arguments, ")");
            }
            Expr::Method(object, method, arguments) => {
                self.expr(object, Place::Operand);
                self.put(".");
                self.put(method.name());
                self.list("(", arguments, ")");
            }
            Expr::Builtin(builtin, arguments) => {
                self.put(builtin.name());
                self.list("(", arguments, ")");
            }
            Expr::Spawn(callee, arguments) => {
                self.put("spawn ");
                self.expr(callee, Place::Operand);
                self.list("(", arguments, ")");
            }
            Expr::Await(future) => {
                self.put("await ");
                self.expr(future, Place::Operand);
            }
        }
    }

    /// A key of a map literal. A bare name there would be a string.
    fn key(&mut self, key: &Expr) {
        if let Expr::Name(name) = key {
            self.put("(");
            self.name(*name);
            self.put(")");
        } else {
            self.expr(key, Place::Operand);
        }
    }

    fn binary(&mut self, left: &Expr, sign: &str, right: &Expr) {
        self.expr(left, Place::Operand);
        self.put(sign);
        self.expr(right, Place::Operand);
    }

    fn interpolation(&mut self, parts: &[Expr]) {
        self.put("\"");
        self.interpolations += 1;
        for part in parts {
            if let Expr::Text(text) = part {
                escape(text, &mut self.out);
            } else {
                self.keyword("${", part);
                self.put("}");
            }
        }
        self.interpolations -= 1;
        self.put("\"");
    }
}

/// Whether an expression needs parentheses as an operand: those that end or begin with
/// something that binds, and those with a brace, which could be taken for a block.
fn binds(expr: &Expr) -> bool {
    match expr {
        Expr::Nil
        | Expr::Bool(_)
        | Expr::Text(_)
        | Expr::Interpolation(_)
        | Expr::Name(_)
        | Expr::Array(_)
        | Expr::Field(..)
        | Expr::Index(..)
        | Expr::Call(..)
        | Expr::CallField(..)
        | Expr::Method(..)
        | Expr::Builtin(..) => false,
        Expr::Int(int) => *int < 0,
        Expr::Float(float) => float.is_sign_negative(),
        Expr::Map(_)
        | Expr::Range(..)
        | Expr::Instance(..)
        | Expr::Lambda(..)
        | Expr::Neg(_)
        | Expr::Not(_)
        | Expr::Binary(..)
        | Expr::Spawn(..)
        | Expr::Await(_) => true,
    }
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '$' => out.push_str("\\$"),
            c => out.push(c),
        }
    }
}
