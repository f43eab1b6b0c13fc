//! A scenario with nothing but a body.

use gcrucible_explore::Schedule;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::data::ScenarioData;
use super::origin::Origin;
use super::text::FORMAT;

/// The scenario of a subject that needs no more than a body and a schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plain<B> {
    /// Version of the text format, [`FORMAT`].
    pub format: u32,
    /// Name of the subject whose scenario it is: that of its lane.
    pub subject: String,
    /// Where it came from; does not influence the run.
    pub origin: Origin,
    /// Who runs when.
    pub schedule: Schedule,
    /// What runs.
    pub body: B,
}

impl<B> Plain<B> {
    /// A scenario of this subject.
    pub fn new(subject: &str, origin: Origin, schedule: Schedule, body: B) -> Self {
        Plain {
            format: FORMAT,
            subject: subject.to_owned(),
            origin,
            schedule,
            body,
        }
    }
}

impl<B> ScenarioData for Plain<B>
where
    B: Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn origin_mut(&mut self) -> &mut Origin {
        &mut self.origin
    }

    fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    fn schedule_mut(&mut self) -> &mut Schedule {
        &mut self.schedule
    }
}
