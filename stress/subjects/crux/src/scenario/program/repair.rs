//! Makes a module compile again after something was removed from it.

use super::{Class, Enum, Expr, Function, Module, Name, Pattern, Stem, Stmt, TypeName};

/// See [`Module::repair`].
pub(super) fn repair(module: &mut Module) {
    let mut scope = Scope {
        enums: Vec::new(),
        classes: Vec::new(),
        names: Vec::new(),
        loops: 0,
        in_function: true,
    };
    module.modules.retain(|module| *module != Module::default());
    let modules = std::mem::take(&mut module.modules);
    module.modules = modules
        .into_iter()
        .map(|mut dependency| {
            scope.module(&mut dependency);
            // What is imported is constant.
            scope
                .names
                .iter_mut()
                .for_each(|(_, kind)| *kind = Kind::Fixed);
            dependency
        })
        .collect();
    scope.module(module);
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
struct Scope {
    enums: Vec<Enum>,
    /// Without their methods.
    classes: Vec<Class>,
    names: Vec<(Name, Kind)>,
    loops: u32,
    in_function: bool,
}

impl Scope {
    /// Repairs a module. What it declares stays declared.
    fn module(&mut self, module: &mut Module) {
        let Module {
            enums,
            classes,
            functions,
            globals,
            top_level,
            ..
        } = module;
        enums.retain(|of| !of.variants.is_empty());
        classes.retain(|class| !class.fields.is_empty());
        self.enums.extend(enums.iter().cloned());
        self.classes.extend(classes.iter().map(|class| Class {
            methods: Vec::new(),
            ..class.clone()
        }));
        let fixed = functions
            .iter()
            .map(|function| (function.name, Kind::Fixed));
        self.names.extend(fixed);
        let variables = globals.iter().map(|global| (global.name, Kind::Variable));
        self.names.extend(variables);
        self.in_function = true;
        for method in classes.iter_mut().flat_map(|class| &mut class.methods) {
            self.names.push((Name::new(Stem::Receiver, 0), Kind::Fixed));
            self.function(method);
            self.names.pop();
        }
        for function in functions.iter_mut() {
            self.function(function);
        }
        self.in_function = false;
        for global in globals.iter_mut() {
            self.expr(&mut global.value);
        }
        let outer = self.names.len();
        self.block(top_level);
        self.names.truncate(outer);
    }

    fn function(&mut self, function: &mut Function) {
        let outer = self.names.len();
        self.names
            .extend(function.params.iter().map(|&param| (param, Kind::Variable)));
        self.block(&mut function.body);
        self.names.truncate(outer);
    }

    /// The body of a function of its own, which sees the names around it.
    fn inner_function(&mut self, params: &[Name], body: &mut Vec<Stmt>) {
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

    fn arity(&self, of: Name, variant: Name) -> Option<u8> {
        let of = self.enums.iter().find(|known| known.name == of)?;
        let variant = of.variants.iter().find(|(name, _)| *name == variant);
        variant.map(|&(_, arity)| arity)
    }

    fn type_name(&self, of: &mut TypeName) {
        let is_known = match *of {
            TypeName::Class(name) => self.classes.iter().any(|class| class.name == name),
            TypeName::Enum(name) => self.enums.iter().any(|of| of.name == name),
            TypeName::Variant(of, variant) => self.arity(of, variant).is_some(),
            TypeName::Error(_) | TypeName::Kind(_) => true,
        };
        if !is_known {
            *of = TypeName::Kind(gcrucible_bytecode::ValueKind::Int);
        }
    }

    /// Repairs a pattern and declares what it binds.
    fn pattern(&mut self, pattern: &mut Pattern) {
        match pattern {
            Pattern::Literal(_) | Pattern::Range(..) | Pattern::Any => {}
            Pattern::Bind(name) => self.names.push((*name, Kind::Variable)),
            Pattern::Variant(of, variant, parts) => match self.arity(*of, *variant) {
                None => *pattern = Pattern::Any,
                Some(arity) => {
                    parts.resize(usize::from(arity), Pattern::Any);
                    parts.iter_mut().for_each(|part| self.pattern(part));
                }
            },
            Pattern::Class(class, fields) => {
                let class = self.classes.iter().find(|known| known.name == *class);
                match class.map(|class| class.fields.clone()) {
                    None => *pattern = Pattern::Any,
                    Some(known) => {
                        fields.retain(|(field, _)| known.contains(field));
                        fields.iter_mut().for_each(|(_, part)| self.pattern(part));
                    }
                }
            }
            Pattern::Is(name, of) => {
                self.type_name(of);
                self.names.extend(name.map(|name| (name, Kind::Variable)));
            }
            Pattern::Array(parts) | Pattern::Or(parts) => {
                parts.iter_mut().for_each(|part| self.pattern(part));
            }
        }
    }

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
            Stmt::Deadline(value, body) | Stmt::Sync(value, body) => {
                self.expr(value);
                self.block(body);
                true
            }
            Stmt::Try {
                body,
                typed,
                catch,
                finally,
            } => {
                self.block(body);
                for (name, of, handler) in typed.iter_mut() {
                    self.type_name(of);
                    self.names.push((*name, Kind::Variable));
                    self.block(handler);
                    self.names.pop();
                }
                if let Some((name, handler)) = catch {
                    self.names.push((*name, Kind::Variable));
                    self.block(handler);
                    self.names.pop();
                }
                if let Some(finally) = finally {
                    self.block(finally);
                }
                if typed.is_empty() && catch.is_none() && finally.is_none() {
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
            Expr::Lambda(params, body) | Expr::Schedule(_, params, body) => {
                self.inner_function(params, body);
            }
            Expr::Step(_, body) => self.inner_function(&[], body),
            Expr::Squad(body) => self.block(body),
            Expr::Is(value, of) => {
                self.expr(value);
                self.type_name(of);
            }
            Expr::Variant(of, variant, payload) => match self.arity(*of, *variant) {
                None => *expr = Expr::Nil,
                Some(arity) => {
                    payload.resize(usize::from(arity), Expr::Nil);
                    payload.iter_mut().for_each(|part| self.expr(part));
                }
            },
            Expr::Match(subject, arms) => {
                self.expr(subject);
                for arm in arms {
                    let outer = self.names.len();
                    self.pattern(&mut arm.pattern);
                    if let Some(guard) = &mut arm.guard {
                        self.expr(guard);
                    }
                    match arm.body.as_mut_slice() {
                        // The value of the arm; it need not have an effect.
                        [Stmt::Expr(value)] => self.expr(value),
                        _ => self.block(&mut arm.body),
                    }
                    self.names.truncate(outer);
                }
            }
            Expr::Instance(class, fields) => {
                let class = self.classes.iter().find(|known| known.name == *class);
                let Some(known) = class.map(|class| class.fields.clone()) else {
                    *expr = Expr::Nil;
                    return;
                };
                let complete = known.len() == fields.len()
                    && known.iter().zip(fields.iter()).all(|(a, (b, _))| a == b);
                if !complete {
                    let mut given = std::mem::take(fields);
                    fields.extend(known.iter().map(|&field| {
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
        if let Expr::SpawnDetached(callee, _) = expr
            && !matches!(**callee, Expr::Name(_) | Expr::Field(..))
        {
            // `detached` is a name, too.
            *expr = Expr::Nil;
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
            | Expr::Variant(..)
            | Expr::Is(..)
    )
}
