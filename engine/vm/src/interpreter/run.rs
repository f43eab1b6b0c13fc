//! The run loop: what the hot loop declines, one instruction at a time.

use std::cmp::Ordering;

use gcrucible_bytecode::{ErrorKind, Op, Reg};
use gcrucible_heap::{Checks, Kind, NeedsMemory, Value};

use super::arithmetic::Operator;
use super::hot::{Position, run_hot};
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

    loop {
        let position = run_hot(cx, control, Position { function, pc, left });
        Position { function, pc, left } = position;
        // They borrow the stack only, so that the rest of the control state can change
        // beside them.
        let registers = {
            let frame = control.frames.last().expect("a running task has a frame");
            control.stack.registers::<C>(frame.base, frame.registers)
        };
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
        macro_rules! binary {
            ($dst:expr, $lhs:expr, $rhs:expr, $operator:expr) => {
                make!(
                    $dst,
                    here!().binary($operator, get!($lhs), get!($rhs), safepoint!())
                )
            };
        }
        macro_rules! comparison {
            ($dst:expr, $lhs:expr, $rhs:expr, $orderings:pat) => {
                match cx.compared(get!($lhs), get!($rhs)) {
                    Ok(ordering) => {
                        set!($dst, Value::bool(matches!(ordering, $orderings)));
                        continue;
                    }
                    Err(stop) => stop,
                }
            };
        }
        // Enters a closure; `$callee` is the register from which callee and arguments come.
        macro_rules! enter {
            ($entered:expr, $callee:expr, $argc:expr) => {{
                let entered: u16 = $entered;
                control.top().pc = pc as u32;
                let target = &functions[usize::from(entered)];
                control.call(entered, target.registers, $callee, $argc, $callee);
                function = entered;
                pc = 0;
            }};
        }
        // Goes on where the top frame stands.
        macro_rules! reload {
            () => {{
                let frame = *control.top();
                function = frame.function;
                pc = frame.pc as usize;
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

        if left == 0 {
            control.top().pc = pc as u32;
            return ended!(SliceEnd::Fuel);
        }
        let op = functions[usize::from(function)].code[pc];
        left -= 1;
        pc += 1;
        let stop: Stop<'p> = match op {
            Op::Move { .. }
            | Op::LoadNil { .. }
            | Op::LoadBool { .. }
            | Op::LoadInt { .. }
            | Op::LoadConst { .. }
            | Op::LoadFunction { .. }
            | Op::LoadGlobal { .. }
            | Op::Not { .. }
            | Op::Jump { .. }
            | Op::JumpIf { .. }
            | Op::JumpIfNot { .. } => unreachable!("the hot loop declines none of these"),
            Op::StoreGlobal { global, src } => {
                if !cx.program.is_frozen() {
                    m.store(cx.program.global(global), get!(src));
                    continue;
                }
                ErrorKind::StoreGlobalAfterInit.into()
            }

            Op::Add { dst, lhs, rhs } => binary!(dst, lhs, rhs, Operator::Add),
            Op::Sub { dst, lhs, rhs } => binary!(dst, lhs, rhs, Operator::Sub),
            Op::Mul { dst, lhs, rhs } => binary!(dst, lhs, rhs, Operator::Mul),
            Op::Div { dst, lhs, rhs } => binary!(dst, lhs, rhs, Operator::Div),
            Op::Rem { dst, lhs, rhs } => binary!(dst, lhs, rhs, Operator::Rem),
            Op::Neg { dst, src } => make!(dst, here!().negated(get!(src), safepoint!())),
            Op::Eq { dst, lhs, rhs } => {
                let is_equal = m.are_equal(get!(lhs), get!(rhs));
                set!(dst, Value::bool(is_equal));
                continue;
            }
            Op::Ne { dst, lhs, rhs } => {
                let is_equal = m.are_equal(get!(lhs), get!(rhs));
                set!(dst, Value::bool(!is_equal));
                continue;
            }
            Op::Lt { dst, lhs, rhs } => comparison!(dst, lhs, rhs, Some(Ordering::Less)),
            Op::Le { dst, lhs, rhs } => {
                comparison!(dst, lhs, rhs, Some(Ordering::Less | Ordering::Equal))
            }
            Op::Concat { dst, first, count } => {
                allocate!(dst, cx => cx.concat(registers, first, count))
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
                make!(
                    dst,
                    here!().get_index(get!(object), get!(index), safepoint!())
                )
            }
            Op::SetIndex { object, index, src } => {
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
                                m.store(control.registers::<C>().callee(), callee);
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
            // The hot loop returns to callers; this frame has none.
            Op::Return { src } => {
                m.store(cx.exchange, get!(src));
                control.leave();
                return ended!(SliceEnd::Returned);
            }

            Op::Throw { src } => Stop::Throw(get!(src)),
            Op::PushCatch { dst, target } => {
                control.push_handler(HandlerKind::Catch(dst), target);
                continue;
            }
            Op::PushFinally { target } => {
                control.push_handler(HandlerKind::Finally, target);
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
