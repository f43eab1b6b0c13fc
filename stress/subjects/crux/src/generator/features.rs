//! What a scenario has: found in its program and host script, whatever the swarm allowed.
//!
//! A walk over the entry module and the host's events; versions that the host may reload to are
//! left out, for they may never run. A feature is there when a statement, an expression or an event
//! of it is. So a global channel that nothing is sent to is none, and a loop is one whoever made it.

use gcrucible_bytecode::{Builtin, Method};
use gcrucible_trace::FeatureSet;

use super::swarm::{Feature, Swarm};
use crate::scenario::program::{BinaryOp, Expr, Module, Name, Stem, Stmt};
use crate::scenario::{Body, HeapOp, HeapOps, HostEvent, ModuleSource, Scenario};

/// What a scenario has: features of the language and the host, or kinds of heap operations.
pub fn features_of(scenario: &Scenario) -> FeatureSet {
    match &scenario.body {
        Body::HeapOps(HeapOps { ops, .. }) => {
            let kinds = ops.iter().map(HeapOp::kind);
            kinds.fold(FeatureSet::NONE, FeatureSet::with)
        }
        Body::Programs(programs) => {
            let mut finder = Finder::new(in_host_script(&programs.host));
            if let ModuleSource::Tree(module) = &programs.entry {
                finder.module(module);
            }
            let found = finder.found.iter().map(|feature| feature as usize);
            found.fold(FeatureSet::NONE, FeatureSet::with)
        }
    }
}

/// What a part of a body has. What depends on where it stands is that of a function that the host
/// calls.
pub(super) fn in_statements(stmts: &[Stmt]) -> Swarm {
    let mut finder = Finder::new(Swarm::NONE);
    finder.block(stmts);
    finder.found
}

/// What a host does.
pub(super) fn in_host_script(events: &[HostEvent]) -> Swarm {
    let mut found = Swarm::NONE;
    let mut has_joined = false;
    for (at, event) in events.iter().enumerate() {
        let feature = match event {
            HostEvent::Call { function, .. } | HostEvent::CallInFork { function, .. } => {
                // The call that reads back comes after all others have ended.
                if has_joined && function != Stem::Entry.text() {
                    found = found.with(Feature::HostJoin);
                }
                match event {
                    HostEvent::CallInFork { .. } => Some(Feature::Forks),
                    _ => None,
                }
            }
            HostEvent::Request { .. } => {
                if has_joined {
                    found = found.with(Feature::HostJoin);
                }
                Some(Feature::Requests)
            }
            HostEvent::JoinCall { .. } => {
                has_joined = true;
                None
            }
            HostEvent::CancelCall { .. } | HostEvent::CancelFuture { .. } => {
                Some(Feature::HostCancel)
            }
            HostEvent::DropCall { .. } => Some(Feature::HostDrop),
            HostEvent::Protect { .. } | HostEvent::Unprotect { .. } => Some(Feature::HostProtect),
            HostEvent::Collect { .. } => Some(Feature::HostCollect),
            HostEvent::AdvanceTime { .. } => Some(Feature::HostTime),
            HostEvent::Interrupt { .. } => Some(Feature::Interrupts),
            HostEvent::Fork { .. } | HostEvent::DropFork { .. } => Some(Feature::Forks),
            HostEvent::Disconnect { .. } => Some(Feature::Disconnects),
            HostEvent::Reload { .. } => Some(Feature::Reloads),
            HostEvent::Preload { .. } => Some(Feature::Preloads),
            HostEvent::Tick
            | HostEvent::JoinEntry
            | HostEvent::FinishPreload
            | HostEvent::OverrideEntry { .. }
            | HostEvent::UnchangedEntry
            | HostEvent::Isolate => None,
        };
        found = feature.map_or(found, |feature| found.with(feature));
        let id = call_begun(event);
        if id.is_some() && events[..at].iter().any(|before| call_begun(before) == id) {
            found = found.with(Feature::HostIds);
        }
    }
    found
}

