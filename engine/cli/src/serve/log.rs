//! The log: what the server says, and what the program prints while it serves.
//!
//! What a handler prints is a line of the log that names its request, whichever task of it
//! prints: the request's span is attached to the realm of its fork. A line of the module `log`
//! has the level that it names, all others are `info`. What the program prints outside of
//! requests goes to standard output.

use std::sync::Arc;

use gcrucible_engine::{Attachment, TraceFrame};
use gcrucible_vm::Realm;
use tracing::Span;
use tracing::level_filters::LevelFilter;

use crate::lines::{self, ToErr};

/// From now on there is a log.
pub(super) fn start(level: LevelFilter) {
    // Nobody has set one before.
    let _ = tracing::subscriber::set_global_default(
        tracing_subscriber::fmt()
            .with_max_level(level)
            .with_writer(|| ToErr)
            .with_target(false)
            .with_ansi(false)
            .finish(),
    );
    // What a panic says would wait for who reads it.
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!("the server panicked: {panic}")
    }));
}

/// Says what nobody caught, and which request it comes of if that is attached.
pub(super) fn uncaught(
    attachment: Option<&Attachment>,
    text: &str,
    trace: &[TraceFrame],
    place: &str,
) {
    let frames: Vec<String> = trace.iter().map(ToString::to_string).collect();
    let say = || tracing::error!(at = frames.join(" < "), "uncaught {text} ({place})");
    match span(attachment) {
        Some(span) => span.in_scope(say),
        None => say(),
    }
}

/// The span of the request that a realm was made for.
fn span(attachment: Option<&Attachment>) -> Option<&Span> {
    attachment?.downcast_ref()
}

/// What is printed in a realm belongs to a request, or a WebSocket.
pub(super) fn attach(realm: &Realm, span: Span) {
    realm.attach(Arc::new(span));
}

/// Takes what was printed in a realm.
pub(super) fn printed(realm: &Realm, texts: &[String]) {
    let Some(span) = span(realm.attachment()) else {
        let mut text = texts.join("\n");
        text.push('\n');
        // It is queued: nobody is there to fail.
        let _ = lines::out(&text);
        return;
    };
    span.in_scope(|| {
        for line in texts.iter().flat_map(|text| text.split('\n')) {
            let of = |level: &str| {
                let rest = line.strip_prefix('[')?.strip_prefix(level)?;
                rest.strip_prefix(']').map(str::trim_start)
            };
            if let Some(line) = of("debug") {
                tracing::debug!("{line}");
            } else if let Some(line) = of("warn") {
                tracing::warn!("{line}");
            } else if let Some(line) = of("error") {
                tracing::error!("{line}");
            } else {
                tracing::info!("{}", of("info").unwrap_or(line));
            }
        }
    });
}
