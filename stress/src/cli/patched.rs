//! The executables of the seeded bugs that are patches.
//!
//! Such a bug needs state, or a function, that the engine has no other use for. So it stands not in the engine but in
//! `stress/patches`. The sources are copied, the copy is patched and built, and its executable does what this one was asked to.
//!
//! ```text
//! target/crucible/patched/
//!   sources/         the copy, one for all patches: cargo builds again only what differs between two
//!   target/          what cargo makes of it
//!   lock             of whoever changes these two
//!   B-36/crucible    the executable
//!   B-36/key         hash of what it was made of
//! ```

mod sources;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use gcrucible_platform::seeded_bugs::Bug;

use super::{bugs, building, complain};
use crate::engine_bugs::PATCH;
use gcrucible_campaign::watch::pause;
use gcrucible_trace::Refusal;
use sources::Sources;

/// The patches, within the workspace.
const PATCHES: &str = "stress/patches";

/// What is built, within the workspace.
const PATCHED: &str = "target/crucible/patched";

/// The executable with the patch of a bug: that of an earlier time if sources and patch are the same.
///
/// # Errors
/// No sources, git or cargo; a patch that does not apply; a build that fails; a signal.
pub(super) fn executable(bug: Bug, stop: &AtomicBool) -> Result<PathBuf, Refusal> {
    if let Some(other) = PATCH {
        return Err(Refusal::usage(format!(
            "this executable has the patch of {other}; expected the plain one, which builds that of {} itself",
            bug.id()
        )));
    }
    let root = bugs::workspace()?;
    let mut sources = Sources::read(&root)?;
    let patch = format!("{PATCHES}/{}.patch", bug.id());
    sources.apply(&root.join(&patch), &patch)?;
    let place = root.join(PATCHED);
    let built = Built {
        folder: place.join(bug.id()),
        key: format!("{:016x}\n", sources.hash()),
    };
    if built.is_there() {
        return Ok(built.program());
    }
    let what = format!("the engine with the patch of {}", bug.id());
    complain(&format!("building {what}, which takes minutes"));
    let unusable = |error: io::Error| {
        Refusal::usage(format!(
            "cannot write to {}: {error}; what patches make of the engine is built there",
            place.display()
        ))
    };
    fs::create_dir_all(&built.folder).map_err(unusable)?;
    let lock = File::create(place.join("lock")).map_err(unusable)?;
    take(&lock, &what, stop, unusable)?;
    // Whoever had the lock may have built it.
    if !built.is_there() {
        let copy = place.join("sources");
        sources.write_to(&copy).map_err(unusable)?;
        let mut cargo = building::cargo();
        cargo
            .current_dir(&copy)
            .args(bugs::BUILD)
            .arg(place.join("target"))
            .env("GCRUCIBLE_PATCH", bug.id());
        if let Some(commit) = option_env!("GCRUCIBLE_COMMIT") {
            cargo.env("GCRUCIBLE_COMMIT", commit);
        }
        building::run(&mut cargo, &what, stop)?;
        built
            .keep(&place.join("target/campaign/crucible"))
            .map_err(unusable)?;
    }
    Ok(built.program())
}

/// An executable that is kept.
struct Built {
    folder: PathBuf,
    /// What it is made of.
    key: String,
}

impl Built {
    fn program(&self) -> PathBuf {
        self.folder.join("crucible")
    }

    fn is_there(&self) -> bool {
        let key = fs::read_to_string(self.folder.join("key"));
        self.program().exists() && key.is_ok_and(|key| key == self.key)
    }

    /// Puts what cargo has built in its place. A process that runs the old one keeps that.
    fn keep(&self, program: &Path) -> io::Result<()> {
        let key = self.folder.join("key");
        if key.exists() {
            fs::remove_file(&key)?;
        }
        let new = self.folder.join("crucible.new");
        fs::copy(program, &new)?;
        fs::rename(new, self.program())?;
        fs::write(key, &self.key)
    }
}

/// Takes the lock, which goes with the file.
fn take(
    lock: &File,
    what: &str,
    stop: &AtomicBool,
    unusable: impl Fn(io::Error) -> Refusal,
) -> Result<(), Refusal> {
    let mut has_said = false;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
            Err(TryLockError::WouldBlock) if stop.load(Ordering::Relaxed) => {
                return Err(building::interrupted(what));
            }
            Err(TryLockError::WouldBlock) => {}
        }
        if !has_said {
            complain("another build of a patch is under way: waiting for it");
            has_said = true;
        }
        pause();
    }
}