/// The id of the call that an event begins.
fn call_begun(event: &HostEvent) -> Option<u32> {
    match event {
        HostEvent::Call { call, .. }
        | HostEvent::CallInFork { call, .. }
        | HostEvent::Request { call, .. } => Some(*call),
        _ => None,
    }
}

/// Loops within each other whose collections are watched; no generated program has more.
const LOOPS_MAX: usize = 8;

/// Ints from here on do not fit into a word, nor do those below its opposite.
const BIG: u64 = 1 << 47;

/// A walk over a program.
struct Finder<'a> {
    found: Swarm,
    /// The function that it is in.
    function: Option<Name>,
    /// Whether what it is in runs while the module is initialised.
    is_init: bool,
    /// Whether what it is in runs as a task.
    is_task: bool,
    /// The innermost closure that it is in: parameters and body.
    closure: Option<(&'a [Name], &'a [Stmt])>,
    /// Loops that it is in, within the closure: what each goes over, and its variable.
    loops: [Option<(Name, Name)>; LOOPS_MAX],
    depth: usize,
}

impl<'a> Finder<'a> {
    fn new(found: Swarm) -> Self {
        Finder {
            found,
            function: None,
            is_init: false,
            is_task: false,
            closure: None,
            loops: [None; LOOPS_MAX],
            depth: 0,
        }
    }

    fn add(&mut self, feature: Feature) {
        self.found = self.found.with(feature);
    }

    fn add_if(&mut self, is_there: bool, feature: Feature) {
        if is_there {
            self.add(feature);
        }
    }

    fn module(&mut self, module: &'a Module) {
        self.add_if(!module.modules.is_empty(), Feature::Modules);
        for part in module.parts() {
            let methods = part.classes.iter().flat_map(|class| &class.methods);
            for function in methods.chain(&part.functions) {
                self.function = Some(function.name);
                self.is_task = function.name.stem == Stem::Worker;
                self.block(&function.body);
            }
            self.function = None;
            self.is_task = false;
            self.is_init = true;
            for global in &part.globals {
                self.expr(&global.value);
            }
            self.block(&part.top_level);
            self.is_init = false;
        }
    }

    fn block(&mut self, block: &'a [Stmt]) {
        for stmt in block {
            self.stmt(stmt);
        }
    }

