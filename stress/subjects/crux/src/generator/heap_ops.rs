//! Draws heap programs.
//!
//! Registers are split: the lower half holds what lives long (and so gets old), the upper
//! half is scratch. While it draws, the generator follows which register holds which kind
//! as far as it can know, so that most operands fit.

use gcrucible_heap::CollectionKind;

use super::heap_modes::{draw_faults, draw_heap};
use super::{Mix, origin};
use crate::scenario::{Body, HeapOp, HeapOps, Scenario};
use gcrucible_explore::{Schedule, StrategyName};
use gcrucible_scenario::ScenarioSeed;
use gcrucible_scenario::text::FORMAT;
use gcrucible_trace::choices::Choices;

/// What a register holds, as far as the generator knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Unknown,
    Immediate,
    String,
    Array,
    Map,
    Instance,
    Enum,
    Cell,
    Closure,
    Bound,
    Iterator,
    Error,
    Unscheduled,
    Future,
    Channel,
    Mutex,
    Stream,
    Weak,
}

/// The operations, as the swarm turns them on and off.
#[derive(Clone, Copy, Debug)]
#[repr(usize)]
enum Topic {
    SwitchHolder,
    Immediate,
    BigInt,
    String,
    Array,
    Map,
    Instance,
    Enum,
    Cell,
    Closure,
    Bound,
    Iterator,
    Error,
    Unscheduled,
    FutureCreate,
    FutureComplete,
    ArrayOf,
    Intern,
    Channel,
    Send,
    Receive,
    Close,
    Mutex,
    Guard,
    Stream,
    UseStream,
    Weak,
    Target,
    Finalizer,
    Finalize,
    Copy,
    Clear,
    Load,
    StoreField,
    StoreElement,
    Push,
    Insert,
    Remove,
    Extend,
    Fill,
    Reverse,
    Slice,
    RemoveAll,
    MapSetMany,
    MapSet,
    MapGet,
    MapRemove,
    DeepCopy,
    DeepEquals,
    Protect,
    Unprotect,
    Reprotect,
    ProtectCopy,
    LargeObject,
    Walk,
    NearlyEqual,
    OldArray,
    Queue,
    Aged,
    BroughtBack,
    Minor,
    Major,
}

/// Topics with their weights. Those of allocation, stores and collection are never turned
/// off all together: see [`swarm`].
const WEIGHTS: [(Topic, u32); 62] = [
    (Topic::SwitchHolder, 5),
    (Topic::Immediate, 3),
    (Topic::BigInt, 3),
    (Topic::String, 6),
    (Topic::Array, 6),
    (Topic::Map, 5),
    (Topic::Instance, 8),
    (Topic::Enum, 5),
    (Topic::Cell, 5),
    (Topic::Closure, 5),
    (Topic::Bound, 4),
    (Topic::Iterator, 3),
    (Topic::Error, 3),
    (Topic::Unscheduled, 4),
    (Topic::FutureCreate, 5),
    (Topic::FutureComplete, 5),
    (Topic::ArrayOf, 4),
    (Topic::Intern, 4),
    (Topic::Channel, 3),
    (Topic::Send, 6),
    (Topic::Receive, 3),
    (Topic::Close, 1),
    (Topic::Mutex, 2),
    (Topic::Guard, 3),
    (Topic::Stream, 2),
    (Topic::UseStream, 2),
    (Topic::Weak, 4),
    (Topic::Target, 3),
    (Topic::Finalizer, 4),
    (Topic::Finalize, 2),
    (Topic::Copy, 3),
    (Topic::Clear, 4),
    (Topic::Load, 10),
    (Topic::StoreField, 10),
    (Topic::StoreElement, 8),
    (Topic::Push, 8),
    (Topic::Insert, 4),
    (Topic::Remove, 2),
    (Topic::Extend, 3),
    (Topic::Fill, 3),
    (Topic::Reverse, 3),
    (Topic::Slice, 2),
    (Topic::RemoveAll, 1),
    (Topic::MapSetMany, 3),
    (Topic::MapSet, 8),
    (Topic::MapGet, 4),
    (Topic::MapRemove, 2),
    (Topic::DeepCopy, 2),
    (Topic::DeepEquals, 1),
    (Topic::Protect, 3),
    (Topic::Unprotect, 2),
    (Topic::Reprotect, 2),
    (Topic::ProtectCopy, 2),
    (Topic::LargeObject, 2),
    (Topic::Walk, 5),
    (Topic::NearlyEqual, 2),
    (Topic::OldArray, 1),
    (Topic::Queue, 1),
    (Topic::Aged, 1),
    (Topic::BroughtBack, 1),
    (Topic::Minor, 4),
    (Topic::Major, 1),
];

