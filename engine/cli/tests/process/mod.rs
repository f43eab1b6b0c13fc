//! Starting the binary, and what came of it.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};

/// What a process left behind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finished {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Finished {
    pub(crate) fn of(output: Output) -> Finished {
        Finished {
            code: output.status.code().expect("no signal killed it"),
            out: String::from_utf8(output.stdout).expect("text"),
            err: String::from_utf8(output.stderr).expect("text"),
        }
    }
}

/// The binary, in an environment that says nothing to it.
pub(crate) fn crux() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crux"));
    command
        .env_remove("GCRUCIBLE_GC")
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn finish(command: &mut Command) -> Finished {
    Finished::of(command.output().expect("the binary starts"))
}

/// Runs a program and sends it SIGINT so many times, the first when it has printed `line`,
/// each other when it has printed another line.
pub(crate) fn interrupted(file: &Path, line: &str, times: usize) -> Finished {
    let mut child = crux()
        .arg("run")
        .arg(file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut out = String::new();
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe"));
    for time in 0..times {
        let start = out.len();
        lines.read_line(&mut out).expect("it prints text");
        if time == 0 {
            assert_eq!(out[start..].trim_end(), line);
        }
        let pid = child.id().to_string();
        let kill = Command::new("kill").args(["-INT", &pid]).status();
        assert!(kill.expect("kill starts").success());
    }
    lines.read_to_string(&mut out).expect("it prints text");
    let mut finished = Finished::of(child.wait_with_output().expect("it ends"));
    finished.out = out;
    finished
}

/// The lines that a process writes to a pipe, as they come.
pub(crate) fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    let reader = gcrucible_platform::sync::thread::spawn("test", move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    drop(reader.expect("a thread"));
    receiver
}

/// A folder of its own that goes with the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Folder {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file and gives its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, text).expect("a file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
