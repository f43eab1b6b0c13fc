//! Walks over modules: counting, and visiting every block or expression.

use super::{Expr, Module, Stmt};

/// Statements of a block, nested ones included.
pub(super) fn count(block: &[Stmt]) -> usize {
    let mut total = block.len();
    for stmt in block {
        stmt.each_block(&mut |block| total += count(block));
        stmt.each_expr(&mut |expr| total += count_inside(expr));
    }
    total
}

/// Statements of the closures inside an expression.
pub(super) fn count_inside(expr: &Expr) -> usize {
    let mut total = 0;
    expr.each_body(&mut |body| total += count(body));
    expr.each_part(&mut |part| total += count_inside(part));
    total
}

macro_rules! walks {
    ($blocks:ident, $exprs:ident, $parts:ident, $bodies:ident, $iter:ident, $($mutable:tt)?) => {
        impl Stmt {
            /// Visits the blocks directly inside, in order.
            pub(crate) fn $blocks<'a>(&'a $($mutable)? self, visit: &mut impl FnMut(&'a $($mutable)? Vec<Stmt>)) {
                match self {
                    Stmt::If(_, then, otherwise) => {
                        visit(then);
                        visit(otherwise);
                    }
                    Stmt::Repeat { body, .. } | Stmt::For { body, .. }
                    | Stmt::Deadline(_, body) | Stmt::Sync(_, body) => visit(body),
                    Stmt::Try { body, typed, catch, finally } => {
                        visit(body);
                        for (_, _, handler) in typed {
                            visit(handler);
                        }
                        if let Some((_, handler)) = catch {
                            visit(handler);
                        }
                        if let Some(finally) = finally {
                            visit(finally);
                        }
                    }
                    Stmt::Let(..) | Stmt::Const(..) | Stmt::Assign(..) | Stmt::Update(..)
                    | Stmt::Expr(_) | Stmt::Break | Stmt::Continue | Stmt::Return(_)
                    | Stmt::Throw(_) | Stmt::Cancel(_) => {}
                }
            }

            /// Visits the expressions directly inside, in order.
            pub(crate) fn $exprs<'a>(&'a $($mutable)? self, visit: &mut impl FnMut(&'a $($mutable)? Expr)) {
                match self {
                    Stmt::Assign(target, value) | Stmt::Update(target, _, value) => {
                        visit(target);
                        visit(value);
                    }
                    Stmt::Let(_, value) | Stmt::Const(_, value) | Stmt::Expr(value)
                    | Stmt::If(value, ..) | Stmt::Repeat { condition: value, .. }
                    | Stmt::For { over: value, .. } | Stmt::Return(value) | Stmt::Throw(value)
                    | Stmt::Cancel(value) | Stmt::Deadline(value, _) | Stmt::Sync(value, _) => {
                        visit(value);
                    }
                    Stmt::Break | Stmt::Continue | Stmt::Try { .. } => {}
                }
            }
        }

        impl Expr {
            /// Visits the expressions directly inside, in order of evaluation. The body of
            /// a closure is none of them, nor are other blocks.
            pub(crate) fn $parts<'a>(&'a $($mutable)? self, visit: &mut impl FnMut(&'a $($mutable)? Expr)) {
                match self {
                    Expr::Nil | Expr::Bool(_) | Expr::Int(_) | Expr::Float(_) | Expr::Text(_)
                    | Expr::Name(_) | Expr::Lambda(..) | Expr::Squad(_) | Expr::Step(..)
                    | Expr::Schedule(..) => {}
                    Expr::Interpolation(parts) | Expr::Array(parts) | Expr::Builtin(_, parts)
                    | Expr::Library(_, parts) | Expr::Variant(_, _, parts) => {
                        parts.$iter().for_each(visit);
                    }
                    Expr::Map(entries) => {
                        for (key, value) in entries.$iter() {
                            visit(key);
                            visit(value);
                        }
                    }
                    Expr::Range(first, second) | Expr::Binary(_, first, second)
                    | Expr::Index(first, second) => {
                        visit(first);
                        visit(second);
                    }
                    Expr::Instance(_, fields) => {
                        fields.$iter().for_each(|(_, value)| visit(value));
                    }
                    Expr::Neg(operand) | Expr::Not(operand) | Expr::Field(operand, _)
                    | Expr::Await(operand) | Expr::Is(operand, _) => visit(operand),
                    Expr::Call(callee, arguments) | Expr::CallField(callee, _, arguments)
                    | Expr::Method(callee, _, arguments) | Expr::Named(callee, _, arguments)
                    | Expr::Spawn(callee, arguments) | Expr::SpawnDetached(callee, arguments) => {
                        visit(callee);
                        arguments.$iter().for_each(visit);
                    }
                    Expr::Match(subject, arms) => {
                        visit(subject);
                        for arm in arms {
                            if let Some(guard) = & $($mutable)? arm.guard {
                                visit(guard);
                            }
                        }
                    }
                }
            }

            /// Visits the blocks directly inside, in order.
            pub(crate) fn $bodies<'a>(&'a $($mutable)? self, visit: &mut impl FnMut(&'a $($mutable)? Vec<Stmt>)) {
                match self {
                    Expr::Lambda(_, body) | Expr::Squad(body) | Expr::Step(_, body)
                    | Expr::Schedule(_, _, body) => visit(body),
                    Expr::Match(_, arms) => {
                        for arm in arms {
                            visit(& $($mutable)? arm.body);
                        }
                    }
                    _ => {}
                }
            }
        }
    };
}

