//! Runs heap programs against the heap and the model in step.

mod arrays;
mod compare;
mod finalizers;
mod handles;
mod model;
mod retention;
mod waiting;
mod weak;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use gcrucible_heap::{
    Checked, Checks, CollectionKind, FutureState, Handle, Heap, HeapFault, Holder, Kind,
    MapStoreError, Mutator, NeedsMemory, PromoteMode, SharedPermit, Unchecked, Value, VerifyLevel,
};

use self::model::{Entries, Model, Object, Settled, Value as ModelValue, text};
use super::{heap_debug, region_pool};
use crate::oracles::memory_runs_out_with_reason;
use crate::scenario::{HeapOp, HeapOps, Scenario, is_costly};
use gcrucible_trace::{EventKind, Failure, PairTracker, RunOptions, RunReport};

/// Function of every closure: it does not matter here.
const SHAPE: u16 = 1;
/// Fields of a large instance, at least.
const LARGE_FIELDS: usize = 64;
/// Of so many runs one ends with an audit of the heap's books, which costs as much as dozens of
/// operations.
const RUNS_PER_AUDIT: u64 = 3;
/// Subject of events that concern the whole heap.
const WHOLE_HEAP: u64 = u64::MAX;

/// Runs a heap program.
///
/// # Panics
/// When the engine does; a stale access is caught and becomes a failure.
pub fn run(scenario: &Scenario, program: &HeapOps, options: &RunOptions) -> RunReport {
    let heap = region_pool::heap(scenario.heap, heap_debug(scenario, options.advantages));
    let report = if heap.debug().needs_checks() {
        run_on::<Checked>(&heap, program, options)
    } else {
        run_on::<Unchecked>(&heap, program, options)
    };
    region_pool::recycle(heap);
    report
}

fn run_on<C: Checks>(heap: &Arc<Heap>, program: &HeapOps, options: &RunOptions) -> RunReport {
    let mut run = Run::<C>::new(heap, program, options);
    let outcome = catch_unwind(AssertUnwindSafe(|| run.all(program)));
    match outcome {
        Ok(result) => run.report.failure = result.err(),
        Err(payload) => match payload.downcast::<HeapFault>() {
            Ok(fault) => run.report.failure = Some(run.stale(&fault)),
            Err(other) => resume_unwind(other),
        },
    }
    run.finish()
}

struct Run<'h, C: Checks> {
    heap: &'h Arc<Heap>,
    options: &'h RunOptions,
    holders: Vec<Holder>,
    registry: Holder,
    current: usize,
    registers: usize,
    model: Model,
    handles: Vec<Handle>,
    /// Model objects of pending futures, by slot of the registry.
    pending: Vec<ModelValue>,
    walk: compare::Walk,
    pairs: PairTracker,
    report: RunReport,
    op_index: u32,
    /// Parts of the running operation that are done, if it has parts.
    parts_done: u32,
    op_name: &'static str,
    checks: std::marker::PhantomData<C>,
}

/// An operation could not be done.
enum Stop {
    NeedsMemory { words: u32 },
    Failed(Failure),
}

impl From<NeedsMemory> for Stop {
    fn from(NeedsMemory { words }: NeedsMemory) -> Self {
        Stop::NeedsMemory { words }
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Stop::Failed(failure)
    }
}

/// Slots of the registry holder: so many futures may be pending.
const REGISTRY_SLOTS: usize = 16;

impl<'h, C: Checks> Run<'h, C> {
    fn new(heap: &'h Arc<Heap>, program: &HeapOps, options: &'h RunOptions) -> Self {
        let holders = usize::from(program.holders.max(1));
        let registers = usize::from(program.registers.max(1));
        let new_holder =
            |at: usize| Holder::with_hashes(heap, "holder", registers, (at as u32 + 1) << 16);
        Run {
            heap,
            options,
            holders: (0..holders).map(new_holder).collect(),
            registry: Holder::registry(heap, "registry", REGISTRY_SLOTS),
            current: 0,
            registers,
            model: Model::new(holders, registers),
            handles: Vec::new(),
            pending: vec![ModelValue::Nil; REGISTRY_SLOTS],
            walk: compare::Walk::default(),
            pairs: PairTracker::new(),
            report: RunReport::default(),
            op_index: 0,
            parts_done: 0,
            op_name: "start",
            checks: std::marker::PhantomData,
        }
    }

    fn all(&mut self, program: &HeapOps) -> Result<(), Failure> {
        let heap = Arc::clone(self.heap);
        let mut permit = None;
        for (index, op) in program.ops.iter().enumerate() {
            self.op_index = index as u32;
            self.step_under(&heap, &mut permit, op)?;
            if heap.is_poll_requested()
                && let Some(kind) = heap.at_safepoint()
            {
                permit = None;
                self.collect(kind)?;
            }
        }
        drop(permit);
        self.op_name = "end";
        self.compare_all()?;
        self.check_protected()?;
        self.tear_down()
    }

    /// One operation, tried again after a collection where it finds no memory.
    #[cfg(test)]
    fn step(&mut self, op: &HeapOp) -> Result<(), Failure> {
        self.step_under(&Arc::clone(self.heap), &mut None, op)
    }

