//! Atomics: what the standard library has, as types of our own.
//!
//! They are wrapped and not re-exported so that they can be told from the others, which are banned.
#![allow(
    clippy::disallowed_types,
    reason = "this is the seam that the ban points to"
)]

/// What the atomics are made of.
use std::sync::atomic as machine;

pub use std::sync::atomic::Ordering;

/// An atomic of `$inner` for values of the type `$value`.
macro_rules! wrapper {
    ($(#[$doc:meta])* $name:ident, $inner:ty, $value:ty) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        #[repr(transparent)]
        pub struct $name($inner);

        impl $name {
            /// One that holds `value`.
            #[inline(always)]
            pub const fn new(value: $value) -> Self {
                Self(<$inner>::new(value))
            }

            /// Reads it.
            #[inline(always)]
            pub fn load(&self, order: Ordering) -> $value {
                self.0.load(order)
            }

            /// Writes it.
            #[inline(always)]
            pub fn store(&self, value: $value, order: Ordering) {
                self.0.store(value, order);
            }

            /// Writes it; what it held before.
            #[inline(always)]
            pub fn swap(&self, value: $value, order: Ordering) -> $value {
                self.0.swap(value, order)
            }

            /// Writes `new` if it holds `current`; what it held before, as an error if that was
            /// something else.
            ///
            /// # Errors
            /// See above.
            #[inline(always)]
            pub fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.0.compare_exchange(current, new, success, failure)
            }

            /// The same, which may fail although it holds `current`.
            ///
            /// # Errors
            /// See above.
            #[inline(always)]
            pub fn compare_exchange_weak(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.0.compare_exchange_weak(current, new, success, failure)
            }

            /// Writes what `change` makes of what it holds, as long as that is something; what it
            /// held before, as an error if nothing was written.
            ///
            /// # Errors
            /// See above.
            #[inline]
            pub fn fetch_update(
                &self,
                success: Ordering,
                failure: Ordering,
                change: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                self.0.fetch_update(success, failure, change)
            }

            /// Its value, which nobody else can see now.
            #[inline(always)]
            pub fn get_mut(&mut self) -> &mut $value {
                self.0.get_mut()
            }

            /// Its value.
            #[inline(always)]
            pub fn into_inner(self) -> $value {
                self.0.into_inner()
            }
        }

        impl From<$value> for $name {
            fn from(value: $value) -> Self {
                Self::new(value)
            }
        }
    };
}

/// The operations of integers; each returns what was there before.
macro_rules! arithmetic {
    ($name:ident, $value:ty) => {
        impl $name {
            /// Adds, round the end.
            #[inline(always)]
            pub fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                self.0.fetch_add(value, order)
            }

            /// Subtracts, round the end.
            #[inline(always)]
            pub fn fetch_sub(&self, value: $value, order: Ordering) -> $value {
                self.0.fetch_sub(value, order)
            }

            /// Keeps the larger one.
            #[inline(always)]
            pub fn fetch_max(&self, value: $value, order: Ordering) -> $value {
                self.0.fetch_max(value, order)
            }

            /// Keeps the smaller one.
            #[inline(always)]
            pub fn fetch_min(&self, value: $value, order: Ordering) -> $value {
                self.0.fetch_min(value, order)
            }

            /// Keeps the bits that both have.
            #[inline(always)]
            pub fn fetch_and(&self, value: $value, order: Ordering) -> $value {
                self.0.fetch_and(value, order)
            }

            /// Keeps the bits that either has.
            #[inline(always)]
            pub fn fetch_or(&self, value: $value, order: Ordering) -> $value {
                self.0.fetch_or(value, order)
            }
        }
    };
}

pub(super) use {arithmetic, wrapper};

wrapper!(
    /// A bool.
    AtomicBool, machine::AtomicBool, bool
);
wrapper!(
    /// An integer of 8 bits.
    AtomicU8, machine::AtomicU8, u8
);
wrapper!(
    /// An integer of 32 bits.
    AtomicU32, machine::AtomicU32, u32
);
wrapper!(
    /// An integer of 64 bits.
    AtomicU64, machine::AtomicU64, u64
);
wrapper!(
    /// An integer as large as an address.
    AtomicUsize, machine::AtomicUsize, usize
);
arithmetic!(AtomicU8, u8);
arithmetic!(AtomicU32, u32);
arithmetic!(AtomicU64, u64);
arithmetic!(AtomicUsize, usize);

/// A pointer.
#[derive(Debug)]
#[repr(transparent)]
pub struct AtomicPtr<T>(machine::AtomicPtr<T>);

impl<T> AtomicPtr<T> {
    /// One that holds `pointer`.
    pub const fn new(pointer: *mut T) -> Self {
        Self(machine::AtomicPtr::new(pointer))
    }

    /// Reads it.
    #[inline(always)]
    pub fn load(&self, order: Ordering) -> *mut T {
        self.0.load(order)
    }

    /// Writes it.
    #[inline(always)]
    pub fn store(&self, pointer: *mut T, order: Ordering) {
        self.0.store(pointer, order);
    }

    /// Writes `new` if it holds `current`; what it held before, as an error if that was something
    /// else.
    ///
    /// # Errors
    /// See above.
    #[inline(always)]
    pub fn compare_exchange(
        &self,
        current: *mut T,
        new: *mut T,
        success: Ordering,
        failure: Ordering,
    ) -> Result<*mut T, *mut T> {
        self.0.compare_exchange(current, new, success, failure)
    }
}

impl AtomicBool {
    /// Keeps true if either is; what it was before.
    #[inline(always)]
    pub fn fetch_or(&self, value: bool, order: Ordering) -> bool {
        self.0.fetch_or(value, order)
    }

    /// Keeps true if both are; what it was before.
    #[inline(always)]
    pub fn fetch_and(&self, value: bool, order: Ordering) -> bool {
        self.0.fetch_and(value, order)
    }
}
