//! Which build this is: what scenarios and campaigns record of it.

use gcrucible_scenario::Origin;

/// A build of the harness with its subjects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Build {
    /// Version of the harness.
    pub version: &'static str,
    /// The commit it was built from; empty if nobody could tell.
    pub commit: &'static str,
    /// The cargo features that matter.
    pub features: Vec<String>,
}

impl Build {
    /// Version, commit and features in one word.
    pub fn describe(&self) -> String {
        let mut text = self.version.to_owned();
        if !self.commit.is_empty() {
            text = format!("{text}+{}", self.commit);
        }
        for feature in &self.features {
            text = format!("{text}+{feature}");
        }
        text
    }

    /// Notes this build in a scenario's origin.
    pub fn stamp(&self, origin: &mut Origin) {
        self.version.clone_into(&mut origin.version);
        self.commit.clone_into(&mut origin.commit);
        origin.features.clone_from(&self.features);
    }
}
