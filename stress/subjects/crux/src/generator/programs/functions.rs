//! The declarations of a generated module.
//!
//! They are made in an order in which each uses only what was made before it: functions
//! that know no global, globals, functions that work on globals, functions that run as
//! tasks, functions that the host calls.

use super::Size;
use super::body::{Body, Role};
use super::world::{ClassInfo, GlobalInfo, Kind, Signature, World};
use crate::generator::Focus;
use crate::generator::aims::Aims;
use crate::generator::features;
use crate::generator::swarm::{Feature, Swarm};
use crate::generator::topics::host_script::EntryPoint;
use crate::generator::topics::{self};
use crate::scenario::program::{
    BinaryOp, Class, Enum, Expr, Function, Global, Module, Name, Stem, Stmt,
};
use gcrucible_trace::choices::Choices;

/// A module and what the host can call.
pub(super) struct Made {
    pub(super) module: Module,
    pub(super) entries: Vec<EntryPoint>,
    pub(super) read_back: EntryPoint,
}

/// Makes a module.
pub(super) fn make<C: Choices>(
    c: &mut C,
    swarm: Swarm,
    size: Size,
    focus: Focus,
    aims: Aims,
) -> Made {
    let topics = topics::draw_weights(c, swarm, focus, aims);
    let mut maker = Maker {
        c,
        world: World::new(swarm, topics, aims),
        module: Module::default(),
        size,
        focus,
    };
    maker.enums();
    maker.classes();
    maker.helpers(maker.size.helpers());
    maker.end_module();
    maker.globals();
    maker.helpers(maker.size.helpers());
    maker.recursive();
    // Of other modules no global can be stored to.
    if !aims.has(Feature::LateGlobalStores) {
        maker.end_module();
    }
    maker.workers();
    let entries = maker.entries();
    let read_back = maker.read_back();
    maker.top_level();
    Made {
        module: maker.module,
        entries,
        read_back,
    }
}

struct Maker<'a, C> {
    c: &'a mut C,
    world: World,
    module: Module,
    size: Size,
    focus: Focus,
}