/// Draws a scenario of the lane. The operations are their own schedule, so that of the
/// scenario stays empty.
pub fn generate<C: Choices>(choices: &mut C, seed: Option<ScenarioSeed>, mix: &Mix) -> Scenario {
    let (heap, debug) = draw_heap(choices, mix.modes.as_deref());
    let body = Body::HeapOps(draw(choices));
    let faults = draw_faults(choices);
    Scenario {
        format: FORMAT,
        origin: origin(seed),
        heap,
        debug,
        schedule: Schedule::Drawn {
            strategy: mix.strategy.unwrap_or(StrategyName::Random),
            seed: 0,
        },
        faults,
        body,
    }
}

/// Draws a heap program.
pub fn draw<C: Choices>(choices: &mut C) -> HeapOps {
    // Small first: a third of the programs has a handful of operations.
    let size = match choices.below(6) {
        0 => choices.within(4, 24),
        1 => choices.within(20, 80),
        2 | 3 => choices.within(80, 160),
        4 => choices.within(120, 240),
        _ => choices.within(200, 400),
    };
    let holders = choices.within(1, 3) as u8;
    let registers = choices.within(4, 12) as u8;
    let weights = swarm(choices);
    let mut drawer = Drawer {
        held: vec![Held::Immediate; usize::from(holders) * usize::from(registers)],
        holder: 0,
        holders,
        registers,
        handles: 0,
        ops: Vec::with_capacity(size as usize + 4),
    };
    // As `Choices::weighted` does it, with the sums made once: a program draws hundreds.
    let mut sum = 0;
    let sums = weights.map(|weight| {
        sum += weight;
        sum
    });
    while drawer.ops.len() < size as usize {
        let drawn = choices.below(sum);
        let topic = WEIGHTS[sums.partition_point(|&sum| sum <= drawn)].0;
        drawer.draw(choices, topic);
    }
    HeapOps {
        holders,
        registers,
        ops: drawer.ops,
    }
}

/// Turns a random subset of the topics off (Groce et al., ISSTA 2012), and some of the
/// others up.
fn swarm<C: Choices>(choices: &mut C) -> [u32; WEIGHTS.len()] {
    let mut weights = [0; WEIGHTS.len()];
    for (weight, (topic, usual)) in weights.iter_mut().zip(WEIGHTS) {
        *weight = match choices.below(8) {
            0 | 1 if !is_needed(topic) => 0,
            2 => usual * 3,
            _ => usual,
        };
    }
    weights
}

/// Without these nothing would be allocated or collected.
fn is_needed(topic: Topic) -> bool {
    matches!(
        topic,
        Topic::Instance | Topic::StoreField | Topic::Load | Topic::Minor
    )
}

struct Drawer {
    held: Vec<Held>,
    holder: u8,
    holders: u8,
    registers: u8,
    handles: u8,
    ops: Vec<HeapOp>,
}

impl Drawer {
    fn held(&self, register: u8) -> Held {
        self.held[usize::from(self.holder) * usize::from(self.registers) + usize::from(register)]
    }

    fn hold(&mut self, register: u8, held: Held) {
        let at = usize::from(self.holder) * usize::from(self.registers) + usize::from(register);
        self.held[at] = held;
    }

    /// A register to write: mostly scratch, so that what the lower half holds gets old.
    fn dst<C: Choices>(&self, choices: &mut C) -> u8 {
        let half = self.registers / 2;
        if choices.chance(3, 4) {
            half + choices.below(u32::from(self.registers - half)) as u8
        } else {
            choices.below(u32::from(self.registers)) as u8
        }
    }

    fn any<C: Choices>(&self, choices: &mut C) -> u8 {
        choices.below(u32::from(self.registers)) as u8
    }

    /// A register that holds what `fits`, if there is one: the search starts anywhere.
    fn with<C: Choices>(&self, choices: &mut C, fits: impl Fn(Held) -> bool) -> u8 {
        let start = self.any(choices);
        (0..self.registers)
            .map(|step| (start + step) % self.registers)
            .find(|&register| fits(self.held(register)))
            .unwrap_or(start)
    }