    fn stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::Assign(target, value) => self.store(target, value),
            Stmt::Update(target, op, value) => {
                self.store(target, value);
                let is_text = matches!(value, Expr::Text(_));
                self.add_if(is_text && *op == BinaryOp::Add, Feature::Strings);
            }
            Stmt::Repeat {
                condition, body, ..
            } => {
                self.expr(condition);
                return self.loop_over(None, body);
            }
            Stmt::For {
                name, over, body, ..
            } => {
                self.expr(over);
                let over = match over {
                    Expr::Name(over) => Some((*over, *name)),
                    _ => None,
                };
                return self.loop_over(over, body);
            }
            Stmt::Throw(_) => self.add(Feature::Throw),
            Stmt::Deadline(..) => self.add(Feature::Deadlines),
            Stmt::Sync(..) => self.add(Feature::Guards),
            Stmt::Cancel(_) => self.add(Feature::Cancel),
            Stmt::Try {
                typed,
                catch,
                finally,
                ..
            } => {
                self.add_if(!typed.is_empty(), Feature::TypedCatch);
                self.add_if(catch.is_some(), Feature::Catch);
                self.add_if(finally.is_some(), Feature::Finally);
            }
            Stmt::Let(..)
            | Stmt::Const(..)
            | Stmt::Expr(_)
            | Stmt::If(..)
            | Stmt::Break
            | Stmt::Continue
            | Stmt::Return(_) => {}
        }
        stmt.each_expr(&mut |expr| self.expr(expr));
        stmt.each_block(&mut |block| self.block(block));
    }

    fn loop_over(&mut self, over: Option<(Name, Name)>, body: &'a [Stmt]) {
        self.add(Feature::Loops);
        self.add_if(self.depth > 0, Feature::Iteration);
        if let Some(place) = self.loops.get_mut(self.depth) {
            *place = over;
        }
        self.depth += 1;
        self.block(body);
        self.depth -= 1;
    }

    fn store(&mut self, target: &Expr, value: &Expr) {
        match target {
            Expr::Name(name) if name.stem == Stem::Global => {
                self.add_if(!self.is_init, Feature::LateGlobalStores);
            }
            Expr::Name(name) => {
                let is_captured = self
                    .closure
                    .is_some_and(|(params, body)| !params.contains(name) && !declares(body, *name));
                self.add_if(is_captured, Feature::SharedCells);
            }
            Expr::Field(object, _) => self.add_if(**object == *value, Feature::Cycles),
            Expr::Index(object, key) => {
                self.add_if(**object == *value, Feature::Cycles);
                self.change(object, Some(key));
            }
            _ => {}
        }
    }

    /// A collection changes; if a loop that goes over it is around, that is noted. What only
    /// replaces the value of the loop's own key changes nothing that the loop could see.
    fn change(&mut self, object: &Expr, key: Option<&Expr>) {
        let Expr::Name(object) = object else {
            return;
        };
        let loops = &self.loops[..self.depth.min(LOOPS_MAX)];
        let mut loops = loops.iter().flatten();
        let changes = loops.any(|(over, name)| {
            over == object && !matches!(key, Some(Expr::Name(key)) if key == name)
        });
        self.add_if(changes, Feature::IterateAndChange);
    }

    fn expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Lambda(params, body) => {
                self.add(Feature::Closures);
                let outer = (self.closure.replace((params, body)), self.depth);
                let loops = std::mem::replace(&mut self.loops, [None; LOOPS_MAX]);
                self.depth = 0;
                self.block(body);
                self.loops = loops;
                (self.closure, self.depth) = outer;
                return;
            }
            Expr::Spawn(callee, arguments) | Expr::SpawnDetached(callee, arguments) => {
                let is_detached = matches!(expr, Expr::SpawnDetached(..));
                self.add_if(is_detached, Feature::Detached);
                self.starts_task();
                let outer = std::mem::replace(&mut self.is_task, true);
                self.expr(callee);
                self.is_task = outer;
                self.awaits_inside(arguments);
                arguments.iter().for_each(|argument| self.expr(argument));
                return;
            }
            Expr::Schedule(_, params, body) => {
                self.add(Feature::Schedules);
                self.starts_task();
                let closure = self.closure.replace((params, body));
                let outer = std::mem::replace(&mut self.is_task, true);
                self.block(body);
                self.is_task = outer;
                self.closure = closure;
                return;
            }
            _ => self.alone(expr),
        }
        expr.each_part(&mut |part| self.expr(part));
        expr.each_body(&mut |body| self.block(body));
    }

    /// What an expression is without its parts.
    fn alone(&mut self, expr: &Expr) {
        match expr {
            Expr::Int(value) => self.add_if(value.unsigned_abs() >= BIG, Feature::BigInts),
            Expr::Float(_) => self.add(Feature::Floats),
            Expr::Interpolation(parts) => {
                self.add(Feature::Strings);
                self.awaits_inside(parts);
            }
            Expr::Array(parts) => self.awaits_inside(parts),
            Expr::Map(_) => self.add(Feature::Maps),
            Expr::Instance(..) => self.add(Feature::Instances),
            Expr::Binary(op, left, right) => self.binary(*op, left, right),
            Expr::Index(object, key) => {
                if let (Expr::Array(elements), Expr::Int(at)) = (&**object, &**key) {
                    let is_there = usize::try_from(*at).is_ok_and(|at| at < elements.len());
                    self.add_if(!is_there, Feature::RuntimeErrors);
                }
            }
            Expr::Call(callee, arguments) => {
                match &**callee {
                    Expr::Name(name) => {
                        self.add_if(self.function == Some(*name), Feature::Recursion);
                    }
                    Expr::Array(_) => self.add(Feature::RuntimeErrors),
                    _ => {}
                }
                self.awaits_inside(arguments);
            }
            Expr::CallField(_, name, arguments) => {
                self.add_if(name.stem == Stem::Method, Feature::Methods);
                self.awaits_inside(arguments);
            }
            Expr::Field(_, name) => self.add_if(name.stem == Stem::Method, Feature::Methods),
            Expr::Method(object, method, arguments) => self.method(object, *method, arguments),
            Expr::Builtin(builtin, arguments) => self.builtin(*builtin, arguments),
            Expr::Named(object, name, _) => {
                // Variables that hold streams have a stem of their own, and no array or map has.
                let is_of_stream = match &**object {
                    Expr::Name(object) => object.stem == Stem::Shared,
                    Expr::Library(name, _) => name == "stream",
                    _ => false,
                };
                let is_of_library = !matches!(name.as_str(), "next" | "collect" | "absent");
                self.add_if(is_of_library && !is_of_stream, Feature::Library);
            }
            Expr::Library(name, _) => self.library(name),
            Expr::Variant(..) => self.add(Feature::Enums),
            Expr::Match(..) => self.add(Feature::Match),
            Expr::Squad(_) => self.add(Feature::Squads),
            Expr::Step(..) => self.add(Feature::Steps),
            Expr::Nil
            | Expr::Bool(_)
            | Expr::Text(_)
            | Expr::Name(_)
            | Expr::Range(..)
            | Expr::Lambda(..)
            | Expr::Neg(_)
            | Expr::Not(_)
            | Expr::Spawn(..)
            | Expr::SpawnDetached(..)
            | Expr::Await(_)
            | Expr::Is(..)
            | Expr::Schedule(..) => {}
        }
    }

    fn binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr) {
        let is_text = |side: &Expr| matches!(side, Expr::Text(_));
        match op {
            BinaryOp::Add => {
                self.add_if(is_text(left) || is_text(right), Feature::Strings);
                self.add_if(*left == Expr::Int(i64::MAX), Feature::RuntimeErrors);
            }
            BinaryOp::Sub => self.add_if(is_text(left), Feature::RuntimeErrors),
            BinaryOp::Div | BinaryOp::Rem => {
                self.add_if(*right == Expr::Int(0), Feature::RuntimeErrors);
            }
            _ => {}
        }
    }

    fn method(&mut self, object: &Expr, method: Method, arguments: &[Expr]) {
        match method {
            Method::Push | Method::Insert => {
                self.add(Feature::Arrays);
                self.change(object, None);
                self.add_if(arguments.last() == Some(object), Feature::Cycles);
                let is_global = matches!(object, Expr::Name(name) if name.stem == Stem::Global);
                let is_future = matches!(arguments, [Expr::Spawn(..)]);
                self.add_if(is_global && is_future, Feature::SharedFutures);
            }
            Method::Pop | Method::Remove | Method::Clear => {
                self.add(Feature::Removal);
                self.change(object, None);
            }
            Method::Extend | Method::Fill | Method::Reverse => {
                self.add(Feature::Arrays);
                self.add(Feature::Library);
            }
            Method::Keys => {
                let is_wrong = matches!(object, Expr::Array(_));
                self.add_if(is_wrong, Feature::RuntimeErrors);
            }
            Method::Join => self.add(Feature::Strings),
            Method::Split | Method::Replace | Method::Upper | Method::IndexOf | Method::Repeat => {
                self.add(Feature::Library);
            }
            Method::Send
            | Method::TrySend
            | Method::Receive
            | Method::TryReceive
            | Method::Close => self.add(Feature::Channels),
            _ => {}
        }
        self.awaits_inside(arguments);
    }

    fn builtin(&mut self, builtin: Builtin, arguments: &[Expr]) {
        self.add(match builtin {
            Builtin::Assert if arguments.first() == Some(&Expr::Bool(false)) => {
                Feature::RuntimeErrors
            }
            Builtin::CancellationRequested => Feature::CancellationRequested,
            Builtin::Sleep => Feature::Sleep,
            Builtin::YieldNow => Feature::Yield,
            Builtin::Collect => Feature::Collect,
            Builtin::DeepCopy | Builtin::DeepEquals => Feature::DeepCopy,
            Builtin::Str => Feature::Strings,
            Builtin::Print => Feature::Print,
            Builtin::Iter | Builtin::Next => Feature::Iteration,
            Builtin::Weak => Feature::Weak,
            Builtin::Finalizer => Feature::Finalizers,
            Builtin::Interrupt => Feature::Interrupts,
            Builtin::Host => Feature::HostOperations,
            Builtin::RandomInt
            | Builtin::Now
            | Builtin::Bits
            | Builtin::Int
            | Builtin::Unsettled => Feature::Library,
            _ => return,
        });
    }

    fn library(&mut self, name: &str) {
        self.add(match name {
            "stream" => Feature::Streams,
            "on_finish" | "pre_finish" | "on_unsettled" | "post_finish" => Feature::Hooks,
            "on_interrupt" => Feature::Interrupts,
            "fs.read" | "http.get" => Feature::HostOperations,
            _ if name.starts_with("clients.") => Feature::Clients,
            _ if name.starts_with("math.") || name.starts_with("json.") => Feature::Library,
            _ => return,
        });
    }

    fn starts_task(&mut self) {
        self.add_if(self.is_task, Feature::NestedTasks);
        let is_init = self.is_init && self.closure.is_none();
        self.add_if(is_init, Feature::TasksAtInit);
    }

    /// An await among parts that are evaluated before it or after.
    fn awaits_inside(&mut self, parts: &[Expr]) {
        let has_await = parts.iter().any(|part| matches!(part, Expr::Await(_)));
        self.add_if(has_await, Feature::AwaitInside);
    }
}

