//! `crux run --hot`: a process, a file watcher, and files that change in all sorts of ways.
#![cfg(feature = "hot")]

mod process;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use self::process::{Folder, crux, lines};

/// How long a line may take that must come: far longer than any machine needs.
const LIMIT: Duration = Duration::from_secs(60);

/// The program under a watcher, and the lines that it writes.
struct Hot {
    child: Child,
    out: Receiver<String>,
    err: Receiver<String>,
}

impl Hot {
    fn start(file: &Path) -> Hot {
        let mut child = crux()
            .args(["run", "--hot"])
            .arg(file)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let out = lines(child.stdout.take().expect("a pipe"));
        let err = lines(child.stderr.take().expect("a pipe"));
        Hot { child, out, err }
    }

    /// Waits for this line of its output; gives those before it.
    fn wait_for(&self, line: &str) -> Vec<String> {
        wait(&self.out, |found| found == line, line)
    }

    /// Waits for a message with this text.
    fn wait_for_message(&self, text: &str) -> Vec<String> {
        wait(&self.err, |found| found.contains(text), text)
    }

    /// Ctrl-C.
    fn interrupt(mut self) -> i32 {
        let pid = self.child.id().to_string();
        let kill = Command::new("kill").args(["-INT", &pid]).status();
        assert!(kill.expect("kill starts").success());
        let status = self.child.wait().expect("it ends");
        status.code().expect("no signal killed it")
    }
}

impl Drop for Hot {
    fn drop(&mut self) {
        // A test that has failed leaves nothing behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait(lines: &Receiver<String>, is_it: impl Fn(&str) -> bool, what: &str) -> Vec<String> {
    let mut before = Vec::new();
    loop {
        match lines.recv_timeout(LIMIT) {
            Ok(line) if is_it(&line) => return before,
            Ok(line) => before.push(line),
            Err(_) => panic!("no {what:?} after {before:?}"),
        }
    }
}

/// Writes a file as many editors do: another one first, which then takes its name.
fn rename_over(folder: &Folder, name: &str, text: &str) {
    let written = folder.file(&format!("{name}.new"), text);
    std::fs::rename(written, folder.path(name)).expect("a rename");
}

fn main_saying(text: &str) -> String {
    format!(
        "import {{ part }} from \"./lib/part.crux\"\n\
         fn main() {{ print(\"{text}\", part()) }}\n"
    )
}

fn part_saying(text: &str) -> String {
    format!("export fn part() {{ return \"{text}\" }}\n")
}

#[test]
fn files_that_change_are_seen_however_they_do() {
    let folder = Folder::new("hot_files");
    folder.file("lib/part.crux", &part_saying("one"));
    let main = folder.file("main.crux", &main_saying("main one"));
    let hot = Hot::start(&main);
    assert_eq!(hot.wait_for("main one one"), [""; 0]);

    // Written in place.
    folder.file("main.crux", &main_saying("main two"));
    assert_eq!(hot.wait_for("main two one"), [""; 0]);
    hot.wait_for_message("version 2 runs");

    // Written by rename, twice: the second time it is another file that is watched.
    rename_over(&folder, "lib/part.crux", &part_saying("two"));
    hot.wait_for("main two two");
    rename_over(&folder, "lib/part.crux", &part_saying("three"));
    hot.wait_for("main two three");

    // Several files at once.
    folder.file("lib/part.crux", &part_saying("four"));
    folder.file("main.crux", &main_saying("main four"));
    hot.wait_for("main four four");

    // A file that vanishes and returns, and then its folder.
    std::fs::remove_file(folder.path("lib/part.crux")).expect("it is there");
    hot.wait_for_message("cannot be read: no such file");
    folder.file("lib/part.crux", &part_saying("five"));
    hot.wait_for("main four five");
    std::fs::remove_dir_all(folder.path("lib")).expect("it is there");
    hot.wait_for_message("cannot be read: no such file");
    folder.file("lib/part.crux", &part_saying("six"));
    hot.wait_for("main four six");

    // The entry itself.
    std::fs::remove_file(&main).expect("it is there");
    hot.wait_for_message("no such file");
    folder.file("main.crux", &main_saying("main seven"));
    hot.wait_for("main seven six");
    assert_eq!(hot.interrupt(), 130);
}

#[test]
fn a_version_that_does_not_compile_or_throws_is_reported_and_the_old_one_goes_on() {
    let folder = Folder::new("hot_errors");
    let looping = |text: &str| {
        format!(
            "fn main() {{\n  try {{ while true {{ print(\"{text}\")\n sleep(20) }} }}\n  \
             finally {{ print(\"{text} ends\") }}\n}}\n"
        )
    };
    let main = folder.file("main.crux", &looping("one"));
    let hot = Hot::start(&main);
    hot.wait_for("one");

    folder.file("main.crux", "fn main( {\n");
    hot.wait_for_message("2 errors");
    hot.wait_for_message("the one before goes on");
    hot.wait_for("one");

    folder.file("main.crux", "fn main() {}\nthrow [\"not today\"]\n");
    hot.wait_for_message("uncaught [\"not today\"]");
    hot.wait_for_message("the one before goes on");
    hot.wait_for("one");

    // The next good one takes over: `main` of the old one is cancelled first.
    folder.file("main.crux", &looping("two"));
    hot.wait_for("two");
    folder.file("main.crux", "fn main() { print(\"three\") }\n");
    assert_eq!(
        hot.wait_for("three").last().map(String::as_str),
        Some("two ends")
    );
    assert_eq!(hot.interrupt(), 130);
}

#[test]
fn a_program_that_does_not_compile_at_first_is_waited_for() {
    let folder = Folder::new("hot_first");
    let main = folder.file("main.crux", "let let\n");
    let hot = Hot::start(&main);
    hot.wait_for_message("error");
    folder.file("main.crux", "print(\"now\")\n");
    assert_eq!(hot.wait_for("now"), [""; 0]);
    assert_eq!(hot.interrupt(), 130);
}

#[test]
fn a_top_level_that_never_ends_gives_way_to_the_next_version() {
    let folder = Folder::new("hot_endless");
    let main = folder.file("main.crux", "fn main() { print(\"one\") }\n");
    let hot = Hot::start(&main);
    hot.wait_for("one");
    folder.file(
        "main.crux",
        "print(\"begun\")\nlet c = channel(1)\nc.receive()\n",
    );
    hot.wait_for("begun");
    folder.file("main.crux", "fn main() { print(\"three\") }\n");
    hot.wait_for_message("waits for a top level");
    // The engine's patience is the only time that passes here.
    hot.wait_for("three");
    hot.wait_for_message("its top level was cancelled");
    assert_eq!(hot.interrupt(), 130);
}
