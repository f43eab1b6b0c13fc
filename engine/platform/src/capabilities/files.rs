//! Folders, and opening what lies in them.
//!
//! Where a path leads to is looked up first, with all its links; that must lie in an allowed
//! folder. What was found has no links in it any more, so it is opened part by part from the
//! root without following any: who puts a link in its place in between gets an error, and no
//! file from outside. The links of `/proc` that lead elsewhere by magic are links like others to
//! both steps.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, openat, statat};
use rustix::io::Errno;

use super::Capabilities;

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    /// To have other contents, or to be there at all.
    Replace,
}

/// Why a file was not opened.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// It may not be touched.
    NotAllowed,
    /// It cannot be.
    Failed(io::Error),
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        OpenError::Failed(error)
    }
}

/// Says that a file may not be touched.
pub(crate) fn refusal(operation: &str, path: &str) -> String {
    let parent = Path::new(path).parent().map(Path::display);
    let folder = parent.map(|parent| parent.to_string()).unwrap_or_default();
    let folder = if folder.is_empty() { "." } else { &folder };
    format!("not allowed: {operation} of {path}; --allow-fs={folder} would allow it")
}

impl Capabilities {
    /// Opens a file, if it may be touched. This waits for the disk.
    pub(crate) fn open(&self, path: &Path, access: Access) -> Result<File, OpenError> {
        let Some(folders) = self.folders() else {
            return Ok(match access {
                Access::Read => File::open(path)?,
                Access::Replace => File::create(path)?,
            });
        };
        let found = find(path)?;
        let is_allowed = folders.iter().any(|folder| found.real.starts_with(folder));
        if !is_allowed {
            // Whether there is anything outside is no business of the program's.
            return Err(OpenError::NotAllowed);
        }
        if !found.is_complete {
            return Err(io::Error::from(io::ErrorKind::NotFound).into());
        }
        open_without_links(&found.real, access)
    }
}

/// Where a path leads to.
struct Found {
    /// Without links. Of what is not there, as far as it is, and the name behind that.
    real: PathBuf,
    /// Whether at most the last part is not there.
    is_complete: bool,
}

/// Links that lead on from one to the next, at most.
const LINKS_MAX: u32 = 40;

/// Looks up where a path leads to.
fn find(path: &Path) -> Result<Found, OpenError> {
    if path.as_os_str().as_encoded_bytes().contains(&0) {
        // No file has such a name.
        return Err(io::Error::from(io::ErrorKind::NotFound).into());
    }
    let mut path = std::env::current_dir()?.join(path);
    for _ in 0..LINKS_MAX {
        if let Ok(real) = std::fs::canonicalize(&path) {
            return Ok(Found {
                real,
                is_complete: true,
            });
        }
        // Its last part, or more of it, is not there or cannot be seen.
        let mut parts: Vec<OsString> = Vec::new();
        let mut parent = path.as_path();
        let real = loop {
            let Some(name) = parent.components().next_back() else {
                return Err(OpenError::NotAllowed);
            };
            // What lies above something that is not there, nobody can say.
            let Component::Normal(name) = name else {
                return Err(OpenError::NotAllowed);
            };
            parts.push(name.to_owned());
            parent = parent.parent().ok_or(OpenError::NotAllowed)?;
            if let Ok(real) = std::fs::canonicalize(parent) {
                break real;
            }
        };
        let name = parts.pop().ok_or(OpenError::NotAllowed)?;
        let last = real.join(name);
        match std::fs::read_link(&last) {
            // A link to what is not there: that is where it leads to.
            Ok(target) => {
                path = real.join(target);
                path.extend(parts.iter().rev());
            }
            Err(_) => {
                return Ok(Found {
                    real: last,
                    is_complete: parts.is_empty(),
                });
            }
        }
    }
    Err(OpenError::NotAllowed)
}

