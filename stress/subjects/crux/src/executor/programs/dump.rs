//! Dumps a heap value and all that it reaches.

use gcrucible_heap::{Checks, FutureState as HeapState, Kind, Mutator, StreamState, Value};
use rustc_hash::FxHashMap;

use crate::executor::graph::{FutureState, GraphDump, GraphNode, GraphValue};

/// Dumps `root`: nodes are numbered when the walk first meets them, depth first, left to
/// right.
pub(super) fn dump<'p, C: Checks>(m: &Mutator<'p, C>, root: Value<'p>) -> GraphDump {
    Dumper {
        m,
        numbers: FxHashMap::default(),
        nodes: Vec::new(),
    }
    .run(root)
}

struct Dumper<'m, 'p, C: Checks> {
    m: &'m Mutator<'p, C>,
    numbers: FxHashMap<u64, u32>,
    nodes: Vec<GraphNode>,
}

/// More parts than any object of a stress heap has.
const PARTS_MAX: u32 = 1 << 20;

/// A node whose parts are being dumped.
struct Frame<'p> {
    number: u32,
    value: Value<'p>,
    kind: Kind,
    parts: Vec<Value<'p>>,
    done: Vec<GraphValue>,
}

impl<'p, C: Checks> Dumper<'_, 'p, C> {
    /// No recursion: a list of ten thousand cells is a deep graph.
    fn run(mut self, root: Value<'p>) -> GraphDump {
        let mut stack: Vec<Frame<'p>> = Vec::new();
        let mut result = self.visit(root, &mut stack);
        while let Some(frame) = stack.last_mut() {
            if let Some(value) = result.take() {
                frame.done.push(value);
            }
            let next = frame.done.len();
            if let Some(&part) = frame.parts.get(next) {
                result = self.visit(part, &mut stack);
                continue;
            }
            if let Some(frame) = stack.pop() {
                let number = frame.number;
                let node = self.node(frame);
                self.nodes[number as usize] = node;
                result = Some(GraphValue::Node(number));
            }
        }
        GraphDump {
            root: result.unwrap_or_default(),
            nodes: self.nodes,
        }
    }

    /// The dump of a value, or `None` when a frame was pushed that will give it.
    fn visit(&mut self, value: Value<'p>, stack: &mut Vec<Frame<'p>>) -> Option<GraphValue> {
        let m = self.m;
        if let Some(int) = m.as_int(value) {
            return Some(GraphValue::Int(int));
        }
        if let Some(text) = m.text(value) {
            return Some(GraphValue::String(text.to_owned()));
        }
        let Some(kind) = m.kind(value) else {
            return Some(match (value.as_bool(), value.as_float()) {
                (Some(b), _) => GraphValue::Bool(b),
                (None, Some(float)) => GraphValue::Float(float_bits(float)),
                (None, None) => GraphValue::Nil,
            });
        };
        if let Some(&number) = self.numbers.get(&value.identity()) {
            return Some(GraphValue::Node(number));
        }
        let number = self.nodes.len() as u32;
        self.numbers.insert(value.identity(), number);
        self.nodes.push(GraphNode::Cell(GraphValue::Nil));
        let parts = self.parts(value, kind);
        let done = Vec::with_capacity(parts.len());
        stack.push(Frame {
            number,
            value,
            kind,
            parts,
            done,
        });
        None
    }

    fn parts(&self, value: Value<'p>, kind: Kind) -> Vec<Value<'p>> {
        let m = self.m;
        let all = |count: u32, get: &dyn Fn(u32) -> Option<Value<'p>>| {
            // A count read from dead memory must not decide how much is allocated.
            (0..count.min(PARTS_MAX))
                .map(|index| get(index).unwrap_or(Value::NIL))
                .collect()
        };
        match kind {
            Kind::Array => all(m.array_len(value).unwrap_or(0), &|index| {
                m.array_get(value, index)
            }),
            Kind::Map => {
                let mut parts = Vec::new();
                let mut position = 0;
                while let Some((next, key, found)) = m.map_next(value, position) {
                    parts.extend([key, found]);
                    position = next;
                }
                parts
            }
            Kind::Instance => all(m.field_count(value).unwrap_or(0), &|index| {
                m.field(value, index)
            }),
            Kind::Closure => {
                let count = m.closure_captures(value).unwrap_or(0);
                all(count, &|index| m.closure_capture(value, index))
            }
            Kind::Cell => m.cell_get(value).into_iter().collect(),
            Kind::Error => m
                .error_parts(value)
                .map(|(_, message, payload)| vec![message, payload])
                .unwrap_or_default(),
            Kind::Future => m
                .future_state(value)
                .map(|(state, payload)| match state {
                    HeapState::Ready | HeapState::Error | HeapState::InternalError => {
                        vec![payload]
                    }
                    HeapState::Pending | HeapState::Cancelled => vec![Value::NIL],
                })
                .unwrap_or_default(),
            Kind::Iterator => m
                .iterator_parts(value)
                .map(|(source, _)| vec![source])
                .unwrap_or_default(),
            Kind::Enum => (0..PARTS_MAX)
                .map_while(|index| m.enum_payload(value, index))
                .collect(),
            Kind::Bound => m
                .bound_parts(value)
                .map(|(receiver, _)| vec![receiver])
                .unwrap_or_default(),
            Kind::Channel => all(m.channel_len(value).unwrap_or(0), &|index| {
                m.channel_peek(value, index)
            }),
            Kind::Stream => m.stream_source(value).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    fn node(&self, frame: Frame<'p>) -> GraphNode {
        let m = self.m;
        let Frame {
            value,
            kind,
            mut done,
            ..
        } = frame;
        let shape = m.shape(value).unwrap_or(0);
        match kind {
            Kind::Array => GraphNode::Array(done),
            Kind::Map => {
                let mut entries = Vec::with_capacity(done.len() / 2);
                let mut rest = done.into_iter();
                while let (Some(key), Some(found)) = (rest.next(), rest.next()) {
                    entries.push((key, found));
                }
                GraphNode::Map(entries)
            }
            Kind::Range => {
                let (from, to) = m.range_bounds(value).unwrap_or_default();
                GraphNode::Range(from, to)
            }
            Kind::Instance => GraphNode::Instance(shape, done),
            Kind::Closure => GraphNode::Closure(shape, done),
            Kind::Error => {
                let payload = done.pop().unwrap_or_default();
                GraphNode::Error(shape as u8, done.pop().unwrap_or_default(), payload)
            }
            Kind::Future => {
                let state = match m.future_state(value).map(|(state, _)| state) {
                    Some(HeapState::Ready) => FutureState::Ready,
                    Some(HeapState::Error) => FutureState::Error,
                    Some(HeapState::Cancelled) => FutureState::Cancelled,
                    Some(HeapState::InternalError) => FutureState::InternalError,
                    Some(HeapState::Pending) | None => FutureState::Pending,
                };
                let id = m.future_id(value).unwrap_or(0);
                GraphNode::Future(id, state, done.pop().unwrap_or_default())
            }
            Kind::Iterator => {
                let position = m.iterator_parts(value).map_or(0, |(_, position)| position);
                GraphNode::Iterator(done.pop().unwrap_or_default(), position)
            }
            Kind::Enum => GraphNode::Variant(shape, done),
            Kind::Bound => {
                let method = m.bound_parts(value).map(|(_, method)| method);
                let function = method.and_then(|method| m.closure_function(method));
                GraphNode::Bound(function.unwrap_or(0), done.pop().unwrap_or_default())
            }
            Kind::Channel => {
                let id = m.wait_version(value).map_or(0, |(id, _)| id);
                GraphNode::Channel(id, m.channel_is_closed(value).unwrap_or(false), done)
            }
            Kind::Mutex => {
                let id = m.wait_version(value).map_or(0, |(id, _)| id);
                GraphNode::Mutex(id, m.mutex_holder(value).flatten())
            }
            Kind::Stream => {
                let is_taken = m.stream_state(value) != Some(StreamState::Fresh);
                GraphNode::Stream(is_taken, done.pop().unwrap_or_default())
            }
            Kind::Weak => GraphNode::Weak,
            _ => GraphNode::Cell(done.pop().unwrap_or_default()),
        }
    }
}

fn float_bits(float: f64) -> u64 {
    if float.is_nan() {
        f64::NAN.to_bits()
    } else {
        float.to_bits()
    }
}