/// Whether a block declares a variable, or one of those inside does, closures apart.
fn declares(block: &[Stmt], name: Name) -> bool {
    block.iter().any(|stmt| {
        let mut does = match stmt {
            Stmt::Let(declared, _) | Stmt::Const(declared, _) => *declared == name,
            Stmt::For { name: declared, .. }
            | Stmt::Repeat {
                counter: declared, ..
            } => *declared == name,
            _ => false,
        };
        stmt.each_block(&mut |block| does = does || declares(block, name));
        does
    })
}

#[cfg(test)]
mod tests {
    use gcrucible_scenario::{Lane, ScenarioSeed};
    use gcrucible_subject::AnySubject;
    use gcrucible_trace::FeaturePairs;

    use super::*;
    use crate::generator::Mix;
    use crate::lane;
    use crate::scenario::program::{Class, Function, Global};

    fn x(number: u16) -> Name {
        Name::new(Stem::Local, number)
    }

    fn name(stem: Stem) -> Expr {
        Expr::Name(Name::new(stem, 1))
    }

    fn call(builtin: Builtin, arguments: Vec<Expr>) -> Expr {
        Expr::Builtin(builtin, arguments)
    }

    fn lambda(body: Vec<Stmt>) -> Expr {
        Expr::Lambda(vec![], body)
    }