    fn object<C: Choices>(&self, choices: &mut C) -> u8 {
        self.with(choices, |held| {
            !matches!(held, Held::Immediate | Held::String)
        })
    }

    /// After a reference was stored somewhere: often drop it from its register, so that
    /// the object lives through that place alone.
    fn maybe_forget<C: Choices>(&mut self, choices: &mut C, src: u8) {
        if choices.chance(2, 5) {
            self.ops.push(HeapOp::Clear(src));
            self.hold(src, Held::Immediate);
        }
    }

    fn draw<C: Choices>(&mut self, choices: &mut C, topic: Topic) {
        let dst = self.dst(choices);
        match topic {
            Topic::SwitchHolder => {
                self.holder = choices.below(u32::from(self.holders)) as u8;
                self.ops.push(HeapOp::SwitchHolder(self.holder));
            }
            Topic::Immediate => {
                self.new_value(
                    HeapOp::Immediate(dst, self.small(choices)),
                    dst,
                    Held::Immediate,
                );
            }
            Topic::BigInt => {
                self.new_value(
                    HeapOp::BigInt(dst, self.small(choices)),
                    dst,
                    Held::Immediate,
                );
            }
            Topic::String => {
                let len = if choices.chance(1, 16) {
                    choices.below(256)
                } else {
                    choices.below(24)
                };
                self.new_value(HeapOp::String(dst, len as u8), dst, Held::String);
            }
            Topic::Array => {
                let capacity = if choices.chance(1, 16) {
                    choices.below(256)
                } else {
                    choices.below(6)
                };
                self.new_value(HeapOp::Array(dst, capacity as u8), dst, Held::Array);
            }
            Topic::Map => self.new_value(HeapOp::Map(dst), dst, Held::Map),
            Topic::Instance => {
                let fields = choices.within(1, 6) as u8;
                self.new_value(HeapOp::Instance(dst, fields), dst, Held::Instance);
            }
            Topic::Enum => {
                let op = HeapOp::Enum(dst, self.any(choices), self.object(choices));
                self.new_value(op, dst, Held::Enum);
            }
            Topic::Cell => {
                let op = HeapOp::Cell(dst, self.any(choices));
                self.new_value(op, dst, Held::Cell);
            }
            Topic::Closure => {
                let first = self.with(choices, |held| held == Held::Cell);
                let second = self.with(choices, |held| held == Held::Cell);
                self.new_value(HeapOp::Closure(dst, first, second), dst, Held::Closure);
            }
            Topic::Bound => {
                let function = self.with(choices, |held| held == Held::Closure);
                let op = HeapOp::Bound(dst, self.object(choices), function);
                self.new_value(op, dst, Held::Bound);
            }
            Topic::Iterator => {
                let source = self.with(choices, |held| matches!(held, Held::Array | Held::Map));
                self.new_value(HeapOp::Iterator(dst, source), dst, Held::Iterator);
            }
            Topic::Error => {
                let op = HeapOp::Error(dst, self.object(choices));
                self.new_value(op, dst, Held::Error);
            }
            Topic::Unscheduled => {
                let callee = self.with(choices, |held| held == Held::Closure);
                let op = HeapOp::Unscheduled(dst, callee, self.object(choices));
                self.new_value(op, dst, Held::Unscheduled);
            }
            Topic::ArrayOf => {
                // A few reach the size of large objects, or more.
                let n = match choices.below(8) {
                    0 => choices.below(256),
                    1 | 2 => choices.below(32),
                    _ => choices.below(6),
                };
                let op = HeapOp::ArrayOf(dst, n as u8, self.any(choices));
                self.new_value(op, dst, Held::Array);
            }
            Topic::Intern => {
                let op = HeapOp::Intern(dst, choices.below(16) as u8);
                self.new_value(op, dst, Held::String);
            }
            Topic::Channel => {
                let capacity = choices.within(1, 12) as u8;
                self.new_value(HeapOp::Channel(dst, capacity), dst, Held::Channel);
            }
            Topic::Send => {
                let channel = self.with(choices, |held| held == Held::Channel);
                let src = self.any(choices);
                self.ops.push(HeapOp::Send(channel, src));
                self.maybe_forget(choices, src);
            }
            Topic::Receive => {
                let channel = self.with(choices, |held| held == Held::Channel);
                self.new_value(HeapOp::Receive(dst, channel), dst, Held::Unknown);
            }
            Topic::Close => {
                let channel = self.with(choices, |held| held == Held::Channel);
                self.ops.push(HeapOp::Close(channel));
            }
            Topic::Mutex => self.new_value(HeapOp::Mutex(dst), dst, Held::Mutex),
            Topic::Guard => {
                let mutex = self.with(choices, |held| held == Held::Mutex);
                self.ops.push(if choices.chance(1, 2) {
                    HeapOp::Acquire(mutex)
                } else {
                    HeapOp::Release(mutex)
                });
            }
            Topic::Stream => {
                let op = HeapOp::Stream(dst, self.object(choices));
                self.new_value(op, dst, Held::Stream);
            }
            Topic::UseStream => {
                let stream = self.with(choices, |held| held == Held::Stream);
                self.ops.push(if choices.chance(2, 3) {
                    HeapOp::Take(stream)
                } else {
                    HeapOp::End(stream)
                });
            }
            Topic::Weak => {
                let src = self.object(choices);
                self.new_value(HeapOp::Weak(dst, src), dst, Held::Weak);
                if src != dst {
                    self.maybe_forget(choices, src);
                }
            }
            Topic::Target => {
                let weak = self.with(choices, |held| held == Held::Weak);
                self.new_value(HeapOp::Target(dst, weak), dst, Held::Unknown);
            }
            Topic::Finalizer => {
                let (object, function) = (self.object(choices), self.any(choices));
                self.ops.push(HeapOp::Finalizer(object, function));
                // What stays rooted is never finalized.
                self.maybe_forget(choices, object);
            }
            Topic::Finalize => self.new_value(HeapOp::Finalize(dst), dst, Held::Unknown),
            Topic::FutureCreate => self.new_value(HeapOp::FutureCreate(dst), dst, Held::Future),
            Topic::FutureComplete => {
                let future = self.with(choices, |held| held == Held::Future);
                let value = self.any(choices);
                self.ops.push(HeapOp::FutureComplete(future, value));
                self.maybe_forget(choices, value);
            }
            Topic::Copy => {
                let src = self.any(choices);
                let held = self.held(src);
                self.new_value(HeapOp::Copy(dst, src), dst, held);
            }
            Topic::Clear => self.new_value(HeapOp::Clear(dst), dst, Held::Immediate),
            Topic::Load => {
                let op = HeapOp::Load(dst, self.object(choices), self.place(choices));
                self.new_value(op, dst, Held::Unknown);
            }
            Topic::StoreField => {
                let object = self.with(choices, |h| matches!(h, Held::Instance | Held::Cell));
                let src = self.any(choices);
                self.ops
                    .push(HeapOp::StoreField(object, self.place(choices), src));
                self.maybe_forget(choices, src);
            }
            Topic::StoreElement => {
                let array = self.with(choices, |held| held == Held::Array);
                let src = self.any(choices);
                self.ops
                    .push(HeapOp::StoreElement(array, self.place(choices), src));
                self.maybe_forget(choices, src);
            }
            Topic::Push => {
                let array = self.with(choices, |held| held == Held::Array);
                let src = self.any(choices);
                for _ in 0..=choices.below(3) {
                    self.ops.push(HeapOp::Push(array, src));
                }
                self.maybe_forget(choices, src);
            }
            Topic::Insert => {
                let array = self.with(choices, |held| held == Held::Array);
                let src = self.any(choices);
                self.ops
                    .push(HeapOp::Insert(array, self.place(choices), src));
                self.maybe_forget(choices, src);
            }
            Topic::Remove => {
                let array = self.with(choices, |held| held == Held::Array);
                self.ops.push(HeapOp::Remove(array, self.place(choices)));
            }
            Topic::Extend => {
                let array = self.with(choices, |held| held == Held::Array);
                let other = self.with(choices, |held| held == Held::Array);
                self.ops.push(HeapOp::Extend(array, other));
                if other != array {
                    self.maybe_forget(choices, other);
                }
            }
            Topic::Fill => {
                let array = self.with(choices, |held| held == Held::Array);
                let src = self.any(choices);
                self.ops.push(HeapOp::Fill(array, src));
                if src != array {
                    self.maybe_forget(choices, src);
                }
            }
            Topic::Reverse => {
                let array = self.with(choices, |held| held == Held::Array);
                self.ops.push(HeapOp::Reverse(array));
            }
            Topic::Slice => {
                let array = self.with(choices, |held| held == Held::Array);
                let op = HeapOp::Slice(dst, array, self.place(choices));
                self.new_value(op, dst, Held::Array);
            }
            Topic::RemoveAll => {
                let object = self.with(choices, |h| matches!(h, Held::Array | Held::Map));
                self.ops.push(HeapOp::RemoveAll(object));
            }
            Topic::MapSetMany => {
                let map = self.with(choices, |held| held == Held::Map);
                let src = self.any(choices);
                self.ops
                    .push(HeapOp::MapSetMany(map, choices.below(32) as u8, src));
                if src != map {
                    self.maybe_forget(choices, src);
                }
            }
            Topic::MapSet => {
                let map = self.with(choices, |held| held == Held::Map);
                let (key, value) = (self.any(choices), self.any(choices));
                self.ops.push(HeapOp::MapSet(map, key, value));
                self.maybe_forget(choices, value);
            }
            Topic::MapGet => {
                let map = self.with(choices, |held| held == Held::Map);
                let op = HeapOp::MapGet(dst, map, self.any(choices));
                self.new_value(op, dst, Held::Unknown);
            }
            Topic::MapRemove => {
                let map = self.with(choices, |held| held == Held::Map);
                self.ops.push(HeapOp::MapRemove(map, self.any(choices)));
            }
            Topic::DeepCopy => {
                let src = self.object(choices);
                let held = self.held(src);
                self.new_value(HeapOp::DeepCopy(dst, src), dst, held);
                if choices.chance(1, 4) {
                    self.change(choices, dst);
                }
                if choices.chance(1, 2) {
                    self.ops.push(HeapOp::DeepEquals(src, dst));
                }
            }
            Topic::DeepEquals => {
                let op = HeapOp::DeepEquals(self.any(choices), self.any(choices));
                self.ops.push(op);
            }
            Topic::Protect => {
                let src = self.object(choices);
                self.ops.push(HeapOp::Protect(src));
                self.handles = self.handles.saturating_add(1);
                self.maybe_forget(choices, src);
            }
            Topic::Unprotect => {
                if self.handles > 0 {
                    self.ops.push(HeapOp::Unprotect(choices.below(8) as u8));
                    self.handles -= 1;
                }
            }
            Topic::Reprotect => {
                let src = self.object(choices);
                let nth = choices.below(8) as u8;
                self.ops.push(HeapOp::Reprotect(nth, src));
                self.maybe_forget(choices, src);
            }
            Topic::ProtectCopy => {
                self.ops.push(HeapOp::ProtectCopy(choices.below(8) as u8));
                self.handles = self.handles.saturating_add(u8::from(self.handles > 0));
            }
            Topic::LargeObject => self.large_object(choices, dst),
            Topic::Walk => self.walk(choices, dst),
            Topic::NearlyEqual => self.nearly_equal(choices),
            Topic::OldArray => self.old_array(choices, dst),
            Topic::Queue => self.queue(choices),
            Topic::Aged => self.aged(choices, dst),
            Topic::BroughtBack => self.brought_back(choices, dst),
            Topic::Minor => self.ops.push(HeapOp::Collect(CollectionKind::Minor)),
            Topic::Major => self.ops.push(HeapOp::Collect(CollectionKind::Major)),
        }
    }

