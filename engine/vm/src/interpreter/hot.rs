//! The hot loop: instructions that neither allocate nor throw nor end a slice.
//!
//! It executes as many of them as it can and stops before the first that it declines: an
//! operand of a kind that it does not handle, a safepoint at which somebody waits, a
//! frame for which there is no room. Nothing has happened of a declined instruction; the
//! [run loop](super::run) executes it in full.
//!
//! What is left out is the point. Without calls and without results to unpack, the few
//! variables of the loop stay in machine registers.

use gcrucible_bytecode::Reg;
use gcrucible_heap::{Checks, Value};

use super::Context;
use super::fusion::Fused;
use crate::frame::{Control, Frame};
use crate::realm::Realm;

/// Where a slice stands in the function of the top frame. Two numbers, which calls pass in
/// registers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    /// The next instruction of the top frame.
    pub(super) pc: usize,
    /// Fuel that is left.
    pub(super) left: u32,
}

/// What a hot loop may do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The most frames; none if calls have a budget.
    pub(super) frames: usize,
}

/// Executes instructions from `position` on, and returns where it stopped: no fuel is
/// left, or the next instruction is declined.
#[inline(never)]
pub(super) fn run_hot<'p, C: Checks>(
    cx: &Context<'p, C>,
    control: &mut Control,
    position: Position,
    limits: Limits,
) -> Position {
    let m = cx.m;
    let program = cx.program;
    let realm: &Realm = cx.realm;
    let Position { mut pc, mut left } = position;
    // What a frame brings with it: its code and its registers.
    let mut next = (
        &*program.entry(control.top().function).code,
        control.registers::<C>(),
    );
    // Once for each frame: within, these stay the same.
    'frame: loop {
        let (code, registers) = next;
        macro_rules! get {
            ($register:expr) => {
                registers.get(&m, $register)
            };
        }
        macro_rules! set {
            ($register:expr, $value:expr) => {
                registers.set(&m, $register, $value)
            };
        }
        // Two small ints or two floats.
        macro_rules! arithmetic {
        ($dst:expr, $lhs:expr, $rhs:expr, $ints:expr, $operator:tt) => {{
            let (lhs, rhs) = (get!($lhs), get!($rhs));
            if let (Some(a), Some(b)) = (lhs.as_scaled_int(), rhs.as_scaled_int()) {
                let Some(value) = apply(a, b, $ints) else {
                    break;
                };
                set!($dst, value);
            } else if let (Some(a), Some(b)) = (lhs.as_float(), rhs.as_float()) {
                set!($dst, Value::float(a $operator b));
            } else {
                break;
            }
        }};
    }
        macro_rules! comparison {
        ($dst:expr, $lhs:expr, $rhs:expr, $operator:tt) => {{
            let (lhs, rhs) = (get!($lhs), get!($rhs));
            if let (Some(a), Some(b)) = (lhs.as_scaled_int(), rhs.as_scaled_int()) {
                decide!($dst, a $operator b);
            } else if let (Some(a), Some(b)) = (lhs.as_float(), rhs.as_float()) {
                decide!($dst, a $operator b);
            } else {
                break;
            }
        }};
    }
        macro_rules! equality {
        ($dst:expr, $lhs:expr, $rhs:expr, $operator:tt) => {{
            let (lhs, rhs) = (get!($lhs), get!($rhs));
            match is_surely_equal(lhs, rhs) {
                Some(is_equal) => decide!($dst, is_equal $operator true),
                None => break,
            }
        }};
    }
        // Stores a truth value. Mostly a jump waits for it, which is then executed at once
        // without going round the loop, if there is fuel for it.
        macro_rules! decide {
            ($dst:expr, $result:expr) => {{
                let (dst, result): (Reg, bool) = ($dst, $result);
                set!(dst, Value::bool(result));
                if left > 1
                    && let Some(&Fused::JumpIfNot { cond, target }) = code.get(pc + 1)
                    && cond == dst
                {
                    left -= 2;
                    pc = if result { pc + 2 } else { target as usize };
                    continue;
                }
            }};
        }

        // Loads an int and does arithmetic with it. If that is not for this loop, or not within
        // the fuel, the load alone is executed.
        macro_rules! with_int {
            ($dst:expr, $lhs:expr, $tmp:expr, $value:expr, $operator:expr) => {{
                let int: i32 = $value.get();
                set!($tmp, Value::int32(int));
                if left > 1
                    && let Some(a) = get!($lhs).as_scaled_int()
                    && let Some(value) = apply(a, i64::from(int) << 16, $operator)
                {
                    set!($dst, value);
                    pc += 2;
                    left -= 2;
                    continue;
                }
            }};
        }
        // The same for comparisons.
        macro_rules! compare_int {
            ($dst:expr, $lhs:expr, $tmp:expr, $value:expr, $operator:expr) => {{
                let int: i32 = $value.get();
                set!($tmp, Value::int32(int));
                if let Some(a) = get!($lhs).as_scaled_int() {
                    decide_both!($dst, apply(a, i64::from(int) << 16, $operator));
                }
            }};
        }
        // As `decide`, for the second instruction of two of which the first is executed.
        macro_rules! decide_both {
            ($dst:expr, $result:expr) => {{
                if left > 1 {
                    let (dst, result): (Reg, bool) = ($dst, $result);
                    set!(dst, Value::bool(result));
                    if left > 2
                        && let Some(&Fused::JumpIfNot { cond, target }) = code.get(pc + 2)
                        && cond == dst
                    {
                        left -= 3;
                        pc = if result { pc + 3 } else { target as usize };
                        continue;
                    }
                    pc += 2;
                    left -= 2;
                    continue;
                }
            }};
        }

        // An arm that falls through has executed its instruction; one that breaks declines it.
        while left > 0 {
            match code[pc] {
                Fused::Move { dst, src } => set!(dst, get!(src)),
                Fused::LoadNil { dst } => set!(dst, Value::NIL),
                Fused::LoadBool { dst, value } => set!(dst, Value::bool(value)),
                Fused::LoadInt { dst, value } => set!(dst, Value::int32(value)),
                Fused::LoadConst { dst, constant } => {
                    set!(dst, m.load(program.constant(constant)))
                }
                Fused::LoadFunction { dst, function } => {
                    set!(dst, m.load(program.function(function)))
                }
                Fused::LoadGlobal { dst, global } => {
                    set!(dst, m.load(realm.global(global)))
                }
                Fused::LoadVariant { dst, variant } => {
                    set!(dst, m.load(program.variant(variant)))
                }
                Fused::Is { dst, src, type_id } => decide!(dst, cx.is(get!(src), type_id)),
                Fused::GetPayload { dst, src, index } => {
                    match m.enum_payload(get!(src), u32::from(index)) {
                        Some(value) => set!(dst, value),
                        None => break,
                    }
                }

                Fused::Add { dst, lhs, rhs } => arithmetic!(dst, lhs, rhs, sum, +),
                Fused::Sub { dst, lhs, rhs } => arithmetic!(dst, lhs, rhs, difference, -),
                Fused::Mul { dst, lhs, rhs } => arithmetic!(dst, lhs, rhs, product, *),
                Fused::Div { dst, lhs, rhs } => arithmetic!(dst, lhs, rhs, quotient, /),
                Fused::Rem { dst, lhs, rhs } => arithmetic!(dst, lhs, rhs, remainder, %),
                Fused::Not { dst, src } => decide!(dst, !get!(src).is_truthy()),
                Fused::Eq { dst, lhs, rhs } => equality!(dst, lhs, rhs, ==),
                Fused::Ne { dst, lhs, rhs } => equality!(dst, lhs, rhs, !=),
                Fused::Lt { dst, lhs, rhs } => comparison!(dst, lhs, rhs, <),
                Fused::Le { dst, lhs, rhs } => comparison!(dst, lhs, rhs, <=),

                Fused::Jump { target } => {
                    pc = target as usize;
                    left -= 1;
                    continue;
                }
                Fused::JumpIf { cond, target } => {
                    pc = if get!(cond).is_truthy() {
                        target as usize
                    } else {
                        pc + 1
                    };
                    left -= 1;
                    continue;
                }
                Fused::JumpIfNot { cond, target } => {
                    pc = if get!(cond).is_truthy() {
                        pc + 1
                    } else {
                        target as usize
                    };
                    left -= 1;
                    continue;
                }
                Fused::Loop { target } => {
                    if m.is_poll_requested() {
                        break;
                    }
                    pc = target as usize;
                    left -= 1;
                    continue;
                }

                Fused::LoadCell { dst, cell } => match m.cell_get(get!(cell)) {
                    Some(value) => set!(dst, value),
                    None => break,
                },
                Fused::StoreCell { cell, src } => {
                    if !m.cell_set(get!(cell), get!(src)) {
                        break;
                    }
                }
                Fused::LoadCapture { dst, index } => {
                    let callee = m.load_root(registers.callee());
                    let cell = m.closure_capture(callee, u32::from(index));
                    match cell.and_then(|cell| m.cell_get(cell)) {
                        Some(value) => set!(dst, value),
                        None => break,
                    }
                }
                Fused::StoreCapture { index, src } => {
                    let callee = m.load_root(registers.callee());
                    match m.closure_capture(callee, u32::from(index)) {
                        Some(cell) if m.cell_set(cell, get!(src)) => {}
                        _ => break,
                    }
                }
                Fused::GetField {
                    dst,
                    object,
                    name: site,
                } => {
                    let object = get!(object);
                    let class = m.class(object);
                    let index = class.and_then(|class| program.field_at(program.site(site), class));
                    match index.and_then(|index| m.field(object, index)) {
                        Some(value) => set!(dst, value),
                        None => break,
                    }
                }
                Fused::SetField {
                    object,
                    name: site,
                    src,
                } => {
                    let object = get!(object);
                    let class = m.class(object);
                    match class.and_then(|class| program.field_at(program.site(site), class)) {
                        Some(index) if m.set_field(object, index, get!(src)) => {}
                        _ => break,
                    }
                }
                Fused::GetIndex { dst, object, index } => {
                    let index = get!(index).as_small_int();
                    let index = index.and_then(|index| u32::try_from(index).ok());
                    match index.and_then(|index| m.array_get(get!(object), index)) {
                        Some(element) => set!(dst, element),
                        None => break,
                    }
                }
                Fused::SetIndex { object, index, src } => {
                    let index = get!(index).as_small_int();
                    match index.and_then(|index| u32::try_from(index).ok()) {
                        Some(index) if m.array_set(get!(object), index, get!(src)) => {}
                        _ => break,
                    }
                }
                Fused::NextOrJump {
                    dst,
                    iterator,
                    target,
                } => {
                    let iterator = get!(iterator);
                    let Some((source, position)) = m.iterator_parts(iterator) else {
                        break;
                    };
                    if let Some((start, end)) = m.range_bounds(source) {
                        let int = start.wrapping_add(position);
                        if start >= end || int == end {
                            pc = target as usize;
                            left -= 1;
                            continue;
                        }
                        let Some(element) = Value::small_int(int) else {
                            break;
                        };
                        m.iterator_move(iterator, position.wrapping_add(1));
                        set!(dst, element);
                    } else if let Some(element) = m.array_get(source, position as u32) {
                        m.iterator_move(iterator, position + 1);
                        set!(dst, element);
                    } else {
                        break;
                    }
                    // There was an element: the instruction behind is not for it.
                    pc += 2;
                    left -= 1;
                    continue;
                }
                Fused::EndIfNil { dst, target } => {
                    pc = if get!(dst).is_nil() {
                        target as usize
                    } else {
                        pc + 1
                    };
                    left -= 1;
                    continue;
                }

                Fused::Call { base, argc } => {
                    if m.is_poll_requested() || control.frames.len() >= limits.frames {
                        break;
                    }
                    let Some(entered) = m.closure_function(get!(base)) else {
                        break;
                    };
                    let target = program.entry(entered);
                    if target.arity != argc || !control.has_room(target.registers) {
                        break;
                    }
                    control.top().pc = pc as u32 + 1;
                    let frame = control.call(entered, target.registers, base, argc, base);
                    next = (
                        &target.code,
                        control.stack.registers(frame, target.registers),
                    );
                    pc = 0;
                    left -= 1;
                    continue 'frame;
                }
                Fused::CallMethod {
                    base,
                    name: site,
                    argc,
                } => {
                    if m.is_poll_requested() || control.frames.len() >= limits.frames {
                        break;
                    }
                    let Some(entered) = m
                        .class(get!(base))
                        .and_then(|class| program.class_method_at(program.site(site), class))
                    else {
                        break;
                    };
                    let target = program.entry(entered);
                    if usize::from(target.arity) != usize::from(argc) + 1
                        || !control.has_room(target.registers)
                    {
                        break;
                    }
                    control.top().pc = pc as u32 + 1;
                    let frame = control.call_method(entered, target.registers, base, argc);
                    next = (
                        &target.code,
                        control.stack.registers(frame, target.registers),
                    );
                    m.store(next.1.callee(), m.load(program.function(entered)));
                    pc = 0;
                    left -= 1;
                    continue 'frame;
                }
                Fused::Return { src } => {
                    if control.frames.last().is_none_or(Frame::is_special) {
                        break;
                    }
                    let value = get!(src);
                    let result = control.leave().result;
                    let caller = *control.top();
                    pc = caller.pc as usize;
                    next = (
                        &program.entry(caller.function).code,
                        control
                            .stack
                            .registers(caller.base as usize, caller.registers),
                    );
                    next.1.set(&m, result, value);
                    left -= 1;
                    continue 'frame;
                }
                Fused::AddInt {
                    dst,
                    lhs,
                    tmp,
                    value,
                } => with_int!(dst, lhs, tmp, value, sum),
                Fused::SubInt {
                    dst,
                    lhs,
                    tmp,
                    value,
                } => with_int!(dst, lhs, tmp, value, difference),
                Fused::RemInt {
                    dst,
                    lhs,
                    tmp,
                    value,
                } => with_int!(dst, lhs, tmp, value, remainder),
                Fused::LtInt {
                    dst,
                    lhs,
                    tmp,
                    value,
                } => compare_int!(dst, lhs, tmp, value, |a, b| a < b),
                Fused::LeInt {
                    dst,
                    lhs,
                    tmp,
                    value,
                } => compare_int!(dst, lhs, tmp, value, |a, b| a <= b),
                Fused::GtInt {
                    dst,
                    lhs,
                    tmp,
                    value,
                } => compare_int!(dst, lhs, tmp, value, |a, b| a > b),
                Fused::GeInt {
                    dst,
                    lhs,
                    tmp,
                    value,
                } => compare_int!(dst, lhs, tmp, value, |a, b| a >= b),
                Fused::EqInt {
                    dst,
                    lhs,
                    tmp,
                    value,
                } => compare_int!(dst, lhs, tmp, value, |a, b| a == b),
                Fused::EqNil { dst, lhs, tmp } => {
                    set!(tmp, Value::NIL);
                    decide_both!(dst, get!(lhs).is_nil());
                }
                Fused::NeNil { dst, lhs, tmp } => {
                    set!(tmp, Value::NIL);
                    decide_both!(dst, !get!(lhs).is_nil());
                }
                Fused::Other => break,
            }
            pc += 1;
            left -= 1;
        }
        return Position { pc, left };
    }
}

