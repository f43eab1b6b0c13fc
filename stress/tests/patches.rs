//! Seeded bugs that are patches: that each applies, and what `--bug` makes of them.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use gcrucible_platform::seeded_bugs::{Bug, BugKind};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

fn patches() -> Vec<Bug> {
    let all = Bug::ALL.iter().copied();
    all.filter(|bug| bug.kind() == BugKind::Patch).collect()
}

#[test]
fn each_bug_that_is_a_patch_has_one_that_applies_and_makes_it() {
    assert!(!patches().is_empty() && patches().len() <= 10);
    for bug in patches() {
        let path = format!("stress/patches/{}.patch", bug.id());
        let text = fs::read_to_string(root().join(&path)).unwrap();
        let title = format!("{}: {}\n", bug.id(), bug.what());
        assert!(
            text.starts_with(&title),
            "{path} begins with the catalogue's words"
        );
        let added = text.lines().filter(|line| line.starts_with('+'));
        let switch = format!("planted!({bug:?}");
        let is_switched = added.collect::<String>().replace(char::is_whitespace, "");
        let is_switched = is_switched.replace("planted!(+", "planted!(");
        assert!(is_switched.contains(&switch), "{path} has its switch");
        let output = Command::new("git")
            .args(["apply", "--check", &path])
            .current_dir(root())
            .output()
            .unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{path} does not apply (docs/zoo.md says how to make it anew): {words}"
        );
    }
}

