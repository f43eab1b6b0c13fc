//! What tasks wait for: channels, mutexes, streams.

use gcrucible_heap::{Acquired, Checks, Holder, Mutator, Received, Sent, StreamState, Value};

use super::model::{Object, Value as ModelValue};
use super::{Run, Stop};
use crate::scenario::HeapOp;

impl<C: Checks> Run<'_, C> {
    /// The operations on channels, mutexes and streams.
    pub(super) fn use_waited_on(
        &mut self,
        m: &Mutator<'_, C>,
        holder: &Holder,
        op: &HeapOp,
    ) -> Result<(), Stop> {
        let registers = self.registers;
        let slot = |register: u8| &holder.registers()[usize::from(register) % registers];
        let get = |register: u8| m.load_root(slot(register));
        let task = self.current as u32;
        match *op {
            HeapOp::Channel(dst, capacity) => {
                let capacity = usize::from(capacity).max(1);
                m.store(slot(dst), m.channel(capacity as u32)?);
                let id = self.model.next_wait_id();
                let channel = Object::Channel {
                    id,
                    version: 0,
                    capacity,
                    is_closed: false,
                    values: Vec::new(),
                };
                self.new_object(dst, channel);
            }
            HeapOp::Send(channel, src) => {
                let sent = m.channel_try_send(get(channel), get(src))?;
                let value = self.register(src);
                let expected = self.model_send(channel, value);
                self.expect_same("channel_send", sent, expected)?;
            }
            HeapOp::Receive(dst, channel) => {
                let received = m.channel_try_receive(get(channel));
                let (expected, model) = self.model_receive(channel);
                let value = match received {
                    Some(Received::Value(value)) => Some(value),
                    _ => None,
                };
                let received = received.map(|received| match received {
                    Received::Value(_) => "value",
                    Received::Empty => "empty",
                    Received::Closed => "closed",
                });
                self.expect_same("channel_receive", received, expected)?;
                self.expect_optional(m, value, model)?;
                m.store(slot(dst), value.unwrap_or(Value::NIL));
                self.set_register(dst, model.unwrap_or(ModelValue::Nil));
            }
            HeapOp::Close(channel) => {
                let closed = m.channel_close(get(channel));
                let expected = match self.object_mut(channel) {
                    Some(Object::Channel {
                        version, is_closed, ..
                    }) => {
                        *version += u64::from(!*is_closed);
                        Some(!std::mem::replace(is_closed, true))
                    }
                    _ => None,
                };
                self.expect_same("channel_close", closed, expected)?;
            }
            HeapOp::Mutex(dst) => {
                m.store(slot(dst), m.mutex()?);
                let id = self.model.next_wait_id();
                let mutex = Object::Mutex {
                    id,
                    version: 0,
                    holder: None,
                };
                self.new_object(dst, mutex);
            }
            HeapOp::Acquire(mutex) => {
                let acquired = m.mutex_try_acquire(get(mutex), task);
                let expected = match self.object_mut(mutex) {
                    Some(Object::Mutex { holder, .. }) => Some(match *holder {
                        None => {
                            *holder = Some(task);
                            Acquired::Done
                        }
                        Some(other) if other == task => Acquired::Again,
                        Some(_) => Acquired::Held,
                    }),
                    _ => None,
                };
                self.expect_same("mutex_acquire", acquired, expected)?;
            }
            HeapOp::Release(mutex) => {
                let released = m.mutex_release(get(mutex), task);
                let expected = match self.object_mut(mutex) {
                    Some(Object::Mutex {
                        holder, version, ..
                    }) if *holder == Some(task) => {
                        *holder = None;
                        *version += 1;
                        true
                    }
                    _ => false,
                };
                self.expect_bool(released, expected)?;
            }
            HeapOp::Stream(dst, src) => {
                m.store(slot(dst), m.stream(get(src))?);
                let stream = Object::Stream {
                    state: StreamState::Fresh,
                    source: self.register(src),
                };
                self.new_object(dst, stream);
            }
            HeapOp::Take(stream) => {
                let taken = m.stream_take(get(stream));
                let expected = match self.object_mut(stream) {
                    Some(Object::Stream { state, .. }) => {
                        let is_fresh = *state == StreamState::Fresh;
                        if is_fresh {
                            *state = StreamState::Taken;
                        }
                        Some(is_fresh)
                    }
                    _ => None,
                };
                self.expect_same("stream_take", taken, expected)?;
            }
            HeapOp::End(stream) => {
                let ended = m.stream_end(get(stream));
                let expected = match self.object_mut(stream) {
                    Some(Object::Stream { state, source }) => {
                        *state = StreamState::Ended;
                        *source = ModelValue::Nil;
                        true
                    }
                    _ => false,
                };
                self.expect_bool(ended, expected)?;
            }
            _ => unreachable!("other operations are done by `perform`"),
        }
        Ok(())
    }

    fn model_send(&mut self, channel: u8, value: ModelValue) -> Option<Sent> {
        let Some(Object::Channel {
            version,
            capacity,
            is_closed,
            values,
            ..
        }) = self.object_mut(channel)
        else {
            return None;
        };
        if *is_closed {
            return Some(Sent::Closed);
        }
        if values.len() >= *capacity {
            return Some(Sent::Full);
        }
        values.push(value);
        *version += 1;
        Some(Sent::Done)
    }

    fn model_receive(&mut self, channel: u8) -> (Option<&'static str>, Option<ModelValue>) {
        match self.object_mut(channel) {
            Some(Object::Channel {
                version, values, ..
            }) if !values.is_empty() => {
                *version += 1;
                (Some("value"), Some(values.remove(0)))
            }
            Some(Object::Channel { is_closed, .. }) => {
                (Some(if *is_closed { "closed" } else { "empty" }), None)
            }
            _ => (None, None),
        }
    }
}
