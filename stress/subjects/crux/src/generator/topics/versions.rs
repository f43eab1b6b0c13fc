//! Versions of the program that the host reloads to, and what it does about them.

use gcrucible_bytecode::{Builtin, Method};

use crate::scenario::program::{Expr, Global, Module, Name, Stem, Stmt};
use crate::scenario::{HostEvent, ModuleSource};
use gcrucible_trace::choices::Choices;

/// The versions of a scenario, and what the host knows of them.
#[derive(Clone, Debug, Default)]
pub(in crate::generator) struct Versions {
    pub(in crate::generator) sources: Vec<ModuleSource>,
    /// Those that can run before the entry, because they settle by themselves.
    settling: Vec<u32>,
    /// Whether each top level settles by itself.
    do_all_settle: bool,
}

/// How a version differs from the first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Difference {
    /// Not at all.
    None,
    /// In what some globals begin with, those of a dependency perhaps.
    Values,
    /// In everything.
    All,
    /// It does not compile.
    Syntax,
    /// Its top level throws.
    Throws,
    /// Its top level waits for what never comes.
    Hangs,
    /// Its top level takes some time.
    Slow,
    /// Its top level goes on when it is cancelled.
    Stubborn,
}

/// The number that the marks of versions begin with, above those of all other globals.
const MARKS: u16 = 900;

/// Adds to each module a variable that says its version, which `read_back` returns, too.
pub(in crate::generator) fn mark(module: &mut Module, version: i64) {
    let parts = module.modules.len() as u16 + 1;
    let names: Vec<Name> = (0..parts)
        .map(|part| Name::new(Stem::Global, MARKS + part))
        .collect();
    let all = module.modules.iter_mut().zip(&names);
    for (part, &name) in all {
        let value = Expr::Int(version);
        part.globals.push(Global { name, value });
    }
    if let Some(&name) = names.last() {
        let value = Expr::Int(version);
        module.globals.push(Global { name, value });
    }
    let read_back = Name::new(Stem::Entry, 0);
    let function = module.functions.iter_mut().find(|f| f.name == read_back);
    if let Some(function) = function
        && let Some(Stmt::Return(Expr::Array(values))) = function.body.last_mut()
    {
        values.extend(names.into_iter().map(Expr::Name));
    }
}

/// Draws what the host reloads to: versions of `first`, and programs that `fresh` makes.
pub(in crate::generator) fn versions<C: Choices>(
    c: &mut C,
    first: &Module,
    mut fresh: impl FnMut(&mut C) -> Module,
) -> Versions {
    let mut versions = Versions {
        do_all_settle: true,
        ..Versions::default()
    };
    for number in 0..c.within(1, 3) {
        let difference = [
            Difference::Values,
            Difference::Slow,
            Difference::All,
            Difference::None,
            Difference::Throws,
            Difference::Hangs,
            Difference::Syntax,
            Difference::Stubborn,
        ][c.weighted(&[5, 5, 3, 2, 2, 2, 1, 1])];
        if difference == Difference::Syntax {
            let text = "fn entry1( {\n  return 1\n".to_owned();
            versions.sources.push(ModuleSource::Text(text));
            continue;
        }
        let mut module = match difference {
            Difference::All => fresh(c),
            _ => first.clone(),
        };
        differ(c, &mut module, difference, i64::from(number));
        mark(&mut module, i64::from(number) + 1);
        match difference {
            Difference::Hangs => versions.do_all_settle = false,
            _ => versions.settling.push(number),
        }
        versions.sources.push(ModuleSource::Tree(module));
    }
    versions
}

fn differ<C: Choices>(c: &mut C, module: &mut Module, difference: Difference, number: i64) {
    let yields = Stmt::Expr(Expr::Builtin(Builtin::YieldNow, vec![]));
    let never = || {
        let channel = Expr::Builtin(Builtin::Channel, vec![Expr::Int(1)]);
        Stmt::Expr(Expr::method(channel, Method::Receive, vec![]))
    };
    match difference {
        Difference::None | Difference::All | Difference::Syntax => {}
        Difference::Values => {
            let parts = module.modules.len() as u32 + 1;
            let changed = c.below(parts) as usize;
            let part = match module.modules.get_mut(changed) {
                Some(part) => part,
                None => &mut *module,
            };
            for global in &mut part.globals {
                if let Expr::Array(values) = &mut global.value
                    && !values.is_empty()
                {
                    values.push(Expr::Int(1000 + number));
                }
            }
        }
        Difference::Throws => {
            let thrown = Stmt::Throw(Expr::Array(vec![Expr::Int(number)]));
            let at = c.below(module.top_level.len() as u32 + 1) as usize;
            module.top_level.insert(at, thrown);
        }
        Difference::Hangs => module.top_level.push(never()),
        Difference::Slow => {
            let sleep = |ms: u32| {
                let ms = Expr::Int(i64::from(ms));
                Stmt::Expr(Expr::Builtin(Builtin::Sleep, vec![ms]))
            };
            for _ in 0..c.within(1, 3) {
                let stmt = match c.below(3) {
                    0 => sleep(c.within(1, 4)),
                    1 => yields.clone(),
                    _ => Stmt::Expr(Expr::Builtin(Builtin::Collect, vec![])),
                };
                module.top_level.push(stmt);
            }
        }
        Difference::Stubborn => {
            let error = Name::new(Stem::Local, MARKS);
            let goes_on = Stmt::Repeat {
                counter: Name::new(Stem::Local, MARKS + 1),
                times: 60,
                condition: Expr::Bool(true),
                body: vec![yields],
            };
            module.top_level.push(Stmt::Try {
                body: vec![never()],
                typed: vec![],
                catch: Some((error, vec![goes_on])),
                finally: None,
            });
        }
    }
}