walks!(each_block, each_expr, each_part, each_body, iter,);
walks!(
    each_block_mut,
    each_expr_mut,
    each_part_mut,
    each_body_mut,
    iter_mut,
    mut
);

/// Visits all blocks, outer ones first, until a visit says that it was the last.
pub(super) fn each_block(
    module: &mut Module,
    visit: &mut impl FnMut(&mut Vec<Stmt>) -> bool,
) -> bool {
    let Module {
        modules,
        classes,
        functions,
        globals,
        top_level,
        ..
    } = module;
    let methods = classes.iter_mut().flat_map(|class| &mut class.methods);
    modules.iter_mut().any(|module| each_block(module, visit))
        || methods
            .chain(functions)
            .any(|function| block_walk(&mut function.body, visit))
        || globals
            .iter_mut()
            .any(|global| blocks_in_expr(&mut global.value, visit))
        || block_walk(top_level, visit)
}

fn block_walk(block: &mut Vec<Stmt>, visit: &mut impl FnMut(&mut Vec<Stmt>) -> bool) -> bool {
    if visit(block) {
        return true;
    }
    block.iter_mut().any(|stmt| {
        let mut over = false;
        stmt.each_expr_mut(&mut |expr| over = over || blocks_in_expr(expr, visit));
        stmt.each_block_mut(&mut |block| over = over || block_walk(block, visit));
        over
    })
}

fn blocks_in_expr(expr: &mut Expr, visit: &mut impl FnMut(&mut Vec<Stmt>) -> bool) -> bool {
    let mut over = false;
    expr.each_body_mut(&mut |body| over = over || block_walk(body, visit));
    expr.each_part_mut(&mut |part| over = over || blocks_in_expr(part, visit));
    over
}

/// Visits all expressions, outer ones first, until a visit says that it was the last.
pub(super) fn each_expr(module: &mut Module, visit: &mut impl FnMut(&mut Expr) -> bool) -> bool {
    let Module {
        modules,
        classes,
        functions,
        globals,
        top_level,
        ..
    } = module;
    let methods = classes.iter_mut().flat_map(|class| &mut class.methods);
    modules.iter_mut().any(|module| each_expr(module, visit))
        || methods
            .chain(functions)
            .any(|function| exprs_in_block(&mut function.body, visit))
        || globals
            .iter_mut()
            .any(|global| expr_walk(&mut global.value, visit))
        || exprs_in_block(top_level, visit)
}

fn exprs_in_block(block: &mut [Stmt], visit: &mut impl FnMut(&mut Expr) -> bool) -> bool {
    block.iter_mut().any(|stmt| {
        let mut over = false;
        stmt.each_expr_mut(&mut |expr| over = over || expr_walk(expr, visit));
        stmt.each_block_mut(&mut |block| over = over || exprs_in_block(block, visit));
        over
    })
}

fn expr_walk(expr: &mut Expr, visit: &mut impl FnMut(&mut Expr) -> bool) -> bool {
    if visit(expr) {
        return true;
    }
    let mut over = false;
    expr.each_body_mut(&mut |body| over = over || exprs_in_block(body, visit));
    expr.each_part_mut(&mut |part| over = over || expr_walk(part, visit));
    over
}
