//! Conversions between numbers and text, mathematics, random numbers.

use gcrucible_bytecode::{Builtin, ErrorKind};
use gcrucible_heap::{Checks, Value};
use gcrucible_platform::planted;

use super::SPACES;
use crate::interpreter::{Context, Effects, Made, Safepoint};

impl<'p, C: Checks> Context<'p, C> {
    /// `int(v)`.
    pub(super) fn to_int(&self, value: Value<'p>, safepoint: Safepoint) -> Made<'p> {
        if self.m.as_int(value).is_some() {
            return Ok(value);
        }
        if let Some(float) = value.as_float() {
            let int = truncated(float).ok_or(ErrorKind::Overflow)?;
            return self.int(int, safepoint);
        }
        let text = self.m.text(value).ok_or(ErrorKind::TypeError)?;
        let int = text
            .trim_matches(SPACES)
            .parse()
            .map_err(|_| ErrorKind::ParseError)?;
        self.int(int, safepoint)
    }

    /// `float(v)`.
    pub(super) fn to_float(&self, value: Value<'p>) -> Made<'p> {
        if let Some(float) = self.number(value) {
            return Ok(Value::float(float));
        }
        let text = self.m.text(value).ok_or(ErrorKind::TypeError)?;
        let float = parsed_float(text.trim_matches(SPACES)).ok_or(ErrorKind::ParseError)?;
        Ok(Value::float(float))
    }

    /// An int or float as a float.
    fn number(&self, value: Value<'p>) -> Option<f64> {
        match self.m.as_int(value) {
            Some(int) => Some(int as f64),
            None => value.as_float(),
        }
    }

    /// `math.floor(x)` and its like: an int stays.
    pub(super) fn rounded(&self, builtin: Builtin, value: Value<'p>) -> Made<'p> {
        if self.m.as_int(value).is_some() {
            return Ok(value);
        }
        let float = value.as_float().ok_or(ErrorKind::TypeError)?;
        Ok(Value::float(match builtin {
            Builtin::Floor => float.floor(),
            Builtin::Ceil => float.ceil(),
            _ => float.round(),
        }))
    }

    /// `math.sqrt(x)` and its like: a float of a number.
    pub(super) fn of_float(&self, builtin: Builtin, value: Value<'p>) -> Made<'p> {
        let float = self.number(value).ok_or(ErrorKind::TypeError)?;
        Ok(Value::float(match builtin {
            Builtin::Sqrt => float.sqrt(),
            Builtin::Sin => float.sin(),
            Builtin::Cos => float.cos(),
            Builtin::Exp => float.exp(),
            _ => float.ln(),
        }))
    }

    /// `math.pow(x, y)`.
    pub(super) fn pow(&self, x: Value<'p>, y: Value<'p>, safepoint: Safepoint) -> Made<'p> {
        if let (Some(base), Some(exponent)) = (self.m.as_int(x), self.m.as_int(y))
            && exponent >= 0
        {
            let power = int_power(base, exponent).ok_or(ErrorKind::Overflow)?;
            return self.int(power, safepoint);
        }
        match (self.number(x), self.number(y)) {
            (Some(x), Some(y)) => Ok(Value::float(x.powf(y))),
            _ => Err(ErrorKind::TypeError.into()),
        }
    }

    /// `math.bits(op, a, b)`.
    pub(super) fn bits(
        &self,
        operator: Value<'p>,
        a: Value<'p>,
        b: Value<'p>,
        safepoint: Safepoint,
    ) -> Made<'p> {
        let operator = self.m.text(operator).ok_or(ErrorKind::TypeError)?;
        let a = self.m.as_int(a).ok_or(ErrorKind::TypeError)?;
        let b = self.m.as_int(b).ok_or(ErrorKind::TypeError)?;
        let int = match operator {
            "and" => a & b,
            "or" => a | b,
            "xor" => a ^ b,
            // The count is taken modulo 64.
            "shl" if planted!(B239a, b >= 64) => 0,
            "shl" => a.wrapping_shl(b as u32),
            "shr" => a.wrapping_shr(b as u32),
            _ => return Err(ErrorKind::TypeError.into()),
        };
        self.int(int, safepoint)
    }

    /// `random.int(from, to)`.
    pub(super) fn random_int(
        &self,
        from: Value<'p>,
        to: Value<'p>,
        safepoint: Safepoint,
        effects: &mut Effects,
    ) -> Made<'p> {
        let from = self.m.as_int(from).ok_or(ErrorKind::TypeError)?;
        let to = self.m.as_int(to).ok_or(ErrorKind::TypeError)?;
        if from >= to {
            return Err(ErrorKind::IndexOutOfBounds.into());
        }
        let (state, drawn) = split_mix(effects.random);
        let count = to.wrapping_sub(from) as u64;
        let int = from.wrapping_add((drawn % count) as i64);
        let value = self.int(int, safepoint)?;
        // Only now: an instruction that found no memory draws the same number again.
        effects.random = state;
        Ok(value)
    }

    /// `random.float()`.
    pub(super) fn random_float(&self, effects: &mut Effects) -> Value<'p> {
        let (state, drawn) = split_mix(effects.random);
        effects.random = state;
        Value::float((drawn >> 11) as f64 / (1u64 << 53) as f64)
    }
}

