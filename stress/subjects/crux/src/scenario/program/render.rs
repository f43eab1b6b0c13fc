//! From the abstract form to source text.

use std::collections::BTreeSet;

use gcrucible_bytecode::Boundary;

use super::{
    Arm, Budget, Class, Enum, Expr, Function, Module, Name, Pattern, Stem, Stmt, TypeName,
};

/// Path and source text of each module, the entry module last.
pub(super) fn render_files(module: &Module) -> Vec<(String, String)> {
    let mut files = Vec::with_capacity(module.modules.len() + 1);
    for (at, dependency) in module.modules.iter().enumerate() {
        let text = render(dependency, &module.modules[..at], false);
        files.push((path(at), text));
    }
    files.push((
        "main.crux".to_owned(),
        render(module, &module.modules, true),
    ));
    files
}

fn path(at: usize) -> String {
    format!("m{}.crux", at + 1)
}

/// A module as source text. The entry module imports all others.
fn render(module: &Module, before: &[Module], is_entry: bool) -> String {
    let mut text = Text {
        out: String::with_capacity(4096),
        depth: 0,
        interpolations: 0,
        used: (!before.is_empty()).then(BTreeSet::new),
        export: if is_entry { "" } else { "export " },
    };
    for of in &module.enums {
        text.enumeration(of);
    }
    for class in &module.classes {
        text.class(class);
    }
    for function in &module.functions {
        text.function(function);
    }
    for global in &module.globals {
        text.put(text.export);
        text.put("let ");
        text.name(global.name);
        text.put(" = ");
        text.expr(&global.value, Place::Open);
        text.put("\n");
    }
    text.lines(&module.top_level);
    text.put("\n");
    let Some(used) = text.used else {
        return text.out;
    };
    let mut out = String::with_capacity(text.out.len() + 128);
    for (at, dependency) in before.iter().enumerate() {
        let names = declared(dependency).filter(|name| used.contains(name));
        let names: Vec<String> = names.map(|name| name.to_string()).collect();
        if !names.is_empty() {
            out.push_str(&format!(
                "import {{ {} }} from \"./{}\"\n",
                names.join(", "),
                path(at)
            ));
        } else if is_entry {
            out.push_str(&format!("import \"./{}\"\n", path(at)));
        }
    }
    out.push_str(&text.out);
    out
}

/// What a module declares.
fn declared(module: &Module) -> impl Iterator<Item = Name> {
    let enums = module.enums.iter().map(|of| of.name);
    let classes = module.classes.iter().map(|class| class.name);
    let functions = module.functions.iter().map(|function| function.name);
    let globals = module.globals.iter().map(|global| global.name);
    enums.chain(classes).chain(functions).chain(globals)
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
    /// Names written, if anybody asks for them.
    used: Option<BTreeSet<Name>>,
    /// What stands before a declaration.
    export: &'static str,
}

impl Text {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn name(&mut self, name: Name) {
        if let Some(used) = &mut self.used
            && matches!(
                name.stem,
                Stem::Enum | Stem::Class | Stem::Function | Stem::Worker | Stem::Global
            )
        {
            used.insert(name);
        }
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

    fn enumeration(&mut self, of: &Enum) {
        self.put(self.export);
        self.put("enum ");
        self.name(of.name);
        self.put(" {");
        for (at, &(variant, arity)) in of.variants.iter().enumerate() {
            self.put(if at > 0 { ", " } else { " " });
            self.name(variant);
            if arity > 0 {
                let parts: Vec<String> = (1..=arity).map(|part| format!("p{part}")).collect();
                self.put("(");
                self.put(&parts.join(", "));
                self.put(")");
            }
        }
        self.put(" }\n");
    }

    fn class(&mut self, class: &Class) {
        self.put(self.export);
        self.put("class ");
        self.name(class.name);
        self.put(" { ");
        self.names(&class.fields);
        if class.methods.is_empty() {
            self.put(" }\n");
            return;
        }
        self.depth += 1;
        for method in &class.methods {
            self.line();
            self.function_without_end(method);
        }
        self.close();
        self.put("\n");
    }

    fn function(&mut self, function: &Function) {
        self.put(self.export);
        self.function_without_end(function);
        self.put("\n");
    }

