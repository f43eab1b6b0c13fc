//! What instructions met before: a site for each that looks something up in a class.
//!
//! The instruction that reads a field or calls a method meets instances of one class most of the
//! time. Its site has the class that it met last and where it found there what it asked for, so that
//! nothing is searched for while that stays so: a *monomorphic inline cache* (Deutsch and Schiffman,
//! "Efficient implementation of the Smalltalk-80 system", 1984). Sites belong to instructions, not to
//! names: that one part of a program uses `x` of one class costs another nothing.
//!
//! What a site has met is a hint. Machines of many threads share it and write it whole, and what it
//! says is true for as long as the program is there, since classes never change.

use gcrucible_platform::sync::atomic::{AtomicU32, Ordering};

/// An instruction that asks instances for what is called so.
#[derive(Debug)]
pub(crate) struct Site {
    /// The constant with the name.
    pub(crate) name: u16,
    /// The class, plus one, and behind it the place in 16 bits. Zero before the first.
    met: AtomicU32,
}

impl Site {
    /// One that has met nothing.
    pub(crate) fn new(name: u16) -> Self {
        Site {
            name,
            met: AtomicU32::new(0),
        }
    }

    /// Where in `class` it is, if that is the class that was met last.
    #[inline(always)]
    pub(crate) fn place(&self, class: u16) -> Option<u16> {
        let met = self.met.load(Ordering::Relaxed);
        (met >> 16 == u32::from(class) + 1).then_some(met as u16)
    }

    /// Remembers where in `class` it is.
    pub(crate) fn learn(&self, class: u16, place: u16) {
        // The last class of all has no number here, and is searched through each time.
        if class < u16::MAX {
            let met = (u32::from(class) + 1) << 16 | u32::from(place);
            self.met.store(met, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_knows_the_class_that_it_met_last() {
        let site = Site::new(9);
        assert_eq!(site.place(0), None);
        assert_eq!(site.place(u16::MAX), None);
        site.learn(0, 7);
        assert_eq!(site.place(0), Some(7));
        assert_eq!(site.place(1), None);
        site.learn(1, u16::MAX);
        assert_eq!(site.place(1), Some(u16::MAX));
        assert_eq!(site.place(0), None);
    }

    #[test]
    fn the_last_class_is_never_met() {
        let site = Site::new(9);
        site.learn(u16::MAX, 3);
        assert_eq!(site.place(u16::MAX), None);
        site.learn(4, 0);
        site.learn(u16::MAX, 3);
        assert_eq!((site.place(4), site.place(u16::MAX)), (Some(0), None));
    }
}