    /// A place in a container: mostly one of the first, now and then any.
    fn place<C: Choices>(&self, choices: &mut C) -> u8 {
        let most = if choices.chance(1, 6) { 256 } else { 8 };
        choices.below(most) as u8
    }

    /// The register that comes so many after another one.
    fn after(&self, register: u8, steps: u8) -> u8 {
        (register + steps) % self.registers
    }

    /// An object with blocks of its own that little leads to: a weak reference, a finalizer, an
    /// old object.
    fn large_object<C: Choices>(&mut self, choices: &mut C, dst: u8) {
        let more = choices.below(256) as u8;
        self.new_value(HeapOp::LargeInstance(dst, more), dst, Held::Instance);
        let other = self.after(dst, 1);
        match choices.below(4) {
            0 => self.new_value(HeapOp::Weak(other, dst), other, Held::Weak),
            1 => self.ops.push(HeapOp::Finalizer(dst, self.any(choices))),
            2 => {
                let holder = self.with(choices, |held| held == Held::Instance);
                self.ops
                    .push(HeapOp::StoreField(holder, choices.below(6) as u8, dst));
            }
            _ => {}
        }
        if choices.chance(1, 2) {
            let src = self.object(choices);
            self.ops
                .push(HeapOp::StoreField(dst, self.place(choices), src));
        }
        self.maybe_forget(choices, dst);
    }

