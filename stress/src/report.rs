//! What people and other tools read at the end.

pub mod failure_report;
pub mod junit;
pub mod perfetto;
pub mod summary;
pub mod timeline;
