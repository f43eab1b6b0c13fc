//! Generated programs in an abstract form that renders to Crux source text.

use serde::{Deserialize, Serialize};

/// A generated module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Module {}