    /// Steps of a walk over an array or map, which changes between them.
    fn walk<C: Choices>(&mut self, choices: &mut C, dst: u8) {
        if choices.chance(1, 6) {
            return self.walk_over_rebuilt(choices, dst);
        }
        let iterator = self.with(choices, |held| held == Held::Iterator);
        if self.held(iterator) != Held::Iterator || choices.chance(1, 4) {
            let source = self.with(choices, |held| matches!(held, Held::Array | Held::Map));
            self.new_value(HeapOp::Iterator(dst, source), dst, Held::Iterator);
            return;
        }
        let value = self.after(iterator, 1 + choices.below(2) as u8);
        for _ in 0..choices.within(1, 3) {
            self.new_value(HeapOp::Next(value, iterator), value, Held::Unknown);
            if choices.chance(1, 3) {
                let container = self.with(choices, |held| matches!(held, Held::Array | Held::Map));
                self.change(choices, container);
            }
        }
    }

    /// A walk over a map that loses entries, some of them passed already, and grows until its storage is
    /// another one.
    fn walk_over_rebuilt<C: Choices>(&mut self, choices: &mut C, dst: u8) {
        let [iterator, scratch] = [1, 2].map(|steps| self.after(dst, steps));
        let value = self.any(choices);
        self.new_value(HeapOp::Map(dst), dst, Held::Map);
        let few = choices.within(4, 12) as u8;
        self.ops.push(HeapOp::MapSetMany(dst, few, value));
        self.new_value(HeapOp::Iterator(iterator, dst), iterator, Held::Iterator);
        let steps = |drawer: &mut Self, count: u32| {
            for _ in 0..count {
                drawer.new_value(HeapOp::Next(scratch, iterator), scratch, Held::Unknown);
            }
        };
        steps(self, choices.within(1, 6));
        for _ in 0..choices.within(1, 3) {
            // Of these immediates every fourth is an int.
            let key = 2 + 4 * choices.below(3) as i16;
            self.new_value(HeapOp::Immediate(scratch, key), scratch, Held::Immediate);
            self.ops.push(HeapOp::MapRemove(dst, scratch));
        }
        let many = choices.within(8, 31) as u8;
        self.ops.push(HeapOp::MapSetMany(dst, many, value));
        steps(self, choices.within(1, 6));
    }

