//! Each block of the pages that begin with nothing: files are those of the examples, commands
//! run, and print what the page shows.
//!
//! A page's blocks are `sh` (commands), `text` (lines that the commands before it print),
//! and files, whose name comes after the language: `rust src/lib.rs`.

use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Debug)]
struct Block {
    /// The language, and the file if it is one.
    language: String,
    file: Option<String>,
    text: String,
}

fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("two folders up").to_owned()
}

fn blocks(page: &str) -> Vec<Block> {
    let path = repository().join("docs").join(page);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_inside = false;
    for line in text.lines() {
        if let Some(info) = line.strip_prefix("```") {
            if !is_inside {
                let mut words = info.split_whitespace().map(str::to_owned);
                blocks.push(Block {
                    language: words.next().expect("each block has a language"),
                    file: words.next(),
                    text: String::new(),
                });
            }
            is_inside = !is_inside;
        } else if is_inside {
            let block = blocks.last_mut().expect("it was begun");
            block.text.push_str(line);
            block.text.push('\n');
        }
    }
    assert!(!is_inside, "{page} ends in a block");
    assert!(blocks.len() >= 6, "{page} has too few blocks: {blocks:#?}");
    blocks
}

/// Runs the page's commands in a folder whose files are the page's, and compares.
fn follow(page: &str, dir: &Path, mut file: impl FnMut(&str, &str)) {
    let mut printed = String::new();
    for block in blocks(page) {
        match (block.language.as_str(), &block.file) {
            ("text", None) => {
                for line in block
                    .text
                    .lines()
                    .map(str::trim)
                    .filter(|line| *line != "…")
                {
                    assert!(
                        printed.contains(line),
                        "`{line}` is not in what is printed:\n{printed}"
                    );
                }
            }
            ("sh", None) => printed = run(&block.text, dir),
            (_, Some(name)) => file(name, &block.text),
            other => panic!("a block of {page} is neither command nor file: {other:?}"),
        }
    }
}

/// The target folder that this test was built into. The examples are crates of this workspace, so
/// it is theirs, too; a reader's crate has one of its own.
fn target() -> PathBuf {
    let program = std::env::current_exe().expect("a test has a file");
    let above = program.ancestors();
    let found = above.skip(1).find(|dir| dir.join("CACHEDIR.TAG").exists());
    found.expect("cargo marks it").to_owned()
}

fn run(commands: &str, dir: &Path) -> String {
    let mut printed = String::new();
    let kept = format!("{}/crucible/", target().display());
    for command in commands.lines().filter(|line| !is_first_step(line)) {
        let command = command.replace("=target/crucible/", &format!("={kept}"));
        let done = Command::new("sh")
            .args(["-c", &command])
            .current_dir(dir)
            .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
            .env_remove("CARGO_MANIFEST_DIR")
            .output()
            .expect("a shell runs");
        let out = String::from_utf8_lossy(&done.stdout).into_owned();
        let out = out + &String::from_utf8_lossy(&done.stderr);
        // What finds something fails; so does `cargo test` around it.
        assert!(
            matches!(done.status.code(), Some(0 | 1 | 101)),
            "`{command}` ends with {:?}:\n{out}",
            done.status
        );
        printed.push_str(&out);
    }
    printed
}

/// What makes the crate in the first place.
fn is_first_step(line: &str) -> bool {
    line.starts_with("cargo new") || line.starts_with("cd ")
}

/// The files of the page are those of the example, in which the commands run.
fn page_of_example(page: &str, example: &str) {
    let dir = repository().join("examples").join(example);
    let forget = || {
        for made in ["found", "target"] {
            let _ = std::fs::remove_dir_all(dir.join(made));
        }
    };
    forget();
    follow(page, &dir, |name, text| {
        let file = std::fs::read_to_string(dir.join(name)).unwrap();
        assert!(
            file.contains(text),
            "{example}/{name} does not have the block:\n{text}"
        );
    });
    forget();
}

/// The page alone, in an empty folder.
fn page_from_nothing(page: &str, name: &str) {
    // Tests run side by side: each has a folder of its own.
    let base = std::env::temp_dir().join(format!("gcrucible-page-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&base);
    std::fs::create_dir_all(&base).unwrap();
    let made = Command::new("cargo")
        .args(["new", "--lib", "--vcs", "none", name])
        .current_dir(&base)
        .status();
    assert!(made.unwrap().success());
    let dir = base.join(name);
    let repository = repository().display().to_string();
    follow(page, &dir, |name, text| {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = text.replace("../../stress", &format!("{repository}/stress"));
        if name == "Cargo.toml" {
            // The page says what to add.
            let before = std::fs::read_to_string(&path).unwrap();
            let before = before.replace("[dependencies]\n", "");
            std::fs::write(&path, format!("{before}{text}\n[workspace]\n")).unwrap();
        } else {
            std::fs::write(&path, text).unwrap();
        }
    });
    std::fs::remove_dir_all(base).unwrap();
}

#[test]
fn the_page_of_the_heap_is_the_example_and_does_what_it_says() {
    page_of_example("your-own-heap.md", "own_heap");
}

#[test]
fn the_page_of_the_futures_is_the_example_and_does_what_it_says() {
    page_of_example("your-own-futures.md", "own_channel");
}

#[test]
#[ignore = "builds the harness once more, in a folder of its own: for the night"]
fn the_page_of_the_heap_is_enough_by_itself() {
    page_from_nothing("your-own-heap.md", "own_heap");
}

#[test]
#[ignore = "builds the harness once more, in a folder of its own: for the night"]
fn the_page_of_the_futures_is_enough_by_itself() {
    page_from_nothing("your-own-futures.md", "own_channel");
}
