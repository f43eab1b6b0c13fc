//! Smaller versions of a module.
//!
//! Candidates come lazily: each is a copy of the module with one edit, repaired. Stages
//! go from what loses most to what loses least; within a stage a cursor goes over the
//! nodes (functions, blocks, statements, expressions) and each node's edits.

use super::walk::{each_block, each_expr};
use super::{Expr, Function, Module, Name, Stmt, TypeName};

/// Smaller modules; made by [`Module::reductions`].
#[derive(Clone, Debug)]
pub struct Reductions<'a> {
    module: &'a Module,
    /// Of the next candidate.
    next: Place,
    /// Of the last one.
    place: Place,
}

/// Where a candidate stands among all: which edit of which node it makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    stage: usize,
    node: usize,
    edit: usize,
}

impl<'a> Reductions<'a> {
    pub(super) fn from(module: &'a Module, place: Place) -> Self {
        Self {
            module,
            next: place,
            place,
        }
    }

    /// The place of the candidate given last.
    pub fn place(&self) -> Place {
        self.place
    }
}

impl Iterator for Reductions<'_> {
    type Item = Module;

    fn next(&mut self) -> Option<Module> {
        while let Some(stage) = STAGES.get(self.next.stage) {
            let Place { node, edit, .. } = self.next;
            let mut smaller = self.module.clone();
            match stage(&mut smaller, node, edit) {
                Edit::Done => {
                    self.place = self.next;
                    self.next.edit += 1;
                    smaller.repair();
                    // The repair may have put back what the edit took away.
                    if smaller != *self.module {
                        return Some(smaller);
                    }
                }
                Edit::NoMoreHere => {
                    self.next = Place {
                        node: node + 1,
                        edit: 0,
                        ..self.next
                    }
                }
                Edit::NoMoreNodes => {
                    self.next = Place {
                        stage: self.next.stage + 1,
                        ..Place::default()
                    };
                }
            }
        }
        None
    }
}

/// What came of an edit.
#[derive(Clone, Copy, PartialEq)]
enum Edit {
    /// The module was changed.
    Done,
    /// The node has no edit of that number.
    NoMoreHere,
    /// There is no node of that number.
    NoMoreNodes,
}

/// Applies edit number `edit` of node number `node`.
type Stage = fn(&mut Module, node: usize, edit: usize) -> Edit;

const STAGES: &[Stage] = &[
    drop_modules,
    merge_modules,
    drop_functions,
    drop_declarations,
    drop_parts_of_blocks,
    drop_statements,
    unwrap_statements,
    simplify_statements,
    drop_parameters,
    drop_fields,
    replace_expressions,
];

fn drop_modules(module: &mut Module, node: usize, edit: usize) -> Edit {
    if node >= module.modules.len() {
        return Edit::NoMoreNodes;
    }
    if edit > 0 {
        return Edit::NoMoreHere;
    }
    module.modules.remove(node);
    Edit::Done
}

/// Puts what the last imported module declares into the module that imports it.
fn merge_modules(module: &mut Module, node: usize, edit: usize) -> Edit {
    if node > 0 {
        return Edit::NoMoreNodes;
    }
    let (0, Some(mut last)) = (edit, module.modules.pop()) else {
        return Edit::NoMoreHere;
    };
    last.enums.append(&mut module.enums);
    last.classes.append(&mut module.classes);
    last.functions.append(&mut module.functions);
    last.globals.append(&mut module.globals);
    last.top_level.append(&mut module.top_level);
    last.modules = std::mem::take(&mut module.modules);
    *module = last;
    Edit::Done
}

fn drop_functions(module: &mut Module, node: usize, edit: usize) -> Edit {
    if edit > 0 {
        return Edit::NoMoreHere;
    }
    drop_nth(module, node, &mut |module, at| {
        if *at < module.functions.len() {
            module.functions.remove(*at);
            return true;
        }
        *at -= module.functions.len();
        for class in &mut module.classes {
            if *at < class.methods.len() {
                class.methods.remove(*at);
                return true;
            }
            *at -= class.methods.len();
        }
        false
    })
}