    /// Changes what a register holds a little, whatever that is.
    fn change<C: Choices>(&mut self, choices: &mut C, register: u8) {
        let src = self.any(choices);
        let op = match self.held(register) {
            Held::Array => match choices.below(4) {
                0 => HeapOp::Push(register, src),
                1 => HeapOp::Remove(register, self.place(choices)),
                2 => HeapOp::Insert(register, self.place(choices), src),
                _ => HeapOp::StoreElement(register, self.place(choices), src),
            },
            Held::Map => match choices.below(6) {
                0 => HeapOp::RemoveAll(register),
                1 | 2 => HeapOp::MapRemove(register, src),
                3 => HeapOp::MapSetMany(register, choices.below(32) as u8, src),
                _ => HeapOp::MapSet(register, src, self.any(choices)),
            },
            _ => HeapOp::StoreField(register, self.place(choices), src),
        };
        self.ops.push(op);
    }

    /// Two graphs that differ in one thing, or in none: who shares what, one part, the class of
    /// an object, the key of a map.
    fn nearly_equal<C: Choices>(&mut self, choices: &mut C) {
        let part = self.object(choices);
        let [whole, copy, scratch] = [1, 2, 3].map(|steps| self.after(part, steps));
        match choices.below(4) {
            0 => {
                // Even and odd registers make different ones.
                self.new_value(HeapOp::Enum(whole, part, part), whole, Held::Enum);
                self.new_value(HeapOp::Enum(copy, part, part), copy, Held::Enum);
            }
            1 => {
                self.new_value(HeapOp::Map(whole), whole, Held::Map);
                self.new_value(HeapOp::Map(copy), copy, Held::Map);
                let keys = [self.small(choices), self.small(choices)];
                let is_same = choices.chance(1, 3);
                for (map, key) in [(whole, keys[0]), (copy, keys[usize::from(!is_same)])] {
                    let key = HeapOp::Immediate(scratch, key);
                    self.new_value(key, scratch, Held::Immediate);
                    self.ops.push(HeapOp::MapSet(map, scratch, part));
                }
            }
            _ => {
                self.new_value(HeapOp::Instance(whole, 3), whole, Held::Instance);
                self.ops.push(HeapOp::StoreField(whole, 0, part));
                self.ops.push(HeapOp::StoreField(whole, 1, part));
                self.new_value(HeapOp::DeepCopy(copy, whole), copy, Held::Instance);
                self.new_value(HeapOp::Load(scratch, copy, 1), scratch, Held::Unknown);
                if choices.chance(1, 2) {
                    let unshared = HeapOp::DeepCopy(scratch, scratch);
                    self.new_value(unshared, scratch, self.held(part));
                    self.ops.push(HeapOp::StoreField(copy, 1, scratch));
                } else {
                    self.hold(scratch, self.held(part));
                    self.change(choices, scratch);
                }
            }
        }
        self.ops.push(HeapOp::DeepEquals(whole, copy));
        self.ops.push(HeapOp::DeepEquals(copy, whole));
    }

