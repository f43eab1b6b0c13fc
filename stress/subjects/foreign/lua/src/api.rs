//! The parts of Lua's C interface that are needed here.

use std::ffi::{c_char, c_int, c_void};

/// A state of Lua.
#[repr(C)]
pub struct State {
    _private: [u8; 0],
}

pub type Function = unsafe extern "C" fn(*mut State) -> c_int;
pub type Alloc = unsafe extern "C" fn(*mut c_void, *mut c_void, usize, usize) -> *mut c_void;

pub const REGISTRY: c_int = -1_001_000;
pub const COLLECT: c_int = 2;
pub const STEP: c_int = 5;
pub const GENERATIONAL: c_int = 10;
pub const INCREMENTAL: c_int = 11;

unsafe extern "C" {
    pub fn lua_newstate(alloc: Alloc, data: *mut c_void) -> *mut State;
    pub fn lua_close(state: *mut State);
    pub fn lua_newuserdatauv(state: *mut State, size: usize, values: c_int) -> *mut c_void;
    pub fn lua_setiuservalue(state: *mut State, at: c_int, number: c_int) -> c_int;
    pub fn lua_getiuservalue(state: *mut State, at: c_int, number: c_int) -> c_int;
    pub fn luaL_ref(state: *mut State, table: c_int) -> c_int;
    pub fn luaL_unref(state: *mut State, table: c_int, reference: c_int);
    pub fn lua_rawgeti(state: *mut State, at: c_int, number: i64) -> c_int;
    pub fn lua_rawseti(state: *mut State, at: c_int, number: i64);
    pub fn lua_rawget(state: *mut State, at: c_int) -> c_int;
    pub fn lua_rawset(state: *mut State, at: c_int);
    pub fn lua_rawequal(state: *mut State, one: c_int, other: c_int) -> c_int;
    pub fn lua_touserdata(state: *mut State, at: c_int) -> *mut c_void;
    pub fn lua_settop(state: *mut State, top: c_int);
    pub fn lua_gettop(state: *mut State) -> c_int;
    pub fn lua_checkstack(state: *mut State, count: c_int) -> c_int;
    pub fn lua_createtable(state: *mut State, list: c_int, fields: c_int);
    pub fn lua_setfield(state: *mut State, at: c_int, key: *const c_char);
    pub fn lua_setmetatable(state: *mut State, at: c_int) -> c_int;
    pub fn lua_pushcclosure(state: *mut State, function: Function, values: c_int);
    pub fn lua_pushnil(state: *mut State);
    pub fn lua_pushstring(state: *mut State, text: *const c_char) -> *const c_char;
    pub fn lua_gc(state: *mut State, what: c_int, ...) -> c_int;
}
