//! What a program may touch.

use std::path::PathBuf;

use clap::Args;
use gcrucible_engine::Capabilities;

/// Stands for everything of its kind.
const ALL: &str = "*";

/// A program may touch everything, unless one of these is given: then it may touch what they
/// name, and nothing else. The modules that it imports are read before it runs, by the command
/// line itself: they need no permission.
#[derive(Debug, Default, Args)]
#[command(
    next_help_heading = "What the program may touch (everything, unless one of these is given)"
)]
pub(crate) struct CapabilityOptions {
    /// Files: a folder with all that is in it, or one file; may be given several times.
    /// Without DIR all files
    #[arg(
        long,
        value_name = "DIR",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "/"
    )]
    allow_fs: Vec<PathBuf>,
    /// The network: hosts, as in `api.example.com:443,*.example.org,127.0.0.1,[::1]:80`. Without
    /// HOSTS all of them. Redirects to others are not followed
    #[arg(
        long,
        value_name = "HOSTS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = ALL,
        value_delimiter = ','
    )]
    allow_net: Vec<String>,
    /// The environment: names of variables, as in `HOME,LANG`. Without NAMES all of them
    #[arg(
        long,
        value_name = "NAMES",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = ALL,
        value_delimiter = ','
    )]
    allow_env: Vec<String>,
    /// Nothing but what the others name, if any
    #[arg(long)]
    deny_all: bool,
}

impl CapabilityOptions {
    /// What they allow.
    ///
    /// # Errors
    /// What is wrong with one of them, in words.
    pub(crate) fn capabilities(&self) -> Result<Capabilities, String> {
        let is_said = self.deny_all
            || !self.allow_fs.is_empty()
            || !self.allow_net.is_empty()
            || !self.allow_env.is_empty();
        if !is_said {
            return Ok(Capabilities::all());
        }
        let mut allowed = Capabilities::none();
        for folder in &self.allow_fs {
            let added = allowed.allow_fs(folder);
            allowed = added.map_err(|error| format!("--allow-fs: {error}"))?;
        }
        for host in &self.allow_net {
            allowed = match host.as_str() {
                ALL => allowed.allow_net_all(),
                host => allowed
                    .allow_net(host)
                    .map_err(|error| format!("--allow-net: {error}"))?,
            };
        }
        for name in &self.allow_env {
            allowed = match name.as_str() {
                ALL => allowed.allow_env_all(),
                "" => return Err("--allow-env: a variable has a name".to_owned()),
                name => allowed.allow_env(name),
            };
        }
        Ok(allowed)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        options: CapabilityOptions,
        file: Option<String>,
    }

    fn read(args: &[&str]) -> Result<String, String> {
        let line = Line::try_parse_from([&["crux"], args].concat());
        let line = line.map_err(|error| error.to_string())?;
        Ok(format!(
            "{:?} {:?}",
            line.options.capabilities()?,
            line.file
        ))
    }

    fn is(args: &[&str], capabilities: &Capabilities) {
        let expected = Ok(format!("{capabilities:?} Some(\"a.crux\")"));
        assert_eq!(read(&[args, &["a.crux"]].concat()), expected, "{args:?}");
    }

    #[test]
    fn what_is_not_named_is_closed_as_soon_as_one_is() {
        let none = || Capabilities::none();
        is(&[], &Capabilities::all());
        is(&["--deny-all"], &none());
        let net = |host| none().allow_net(host).expect("a host");
        is(&["--allow-net=a:80"], &net("a:80"));
        is(&["--deny-all", "--allow-net=a:80"], &net("a:80"));
        let two = net("a").allow_net("[::1]:5").expect("a host");
        is(&["--allow-net=a,[::1]:5"], &two);
        is(&["--allow-net=a", "--allow-net=[::1]:5"], &two);
        is(&["--allow-net"], &none().allow_net_all());
        is(&["--allow-env"], &none().allow_env_all());
        is(&["--allow-env=A,B"], &none().allow_env("A").allow_env("B"));
        is(&["--allow-fs"], &none().allow_fs("/").expect("it is there"));
        is(
            &["--allow-fs=/proc/.."],
            &none().allow_fs("/").expect("it is there"),
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for wrong in [
            "--allow-fs=/no such folder",
            "--allow-fs=",
            "--allow-net=http://a/",
            "--allow-net=",
            "--allow-net=a,",
            "--allow-env=",
            "--allow-env=A,",
            "--deny-all=x",
        ] {
            assert!(read(&[wrong]).is_err(), "{wrong}");
        }
    }
}