    /// An array over several cards that is old when young objects are put everywhere in it.
    fn old_array<C: Choices>(&mut self, choices: &mut C, dst: u8) {
        let n = choices.within(8, 255) as u8;
        let op = HeapOp::ArrayOf(dst, n, self.any(choices));
        self.new_value(op, dst, Held::Array);
        for _ in 0..2 {
            self.ops.push(HeapOp::Collect(CollectionKind::Minor));
        }
        let young = self.after(dst, 1);
        self.new_value(HeapOp::Instance(young, 1), young, Held::Instance);
        match choices.below(4) {
            0 => self.ops.push(HeapOp::Fill(dst, young)),
            1 => {
                self.ops
                    .push(HeapOp::StoreElement(dst, choices.below(256) as u8, young));
                self.ops.push(HeapOp::Reverse(dst));
            }
            _ => {
                for _ in 0..choices.within(1, 4) {
                    self.ops
                        .push(HeapOp::StoreElement(dst, choices.below(256) as u8, young));
                }
            }
        }
        self.maybe_forget(choices, young);
        self.ops.push(HeapOp::Collect(CollectionKind::Minor));
    }

    /// Something with room that is old when a young object is put into it, in one of the ways that there
    /// are, and is all that leads to it.
    fn aged<C: Choices>(&mut self, choices: &mut C, dst: u8) {
        let [young, run] = [1, 2].map(|steps| self.after(dst, steps));
        let room = choices.within(2, 16) as u8;
        let kind = [
            Held::Array,
            Held::Map,
            Held::Channel,
            Held::Instance,
            Held::Cell,
            Held::Future,
        ][choices.weighted(&[4, 2, 2, 1, 1, 1])];
        // What is in it already.
        self.new_value(HeapOp::Immediate(young, 0), young, Held::Immediate);
        let (made, filled) = match kind {
            Held::Array => (HeapOp::Array(dst, room), Some(HeapOp::Push(dst, young))),
            Held::Map => (HeapOp::Map(dst), Some(HeapOp::MapSetMany(dst, room, young))),
            Held::Channel => (HeapOp::Channel(dst, room), Some(HeapOp::Send(dst, young))),
            Held::Instance => (HeapOp::Instance(dst, room), None),
            Held::Cell => (HeapOp::Cell(dst, young), None),
            _ => (HeapOp::FutureCreate(dst), None),
        };
        self.new_value(made, dst, kind);
        self.ops.extend(filled);
        for _ in 0..2 {
            self.ops.push(HeapOp::Collect(CollectionKind::Minor));
        }
        self.new_value(HeapOp::Instance(young, 1), young, Held::Instance);
        let place = self.place(choices);
        let put = match (kind, choices.below(3)) {
            (Held::Array, 0) => HeapOp::Push(dst, young),
            (Held::Array, 1) => HeapOp::Insert(dst, place, young),
            (Held::Array, _) => {
                let some = HeapOp::ArrayOf(run, choices.within(1, 6) as u8, young);
                self.new_value(some, run, Held::Array);
                HeapOp::Extend(dst, run)
            }
            (Held::Map, 0) => HeapOp::MapSetMany(dst, place % 16, young),
            (Held::Map, 1) => HeapOp::MapSet(dst, young, dst),
            (Held::Map, _) => HeapOp::MapSet(dst, dst, young),
            (Held::Channel, _) => HeapOp::Send(dst, young),
            (Held::Instance | Held::Cell, _) => HeapOp::StoreField(dst, place, young),
            _ => HeapOp::FutureComplete(dst, young),
        };
        self.ops.push(put);
        if let HeapOp::Extend(_, run) = put {
            self.new_value(HeapOp::Clear(run), run, Held::Immediate);
        }
        self.new_value(HeapOp::Clear(young), young, Held::Immediate);
        self.ops.push(HeapOp::Collect(CollectionKind::Minor));
    }

