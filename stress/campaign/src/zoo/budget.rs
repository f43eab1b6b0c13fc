//! How long a hunt takes at most.

use std::str::FromStr;

use crate::duration::duration_ms;

/// How long the zoo looks for one bug with one seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// CPU milliseconds of one worker.
    CpuMs(u64),
    /// Scenarios of each lane.
    Scenarios(u64),
}

impl FromStr for Budget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(count) = text.strip_suffix("sc") {
            return match count.parse() {
                Ok(count) if count > 0 => Ok(Budget::Scenarios(count)),
                _ => Err("expected a number of scenarios like 2000sc".into()),
            };
        }
        duration_ms(text)
            .map(Budget::CpuMs)
            .map_err(|_| "expected CPU time like 60s, or scenarios like 2000sc".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_cpu_time_or_scenarios() {
        assert_eq!("60s".parse(), Ok(Budget::CpuMs(60_000)));
        assert_eq!("2000sc".parse(), Ok(Budget::Scenarios(2000)));
        assert!("0sc".parse::<Budget>().is_err());
        assert!("many".parse::<Budget>().is_err());
    }
}
