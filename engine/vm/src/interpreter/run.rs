//! The run loop: what the hot loop declines, one instruction at a time.

use std::cmp::Ordering;

use gcrucible_bytecode::{Builtin, ErrorKind, Function, Op, Reg};
use gcrucible_heap::{Checks, Kind, NeedsMemory, Slot, Value};
use gcrucible_platform::seeded_bugs::{self, Bug};

use super::arithmetic::Operator;
use super::calls::{Callee, Found};
use super::hot::{Limits, Position, run_hot};
use super::{Context, Effects, Safepoint, Stop, site};
use crate::exception::{CompletionKind, HandlerKind, Thrown, Unwound};
use crate::frame::{Control, Frame, Operation};
use crate::roots::ROOTS;
use crate::slice::SliceEnd;

/// How a run ended.
pub(crate) struct Ended {
    pub(crate) end: SliceEnd,
    /// Fuel that is left.
    pub(crate) left: u32,
    /// Instructions executed. They and the work charged for make up the fuel that is spent.
    pub(crate) executed: u32,
    /// What the next slice does with what the engine leaves in the exchange slot.
    pub(crate) takes: Takes,
}

/// What a machine waits for in the exchange slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    Nothing,
    /// The future of a spawned call goes to the register; the scopes hear of it unless it is
    /// detached.
    Future {
        register: Reg,
        detached: bool,
    },
}

/// Executes instructions of the running frame, and of those it calls, until the slice
/// ends. `left` is the fuel; `is_passed` says that the safepoint of the first instruction
/// has been taken.
pub(crate) fn run<'p, C: Checks>(
    cx: &Context<'p, C>,
    control: &mut Control,
    effects: &mut Effects,
    left: u32,
    is_passed: bool,
) -> Ended {
    let executed = control.scopes.executed;
    let mut ended = run_from(cx, control, effects, left, is_passed);
    ended.left = ended.left.saturating_sub(cx.work.take());
    control.scopes.executed = executed + u64::from(ended.executed);
    ended
}

