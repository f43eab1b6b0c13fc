//! Host operations: what a program asks of the world, as plain data.

use std::pin::Pin;

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

/// `host(name, args…)`: what a machine asks of its host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostRequest {
    /// Name of the operation.
    pub name: String,
    /// Its arguments.
    pub args: Vec<HostValue>,
}

/// A host operation under way. Dropping it ends it; what it has done by then stays done.
/// The error is a message for people.
pub type HostOperation = Pin<Box<dyn Future<Output = Result<HostValue, String>> + Send>>;

/// An operation that fails at once.
pub fn fails(message: String) -> HostOperation {
    Box::pin(std::future::ready(Err(message)))
}

/// Refuses an operation that a platform does not have.
pub fn unknown_operation(request: &HostRequest) -> HostOperation {
    fails(format!("this host has no operation `{}`", request.name))
}
