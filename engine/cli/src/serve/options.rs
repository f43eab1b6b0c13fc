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
  crux serve app.crux --metrics 127.0.0.1:9090 &
  curl 127.0.0.1:9090/-/metrics # requests, reloads, heap

The program exports `routes`, a map from \"METHOD /path/{param}\" (GET, POST, PUT, PATCH, DELETE)
or \"WS /path\" to functions of one argument; that of a WebSocket may take the request of the
handshake as its second:

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
    /// Where figures are to be had, at /-/metrics; `off` for nowhere
    #[arg(long, value_name = "IP:PORT", default_value = "off", value_parser = address_or_off)]
    pub(super) metrics: Setting<SocketAddr>,
    /// Clients that are connected at once, at most; for another one an idle one is closed, or it
    /// gets 503
    #[arg(long, value_name = "COUNT", default_value_t = 1024, value_parser = count)]
    pub(super) max_connections: usize,
    /// Requests that are answered at once, at most, those of one route seven eighths of them; any
    /// more wait, see --busy-timeout
    #[arg(long, value_name = "COUNT", default_value_t = 512, value_parser = count)]
    pub(super) max_in_flight: usize,
    /// WebSockets that are open at once, at most; any more get 503
    #[arg(long, value_name = "COUNT", default_value_t = 512, value_parser = count)]
    max_websockets: usize,
    /// Bytes of a body or of a WebSocket message, at most, with `k`, `m` or `g`; a larger body
    /// gets 413
    #[arg(long, value_name = "BYTES", default_value = "2m", value_parser = size)]
    max_body: u64,
    /// Bytes of heads, bodies, messages and answers that wait in the server, at most, with `k`,
    /// `m` or `g`; what finds no room gets 503. A quarter of the heap's limit, and four bodies at
    /// least, unless said otherwise
    #[arg(long, value_name = "BYTES", value_parser = size)]
    max_bytes_in_flight: Option<u64>,
    /// Bytes of the heap that a request or a WebSocket may use, at most, with `k`, `m` or `g`;
    /// one that wants more gets OutOfMemory. A quarter of the heap's limit, unless said otherwise
    #[arg(long, value_name = "BYTES", value_parser = size)]
    request_memory: Option<u64>,
    /// Detached tasks of requests and WebSockets at once, at most; any more throw HostError
    #[arg(long, value_name = "COUNT", default_value_t = 256, value_parser = count)]
    pub(super) max_detached: usize,
    /// Finalizers of requests that wait to be run, at most; beyond that the newest of those who
    /// have most are given up
    #[arg(long, value_name = "COUNT", default_value_t = 1024, value_parser = count)]
    pub(super) max_finalizers: usize,
    /// How long a client may take to send a request's head, and then its body (408)
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    read_timeout: Duration,
    /// How long a client may take nothing of what it is sent, or less than 64 KiB of it; then its
    /// connection is closed
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    write_timeout: Duration,
    /// How long a handler may take for a request (504) or message (1011), or `off`
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration_or_off)]
    handler_timeout: Setting<Duration>,
    /// When all places for requests are taken: how long a handler keeps its own while others
    /// wait (503), who wait twice as long at most (503); `off`: nobody waits
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration_or_off)]
    busy_timeout: Setting<Duration>,
    /// How long a detached task of a request or WebSocket may take before it is cancelled, or
    /// `off`
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration_or_off)]
    detached_timeout: Setting<Duration>,
    /// How long nothing may come from a WebSocket, not even an answer to a ping, or `off`
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration_or_off)]
    idle_timeout: Setting<Duration>,
    /// An origin whose pages may open WebSockets, besides the server's own, or `*`; can be said
    /// several times
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,
    /// How long the server may take to end after SIGTERM or Ctrl-C: requests under way are
    /// answered, those that take too long are given up
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

/// A value, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Setting<T>(pub(super) Option<T>);

/// What clients may ask for.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Requests under way at once.
    pub(super) requests_max: usize,
    /// Connections at once.
    pub(super) connections_max: usize,
    /// Bytes that are held for clients.
    pub(super) bytes_max: usize,
    /// Bytes of the heap for each.
    pub(super) request_memory: u64,
    /// WebSockets at once.
    pub(super) websockets_max: usize,
    /// Bytes of a body or message.
    pub(super) body_max: usize,
    /// From the beginning of a head to its end; from there to the end of the body.
    pub(super) read_timeout: Duration,
    /// For a client to take what it is sent.
    pub(super) write_timeout: Duration,
    /// For a handler.
    pub(super) handler_timeout: Option<Duration>,
    /// For a request that waits for a place, and for a handler for whose place others wait.
    pub(super) busy_timeout: Option<Duration>,
    /// For a detached task.
    pub(super) detached_timeout: Option<Duration>,
    /// For a WebSocket from which nothing comes.
    pub(super) idle_timeout: Option<Duration>,
    /// Origins whose pages may open WebSockets.
    pub(super) origins: Vec<String>,
}

impl ServeOptions {
    /// The limits of a server whose heap may have so many bytes.
    pub(super) fn limits(&self, heap_bytes: u64) -> Limits {
        let share = (heap_bytes / 4).max(self.max_body.saturating_mul(4));
        let bytes_max = self.max_bytes_in_flight.unwrap_or(share);
        Limits {
            requests_max: self.max_in_flight,
            connections_max: self.max_connections,
            bytes_max: usize::try_from(bytes_max).unwrap_or(usize::MAX),
            request_memory: self.request_memory.unwrap_or(heap_bytes / 4),
            write_timeout: self.write_timeout,
            handler_timeout: self.handler_timeout.0,
            busy_timeout: self.busy_timeout.0,
            detached_timeout: self.detached_timeout.0,
            idle_timeout: self.idle_timeout.0,
            origins: self.allow_origin.clone(),
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

/// Reads `10s`, or `off`; no time at all is `off`, too.
fn duration_or_off(text: &str) -> Result<Setting<Duration>, String> {
    if text == "off" || text == "0" {
        return Ok(Setting(None));
    }
    let time = duration(text).map_err(|why| format!("{why}, or off"))?;
    Ok(Setting(Some(time).filter(|time| !time.is_zero())))
}

/// Reads `127.0.0.1:9090`, or `off`.
fn address_or_off(text: &str) -> Result<Setting<SocketAddr>, String> {
    if text == "off" {
        return Ok(Setting(None));
    }
    let address = text.parse();
    let why = |_| "expected an address, such as 127.0.0.1:9090, or off".to_owned();
    address.map(|address| Setting(Some(address))).map_err(why)
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
    fn what_can_be_off_says_so() {
        let time = Duration::from_secs(1);
        assert_eq!(duration_or_off("1s"), Ok(Setting(Some(time))));
        for off in ["off", "0", "0s"] {
            assert_eq!(duration_or_off(off), Ok(Setting(None)));
        }
        assert!(duration_or_off("never").is_err());
        assert_eq!(address_or_off("off"), Ok(Setting(None)));
        assert!(address_or_off("127.0.0.1:1").is_ok_and(|it| it.0.is_some()));
        assert!(address_or_off("on").is_err());
    }

    #[test]
    fn counts_begin_at_one() {
        assert_eq!(count("1"), Ok(1));
        for wrong in ["", "0", "-1", "x", "99999999999999999999"] {
            assert!(count(wrong).is_err(), "{wrong}");
        }
    }
}
