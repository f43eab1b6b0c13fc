//! Makes a module compile again after something was removed from it.

use super::{Class, Expr, Module, Name, Stmt};

/// See [`Module::repair`].
pub(super) fn repair(module: &mut Module) {
    let Module {
        classes,
        functions,
        globals,
        top_level,
    } = module;
    classes.retain(|class| !class.fields.is_empty());
    let mut scope = Scope {
        classes,
        names: Vec::new(),
        loops: 0,
        in_function: true,
    };
    scope.names.extend(
        functions
            .iter()
            .map(|function| (function.name, Kind::Fixed)),
    );
    scope
        .names
        .extend(globals.iter().map(|global| (global.name, Kind::Variable)));
    for function in functions.iter_mut() {
        let outer = scope.names.len();
        scope
            .names
            .extend(function.params.iter().map(|&param| (param, Kind::Variable)));
        scope.block(&mut function.body);
        scope.names.truncate(outer);
    }
    scope.in_function = false;
    for global in globals.iter_mut() {
        scope.expr(&mut global.value);
    }
    scope.block(top_level);
}

/// What a name may be used for.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// It can be assigned.
    Variable,
    /// It cannot.
    Fixed,
}

/// What is declared where the walk stands.
struct Scope<'a> {
    classes: &'a [Class],
    names: Vec<(Name, Kind)>,
    loops: u32,
    in_function: bool,
}

impl Scope<'_> {
    fn kind(&self, name: Name) -> Option<Kind> {
        self.names
            .iter()
            .rev()
            .find(|(declared, _)| *declared == name)
            .map(|&(_, kind)| kind)
    }

    fn block(&mut self, body: &mut Vec<Stmt>) {
        let outer = self.names.len();
        body.retain_mut(|stmt| self.stmt(stmt));
        self.names.truncate(outer);
    }

    fn body_of_loop(&mut self, body: &mut Vec<Stmt>) {
        self.loops += 1;
        self.block(body);
        self.loops -= 1;
    }

    /// Repairs a statement; false when it has to go.
    fn stmt(&mut self, stmt: &mut Stmt) -> bool {
        match stmt {
            Stmt::Let(name, value) => {
                self.expr(value);
                self.names.push((*name, Kind::Variable));
                true
            }
            Stmt::Const(name, value) => {
                self.expr(value);
                self.names.push((*name, Kind::Fixed));
                true
            }
            Stmt::Assign(target, value) => {
                self.expr(value);
                self.target(target)
            }
            Stmt::Update(target, op, value) => {
                self.expr(value);
                self.target(target) && op.updates()
            }
            Stmt::Expr(value) => {
                self.expr(value);
                !has_no_effect(value)
            }
            Stmt::If(condition, then, otherwise) => {
                self.expr(condition);
                self.block(then);
                self.block(otherwise);
                true
            }
            Stmt::Repeat {
                counter,
                condition,
                body,
                ..
            } => {
                self.names.push((*counter, Kind::Variable));
                self.expr(condition);
                self.body_of_loop(body);
                true
            }
            Stmt::For {
                name,
                over,
                limit,
                body,
            } => {
                self.names
                    .extend(limit.map(|(counter, _)| (counter, Kind::Variable)));
                self.expr(over);
                self.names.push((*name, Kind::Variable));
                self.body_of_loop(body);
                let at = self.names.len() - 1;
                self.names.truncate(at);
                true
            }
            Stmt::Break | Stmt::Continue => self.loops > 0,
            Stmt::Return(value) => {
                self.expr(value);
                self.in_function
            }
            Stmt::Throw(value) | Stmt::Cancel(value) => {
                self.expr(value);
                true
            }
            Stmt::Try {
                body,
                catch,
                finally,
            } => {
                self.block(body);
                if let Some((name, handler)) = catch {
                    self.names.push((*name, Kind::Variable));
                    self.block(handler);
                    self.names.pop();
                }
                if let Some(finally) = finally {
                    self.block(finally);
                }
                if catch.is_none() && finally.is_none() {
                    *finally = Some(Vec::new());
                }
                true
            }
        }
    }

    /// Repairs what an assignment goes to; false when it cannot be assigned.
    fn target(&mut self, target: &mut Expr) -> bool {
        match target {
            Expr::Name(name) => self.kind(*name) == Some(Kind::Variable),
            Expr::Field(..) | Expr::Index(..) => {
                self.expr(target);
                true
            }
            _ => false,
        }
    }

    fn expr(&mut self, expr: &mut Expr) {
        match expr {
            Expr::Name(name) if self.kind(*name).is_none() => *expr = Expr::Nil,
            Expr::Lambda(params, body) => {
                let outer = self.names.len();
                let loops = std::mem::take(&mut self.loops);
                let in_function = std::mem::replace(&mut self.in_function, true);
                self.names
                    .extend(params.iter().map(|&param| (param, Kind::Variable)));
                self.block(body);
                self.in_function = in_function;
                self.loops = loops;
                self.names.truncate(outer);
            }
            Expr::Instance(class, fields) => {
                let Some(class) = self.classes.iter().find(|known| known.name == *class) else {
                    *expr = Expr::Nil;
                    return;
                };
                let complete = class.fields.len() == fields.len()
                    && class
                        .fields
                        .iter()
                        .zip(fields.iter())
                        .all(|(a, (b, _))| a == b);
                if !complete {
                    let mut given = std::mem::take(fields);
                    fields.extend(class.fields.iter().map(|&field| {
                        match given.iter().position(|(name, _)| *name == field) {
                            Some(at) => given.swap_remove(at),
                            None => (field, Expr::Nil),
                        }
                    }));
                }
                fields.iter_mut().for_each(|(_, value)| self.expr(value));
            }
            Expr::Builtin(builtin, arguments) => {
                let (fewest, most) = builtin.arity();
                arguments.truncate(usize::from(most));
                while arguments.len() < usize::from(fewest) {
                    arguments.push(Expr::Nil);
                }
                arguments
                    .iter_mut()
                    .for_each(|argument| self.expr(argument));
            }
            _ => expr.each_part_mut(&mut |part| self.expr(part)),
        }
    }
}

fn has_no_effect(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Nil
            | Expr::Bool(_)
            | Expr::Int(_)
            | Expr::Float(_)
            | Expr::Text(_)
            | Expr::Name(_)
            | Expr::Lambda(..)
    )
}