    /// The same under a permit that goes from operation to operation, until something is collected:
    /// taking one for each costs as much as many an operation does.
    fn step_under<'a>(
        &mut self,
        heap: &'a Arc<Heap>,
        permit: &mut Option<SharedPermit<'a>>,
        op: &HeapOp,
    ) -> Result<(), Failure> {
        self.op_name = name(op);
        self.report.counters.operations += 1;
        if self.options.record {
            let line = format!("{op:?}");
            self.report.timeline.push((self.current as u32 + 1, line));
        }
        match *op {
            HeapOp::SwitchHolder(holder) => {
                self.current = usize::from(holder) % self.holders.len();
                return Ok(());
            }
            HeapOp::Collect(kind) => {
                *permit = None;
                return self.collect(kind);
            }
            HeapOp::Unprotect(nth) => return self.unprotect(nth),
            _ => {}
        }
        self.parts_done = 0;
        let mut attempt = 0;
        loop {
            let parts = self.parts_done;
            let taken = permit.get_or_insert_with(|| heap.try_shared().expect("nobody collects"));
            let before = (heap.cards_marked(), heap.tlab_refills());
            let words = match self.perform(taken, op) {
                Ok(()) => return self.note_done(taken, op, before),
                Err(Stop::Failed(failure)) => return Err(failure),
                Err(Stop::NeedsMemory { words }) => words,
            };
            *permit = None;
            if self.parts_done > parts {
                attempt = 0;
            }
            match attempt {
                0 => self.collect(self.heap.kind_to_collect())?,
                1 => self.collect(CollectionKind::Major)?,
                // Out of memory for good: the operation does not happen, in the model
                // neither.
                _ => return self.refused(words),
            }
            attempt += 1;
        }
    }

    /// What the heap did for an operation that is done: `before` are its counts of marked cards and
    /// refilled buffers.
    fn note_done(
        &mut self,
        permit: &SharedPermit<'_>,
        op: &HeapOp,
        before: (u64, u64),
    ) -> Result<(), Failure> {
        if self.heap.tlab_refills() > before.1 {
            let whole = WHOLE_HEAP - self.current as u64 - 1;
            self.pairs.event(whole, EventKind::TlabRefill);
            self.event_on_register(op, EventKind::TlabRefill);
        }
        if self.heap.cards_marked() > before.0 {
            self.event_on_register(op, EventKind::BarrierHit);
        }
        if let Some(array) = changed_array(op) {
            let at = usize::from(array) % self.registers;
            let m = permit.reader::<C>();
            let value = m.load_root(&self.tlab_holder().registers()[at]);
            self.check_room(&m, value, self.register(array))?;
        }
        Ok(())
    }

    /// An operation found no memory even after a major collection.
    fn refused(&mut self, words: u32) -> Result<(), Failure> {
        let before = self.heap.stats().faults;
        self.heap.has_room_within_limit(words);
        let stats = self.heap.stats();
        self.mix(stats.used_bytes);
        if stats.faults > before {
            self.note(format_args!("out of memory, as the scenario says"));
            return Ok(());
        }
        self.note(format_args!("out of memory"));
        memory_runs_out_with_reason::has_reason(self.heap.config(), words, stats.used_bytes)
    }

    fn tlab_holder(&self) -> &Holder {
        &self.holders[self.current]
    }

    /// The operation on heap and model. The model changes only after the heap did.
    fn perform(&mut self, permit: &SharedPermit<'_>, op: &HeapOp) -> Result<(), Stop> {
        let holder = self.tlab_holder().clone();
        let m = permit.mutator::<C>(holder.tlab()).at_site(self.op_index);
        let registers = self.registers;
        let slot = |register: u8| &holder.registers()[usize::from(register) % registers];
        let get = |register: u8| m.load_root(slot(register));
        let held = |register: u8| self.register(register);
        match *op {
            HeapOp::Immediate(dst, n) => {
                let (value, model) = match n % 4 {
                    0 => (Value::NIL, ModelValue::Nil),
                    1 => (Value::bool(n > 0), ModelValue::Bool(n > 0)),
                    2 => (Value::int32(i32::from(n)), ModelValue::Int(i64::from(n))),
                    _ => (
                        Value::float(f64::from(n) / 4.0),
                        ModelValue::Float(f64::from(n) / 4.0),
                    ),
                };
                m.store(slot(dst), value);
                self.set_register(dst, model);
            }
            HeapOp::BigInt(dst, n) => {
                let int = (1 << 60) + i64::from(n);
                m.store(slot(dst), m.int(int)?);
                self.new_object(dst, Object::BigInt(int));
            }
            HeapOp::String(dst, len) => {
                let salt = self.op_index as u16;
                m.store(slot(dst), m.string(&text(len, salt))?);
                self.new_object(dst, Object::String(len, salt));
            }
            HeapOp::Array(dst, capacity) => {
                m.store(slot(dst), m.array_with_capacity(u32::from(capacity))?);
                self.new_object(dst, Object::Array(Vec::new()));
                if let ModelValue::Object(at) = self.register(dst) {
                    self.model.peaks[at as usize] = u32::from(capacity);
                }
            }
            HeapOp::Map(dst) => {
                m.store(slot(dst), m.map()?);
                self.new_object(dst, Object::Map(Entries::default()));
            }
            HeapOp::Instance(dst, fields) => {
                let fields = usize::from(fields % 8).max(1);
                let class = shape_in(dst);
                m.store(slot(dst), m.instance(class, &[Value::NIL; 8][..fields])?);
                self.new_object(dst, Object::Instance(vec![ModelValue::Nil; fields]));
                self.set_shape(dst, class);
            }
            HeapOp::LargeInstance(dst, more) => {
                let fields = LARGE_FIELDS + usize::from(more);
                let class = shape_in(dst);
                let nils = [Value::NIL; LARGE_FIELDS + u8::MAX as usize];
                m.store(slot(dst), m.instance(class, &nils[..fields])?);
                self.new_object(dst, Object::Instance(vec![ModelValue::Nil; fields]));
                self.set_shape(dst, class);
            }
            HeapOp::Enum(dst, first, second) => {
                let variant = shape_in(dst);
                m.store(
                    slot(dst),
                    m.enum_value(variant, &[get(first), get(second)])?,
                );
                self.new_object(dst, Object::Enum([held(first), held(second)]));
                self.set_shape(dst, variant);
            }
            HeapOp::Cell(dst, src) => {
                m.store(slot(dst), m.cell(get(src))?);
                self.new_object(dst, Object::Cell(held(src)));
            }
            HeapOp::Closure(dst, first, second) => {
                m.store(slot(dst), m.closure(SHAPE, &[get(first), get(second)])?);
                self.new_object(dst, Object::Closure([held(first), held(second)]));
            }
            HeapOp::Bound(dst, receiver, function) => {
                m.store(slot(dst), m.bound(get(receiver), get(function))?);
                self.new_object(dst, Object::Bound([held(receiver), held(function)]));
            }
            HeapOp::Iterator(dst, src) => {
                m.store(slot(dst), m.iterator(get(src), 0)?);
                self.new_object(dst, Object::Iterator(held(src), 0));
            }
            HeapOp::Next(dst, iterator) => {
                let found = advance(&m, get(iterator));
                let model = self.model.advance(held(iterator));
                self.expect_optional(&m, found, model)?;
                m.store(slot(dst), found.unwrap_or(Value::NIL));
                self.set_register(dst, model.unwrap_or(ModelValue::Nil));
            }
            HeapOp::Error(dst, payload) => {
                m.store(slot(dst), m.error(1, Value::NIL, get(payload))?);
                self.new_object(dst, Object::Error(held(payload)));
            }
            HeapOp::Unscheduled(dst, callee, arg) => {
                m.store(slot(dst), m.unscheduled(get(callee), &[get(arg)])?);
                self.new_object(dst, Object::Unscheduled([held(callee), held(arg)]));
            }
            HeapOp::FutureCreate(dst) => return self.future_create(permit, &holder, dst),
            HeapOp::FutureComplete(future, value) => {
                self.future_complete(&m, &holder, future, value)?
            }
            HeapOp::Copy(dst, src) => {
                m.store(slot(dst), get(src));
                self.set_register(dst, held(src));
            }
            HeapOp::Clear(dst) => {
                slot(dst).clear();
                self.set_register(dst, ModelValue::Nil);
            }
            HeapOp::Load(dst, object, n) => {
                if let Some(model) = self.model.part(held(object), usize::from(n)) {
                    let loaded = self.load_part(&m, get(object), held(object), usize::from(n));
                    self.expect_like(&m, loaded, model)?;
                    m.store(slot(dst), loaded.unwrap_or(Value::NIL));
                    self.set_register(dst, model);
                }
            }
            HeapOp::StoreField(object, n, src) => self.store_field(&m, &holder, object, n, src)?,
            HeapOp::StoreElement(array, n, src) => {
                let model = held(src);
                let len = self.array_len(array);
                let index = if len == 0 { 0 } else { usize::from(n) % len };
                let done = m.array_set(get(array), index as u32, get(src));
                self.expect_bool(done, len > 0)?;
                if let Some(Object::Array(elements)) = self.object_mut(array)
                    && len > 0
                {
                    elements[index] = model;
                }
            }
            HeapOp::Push(array, src) => {
                let done = m.array_push(get(array), get(src))?;
                let model = held(src);
                let is_array = self.is_array(array);
                self.expect_bool(done, is_array)?;
                if let Some(Object::Array(elements)) = self.object_mut(array) {
                    elements.push(model);
                }
            }
            HeapOp::Insert(array, n, src) => {
                let model = held(src);
                let index = usize::from(n) % (self.array_len(array) + 1);
                let done = m.array_insert(get(array), index as u32, get(src))?;
                let is_array = self.is_array(array);
                self.expect_bool(done, is_array)?;
                if let Some(Object::Array(elements)) = self.object_mut(array) {
                    elements.insert(index, model);
                }
            }
            HeapOp::Remove(array, n) => {
                let len = self.array_len(array);
                let index = if len == 0 { 0 } else { usize::from(n) % len };
                let removed = m.array_remove(get(array), index as u32);
                let model = match self.object_mut(array) {
                    Some(Object::Array(elements)) if len > 0 => Some(elements.remove(index)),
                    _ => None,
                };
                self.expect_optional(&m, removed, model)?;
            }
            HeapOp::MapSet(map, key, value) => self.map_set(&m, &holder, map, key, value)?,
            HeapOp::MapGet(dst, map, key) => {
                let found = m.map_get(get(map), get(key));
                let model = self.model.map_entry(held(map), held(key)).and_then(|at| {
                    let Some(Object::Map(entries)) = self.model.object(held(map)) else {
                        return None;
                    };
                    Some(entries[at].1)
                });
                self.expect_optional(&m, found, model)?;
                m.store(slot(dst), found.unwrap_or(Value::NIL));
                self.set_register(dst, model.unwrap_or(ModelValue::Nil));
            }
            HeapOp::MapRemove(map, key) => {
                let removed = m.map_remove(get(map), get(key));
                let entry = self.model.map_entry(held(map), held(key));
                let model = match (self.object_mut(map), entry) {
                    (Some(Object::Map(entries)), Some(at)) => Some(entries.remove(at).1),
                    _ => None,
                };
                self.expect_optional(&m, removed, model)?;
            }
            HeapOp::DeepCopy(dst, src) => {
                m.store(slot(dst), m.deep_copy(get(src))?);
                let copy = self.model.deep_copy(held(src));
                self.set_register(dst, copy);
            }
            HeapOp::DeepEquals(a, b) => {
                let equal = m.deep_equals(get(a), get(b));
                let expected = self.model.deep_equals(held(a), held(b));
                self.expect_bool(equal, expected)?;
            }
            HeapOp::ArrayOf(..)
            | HeapOp::Extend(..)
            | HeapOp::Fill(..)
            | HeapOp::Reverse(_)
            | HeapOp::Slice(..)
            | HeapOp::RemoveAll(_)
            | HeapOp::MapSetMany(..) => return self.change_many(&m, &holder, op),
            HeapOp::Intern(dst, n) => {
                // Salts from 0 make texts that no other operation makes first.
                let (len, salt) = (n % 4, u16::from(n / 4 % 4));
                let string = m.intern(&text(len, salt))?;
                self.expect_interned(&m, string, Object::String(len, salt))?;
                m.store(slot(dst), string);
                self.new_object(dst, Object::String(len, salt));
                if let ModelValue::Object(at) = self.register(dst) {
                    self.model.interned.push(at);
                }
            }
            HeapOp::Channel(..)
            | HeapOp::Send(..)
            | HeapOp::Receive(..)
            | HeapOp::Close(_)
            | HeapOp::Mutex(_)
            | HeapOp::Acquire(_)
            | HeapOp::Release(_)
            | HeapOp::Stream(..)
            | HeapOp::Take(_)
            | HeapOp::End(_) => return self.use_waited_on(&m, &holder, op),
            HeapOp::Weak(dst, src) => {
                m.store(slot(dst), m.weak(get(src))?);
                let target = held(src);
                let id = self.model.next_wait_id();
                self.new_object(dst, Object::Weak { id, target });
            }
            HeapOp::Target(dst, weak) => {
                let target = m.weak_target(get(weak));
                let model = match self.model.object(held(weak)) {
                    Some(Object::Weak { target, .. }) => Some(*target),
                    _ => None,
                };
                self.expect_optional(&m, target, model)?;
                m.store(slot(dst), target.unwrap_or(Value::NIL));
                self.set_register(dst, model.unwrap_or(ModelValue::Nil));
            }
            HeapOp::Finalizer(object, function) => {
                let values = [get(object), get(function)];
                self.add_finalizer(&m, values, [held(object), held(function)])?;
            }
            HeapOp::Finalize(dst) => {
                let (object, model) = self.finalize(permit, &m)?;
                m.store(slot(dst), object);
                self.set_register(dst, model);
            }
            HeapOp::ProtectCopy(nth) => return self.protect_copy(permit, &holder, nth),
            HeapOp::Protect(src) => self.protect(permit, get(src), held(src)),
            HeapOp::Reprotect(nth, src) => self.reprotect(permit, nth, get(src), held(src)),
            HeapOp::SwitchHolder(_) | HeapOp::Collect(_) | HeapOp::Unprotect(_) => {
                unreachable!("done before")
            }
        }
        Ok(())
    }

    /// An interned string is the one that a register still holds which was interned before.
    fn expect_interned<'p>(
        &mut self,
        m: &Mutator<'p, C>,
        string: Value<'p>,
        object: Object,
    ) -> Result<(), Failure> {
        let model = &self.model;
        let is_same =
            |at: u32| model.interned.contains(&at) && model.objects[at as usize] == object;
        let mut held = self.holders.iter().zip(&model.registers).flat_map(|it| {
            let (slots, values) = (it.0.registers(), it.1);
            slots.iter().zip(values)
        });
        let known = held.find(|(_, value)| matches!(value, ModelValue::Object(at) if is_same(*at)));
        let is_shared = known.is_none_or(|(slot, _)| m.load_root(slot).is_identical(string));
        if is_shared || !self.options.advantages.model {
            return Ok(());
        }
        let message = "an interned string that lives was made again".to_owned();
        Err(self.failure("matches_reference", "interned", "string", message))
    }

    fn future_create(
        &mut self,
        permit: &SharedPermit<'_>,
        holder: &Holder,
        dst: u8,
    ) -> Result<(), Stop> {
        let Some(free) = self
            .pending
            .iter()
            .position(|&held| held == ModelValue::Nil)
        else {
            return Ok(());
        };
        // The registry allocates futures in its own buffer.
        let m = permit
            .mutator::<C>(self.registry.tlab())
            .at_site(self.op_index);
        let id = self.model.next_future;
        let future = m.future(id)?;
        m.store(&self.registry.registers()[free], future);
        m.store(
            &holder.registers()[usize::from(dst) % self.registers],
            future,
        );
        self.model.next_future += 1;
        self.new_object(
            dst,
            Object::Future {
                id,
                state: Settled::Pending,
                payload: ModelValue::Nil,
            },
        );
        self.pending[free] = self.register(dst);
        self.event(self.register(dst), EventKind::Spawn);
        Ok(())
    }

    fn future_complete(
        &mut self,
        m: &Mutator<'_, C>,
        holder: &Holder,
        future: u8,
        value: u8,
    ) -> Result<(), Failure> {
        let slot = |register: u8| &holder.registers()[usize::from(register) % self.registers];
        let target = m.load_root(slot(future));
        let payload = m.load_root(slot(value));
        let model = self.register(value);
        // A future that gets an error object fails with it.
        let (state, settled) = match self.model.object(model) {
            Some(Object::Error(_)) => (FutureState::Error, Settled::Error),
            _ => (FutureState::Ready, Settled::Ready),
        };
        let done = m.future_settle(target, state, payload);
        let expected = match self.object_mut(future) {
            Some(Object::Future { state, payload, .. }) if *state == Settled::Pending => {
                *state = settled;
                *payload = model;
                true
            }
            _ => false,
        };
        if done != expected {
            return Err(self.failure(
                "futures_settle_once",
                "I-11",
                "future",
                format!("settling said {done}, and it should say {expected}"),
            ));
        }
        if expected {
            let settled = self.register(future);
            let (count, kind) = match state {
                FutureState::Error => (&mut self.report.counters.futures_error, EventKind::Fail),
                _ => (&mut self.report.counters.futures_ready, EventKind::Complete),
            };
            *count += 1;
            self.event(settled, kind);
            if let Some(at) = self.pending.iter().position(|&held| held == settled) {
                self.pending[at] = ModelValue::Nil;
                self.registry.registers()[at].clear();
            }
        }
        Ok(())
    }

    fn store_field(
        &mut self,
        m: &Mutator<'_, C>,
        holder: &Holder,
        object: u8,
        n: u8,
        src: u8,
    ) -> Result<(), Failure> {
        let get =
            |register: u8| m.load_root(&holder.registers()[usize::from(register) % self.registers]);
        let model = self.register(src);
        let (is_cell, index) = match self.model.object(self.register(object)) {
            Some(Object::Cell(_)) => (true, 0),
            Some(Object::Instance(fields)) => (false, usize::from(n) % fields.len()),
            _ => (false, 0),
        };
        let done = if is_cell {
            m.cell_set(get(object), get(src))
        } else {
            m.set_field(get(object), index as u32, get(src))
        };
        let expected = match self.object_mut(object) {
            Some(Object::Cell(value)) => {
                *value = model;
                true
            }
            Some(Object::Instance(fields)) => {
                fields[index] = model;
                true
            }
            _ => false,
        };
        self.expect_bool(done, expected)
    }

    fn map_set(
        &mut self,
        m: &Mutator<'_, C>,
        holder: &Holder,
        map: u8,
        key: u8,
        value: u8,
    ) -> Result<(), Stop> {
        let get =
            |register: u8| m.load_root(&holder.registers()[usize::from(register) % self.registers]);
        let done = match m.map_set(get(map), get(key), get(value)) {
            Ok(()) => true,
            Err(MapStoreError::NeedsMemory(needs)) => return Err(needs.into()),
            Err(MapStoreError::InvalidKey | MapStoreError::NotAMap) => false,
        };
        let expected = self.model_map_set(map, self.register(key), value);
        Ok(self.expect_bool(done, expected)?)
    }

    /// Sets a key of the model's map, if the register holds one.
    fn model_map_set(&mut self, map: u8, key: ModelValue, value: u8) -> bool {
        let entry = self.model.map_entry(self.register(map), key);
        let value = self.register(value);
        match (self.object_mut(map), entry) {
            (Some(Object::Map(entries)), Some(at)) => {
                entries[at].1 = value;
                true
            }
            (Some(Object::Map(entries)), None) => {
                entries.push(key, value);
                true
            }
            _ => false,
        }
    }

    /// Part `n` (modulo how many there are) of a heap object, as the model picks it.
    fn load_part<'p>(
        &self,
        m: &Mutator<'p, C>,
        object: Value<'p>,
        model: ModelValue,
        n: usize,
    ) -> Option<Value<'p>> {
        match self.model.object(model)? {
            Object::Array(parts) => m.array_get(object, (n % parts.len()) as u32),
            Object::Instance(parts) => m.field(object, (n % parts.len()) as u32),
            Object::Map(entries) => {
                let mut position = 0;
                let mut value = None;
                for _ in 0..=n % entries.len() {
                    let (next, _, found) = m.map_next(object, position)?;
                    position = next;
                    value = Some(found);
                }
                value
            }
            Object::Enum(_) => m.enum_payload(object, (n % 2) as u32),
            Object::Closure(_) => m.closure_capture(object, (n % 2) as u32),
            Object::Bound(_) => {
                let (receiver, function) = m.bound_parts(object)?;
                Some(if n.is_multiple_of(2) {
                    receiver
                } else {
                    function
                })
            }
            Object::Unscheduled(_) => m.unscheduled_part(object, (n % 2) as u32),
            Object::Cell(_) => m.cell_get(object),
            Object::Iterator(..) => m.iterator_parts(object).map(|(source, _)| source),
            Object::Error(_) => m.error_parts(object).map(|(_, _, payload)| payload),
            Object::Future { .. } => m.future_state(object).map(|(_, payload)| payload),
            Object::Channel { values, .. } => m.channel_peek(object, (n % values.len()) as u32),
            Object::Stream { .. } => m.stream_source(object),
            Object::Weak { .. } => m.weak_target(object),
            Object::BigInt(_) | Object::String(..) | Object::Mutex { .. } => None,
        }
    }

    fn collect(&mut self, kind: CollectionKind) -> Result<(), Failure> {
        let heap = Arc::clone(self.heap);
        let mut permit = heap
            .try_exclusive()
            .expect("no permit is held between operations");
        let report = permit.collect(kind);
        self.note(format_args!(
            "{kind:?} collection: {} moved, {} promoted",
            report.moved, report.promoted
        ));
        self.mix(u64::from(report.moved) << 32 | u64::from(report.promoted) << 1);
        self.mix(u64::from(report.kept));
        self.model.collections += 1;
        if let Some(violation) = report.violations.first() {
            return Err(Failure {
                oracle: "heap_is_sound".into(),
                check: violation.check.into(),
                site: violation.site.clone(),
                message: format!("at {}: {violation}", self.op_name),
            });
        }
        let dead = self.settle_weak(kind, &report.cleared)?;
        self.settle_finalizers(kind, &report.queued)?;
        self.settle_weak_brought_back(&dead)?;
        if kind == CollectionKind::Major {
            self.compare_census(&mut permit)?;
        }
        drop(permit);
        // A collection that makes objects old is that first of all.
        self.pairs.event_on_all(match kind {
            _ if report.promoted > 0 => EventKind::Promote,
            CollectionKind::Minor => EventKind::Minor,
            CollectionKind::Major => EventKind::Major,
        });
        if heap.debug().verify == VerifyLevel::Full {
            self.compare_all()?;
        }
        Ok(())
    }

    /// Compares all that the roots reach with the model's, up to isomorphism.
    fn compare_all(&mut self) -> Result<(), Failure> {
        if !self.options.advantages.model {
            return Ok(());
        }
        let heap = Arc::clone(self.heap);
        let permit = heap.try_shared().expect("nobody collects");
        let registry = self.registry.clone();
        let m = permit.mutator::<C>(registry.tlab());
        let mut work = compare::Pairs::new();
        for (holder, registers) in self.holders.iter().zip(&self.model.registers) {
            for (slot, &model) in holder.registers().iter().zip(registers) {
                work.push((m.load_root(slot), model));
            }
        }
        for (slot, &model) in registry.registers().iter().zip(&self.pending) {
            work.push((m.load_root(slot), model));
        }
        for (handle, &model) in self.handles.iter().zip(&self.model.handles) {
            work.push((permit.protected(handle), model));
        }
        if self.options.canary {
            work.push((Value::TRUE, ModelValue::Bool(false)));
        }
        let old_after = match heap.debug().promote {
            PromoteMode::Natural => Some(2),
            PromoteMode::Always => Some(1),
            PromoteMode::Never => None,
        };
        match self.walk.run(&m, &self.model, old_after, work) {
            Ok(digest) => {
                self.mix(digest);
                Ok(())
            }
            Err(found) => {
                let message = format!("at {}: {}", self.op_name, found.message);
                Err(self.failure(found.oracle, found.check, &found.site, message))
            }
        }
    }

    /// Drops every root and collects: nothing may be left.
    fn tear_down(&mut self) -> Result<(), Failure> {
        self.op_name = "teardown";
        for holder in &self.holders {
            holder
                .registers()
                .iter()
                .for_each(gcrucible_heap::Register::clear);
        }
        self.registry
            .registers()
            .iter()
            .for_each(gcrucible_heap::Register::clear);
        for handle in self.handles.drain(..) {
            self.heap.unprotect(handle);
        }
        self.model.handles.clear();
        self.heap.drop_finalizers();
        let heap = Arc::clone(self.heap);
        let mut permit = heap.try_exclusive().expect("no permit is held at the end");
        // Which runs are audited follows from what they did.
        let is_audited = self.report.trace_hash.is_multiple_of(RUNS_PER_AUDIT);
        let mut violations = if is_audited {
            permit.audit()
        } else {
            Vec::new()
        };
        violations.extend(permit.collect(CollectionKind::Major).violations);
        if is_audited {
            violations.extend(permit.audit());
        }
        if let Some(violation) = violations.into_iter().next() {
            return Err(self.failure(
                "heap_is_sound",
                violation.check,
                &violation.site,
                format!("at the end: {violation}"),
            ));
        }
        let left = permit.census();
        if !left.is_empty() {
            let message = format!("{left:?} are left after all roots were dropped");
            return Err(self.failure("nothing_leaks", "live_objects", left[0].0, message));
        }
        let protected = heap.stats().protected_by_kind;
        if !protected.is_empty() {
            let message = format!("{protected:?} are still protected");
            return Err(self.failure("nothing_leaks", "I-8", "handles", message));
        }
        Ok(())
    }

    fn register(&self, register: u8) -> ModelValue {
        self.model.registers[self.current][usize::from(register) % self.registers]
    }

    fn set_register(&mut self, register: u8, value: ModelValue) {
        let at = usize::from(register) % self.registers;
        self.model.registers[self.current][at] = value;
    }

    fn new_object(&mut self, dst: u8, object: Object) {
        let value = self.model.add(object);
        self.set_register(dst, value);
    }

    fn set_shape(&mut self, register: u8, shape: u16) {
        if let ModelValue::Object(at) = self.register(register) {
            self.model.shapes[at as usize] = shape;
        }
    }

    fn object_mut(&mut self, register: u8) -> Option<&mut Object> {
        let value = self.register(register);
        self.model.object_mut(value)
    }

    fn array_len(&self, register: u8) -> usize {
        match self.model.object(self.register(register)) {
            Some(Object::Array(elements)) => elements.len(),
            _ => 0,
        }
    }

    fn is_array(&self, register: u8) -> bool {
        matches!(
            self.model.object(self.register(register)),
            Some(Object::Array(_))
        )
    }

    fn expect_bool(&mut self, found: bool, expected: bool) -> Result<(), Failure> {
        self.mix(u64::from(found));
        if found == expected || !self.options.advantages.model {
            return Ok(());
        }
        let message = format!("{} said {found}, the model says {expected}", self.op_name);
        Err(self.failure("matches_reference", "op_result", self.op_name, message))
    }

    /// The operation said what the model says.
    fn expect_same<T: PartialEq + std::fmt::Debug>(
        &mut self,
        what: &str,
        found: T,
        expected: T,
    ) -> Result<(), Failure> {
        if found == expected || !self.options.advantages.model {
            return Ok(());
        }
        let message = format!("{what} said {found:?}, the model says {expected:?}");
        Err(self.failure("matches_reference", "op_result", self.op_name, message))
    }

    fn expect_optional<'p>(
        &mut self,
        m: &Mutator<'p, C>,
        found: Option<Value<'p>>,
        expected: Option<ModelValue>,
    ) -> Result<(), Failure> {
        match (found, expected) {
            (None, None) => Ok(()),
            (found, Some(model)) => self.expect_like(m, found, model),
            (Some(_), None) => self.expect_bool(true, false),
        }
    }

    /// The value has the kind and the immediate content that the model's has.
    fn expect_like<'p>(
        &mut self,
        m: &Mutator<'p, C>,
        found: Option<Value<'p>>,
        expected: ModelValue,
    ) -> Result<(), Failure> {
        if !self.options.advantages.model {
            return Ok(());
        }
        let problem = match found {
            None => Some("nothing".to_owned()),
            Some(value) => compare::difference(m, value, &self.model, expected),
        };
        match problem {
            None => Ok(()),
            Some(found) => {
                let message = format!("{} gave {found}, the model {expected:?}", self.op_name);
                Err(self.failure("matches_reference", "op_result", self.op_name, message))
            }
        }
    }

    fn event(&mut self, subject: ModelValue, kind: EventKind) {
        if let ModelValue::Object(at) = subject {
            self.pairs.event(u64::from(at), kind);
        }
    }

    fn event_on_register(&mut self, op: &HeapOp, kind: EventKind) {
        let register = match *op {
            HeapOp::StoreField(object, ..)
            | HeapOp::StoreElement(object, ..)
            | HeapOp::Push(object, _)
            | HeapOp::Insert(object, ..)
            | HeapOp::Extend(object, _)
            | HeapOp::Fill(object, _)
            | HeapOp::Reverse(object)
            | HeapOp::Send(object, _)
            | HeapOp::MapSetMany(object, ..)
            | HeapOp::MapSet(object, ..)
            | HeapOp::FutureCreate(object)
            | HeapOp::FutureComplete(object, _) => object,
            _ => return self.pairs.event(WHOLE_HEAP, kind),
        };
        self.event(self.register(register), kind);
    }

    fn note(&mut self, what: std::fmt::Arguments<'_>) {
        if self.options.record {
            self.report.timeline.push((u32::MAX, what.to_string()));
        }
    }

    fn mix(&mut self, value: u64) {
        self.report.trace_hash =
            (self.report.trace_hash.rotate_left(5) ^ value ^ u64::from(self.op_index) << 40)
                .wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn failure(&self, oracle: &str, check: &str, site: &str, message: String) -> Failure {
        Failure {
            oracle: oracle.into(),
            check: check.into(),
            site: site.into(),
            message,
        }
    }

    fn stale(&self, fault: &HeapFault) -> Failure {
        let kind = fault.kind.map_or("object", gcrucible_heap::Kind::name);
        Failure {
            oracle: "no_stale_reference".into(),
            check: fault.what.name().into(),
            site: kind.into(),
            message: format!("at {} (operation {}): {fault}", self.op_name, self.op_index),
        }
    }

    fn finish(mut self) -> RunReport {
        let counters = &mut self.report.counters;
        super::note_heap(&self.heap.stats(), counters);
        counters.scenarios = 1;
        counters.costly = u64::from(is_costly(self.heap.debug()));
        self.report.pairs = self.pairs.take();
        self.report
    }
}

