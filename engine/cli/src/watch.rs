//! Which files have changed.
//!
//! Folders are watched, not files: an editor that writes by rename puts another file in the
//! place of the one that was watched, and one that is gone can come back only in a folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gcrucible_platform::sync::RwLock;
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, timeout_at};

/// How long nothing must change before a change is told: editors save several files at once.
const QUIET: Duration = Duration::from_millis(60);
/// How long a change is kept back at most, however many follow it.
const KEPT_BACK_MAX: Duration = Duration::from_millis(600);

/// Tells when one of some files has changed, gone or come back.
pub(crate) struct Watch {
    watcher: RecommendedWatcher,
    changes: UnboundedReceiver<()>,
    files: Arc<RwLock<BTreeSet<PathBuf>>>,
    folders: BTreeSet<PathBuf>,
    /// Of a change that was not told yet: when nothing will have followed it for long enough,
    /// and when it is told in any case.
    kept_back: Option<(Instant, Instant)>,
}

impl Watch {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// When the operating system has no watcher left for us.
    pub(crate) fn new() -> notify::Result<Self> {
        let (sender, changes) = unbounded_channel();
        let files = Arc::<RwLock<BTreeSet<PathBuf>>>::default();
        let of_interest = Arc::clone(&files);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // What the system could not say may have been anything.
            let concerns = event.map_or(true, |event| {
                let files = of_interest.read();
                !event.kind.is_access() && event.paths.iter().any(|path| concerns(&files, path))
            });
            if concerns {
                // Nobody hears it once the program ends.
                let _ = sender.send(());
            }
        })?;
        Ok(Watch {
            watcher,
            changes,
            files,
            folders: BTreeSet::new(),
            kept_back: None,
        })
    }

    /// Watches these files from now on, whether they exist or not, and no others.
    pub(crate) fn set_files(&mut self, paths: &[String]) {
        let files: BTreeSet<PathBuf> = paths.iter().map(|path| absolute(path)).collect();
        let folders: BTreeSet<PathBuf> = files.iter().filter_map(|file| folder(file)).collect();
        *self.files.write() = files;
        for gone in self.folders.difference(&folders) {
            // It may be gone from the disk, too.
            let _ = self.watcher.unwatch(gone);
        }
        for folder in &folders {
            // Once more even if it was watched: it may be another one of that name. One that
            // has just gone is noticed in the folder above at the next change.
            let _ = self.watcher.watch(folder, RecursiveMode::NonRecursive);
        }
        self.folders = folders;
    }

    /// Waits for a change, and then until no more of them follow. Nothing is lost when the
    /// future is dropped: the next one knows of the change.
    pub(crate) async fn changed(&mut self) {
        if self.kept_back.is_none() {
            if self.changes.recv().await.is_none() {
                // The watcher is ours: it sends as long as we wait.
                return std::future::pending().await;
            }
            let now = Instant::now();
            self.kept_back = Some((now + QUIET, now + KEPT_BACK_MAX));
        }
        while let Some((quiet, last)) = self.kept_back {
            match timeout_at(quiet.min(last), self.changes.recv()).await {
                Ok(Some(())) => self.kept_back = Some((Instant::now() + QUIET, last)),
                Ok(None) | Err(_) => self.kept_back = None,
            }
        }
    }
}

/// Whether what happened to a path may have changed one of the files: it is one of them, or a
/// folder above.
fn concerns(files: &BTreeSet<PathBuf>, path: &Path) -> bool {
    files.iter().any(|file| file.starts_with(path))
}

/// A file's path as the watcher tells it: that of its folder without links, and its name.
fn absolute(path: &str) -> PathBuf {
    let path = Path::new(path);
    let here = || std::env::current_dir().unwrap_or_default();
    let path = if path.is_absolute() {
        path.to_owned()
    } else {
        here().join(path)
    };
    match (path.parent().map(Path::canonicalize), path.file_name()) {
        (Some(Ok(folder)), Some(name)) => folder.join(name),
        _ => path,
    }
}

/// The folder of a file, or the nearest one above that exists.
fn folder(file: &Path) -> Option<PathBuf> {
    let mut above = file.ancestors().skip(1);
    above.find(|folder| folder.is_dir()).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_concerned_by_itself_and_the_folders_above() {
        let files = BTreeSet::from([PathBuf::from("/a/b/main.crux")]);
        for path in ["/a/b/main.crux", "/a/b", "/a"] {
            assert!(concerns(&files, Path::new(path)), "{path}");
        }
        for path in ["/a/b/main.crux.swp", "/a/b/other.crux", "/c"] {
            assert!(!concerns(&files, Path::new(path)), "{path}");
        }
    }

    #[test]
    fn of_a_file_whose_folder_is_gone_the_next_one_is_watched() {
        let here = std::env::current_dir().expect("a folder");
        let file = here.join("no").join("such").join("main.crux");
        assert_eq!(folder(&file), Some(here));
    }
}
