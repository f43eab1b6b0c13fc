//! A value and all that it reaches, as data that heaps and models can be compared by.

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
    /// Id, state, payload (nil while pending, when cancelled, or for an internal error).
    Future(u64, FutureState, GraphValue),
    /// What it goes over and its position.
    Iterator(GraphValue, i64),
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
