//! A value and all that it reaches, as data that heaps and models can be compared by.

use gcrucible_bytecode::ErrorKind;

/// A value with everything it reaches. Nodes are numbered in the order of a depth-first,
/// left-to-right walk from the root, so two isomorphic graphs have equal dumps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct GraphDump {
    /// The value itself.
    pub root: GraphValue,
    /// What it reaches; `GraphValue::Node` indexes it. A node's number is given when the
    /// walk first meets it, before its parts.
    pub nodes: Vec<GraphNode>,
}

impl GraphDump {
    /// The object that the value is, unless it is a plain value.
    pub fn root_node(&self) -> Option<&GraphNode> {
        match self.root {
            GraphValue::Node(node) => self.nodes.get(node as usize),
            _ => None,
        }
    }

    /// A thrown value in a few words: kind and message of an error, with its payload if
    /// that is a plain value; else what kind of value it is.
    pub fn error_text(&self) -> String {
        let Some(GraphNode::Error(kind, message, payload)) = self.root_node() else {
            return match self.root_node() {
                Some(_) => "a thrown object".to_owned(),
                None => format!("the thrown value {}", self.root.text()),
            };
        };
        let name = ErrorKind::from_number(*kind).map_or("an unknown error", ErrorKind::name);
        let payload = match payload {
            GraphValue::Nil | GraphValue::Node(_) => String::new(),
            plain => format!(" ({})", plain.text()),
        };
        format!("{name}: {}{payload}", message.text())
    }
}

/// A value inside a dump. Strings and boxed ints are values: they have no identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum GraphValue {
    /// nil
    #[default]
    Nil,
    /// A bool.
    Bool(bool),
    /// An int, boxed or not.
    Int(i64),
    /// A float, by its bits (all NaNs are one).
    Float(u64),
    /// A string by content.
    String(String),
    /// An object, by index.
    Node(u32),
}

impl GraphValue {
    /// A plain value as people read it.
    fn text(&self) -> String {
        match self {
            GraphValue::Nil => "nil".to_owned(),
            GraphValue::Bool(value) => value.to_string(),
            GraphValue::Int(value) => value.to_string(),
            GraphValue::Float(bits) => f64::from_bits(*bits).to_string(),
            GraphValue::String(text) => text.clone(),
            GraphValue::Node(_) => "an object".to_owned(),
        }
    }
}

/// An object inside a dump.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum GraphNode {
    /// The elements.
    Array(Vec<GraphValue>),
    /// The entries in insertion order.
    Map(Vec<(GraphValue, GraphValue)>),
    /// Start and end.
    Range(i64, i64),
    /// Class and fields.
    Instance(u16, Vec<GraphValue>),
    /// Function and captured cells.
    Closure(u16, Vec<GraphValue>),
    /// What it holds.
    Cell(GraphValue),
    /// Kind number, message, payload.
    Error(u8, GraphValue, GraphValue),
    /// Id, state, payload (nil while pending or when cancelled).
    Future(u64, FutureState, GraphValue),
    /// What it goes over and its position.
    Iterator(GraphValue, i64),
    /// Variant and payload of an enum value.
    Variant(u16, Vec<GraphValue>),
    /// Function and receiver of a bound method.
    Bound(u16, GraphValue),
    /// Id, whether it is closed, what waits in it.
    Channel(u64, bool, Vec<GraphValue>),
    /// Id, and the task that holds it.
    Mutex(u64, Option<u32>),
    /// Whether it was taken, and the function it draws from (nil when it has ended).
    Stream(bool, GraphValue),
    /// A weak reference; its target is no part of the graph.
    Weak,
}

/// State of a future as everybody can see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FutureState {
    /// Not settled yet.
    Pending,
    /// Settled with a value.
    Ready,
    /// Settled with an error.
    Error,
    /// Cancelled.
    Cancelled,
    /// The engine failed.
    InternalError,
}