    fn function_without_end(&mut self, function: &Function) {
        self.put("fn ");
        self.name(function.name);
        self.put("(");
        self.names(&function.params);
        self.put(") ");
        self.block(&function.body);
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
            Stmt::Expr(value @ (Expr::Map(_) | Expr::Lambda(..))) => {
                self.expr(value, Place::Operand);
            }
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
            Stmt::Deadline(ms, body) => {
                self.put("deadline ");
                self.head(ms);
                self.block(body);
            }
            Stmt::Sync(mutex, body) => {
                self.put("sync ");
                self.head(mutex);
                self.block(body);
            }
            Stmt::Try {
                body,
                typed,
                catch,
                finally,
            } => {
                self.put("try ");
                self.block(body);
                for (name, of, handler) in typed {
                    self.put(" catch ");
                    self.name(*name);
                    self.put(" is ");
                    self.type_name(of);
                    self.put(" ");
                    self.block(handler);
                }
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
            Expr::Named(object, name, arguments) => {
                self.expr(object, Place::Operand);
                self.put(".");
                self.put(name);
                self.list("(", arguments, ")");
            }
            Expr::Library(name, arguments) => {
                self.put(name);
                self.list("(", arguments, ")");
            }
            Expr::SpawnDetached(callee, arguments) => {
                self.put("spawn detached ");
                self.expr(callee, Place::Operand);
                self.list("(", arguments, ")");
            }
            Expr::Variant(of, variant, payload) => {
                self.name(*of);
                self.put(".");
                self.name(*variant);
                if !payload.is_empty() {
                    self.list("(", payload, ")");
                }
            }
            Expr::Is(value, of) => {
                self.expr(value, Place::Operand);
                self.put(" is ");
                self.type_name(of);
            }
            Expr::Match(subject, arms) => {
                self.put("match ");
                self.head(subject);
                self.open();
                for arm in arms {
                    self.arm(arm);
                }
                self.close();
            }
            Expr::Squad(body) => {
                self.put("squad ");
                self.block(body);
            }
            Expr::Step(budget, body) => {
                self.budget(budget);
                self.block(body);
            }
            Expr::Schedule(every, params, body) => {
                self.put(&format!("schedule every {every}ms "));
                if !params.is_empty() {
                    self.put("|");
                    self.names(params);
                    self.put("| ");
                }
                self.block(body);
            }
        }
    }

    fn arm(&mut self, arm: &Arm) {
        self.line();
        self.pattern(&arm.pattern);
        if let Some(guard) = &arm.guard {
            self.put(" if ");
            self.expr(guard, Place::Operand);
        }
        self.put(" => ");
        match arm.body.as_slice() {
            [Stmt::Expr(value)] => self.expr(value, Place::Operand),
            body => self.block(body),
        }
        self.put(",");
    }

    fn pattern(&mut self, pattern: &Pattern) {
        match pattern {
            Pattern::Literal(value) => self.bare(value),
            Pattern::Range(from, to) => {
                self.int(*from);
                self.put("..");
                self.int(*to);
            }
            Pattern::Any => self.put("_"),
            Pattern::Bind(name) => self.name(*name),
            Pattern::Variant(of, variant, parts) => {
                self.name(*of);
                self.put(".");
                self.name(*variant);
                if !parts.is_empty() {
                    self.patterns("(", parts, ", ", ")");
                }
            }
            Pattern::Class(class, fields) => {
                self.name(*class);
                self.put(" {");
                for (at, (field, pattern)) in fields.iter().enumerate() {
                    self.put(if at > 0 { ", " } else { " " });
                    self.name(*field);
                    self.put(": ");
                    self.pattern(pattern);
                }
                self.put(" }");
            }
            Pattern::Is(name, of) => {
                if let Some(name) = name {
                    self.name(*name);
                    self.put(" ");
                }
                self.put("is ");
                self.type_name(of);
            }
            Pattern::Array(parts) => self.patterns("[", parts, ", ", "]"),
            Pattern::Or(parts) => self.patterns("", parts, " | ", ""),
        }
    }

    fn patterns(&mut self, open: &str, parts: &[Pattern], between: &str, close: &str) {
        self.put(open);
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                self.put(between);
            }
            self.pattern(part);
        }
        self.put(close);
    }

    fn type_name(&mut self, of: &TypeName) {
        match of {
            TypeName::Class(name) | TypeName::Enum(name) => self.name(*name),
            TypeName::Variant(of, variant) => {
                self.name(*of);
                self.put(".");
                self.name(*variant);
            }
            TypeName::Error(kind) => self.put(kind.name()),
            TypeName::Kind(kind) => self.put(kind.name()),
        }
    }

    fn budget(&mut self, budget: &Budget) {
        let mut parts = Vec::new();
        if let Some(count) = budget.instructions {
            parts.push(format!("instructions: {count}"));
        }
        if let Some(count) = budget.calls {
            parts.push(format!("calls: {count}"));
        }
        if let Some(ms) = budget.time_ms {
            parts.push(format!("time: {ms}ms"));
        }
        match budget.boundary {
            Boundary::Continue => parts.push("boundary: continue".to_owned()),
            Boundary::Escalate => parts.push("boundary: escalate".to_owned()),
            Boundary::Fail => {}
        }
        self.put("step \"part\" ");
        if !parts.is_empty() {
            self.put(&format!("({}) ", parts.join(", ")));
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
        | Expr::Named(..)
        | Expr::Library(..)
        | Expr::Variant(..)
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
        | Expr::SpawnDetached(..)
        | Expr::Is(..)
        | Expr::Match(..)
        | Expr::Squad(_)
        | Expr::Step(..)
        | Expr::Schedule(..)
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
            c if c.is_ascii_control() => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => out.push(c),
        }
    }
}
