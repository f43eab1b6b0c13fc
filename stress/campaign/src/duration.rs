//! Durations as people write them.

/// Reads a duration in milliseconds: `500ms`, `60s`, `10m`.
///
/// # Errors
/// Anything else, zero, and what does not fit.
pub fn duration_ms(text: &str) -> Result<u64, String> {
    let expected = || "expected a duration like 500ms, 60s or 10m".to_owned();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .ok_or_else(expected)?;
    let number: u64 = text[..digits].parse().map_err(|_| expected())?;
    let unit_ms = match &text[digits..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        _ => return Err(expected()),
    };
    match number.checked_mul(unit_ms) {
        Some(ms) if ms > 0 => Ok(ms),
        _ => Err(expected()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration_ms("500ms"), Ok(500));
        assert_eq!(duration_ms("60s"), Ok(60_000));
        assert_eq!(duration_ms("10m"), Ok(600_000));
        for bad in [
            "",
            "60",
            "s",
            "0s",
            "1h",
            "-1s",
            "1.5s",
            "99999999999999999999s",
        ] {
            assert!(duration_ms(bad).unwrap_err().contains("expected"), "{bad}");
        }
    }
}
