//! The run loop.

use std::cmp::Ordering;

use gcrucible_bytecode::{ErrorKind, Op, Reg};
use gcrucible_heap::{Checks, Kind, NeedsMemory, Value};

use super::arithmetic::Operator;
use super::{Context, Safepoint, Stop, site};
use crate::exception::{Completion, HandlerKind};
use crate::frame::Control;
use crate::slice::SliceEnd;

/// How a run ended.
pub(crate) struct Ended {
    pub(crate) end: SliceEnd,
    /// Fuel that is left.
    pub(crate) left: u32,
    /// The register that waits for the future of a spawned call.
    pub(crate) spawned: Option<Reg>,
}

/// Executes instructions of the running frame, and of those it calls, until the slice
/// ends. `left` is the fuel; `is_passed` says that the safepoint of the first instruction
/// has been taken.
pub(crate) fn run<'p, C: Checks>(
    cx: &Context<'p, C>,
    control: &mut Control,
    printed: &mut Vec<String>,
    mut left: u32,
    is_passed: bool,
) -> Ended {
    let m = cx.m;
    let fuel = left;
    let functions = cx.program.program().functions.as_slice();
    let mut function = control.top().function;
    let mut pc = control.top().pc as usize;
    let mut code = functions[usize::from(function)].code.as_slice();

    // The registers of the top frame. They borrow the stack only, so that the rest of the
    // control state can change beside them.
    macro_rules! current {
        () => {{
            let frame = control.frames.last().expect("a running task has a frame");
            control.stack.registers::<C>(frame.base, frame.registers)
        }};
    }
    let mut registers = current!();

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
    // The safepoint of the instruction in execution.
    macro_rules! safepoint {
        () => {
            Safepoint {
                is_passed: is_passed && left + 1 == fuel,
            }
        };
    }
    // The same context, noting this instruction as the place of what it allocates.
    macro_rules! here {
        () => {
            Context {
                m: m.at_site(site(function, pc - 1)),
                ..*cx
            }
        };
    }
    // Stores the value that an instruction makes, or stops.
    macro_rules! make {
        ($dst:expr, $made:expr) => {
            match $made {
                Ok(value) => {
                    set!($dst, value);
                    continue;
                }
                Err(stop) => stop,
            }
        };
    }
    macro_rules! allocate {
        ($dst:expr, $cx:ident => $made:expr) => {
            match cx.safepoint(safepoint!()) {
                Ok(()) => {
                    let $cx = here!();
                    make!($dst, $made)
                }
                Err(stop) => stop,
            }
        };
    }
    // Two small ints in place, all else elsewhere.
    macro_rules! arithmetic {
        ($dst:expr, $lhs:expr, $rhs:expr, $checked:ident, $operator:expr) => {{
            let (lhs, rhs) = (get!($lhs), get!($rhs));
            if let (Some(a), Some(b)) = (lhs.as_small_int(), rhs.as_small_int())
                && let Some(value) = a.$checked(b).and_then(Value::small_int)
            {
                set!($dst, value);
                continue;
            }
            make!($dst, here!().binary($operator, lhs, rhs, safepoint!()))
        }};
    }
    // Stores a truth value. Mostly a jump waits for it, which is then executed at once
    // without going round the loop, if there is fuel for it.
    macro_rules! decide {
        ($dst:expr, $result:expr) => {{
            let (dst, result): (Reg, bool) = ($dst, $result);
            set!(dst, Value::bool(result));
            if left > 0
                && let Some(&Op::JumpIfNot { cond, target }) = code.get(pc)
                && cond == dst
            {
                left -= 1;
                pc = if result { pc + 1 } else { target as usize };
            }
            continue;
        }};
    }
    macro_rules! comparison {
        ($dst:expr, $lhs:expr, $rhs:expr, $operator:tt, $orderings:pat) => {{
            let (lhs, rhs) = (get!($lhs), get!($rhs));
            if let (Some(a), Some(b)) = (lhs.as_small_int(), rhs.as_small_int()) {
                decide!($dst, a $operator b);
            }
            match cx.compared(lhs, rhs) {
                Ok(ordering) => decide!($dst, matches!(ordering, $orderings)),
                Err(stop) => stop,
            }
        }};
    }
    macro_rules! equality {
        ($lhs:expr, $rhs:expr) => {{
            let (lhs, rhs) = (get!($lhs), get!($rhs));
            match (lhs.as_small_int(), rhs.as_small_int()) {
                (Some(a), Some(b)) => a == b,
                _ => m.are_equal(lhs, rhs),
            }
        }};
    }
    // Enters a closure; `$callee` is the register from which callee and arguments come.
    macro_rules! enter {
        ($entered:expr, $callee:expr, $argc:expr) => {{
            let entered: u16 = $entered;
            control.top().pc = pc as u32;
            let target = &functions[usize::from(entered)];
            control.call(entered, target.registers, $callee, $argc, $callee);
            function = entered;
            code = target.code.as_slice();
            pc = 0;
            registers = current!();
        }};
    }
    // Goes on where the top frame stands.
    macro_rules! reload {
        () => {{
            let frame = *control.top();
            function = frame.function;
            pc = frame.pc as usize;
            code = functions[usize::from(function)].code.as_slice();
            registers = current!();
        }};
    }
    macro_rules! ended {
        ($end:expr) => {
            Ended {
                end: $end,
                left,
                spawned: None,
            }
        };
    }

    loop {
        if left == 0 {
            control.top().pc = pc as u32;
            return ended!(SliceEnd::Fuel);
        }
        let op = code[pc];
        left -= 1;
        pc += 1;
        let stop: Stop<'p> = match op {
            Op::Move { dst, src } => {
                set!(dst, get!(src));
                continue;
            }
            Op::LoadNil { dst } => {
                set!(dst, Value::NIL);
                continue;
            }
            Op::LoadBool { dst, value } => {
                set!(dst, Value::bool(value));
                continue;
            }
            Op::LoadInt { dst, value } => {
                set!(dst, Value::int32(value));
                continue;
            }
            Op::LoadConst { dst, constant } => {
                set!(dst, m.load(cx.program.constant(constant)));
                continue;
            }
            Op::LoadFunction { dst, function } => {
                set!(dst, m.load(cx.program.function(function)));
                continue;
            }
            Op::LoadGlobal { dst, global } => {
                set!(dst, m.load(cx.program.global(global)));
                continue;
            }
            Op::StoreGlobal { global, src } => {
                if !cx.program.is_frozen() {
                    m.store(cx.program.global(global), get!(src));
                    continue;
                }
                ErrorKind::StoreGlobalAfterInit.into()
            }

            Op::Add { dst, lhs, rhs } => {
                arithmetic!(dst, lhs, rhs, checked_add, Operator::Add)
            }
            Op::Sub { dst, lhs, rhs } => {
                arithmetic!(dst, lhs, rhs, checked_sub, Operator::Sub)
            }
            Op::Mul { dst, lhs, rhs } => {
                arithmetic!(dst, lhs, rhs, checked_mul, Operator::Mul)
            }
            Op::Div { dst, lhs, rhs } => {
                arithmetic!(dst, lhs, rhs, checked_div, Operator::Div)
            }
            Op::Rem { dst, lhs, rhs } => {
                arithmetic!(dst, lhs, rhs, checked_rem, Operator::Rem)
            }
            Op::Neg { dst, src } => make!(dst, here!().negated(get!(src), safepoint!())),
            Op::Not { dst, src } => decide!(dst, !get!(src).is_truthy()),
            Op::Eq { dst, lhs, rhs } => decide!(dst, equality!(lhs, rhs)),
            Op::Ne { dst, lhs, rhs } => decide!(dst, !equality!(lhs, rhs)),
            Op::Lt { dst, lhs, rhs } => comparison!(dst, lhs, rhs, <, Some(Ordering::Less)),
            Op::Le { dst, lhs, rhs } => {
                comparison!(dst, lhs, rhs, <=, Some(Ordering::Less | Ordering::Equal))
            }
            Op::Concat { dst, first, count } => {
                allocate!(dst, cx => cx.concat(registers, first, count))
            }

            Op::Jump { target } => {
                pc = target as usize;
                continue;
            }
            Op::JumpIf { cond, target } => {
                if get!(cond).is_truthy() {
                    pc = target as usize;
                }
                continue;
            }
            Op::JumpIfNot { cond, target } => {
                if !get!(cond).is_truthy() {
                    pc = target as usize;
                }
                continue;
            }
            Op::Loop { target } => match cx.safepoint(safepoint!()) {
                Ok(()) => {
                    pc = target as usize;
                    continue;
                }
                Err(stop) => stop,
            },

            Op::NewArray { dst, first, count } => {
                allocate!(dst, cx => cx.new_array(registers, first, count))
            }
            Op::NewMap { dst, first, pairs } => {
                allocate!(dst, cx => cx.new_map(registers, first, pairs))
            }
            Op::NewInstance { dst, class, first } => {
                allocate!(dst, cx => cx.new_instance(registers, class, first))
            }
            Op::NewClosure { dst, function } => {
                allocate!(dst, cx => cx.new_closure(registers, function))
            }
            Op::NewRange { dst, first } => {
                allocate!(dst, cx => cx.new_range(registers, first))
            }
            Op::NewCell { dst, src } => {
                allocate!(dst, cx => cx.m.cell(get!(src)).map_err(Stop::from))
            }
            Op::LoadCell { dst, cell } => match m.cell_get(get!(cell)) {
                Some(value) => {
                    set!(dst, value);
                    continue;
                }
                None => ErrorKind::Internal.into(),
            },
            Op::StoreCell { cell, src } => {
                if m.cell_set(get!(cell), get!(src)) {
                    continue;
                }
                ErrorKind::Internal.into()
            }
            Op::LoadCapture { dst, index } => {
                match cx
                    .captured_cell(registers, index)
                    .map(|cell| m.cell_get(cell))
                {
                    Ok(Some(value)) => {
                        set!(dst, value);
                        continue;
                    }
                    Ok(None) => ErrorKind::Internal.into(),
                    Err(stop) => stop,
                }
            }
            Op::StoreCapture { index, src } => match cx.captured_cell(registers, index) {
                Ok(cell) if m.cell_set(cell, get!(src)) => continue,
                Ok(_) => ErrorKind::Internal.into(),
                Err(stop) => stop,
            },

            Op::GetField { dst, object, name } => make!(dst, cx.get_field(get!(object), name)),
            Op::SetField { object, name, src } => {
                match cx.set_field(get!(object), name, get!(src)) {
                    Ok(()) => continue,
                    Err(stop) => stop,
                }
            }
            Op::GetIndex { dst, object, index } => {
                let (object, index) = (get!(object), get!(index));
                if let Some(at) = index.as_small_int()
                    && let Ok(at) = u32::try_from(at)
                    && let Some(element) = m.array_get(object, at)
                {
                    set!(dst, element);
                    continue;
                }
                make!(dst, here!().get_index(object, index, safepoint!()))
            }
            Op::SetIndex { object, index, src } => {
                if let Some(at) = get!(index).as_small_int()
                    && let Ok(at) = u32::try_from(at)
                    && m.array_set(get!(object), at, get!(src))
                {
                    continue;
                }
                match here!().set_index(get!(object), get!(index), get!(src), safepoint!()) {
                    Ok(()) => continue,
                    Err(stop) => stop,
                }
            }

            Op::NewIterator { dst, src } => {
                allocate!(dst, cx => cx.new_iterator(get!(src)))
            }
            Op::NextOrJump {
                dst,
                iterator,
                target,
            } => match cx.next(get!(iterator)) {
                Ok(Some(element)) => {
                    set!(dst, element);
                    continue;
                }
                Ok(None) => {
                    pc = target as usize;
                    continue;
                }
                Err(stop) => stop,
            },

            Op::Call { base, argc } => match cx.safepoint(safepoint!()) {
                Ok(()) => match cx.callable(get!(base), usize::from(argc)) {
                    Ok(entered) if control.frames.len() < cx.max_frames => {
                        enter!(entered, base, argc);
                        continue;
                    }
                    Ok(_) => ErrorKind::StackOverflow.into(),
                    Err(kind) => kind.into(),
                },
                Err(stop) => stop,
            },
            Op::CallMethod { base, name, argc } => match cx.safepoint(safepoint!()) {
                Ok(()) => {
                    let receiver = get!(base);
                    if m.kind(receiver) == Some(Kind::Instance) {
                        let callee = cx.field_method(receiver, name);
                        let entered = callee.and_then(|callee| {
                            let function = cx.callable(callee, usize::from(argc))?;
                            Ok((callee, function))
                        });
                        match entered {
                            Ok((callee, entered)) if control.frames.len() < cx.max_frames => {
                                enter!(entered, base, argc);
                                // What was copied is the receiver.
                                m.store(registers.callee(), callee);
                                continue;
                            }
                            Ok(_) => ErrorKind::StackOverflow.into(),
                            Err(stop) => stop,
                        }
                    } else {
                        make!(base, here!().call_method(registers, base, name, argc))
                    }
                }
                Err(stop) => stop,
            },
            Op::CallBuiltin {
                base,
                builtin,
                argc,
            } => {
                let made =
                    here!().call_builtin(registers, base, builtin, argc, safepoint!(), printed);
                match made {
                    Ok((value, end)) => {
                        set!(base, value);
                        match end {
                            None => continue,
                            Some(end) => Stop::End(end),
                        }
                    }
                    Err(stop) => stop,
                }
            }
            Op::Return { src } => {
                let value = get!(src);
                let left_frame = control.leave();
                if control.frames.is_empty() {
                    m.store(cx.exchange, value);
                    return ended!(SliceEnd::Returned);
                }
                reload!();
                set!(left_frame.result, value);
                continue;
            }

            Op::Throw { src } => Stop::Throw(get!(src)),
            Op::PushCatch { dst, target } => {
                control.push_handler(HandlerKind::Catch(dst), target);
                registers = current!();
                continue;
            }
            Op::PushFinally { target } => {
                control.push_handler(HandlerKind::Finally, target);
                registers = current!();
                continue;
            }
            Op::PopHandler => {
                control.handlers.pop();
                continue;
            }
            Op::EnterFinally { target } => {
                let pc_behind = pc as u32;
                control
                    .completions
                    .push(Completion::Resume { pc: pc_behind });
                pc = target as usize;
                continue;
            }
            Op::EnterFinallyWith { value, target } => {
                let in_flight = gcrucible_heap::Slot::nil();
                in_flight.take_from(registers.slot(value));
                control.completions.push(Completion::ResumeWith {
                    pc: pc as u32,
                    register: value,
                    value: in_flight,
                });
                pc = target as usize;
                continue;
            }
            Op::EndFinally => match control.completions.pop() {
                Some(Completion::Resume { pc: behind }) => {
                    pc = behind as usize;
                    continue;
                }
                Some(Completion::ResumeWith {
                    pc: behind,
                    register,
                    value,
                }) => {
                    registers.slot(register).take_from(&value);
                    pc = behind as usize;
                    continue;
                }
                Some(Completion::Throw { value }) => Stop::Throw(m.load_root(&value)),
                None => unreachable!("verified code has a completion here"),
            },
            Op::DropCompletion => {
                control.completions.pop();
                continue;
            }

            Op::Spawn { base, argc } => match cx.safepoint(safepoint!()) {
                Ok(()) => match here!().spawn(registers, base, argc) {
                    Stop::End(end) => {
                        control.top().pc = pc as u32;
                        return Ended {
                            spawned: Some(base),
                            ..ended!(end)
                        };
                    }
                    stop => stop,
                },
                Err(stop) => stop,
            },
            Op::Await { dst, src } => make!(dst, cx.awaited(get!(src))),
            Op::Cancel { src } => cx.cancel(get!(src)),
        };

        // Nothing of an instruction that stopped has happened yet, but of one that ended.
        let thrown = match stop {
            Stop::End(end) => {
                control.top().pc = pc as u32;
                return ended!(end);
            }
            Stop::Throw(value) => Ok(value),
            Stop::Raise(kind, payload) => match here!().error(kind, payload) {
                Ok(error) => Ok(error),
                Err(NeedsMemory { words }) => Err(SliceEnd::NeedsMemory { words }),
            },
            Stop::NeedsMemory(NeedsMemory { words }) => Err(SliceEnd::NeedsMemory { words }),
            Stop::Safepoint => Err(SliceEnd::Safepoint),
            Stop::Wait(end) => Err(end),
        };
        match thrown {
            Ok(value) => {
                if !control.throw(&m, value) {
                    m.store(cx.exchange, value);
                    return ended!(SliceEnd::Threw);
                }
                reload!();
            }
            Err(end) => {
                left += 1;
                control.top().pc = pc as u32 - 1;
                return ended!(end);
            }
        }
    }
}
