//! Operators on numbers and text: everything that the run loop does not do in place.

use std::cmp::Ordering;

use gcrucible_bytecode::ErrorKind;
use gcrucible_heap::{Checks, Mutator, Value};

use super::{Context, Made, Safepoint, Stop};

/// An operator on two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
}

/// A number.
#[derive(Clone, Copy, Debug)]
enum Number {
    Int(i64),
    Float(f64),
}

impl Number {
    fn of<'p, C: Checks>(m: &Mutator<'p, C>, value: Value<'p>) -> Option<Number> {
        match m.as_int(value) {
            Some(int) => Some(Number::Int(int)),
            None => value.as_float().map(Number::Float),
        }
    }

    fn as_float(self) -> f64 {
        match self {
            Number::Int(int) => int as f64,
            Number::Float(float) => float,
        }
    }
}

impl<'p, C: Checks> Context<'p, C> {
    /// `lhs operator rhs`.
    pub(super) fn binary(
        &self,
        operator: Operator,
        lhs: Value<'p>,
        rhs: Value<'p>,
        safepoint: Safepoint,
    ) -> Made<'p> {
        if let (Some(a), Some(b)) = (lhs.as_float(), rhs.as_float()) {
            return Ok(Value::float(on_floats(operator, a, b)));
        }
        match (Number::of(&self.m, lhs), Number::of(&self.m, rhs)) {
            (Some(Number::Int(a)), Some(Number::Int(b))) => {
                self.int(on_ints(operator, a, b)?, safepoint)
            }
            (Some(a), Some(b)) => Ok(Value::float(on_floats(
                operator,
                a.as_float(),
                b.as_float(),
            ))),
            _ if operator == Operator::Add => self.concatenation(lhs, rhs, safepoint),
            _ => Err(ErrorKind::TypeError.into()),
        }
    }

    fn concatenation(&self, lhs: Value<'p>, rhs: Value<'p>, safepoint: Safepoint) -> Made<'p> {
        match (self.m.text(lhs), self.m.text(rhs)) {
            (Some(a), Some(b)) => {
                self.safepoint(safepoint)?;
                let bytes = a.len() + b.len();
                if !self.work.has_progress() && bytes <= self.work.step() as usize {
                    self.work.charge_bytes(bytes);
                    return Ok(self.m.string(&[a, b].concat())?);
                }
                self.joined_texts([a, b])
            }
            _ => Err(ErrorKind::TypeError.into()),
        }
    }

    /// An int, boxed if it must be.
    pub(crate) fn int(&self, int: i64, safepoint: Safepoint) -> Made<'p> {
        match Value::small_int(int) {
            Some(value) => Ok(value),
            None => {
                self.safepoint(safepoint)?;
                Ok(self.m.int(int)?)
            }
        }
    }

    /// `-value`.
    pub(super) fn negated(&self, value: Value<'p>, safepoint: Safepoint) -> Made<'p> {
        match Number::of(&self.m, value) {
            Some(Number::Int(int)) => {
                let negated = int.checked_neg().ok_or(ErrorKind::Overflow)?;
                self.int(negated, safepoint)
            }
            Some(Number::Float(float)) => Ok(Value::float(-float)),
            None => Err(ErrorKind::TypeError.into()),
        }
    }

    /// How `lhs` compares with `rhs`; `None` if one of them is a NaN.
    pub(super) fn compared(
        &self,
        lhs: Value<'p>,
        rhs: Value<'p>,
    ) -> Result<Option<Ordering>, Stop<'p>> {
        match (Number::of(&self.m, lhs), Number::of(&self.m, rhs)) {
            (Some(Number::Int(a)), Some(Number::Int(b))) => Ok(Some(a.cmp(&b))),
            (Some(Number::Int(a)), Some(Number::Float(b))) => Ok(int_with_float(a, b)),
            (Some(Number::Float(a)), Some(Number::Int(b))) => {
                Ok(int_with_float(b, a).map(Ordering::reverse))
            }
            (Some(Number::Float(a)), Some(Number::Float(b))) => Ok(a.partial_cmp(&b)),
            _ => match (self.m.text(lhs), self.m.text(rhs)) {
                (Some(a), Some(b)) => {
                    self.charge_comparison(lhs, rhs);
                    Ok(Some(a.as_bytes().cmp(b.as_bytes())))
                }
                _ => Err(ErrorKind::TypeError.into()),
            },
        }
    }
}