fn drop_declarations(module: &mut Module, node: usize, edit: usize) -> Edit {
    if edit > 0 {
        return Edit::NoMoreHere;
    }
    drop_nth(module, node, &mut |module, at| {
        if *at < module.globals.len() {
            module.globals.remove(*at);
            return true;
        }
        *at -= module.globals.len();
        if *at < module.classes.len() {
            module.classes.remove(*at);
            return true;
        }
        *at -= module.classes.len();
        if *at < module.enums.len() {
            module.enums.remove(*at);
            return true;
        }
        *at -= module.enums.len();
        false
    })
}

/// Drops declaration number `node` of all modules, the entry module first. `drop` says whether
/// the module had it; else it takes the number of its own off.
fn drop_nth(
    module: &mut Module,
    node: usize,
    drop: &mut impl FnMut(&mut Module, &mut usize) -> bool,
) -> Edit {
    let mut at = node;
    if drop(module, &mut at)
        || module
            .modules
            .iter_mut()
            .any(|module| drop(module, &mut at))
    {
        Edit::Done
    } else {
        Edit::NoMoreNodes
    }
}

/// Halves and quarters of long blocks, as delta debugging does.
fn drop_parts_of_blocks(module: &mut Module, node: usize, edit: usize) -> Edit {
    at_block(module, node, &mut |block| {
        let parts = match block.len() {
            0..=3 => return Edit::NoMoreHere,
            4..=7 => 2,
            _ => 6,
        };
        let (part, of) = match edit {
            0..=1 => (edit, 2),
            edit if edit < parts => (edit - 2, 4),
            _ => return Edit::NoMoreHere,
        };
        let (from, to) = (block.len() * part / of, block.len() * (part + 1) / of);
        block.drain(from..to);
        Edit::Done
    })
}

/// Backwards, since what comes later depends on what came before.
fn drop_statements(module: &mut Module, node: usize, edit: usize) -> Edit {
    at_block(module, node, &mut |block| {
        if edit >= block.len() {
            return Edit::NoMoreHere;
        }
        block.remove(block.len() - 1 - edit);
        Edit::Done
    })
}

/// Puts each block of a statement, or the body of a closure in it, in the statement's
/// place.
fn unwrap_statements(module: &mut Module, node: usize, edit: usize) -> Edit {
    at_block(module, node, &mut |block| {
        let mut rest = edit;
        for at in 0..block.len() {
            let mut inner = None;
            let mut take = |body: &mut Vec<Stmt>| {
                if rest == 0 && inner.is_none() {
                    inner = Some(std::mem::take(body));
                } else {
                    rest = rest.saturating_sub(1);
                }
            };
            block[at].each_block_mut(&mut take);
            block[at].each_expr_mut(&mut |expr| closures(expr, &mut take));
            if let Some(inner) = inner {
                block.splice(at..=at, inner);
                return Edit::Done;
            }
        }
        Edit::NoMoreHere
    })
}

/// Visits the blocks in an expression (of closures, steps, arms), not those within others.
fn closures(expr: &mut Expr, visit: &mut impl FnMut(&mut Vec<Stmt>)) {
    let mut has_any = false;
    expr.each_body_mut(&mut |body| {
        has_any = true;
        visit(body);
    });
    if !has_any {
        expr.each_part_mut(&mut |part| closures(part, visit));
    }
}

fn simplify_statements(module: &mut Module, node: usize, edit: usize) -> Edit {
    at_block(module, node, &mut |block| {
        let mut rest = edit;
        for stmt in block {
            let mut simpler = simpler_statements(stmt);
            if rest < simpler.len() {
                *stmt = simpler.swap_remove(rest);
                return Edit::Done;
            }
            rest -= simpler.len();
        }
        Edit::NoMoreHere
    })
}

