//! What tasks do to each other: spawns, awaits, squads, guards, channels.

use gcrucible_bytecode::{ErrorKind, Method, Reg};

use super::machine::{Flow, Outcome, Raise, args, get, set};
use super::model::{Model, Spawning};
use super::scopes::push_scope;
use super::task::{ScopeKind, Task};
use super::value::{Channel, Mutex, Object, ObjectId, Value};
use crate::executor::graph::FutureState;
use crate::executor::trace::SliceEnd;
use gcrucible_trace::EventKind;

impl Model<'_> {
    /// Leaves a spawn for the engine to register.
    pub(super) fn spawn(
        &mut self,
        task: &mut Task,
        base: Reg,
        argc: u8,
        detached: bool,
    ) -> Outcome<Flow> {
        let arguments = args(task, base + 1, argc).to_vec();
        let mut body = self.frame_of(get(task, base), &arguments)?;
        self.note_library_entry(task, &mut body);
        super::machine::set(task, base, Value::Nil);
        task.spawning = Some(Spawning {
            register: base,
            body,
            detached,
        });
        Ok(Flow::End(SliceEnd::Spawned { detached }))
    }

    pub(super) fn future_id(&self, value: Value) -> Outcome<u64> {
        match self.store.object(value) {
            Some(Object::Future(id)) => Ok(*id),
            _ => Err(ErrorKind::TypeError.into()),
        }
    }

    /// The value of a future, if it has settled with one. Throws what an await throws.
    pub(super) fn settled_value(&self, future: u64) -> Outcome<Option<Value>> {
        let found = self.future(future).ok_or(ErrorKind::FutureNotFound)?;
        match found.state {
            FutureState::Pending => Ok(None),
            FutureState::Ready => Ok(Some(found.payload)),
            FutureState::Error => Err(Raise::Value(found.payload)),
            FutureState::Cancelled => Err(ErrorKind::Cancelled.into()),
            FutureState::InternalError => Err(Raise::Kind(ErrorKind::Internal, found.payload)),
        }
    }

    /// The futures in an array of a squad's children.
    fn children(&self, squad: Value) -> Outcome<(ObjectId, Vec<u64>)> {
        let Value::Object(id) = squad else {
            return Err(ErrorKind::TypeError.into());
        };
        let Object::Array(children) = self.store.get(id) else {
            return Err(ErrorKind::TypeError.into());
        };
        let futures: Outcome<Vec<u64>> = children
            .iter()
            .map(|&child| self.future_id(child))
            .collect();
        Ok((id, futures?))
    }

    /// The futures in an array of children that have not settled.
    pub(super) fn pending(&self, squad: Value) -> Vec<u64> {
        let children = match self.store.object(squad) {
            Some(Object::Array(children)) => children.clone(),
            _ => Vec::new(),
        };
        let futures = children
            .into_iter()
            .filter_map(|child| self.future_id(child).ok());
        futures.filter(|&future| self.is_pending(future)).collect()
    }

    fn is_pending(&self, future: u64) -> bool {
        self.future(future)
            .is_some_and(|future| future.state == FutureState::Pending)
    }

    pub(super) fn join_squad(&mut self, task: &mut Task, squad: Value) -> Outcome<Flow> {
        self.before_waiting(task)?;
        let (array, futures) = self.children(squad)?;
        self.throw_first_failure(&futures)?;
        let pending = self.pending(squad);
        if !pending.is_empty() {
            // It is told of failures.
            self.log.effects.awaited.extend(pending.last());
            return Ok(Flow::Wait(SliceEnd::AwaitingMany { drain: false }));
        }
        let mut values = Vec::with_capacity(futures.len());
        for future in futures {
            values.push(self.settled_value(future)?.unwrap_or_default());
        }
        *self.store.get_mut(array) = Object::Array(values);
        Ok(Flow::Next)
    }

    /// Throws what the first of several futures ended with that has failed, if one has.
    fn throw_first_failure(&mut self, futures: &[u64]) -> Outcome<()> {
        let failed = futures.iter().filter(|&&future| {
            self.future(future)
                .is_some_and(|f| !matches!(f.state, FutureState::Pending | FutureState::Ready))
        });
        let first = failed.min_by_key(|&&future| self.future(future).and_then(|f| f.settled));
        if let Some(&first) = first {
            self.note_seen(first);
            self.settled_value(first)?;
        }
        Ok(())
    }

    pub(super) fn drain_squad(&mut self, task: &mut Task, squad: Value) -> Outcome<Flow> {
        let pending = self.pending(squad);
        if let Some((_, drains)) = self.squad(task)
            && !std::mem::replace(drains, true)
        {
            self.log.effects.cancel.extend(&pending);
        }
        if pending.is_empty() {
            // Those that have failed were seen by whoever sees the squad's end.
            if let Some(Object::Array(children)) = self.store.object(squad) {
                let ended: Vec<u64> = children
                    .iter()
                    .filter_map(|&child| self.future_id(child).ok())
                    .collect();
                ended.into_iter().for_each(|future| self.note_seen(future));
            }
            if task.ends_with_failure() {
                let (_, futures) = self.children(squad)?;
                self.throw_first_failure(&futures)?;
            }
            return Ok(Flow::Next);
        }
        self.log.effects.awaited.extend(pending.last());
        Ok(Flow::Wait(SliceEnd::AwaitingMany { drain: true }))
    }

    pub(super) fn push_guard(&mut self, task: &mut Task, mutex: Value) -> Outcome<Flow> {
        self.before_waiting(task)?;
        let (number, id) = (task.number, self.mutex(mutex)?);
        task.puts = false;
        let Object::Mutex(mutex) = self.store.get_mut(id) else {
            return Err(ErrorKind::TypeError.into());
        };
        match mutex.holder {
            Some(holder) if holder == number => Err(ErrorKind::WouldDeadlock.into()),
            Some(_) => Ok(Flow::Wait(SliceEnd::Waiting { object: mutex.id })),
            None => {
                // Nobody waits for this.
                mutex.holder = Some(number);
                mutex.version += 1;
                let number = mutex.id;
                self.log.note(EventKind::GuardAcquire, Some(number));
                push_scope(task, None, ScopeKind::Guard(id));
                Ok(Flow::Next)
            }
        }
    }

    fn mutex(&self, value: Value) -> Outcome<ObjectId> {
        match (value, self.store.object(value)) {
            (Value::Object(id), Some(Object::Mutex(_))) => Ok(id),
            _ => Err(ErrorKind::TypeError.into()),
        }
    }

    /// `channel(capacity)`
    pub(super) fn new_channel(&mut self, capacity: Value) -> Outcome<Value> {
        let Value::Int(capacity @ 1..=65536) = capacity else {
            let found = match capacity {
                Value::Int(int) => int.to_string(),
                other => self.type_name(other),
            };
            let message =
                format!("the capacity of a channel is an int from 1 to 65536, not {found}");
            let error = self
                .store
                .error_saying(ErrorKind::TypeError, &message, Value::Nil);
            return Err(Raise::Value(error));
        };
        Ok(self.store.make_numbered(|id| {
            Object::Channel(Channel {
                id,
                capacity: capacity as usize,
                is_closed: false,
                queue: std::collections::VecDeque::new(),
                version: 0,
            })
        }))
    }

    /// `mutex()`
    pub(super) fn new_mutex(&mut self) -> Value {
        self.store.make_numbered(|id| {
            Object::Mutex(Mutex {
                id,
                holder: None,
                version: 0,
            })
        })
    }

    /// A method of a channel; the result comes to `base`.
    pub(super) fn channel_method(
        &mut self,
        task: &mut Task,
        base: Reg,
        id: ObjectId,
        method: Method,
        args: &[Value],
    ) -> Outcome<Flow> {
        if matches!(method, Method::Send | Method::Receive) {
            self.before_waiting(task)?;
        }
        task.puts = method == Method::Send;
        let Object::Channel(channel) = self.store.get_mut(id) else {
            return Err(ErrorKind::UnknownMethod.into());
        };
        let object = channel.id;
        let waits = Ok(Flow::Wait(SliceEnd::Waiting { object }));
        let (result, has_changed) = match method {
            Method::Send | Method::TrySend => {
                if channel.is_closed {
                    return Err(ErrorKind::ChannelClosed.into());
                }
                let has_room = channel.queue.len() < channel.capacity;
                if has_room {
                    channel.queue.push_back(args[0]);
                } else if method == Method::Send {
                    return waits;
                }
                let sent = match method {
                    Method::Send => Value::Nil,
                    _ => Value::Bool(has_room),
                };
                (sent, has_room)
            }
            Method::Receive | Method::TryReceive => match channel.queue.pop_front() {
                Some(value) => (value, true),
                None if method == Method::TryReceive => (Value::Nil, false),
                None if channel.is_closed => return Err(ErrorKind::ChannelClosed.into()),
                None => return waits,
            },
            Method::Close => (Value::Nil, !std::mem::replace(&mut channel.is_closed, true)),
            _ => return Err(ErrorKind::UnknownMethod.into()),
        };
        if has_changed {
            channel.version += 1;
            self.log.changed(object);
            match method {
                Method::Close => {}
                Method::Send | Method::TrySend => {
                    self.log.note(EventKind::ChannelSend, Some(object));
                }
                _ => self.log.note(EventKind::ChannelReceive, Some(object)),
            }
        }
        set(task, base, result);
        Ok(Flow::Next)
    }

    /// The next value of a channel that a loop goes over; `Ok(None)`: it is closed and empty.
    pub(super) fn next_received(
        &mut self,
        task: &mut Task,
        id: ObjectId,
    ) -> Outcome<Result<Option<Value>, SliceEnd>> {
        self.before_waiting(task)?;
        task.puts = false;
        let Object::Channel(channel) = self.store.get_mut(id) else {
            return Err(ErrorKind::Internal.into());
        };
        let object = channel.id;
        let Some(value) = channel.queue.pop_front() else {
            return Ok(match channel.is_closed {
                true => Ok(None),
                false => Err(SliceEnd::Waiting { object }),
            });
        };
        channel.version += 1;
        self.log.changed(object);
        self.log.note(EventKind::ChannelReceive, Some(object));
        Ok(Ok(Some(value)))
    }

    /// How many could receive from a channel or acquire a mutex, or else send; of a closed
    /// channel any number.
    pub fn available(&self, number: u64, puts: bool) -> u32 {
        let object = self.store.numbered(number).map(|id| self.store.get(id));
        match object {
            Some(Object::Channel(channel)) if channel.is_closed => u32::MAX,
            Some(Object::Channel(channel)) => match puts {
                true => (channel.capacity - channel.queue.len()) as u32,
                false => channel.queue.len() as u32,
            },
            Some(Object::Mutex(mutex)) => u32::from(!puts && mutex.holder.is_none()),
            _ => 0,
        }
    }

    /// Whether a channel or mutex has ever changed.
    pub fn has_changed(&self, number: u64) -> bool {
        self.version(number).is_some_and(|version| version > 0)
    }

    /// How often a channel or mutex has changed.
    pub(super) fn version(&self, number: u64) -> Option<u64> {
        match self.store.get(self.store.numbered(number)?) {
            Object::Channel(channel) => Some(channel.version),
            Object::Mutex(mutex) => Some(mutex.version),
            _ => None,
        }
    }
}