/// Class or variant of what is made in a register: two, so that there are objects which differ in
/// nothing else.
fn shape_in(register: u8) -> u16 {
    SHAPE + u16::from(register % 2)
}

/// The register of the array that an operation may have made longer.
fn changed_array(op: &HeapOp) -> Option<u8> {
    match *op {
        HeapOp::ArrayOf(array, ..)
        | HeapOp::Slice(array, ..)
        | HeapOp::Push(array, _)
        | HeapOp::Insert(array, ..)
        | HeapOp::Remove(array, _)
        | HeapOp::Extend(array, _) => Some(array),
        _ => None,
    }
}

/// A step of an iterator: what it comes to.
fn advance<'p, C: Checks>(m: &Mutator<'p, C>, iterator: Value<'p>) -> Option<Value<'p>> {
    let (source, place) = m.iterator_parts(iterator)?;
    let (next, value) = match m.kind(source)? {
        Kind::Map => {
            let (next, _, value) = m.map_next(source, place as u64)?;
            (next as i64, value)
        }
        _ => (place + 1, m.array_get(source, place as u32)?),
    };
    m.iterator_move(iterator, next);
    Some(value)
}

/// The operation's name, for sites.
fn name(op: &HeapOp) -> &'static str {
    match op {
        HeapOp::SwitchHolder(_) => "SwitchHolder",
        HeapOp::Immediate(..) => "Immediate",
        HeapOp::BigInt(..) => "BigInt",
        HeapOp::String(..) => "String",
        HeapOp::Array(..) => "Array",
        HeapOp::Map(_) => "Map",
        HeapOp::Instance(..) => "Instance",
        HeapOp::LargeInstance(..) => "LargeInstance",
        HeapOp::Enum(..) => "Enum",
        HeapOp::Cell(..) => "Cell",
        HeapOp::Closure(..) => "Closure",
        HeapOp::Bound(..) => "Bound",
        HeapOp::Iterator(..) => "Iterator",
        HeapOp::Next(..) => "Next",
        HeapOp::Error(..) => "Error",
        HeapOp::Unscheduled(..) => "Unscheduled",
        HeapOp::FutureCreate(_) => "FutureCreate",
        HeapOp::FutureComplete(..) => "FutureComplete",
        HeapOp::Copy(..) => "Copy",
        HeapOp::Clear(_) => "Clear",
        HeapOp::Load(..) => "Load",
        HeapOp::StoreField(..) => "StoreField",
        HeapOp::StoreElement(..) => "StoreElement",
        HeapOp::Push(..) => "Push",
        HeapOp::Insert(..) => "Insert",
        HeapOp::Remove(..) => "Remove",
        HeapOp::MapSet(..) => "MapSet",
        HeapOp::MapGet(..) => "MapGet",
        HeapOp::MapRemove(..) => "MapRemove",
        HeapOp::DeepCopy(..) => "DeepCopy",
        HeapOp::DeepEquals(..) => "DeepEquals",
        HeapOp::Protect(_) => "Protect",
        HeapOp::Unprotect(_) => "Unprotect",
        HeapOp::ArrayOf(..) => "ArrayOf",
        HeapOp::Intern(..) => "Intern",
        HeapOp::Channel(..) => "Channel",
        HeapOp::Send(..) => "Send",
        HeapOp::Receive(..) => "Receive",
        HeapOp::Close(_) => "Close",
        HeapOp::Mutex(_) => "Mutex",
        HeapOp::Acquire(_) => "Acquire",
        HeapOp::Release(_) => "Release",
        HeapOp::Stream(..) => "Stream",
        HeapOp::Take(_) => "Take",
        HeapOp::End(_) => "End",
        HeapOp::Weak(..) => "Weak",
        HeapOp::Target(..) => "Target",
        HeapOp::Finalizer(..) => "Finalizer",
        HeapOp::Finalize(_) => "Finalize",
        HeapOp::Extend(..) => "Extend",
        HeapOp::Fill(..) => "Fill",
        HeapOp::Reverse(_) => "Reverse",
        HeapOp::Slice(..) => "Slice",
        HeapOp::RemoveAll(_) => "RemoveAll",
        HeapOp::MapSetMany(..) => "MapSetMany",
        HeapOp::Reprotect(..) => "Reprotect",
        HeapOp::ProtectCopy(_) => "ProtectCopy",
        HeapOp::Collect(_) => "Collect",
    }
}
