//! Schedules, streams, clients: what they ask, how often and when.

use super::super::map::Key;
use super::super::model::Model;
use super::super::task::{Frame, Task};
use super::super::value::{Object, ObjectId, Value};
use super::{Asked, Kept, Pledge, Pledged};

/// The ticks of a schedule.
#[derive(Clone, Debug, Default)]
pub(super) struct Schedule {
    /// When it began: what it saw first.
    start_ms: Option<u64>,
    /// What it saw first since its body returned.
    seen_ms: Option<u64>,
    /// The last tick.
    last: i64,
}

impl Schedule {
    /// It looks at the time.
    pub(super) fn looked(&mut self, now_ms: u64) {
        match self.start_ms {
            None => self.start_ms = Some(now_ms),
            Some(_) => _ = self.seen_ms.get_or_insert(now_ms),
        }
    }

    /// Its body has returned.
    pub(super) fn returned(&mut self) {
        self.seen_ms = None;
    }
}

/// What a stream of the first elements of another may still ask for.
#[derive(Clone, Debug)]
pub(in super::super) struct Limited {
    pub(super) stream: ObjectId,
    pub(super) source: ObjectId,
    pub(super) left: i64,
}

impl Model<'_> {
    /// The body of a schedule is called: for the first tick after the last one that was not over
    /// when the schedule looked, not before that is due.
    pub(super) fn schedule_asks(&self, pledge: &mut Pledge, asked: &Asked) -> Kept {
        let (Value::Int(every @ 1..), Some(start_ms), Some(seen_ms)) = (
            pledge.args[0],
            pledge.schedule.start_ms,
            pledge.schedule.seen_ms,
        ) else {
            return Ok(());
        };
        let last = pledge.schedule.last;
        let passed = (seen_ms - start_ms) as i64;
        let due = passed / every + i64::from(passed % every > 0);
        let tick = due.max(last + 1);
        let found = (asked.args.first().copied(), asked.args.get(1).copied());
        if found != (Some(Value::Int(tick)), Some(Value::Int(tick - last - 1))) {
            return Err(format!(
                "calls its body with (tick, skipped) {found:?}: tick {tick} is the first one after \
                 tick {last} that is not over after {passed} ms"
            ));
        }
        let now_ms = self.now_ms();
        let due_ms = start_ms.saturating_add((tick as u64).saturating_mul(every as u64));
        if now_ms < due_ms {
            return Err(format!("calls its body at {now_ms} ms, before {due_ms} ms"));
        }
        pledge.schedule.last = tick;
        Ok(())
    }

    /// A client that is called asks a service, or another client.
    pub(super) fn client_asks(&self, pledge: &Pledge, asked: &Asked, is_attempt: bool) -> Kept {
        let Some(&Object::Variant(variant, ref payload)) = self.store.object(pledge.args[0]) else {
            return Ok(());
        };
        let payload = payload.clone();
        let before = pledge.asked.len();
        if pledge
            .asked
            .last()
            .is_some_and(|last| last.result.is_some())
        {
            return Err("tries on though it has an answer".to_owned());
        }
        let name = &self.loaded.program.variants[usize::from(variant)].name;
        let is_list = matches!(name.as_str(), "Fallback" | "RoundRobin");
        let list = match payload.first() {
            Some(&Value::Object(id)) if is_list => id,
            _ => {
                let most = match (name.as_str(), payload.get(1)) {
                    ("Retry", Some(&Value::Int(count))) => count,
                    _ => 1,
                };
                return match before as i64 >= most {
                    true => Err(format!("tries more than {most} times")),
                    false => Ok(()),
                };
            }
        };
        if !is_attempt || !self.is_unchanged(pledge) {
            return Ok(());
        }
        let clients = self.contents(Value::Object(list));
        let client = asked.args[0];
        let is_it = match name.as_str() {
            "Fallback" => clients.get(before) == Some(&client),
            _ => before == 0 && clients.contains(&client),
        };
        match is_it {
            true => Ok(()),
            false => Err(format!(
                "number {before} of its attempts is not with the client for it"
            )),
        }
    }

    /// The next element of a stream is asked for: perhaps by a stream of its first ones.
    pub(super) fn note_stream(&mut self, task: &Task, callee: &Frame, function: Pledged) {
        if function != Pledged::StreamNext || self.limited.is_empty() {
            return;
        }
        let Value::Object(source) = callee.registers[0] else {
            return;
        };
        let Some(at) = self.pledging(task) else {
            return;
        };
        let Some(pledge) = task.frames[at].pledge.as_ref() else {
            return;
        };
        let Value::Object(stream) = pledge.args[0] else {
            return;
        };
        let mut limited = self.limited.iter_mut();
        let is_it = |one: &&mut Limited| one.stream == stream && one.source == source;
        if pledge.function == Pledged::StreamNext
            && let Some(limited) = limited.find(is_it)
        {
            limited.left -= 1;
            if limited.left < 0 {
                let message = "a stream of the first elements asks for more of them".to_owned();
                self.note_verdict(Pledged::StreamTake, Err(message));
            }
        }
    }

    /// A stream of the first elements of another was made.
    pub(super) fn note_limited(&mut self, pledge: &Pledge, made: Value) {
        if let (Value::Object(source), Value::Int(count), Value::Object(stream)) =
            (pledge.args[0], pledge.args[1], made)
        {
            self.limited.push(Limited {
                stream,
                source,
                left: count.max(0),
            });
        }
    }

    /// The value of a text among the keys of a map.
    pub(super) fn entry(&self, map: Value, name: &str) -> Option<Value> {
        match self.store.object(map)? {
            Object::Map(map) => map.get(&Key::String(name.into())),
            _ => None,
        }
    }
}
