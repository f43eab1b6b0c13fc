//! Crux as its users see it: small programs, with what they print or why they are refused
//! beside the line. `suite/` says how such a file is read, run and judged.

mod suite;

use std::collections::BTreeMap;
use std::path::Path;

use suite::case::Case;
use suite::machine::{Mode, run};
use suite::{judge, rules};

/// All files of the suite.
fn cases() -> Vec<Case> {
    suite::case::find(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance"))
}

/// The share of the files that one of several tests takes, so that they run side by side.
fn share(part: usize, of: usize) -> impl Iterator<Item = Case> {
    cases().into_iter().skip(part).step_by(of)
}

/// Runs the files of a share and reports all that fail, with what they should have done.
fn hold(mode: Mode, part: usize, of: usize) {
    let mut failed = Vec::new();
    for case in share(part, of) {
        let expected = case.expected();
        let differences = judge::differences(&expected, &run(&case, mode));
        if !differences.is_empty() {
            failed.push(format!("{case} ({mode:?})\n{}\n", differences.join("\n")));
        }
    }
    let count = failed.len();
    assert!(count == 0, "{count} files fail:\n\n{}", failed.join("\n"));
}

#[test]
fn programs_do_what_they_say() {
    hold(Mode::Free, 0, 1);
}

#[test]
fn programs_do_the_same_instruction_by_instruction() {
    hold(Mode::Stepped, 0, 1);
}

#[test]
fn programs_do_the_same_while_everything_moves_1() {
    hold(Mode::Moving, 0, 3);
}

#[test]
fn programs_do_the_same_while_everything_moves_2() {
    hold(Mode::Moving, 1, 3);
}

#[test]
fn programs_do_the_same_while_everything_moves_3() {
    hold(Mode::Moving, 2, 3);
}

#[test]
fn every_feature_and_rule_has_two_files() {
    let mut files: BTreeMap<&str, usize> = rules::ALL.iter().map(|&rule| (rule, 0)).collect();
    let mut unknown = Vec::new();
    let all = cases();
    for case in &all {
        let rules = case.expected().rules;
        assert!(!rules.is_empty(), "{case} names no rule");
        for rule in rules {
            match files.get_mut(rule.as_str()) {
                Some(count) => *count += 1,
                None if rules::is_other(&rule) => {}
                None => unknown.push(format!("{case}: {rule}")),
            }
        }
    }
    assert_eq!(unknown, [""; 0], "no such feature or rule");
    files.retain(|_, count| *count < 2);
    assert!(files.is_empty(), "fewer than two files for {files:?}");
    assert!(all.len() >= 300, "{} files", all.len());
}

#[test]
fn an_altered_line_makes_its_file_fail() {
    for case in cases() {
        let outcome = run(&case, Mode::Free);
        let before = judge::differences(&case.expected(), &outcome);
        assert!(before.is_empty(), "{case} fails as it is");
        let altered = case.altered();
        assert!(!altered.is_empty(), "{case} expects nothing");
        for (other, line) in altered {
            let differences = judge::differences(&other.expected(), &outcome);
            assert!(!differences.is_empty(), "{case}: nobody misses {line}");
        }
    }
}
