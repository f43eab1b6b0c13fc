//! One run as people read it: the timeline in columns, the failure with what led to it, and a
//! trace that viewers open.

pub mod failure_report;
pub mod perfetto;
pub mod timeline;