fn simpler_statements(stmt: &Stmt) -> Vec<Stmt> {
    let mut simpler = Vec::new();
    match stmt {
        Stmt::If(condition, then, otherwise) if !otherwise.is_empty() => {
            simpler.push(Stmt::If(condition.clone(), then.clone(), Vec::new()));
        }
        Stmt::Try {
            body,
            typed,
            catch,
            finally,
        } => {
            let handlers = typed.len() + usize::from(catch.is_some());
            if handlers + usize::from(finally.is_some()) > 1 {
                simpler.extend(fewer_handlers(body, typed, catch, finally));
            }
        }
        Stmt::Repeat {
            counter,
            times,
            condition,
            body,
        } => {
            for fewer in [1, times / 2, times.saturating_sub(1)] {
                if fewer > 0 && fewer < *times {
                    simpler.push(Stmt::Repeat {
                        counter: *counter,
                        times: fewer,
                        condition: condition.clone(),
                        body: body.clone(),
                    });
                }
            }
            simpler.dedup();
        }
        Stmt::For {
            name,
            over,
            limit: Some((counter, rounds)),
            body,
        } if *rounds > 1 => {
            simpler.push(Stmt::For {
                name: *name,
                over: over.clone(),
                limit: Some((*counter, rounds / 2)),
                body: body.clone(),
            });
        }
        Stmt::Let(_, value) | Stmt::Assign(_, value) | Stmt::Update(_, _, value) => {
            if matches!(value, Expr::Call(..) | Expr::Await(_) | Expr::Spawn(..)) {
                simpler.push(Stmt::Expr(value.clone()));
            }
        }
        Stmt::Return(value) if *value != Expr::Nil => simpler.push(Stmt::Expr(value.clone())),
        _ => {}
    }
    simpler
}

type Typed = (Name, TypeName, Vec<Stmt>);

/// A `try` statement with one handler less each.
fn fewer_handlers(
    body: &[Stmt],
    typed: &[Typed],
    catch: &Option<(Name, Vec<Stmt>)>,
    finally: &Option<Vec<Stmt>>,
) -> Vec<Stmt> {
    let whole = || Stmt::Try {
        body: body.to_vec(),
        typed: typed.to_vec(),
        catch: catch.clone(),
        finally: finally.clone(),
    };
    let mut fewer = Vec::new();
    for at in 0..typed.len() {
        let mut one = whole();
        if let Stmt::Try { typed, .. } = &mut one {
            typed.remove(at);
        }
        fewer.push(one);
    }
    if catch.is_some() {
        let mut one = whole();
        if let Stmt::Try { catch, .. } = &mut one {
            *catch = None;
        }
        fewer.push(one);
    }
    if finally.is_some() {
        let mut one = whole();
        if let Stmt::Try { finally, .. } = &mut one {
            *finally = None;
        }
        fewer.push(one);
    }
    fewer
}

/// Drops a parameter and the argument at each call by name.
fn drop_parameters(module: &mut Module, node: usize, edit: usize) -> Edit {
    let dependencies = module.modules.iter_mut();
    let functions = dependencies.flat_map(|module| &mut module.functions);
    let mut functions = functions.chain(&mut module.functions);
    let Some(Function { name, params, .. }) = functions.nth(node) else {
        return Edit::NoMoreNodes;
    };
    if edit >= params.len() {
        return Edit::NoMoreHere;
    }
    let (name, at) = (*name, params.len() - 1 - edit);
    params.remove(at);
    each_expr(module, &mut |expr| {
        if let Expr::Call(callee, arguments) | Expr::Spawn(callee, arguments) = expr
            && **callee == Expr::Name(name)
            && at < arguments.len()
        {
            arguments.remove(at);
        }
        false
    });
    Edit::Done
}

