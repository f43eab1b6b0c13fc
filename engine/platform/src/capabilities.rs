//! What a program may touch of the world: files, hosts of the network, variables of the
//! environment.
//!
//! An engine hands its capabilities to the platform with each request of its program
//! ([`HostRequest::capabilities`](crate::HostRequest)), so that engines with different rights can
//! share a platform. The host operations of production begin behind one check, which refuses
//! what needs a capability that is not there, and every operation that it does not know. What an
//! embedder's own platform does with a request is the embedder's to decide.
//!
//! ```text
//! files   folders, and opening what lies in them
//! net     hosts and ports
//! ```

#[cfg_attr(
    not(feature = "tokio"),
    allow(dead_code, reason = "only the operations of production open files")
)]
pub(crate) mod files;
mod net;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::net::HostPattern;

/// What a program may touch; nothing, unless more is said. Clones are cheap.
///
/// ```
/// use gcrucible_platform::Capabilities;
///
/// let data = std::env::temp_dir();
/// let capabilities = Capabilities::none()
///     .allow_fs(&data)?
///     .allow_net("api.example.com:443")?
///     .allow_env("HOME");
/// # let _ = capabilities;
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Capabilities {
    /// None for nothing at all, which most requests in tests are made with.
    rules: Option<Arc<Rules>>,
}

#[derive(Clone, Debug, Default)]
struct Rules {
    files: Allowed<Vec<PathBuf>>,
    net: Allowed<Vec<HostPattern>>,
    variables: Allowed<BTreeSet<String>>,
}

/// All of a kind, or some.
#[derive(Clone, Debug)]
enum Allowed<T> {
    All,
    Only(T),
}

impl<T: Default> Default for Allowed<T> {
    fn default() -> Self {
        Allowed::Only(T::default())
    }
}

impl<T: Default> Allowed<T> {
    fn add(&mut self, more: impl FnOnce(&mut T)) {
        match self {
            // There is nothing beyond everything.
            Allowed::All => {}
            Allowed::Only(some) => more(some),
        }
    }
}

/// What a host operation needs. There is no operation without one: a new one has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "tokio"),
    allow(dead_code, reason = "the operations of production are what is checked")
)]
pub(crate) enum Need {
    /// The file that the first argument names.
    File,
    /// The host that the URL in the first argument names.
    Host,
    /// The variable that the first argument names.
    Variable,
}

impl Capabilities {
    /// Nothing.
    pub fn none() -> Capabilities {
        Capabilities::default()
    }

    /// Everything, as the command line has it unless it is told otherwise.
    pub fn all() -> Capabilities {
        Capabilities {
            rules: Some(Arc::new(Rules {
                files: Allowed::All,
                net: Allowed::All,
                variables: Allowed::All,
            })),
        }
    }

