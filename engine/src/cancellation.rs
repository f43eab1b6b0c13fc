//! Cancellation: a request that a task sees at its next slice start, await or host
//! operation, as a catchable error.

mod token;

pub use token::Token;