/// Opens a path from the root on, part by part, none of which may be a link.
fn open_without_links(real: &Path, access: Access) -> Result<File, OpenError> {
    let failed = |error: Errno| match error {
        Errno::LOOP => OpenError::NotAllowed,
        error => OpenError::Failed(error.into()),
    };
    let mut names = real.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name),
        _ => None,
    });
    let Some(mut name) = names.next() else {
        return Err(io::Error::from(io::ErrorKind::IsADirectory).into());
    };
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let only_to_pass = OFlags::PATH;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let only_to_pass = OFlags::RDONLY;
    let folder = only_to_pass | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = OFlags::DIRECTORY | OFlags::CLOEXEC | only_to_pass;
    let mut at = rustix::fs::open("/", root, Mode::empty()).map_err(failed)?;
    for next in names {
        at = openat(&at, name, folder, Mode::empty()).map_err(|error| match error {
            // So a link is refused, too, and there was none when it was looked up.
            Errno::NOTDIR if is_link(&at, name) => OpenError::NotAllowed,
            error => failed(error),
        })?;
        name = next;
    }
    let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let (flags, mode) = match access {
        Access::Read => (flags | OFlags::RDONLY, Mode::empty()),
        Access::Replace => (
            flags | OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC,
            Mode::from_raw_mode(0o666),
        ),
    };
    Ok(File::from(openat(&at, name, flags, mode).map_err(failed)?))
}

