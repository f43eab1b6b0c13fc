//! What is measured.

pub mod allocation;
pub mod built_ins;
pub mod collection;
pub mod decision;
pub mod fork;
pub mod interpreter;
pub mod resident;
pub mod scenarios;
pub mod tasks;