fn run_from<'p, C: Checks>(
    cx: &Context<'p, C>,
    control: &mut Control,
    effects: &mut Effects,
    mut left: u32,
    is_passed: bool,
) -> Ended {
    let m = cx.m;
    // Lowered by what is charged, as `left` is: their difference is the instructions executed.
    let mut fuel = left;
    let given = left;
    let executed_before = control.scopes.executed;
    let functions = cx.program.program().functions.as_slice();
    let mut pc = control.top().pc as usize;

    loop {
        let charged = cx.work.take();
        if charged > 0 {
            // Mostly nothing is.
            let charged = charged.min(left);
            fuel -= charged;
            left -= charged;
        }
        let held_back = held_back(control, fuel, left, executed_before);
        let limits = Limits {
            frames: if control.scopes.has_call_budget {
                0
            } else {
                cx.max_frames
            },
        };
        let position = Position {
            pc,
            left: left - held_back,
        };
        let position = run_hot(cx, control, position, limits);
        Position { pc, left } = position;
        // The registers borrow the stack only, so that the rest of the control state can change
        // beside them.
        let (function, registers) = {
            let frame = control.frames.last().expect("a running task has a frame");
            let stack = &control.stack;
            let registers = stack.registers::<C>(frame.base as usize, frame.registers);
            (frame.function, registers)
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
        // Enters a callee, its arguments in registers from `$first` on.
        macro_rules! enter {
            ($callee:expr, $first:expr, $argc:expr, $result:expr) => {{
                let callee: Callee<'p> = $callee;
                control.top().pc = pc as u32;
                cx.enter(control, callee, $first, $argc, $result);
                pc = 0;
            }};
        }
        // Whether one more call is allowed; the number of instructions executed is what a
        // step that is entered counts from.
        macro_rules! check_call {
            () => {{
                control.scopes.executed = executed_before + u64::from(fuel - left);
                cx.check_call(control.frames.len(), &mut control.scopes)
            }};
        }
        // What a waiting instruction looks at before anything else.
        macro_rules! check_wait {
            () => {
                control.scopes.check_wait(&here!(), effects)
            };
        }
        // Goes on if an instruction without a result has ended.
        macro_rules! done {
            ($done:expr) => {
                match $done {
                    Ok(()) => continue,
                    Err(stop) => stop,
                }
            };
        }
        // Goes on where the top frame stands.
        macro_rules! reload {
            () => {
                pc = control.top().pc as usize
            };
        }
        macro_rules! ended {
            ($end:expr) => {
                Ended {
                    end: $end,
                    left,
                    executed: fuel - left,
                    takes: Takes::Nothing,
                }
            };
        }

        let is_out = left == 0;
        left += held_back;
        if is_out {
            // What the hot loop had no fuel for is there for a step that is spent. Where work
            // took the fuel, such a step throws first, too, as it would with more of it: that
            // there is work to be charged for is nothing that a program sees.
            let executed = executed_before + u64::from(fuel);
            let is_spent = left > 0 || fuel < given && executed >= control.scopes.instructions_end;
            let op = functions[usize::from(function)].code[pc];
            let is_drain = matches!(op, Op::DrainSquad { .. });
            if !is_spent || left == 0 && is_drain {
                control.top().pc = pc as u32;
                return ended!(SliceEnd::Fuel);
            }
            if !is_drain {
                control.top().pc = pc as u32;
                control.scopes.executed = executed_before + u64::from(fuel - left);
                let error = match cx.exhausted(&control.scopes) {
                    Ok(error) => error,
                    Err(NeedsMemory { words }) => return ended!(SliceEnd::NeedsMemory { words }),
                };
                control.scopes.spend_instructions(cx.now_ms);
                let mut thrown = Thrown::from(error);
                match control.throw(cx, effects, &mut thrown) {
                    Ok(Unwound::GoOn) => {}
                    Ok(Unwound::HandlerEnded) if control.operation.is_none() => {}
                    Ok(Unwound::HandlerEnded) => return ended!(SliceEnd::Resume),
                    Ok(Unwound::Uncaught) => return ended!(SliceEnd::Threw),
                    Err(NeedsMemory { words }) => return ended!(SliceEnd::NeedsMemory { words }),
                }
                reload!();
                continue;
            }
        }
        let op = functions[usize::from(function)].code[pc];
        left -= 1;
        pc += 1;
        // The trace of a value that goes on behind `finally`.
        let mut trace = None;
        let stop: Stop<'p> = match op {
            Op::Move { .. }
            | Op::LoadNil { .. }
            | Op::LoadBool { .. }
            | Op::LoadInt { .. }
            | Op::LoadConst { .. }
            | Op::LoadFunction { .. }
            | Op::LoadGlobal { .. }
            | Op::LoadVariant { .. }
            | Op::Is { .. }
            | Op::EndIfNil { .. }
            | Op::Not { .. }
            | Op::Jump { .. }
            | Op::JumpIf { .. }
            | Op::JumpIfNot { .. } => unreachable!("the hot loop declines none of these"),
            Op::StoreGlobal { global, src } => {
                if !cx.realm.is_global_frozen(global) {
                    m.store(cx.realm.global(global), get!(src));
                    continue;
                }
                if seeded_bugs::is_on(Bug::B107) {
                    // B-107: a store to a frozen global is accepted.
                    seeded_bugs::note_triggered(Bug::B107);
                    m.store(cx.realm.global(global), get!(src));
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
                cx.charge_comparison(get!(lhs), get!(rhs));
                let is_equal = m.are_equal(get!(lhs), get!(rhs));
                set!(dst, Value::bool(is_equal));
                continue;
            }
            Op::Ne { dst, lhs, rhs } => {
                cx.charge_comparison(get!(lhs), get!(rhs));
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
            Op::NewVariant {
                dst,
                variant,
                first,
            } => {
                allocate!(dst, cx => cx.new_variant(registers, variant, first))
            }
            Op::GetPayload { dst, src, index } => {
                let part = m.enum_payload(get!(src), u32::from(index));
                make!(dst, part.ok_or(Stop::from(ErrorKind::Internal)))
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

            Op::GetField { dst, object, name } => {
                make!(dst, here!().get_field(get!(object), name, safepoint!()))
            }
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
            } => {
                let source = get!(iterator);
                match m.kind(source) {
                    Some(Kind::Instance | Kind::Stream) => match cx.safepoint(safepoint!()) {
                        Ok(()) => match cx.next_method(source) {
                            Ok(Some(callee)) => match check_call!() {
                                Ok(()) => {
                                    enter!(callee, 0, 0, dst);
                                    continue;
                                }
                                Err(stop) => stop,
                            },
                            Ok(None) => ErrorKind::Internal.into(),
                            Err(kind) => kind.into(),
                        },
                        Err(stop) => stop,
                    },
                    Some(Kind::Channel) => {
                        let received = match check_wait!() {
                            Ok(()) => cx.receive(source, true, effects),
                            Err(stop) => Err(stop),
                        };
                        match received {
                            Ok(Some(value)) => {
                                set!(dst, value);
                                pc += 1;
                                continue;
                            }
                            Ok(None) => {
                                pc = target as usize;
                                continue;
                            }
                            Err(stop) => stop,
                        }
                    }
                    _ => match here!().next(source) {
                        Ok(Some(element)) => {
                            set!(dst, element);
                            pc += 1;
                            continue;
                        }
                        Ok(None) => {
                            pc = target as usize;
                            continue;
                        }
                        Err(stop) => stop,
                    },
                }
            }

            Op::Call { base, argc } => match cx.safepoint(safepoint!()) {
                Ok(()) => match cx.callable(get!(base), usize::from(argc)) {
                    Ok(callee) => match check_call!() {
                        Ok(()) => {
                            enter!(callee, base + 1, argc, base);
                            continue;
                        }
                        Err(stop) => stop,
                    },
                    Err(kind) => kind.into(),
                },
                Err(stop) => stop,
            },
            Op::CallMethod { base, name, argc } => match cx.safepoint(safepoint!()) {
                Ok(()) => match cx.find_method(get!(base), name, usize::from(argc)) {
                    Ok(Found::Callee(callee)) => match check_call!() {
                        Ok(()) => {
                            enter!(callee, base + 1, argc, base);
                            continue;
                        }
                        Err(stop) => stop,
                    },
                    Ok(Found::Builtin) => {
                        let made = match cx.waits(name, argc) {
                            true => check_wait!(),
                            false => Ok(()),
                        };
                        match made {
                            Ok(()) => make!(
                                base,
                                here!().call_method(registers, base, name, argc, effects)
                            ),
                            Err(stop) => stop,
                        }
                    }
                    Err(kind) => kind.into(),
                },
                Err(stop) => stop,
            },
            Op::CallBuiltin {
                base,
                builtin: Builtin::Next,
                argc: 1,
            } if matches!(
                m.kind(get!(base)),
                Some(Kind::Instance | Kind::Stream | Kind::Channel)
            ) =>
            {
                let source = get!(base);
                if m.kind(source) == Some(Kind::Channel) {
                    let received = check_wait!().and_then(|()| cx.receive(source, true, effects));
                    make!(base, received.map(|value| value.unwrap_or(Value::NIL)))
                } else {
                    match cx.safepoint(safepoint!()) {
                        Ok(()) => match cx.next_method(source) {
                            Ok(Some(callee)) => match check_call!() {
                                Ok(()) => {
                                    enter!(callee, base, 0, base);
                                    continue;
                                }
                                Err(stop) => stop,
                            },
                            Ok(None) => ErrorKind::TypeError.into(),
                            Err(kind) => kind.into(),
                        },
                        Err(stop) => stop,
                    }
                }
            }
            Op::CallBuiltin {
                base,
                builtin,
                argc,
            } => {
                let checked = match builtin {
                    Builtin::Sleep | Builtin::Host | Builtin::CheckWait => check_wait!(),
                    _ => Ok(()),
                };
                let made = checked.and_then(|()| {
                    here!().call_builtin(registers, base, builtin, argc, safepoint!(), effects)
                });
                match made {
                    Ok((value, end)) => {
                        set!(base, value);
                        match end {
                            None => continue,
                            Some(end) => {
                                control.operation = operation(end, base);
                                Stop::End(end)
                            }
                        }
                    }
                    Err(stop) => stop,
                }
            }
            Op::CallStep { base, step } => match cx.safepoint(safepoint!()) {
                Ok(()) => match cx.callable(get!(base), 0) {
                    Ok(callee) => match check_call!() {
                        Ok(()) => {
                            enter!(callee, base, 0, base);
                            control.push_step(cx.program.program(), step, function, cx.now_ms);
                            continue;
                        }
                        Err(stop) => stop,
                    },
                    Err(kind) => kind.into(),
                },
                Err(stop) => stop,
            },
            // The hot loop does those of which nothing is special.
            Op::Return { src } => {
                let value = get!(src);
                let flags = control.top().flags;
                if flags & Frame::SCOPES != 0 {
                    control.pop_frame_scopes(cx, effects);
                }
                if flags & Frame::BOTTOM != 0 {
                    m.store(cx.exchange, value);
                    control.leave();
                    return ended!(SliceEnd::Returned);
                }
                if flags & Frame::INTERRUPT != 0 {
                    control.end_interrupt(cx, effects);
                    if control.operation.is_some() {
                        return ended!(SliceEnd::Resume);
                    }
                } else {
                    let result = control.leave().result;
                    control.registers::<C>().set(&m, result, value);
                }
                reload!();
                continue;
            }

            Op::Throw { src } => Stop::Throw(get!(src)),
            Op::PushCatch { dst, target } => {
                control.push_handler(HandlerKind::Catch(dst), target);
                continue;
            }
            Op::PushCatchIf {
                dst,
                type_id,
                target,
            } => {
                control.push_handler(HandlerKind::CatchIf(dst, type_id), target);
                continue;
            }
            Op::PushFinally { target } => {
                control.push_handler(HandlerKind::Finally, target);
                continue;
            }
            Op::PopHandler => {
                // B-83: the handler that a return leaves stays.
                if seeded_bugs::is_on(Bug::B83) && returns(&functions[usize::from(function)], pc) {
                    seeded_bugs::note_triggered(Bug::B83);
                    continue;
                }
                control.handlers.pop();
                continue;
            }
            Op::EnterFinally { target } => {
                control.push_completion(CompletionKind::Resume { pc: pc as u32 });
                pc = target as usize;
                continue;
            }
            Op::EnterFinallyWith { value, target } => {
                let in_flight = Slot::nil(ROOTS);
                in_flight.take_from(registers.slot(value));
                control.push_completion(CompletionKind::ResumeWith {
                    pc: pc as u32,
                    register: value,
                    value: in_flight,
                });
                pc = target as usize;
                continue;
            }
            Op::EndFinally => match control.completions.pop().map(|ended| ended.kind) {
                Some(CompletionKind::Resume { pc: behind }) => {
                    pc = behind as usize;
                    continue;
                }
                Some(CompletionKind::ResumeWith {
                    pc: behind,
                    register,
                    value,
                }) => {
                    registers.slot(register).take_from(&value);
                    pc = behind as usize;
                    continue;
                }
                Some(CompletionKind::Throw {
                    value,
                    trace: taken,
                }) => {
                    trace = Some(taken);
                    Stop::Throw(m.load_root(&value))
                }
                None => unreachable!("verified code has a completion here"),
            },
            Op::DropCompletion => {
                control.completions.pop();
                continue;
            }

            Op::Spawn { base, argc } | Op::SpawnDetached { base, argc } => {
                let detached = matches!(op, Op::SpawnDetached { .. });
                match cx.safepoint(safepoint!()) {
                    Ok(()) => match here!().spawn(registers, &control.scopes, base, argc, detached)
                    {
                        Stop::End(end) => {
                            control.top().pc = pc as u32;
                            let register = base;
                            return Ended {
                                takes: Takes::Future { register, detached },
                                ..ended!(end)
                            };
                        }
                        stop => stop,
                    },
                    Err(stop) => stop,
                }
            }
            // B-63: the finished future is looked at first.
            Op::Await { dst, src } if cx.prefers_value(get!(src)) => {
                make!(dst, cx.awaited(get!(src)))
            }
            Op::Await { dst, src } => match check_wait!() {
                Ok(()) => make!(dst, cx.awaited(get!(src))),
                Err(stop) => stop,
            },
            Op::Cancel { src } => cx.cancel(get!(src)),

            Op::PushGuard { src } => match check_wait!() {
                Ok(()) => done!(cx.push_guard(get!(src), control, effects)),
                Err(stop) => stop,
            },
            Op::PushDeadline { src } => {
                let ms = m.as_int(get!(src)).and_then(|ms| u64::try_from(ms).ok());
                match ms {
                    Some(ms) => {
                        control.push_deadline(cx.now_ms.saturating_add(ms));
                        continue;
                    }
                    None => ErrorKind::TypeError.into(),
                }
            }
            Op::PushSquad { dst } => match cx.safepoint(safepoint!()) {
                Ok(()) => match here!().m.array(&[]) {
                    Ok(children) => {
                        set!(dst, children);
                        let slot = Slot::nil(ROOTS);
                        m.store(&slot, children);
                        control.push_squad(slot);
                        continue;
                    }
                    Err(needs) => needs.into(),
                },
                Err(stop) => stop,
            },
            Op::PopScope => {
                control.pop_scope(cx, effects);
                continue;
            }
            Op::JoinSquad { squad } => match check_wait!() {
                Ok(()) => done!(cx.join_squad(get!(squad), effects)),
                Err(stop) => stop,
            },
            Op::DrainSquad { squad } => {
                done!(cx.drain_squad(get!(squad), &mut control.scopes, effects))
            }
        };

        // Nothing of an instruction that stopped has happened yet, but of one that ended.
        let thrown = match stop {
            Stop::End(end) => {
                control.top().pc = pc as u32;
                return ended!(end);
            }
            Stop::Throw(value) => Ok(value),
            Stop::Raise(kind, payload) => {
                let registers = control.registers::<C>();
                match here!().raised(kind, payload, op, registers) {
                    Ok(error) => Ok(error),
                    Err(NeedsMemory { words }) => Err(SliceEnd::NeedsMemory { words }),
                }
            }
            Stop::NeedsMemory(NeedsMemory { words }) => Err(SliceEnd::NeedsMemory { words }),
            Stop::Safepoint => Err(SliceEnd::Safepoint),
            Stop::Unfinished => Err(SliceEnd::Fuel),
            Stop::Wait(end) => {
                control.top().pc = pc as u32 - 1;
                return ended!(end);
            }
        };
        control.top().pc = pc as u32 - 1;
        let end = match thrown {
            Ok(value) => {
                let failed = cx.failed_future(op, control.registers::<C>(), value);
                effects.seen.extend(failed);
                let mut thrown = Thrown {
                    value,
                    trace,
                    failed,
                };
                match control.throw(&here!(), effects, &mut thrown) {
                    Ok(Unwound::GoOn) => {
                        reload!();
                        continue;
                    }
                    Ok(Unwound::HandlerEnded) if control.operation.is_none() => {
                        reload!();
                        continue;
                    }
                    Ok(Unwound::HandlerEnded) => return ended!(SliceEnd::Resume),
                    Ok(Unwound::Uncaught) => return ended!(SliceEnd::Threw),
                    Err(NeedsMemory { words }) => {
                        // The end of a `finally` block has taken its completion already.
                        if let Some(trace) = thrown.trace {
                            let slot = Slot::nil(ROOTS);
                            m.store(&slot, value);
                            let value = slot;
                            control.push_completion(CompletionKind::Throw { value, trace });
                        }
                        SliceEnd::NeedsMemory { words }
                    }
                }
            }
            Err(end) => end,
        };
        left += 1;
        return ended!(end);
    }
}

/// How much of `left` the hot loop must not use, because a step's instructions are spent
/// before.
fn held_back(control: &Control, fuel: u32, left: u32, executed_before: u64) -> u32 {
    if control.scopes.instructions_end == u64::MAX {
        return 0;
    }
    // B-73: a slice of one instruction does not look at budgets.
    if fuel == 1 && seeded_bugs::is_on(Bug::B73) {
        seeded_bugs::note_triggered(Bug::B73);
        return 0;
    }
    let executed = executed_before + u64::from(fuel - left);
    let allowed = control.scopes.instructions_end.saturating_sub(executed);
    u64::from(left).saturating_sub(allowed) as u32
}

/// What the machine stands at when `end` ends a built-in.
fn operation(end: SliceEnd, base: Reg) -> Option<Operation> {
    match end {
        SliceEnd::Sleep { .. } => Some(Operation { result: None }),
        SliceEnd::Host => Some(Operation { result: Some(base) }),
        _ => None,
    }
}

/// Whether what follows instruction `pc` returns, perhaps out of more handlers.
fn returns(function: &Function, pc: usize) -> bool {
    let behind = function.code.get(pc..).unwrap_or_default();
    let next = behind.iter().find(|op| !matches!(op, Op::PopHandler));
    matches!(next, Some(Op::Return { .. }))
}