    fn tried(catch: Option<(Name, Vec<Stmt>)>, finally: Option<Vec<Stmt>>) -> Stmt {
        Stmt::Try {
            body: vec![],
            typed: vec![],
            catch,
            finally,
        }
    }

    fn over(body: Vec<Stmt>) -> Stmt {
        Stmt::For {
            name: x(9),
            over: Expr::Name(x(1)),
            limit: None,
            body,
        }
    }

    fn function(stem: Stem, body: Vec<Stmt>) -> Module {
        let function = Function {
            name: Name::new(stem, 1),
            params: vec![],
            body,
        };
        Module {
            functions: vec![function],
            ..Module::default()
        }
    }

    /// A module that has the feature, as little else as possible, and nothing of it once its
    /// statements are gone; `None` for what a host does.
    fn module_with(feature: Feature) -> Option<Module> {
        let local = || Expr::Name(x(1));
        let push = |value| Expr::method(Expr::Name(x(1)), Method::Push, vec![value]);
        let stmt = Stmt::Expr;
        let body = match feature {
            Feature::Arrays => vec![stmt(push(Expr::Nil))],
            Feature::Maps => vec![stmt(Expr::Map(vec![]))],
            Feature::Removal => vec![stmt(Expr::method(local(), Method::Pop, vec![]))],
            Feature::IterateAndChange => vec![over(vec![stmt(push(Expr::Nil))])],
            Feature::Instances => vec![stmt(Expr::Instance(Name::new(Stem::Class, 1), vec![]))],
            Feature::Cycles => vec![stmt(push(local()))],
            Feature::Closures => vec![stmt(lambda(vec![]))],
            Feature::SharedCells => vec![stmt(lambda(vec![Stmt::Assign(local(), Expr::Nil)]))],
            Feature::Catch => vec![tried(Some((x(2), vec![])), None)],
            Feature::Finally => vec![tried(None, Some(vec![]))],
            Feature::Throw => vec![Stmt::Throw(Expr::Nil)],
            Feature::RuntimeErrors => {
                let zero = Expr::Int(0);
                vec![stmt(Expr::binary(BinaryOp::Div, Expr::Int(1), zero))]
            }
            Feature::Recursion => {
                let itself = Expr::Call(Box::new(name(Stem::Entry)), vec![]);
                vec![stmt(itself)]
            }
            Feature::Loops => vec![over(vec![])],
            Feature::NestedTasks => {
                let spawn = Expr::spawn(x(1), vec![]);
                return Some(function(Stem::Worker, vec![stmt(spawn)]));
            }
            Feature::SharedFutures => {
                let spawn = Expr::spawn(x(1), vec![]);
                let push = Expr::method(name(Stem::Global), Method::Push, vec![spawn]);
                vec![stmt(push)]
            }
            Feature::AwaitInside => {
                vec![stmt(Expr::Array(vec![Expr::Nil, Expr::awaited(local())]))]
            }
            Feature::Cancel => vec![Stmt::Cancel(local())],
            Feature::CancellationRequested => {
                vec![stmt(call(Builtin::CancellationRequested, vec![]))]
            }
            Feature::Sleep => vec![stmt(call(Builtin::Sleep, vec![Expr::Int(1)]))],
            Feature::Yield => vec![stmt(call(Builtin::YieldNow, vec![]))],
            Feature::Collect => vec![stmt(call(Builtin::Collect, vec![]))],
            Feature::DeepCopy => vec![stmt(call(Builtin::DeepCopy, vec![local()]))],
            Feature::BigInts => vec![stmt(Expr::Int(-(1 << 47)))],
            Feature::Floats => vec![stmt(Expr::Float(0.5))],
            Feature::Strings => vec![stmt(Expr::Interpolation(vec![local()]))],
            Feature::Print => vec![stmt(call(Builtin::Print, vec![]))],
            Feature::Methods => {
                let method = Name::new(Stem::Method, 1);
                vec![stmt(Expr::CallField(Box::new(local()), method, vec![]))]
            }
            Feature::Enums => {
                let (name, variant) = (Name::new(Stem::Enum, 1), Name::new(Stem::Variant, 1));
                vec![stmt(Expr::Variant(name, variant, vec![]))]
            }
            Feature::Match => vec![stmt(Expr::Match(Box::new(local()), vec![]))],
            Feature::TypedCatch => {
                let kind = crate::scenario::program::TypeName::Class(Name::new(Stem::Class, 1));
                vec![Stmt::Try {
                    body: vec![],
                    typed: vec![(x(2), kind, vec![])],
                    catch: None,
                    finally: None,
                }]
            }
            Feature::Iteration => vec![stmt(call(Builtin::Next, vec![local()]))],
            Feature::Streams => vec![stmt(Expr::library("stream", vec![local()]))],
            Feature::Channels => vec![stmt(Expr::method(local(), Method::TryReceive, vec![]))],
            Feature::Squads => vec![stmt(Expr::Squad(vec![]))],
            Feature::Schedules => vec![stmt(Expr::Schedule(1, vec![], vec![]))],
            Feature::Deadlines => vec![Stmt::Deadline(Expr::Int(1), vec![])],
            Feature::Steps => {
                let budget = crate::scenario::program::Budget {
                    instructions: None,
                    calls: None,
                    time_ms: None,
                    boundary: gcrucible_bytecode::Boundary::Fail,
                };
                vec![stmt(Expr::Step(budget, vec![]))]
            }
            Feature::Guards => vec![Stmt::Sync(local(), vec![])],
            Feature::Modules => {
                return Some(Module {
                    modules: vec![Module::default()],
                    ..Module::default()
                });
            }
            Feature::Library => vec![stmt(Expr::named(local(), "map", vec![]))],
            Feature::Hooks => vec![stmt(Expr::library("on_finish", vec![]))],
            Feature::Interrupts => vec![stmt(Expr::library("on_interrupt", vec![]))],
            Feature::Weak => vec![stmt(call(Builtin::Weak, vec![local()]))],
            Feature::Finalizers => vec![stmt(call(Builtin::Finalizer, vec![local(), local()]))],
            Feature::Detached => vec![stmt(Expr::SpawnDetached(Box::new(local()), vec![]))],
            Feature::HostOperations => vec![stmt(Expr::library("fs.read", vec![local()]))],
            Feature::TasksAtInit => {
                return Some(Module {
                    globals: vec![Global {
                        name: Name::new(Stem::Global, 1),
                        value: Expr::spawn(x(1), vec![]),
                    }],
                    ..Module::default()
                });
            }
            Feature::LateGlobalStores => vec![Stmt::Assign(name(Stem::Global), Expr::Nil)],
            Feature::Clients => vec![stmt(Expr::library("clients.call", vec![local()]))],
            _ => return None,
        };
        Some(function(Stem::Entry, body))
    }

