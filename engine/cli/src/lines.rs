//! What is written to standard output and standard error, whoever reads it, or does not.
//!
//! A process that serves must not depend on its readers: a pipe that nobody empties holds up who
//! writes to it, and one that is closed fails. So once it is [started](start) all text goes
//! through a queue of bounded length, and a thread for each of both streams writes it. What
//! finds the queue full, or cannot be written, is dropped and counted.
//!
//! Before that, and in commands that serve nothing, text is written at once.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use gcrucible_platform::sync::{Condvar, Mutex};

/// Bytes that wait for a stream, at most. A piece of text that is longer is dropped, too.
const WAITING_MAX: usize = 1 << 20;

static STREAMS: OnceLock<[Arc<Stream>; 2]> = OnceLock::new();

/// Writes a line to standard error.
macro_rules! say {
    ($($arg:tt)*) => {
        $crate::lines::err(&format!("{}\n", format_args!($($arg)*)))
    };
}

/// A stream's queue.
struct Stream {
    /// Whether it tells its reader how much is missing.
    says_what_is_missing: bool,
    queue: Mutex<Queue>,
    /// Something waits, or has been written.
    news: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<u8>,
    /// Whether the thread is at work on what it has taken.
    is_writing: bool,
    dropped: u64,
    /// Those that the reader has been told of.
    dropped_said: u64,
}

/// From now on nobody waits for who reads.
///
/// # Errors
/// When the operating system gives neither threads nor files.
pub(crate) fn start() -> io::Result<()> {
    let out = io::stdout().as_fd().try_clone_to_owned()?;
    let err = io::stderr().as_fd().try_clone_to_owned()?;
    let streams = [Stream::new(false), Stream::new(true)];
    for (stream, file) in streams.iter().zip([out, err]) {
        let stream = Arc::clone(stream);
        let write = move || stream.write_on(&mut File::from(file));
        gcrucible_platform::sync::thread::spawn("crux-lines", write)?;
    }
    // Nobody starts it twice.
    let _ = STREAMS.set(streams);
    Ok(())
}

/// Writes text to standard output. What ends in no line end is a part of a line.
///
/// # Errors
/// When it was written at once, and nobody reads it.
pub(crate) fn out(text: &str) -> io::Result<()> {
    match STREAMS.get() {
        Some([out, _]) => {
            out.push(text.as_bytes());
            Ok(())
        }
        None => {
            let mut stdout = io::stdout();
            stdout.write_all(text.as_bytes())?;
            stdout.flush()
        }
    }
}

/// Writes text to standard error.
pub(crate) fn err(text: &str) {
    match STREAMS.get() {
        Some([_, err]) => err.push(text.as_bytes()),
        // There is nobody else who could be told.
        None => drop(io::stderr().write_all(text.as_bytes())),
    }
}

/// Lines of both streams that were dropped so far.
#[cfg_attr(
    not(feature = "serve"),
    allow(dead_code, reason = "a figure of servers")
)]
pub(crate) fn dropped() -> u64 {
    let streams = STREAMS.get().into_iter().flatten();
    streams.map(|stream| stream.queue.lock().dropped).sum()
}

/// Waits until all is written, but not for longer than this for each stream.
pub(crate) fn finish(longest: Duration) {
    for stream in STREAMS.get().into_iter().flatten() {
        let mut queue = stream.queue.lock();
        let is_busy = |queue: &mut Queue| queue.is_writing || !queue.waiting.is_empty();
        let _ = stream.news.wait_while_for(&mut queue, is_busy, longest);
    }
}

/// Standard error as a writer, for libraries.
pub(crate) struct ToErr;

impl Write for ToErr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        err(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream {
    fn new(says_what_is_missing: bool) -> Arc<Stream> {
        Arc::new(Stream {
            says_what_is_missing,
            queue: Mutex::default(),
            news: Condvar::new(),
        })
    }

    fn push(&self, text: &[u8]) {
        let mut queue = self.queue.lock();
        if text.len() > WAITING_MAX - queue.waiting.len() {
            queue.dropped += lines_of(text);
            return;
        }
        queue.waiting.extend_from_slice(text);
        drop(queue);
        self.news.notify_all();
    }

    /// Writes what comes, until the process ends.
    fn write_on(&self, file: &mut File) {
        let mut taken = Vec::new();
        loop {
            let mut queue = self.queue.lock();
            queue.is_writing = false;
            self.news.notify_all();
            while queue.waiting.is_empty() {
                self.news.wait(&mut queue);
            }
            taken.clear();
            std::mem::swap(&mut taken, &mut queue.waiting);
            queue.is_writing = true;
            if self.says_what_is_missing && queue.dropped > queue.dropped_said {
                let missing = queue.dropped - queue.dropped_said;
                let note = format!("({missing} lines are missing here: nobody took them)\n");
                taken.extend_from_slice(note.as_bytes());
                queue.dropped_said = queue.dropped;
            }
            drop(queue);
            let written = write_all(file, &taken);
            if written < taken.len() {
                self.queue.lock().dropped += lines_of(&taken[written..]);
            }
        }
    }
}

/// Writes all; gives how many bytes it could write.
fn write_all(file: &mut File, bytes: &[u8]) -> usize {
    let mut written = 0;
    while written < bytes.len() {
        match file.write(&bytes[written..]) {
            Ok(0) => break,
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Whoever has the other end may have made it so.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && wait(file) => {}
            Err(_) => break,
        }
    }
    written
}

/// Waits until a file takes more.
#[cfg(feature = "serve")]
fn wait(file: &File) -> bool {
    use rustix::event::{PollFd, PollFlags, poll};
    poll(&mut [PollFd::new(file, PollFlags::OUT)], None).is_ok()
}

#[cfg(not(feature = "serve"))]
fn wait(_: &File) -> bool {
    false
}

/// The number of lines of a text, the last of which may have no end.
fn lines_of(text: &[u8]) -> u64 {
    let ends = text.iter().filter(|&&byte| byte == b'\n').count();
    let has_rest = text.last().is_some_and(|&byte| byte != b'\n');
    (ends + usize::from(has_rest)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_dropped_and_counted() {
        let stream = Stream::new(false);
        stream.push(&vec![b'x'; WAITING_MAX - 2]);
        stream.push(b"a\n");
        stream.push(b"b\nc\n");
        stream.push(b"d");
        let queue = stream.queue.lock();
        assert_eq!(queue.waiting.len(), WAITING_MAX);
        assert_eq!(queue.dropped, 3);
    }

    #[test]
    fn a_file_that_takes_nothing_loses_lines_only() {
        let full = File::options().write(true).open("/dev/full");
        let mut full = full.expect("the system has one");
        assert_eq!(write_all(&mut full, b"a\nb\n"), 0);
        assert_eq!(lines_of(b"a\nb\n"), 2);
        assert_eq!(lines_of(b"a\nb"), 2);
        assert_eq!(lines_of(b""), 0);
    }
}
