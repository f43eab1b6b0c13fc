//! Small programs, one claim each.

mod calls;
mod dispatch;
mod driver;
mod exceptions;
mod interrupts;
mod invalid;
mod machine;
mod memory;
mod objects;
mod operators;
mod poison;
mod scopes;
mod slices;
mod stepped;
mod steps;
mod tasks;
