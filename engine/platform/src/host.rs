//! Host operations: what a program asks of the world, as plain data.

use std::pin::Pin;

use crate::{Capabilities, DataBudget, StopToken};

/// A value of plain data: what a host operation takes and gives.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum HostValue {
    /// `nil`.
    #[default]
    Nil,
    /// A bool.
    Bool(bool),
    /// An int.
    Int(i64),
    /// A float.
    Float(f64),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<HostValue>),
    /// A map with string keys, in insertion order.
    Map(Vec<(String, HostValue)>),
}

impl HostValue {
    /// Levels of arrays and maps within each other that engine and host hand to each other
    /// at most.
    pub const LEVELS_MAX: u32 = 64;

    /// Levels of arrays and maps within each other, 0 for what is neither; of more than
    /// [`LEVELS_MAX`](Self::LEVELS_MAX), one more than these.
    pub fn levels(&self) -> u32 {
        self.levels_within(Self::LEVELS_MAX + 1)
    }

    /// Bytes of memory that it takes.
    pub fn bytes(&self) -> u64 {
        let parts: u64 = match self {
            HostValue::String(text) => text.capacity() as u64,
            HostValue::Array(elements) => elements.iter().map(HostValue::bytes).sum(),
            HostValue::Map(entries) => {
                let bytes = |(key, value): &(String, HostValue)| {
                    (size_of::<String>() + key.capacity()) as u64 + value.bytes()
                };
                entries.iter().map(bytes).sum()
            }
            _ => 0,
        };
        size_of::<HostValue>() as u64 + parts
    }

    /// Whether it has more parts than so many; it looks no further than that.
    pub fn has_more_parts_than(&self, most: usize) -> bool {
        fn take(data: &HostValue, left: &mut usize) -> Option<()> {
            *left = left.checked_sub(1)?;
            match data {
                HostValue::Array(elements) => elements.iter().try_for_each(|part| take(part, left)),
                HostValue::Map(entries) => {
                    entries.iter().try_for_each(|(_, part)| take(part, left))
                }
                _ => Some(()),
            }
        }
        take(self, &mut { most }).is_none()
    }

    fn levels_within(&self, most: u32) -> u32 {
        if most == 0 {
            return 0;
        }
        let deepest = |levels: &mut dyn Iterator<Item = &HostValue>| {
            1 + levels
                .map(|part| part.levels_within(most - 1))
                .max()
                .unwrap_or(0)
        };
        match self {
            HostValue::Array(elements) => deepest(&mut elements.iter()),
            HostValue::Map(entries) => deepest(&mut entries.iter().map(|(_, value)| value)),
            _ => 0,
        }
    }
}

/// `host(name, args…)`: what a machine asks of its host. Requests are equal if the same is asked
/// for.
#[derive(Clone, Debug, Default)]
pub struct HostRequest {
    /// Name of the operation.
    pub name: String,
    /// Its arguments.
    pub args: Vec<HostValue>,
    /// Fires when the task that asks is cancelled.
    pub stop: StopToken,
    /// What the program may touch; the engine says so when it passes the request on.
    pub capabilities: Capabilities,
    /// What an operation asks before it takes memory for data of unknown size. It is no part of
    /// what is asked for, either.
    pub budget: DataBudget,
}

impl PartialEq for HostRequest {
    fn eq(&self, other: &HostRequest) -> bool {
        self.name == other.name && self.args == other.args
    }
}

/// A host operation under way. Dropping it ends it; what it has done by then stays done. It is
/// dropped in the middle when the task that asked is out of time, and when it has not ended by
/// itself within the grace time after the task was cancelled ([`HostRequest::stop`]).
/// The error is a message for people. One that panics ends the task that asked for it, with an
/// internal error, and harms nobody else.
pub type HostOperation = Pin<Box<dyn Future<Output = Result<HostValue, String>> + Send>>;

/// An operation that fails at once.
pub fn fails(message: String) -> HostOperation {
    Box::pin(std::future::ready(Err(message)))
}

/// Refuses an operation that a platform does not have.
pub fn unknown_operation(request: &HostRequest) -> HostOperation {
    fails(format!("this host has no operation `{}`", request.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_the_deepest_part() {
        let nested = |levels| (0..levels).fold(HostValue::Nil, |v, _| HostValue::Array(vec![v]));
        assert_eq!(HostValue::Int(1).levels(), 0);
        assert_eq!(HostValue::Map(Vec::new()).levels(), 1);
        let part = ("k".to_owned(), nested(3));
        let wide = HostValue::Array(vec![HostValue::Nil, HostValue::Map(vec![part]), nested(1)]);
        assert_eq!(wide.levels(), 5);
        assert_eq!(
            nested(HostValue::LEVELS_MAX).levels(),
            HostValue::LEVELS_MAX
        );
        assert_eq!(nested(200).levels(), HostValue::LEVELS_MAX + 1);
    }
}
