//! Lua as a heap.

use std::alloc::Layout;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::{c_int, c_void};

use gcrucible_heap_subject::{
    Caps, Collect, HeapSubject, Inside, Knobs, Look, NoMemory, Node, Probe,
};

use crate::api::{self, State};

/// A state of Lua with what belongs to it.
///
/// # Invariants
/// 1. `state` is open until this drops.
/// 2. `nodes` are the addresses of userdata that Lua has not freed; each holds an [`Inhabitant`].
/// 3. `nodes` outlives the state: it drops after `lua_close`.
pub struct Lua {
    state: *mut State,
    nodes: *mut Nodes,
    /// References in the registry: the metatable of nodes, the table of weak values, that of ephemerons.
    metatable: c_int,
    weak: c_int,
    ephemerons: c_int,
    weak_count: std::cell::Cell<i64>,
}

type Nodes = RefCell<BTreeSet<usize>>;

/// What a userdata holds.
struct Inhabitant {
    probe: Probe,
}

/// Alignment of all memory that Lua gets, as `malloc` gives it.
const ALIGN: usize = 16;

/// A place of the registry.
pub struct Root {
    state: *mut State,
    place: c_int,
}

/// A place of the table of weak values.
#[derive(Clone, Copy)]
pub struct Weak(i64);

/// Lua's allocator. What it frees may hold nodes: they drop here.
unsafe extern "C" fn allocate(
    data: *mut c_void,
    block: *mut c_void,
    old: usize,
    new: usize,
) -> *mut c_void {
    // SAFETY: `data` are the nodes of the state (invariant 3); Lua passes blocks that came from here with their
    // sizes, or null.
    unsafe {
        let layout = |size: usize| Layout::from_size_align_unchecked(size.max(1), ALIGN);
        if new == 0 {
            if !block.is_null() {
                drop_nodes(data.cast(), block as usize, old);
                std::alloc::dealloc(block.cast(), layout(old));
            }
            return std::ptr::null_mut();
        }
        if block.is_null() {
            return std::alloc::alloc(layout(new)).cast();
        }
        std::alloc::realloc(block.cast(), layout(old), new).cast()
    }
}

/// # Safety
/// `nodes` are those of a state, and the block is one that Lua frees.
unsafe fn drop_nodes(nodes: *const Nodes, block: usize, size: usize) {
    // SAFETY: the caller's contract.
    let nodes = unsafe { &*nodes };
    let inside = nodes.borrow().range(block..block + size).next().copied();
    if let Some(at) = inside {
        nodes.borrow_mut().remove(&at);
        // SAFETY: invariant 2.
        unsafe { std::ptr::drop_in_place(at as *mut Inhabitant) };
    }
}

/// `__gc` of a node.
unsafe extern "C" fn finalize(state: *mut State) -> c_int {
    // SAFETY: Lua calls this with a node of ours on its stack.
    unsafe {
        let node = api::lua_touserdata(state, 1).cast::<Inhabitant>();
        (*node).probe.finalizing::<Lua>(&Finalized { state });
    }
    0
}

/// A node in its finalizer: the first thing on the stack.
struct Finalized {
    state: *mut State,
}

impl Finalized {
    /// Pushes what is in a field.
    fn push(&self, field: usize) -> bool {
        // SAFETY: the state is in a call of `finalize`; a number that is no user value pushes nil.
        unsafe {
            api::lua_checkstack(self.state, 4);
            api::lua_getiuservalue(self.state, 1, field as c_int + 1);
            !api::lua_touserdata(self.state, -1).is_null()
        }
    }

    fn pop(&self) {
        // SAFETY: one value was pushed.
        unsafe { api::lua_settop(self.state, -2) }
    }
}

impl Inside<Lua> for Finalized {
    fn look(&self, field: usize) -> Option<Look> {
        let is_there = self.push(field);
        // SAFETY: userdata of this state are nodes.
        let look = is_there.then(|| unsafe {
            let node = api::lua_touserdata(self.state, -1).cast::<Inhabitant>();
            (*node).probe.look()
        });
        self.pop();
        look
    }

