//! What an operation is about to allocate, object by object.

use super::Mutator;
use super::array::{ARRAY_WORDS, grown_capacity};
use super::map::{self, MAP_WORDS};
use super::text::string_words;
use crate::checks::Checks;
use crate::object::HEADER_WORDS;
use crate::value::Value;

impl<'p, C: Checks> Mutator<'p, C> {
    /// How many bytes the object takes, its own parts not counted; 0 if it is none.
    #[inline]
    pub fn size_bytes(&self, value: Value<'p>) -> usize {
        match value.is_object() {
            true => 8 * self.region().header(self.offset(value)).size_words() as usize,
            false => 0,
        }
    }
}

impl<C: Checks> Mutator<'_, C> {
    /// From this size on it pays to [make way](Self::make_way).
    const WAY: usize = 64 << 10;

    /// Says that so many bytes outside of the heap are about to be taken for what is
    /// being done, which is charged when the slice has ended: free memory of the heap's makes way
    /// for them.
    #[inline]
    pub fn make_way(&self, bytes: usize) {
        if bytes >= Self::WAY {
            self.heap().make_way(bytes as u64);
        }
    }
}

/// Sizes in words of the objects that one operation makes, for [`Mutator::grant`].
///
/// [`Mutator::grant`]: super::Mutator::grant
#[derive(Clone, Debug, Default)]
pub struct Sizes(Vec<u32>);

impl Sizes {
    /// A string of so many bytes.
    pub fn string(&mut self, bytes: usize) -> &mut Self {
        self.0.push(string_words(bytes));
        self
    }

    /// An int, which is an object when it is a large one.
    pub fn int(&mut self, value: i64) -> &mut Self {
        if Value::small_int(value).is_none() {
            self.0.push(HEADER_WORDS + 1);
        }
        self
    }

    /// An array of so many elements.
    pub fn array(&mut self, elements: u32) -> &mut Self {
        self.0.push(ARRAY_WORDS);
        if elements > 0 {
            self.0.push(HEADER_WORDS + elements);
        }
        self
    }

    /// What an array of `len` elements with room for `capacity` needs for one more.
    pub fn growth(&mut self, len: u32, capacity: u32) -> &mut Self {
        if len >= capacity {
            self.0
                .push(HEADER_WORDS + grown_capacity(capacity, len.saturating_add(1)));
        }
        self
    }

    /// A map that gets so many entries.
    pub fn map(&mut self, entries: u32) -> &mut Self {
        self.0.push(MAP_WORDS);
        self.0.extend(map::storage_sizes(entries));
        self
    }

    /// An error; its message and payload are objects of their own.
    pub fn error(&mut self) -> &mut Self {
        self.0.push(HEADER_WORDS + 2);
        self
    }

    /// An unscheduled future with so many arguments.
    pub fn unscheduled(&mut self, args: u32) -> &mut Self {
        self.0.push(HEADER_WORDS + 1 + args);
        self
    }
}

impl IntoIterator for Sizes {
    type Item = u32;
    type IntoIter = std::vec::IntoIter<u32>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl IntoIterator for &mut Sizes {
    type Item = u32;
    type IntoIter = std::vec::IntoIter<u32>;

    fn into_iter(self) -> Self::IntoIter {
        std::mem::take(&mut self.0).into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Unchecked;
    use crate::config::HeapConfig;
    use crate::debug_mode::HeapDebug;
    use crate::heap::Heap;
    use crate::holder::Holder;

    #[test]
    fn sizes_are_those_of_the_objects() {
        let heap = Heap::new(HeapConfig::default(), HeapDebug::default()).expect("address space");
        let holder = Holder::new(&heap, "test", 0);
        let permit = heap.try_shared().expect("nobody collects");
        let m = permit.mutator::<Unchecked>(holder.tlab());
        let used = |make: &dyn Fn() -> bool| {
            m.reserve(100).expect("a nursery with room");
            let before = m.tlab.room();
            assert!(make());
            before - m.tlab.room()
        };
        let words = |sizes: &mut Sizes| sizes.into_iter().sum::<u32>();
        let empty = || Sizes::default();
        assert_eq!(
            used(&|| m.string("a text of some bytes").is_ok()),
            words(empty().string(20))
        );
        for value in [1, i64::MAX] {
            assert_eq!(used(&|| m.int(value).is_ok()), words(empty().int(value)));
        }
        for len in [0, 7] {
            let elements = vec![Value::NIL; len];
            let size = words(empty().array(len as u32));
            assert_eq!(used(&|| m.array(&elements).is_ok()), size);
        }
        for len in [0, 1, 4, 5, 9] {
            let pairs: Vec<_> = (0..len)
                .map(|key| (Value::small_int(key).expect("a small int"), Value::NIL))
                .collect();
            let size = words(empty().map(len as u32));
            assert_eq!(used(&|| m.map_of(&pairs).is_ok()), size, "{len}");
        }
        let error = || m.error(1, Value::NIL, Value::NIL).is_ok();
        assert_eq!(used(&error), words(empty().error()));
        let call = || m.unscheduled(Value::NIL, &[Value::NIL; 3]).is_ok();
        assert_eq!(used(&call), words(empty().unscheduled(3)));
        let array = m.array(&[]).expect("room");
        for _ in 0..9 {
            let (len, capacity) = m.array_room(array).expect("an array");
            let size = words(empty().growth(len, capacity));
            assert_eq!(used(&|| m.array_push(array, Value::NIL).is_ok()), size);
        }
    }
}