fn drop_fields(module: &mut Module, node: usize, edit: usize) -> Edit {
    let dependencies = module.modules.iter_mut();
    let classes = dependencies.flat_map(|module| &mut module.classes);
    let mut classes = classes.chain(&mut module.classes);
    let Some(class) = classes.nth(node) else {
        return Edit::NoMoreNodes;
    };
    if edit >= class.fields.len() || class.fields.len() == 1 {
        return Edit::NoMoreHere;
    }
    class.fields.remove(edit);
    Edit::Done
}

fn replace_expressions(module: &mut Module, node: usize, edit: usize) -> Edit {
    let mut rest = node;
    let mut outcome = Edit::NoMoreNodes;
    each_expr(module, &mut |expr| {
        if rest > 0 {
            rest -= 1;
            return false;
        }
        outcome = match simpler_expressions(expr).into_iter().nth(edit) {
            Some(simpler) => {
                *expr = simpler;
                Edit::Done
            }
            None => Edit::NoMoreHere,
        };
        true
    });
    outcome
}

/// Expressions with fewer parts or of a simpler kind, where nil is simplest.
fn simpler_expressions(expr: &Expr) -> Vec<Expr> {
    let mut simpler = Vec::new();
    match expr {
        Expr::Nil => {}
        Expr::Bool(_) => simpler.push(Expr::Nil),
        Expr::Int(0) => simpler.push(Expr::Nil),
        Expr::Int(int) => {
            simpler.extend([Expr::Nil, Expr::Int(0)]);
            simpler.extend((*int / 2 != 0).then_some(Expr::Int(int / 2)));
        }
        Expr::Float(float) => {
            simpler.push(Expr::Int(0));
            simpler.extend((*float != 0.0).then_some(Expr::Float(0.0)));
        }
        Expr::Text(text) => {
            simpler.push(Expr::Nil);
            if let Some((at, _)) = text.char_indices().nth(1) {
                simpler.push(Expr::Text(text[..at].to_owned()));
            }
        }
        Expr::Name(_) => simpler.push(Expr::Nil),
        compound => {
            simpler.extend([Expr::Nil, Expr::Int(0)]);
            compound.each_part(&mut |part| simpler.push(part.clone()));
            drop_elements(compound, &mut simpler);
        }
    }
    simpler
}

/// Versions of a literal or call with one element less.
fn drop_elements(expr: &Expr, simpler: &mut Vec<Expr>) {
    fn without<T: Clone>(list: &[T], at: usize) -> Vec<T> {
        let mut list = list.to_vec();
        list.remove(at);
        list
    }
    match expr {
        Expr::Array(elements) => {
            let shorter = (0..elements.len()).map(|at| Expr::Array(without(elements, at)));
            simpler.extend(shorter);
        }
        Expr::Interpolation(parts) => {
            let shorter = (0..parts.len()).map(|at| Expr::Interpolation(without(parts, at)));
            simpler.extend(shorter);
        }
        Expr::Map(entries) => {
            simpler.extend((0..entries.len()).map(|at| Expr::Map(without(entries, at))));
        }
        Expr::Match(subject, arms) if arms.len() > 1 => {
            let fewer = (0..arms.len()).map(|at| Expr::Match(subject.clone(), without(arms, at)));
            simpler.extend(fewer);
        }
        Expr::Builtin(builtin, arguments) => {
            let shorter =
                (0..arguments.len()).map(|at| Expr::Builtin(*builtin, without(arguments, at)));
            simpler.extend(shorter);
        }
        _ => {}
    }
}

/// Applies an edit to block number `node`.
fn at_block(
    module: &mut Module,
    node: usize,
    edit: &mut impl FnMut(&mut Vec<Stmt>) -> Edit,
) -> Edit {
    let mut rest = node;
    let mut outcome = Edit::NoMoreNodes;
    each_block(module, &mut |block| {
        if rest > 0 {
            rest -= 1;
            return false;
        }
        outcome = edit(block);
        true
    });
    outcome
}
