//! What the command line of `crux serve` may say.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tracing::level_filters::LevelFilter;

use crate::options::{HeapOptions, size};

const EXAMPLES: &str = "\
Examples:
  crux serve examples/notes_server.crux
  crux serve app.crux --address 0.0.0.0:80 --max-body 64k --grace 30s
  crux serve app.crux --hot --log debug
  crux serve app.crux --allow-fs=data --allow-net=127.0.0.1:5432
  kill -HUP PID                 # load the program anew
  curl 127.0.0.1:8080/-/metrics # requests, reloads, heap

The program exports `routes`, a map from \"METHOD /path/{param}\" (GET, POST, PUT, DELETE) or
\"WS /path\" to functions of one argument:

  export let routes = {
    \"GET /hello/{name}\": |request| \"hello ${request[\"params\"][\"name\"]}\\n\",
    \"POST /sum\": |request| ({ sum: request[\"body\"].sum() }),
    \"WS /echo\": |message| message,
  }

Exit codes: 0 ended by SIGTERM or Ctrl-C, 1 the program cannot be served, 2 a command line that
makes no sense, 130 ended by a second signal.";

/// A program that is served, and how.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServeOptions {
    /// The module that exports `routes`
    pub(super) file: PathBuf,
    /// What `sys.args()` gives; after `--` they may begin with a dash
    pub(super) args: Vec<String>,
    /// Where to listen; port 0 is any that is free
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8080")]
    pub(super) address: SocketAddr,
    /// Reload the program whenever one of its files changes
    #[cfg(feature = "hot")]
    #[arg(long)]
    pub(super) hot: bool,
    /// Requests that are answered at once, at most; any more get 503
    #[arg(long, value_name = "COUNT", default_value_t = 512, value_parser = count)]
    pub(super) max_in_flight: usize,
    /// WebSockets that are open at once, at most; any more get 503
    #[arg(long, value_name = "COUNT", default_value_t = 512, value_parser = count)]
    max_websockets: usize,
    /// Bytes of a body or of a WebSocket message, at most, with `k`, `m` or `g`; a larger body
    /// gets 413
    #[arg(long, value_name = "BYTES", default_value = "2m", value_parser = size)]
    max_body: u64,
    /// How long a client may take to send a request's head, and then its body (408)
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    read_timeout: Duration,
    /// How long requests under way may go on after SIGTERM or Ctrl-C
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(super) grace: Duration,
    /// What to write to standard error: `info` has a line for each request
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log: Log,
    /// The same as `--log warn`: no line for each request
    #[arg(long, short, conflicts_with = "log")]
    quiet: bool,
    #[command(flatten)]
    pub(super) heap: HeapOptions,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Log {
    Off,
    Error,
    Warn,
    Info,
    Debug,
}

/// What clients may ask for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// WebSockets at once.
    pub(super) websockets_max: usize,
    /// Bytes of a body or message.
    pub(super) body_max: usize,
    /// From the beginning of a head to its end; from there to the end of the body.
    pub(super) read_timeout: Duration,
}

impl ServeOptions {
    pub(super) fn limits(&self) -> Limits {
        Limits {
            websockets_max: self.max_websockets,
            body_max: usize::try_from(self.max_body).unwrap_or(usize::MAX),
            read_timeout: self.read_timeout,
        }
    }

    pub(super) fn log_level(&self) -> LevelFilter {
        match self.log {
            _ if self.quiet => LevelFilter::WARN,
            Log::Off => LevelFilter::OFF,
            Log::Error => LevelFilter::ERROR,
            Log::Warn => LevelFilter::WARN,
            Log::Info => LevelFilter::INFO,
            Log::Debug => LevelFilter::DEBUG,
        }
    }
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if (1..=COUNT_MAX).contains(&count) => Ok(count),
        _ => Err(format!("expected a number from 1 to {COUNT_MAX}")),
    }
}

/// More than a process can have connections.
const COUNT_MAX: usize = 1 << 24;

/// Reads `10s`, as the language writes durations.
fn duration(text: &str) -> Result<Duration, String> {
    let expected = || "expected a time, such as 250ms, 10s or 2m".to_owned();
    let at = text.find(|c: char| !c.is_ascii_digit());
    let (digits, unit) = text.split_at(at.ok_or_else(expected)?);
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return Err(expected()),
    };
    let number: u64 = digits.parse().map_err(|_| expected())?;
    match number.checked_mul(milliseconds) {
        Some(time) if time <= TIME_MAX => Ok(Duration::from_millis(time)),
        _ => Err("more than a day".to_owned()),
    }
}

/// A day, in milliseconds.
const TIME_MAX: u64 = 24 * 60 * 60 * 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        for wrong in [
            "",
            "10",
            "s",
            "-1s",
            "1h",
            "1.5s",
            "99999999999999999999s",
            "2000m",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn counts_begin_at_one() {
        assert_eq!(count("1"), Ok(1));
        for wrong in ["", "0", "-1", "x", "99999999999999999999"] {
            assert!(count(wrong).is_err(), "{wrong}");
        }
    }
}