/// How an int compares with a float, as the numbers that they are: to convert the int to a
/// float would round it, and leave it neither less than nor equal to its neighbours. `None` for
/// a NaN.
fn int_with_float(int: i64, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    // 2 to the 63rd, which all ints are below.
    if float >= 9_223_372_036_854_775_808.0 {
        return Some(Ordering::Less);
    }
    if float < -9_223_372_036_854_775_808.0 {
        return Some(Ordering::Greater);
    }
    // What is left of the point is an int; what is right of it decides among equals.
    let whole = float.trunc();
    Some(
        int.cmp(&(whole as i64))
            .then_with(|| whole.partial_cmp(&float).expect("neither of them is a NaN")),
    )
}

fn on_ints(operator: Operator, a: i64, b: i64) -> Result<i64, ErrorKind> {
    let result = match operator {
        Operator::Add => a.checked_add(b),
        Operator::Sub => a.checked_sub(b),
        Operator::Mul => a.checked_mul(b),
        Operator::Div | Operator::Rem if b == 0 => return Err(ErrorKind::DivideByZero),
        Operator::Div => a.checked_div(b),
        // The one remainder that the processor cannot do is 0, which fits.
        Operator::Rem => Some(a.wrapping_rem(b)),
    };
    result.ok_or(ErrorKind::Overflow)
}

fn on_floats(operator: Operator, a: f64, b: f64) -> f64 {
    match operator {
        Operator::Add => a + b,
        Operator::Sub => a - b,
        Operator::Mul => a * b,
        Operator::Div => a / b,
        Operator::Rem => a % b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_int_and_a_float_compare_as_the_numbers_that_they_are() {
        use Ordering::{Equal, Greater, Less};
        let beyond = 9_223_372_036_854_775_808.0;
        for (int, float, ordering) in [
            (0, -0.0, Equal),
            (1, 1.5, Less),
            (2, 1.5, Greater),
            (-1, -1.5, Greater),
            (-2, -1.5, Less),
            ((1 << 53) + 1, 9_007_199_254_740_992.0, Greater),
            (1 << 53, 9_007_199_254_740_992.0, Equal),
            (-(1 << 53) - 1, -9_007_199_254_740_992.0, Less),
            (i64::MAX, beyond, Less),
            (i64::MAX, 9_223_372_036_854_774_784.0, Greater),
            (i64::MIN, -beyond, Equal),
            (i64::MIN, f64::NEG_INFINITY, Greater),
            (i64::MAX, f64::INFINITY, Less),
        ] {
            assert_eq!(int_with_float(int, float), Some(ordering), "{int} {float}");
        }
        assert_eq!(int_with_float(0, f64::NAN), None);
    }

    #[test]
    fn int_results_that_do_not_fit_are_overflows() {
        assert_eq!(
            on_ints(Operator::Add, i64::MAX, 1),
            Err(ErrorKind::Overflow)
        );
        assert_eq!(
            on_ints(Operator::Div, i64::MIN, -1),
            Err(ErrorKind::Overflow)
        );
        assert_eq!(on_ints(Operator::Rem, i64::MIN, -1), Ok(0));
        assert_eq!(on_ints(Operator::Rem, -7, 3), Ok(-1));
        assert_eq!(on_ints(Operator::Div, -7, 2), Ok(-3));
        assert_eq!(on_ints(Operator::Rem, 1, 0), Err(ErrorKind::DivideByZero));
    }
}
