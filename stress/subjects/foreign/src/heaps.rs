//! Collectors.

#[cfg(not(feature = "older"))]
mod bacon_rajan_cc;
#[cfg(not(feature = "older"))]
mod dumpster;
#[cfg(not(feature = "older"))]
mod gc;
#[cfg(not(feature = "older"))]
mod gc_arena;
#[cfg(not(feature = "older"))]
mod rust_cc;

use super::List;

#[cfg(feature = "older")]
pub(super) fn all(_list: &mut List) {}

#[cfg(not(feature = "older"))]
pub(super) fn all(list: &mut List) {
    list.heap::<gc::Heap<true>>();
    list.heap::<gc::Heap<false>>();
    list.heap::<rust_cc::Heap>();
    list.heap::<dumpster::Heap>();
    list.heap::<bacon_rajan_cc::First>();
    list.heap::<bacon_rajan_cc::Second>();
    list.heap::<gc_arena::Heap>();
}