/// The next state of SplitMix64 and the number drawn
/// (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
fn split_mix(state: u64) -> (u64, u64) {
    let state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (state, z ^ (z >> 31))
}

/// A float truncated toward zero, if that fits.
fn truncated(float: f64) -> Option<i64> {
    let truncated = float.trunc();
    // Every float within these bounds is an i64; the upper bound is 2 to the 63rd.
    (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0)
        .contains(&truncated)
        .then_some(truncated as i64)
}

/// A float literal with sign, or `inf`, `-inf`, `nan`.
fn parsed_float(text: &str) -> Option<f64> {
    match text {
        "inf" => return Some(f64::INFINITY),
        "-inf" => return Some(f64::NEG_INFINITY),
        "nan" => return Some(f64::NAN),
        _ => {}
    }
    // Rust takes more words than these, in any case.
    let is_literal = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    let float = text.chars().all(is_literal).then(|| text.parse().ok());
    float.flatten()
}

fn int_power(base: i64, exponent: i64) -> Option<i64> {
    match base {
        // Their powers fit however large the exponent is.
        0 | 1 => Some(if exponent == 0 { 1 } else { base }),
        -1 => Some(if exponent % 2 == 0 { 1 } else { -1 }),
        _ => base.checked_pow(u32::try_from(exponent).ok()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_state_draws_the_published_numbers() {
        let (state, first) = split_mix(1_234_567);
        let (_, second) = split_mix(state);
        assert_eq!(first, 6_457_827_717_110_365_317);
        assert_eq!(second, 3_203_168_211_198_807_973);
    }

    #[test]
    fn floats_become_ints_only_where_they_fit() {
        assert_eq!(truncated(-1.9), Some(-1));
        assert_eq!(truncated(i64::MIN as f64), Some(i64::MIN));
        assert_eq!(truncated(i64::MAX as f64), None);
        assert_eq!(truncated(f64::NAN), None);
    }

    #[test]
    fn powers_of_ints_are_exact_or_nothing() {
        assert_eq!(int_power(2, 62), Some(1 << 62));
        assert_eq!(int_power(2, 63), None);
        assert_eq!(int_power(-1, i64::MAX), Some(-1));
        assert_eq!(int_power(0, 0), Some(1));
        assert_eq!(int_power(3, i64::MAX), None);
    }

    #[test]
    fn only_float_literals_are_floats() {
        assert_eq!(parsed_float("-1.5e3"), Some(-1500.0));
        assert_eq!(parsed_float("+2"), Some(2.0));
        assert_eq!(parsed_float("infinity"), None);
        assert_eq!(parsed_float(""), None);
        assert!(parsed_float("nan").is_some_and(f64::is_nan));
    }
}
