//! Values as they must be, whoever made them.

use super::super::model::Model;
use super::super::value::{Object, Value};

/// A value by what it is made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// This one: the same number, the same object, the same text.
    Same(Value),
    /// A string.
    Text(String),
    /// An array.
    Array(Vec<Shape>),
    /// A map with these entries in order.
    Map(Vec<(Shape, Shape)>),
    /// A NaN.
    NaN,
}

impl Shape {
    /// An array of these values.
    pub(super) fn of(values: impl IntoIterator<Item = Value>) -> Shape {
        Shape::Array(values.into_iter().map(Shape::Same).collect())
    }

    /// An array of these texts.
    pub(super) fn texts<'t>(texts: impl IntoIterator<Item = &'t str>) -> Shape {
        let texts = texts.into_iter();
        Shape::Array(texts.map(|text| Shape::Text(text.to_owned())).collect())
    }
}

impl Model<'_> {
    /// Whether two values are the same: floats by their bits, strings by their text.
    pub(super) fn is_same(&self, a: Value, b: Value) -> bool {
        match (a, b) {
            (Value::Float(a), Value::Float(b)) => {
                a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
            }
            _ => {
                a == b
                    || matches!((self.store.text(a), self.store.text(b)), (Some(a), Some(b)) if a == b)
            }
        }
    }

    /// Whether a value is of a shape.
    pub(super) fn is_shape(&self, value: Value, shape: &Shape) -> bool {
        match (shape, self.store.object(value)) {
            (Shape::Same(expected), _) => self.is_same(value, *expected),
            (Shape::NaN, _) => matches!(value, Value::Float(float) if float.is_nan()),
            (Shape::Text(expected), Some(Object::String(text))) => **text == **expected,
            (Shape::Array(expected), Some(Object::Array(elements))) => {
                let mut pairs = elements.iter().zip(expected);
                elements.len() == expected.len()
                    && pairs.all(|(&element, shape)| self.is_shape(element, shape))
            }
            (Shape::Map(expected), Some(Object::Map(map))) => {
                let mut pairs = map.iter().zip(expected);
                map.len() == expected.len()
                    && pairs.all(|((key, value), (expected_key, expected))| {
                        self.is_shape(key, expected_key) && self.is_shape(value, expected)
                    })
            }
            _ => false,
        }
    }
}