fn is_link(folder: &OwnedFd, name: &OsStr) -> bool {
    let found = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW);
    found.is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Symlink)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder of its own, with `in/` that is allowed and `out/` that is not.
    struct World {
        root: PathBuf,
        capabilities: Capabilities,
    }

    impl World {
        fn new(name: &str) -> World {
            let name = format!("crux-files-{}-{name}", std::process::id());
            let root = std::env::temp_dir().join(name);
            let _ = std::fs::remove_dir_all(&root);
            for folder in ["in/deep", "out", "in-and-more"] {
                std::fs::create_dir_all(root.join(folder)).expect("a folder");
            }
            for file in ["in/a", "in/deep/b", "out/secret", "in-and-more/secret"] {
                std::fs::write(root.join(file), file).expect("a file");
            }
            let root = std::fs::canonicalize(root).expect("it is there");
            let capabilities = Capabilities::none().allow_fs(root.join("in"));
            let capabilities = capabilities.expect("the folder is there");
            World { root, capabilities }
        }

        fn open(&self, path: &str, access: Access) -> Result<File, OpenError> {
            self.capabilities.open(&self.root.join(path), access)
        }

        fn reads(&self, path: &str) -> String {
            let mut text = String::new();
            match self.open(path, Access::Read) {
                Ok(mut file) => {
                    file.read_to_string(&mut text).expect("text");
                    text
                }
                Err(OpenError::NotAllowed) => "not allowed".to_owned(),
                Err(OpenError::Failed(error)) => error.kind().to_string(),
            }
        }

        fn writes(&self, path: &str) -> String {
            match self.open(path, Access::Replace) {
                Ok(mut file) => {
                    file.write_all(b"new").expect("it can be written");
                    "written".to_owned()
                }
                Err(OpenError::NotAllowed) => "not allowed".to_owned(),
                Err(OpenError::Failed(error)) => error.kind().to_string(),
            }
        }
    }

    impl Drop for World {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.root);
        }
    }

    #[test]
    fn what_lies_in_the_folder_can_be_touched_and_nothing_else() {
        let world = World::new("in");
        assert_eq!(world.reads("in/a"), "in/a");
        assert_eq!(world.reads("in/deep/../a"), "in/a");
        assert_eq!(world.reads("out/../in/deep/b"), "in/deep/b");
        assert_eq!(world.reads("in/absent"), "entity not found");
        assert_eq!(world.reads("in/absent/more"), "entity not found");
        assert_eq!(world.reads("in/a/more"), "not a directory");
        assert_eq!(world.writes("in/new"), "written");
        assert_eq!(world.reads("in/new"), "new");
        assert_eq!(world.writes("in/absent/new"), "entity not found");
        for outside in [
            "out/secret",
            "in/../out/secret",
            "in/deep/../../out/secret",
            "in/absent/../../out/secret",
            "in-and-more/secret",
            "out/absent",
            "absent",
            "out/absent/more",
            "/etc/passwd",
            "/absent/more",
            "/",
            "",
            "..",
        ] {
            assert_eq!(world.reads(outside), "not allowed", "{outside}");
            assert_eq!(world.writes(outside), "not allowed", "{outside}");
        }
        assert!(!world.root.join("out/absent").exists());
        assert_eq!(world.reads("in/a\0"), "entity not found");
    }

    #[test]
    fn links_lead_nowhere_else() {
        let world = World::new("links");
        let at = |path: &str| world.root.join(path);
        symlink(at("out"), at("in/folder")).expect("a link");
        symlink(at("out/secret"), at("in/file")).expect("a link");
        symlink(at("out/new"), at("in/dangling")).expect("a link");
        symlink("../out/new", at("in/relative")).expect("a link");
        symlink("loop", at("in/loop")).expect("a link");
        symlink("deep/b", at("in/inner")).expect("a link");
        symlink("deep/new", at("in/inner-new")).expect("a link");
        symlink(at("in"), at("out/back")).expect("a link");
        for outside in [
            "in/folder/secret",
            "in/folder/absent",
            "in/file",
            "in/dangling",
            "in/relative",
            "in/loop",
            "in/folder/../out/secret",
        ] {
            assert_eq!(world.reads(outside), "not allowed", "{outside}");
            assert_eq!(world.writes(outside), "not allowed", "{outside}");
        }
        assert!(!at("out/new").exists());
        // Those that lead into the folder do.
        assert_eq!(world.reads("in/inner"), "in/deep/b");
        assert_eq!(world.reads("out/back/a"), "in/a");
        assert_eq!(world.writes("in/inner-new"), "written");
        assert_eq!(world.reads("in/deep/new"), "new");
    }

    #[test]
    fn what_was_found_is_opened_without_a_link() {
        // As if the links had been put there after the look.
        let world = World::new("race");
        let at = |path: &str| world.root.join(path);
        symlink(at("out/secret"), at("in/file")).expect("a link");
        symlink(at("out"), at("in/folder")).expect("a link");
        for path in ["in/file", "in/folder/secret"] {
            for access in [Access::Read, Access::Replace] {
                let opened = open_without_links(&at(path), access);
                assert!(matches!(opened, Err(OpenError::NotAllowed)), "{path}");
            }
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_links_of_proc_are_links() {
        let world = World::new("proc");
        let secret = world.root.join("out/secret");
        let opened = File::open(&secret).expect("a file");
        let fd = std::os::fd::AsRawFd::as_raw_fd(&opened);
        let proc = Capabilities::none().allow_fs("/proc").expect("it is there");
        for capabilities in [&world.capabilities, &proc] {
            for path in [
                format!("/proc/self/root{}", secret.display()),
                format!("/proc/self/fd/{fd}"),
                format!("/proc/thread-self/fd/{fd}"),
                format!("/dev/fd/{fd}"),
                "/proc/self/cwd/Cargo.toml".to_owned(),
            ] {
                let opened = capabilities.open(Path::new(&path), Access::Read);
                assert!(matches!(opened, Err(OpenError::NotAllowed)), "{path}");
            }
        }
        assert!(
            proc.open(Path::new("/proc/self/status"), Access::Read)
                .is_ok()
        );
    }

    #[test]
    fn a_single_file_can_be_allowed() {
        let world = World::new("single");
        let only = Capabilities::none().allow_fs(world.root.join("in/a"));
        let only = only.expect("it is there");
        assert!(only.open(&world.root.join("in/a"), Access::Read).is_ok());
        let other = only.open(&world.root.join("in/deep/b"), Access::Read);
        assert!(matches!(other, Err(OpenError::NotAllowed)));
        assert!(
            Capabilities::none()
                .allow_fs(world.root.join("absent"))
                .is_err()
        );
    }
}
