//! What instructions met before: one cell for each instruction of a function.
//!
//! The instruction that reads a field or calls a method meets instances of one class most of the
//! time. Its cell has the class that it met last and where it found there what it asked for, so that
//! nothing is searched for while that stays so: a *monomorphic inline cache* (Deutsch and Schiffman,
//! "Efficient implementation of the Smalltalk-80 system", 1984). Cells belong to instructions, not to
//! names: that one part of a program uses `x` of one class costs another nothing.
//!
//! A cell is a hint. Machines of many threads share it and write it whole, and what it says is true
//! for as long as the program is there, since classes never change.

use gcrucible_platform::sync::atomic::{AtomicU32, Ordering};

/// The cell of one instruction. All that looks something up in a class by its cell has to ask for
/// the same name at each look; an instruction does.
#[derive(Debug, Default)]
pub(crate) struct Cell {
    /// The class, plus one, and behind it the place in 16 bits. Zero before the first.
    met: AtomicU32,
}

impl Cell {
    /// The cells of a function of so many instructions.
    pub(crate) fn row(instructions: usize) -> Box<[Cell]> {
        (0..instructions).map(|_| Cell::default()).collect()
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
    fn a_cell_knows_the_class_that_it_met_last() {
        let cell = Cell::default();
        assert_eq!(cell.place(0), None);
        assert_eq!(cell.place(u16::MAX), None);
        cell.learn(0, 7);
        assert_eq!(cell.place(0), Some(7));
        assert_eq!(cell.place(1), None);
        cell.learn(1, u16::MAX);
        assert_eq!(cell.place(1), Some(u16::MAX));
        assert_eq!(cell.place(0), None);
    }

    #[test]
    fn the_last_class_is_never_met() {
        let cell = Cell::default();
        cell.learn(u16::MAX, 3);
        assert_eq!(cell.place(u16::MAX), None);
        cell.learn(4, 0);
        cell.learn(u16::MAX, 3);
        assert_eq!((cell.place(4), cell.place(u16::MAX)), (Some(0), None));
    }
}