    /// Events that have the feature.
    fn events_with(feature: Feature) -> Vec<HostEvent> {
        let begun = |call| HostEvent::Call {
            call,
            function: "entry1".to_owned(),
            args: vec![],
        };
        let version = 0;
        let event = match feature {
            Feature::HostIds => return vec![begun(1), begun(1)],
            Feature::HostJoin => return vec![begun(1), HostEvent::JoinCall { call: 1 }, begun(2)],
            Feature::HostCancel => HostEvent::CancelFuture { future: 1 },
            Feature::HostDrop => HostEvent::DropCall { call: 1 },
            Feature::HostProtect => HostEvent::Protect { call: 1 },
            Feature::HostCollect => HostEvent::Collect {
                kind: gcrucible_heap::CollectionKind::Minor,
            },
            Feature::HostTime => HostEvent::AdvanceTime { ms: 1 },
            Feature::Forks => HostEvent::Fork { fork: 1 },
            Feature::Requests => HostEvent::Request {
                call: 1,
                function: "entry1".to_owned(),
                args: vec![],
                header: crate::scenario::Header::Absent,
                panics: false,
            },
            Feature::Disconnects => HostEvent::Disconnect { call: 1 },
            Feature::Reloads => HostEvent::Reload {
                version,
                forced: false,
            },
            Feature::Preloads => HostEvent::Preload { version },
            other => panic!("{other:?} is in a program"),
        };
        vec![event]
    }