impl Versions {
    /// Draws what the host does about versions at a place of its script; nothing without any.
    pub(in crate::generator) fn events<C: Choices>(&self, c: &mut C, events: &mut Vec<HostEvent>) {
        let count = self.sources.len() as u32;
        if count == 0 {
            return;
        }
        for _ in 0..c.within(1, 3) {
            let settles = u32::from(self.do_all_settle);
            let some = u32::from(!self.settling.is_empty());
            match c.weighted(&[6, 2, 7, 2 * some, some, 1, 1, 2, 4 * settles, 2, settles]) {
                choice @ (0 | 1) => {
                    let version = c.below(count);
                    let forced = choice == 1;
                    events.push(HostEvent::Reload { version, forced });
                    if c.chance(1, 2) {
                        events.push(HostEvent::Tick);
                    }
                }
                2 => events.push(HostEvent::Tick),
                3 => {
                    let version = self.some(c);
                    events.push(HostEvent::Preload { version });
                    if c.chance(1, 2) {
                        events.push(HostEvent::Reload {
                            version: c.below(count),
                            forced: c.chance(1, 3),
                        });
                    }
                    if c.chance(1, 2) {
                        events.push(HostEvent::Tick);
                    }
                    events.push(HostEvent::FinishPreload);
                }
                4 => {
                    events.push(HostEvent::Isolate);
                    if c.chance(2, 3) {
                        let version = self.some(c);
                        events.push(HostEvent::OverrideEntry { version });
                    }
                }
                5 => events.push(HostEvent::UnchangedEntry),
                6 => events.push(HostEvent::Isolate),
                7 => {
                    // Patience, and the grace after it, come to an end.
                    for ms in [5000, 250] {
                        events.push(HostEvent::AdvanceTime { ms });
                        events.push(HostEvent::Tick);
                    }
                }
                9 => {
                    // Patience is that with the entry, however many requests wait for it.
                    for _ in 0..c.within(2, 3) {
                        let version = c.below(count);
                        let forced = false;
                        events.push(HostEvent::Reload { version, forced });
                        let ms = c.within(1500, 3500);
                        events.push(HostEvent::AdvanceTime { ms });
                    }
                    events.push(HostEvent::Tick);
                }
                10 => {
                    // What waited for the entry is not taken up before the next request.
                    for _ in 0..2 {
                        let version = c.below(count);
                        let forced = false;
                        events.push(HostEvent::Reload { version, forced });
                        events.push(HostEvent::JoinEntry);
                    }
                    events.push(HostEvent::Tick);
                }
                _ => {
                    events.push(HostEvent::JoinEntry);
                    events.push(HostEvent::Tick);
                }
            }
        }
    }

    /// Runs a version that settles by itself before the entry; nothing without one.
    pub(in crate::generator) fn preload<C: Choices>(&self, c: &mut C, events: &mut Vec<HostEvent>) {
        if !self.settling.is_empty() {
            let version = self.some(c);
            events.push(HostEvent::Preload { version });
            events.push(HostEvent::FinishPreload);
        }
    }

    /// Draws the last of it: what is under way gets a chance to end.
    pub(in crate::generator) fn last_events<C: Choices>(
        &self,
        c: &mut C,
        events: &mut Vec<HostEvent>,
    ) {
        if self.sources.is_empty() {
            return;
        }
        for _ in 0..2 {
            if self.do_all_settle && c.chance(3, 4) {
                events.push(HostEvent::JoinEntry);
            }
            events.push(HostEvent::Tick);
        }
    }

    fn some<C: Choices>(&self, c: &mut C) -> u32 {
        let at = c.below(self.settling.len() as u32) as usize;
        self.settling.get(at).copied().unwrap_or(0)
    }
}