    fn take(&self, field: usize) -> Option<Root> {
        if !self.push(field) {
            self.pop();
            return None;
        }
        // SAFETY: a value is on the stack, which `luaL_ref` takes.
        let place = unsafe { api::luaL_ref(self.state, api::REGISTRY) };
        Some(Root {
            state: self.state,
            place,
        })
    }
}

impl Lua {
    /// Makes a root of the value on top of the stack, or forgets it if it is no node.
    fn root(&self) -> Option<Root> {
        // SAFETY: invariant 1; a value is on the stack.
        unsafe {
            if api::lua_touserdata(self.state, -1).is_null() {
                api::lua_settop(self.state, -2);
                return None;
            }
            Some(Root {
                state: self.state,
                place: api::luaL_ref(self.state, api::REGISTRY),
            })
        }
    }

    /// Pushes a value of the registry.
    fn push(&self, place: c_int) {
        // SAFETY: invariant 1.
        unsafe {
            api::lua_checkstack(self.state, 8);
            api::lua_rawgeti(self.state, api::REGISTRY, place.into());
        }
    }

    /// Leaves the stack as it is now when `does` is done.
    fn on_stack<T>(&self, does: impl FnOnce() -> T) -> T {
        // SAFETY: invariant 1.
        let top = unsafe { api::lua_gettop(self.state) };
        let done = does();
        // SAFETY: the stack was so high before.
        unsafe { api::lua_settop(self.state, top) };
        done
    }
}

/// A table whose keys or values are weak, in the registry.
///
/// # Safety
/// The state is open.
unsafe fn weak_table(state: *mut State, mode: &std::ffi::CStr) -> c_int {
    // SAFETY: the caller's contract.
    unsafe {
        api::lua_createtable(state, 0, 0);
        api::lua_createtable(state, 0, 1);
        api::lua_pushstring(state, mode.as_ptr());
        api::lua_setfield(state, -2, c"__mode".as_ptr());
        api::lua_setmetatable(state, -2);
        api::luaL_ref(state, api::REGISTRY)
    }
}

impl HeapSubject for Lua {
    const NAME: &'static str = "lua";
    const CAPS: Caps = Caps::CYCLES
        .and(Caps::WEAK)
        .and(Caps::EPHEMERONS)
        .and(Caps::FINALIZERS)
        .and(Caps::RESURRECTION)
        .and(Caps::FINALIZER_USES)
        .and(Caps::INCREMENTAL)
        .and(Caps::ARRAYS)
        .and(Caps::DEEP)
        .and(Caps::PROMPT);
    const FIELDS_MAX: usize = 64;

    type Ref = Root;
    type Weak = Weak;

    fn new(knobs: &Knobs) -> Self {
        let nodes: *mut Nodes = Box::into_raw(Box::default());
        // SAFETY: the nodes live until the state is closed (invariant 3).
        unsafe {
            let state = api::lua_newstate(allocate, nodes.cast());
            assert!(!state.is_null(), "Lua has no memory");
            api::lua_createtable(state, 0, 1);
            api::lua_pushcclosure(state, finalize, 0);
            api::lua_setfield(state, -2, c"__gc".as_ptr());
            let metatable = api::luaL_ref(state, api::REGISTRY);
            if knobs.extra & 1 == 1 {
                api::lua_gc(state, api::GENERATIONAL, 0_i32, 0_i32);
            } else {
                api::lua_gc(state, api::INCREMENTAL, 0_i32, 0_i32, 0_i32);
            }
            Lua {
                state,
                nodes,
                metatable,
                weak: weak_table(state, c"v"),
                ephemerons: weak_table(state, c"k"),
                weak_count: std::cell::Cell::new(0),
            }
        }
    }

    fn alloc(&self, node: Node) -> Result<Root, NoMemory> {
        // SAFETY: invariant 1; the userdata is as large as what is written to it, and aligned as `malloc` is.
        unsafe {
            api::lua_checkstack(self.state, 8);
            let at =
                api::lua_newuserdatauv(self.state, size_of::<Inhabitant>(), node.fields as c_int);
            at.cast::<Inhabitant>()
                .write(Inhabitant { probe: node.probe });
            (*self.nodes).borrow_mut().insert(at as usize);
            self.push(self.metatable);
            api::lua_setmetatable(self.state, -2);
        }
        self.root().ok_or(NoMemory)
    }

