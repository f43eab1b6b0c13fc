//! `crux serve`: a process, a real client, and files that change under it.
#![cfg(feature = "serve")]

#[path = "../process/mod.rs"]
mod process;

mod bad_clients;
mod example;
mod handlers;
mod hostile;
mod hostile_clients;
mod limits;
mod manners;
mod output;
mod reloads;
mod server;
mod shutdown;
mod start;
mod timeouts;
mod websockets;
