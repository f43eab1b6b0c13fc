//! Plain data as JSON.

use std::collections::HashMap;
use std::fmt;

use gcrucible_engine::HostValue;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap as _, Serializer};

/// Reads a text: objects become maps in the order of their keys, of equal keys the last one
/// counts; ints within 64 bits are ints, other numbers floats.
///
/// # Errors
/// What is wrong with the text, and where.
pub(super) fn parse(text: &[u8]) -> Result<HostValue, String> {
    let parsed: Parsed = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    Ok(parsed.0)
}

/// Writes data.
///
/// # Errors
/// For a float that JSON has no number for.
pub(super) fn text(data: &HostValue) -> Result<String, String> {
    serde_json::to_string(&Written(data)).map_err(|error| error.to_string())
}

struct Parsed(HostValue);

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader).map(Parsed)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = HostValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<HostValue, E> {
        Ok(HostValue::Nil)
    }

    fn visit_bool<E>(self, value: bool) -> Result<HostValue, E> {
        Ok(HostValue::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<HostValue, E> {
        Ok(HostValue::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<HostValue, E> {
        let int = i64::try_from(value);
        Ok(int.map_or(HostValue::Float(value as f64), HostValue::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<HostValue, E> {
        Ok(HostValue::Float(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<HostValue, E> {
        Ok(HostValue::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<HostValue, A::Error> {
        let mut elements = Vec::new();
        while let Some(Parsed(element)) = from.next_element()? {
            elements.push(element);
        }
        Ok(HostValue::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<HostValue, A::Error> {
        let mut entries = Entries::default();
        while let Some((key, Parsed(value))) = from.next_entry()? {
            entries.put(key, value);
        }
        u32::try_from(entries.list.len()).map_err(|_| A::Error::custom("too many keys"))?;
        Ok(entries.into_map())
    }
}

/// A map in the making. Of equal keys the last one counts.
#[derive(Debug, Default)]
pub(super) struct Entries {
    list: Vec<(String, HostValue)>,
    places: HashMap<String, usize>,
}

impl Entries {
    pub(super) fn put(&mut self, key: String, value: HostValue) {
        match self.places.get(&key) {
            Some(&place) => self.list[place].1 = value,
            None => {
                self.places.insert(key.clone(), self.list.len());
                self.list.push((key, value));
            }
        }
    }

    /// Joins text to that which the key has, with a comma, as headers are joined.
    pub(super) fn join(&mut self, key: String, text: String) {
        let place = self.places.get(&key).copied();
        match place.map(|place| &mut self.list[place].1) {
            Some(HostValue::String(before)) => {
                before.push_str(", ");
                before.push_str(&text);
            }
            _ => self.put(key, HostValue::String(text)),
        }
    }

    pub(super) fn into_map(self) -> HostValue {
        HostValue::Map(self.list)
    }
}

struct Written<'d>(&'d HostValue);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            HostValue::Nil => to.serialize_unit(),
            HostValue::Bool(value) => to.serialize_bool(*value),
            HostValue::Int(value) => to.serialize_i64(*value),
            HostValue::Float(value) if value.is_finite() => to.serialize_f64(*value),
            HostValue::Float(value) => {
                let why = format!("JSON has no number for {value}");
                Err(serde::ser::Error::custom(why))
            }
            HostValue::String(text) => to.serialize_str(text),
            HostValue::Array(elements) => to.collect_seq(elements.iter().map(Written)),
            HostValue::Map(entries) => {
                let mut map = to.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, &Written(value))?;
                }
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(json: &str) -> String {
        text(&parse(json.as_bytes()).expect("it is JSON")).expect("it can be written")
    }

    #[test]
    fn data_is_written_as_it_was_read() {
        for json in [
            "null",
            "[true,false,-1,9223372036854775807,1.5,\"a\\n\\\"é\"]",
            r#"{"z":1,"a":{"b":[]},"":{}}"#,
        ] {
            assert_eq!(again(json), json);
        }
        assert_eq!(again(r#"{"a": 1, "b": 2, "a": 3}"#), r#"{"a":3,"b":2}"#);
        assert_eq!(again("18446744073709551615"), "1.8446744073709552e+19");
        assert_eq!(again("1.0"), "1.0");
        for (float, name) in [(f64::INFINITY, "inf"), (f64::NAN, "NaN")] {
            let nested = HostValue::Array(vec![HostValue::Float(float)]);
            let why = format!("JSON has no number for {name}");
            assert_eq!(text(&nested), Err(why));
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for json in ["", "{", "[1,]", "nul", "1 2", "\"\\x\"", "1e999", "{1:2}"] {
            assert!(parse(json.as_bytes()).is_err(), "{json}");
        }
        assert!(parse(b"\"\xFF\"").is_err());
        assert!(parse("[".repeat(100_000).as_bytes()).is_err());
    }
}