    /// What nothing leads to any more but a finalizer: an object, a weak reference in it, and its target,
    /// which the object leads to as well, or does not.
    fn brought_back<C: Choices>(&mut self, choices: &mut C, dst: u8) {
        let [target, weak, function] = [1, 2, 3].map(|steps| self.after(dst, steps));
        self.new_value(HeapOp::Instance(target, 1), target, Held::Instance);
        self.new_value(HeapOp::Weak(weak, target), weak, Held::Weak);
        self.new_value(HeapOp::Instance(dst, 2), dst, Held::Instance);
        self.ops.push(HeapOp::StoreField(dst, 0, weak));
        if choices.chance(2, 3) {
            self.ops.push(HeapOp::StoreField(dst, 1, target));
        }
        if choices.chance(1, 3) {
            self.ops.push(HeapOp::Collect(CollectionKind::Minor));
        }
        self.ops.push(HeapOp::Finalizer(dst, function));
        for register in [dst, weak, target] {
            if register == target && choices.chance(1, 6) {
                continue;
            }
            self.new_value(HeapOp::Clear(register), register, Held::Immediate);
        }
        let kind = match choices.chance(1, 2) {
            true => CollectionKind::Major,
            false => CollectionKind::Minor,
        };
        self.ops.push(HeapOp::Collect(kind));
        if choices.chance(2, 3) {
            self.new_value(HeapOp::Finalize(dst), dst, Held::Instance);
            self.new_value(HeapOp::Load(weak, dst, 0), weak, Held::Weak);
            self.new_value(HeapOp::Target(target, weak), target, Held::Unknown);
        }
    }

    /// An array or channel that is used as a queue: values come at one end and go at the other,
    /// and it grows when it does not begin at its first place.
    fn queue<C: Choices>(&mut self, choices: &mut C) {
        let src = self.any(choices);
        if choices.chance(1, 2) {
            let channel = self.with(choices, |held| held == Held::Channel);
            let dst = self.after(channel, 1);
            for _ in 0..choices.within(6, 14) {
                self.ops.push(HeapOp::Send(channel, src));
                if choices.chance(1, 3) {
                    let receive = HeapOp::Receive(dst, channel);
                    self.new_value(receive, dst, Held::Unknown);
                }
            }
            return;
        }
        let array = self.with(choices, |held| held == Held::Array);
        for _ in 0..choices.within(4, 16) {
            self.ops.push(HeapOp::Push(array, src));
            if choices.chance(3, 4) {
                self.ops.push(HeapOp::Remove(array, 0));
            }
        }
    }

    fn new_value(&mut self, op: HeapOp, dst: u8, held: Held) {
        self.ops.push(op);
        self.hold(dst, held);
    }

    fn small<C: Choices>(&self, choices: &mut C) -> i16 {
        choices.below(1 << 16) as u16 as i16
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gcrucible_trace::choices::{ByteChoices, SeededChoices};

    #[test]
    fn programs_are_large_enough_to_mean_something() {
        let total: usize = (0..500)
            .map(|seed| draw(&mut SeededChoices::new(seed)).ops.len())
            .sum();
        assert!(total / 500 >= 100, "{} operations on average", total / 500);
    }

    #[test]
    fn bytes_that_run_out_still_give_a_program() {
        let program = draw(&mut ByteChoices::new(&[7, 1, 9]));
        assert!(!program.ops.is_empty() && program.holders > 0 && program.registers > 0);
    }
}
