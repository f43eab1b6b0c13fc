//! Cancellation: a request that a task sees at its next slice start, await or host
//! operation, as a catchable error. It reaches the tasks below, too.

mod token;
mod tree;

pub use token::Token;
pub(crate) use token::Watched;
pub(crate) use tree::{Link, TokenTree};