impl<C: Choices> Maker<'_, C> {
    fn has(&self, feature: Feature) -> bool {
        self.world.swarm.has(feature)
    }

    fn one_of(&mut self, kinds: &[Kind]) -> Kind {
        kinds[self.c.below(kinds.len() as u32) as usize]
    }

    fn classes(&mut self) {
        if !self.has(Feature::Instances) {
            return;
        }
        for _ in 0..self.c.within(1, 2) {
            let name = self.world.fresh(Stem::Class);
            let mut fields = vec![(self.world.fresh(Stem::Field), Kind::Any)];
            for _ in 0..self.c.below(4) {
                let closure = if self.has(Feature::Closures) {
                    Kind::Closure
                } else {
                    Kind::Any
                };
                let kind = self.one_of(&[Kind::Any, Kind::List, closure, Kind::Int]);
                fields.push((self.world.fresh(Stem::Field), kind));
            }
            let counter = (self.has(Feature::Methods) && self.c.chance(1, 2)).then(|| {
                let counter = self.world.fresh(Stem::Field);
                fields.push((counter, Kind::Int));
                counter
            });
            let names = fields.iter().map(|&(field, _)| field).collect();
            self.module.classes.push(Class {
                name,
                fields: names,
                methods: Vec::new(),
            });
            self.world.classes.push(ClassInfo {
                name,
                fields,
                methods: Vec::new(),
                counter,
            });
            if self.has(Feature::Methods) {
                self.class_methods();
            }
        }
    }

    fn enums(&mut self) {
        if !self.has(Feature::Enums) {
            return;
        }
        for _ in 0..self.c.within(1, 2) {
            let name = self.world.fresh(Stem::Enum);
            let variants: Vec<(Name, u8)> = (0..self.c.within(1, 3))
                .map(|_| (self.world.fresh(Stem::Variant), self.c.below(3) as u8))
                .collect();
            self.module.enums.push(Enum {
                name,
                variants: variants.clone(),
            });
            self.world.enums.push((name, variants));
        }
    }

    /// Methods of the class made last: some with a parameter, and `next` if it counts.
    fn class_methods(&mut self) {
        let Some(info) = self.world.classes.last().cloned() else {
            return;
        };
        let mut methods = Vec::new();
        let receiver = || Expr::Name(Name::new(Stem::Receiver, 0));
        if let Some(counter) = info.counter {
            let left = || Expr::field(receiver(), counter);
            let ended = Expr::binary(BinaryOp::Le, left(), Expr::Int(0));
            let less = Expr::binary(BinaryOp::Sub, left(), Expr::Int(1));
            let field = info.fields[0].0;
            let value = Expr::Array(vec![left(), Expr::field(receiver(), field)]);
            methods.push(Function {
                name: Name::new(Stem::Next, 0),
                params: vec![],
                body: vec![
                    Stmt::If(ended, vec![Stmt::Return(Expr::Nil)], vec![]),
                    Stmt::Assign(left(), less),
                    Stmt::Return(value),
                ],
            });
        }
        let mut names = Vec::new();
        for _ in 0..self.c.below(3) {
            let name = self.world.fresh(Stem::Method);
            let (field, kind) = info.fields[0];
            let count = self.c.below(2);
            self.function(
                Stem::Function,
                Role::Helper,
                vec![Kind::Any],
                (6, 0),
                |body, out| {
                    let param = Expr::Name(body.locals[0].name);
                    body.statements(count, out);
                    if kind == Kind::Any && body.c.chance(1, 2) {
                        let value = Expr::Array(vec![param.clone(), body.fresh(1)]);
                        out.push(Stmt::Assign(Expr::field(receiver(), field), value));
                    }
                    Expr::Array(vec![param, Expr::field(receiver(), field), body.fresh(1)])
                },
            );
            if let Some(function) = self.module.functions.pop() {
                methods.push(Function { name, ..function });
                names.push(name);
            }
        }
        if let Some(class) = self.module.classes.last_mut() {
            class.methods = methods;
        }
        if let Some(info) = self.world.classes.last_mut() {
            info.methods = names;
        }
    }

    /// Ends the module being made: what follows is in another one that imports it. Its top
    /// level allocates and collects while its globals are being made.
    fn end_module(&mut self) {
        let is_aimed_at = self.world.aims.has(Feature::Modules);
        if !self.has(Feature::Modules) || (!is_aimed_at && self.c.chance(1, 3)) {
            return;
        }
        // An empty one is none.
        let count = self.c.below(3).max(u32::from(is_aimed_at));
        let mut body = Body::new(self.c, &mut self.world, Role::Init, 10, 0);
        let mut top_level = Vec::new();
        body.statements(count, &mut top_level);
        if body.has(Feature::Collect) && body.c.chance(1, 2) {
            let collect = Expr::Builtin(gcrucible_bytecode::Builtin::Collect, vec![]);
            top_level.insert(0, Stmt::Expr(collect));
        }
        let mut ended = std::mem::take(&mut self.module);
        self.module.modules = std::mem::take(&mut ended.modules);
        ended.top_level = top_level;
        if ended != Module::default() {
            self.module.modules.push(ended);
        }
        for global in &mut self.world.globals {
            global.is_imported = true;
        }
    }

    /// Makes a function: `fill` appends its body and gives what it returns.
    fn function(
        &mut self,
        stem: Stem,
        role: Role,
        params: Vec<Kind>,
        (fuel, tasks): (i32, i32),
        fill: impl FnOnce(&mut Body<'_, C>, &mut Vec<Stmt>) -> Expr,
    ) -> Signature {
        let name = self.world.fresh(stem);
        let mut body = Body::new(self.c, &mut self.world, role, fuel, tasks);
        let names: Vec<Name> = params
            .iter()
            .map(|&kind| body.declare(Stem::Param, kind))
            .collect();
        let mut stmts = Vec::with_capacity(8);
        let value = fill(&mut body, &mut stmts);
        stmts.push(Stmt::Return(value));
        let (cost, tasks) = (fuel - body.fuel + 2, tasks - body.tasks);
        self.module.functions.push(Function {
            name,
            params: names,
            body: stmts,
        });
        Signature {
            name,
            params,
            returns: Kind::Any,
            cost,
            tasks,
        }
    }

    /// Functions that others call.
    fn helpers(&mut self, count: u32) {
        for _ in 0..self.c.below(count + 1) {
            let text = if self.has(Feature::Strings) {
                Kind::Text
            } else {
                Kind::List
            };
            let returns = self.one_of(&[text, Kind::List, Kind::Any, Kind::Int]);
            let params = match self.c.chance(1, 2) {
                true => vec![Kind::Any],
                false => vec![self.one_of(&[Kind::Int, Kind::List, Kind::Any]), Kind::Any],
            };
            let count = self.c.below(3);
            let fuel = (self.size.helper_fuel(), 0);
            let signature =
                self.function(Stem::Function, Role::Helper, params, fuel, |body, out| {
                    body.statements(count, out);
                    body.expr(returns, 2)
                });
            self.world.helpers.push(Signature {
                returns,
                ..signature
            });
        }
    }

    fn globals(&mut self) {
        self.list_global(false);
        if self.has(Feature::Removal) {
            self.list_global(true);
        }
        if self.has(Feature::Maps) {
            let entries = self.c.within(1, 3);
            self.global(Kind::Dict, |body| {
                Expr::Map((0..entries).map(|_| (body.key(), body.any(1))).collect())
            });
        }
        for class in 0..self.world.classes.len() as u8 {
            if self.c.chance(2, 3) {
                self.global(Kind::Object(class), |body| body.new_object(class, 2));
            }
        }
        if self.has(Feature::Closures) {
            let maker = self.closure_maker();
            self.global(Kind::Closure, |_| Expr::call(maker, vec![]));
        }
        if self.has(Feature::Channels) {
            let capacity = Expr::Int(i64::from(self.c.within(1, 3)));
            let channel = Expr::Builtin(gcrucible_bytecode::Builtin::Channel, vec![capacity]);
            self.global(Kind::Channel, |_| channel);
        }
        if self.has(Feature::Guards) {
            let mutex = Expr::Builtin(gcrucible_bytecode::Builtin::Mutex, vec![]);
            self.global(Kind::Mutex, |_| mutex);
        }
        // It is in the way of every fork: where the host forks, most streams are local ones.
        if self.has(Feature::Streams) && (!self.focus.forks() || self.c.chance(1, 3)) {
            self.stream_global();
        }
        if self.has(Feature::SharedFutures) {
            let name = self.world.fresh(Stem::Global);
            self.module.globals.push(Global {
                name,
                value: Expr::Array(vec![]),
            });
            self.world.shared_futures = Some(name);
        }
        if self.focus == Focus::Serve {
            self.globals_that_share();
        }
    }

    /// A stream that everybody finds; where the host forks, perhaps behind something else.
    fn stream_global(&mut self) {
        let stream = topics::streams::of_ints(self.c);
        match if self.focus == Focus::Serve {
            self.c.below(4)
        } else {
            0
        } {
            0 => {
                self.global(Kind::Stream, |_| stream);
            }
            1 => {
                self.global(Kind::Any, |_| Expr::Array(vec![Expr::Nil, stream]));
            }
            _ => {
                let maker =
                    self.function(Stem::Function, Role::Helper, vec![], (6, 0), |body, out| {
                        let name = body.let_in(out, Stem::Shared, Kind::Stream, stream);
                        body.lambda(&[Kind::Any], |body, out| {
                            out.push(topics::streams::next(Expr::Name(name)));
                            out.push(Stmt::Return(Expr::Name(body.locals[1].name)));
                        })
                    });
                self.global(Kind::Closure, |_| Expr::call(maker.name, vec![]));
            }
        }
    }

    /// Globals that lead to earlier ones: what is shared among them must stay so in a copy.
    fn globals_that_share(&mut self) {
        for _ in 0..self.c.within(1, 3) {
            let earlier: Vec<Name> = self
                .world
                .globals
                .iter()
                .map(|global| global.name)
                .collect();
            let some = |c: &mut C| Expr::Name(earlier[c.below(earlier.len() as u32) as usize]);
            let parts: Vec<Expr> = (0..self.c.within(1, 3)).map(|_| some(self.c)).collect();
            match self.c.below(4) {
                // An alias.
                0 => {
                    let at = self.c.below(self.world.globals.len() as u32) as usize;
                    let GlobalInfo { name, kind, .. } = self.world.globals[at];
                    self.global(kind, |_| Expr::Name(name));
                }
                1 if self.has(Feature::Maps) => {
                    let key = |at: usize| Expr::Text(format!("k{at}"));
                    let entries = parts.into_iter().enumerate();
                    let map = entries.map(|(at, part)| (key(at), part)).collect();
                    self.global(Kind::Dict, |_| Expr::Map(map));
                }
                2 if self.has(Feature::Closures) => {
                    let maker =
                        self.function(Stem::Function, Role::Helper, vec![], (6, 0), |body, out| {
                            let array = Expr::Array(parts);
                            body.let_in(out, Stem::Local, Kind::Any, array);
                            body.new_closure(1)
                        });
                    self.global(Kind::Closure, |_| Expr::call(maker.name, vec![]));
                }
                _ => {
                    let global = self.global(Kind::List, |_| Expr::Array(parts));
                    global.elements = 1;
                }
            }
        }
    }

    fn list_global(&mut self, shrinks: bool) {
        let elements = self.c.within(1, 4);
        let global = self.global(Kind::List, |body| {
            Expr::Array((0..elements).map(|_| body.any(1)).collect())
        });
        global.elements = elements as u8;
        global.shrinks = shrinks;
    }

    fn global(
        &mut self,
        kind: Kind,
        value: impl FnOnce(&mut Body<'_, C>) -> Expr,
    ) -> &mut GlobalInfo {
        let mut body = Body::new(self.c, &mut self.world, Role::Init, 10, 0);
        let value = value(&mut body);
        let name = self.world.fresh(Stem::Global);
        self.module.globals.push(Global { name, value });
        let at = self.world.globals.len();
        self.world.globals.push(GlobalInfo {
            name,
            kind,
            elements: 0,
            shrinks: false,
            is_imported: false,
        });
        &mut self.world.globals[at]
    }

    /// A function that returns a closure over a variable of its own.
    fn closure_maker(&mut self) -> Name {
        let signature = self.function(
            Stem::Function,
            Role::Helper,
            vec![],
            (10, 0),
            |body, out| {
                let start = body.fresh(1);
                body.let_in(out, Stem::Local, Kind::Any, start);
                body.new_closure(1)
            },
        );
        signature.name
    }

    /// A function that calls itself as often as its first argument says.
    fn recursive(&mut self) {
        if !self.has(Feature::Recursion) {
            return;
        }
        let params = vec![Kind::Int, Kind::Any];
        let name = Name::new(Stem::Function, self.world.peek(Stem::Function));
        let signature = self.function(
            Stem::Function,
            Role::Helper,
            params,
            (10, 0),
            |body, out| {
                let (depth, value) = (body.locals[0].name, body.locals[1].name);
                let condition = Expr::binary(BinaryOp::Le, Expr::Name(depth), Expr::Int(0));
                let last = body.fresh(1);
                let last = match body.sometimes(Feature::Throw, 4) {
                    true => Stmt::Throw(last),
                    false => Stmt::Return(last),
                };
                out.push(Stmt::If(condition, vec![last], vec![]));
                let less = Expr::binary(BinaryOp::Sub, Expr::Name(depth), Expr::Int(1));
                let call = Expr::call(name, vec![less, body.fresh(1)]);
                Expr::Array(vec![Expr::Name(value), call, body.fresh(0)])
            },
        );
        debug_assert!(signature.name == name);
        self.world.recursive.push(Signature {
            cost: signature.cost + 2,
            ..signature
        });
    }

    /// Functions that run as tasks. A worker starts only those made before it.
    fn workers(&mut self) {
        let (from, to) = self.size.workers();
        for at in 0..self.c.within(from, to) {
            let mut kinds = vec![Kind::Any, Kind::List, Kind::Int];
            kinds.extend(self.has(Feature::Maps).then_some(Kind::Dict));
            kinds.extend(self.has(Feature::Closures).then_some(Kind::Closure));
            kinds.extend((!self.world.classes.is_empty()).then_some(Kind::Object(0)));
            // Several tasks that wait for one future.
            kinds.extend((at > 0).then_some(Kind::Future));
            kinds.extend((at > 0).then_some(Kind::Future));
            let params = (0..self.c.within(1, 2))
                .map(|_| self.one_of(&kinds))
                .collect();
            let (from, to) = self.size.worker_fuel();
            let fuel = self.c.within(from, to) as i32;
            let tasks = if self.c.chance(1, 2) { 1 } else { 0 };
            let statements = self.c.within(1, to / 4 + 1);
            let signature = self.function(
                Stem::Worker,
                Role::Worker,
                params,
                (fuel, tasks),
                |body, out| {
                    if body.c.chance(3, 4) {
                        topics::wait_for_future(body, out);
                    }
                    body.statements(statements, out);
                    body.any(2)
                },
            );
            self.world.workers.push(signature);
        }
    }

    /// Functions that the host calls.
    fn entries(&mut self) -> Vec<EntryPoint> {
        let (from, to) = self.size.entries();
        let mut entries = Vec::new();
        for at in 0..self.c.within(from, to) {
            let params = vec![Kind::Int; self.c.below(3) as usize];
            let (from, to) = self.size.entry_fuel();
            // What the scenario is made to have is in the first of them, whatever else it affords.
            let aims = if at == 0 {
                self.world.aims
            } else {
                Aims::default()
            };
            let aimed = aims.iter().count() as i32;
            let fuel = self.c.within(from, to) as i32;
            let tasks = self.size.tasks();
            let more = (AIMED_FUEL * aimed, AIMED_TASKS * aimed);
            let handles = self.focus.handles_signals(self.c, self.world.swarm);
            let leaves_a_weak_reference = self.focus.forks() && self.has(Feature::Weak);
            let asks_the_library = self.focus == Focus::Everything && self.has(Feature::Library);
            let signature = self.function(
                Stem::Entry,
                Role::Entry,
                params,
                (fuel + more.0, tasks + more.1),
                |body, out| {
                    if handles {
                        topics::handle_a_signal(body, out);
                    }
                    if asks_the_library && body.c.chance(1, 6) {
                        topics::ask_the_library(body, out);
                    }
                    if aimed > 0 && body.c.chance(1, 2) {
                        on_purpose(body, out, aims);
                    }
                    if body.c.chance(1, 8) {
                        topics::use_at_once(body, out);
                    }
                    for _ in 0..2 {
                        if body.c.chance(3, 4) {
                            topics::start_task(body, out);
                        }
                    }
                    on_purpose(body, out, aims);
                    if aimed > 0 {
                        // It takes the place of others, but of half of them at most.
                        body.fuel = (body.fuel - more.0).max(fuel / 2);
                        body.tasks = (body.tasks - more.1).max(0);
                    }
                    while body.fuel > 0 {
                        body.statements(1, out);
                    }
                    for _ in 0..2 {
                        if body.c.chance(1, 2) {
                            topics::wait_for_future(body, out);
                        }
                    }
                    match leaves_a_weak_reference && body.c.chance(1, 4) {
                        true => topics::weak_reference_to_a_constant(body),
                        false => body.any(2),
                    }
                },
            );
            entries.push(EntryPoint {
                name: signature.name,
                params: signature.params.len(),
            });
        }
        entries
    }

    /// A function that returns all globals, so that whatever the program lost is missed.
    fn read_back(&mut self) -> EntryPoint {
        let name = Name::new(Stem::Entry, 0);
        let globals = self
            .module
            .parts()
            .flat_map(|module| &module.globals)
            .map(|global| Expr::Name(global.name))
            .collect();
        let body = vec![Stmt::Return(Expr::Array(globals))];
        self.module.functions.push(Function {
            name,
            params: vec![],
            body,
        });
        EntryPoint { name, params: 0 }
    }

    fn top_level(&mut self) {
        let count = self.c.below(self.size.top_level());
        let mut body = Body::new(self.c, &mut self.world, Role::Init, 12, 1);
        let mut stmts = Vec::new();
        body.statements(count, &mut stmts);
        if body.has(Feature::TasksAtInit) && body.c.chance(1, 2) {
            topics::start_task(&mut body, &mut stmts);
        }
        if body.world.aims.has(Feature::TasksAtInit) {
            body.tasks = body.tasks.max(1);
            topics::start_sleeper(&mut body, &mut stmts);
        }
        self.module.top_level = stmts;
    }
}

/// Statements and tasks that a body affords besides, for each feature that it is made to have and
/// until it has it.
const AIMED_FUEL: i32 = 24;
const AIMED_TASKS: i32 = 2;

/// Appends what a body is made to have and has not.
fn on_purpose<C: Choices>(body: &mut Body<'_, C>, out: &mut Vec<Stmt>, aims: Aims) {
    for feature in aims.iter() {
        if !features::in_statements(out).has(feature) {
            topics::on_purpose::append(body, out, feature);
        }
    }
}
