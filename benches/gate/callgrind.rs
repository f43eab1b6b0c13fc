//! Counts the instructions of a process.

use std::fmt;
use std::process::Command;

/// Why instructions could not be counted.
#[derive(Debug)]
pub enum Missing {
    /// Valgrind does not start.
    Valgrind(std::io::Error),
    /// Valgrind started and failed, or said nothing that is understood.
    Count(String),
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Missing::Valgrind(error) => write!(
                f,
                "the gate counts instructions with valgrind, which does not start ({error}); \
                 install the package `valgrind`"
            ),
            Missing::Count(output) => write!(f, "callgrind gave no count:\n{output}"),
        }
    }
}

impl std::error::Error for Missing {}

/// Instructions that this program executes for `--hot-path NAME ROUNDS`.
///
/// # Errors
/// See [`Missing`].
pub fn instructions(hot_path: &str, rounds: u32) -> Result<u64, Missing> {
    let program = std::env::current_exe().map_err(Missing::Valgrind)?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(["--hot-path", hot_path, &rounds.to_string()])
        .output()
        .map_err(Missing::Valgrind)?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let count = collected(&text).filter(|_| output.status.success());
    count.ok_or(Missing::Count(text))
}

/// The number in callgrind's line `==1== Collected : 123`.
fn collected(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit(':').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_found_in_what_callgrind_says() {
        let text = "==7== Events    : Ir\n==7== Collected : 15263\n==7== \n";
        assert_eq!(collected(text), Some(15263));
        assert_eq!(collected("==7== error: no such file"), None);
    }
}
