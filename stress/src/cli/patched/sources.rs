//! The sources of this workspace, and what a patch makes of them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Output};

use gcrucible_campaign::journal::checksum;
use gcrucible_trace::Refusal;

/// What the command is not built from.
const LEFT_OUT: [&str; 5] = [".ci", ".github", "docs", "fuzz", "stress/patches"];

/// Texts of files, by their paths in the workspace.
#[derive(Debug)]
pub(super) struct Sources {
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Sources {
    /// Those of a workspace: all that git tracks or would track.
    ///
    /// # Errors
    /// No git, or a workspace that it does not know.
    pub(super) fn read(root: &Path) -> Result<Sources, Refusal> {
        let arguments = [
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ];
        let listed = git(root, &arguments)?;
        if !listed.status.success() {
            return Err(Refusal::usage(format!(
                "{}: {}; a seeded bug that is a patch needs a git checkout of the source code",
                root.display(),
                words(&listed)
            )));
        }
        let mut files = BTreeMap::new();
        for name in String::from_utf8_lossy(&listed.stdout).split_terminator('\0') {
            let path = PathBuf::from(name);
            let is_left_out = LEFT_OUT.iter().any(|left| path.starts_with(left));
            // What was deleted is listed, and so is the folder of a repository within this one.
            if is_left_out || !root.join(&path).is_file() {
                continue;
            }
            let text = fs::read(root.join(&path))
                .map_err(|error| Refusal::broken(format!("cannot read {name}: {error}")))?;
            files.insert(path, text);
        }
        Ok(Sources { files })
    }

    /// Changes the files that the patch at `path` names; `name` is what it is called.
    ///
    /// # Errors
    /// A patch that is not there, or does not apply.
    pub(super) fn apply(&mut self, path: &Path, name: &str) -> Result<(), Refusal> {
        let broken = |why: &str| {
            Refusal::broken(format!(
                "{name} does not apply to these sources: {why}; docs/zoo.md says how to make it anew"
            ))
        };
        let patch = fs::read_to_string(path).map_err(|error| broken(&error.to_string()))?;
        let changed: Vec<PathBuf> = patch
            .lines()
            .filter_map(|line| line.strip_prefix("+++ b/"))
            .map(|path| PathBuf::from(path.trim_end()))
            .collect();
        if changed.is_empty() {
            return Err(broken("it changes no file"));
        }
        let folder = Folder::new(name).map_err(|error| broken(&error.to_string()))?;
        for path in &changed {
            let is_inside = path.components().all(|c| matches!(c, Component::Normal(_)));
            let Some(text) = self.files.get(path).filter(|_| is_inside) else {
                return Err(broken(&format!("there is no {}", path.display())));
            };
            write(&folder.0.join(path), text).map_err(|error| broken(&error.to_string()))?;
        }
        let patch = path.to_string_lossy();
        let applied = git(&folder.0, &["apply", "--whitespace=nowarn", &patch])?;
        if !applied.status.success() {
            return Err(broken(&words(&applied)));
        }
        for path in changed {
            let text =
                fs::read(folder.0.join(&path)).map_err(|error| broken(&error.to_string()))?;
            self.files.insert(path, text);
        }
        Ok(())
    }

    /// Changes with any name or text.
    pub(super) fn hash(&self) -> u64 {
        let parts = self.files.iter().flat_map(|(path, text)| {
            let name = path.as_os_str().as_encoded_bytes();
            [checksum(name), checksum(text)]
        });
        checksum(&parts.flat_map(u64::to_le_bytes).collect::<Vec<u8>>())
    }

    /// Makes a folder hold these files and no others. One that has its text already is left alone, so that cargo takes it
    /// for what it is: unchanged.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn write_to(&self, folder: &Path) -> io::Result<()> {
        if folder.exists() {
            self.remove_others(folder, Path::new(""))?;
        }
        for (path, text) in &self.files {
            let path = folder.join(path);
            if fs::read(&path).is_ok_and(|there| there == *text) {
                continue;
            }
            write(&path, text)?;
        }
        Ok(())
    }

    fn remove_others(&self, folder: &Path, below: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder.join(below))? {
            let entry = entry?;
            let path = below.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                self.remove_others(folder, &path)?;
            } else if !self.files.contains_key(&path) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, text)
}

/// Runs git in a folder. It looks for a repository there and above, but not above the folder of temporary files.
fn git(folder: &Path, arguments: &[&str]) -> Result<Output, Refusal> {
    let mut git = Command::new("git");
    git.current_dir(folder).args(arguments);
    git.env("GIT_CEILING_DIRECTORIES", std::env::temp_dir());
    // What the hook of another repository has set.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
        git.env_remove(name);
    }
    git.output().map_err(|error| {
        Refusal::usage(format!(
            "cannot run git: {error}; a seeded bug that is a patch needs it"
        ))
    })
}

/// What git complains of, in one line.
fn words(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().map(str::trim).collect::<Vec<_>>().join("; ")
}

/// A folder for the files that a patch changes, which goes when this drops.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> io::Result<Folder> {
        let name = name.replace('/', "-");
        let path = std::env::temp_dir().join(format!("crucible-{}-{name}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