    fn in_module(module: &Module) -> Swarm {
        let mut finder = Finder::new(Swarm::NONE);
        finder.module(module);
        finder.found
    }

    #[test]
    fn each_feature_is_seen_where_it_is_and_only_there() {
        for &feature in Feature::ALL {
            let found = match module_with(feature) {
                Some(module) => in_module(&module),
                None => in_host_script(&events_with(feature)),
            };
            assert!(found.has(feature), "{feature:?} is not seen");
            // Some are made with another one.
            let besides: Vec<_> = found.iter().filter(|&other| other != feature).collect();
            let expected: &[Feature] = match feature {
                Feature::IterateAndChange => &[Feature::Arrays, Feature::Loops],
                Feature::Cycles => &[Feature::Arrays],
                Feature::SharedCells => &[Feature::Closures],
                Feature::SharedFutures => &[Feature::Arrays],
                _ => &[],
            };
            assert_eq!(besides, expected, "{feature:?}");
        }
    }

    #[test]
    fn what_only_looks_like_a_feature_is_none() {
        let own = vec![
            Stmt::Let(x(1), Expr::Nil),
            Stmt::Assign(Expr::Name(x(1)), Expr::Nil),
        ];
        let closure = in_statements(&[Stmt::Expr(lambda(own))]);
        assert!(!closure.has(Feature::SharedCells), "its own variable");
        let index = |key| Expr::index(Expr::Name(x(1)), key);
        let in_place = over(vec![Stmt::Assign(index(Expr::Name(x(9))), Expr::Nil)]);
        assert!(!in_statements(&[in_place]).has(Feature::IterateAndChange));
        let grows = over(vec![Stmt::Assign(index(Expr::Nil), Expr::Nil)]);
        assert!(in_statements(&[grows]).has(Feature::IterateAndChange));
        let awaited = Stmt::Let(x(1), Expr::awaited(Expr::Name(x(2))));
        assert_eq!(in_statements(&[awaited]), Swarm::NONE);
        let first = Stmt::Assign(name(Stem::Global), Expr::Nil);
        let module = Module {
            top_level: vec![first],
            ..Module::default()
        };
        assert_eq!(in_module(&module), Swarm::NONE, "not late");
        let method = Function {
            name: Name::new(Stem::Method, 1),
            params: vec![],
            body: vec![Stmt::Expr(Expr::spawn(x(1), vec![]))],
        };
        let class = Class {
            name: Name::new(Stem::Class, 1),
            fields: vec![],
            methods: vec![method],
        };
        let module = Module {
            classes: vec![class],
            ..Module::default()
        };
        assert_eq!(
            in_module(&module),
            Swarm::NONE,
            "no task, and nobody calls it"
        );
        let read_back = |call| HostEvent::Call {
            call,
            function: Stem::Entry.text().to_owned(),
            args: vec![],
        };
        let events = [read_back(1), HostEvent::JoinCall { call: 1 }, read_back(99)];
        assert_eq!(in_host_script(&events), Swarm::NONE);
    }

    /// Feature pairs of a lane's first scenarios.
    fn pairs_of(lane: Lane, scenarios: u64) -> FeaturePairs {
        let mut pairs = FeaturePairs::default();
        for index in 0..scenarios {
            let seed = ScenarioSeed {
                lane,
                seed: 3,
                index,
            };
            pairs.note(features_of(&crate::generator::generate(
                seed,
                &Mix::default(),
            )));
        }
        pairs
    }

    #[test]
    fn one_round_of_a_lane_has_nearly_all_pairs() {
        for subject in lane::SUBJECTS {
            let table = AnySubject::features(subject);
            let feasible = table.feasible().count();
            let pairs = pairs_of(subject.lane(), 2 * feasible as u64);
            let (_, missing) = pairs.missing(&table);
            let names = |&(a, b): &(usize, usize)| (table.names[a], table.names[b]);
            let missing: Vec<_> = missing.iter().map(names).collect();
            assert!(missing.len() * 50 <= feasible, "{missing:?}");
            assert_eq!(pairs.impossible(&table), []);
        }
    }
}