/// The result of an operator; it is here for the types of its operands.
#[inline(always)]
fn apply<T>(a: i64, b: i64, operator: impl Fn(i64, i64) -> T) -> T {
    operator(a, b)
}

// Arithmetic on scaled ints (`Value::as_scaled_int`). Nothing if the result needs a box, or is
// none.

#[inline(always)]
fn sum(a: i64, b: i64) -> Option<Value<'static>> {
    a.checked_add(b).map(Value::scaled_int)
}

#[inline(always)]
fn difference(a: i64, b: i64) -> Option<Value<'static>> {
    a.checked_sub(b).map(Value::scaled_int)
}

#[inline(always)]
fn product(a: i64, b: i64) -> Option<Value<'static>> {
    a.checked_mul(b >> 16).map(Value::scaled_int)
}

#[inline(always)]
fn quotient(a: i64, b: i64) -> Option<Value<'static>> {
    (a >> 16).checked_div(b >> 16).and_then(Value::small_int)
}

#[inline(always)]
fn remainder(a: i64, b: i64) -> Option<Value<'static>> {
    let remainder = (a >> 16).checked_rem(b >> 16)?;
    Some(Value::scaled_int(remainder << 16))
}

/// Whether two values are equal, if that can be said without looking at objects.
#[inline(always)]
fn is_surely_equal(lhs: Value<'_>, rhs: Value<'_>) -> Option<bool> {
    match (lhs.as_small_int(), rhs.as_small_int()) {
        (Some(a), Some(b)) => Some(a == b),
        _ if is_nil_or_bool(lhs) || is_nil_or_bool(rhs) => Some(lhs.is_identical(rhs)),
        // The same object is equal to itself; a float need not be.
        _ if lhs.is_object() && lhs.is_identical(rhs) => Some(true),
        _ => None,
    }
}

#[inline(always)]
fn is_nil_or_bool(value: Value<'_>) -> bool {
    value.is_nil() || value.as_bool().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_is_said_only_where_it_is_sure() {
        let (one, two) = (Value::int32(1), Value::int32(2));
        assert_eq!(is_surely_equal(one, one), Some(true));
        assert_eq!(is_surely_equal(one, two), Some(false));
        assert_eq!(is_surely_equal(Value::NIL, Value::NIL), Some(true));
        assert_eq!(is_surely_equal(Value::NIL, Value::FALSE), Some(false));
        assert_eq!(is_surely_equal(Value::TRUE, one), Some(false));
        let nan = Value::float(f64::NAN);
        assert_eq!(is_surely_equal(nan, nan), None);
        assert_eq!(is_surely_equal(one, Value::float(1.0)), None);
    }
}
