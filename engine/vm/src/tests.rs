//! Small programs, one claim each.

mod calls;
mod driver;
mod exceptions;
mod invalid;
mod memory;
mod objects;
mod operators;
mod slices;
mod tasks;