    fn look(&self, at: &Root) -> Look {
        self.on_stack(|| {
            self.push(at.place);
            // SAFETY: userdata of this state are nodes.
            unsafe {
                let node = api::lua_touserdata(self.state, -1).cast::<Inhabitant>();
                if node.is_null() {
                    Look::Garbage
                } else {
                    (*node).probe.look()
                }
            }
        })
    }

    fn get(&self, at: &Root, field: usize) -> Option<Root> {
        self.on_stack(|| {
            self.push(at.place);
            // SAFETY: invariant 1.
            unsafe { api::lua_getiuservalue(self.state, -1, field as c_int + 1) };
            self.root()
        })
    }

    fn set(&self, at: &Root, field: usize, to: Option<&Root>) {
        self.on_stack(|| {
            self.push(at.place);
            match to {
                Some(to) => self.push(to.place),
                // SAFETY: invariant 1.
                None => unsafe { api::lua_pushnil(self.state) },
            }
            // SAFETY: a node and a value are on the stack.
            unsafe { api::lua_setiuservalue(self.state, -2, field as c_int + 1) };
        });
    }

    fn same(&self, one: &Root, other: &Root) -> bool {
        self.on_stack(|| {
            self.push(one.place);
            self.push(other.place);
            // SAFETY: two values are on the stack.
            unsafe { api::lua_rawequal(self.state, -1, -2) == 1 }
        })
    }

    fn clone_root(&self, root: &Root) -> Root {
        self.push(root.place);
        self.root().expect("a root has a node")
    }

    fn unroot(&self, root: Root) {
        // SAFETY: invariant 1; the place is one of `luaL_ref`, given back once.
        unsafe { api::luaL_unref(root.state, api::REGISTRY, root.place) };
    }

    fn collect(&self, how: Collect) {
        // SAFETY: invariant 1.
        unsafe {
            match how {
                Collect::Full => {
                    // What a finalizer was called for is freed by the next one.
                    api::lua_gc(self.state, api::COLLECT);
                    api::lua_gc(self.state, api::COLLECT);
                }
                Collect::Minor | Collect::Step => {
                    api::lua_gc(self.state, api::STEP, 0_i32);
                }
            }
        }
    }

    fn downgrade(&self, root: &Root) -> Weak {
        let number = self.weak_count.get() + 1;
        self.weak_count.set(number);
        self.on_stack(|| {
            self.push(self.weak);
            self.push(root.place);
            // SAFETY: a table and a value are on the stack.
            unsafe { api::lua_rawseti(self.state, -2, number) };
        });
        Weak(number)
    }

    fn upgrade(&self, weak: &Weak) -> Option<Root> {
        self.on_stack(|| {
            self.push(self.weak);
            // SAFETY: a table is on the stack.
            unsafe { api::lua_rawgeti(self.state, -1, weak.0) };
            self.root()
        })
    }

    fn clone_weak(&self, weak: &Weak) -> Weak {
        *weak
    }

    fn ephemeron(&self, key: &Root, value: &Root) {
        // A key has one value in a table: a list of the value and of what the key had before.
        self.on_stack(|| {
            self.push(self.ephemerons);
            self.push(key.place);
            // SAFETY: a table and values are on the stack.
            unsafe {
                api::lua_createtable(self.state, 1, 0);
                self.push(value.place);
                api::lua_rawseti(self.state, -2, 1);
                self.push(key.place);
                api::lua_rawget(self.state, -4);
                api::lua_rawseti(self.state, -2, 2);
                api::lua_rawset(self.state, -3);
            }
        });
    }
}

impl Drop for Lua {
    fn drop(&mut self) {
        // SAFETY: invariants 1 and 3: the state is closed once, and its nodes go after it.
        unsafe {
            api::lua_close(self.state);
            drop(Box::from_raw(self.nodes));
        }
    }
}
