//! An allocation that fails on demand.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// What is still to be refused before the failure is complete. Whoever needs memory asks,
/// collects, asks again, collects everything, and then asks whether the heap is at its
/// limit: two refusals and a yes make an error of it.
#[derive(Debug, Default)]
pub(crate) struct Denial(AtomicU8);

impl Denial {
    const NONE: u8 = 0;
    const AT_LIMIT: u8 = 1;
    const BEGUN: u8 = 3;

    /// The next allocation fails.
    pub(crate) fn begin(&self) {
        self.0.store(Self::BEGUN, Relaxed);
    }

    /// Whether a request for memory is refused. One that comes after both refusals is not:
    /// whoever was refused did not ask for the limit.
    #[inline]
    pub(crate) fn refuses(&self) -> bool {
        let left = self.0.load(Relaxed);
        if left == Self::NONE {
            return false;
        }
        self.0.store(left - 1, Relaxed);
        left > Self::AT_LIMIT
    }

    /// Whether the heap must say that it is at its limit, which ends the failure.
    pub(crate) fn has_the_last_word(&self) -> bool {
        self.0
            .compare_exchange(Self::AT_LIMIT, Self::NONE, Relaxed, Relaxed)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_two_refusals_and_a_limit() {
        let denial = Denial::default();
        assert!(!denial.refuses());
        assert!(!denial.has_the_last_word());
        denial.begin();
        assert!(denial.refuses());
        assert!(!denial.has_the_last_word(), "one collection may still help");
        assert!(denial.refuses());
        assert!(denial.has_the_last_word());
        assert!(!denial.has_the_last_word());
        assert!(!denial.refuses());
    }

    #[test]
    fn who_asks_a_third_time_ends_it() {
        let denial = Denial::default();
        denial.begin();
        assert_eq!(
            [denial.refuses(), denial.refuses(), denial.refuses()],
            [true, true, false]
        );
        assert!(!denial.has_the_last_word());
    }
}
