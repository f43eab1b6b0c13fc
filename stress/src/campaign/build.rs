//! Which build this is: what scenarios and campaigns record of it.

use gcrucible_platform::seeded_bugs;

use crate::scenario::Origin;

/// Version of the harness.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit it was built from, if the build script could tell.
pub fn commit() -> &'static str {
    option_env!("GCRUCIBLE_COMMIT").unwrap_or("")
}

/// The cargo features that matter.
pub fn features() -> Vec<String> {
    if seeded_bugs::COMPILED_IN {
        vec!["seeded-bugs".to_owned()]
    } else {
        Vec::new()
    }
}

/// Version, commit and features in one word.
pub fn describe() -> String {
    let mut text = VERSION.to_owned();
    if !commit().is_empty() {
        text = format!("{text}+{}", commit());
    }
    for feature in features() {
        text = format!("{text}+{feature}");
    }
    text
}

/// Notes this build in a scenario's origin.
pub fn stamp(origin: &mut Origin) {
    origin.version = VERSION.to_owned();
    origin.commit = commit().to_owned();
    origin.features = features();
}
