//! Channels, locks, events and pools. Each file is one crate; what tasks do with them is in [`shapes`], once for
//! each shape of an interface.

mod shapes;

#[cfg(not(feature = "older"))]
mod async_lock;
#[cfg(not(feature = "bad"))]
mod async_oneshot_channel;
#[cfg(not(feature = "older"))]
mod async_unsync;
#[cfg(not(feature = "older"))]
mod bb8;
#[cfg(not(feature = "bad"))]
mod embassy_sync;
mod event_listener;
#[cfg(not(feature = "older"))]
mod flume;
#[cfg(not(feature = "older"))]
mod futures_intrusive;
#[cfg(not(feature = "older"))]
mod futures_util;
#[cfg(not(feature = "bad"))]
mod mea;
#[cfg(not(feature = "older"))]
mod oneshot;
mod tokio;
#[cfg(not(feature = "older"))]
mod tokio_02;
#[cfg(not(feature = "older"))]
mod tokio_util;

use gcrucible_futures_subject::NamedWorld;

/// Worlds of crates whose bad version is on the side `older`, by name.
#[cfg(not(feature = "bad"))]
pub(super) const OF_OLDER: &[NamedWorld] = &[
    ("event-listener-2", event_listener::event_2),
    ("mea-semaphore", mea::semaphore),
    ("embassy-channel", embassy_sync::channel),
    ("async-oneshot-channel", async_oneshot_channel::channel),
];

/// None of these are on the side `bad`.
#[cfg(feature = "bad")]
pub(super) const OF_OLDER: &[NamedWorld] = &[];

/// The other worlds by name.
#[cfg(feature = "older")]
pub(super) const ALL: &[NamedWorld] = &[
    ("tokio-oneshot", tokio::oneshot),
    ("tokio-notify", tokio::notify),
    ("tokio-mpsc", tokio::mpsc),
    ("tokio-semaphore", tokio::semaphore),
    ("tokio-watch", tokio::watch),
    ("tokio-broadcast", tokio::broadcast),
];

/// The other worlds by name.
#[cfg(not(feature = "older"))]
pub(super) const ALL: &[NamedWorld] = &[
    ("oneshot", oneshot::oneshot),
    ("event-listener", event_listener::event),
    ("flume", flume::channel),
    ("futures-shared", futures_util::shared),
    ("futures-unordered", futures_util::unordered),
    ("bb8", bb8::pool),
    ("async-lock-semaphore", async_lock::semaphore),
    ("async-lock-mutex", async_lock::mutex),
    ("async-unsync-channel", async_unsync::channel),
    ("async-unsync-semaphore", async_unsync::semaphore),
    ("tokio-reserve", tokio::reserve),
    ("tokio-mpsc", tokio::mpsc),
    ("tokio-oneshot", tokio::oneshot),
    ("tokio-notify", tokio::notify),
    ("tokio-semaphore", tokio::semaphore),
    ("tokio-watch", tokio::watch),
    ("tokio-broadcast", tokio::broadcast),
    ("tokio-util-cancellation", tokio_util::cancellation),
    ("futures-intrusive-mutex", futures_intrusive::mutex),
    ("futures-intrusive-semaphore", futures_intrusive::semaphore),
    ("futures-intrusive-event", futures_intrusive::event),
    ("futures-intrusive-channel", futures_intrusive::channel),
    ("tokio-0.2-mutex", tokio_02::mutex),
    ("tokio-0.2-mpsc", tokio_02::mpsc),
];
