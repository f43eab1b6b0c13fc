//! Address space for heaps.

use std::io;
use std::ptr::NonNull;

/// Makes large blocks of the process's own memory go back to the operating system as soon as they
/// are free. The C library would keep them, from the second of a size on, and with them more than
/// a process that has served large answers needs.
pub fn return_large_blocks() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the function takes two numbers, and may be called at any time.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 * 1024);
    }
}

/// A reserved range of zeroed, readable and writable memory. Pages cost nothing until
/// they are touched.
///
/// # Invariants
/// 1. `base` points to `len` mapped bytes for as long as the value lives.
#[derive(Debug)]
pub struct Reservation {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to no thread; who may access it is the owner's business.
unsafe impl Send for Reservation {}
// SAFETY: as for `Send`; the type itself hands out no references.
unsafe impl Sync for Reservation {}

impl Reservation {
    /// Reserves `len` bytes, rounded up to whole pages.
    ///
    /// # Errors
    /// What the operating system says when it has no address space left.
    pub fn new(len: usize) -> io::Result<Self> {
        let len = len.max(1).next_multiple_of(4096);
        // SAFETY: a fresh anonymous private mapping aliases nothing.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { base, len })
    }

    /// Gives the whole pages of a range back to the operating system: they cost nothing until
    /// they are touched again, and are zeroed then. Nobody may use the range meanwhile.
    ///
    /// # Panics
    /// If the range is not within the reservation.
    pub fn give_back(&self, from: usize, len: usize) {
        assert!(
            from + len <= self.len,
            "the range is within the reservation"
        );
        let start = from.next_multiple_of(4096);
        let end = (from + len) / 4096 * 4096;
        if start >= end {
            return;
        }
        // SAFETY: the pages are within the mapping, which is anonymous and private: they stay
        // mapped, readable and writable, and read as zeros. It is advice: to fail is harmless.
        unsafe {
            libc::madvise(
                self.base.as_ptr().add(start).cast(),
                end - start,
                libc::MADV_DONTNEED,
            );
        }
    }

    /// The first byte; page-aligned.
    pub fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Length in bytes.
    #[allow(clippy::len_without_is_empty, reason = "a reservation is never empty")]
    pub fn len(&self) -> usize {
        self.len
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // SAFETY: invariant 1; nobody can reach the mapping through this value afterwards.
        unsafe {
            libc::munmap(self.base.as_ptr().cast(), self.len);
        }
    }
}
