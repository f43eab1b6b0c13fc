//! Arithmetic and comparison.

use std::cmp::Ordering;

use gcrucible_bytecode::ErrorKind;

use super::machine::Outcome;
use super::map::exact_int;
use super::model::Model;
use super::value::Value;

/// Two numbers as an operator takes them: ints stay ints only among themselves.
enum Numbers {
    Ints(i64, i64),
    Floats(f64, f64),
}

impl Model<'_> {
    pub(super) fn add(&mut self, left: Value, right: Value) -> Outcome<Value> {
        if let (Some(left), Some(right)) = (self.store.text(left), self.store.text(right)) {
            let joined = format!("{left}{right}");
            return Ok(self.store.string(&joined));
        }
        match numbers(left, right)? {
            Numbers::Ints(a, b) => checked(a.checked_add(b)),
            Numbers::Floats(a, b) => Ok(Value::Float(a + b)),
        }
    }

    pub(super) fn subtract(&self, left: Value, right: Value) -> Outcome<Value> {
        match numbers(left, right)? {
            Numbers::Ints(a, b) => checked(a.checked_sub(b)),
            Numbers::Floats(a, b) => Ok(Value::Float(a - b)),
        }
    }

    pub(super) fn multiply(&self, left: Value, right: Value) -> Outcome<Value> {
        match numbers(left, right)? {
            Numbers::Ints(a, b) => checked(a.checked_mul(b)),
            Numbers::Floats(a, b) => Ok(Value::Float(a * b)),
        }
    }

    pub(super) fn divide(&self, left: Value, right: Value) -> Outcome<Value> {
        match numbers(left, right)? {
            Numbers::Ints(_, 0) => Err(ErrorKind::DivideByZero.into()),
            Numbers::Ints(a, b) => checked(a.checked_div(b)),
            Numbers::Floats(a, b) => Ok(Value::Float(a / b)),
        }
    }

    pub(super) fn remainder(&self, left: Value, right: Value) -> Outcome<Value> {
        match numbers(left, right)? {
            Numbers::Ints(_, 0) => Err(ErrorKind::DivideByZero.into()),
            // The remainder of i64::MIN by -1 is 0 and fits, though the quotient does not.
            Numbers::Ints(a, b) => Ok(Value::Int(a.wrapping_rem(b))),
            Numbers::Floats(a, b) => Ok(Value::Float(a % b)),
        }
    }

    pub(super) fn negate(&self, value: Value) -> Outcome<Value> {
        match value {
            Value::Int(int) => checked(int.checked_neg()),
            Value::Float(float) => Ok(Value::Float(-float)),
            _ => Err(ErrorKind::TypeError.into()),
        }
    }

    /// `==`
    pub(super) fn equals(&self, left: Value, right: Value) -> bool {
        match (left, right) {
            (Value::Nil, Value::Nil) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::Int(int), Value::Float(float)) | (Value::Float(float), Value::Int(int)) => {
                exact_int(float) == Some(int)
            }
            (Value::Object(a), Value::Object(b)) => {
                a == b
                    || match (self.store.text(left), self.store.text(right)) {
                        (Some(a), Some(b)) => a == b,
                        _ => false,
                    }
            }
            _ => false,
        }
    }

    /// How two values are ordered; `None` with a NaN.
    pub(super) fn compare(&self, left: Value, right: Value) -> Outcome<Option<Ordering>> {
        if let (Some(left), Some(right)) = (self.store.text(left), self.store.text(right)) {
            return Ok(Some(left.as_bytes().cmp(right.as_bytes())));
        }
        Ok(match (left, right) {
            (Value::Int(a), Value::Int(b)) => Some(a.cmp(&b)),
            (Value::Float(a), Value::Float(b)) => a.partial_cmp(&b),
            (Value::Int(int), Value::Float(float)) => beside(int, float),
            (Value::Float(float), Value::Int(int)) => beside(int, float).map(Ordering::reverse),
            _ => return Err(ErrorKind::TypeError.into()),
        })
    }
}

/// On which side of a float an int is, exactly: of the int the bits that a float has no room
/// for count too.
fn beside(int: i64, float: f64) -> Option<Ordering> {
    // Rounded to the nearest float: what is ordered strictly after that was so before.
    let rounded = (int as f64).partial_cmp(&float)?;
    Some(rounded.then_with(|| {
        // Then the float is a whole number, at most 2^63: within what 128 bits hold.
        i128::from(int).cmp(&(float as i128))
    }))
}

fn numbers(left: Value, right: Value) -> Outcome<Numbers> {
    Ok(match (left, right) {
        (Value::Int(a), Value::Int(b)) => Numbers::Ints(a, b),
        (Value::Int(a), Value::Float(b)) => Numbers::Floats(a as f64, b),
        (Value::Float(a), Value::Int(b)) => Numbers::Floats(a, b as f64),
        (Value::Float(a), Value::Float(b)) => Numbers::Floats(a, b),
        _ => return Err(ErrorKind::TypeError.into()),
    })
}

fn checked(int: Option<i64>) -> Outcome<Value> {
    int.map(Value::Int).ok_or(ErrorKind::Overflow.into())
}