#[test]
fn each_patch_is_a_bug_of_the_catalogue() {
    let known: BTreeSet<String> = patches()
        .iter()
        .map(|bug| format!("{}.patch", bug.id()))
        .collect();
    let files = fs::read_dir(root().join("stress/patches")).unwrap();
    let files: BTreeSet<String> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(files, known);
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
    {
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn what_is_a_patch_has_no_line_in_the_engine() {
    let mut files = Vec::new();
    sources(&root().join("engine"), &mut files);
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        for bug in patches() {
            for switch in [format!("planted!({bug:?})"), format!("planted!({bug:?},")] {
                assert!(!text.contains(&switch), "{}: {switch}", path.display());
            }
        }
    }
}

/// A cargo that takes an executable for built which says what it was given.
const CARGO: &str = r#"#!/bin/sh
echo built >>"$FAKE_LOG"
while [ $# -gt 1 ]; do shift; done
grep -q wrong engine/heap.txt || exit 7
mkdir -p "$1/campaign"
cat >"$1/campaign/crucible" <<'END'
#!/bin/sh
echo "arguments: $*"
echo "heard: $(cat)"
exit 5
END
chmod +x "$1/campaign/crucible"
"#;

const PATCH: &str = "\
B-36: a patch

diff --git a/engine/heap.txt b/engine/heap.txt
--- a/engine/heap.txt
+++ b/engine/heap.txt
@@ -1,3 +1,3 @@
 one
-right
+wrong
 three
";

/// A workspace with one file and one patch, and a cargo of its own.
struct Workspace {
    dir: PathBuf,
}

impl Workspace {
    fn new(test: &str) -> Workspace {
        let name = format!("crucible-patch-{test}-{}", std::process::id());
        let workspace = Workspace {
            dir: std::env::temp_dir().join(name),
        };
        let _ = fs::remove_dir_all(&workspace.dir);
        workspace.file(".gitignore", "/target\n");
        workspace.file("stress/Cargo.toml", "");
        workspace.file("stress/patches/B-36.patch", PATCH);
        workspace.file("engine/heap.txt", "one\nright\nthree\n");
        workspace.cargo(CARGO);
        let made = Command::new("git")
            .args(["init", "--quiet"])
            .current_dir(&workspace.dir)
            .status();
        assert!(made.unwrap().success());
        workspace
    }

    fn file(&self, name: &str, content: &str) {
        let path = self.dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn cargo(&self, script: &str) {
        self.file("target/cargo", script);
        let path = self.dir.join("target/cargo");
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crucible"));
        command
            .args(arguments)
            .current_dir(&self.dir)
            .env("CARGO_MANIFEST_DIR", self.dir.join("stress"))
            .env("CARGO", self.dir.join("target/cargo"))
            .env("FAKE_LOG", self.dir.join("target/log"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut child = self.command(arguments).spawn().unwrap();
        // Who refuses reads nothing.
        let _ = child.stdin.take().unwrap().write_all(b"a line");
        child.wait_with_output().unwrap()
    }

    fn builds(&self) -> usize {
        let log = fs::read_to_string(self.dir.join("target/log"));
        log.map_or(0, |log| log.lines().count())
    }

    /// Runs a replay that must end with this code and these words.
    fn refuses(&self, code: i32, words: &[&str]) {
        let output = self.run(&["replay", "one.scenario", "--bug", "B-36"]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        for word in words {
            assert!(stderr.contains(word), "expected `{word}` in: {stderr}");
        }
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

#[test]
fn the_patched_executable_does_what_this_one_was_asked_to() {
    let workspace = Workspace::new("passes");
    for arguments in [
        &["replay", "one.scenario", "--bug", "B-36", "--times", "3"][..],
        &["shrink", "one.scenario", "--bug", "B-36"],
        &["run", "--scenarios", "3", "--seed", "7", "--bug", "B-36"],
    ] {
        let output = workspace.run(arguments);
        assert_eq!(output.status.code(), Some(5), "{output:?}");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            format!("arguments: {}\nheard: a line\n", arguments.join(" "))
        );
    }
    assert_eq!(workspace.builds(), 1, "it is kept");
    let heap = fs::read_to_string(workspace.dir.join("engine/heap.txt")).unwrap();
    assert_eq!(heap, "one\nright\nthree\n", "the sources are as they were");
}

#[test]
fn a_change_of_sources_or_patch_builds_again() {
    let workspace = Workspace::new("changes");
    let run = || workspace.run(&["replay", "one.scenario", "--bug", "B-36"]);
    run();
    workspace.file("docs/page.md", "not built from");
    workspace.file("target/file", "ignored");
    run();
    assert_eq!(workspace.builds(), 1);
    workspace.file("engine/new.txt", "not tracked yet");
    run();
    assert_eq!(workspace.builds(), 2);
    workspace.file(
        "stress/patches/B-36.patch",
        &PATCH.replace("+wrong", "+quite wrong"),
    );
    run();
    assert_eq!(workspace.builds(), 3);
    let copied = workspace.dir.join("target/crucible/patched/sources");
    assert!(copied.join("engine/new.txt").exists());
    fs::remove_file(workspace.dir.join("engine/new.txt")).unwrap();
    run();
    assert!(!copied.join("engine/new.txt").exists());
    let heap = fs::read_to_string(copied.join("engine/heap.txt")).unwrap();
    assert_eq!(heap, "one\nquite wrong\nthree\n");
}

#[test]
fn what_is_missing_is_said() {
    let workspace = Workspace::new("missing");
    workspace.file("engine/heap.txt", "one\nchanged\nthree\n");
    workspace.refuses(
        4,
        &["stress/patches/B-36.patch", "does not apply", "docs/zoo.md"],
    );
    fs::remove_file(workspace.dir.join("engine/heap.txt")).unwrap();
    workspace.refuses(4, &["there is no engine/heap.txt"]);
    fs::remove_file(workspace.dir.join("stress/patches/B-36.patch")).unwrap();
    workspace.refuses(4, &["B-36.patch", "No such file"]);
    fs::remove_dir_all(workspace.dir.join(".git")).unwrap();
    workspace.refuses(2, &["git checkout"]);
    let lost = workspace
        .command(&["replay", "one.scenario", "--bug", "B-36"])
        .env("PATH", "")
        .output()
        .unwrap();
    assert_eq!(lost.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&lost.stderr).contains("cannot run git"));
    assert_eq!(workspace.builds(), 0);
}

#[test]
fn a_build_that_cannot_be_is_said() {
    let workspace = Workspace::new("builds");
    workspace.cargo("#!/bin/sh\necho 'error: no such crate' >&2\nexit 101\n");
    workspace.refuses(
        4,
        &[
            "which takes minutes",
            "no such crate",
            "B-36: the build fails",
        ],
    );
    fs::remove_file(workspace.dir.join("target/cargo")).unwrap();
    workspace.refuses(2, &["cannot run cargo", "expected a Rust toolchain"]);
}

#[test]
fn a_signal_ends_the_build() {
    let workspace = Workspace::new("signal");
    workspace.cargo("#!/bin/sh\necho $$ >\"$FAKE_LOG\"\nexec sleep 60\n");
    let child = workspace
        .command(&["run", "--bug", "B-36"])
        .spawn()
        .unwrap();
    let log = workspace.dir.join("target/log");
    let cargo = loop {
        match fs::read_to_string(&log) {
            Ok(pid) if pid.ends_with('\n') => break pid.trim().to_owned(),
            _ => std::thread::yield_now(),
        }
    };
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status();
    assert!(sent.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("interrupted"));
    assert!(!Path::new("/proc").join(cargo).exists(), "cargo has ended");
}

#[test]
fn the_list_shows_which_bugs_are_patches_and_no_other_id_is_one() {
    let workspace = Workspace::new("list");
    let output = workspace.run(&["list", "bugs"]);
    let text = String::from_utf8_lossy(&output.stdout);
    for bug in patches() {
        let row = text.lines().find(|line| line.trim().starts_with(bug.id()));
        assert!(row.unwrap().contains("patch"), "{row:?}");
    }
    for arguments in [&["run", "--bug", "B-999"][..], &["zoo", "B-999"]] {
        let output = workspace.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}