    /// Also the folder with everything in it, or the single file, to read and to write. Links
    /// in it that lead out of it are no way out; a second name of a file elsewhere (a hard link) is a
    /// file in it. What the folder is, is looked up now: if it is a link, the folder that it leads to.
    ///
    /// # Errors
    /// If there is no such folder or file.
    pub fn allow_fs(self, path: impl AsRef<Path>) -> Result<Capabilities, String> {
        let path = path.as_ref();
        let real =
            std::fs::canonicalize(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(self.with(|rules| rules.files.add(|files| files.push(real))))
    }

    /// Also all files.
    #[must_use]
    pub fn allow_fs_all(self) -> Capabilities {
        self.with(|rules| rules.files = Allowed::All)
    }

    /// Also a host: `name`, `name:port`, an address, `[v6 address]:port`, or `*.name` for all
    /// below a name. Without a port all are allowed. A name stands for the addresses that it
    /// resolves to; an address stands for itself alone. Redirects are followed only to what is
    /// allowed, and no proxy of the environment is asked.
    ///
    /// # Errors
    /// If it is no such thing.
    pub fn allow_net(self, host: &str) -> Result<Capabilities, String> {
        let pattern: HostPattern = host.parse()?;
        Ok(self.with(|rules| rules.net.add(|hosts| hosts.push(pattern))))
    }

    /// Also all hosts.
    #[must_use]
    pub fn allow_net_all(self) -> Capabilities {
        self.with(|rules| rules.net = Allowed::All)
    }

    /// Also a variable of the environment.
    #[must_use]
    pub fn allow_env(self, name: &str) -> Capabilities {
        self.with(|rules| {
            rules.variables.add(|names| {
                names.insert(name.to_owned());
            });
        })
    }

    /// Also all variables.
    #[must_use]
    pub fn allow_env_all(self) -> Capabilities {
        self.with(|rules| rules.variables = Allowed::All)
    }

    fn with(self, change: impl FnOnce(&mut Rules)) -> Capabilities {
        let mut rules = self.rules.map(Arc::unwrap_or_clone).unwrap_or_default();
        change(&mut rules);
        Capabilities {
            rules: Some(Arc::new(rules)),
        }
    }
}

#[cfg_attr(
    not(feature = "tokio"),
    allow(dead_code, reason = "the operations of production are what is checked")
)]
impl Capabilities {
    /// The check that every host operation of production begins behind: whether `operation` may
    /// touch `what`, as far as that can be said without a look at the world. A file and what a
    /// host redirects to are looked at again when they are met.
    pub(crate) fn check(&self, operation: &str, need: Need, what: &str) -> Result<(), String> {
        let is_allowed = match need {
            Need::File => !matches!(self.folders(), Some([])),
            Need::Host => self.allows_url(what),
            Need::Variable => match self.rules.as_deref().map(|rules| &rules.variables) {
                None => false,
                Some(Allowed::All) => true,
                Some(Allowed::Only(names)) => names.contains(what),
            },
        };
        if is_allowed {
            return Ok(());
        }
        Err(match need {
            Need::File => files::refusal(operation, what),
            Need::Host => net::refusal(operation, what),
            Need::Variable => {
                format!("not allowed: {operation} of {what}; --allow-env={what} would allow it")
            }
        })
    }

    /// The folders that may be touched, `None` for all.
    pub(crate) fn folders(&self) -> Option<&[PathBuf]> {
        match self.rules.as_deref().map(|rules| &rules.files) {
            None => Some(&[]),
            Some(Allowed::Only(folders)) => Some(folders),
            Some(Allowed::All) => None,
        }
    }

    /// The hosts that may be talked to, `None` for all.
    fn hosts(&self) -> Option<&[HostPattern]> {
        match self.rules.as_deref().map(|rules| &rules.net) {
            None => Some(&[]),
            Some(Allowed::Only(hosts)) => Some(hosts),
            Some(Allowed::All) => None,
        }
    }

    /// Whether every host may be talked to.
    #[cfg(feature = "http")]
    pub(crate) fn has_all_hosts(&self) -> bool {
        self.hosts().is_none()
    }

    /// Whether the host of a URL may be talked to. What is no URL fails by itself, where all
    /// hosts are allowed.
    fn allows_url(&self, url: &str) -> bool {
        match self.hosts() {
            None => true,
            Some(hosts) => net::is_among(hosts, url),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(capabilities: &Capabilities, name: &str) -> bool {
        capabilities.check("env", Need::Variable, name).is_ok()
    }

    #[test]
    fn nothing_is_allowed_unless_it_is_said() {
        let none = Capabilities::none();
        for (need, what) in [
            (Need::File, "/etc/passwd"),
            (Need::Host, "http://localhost/"),
            (Need::Variable, "HOME"),
        ] {
            let refused = none.check("op", need, what).expect_err("refused");
            assert!(
                refused.contains(what) && refused.contains("--allow-"),
                "{refused}"
            );
            assert_eq!(Capabilities::all().check("op", need, what), Ok(()));
        }
    }

    #[test]
    fn one_kind_says_nothing_of_another() {
        let some = Capabilities::none().allow_env("HOME").allow_env("USER");
        assert!(env(&some, "HOME") && env(&some, "USER"));
        assert!(!env(&some, "PATH") && !env(&some, "home") && !env(&some, ""));
        assert!(some.check("fs.read", Need::File, "a").is_err());
        let more = some.clone().allow_env_all().allow_env("X");
        assert!(env(&more, "PATH") && !env(&some, "PATH"));
        assert!(more.check("http.get", Need::Host, "http://a/").is_err());
    }
}
