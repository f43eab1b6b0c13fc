//! A mark-sweep heap that marks in steps, between which the program goes on.
//!
//! It has a bug on purpose, which `tests/crucible.rs` finds: docs/your-own-heap.md.

use std::cell::RefCell;
use std::rc::Rc;

/// How far the collector is with a node (Dijkstra et al., CACM 1978).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Colour {
    /// Not seen: garbage, if marking ends so.
    White,
    /// Seen; its fields are not.
    Gray,
    /// Seen, with all its fields.
    Black,
}

/// A place in the heap, and which of the nodes that lived there is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
struct At {
    place: usize,
    number: u64,
}

struct Node<T> {
    value: T,
    fields: Vec<Option<At>>,
    number: u64,
    roots: u32,
    colour: Colour,
}

struct Inner<T> {
    nodes: Vec<Option<Node<T>>>,
    free: Vec<usize>,
    gray: Vec<usize>,
    allocated: u64,
    is_marking: bool,
}

/// The heap.
pub struct Heap<T>(Rc<RefCell<Inner<T>>>);

/// Keeps a node alive, from outside the heap.
pub struct Root<T> {
    heap: Rc<RefCell<Inner<T>>>,
    at: At,
}

/// Finds a node as long as it lives.
#[derive(Clone)]
pub struct Weak(At);

impl<T> Heap<T> {
    /// A heap without nodes.
    pub fn new() -> Self {
        Heap(Rc::new(RefCell::new(Inner {
            nodes: Vec::new(),
            free: Vec::new(),
            gray: Vec::new(),
            allocated: 0,
            is_marking: false,
        })))
    }

    /// A node with a value and so many empty fields.
    pub fn alloc(&self, value: T, fields: usize) -> Root<T> {
        let mut heap = self.0.borrow_mut();
        heap.allocated += 1;
        let number = heap.allocated;
        let node = Node {
            value,
            fields: vec![None; fields],
            number,
            roots: 0,
            // If it is still of use when marking ends, it is found.
            colour: Colour::White,
        };
        let place = heap.free.pop().unwrap_or(heap.nodes.len());
        if place == heap.nodes.len() {
            heap.nodes.push(None);
        }
        heap.nodes[place] = Some(node);
        drop(heap);
        self.root(At { place, number })
    }

    /// Shows the value of a node.
    pub fn with<R>(&self, root: &Root<T>, see: impl FnOnce(&T) -> R) -> R {
        see(&self
            .0
            .borrow()
            .node(root.at)
            .expect("a root keeps its node")
            .value)
    }

    /// What a field refers to.
    pub fn get(&self, root: &Root<T>, field: usize) -> Option<Root<T>> {
        let at = self.0.borrow().node(root.at)?.fields[field]?;
        Some(self.root(at))
    }

    /// Makes a field refer to something else.
    pub fn set(&self, root: &Root<T>, field: usize, to: Option<&Root<T>>) {
        let mut heap = self.0.borrow_mut();
        let node = heap.nodes[root.at.place]
            .as_mut()
            .expect("a root keeps its node");
        node.fields[field] = to.map(|to| to.at);
        // The bug of this example: if marking is under way and `node` is black already,
        // nobody looks at its fields again. What was stored must be marked here.
    }

    /// A weak reference.
    pub fn downgrade(&self, root: &Root<T>) -> Weak {
        Weak(root.at)
    }

    /// The node of a weak reference, if it lives.
    pub fn upgrade(&self, weak: &Weak) -> Option<Root<T>> {
        self.0.borrow().node(weak.0)?;
        Some(self.root(weak.0))
    }

    /// Marks one node, or begins to mark, or sweeps when all is marked.
    pub fn step(&self) {
        let mut heap = self.0.borrow_mut();
        if !heap.is_marking {
            heap.mark_roots();
        } else if !heap.mark_one() {
            let dead = heap.sweep();
            drop(heap);
            drop(dead);
        }
    }

    /// Ends the marking that is under way, and then collects everything.
    pub fn collect(&self) {
        for _ in 0..2 {
            let mut heap = self.0.borrow_mut();
            if !heap.is_marking {
                heap.mark_roots();
            }
            while heap.mark_one() {}
            let dead = heap.sweep();
            drop(heap);
            drop(dead);
        }
    }

    fn root(&self, at: At) -> Root<T> {
        if let Some(node) = &mut self.0.borrow_mut().nodes[at.place] {
            node.roots += 1;
        }
        Root {
            heap: Rc::clone(&self.0),
            at,
        }
    }
}

impl<T> Default for Heap<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Inner<T> {
    fn node(&self, at: At) -> Option<&Node<T>> {
        let node = self.nodes[at.place].as_ref()?;
        (node.number == at.number).then_some(node)
    }

    /// Marks a node that was not seen, if marking is under way.
    fn shade(&mut self, place: usize) {
        if let Some(node) = &mut self.nodes[place]
            && self.is_marking
            && node.colour == Colour::White
        {
            node.colour = Colour::Gray;
            self.gray.push(place);
        }
    }

    /// Marks what is rooted, as far as that was not seen yet.
    fn mark_roots(&mut self) {
        self.is_marking = true;
        for place in 0..self.nodes.len() {
            if self.nodes[place]
                .as_ref()
                .is_some_and(|node| node.roots > 0)
            {
                self.shade(place);
            }
        }
    }

    /// Marks what one node refers to. Returns whether there was one.
    fn mark_one(&mut self) -> bool {
        if self.gray.is_empty() {
            // Roots come and go while marking is under way.
            self.mark_roots();
        }
        let Some(place) = self.gray.pop() else {
            return false;
        };
        let Some(node) = &mut self.nodes[place] else {
            return true;
        };
        node.colour = Colour::Black;
        let fields = node.fields.clone();
        for at in fields.into_iter().flatten() {
            self.shade(at.place);
        }
        true
    }

    /// Takes what is white out of the heap.
    fn sweep(&mut self) -> Vec<Node<T>> {
        self.is_marking = false;
        let mut dead = Vec::new();
        for place in 0..self.nodes.len() {
            match &mut self.nodes[place] {
                Some(node) if node.colour == Colour::White => {
                    dead.extend(self.nodes[place].take());
                    self.free.push(place);
                }
                Some(node) => node.colour = Colour::White,
                None => {}
            }
        }
        dead
    }
}

impl<T> Root<T> {
    /// Whether both are roots of one node.
    pub fn is_same(&self, other: &Root<T>) -> bool {
        self.at == other.at
    }
}

impl<T> Clone for Root<T> {
    fn clone(&self) -> Self {
        Heap(Rc::clone(&self.heap)).root(self.at)
    }
}

impl<T> Drop for Root<T> {
    fn drop(&mut self) {
        if let Some(node) = &mut self.heap.borrow_mut().nodes[self.at.place] {
            node.roots -= 1;
        }
    }
}
