//! A campaign as JUnit XML, which CI systems show.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::plan::Plan;
use crate::session::Outcome;

/// One suite per lane: the campaign itself, each finding, each vacuous counter.
///
/// # Errors
/// Text that XML cannot hold.
pub fn render(plan: &Plan, outcome: &Outcome) -> Result<String, String> {
    let mut report = Report::new("crucible");
    for &lane in &plan.lanes {
        let mut suite = TestSuite::new(lane.name());
        let scenarios = outcome
            .totals
            .lanes
            .get(&lane)
            .map_or(0, |l| l.counters.scenarios);
        suite.add_test_case(TestCase::new(
            format!("{scenarios} scenarios of seed {}", plan.seed),
            TestCaseStatus::success(),
        ));
        for finding in outcome
            .summary
            .findings
            .iter()
            .filter(|f| f.lane == lane.name())
        {
            let message = outcome
                .totals
                .findings
                .get(&finding.id)
                .map(|f| &f.failure.message);
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status
                .set_type(finding.oracle.clone())
                .set_message(message.cloned().unwrap_or_default())
                .set_description(finding.replay.clone());
            suite.add_test_case(TestCase::new(finding.id.clone(), status));
        }
        for vacuous in outcome.vacuous.iter().filter(|v| v.lane == lane.name()) {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type("vacuous").set_message(vacuous.why.clone());
            suite.add_test_case(TestCase::new(
                format!("vacuous {}", vacuous.counter),
                status,
            ));
        }
        report.add_test_suite(suite);
    }
    report.to_string().map_err(|error| error.to_string())
}
