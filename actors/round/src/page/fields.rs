//! A JSON object, read field by field, so that everything that is wrong with it can be named.

use std::fmt::Display;

use ::web::{FieldError, Problem, field_error, parse_json};
use serde_json::{Map, Value};
use subjects::Timestamp;

/// How many wrong fields are named.
const NAMED_MAX: usize = 200;
/// How much of an unknown field's name is said back, in characters.
const NAME_MAX: usize = 64;

/// The fields of one JSON object, taken out one by one, and what is wrong with them.
pub struct Fields {
    /// What stands before the names of its fields, such as `options[3].`.
    path: String,
    left: Map<String, Value>,
    wrong: Vec<FieldError>,
}

impl Fields {
    /// Reads an object. `example` shows what it must look like to whoever sends something else.
    pub fn of(bytes: &[u8], example: &str) -> Result<Self, Problem> {
        Ok(Self { path: String::new(), left: parse_json(bytes, example)?, wrong: Vec::new() })
    }

    /// The object that stands at `path` of this one.
    pub fn inside(path: &str, left: Map<String, Value>) -> Self {
        Self { path: format!("{path}."), left, wrong: Vec::new() }
    }

    /// Notes that what stands at `path` is wrong.
    pub fn note(&mut self, path: &str, why: impl Display) {
        self.wrong.push(field_error(path, why));
    }

    /// Notes everything that is wrong with an object inside of this one. Whether nothing is.
    pub fn take_in(&mut self, inside: Self) -> bool {
        let wrong = inside.wrong();
        let is_right = wrong.is_empty();
        self.wrong.extend(wrong);
        is_right
    }

    /// Notes a field that must be there and is not.
    pub fn require(&mut self, name: &str) {
        if !self.left.contains_key(name) {
            let path = format!("{}{name}", self.path);
            self.note(&path, "is missing");
        }
    }

    /// Takes a field. It is `None` when it is not there, and when it is wrong, which is noted.
    pub fn take<T, E: Display>(&mut self, name: &str, read: impl FnOnce(Value) -> Result<T, E>) -> Option<T> {
        let read = read(self.left.remove(name)?);
        let path = format!("{}{name}", self.path);
        read.map_err(|why| self.wrong.push(field_error(&path, why))).ok()
    }

    /// A text, as `parse` understands it.
    pub fn text<T, E: Display>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        self.take(name, |value| match value {
            Value::String(text) => parse(&text).map_err(|why| why.to_string()),
            _ => Err("must be a text".to_owned()),
        })
    }

    /// Yes or no.
    pub fn flag(&mut self, name: &str) -> Option<bool> {
        self.take(name, |value| value.as_bool().ok_or("must be true or false"))
    }

    /// A whole number from 0.
    pub fn number(&mut self, name: &str) -> Option<u64> {
        self.take(name, |value| whole(&value).ok_or("must be a whole number"))
    }

    /// A moment, or `null` for none.
    pub fn moment(&mut self, name: &str) -> Option<Option<Timestamp>> {
        self.take(name, |value| match value {
            Value::Null => Ok(None),
            Value::String(text) => Timestamp::parse(&text).map(Some).map_err(|why| why.to_string()),
            _ => Err("must be a moment such as 2026-11-21T09:30:00Z, or null".to_owned()),
        })
    }

    /// A list of `most` items at the most, each with its path. It is `None` too when one of them is wrong.
    pub fn list<T>(
        &mut self,
        name: &str,
        most: usize,
        read: impl Fn(&mut Self, &str, Value) -> Option<T>,
    ) -> Option<Vec<T>> {
        let items = self.take(name, |value| match value {
            Value::Array(items) if items.len() <= most => Ok(items),
            Value::Array(items) => Err(format!("must be at most {most}, not {}", items.len())),
            _ => Err("must be a list".to_owned()),
        })?;
        let count = items.len();
        let mut list = Vec::with_capacity(count);
        for (place, item) in items.into_iter().enumerate() {
            list.extend(read(self, &format!("{name}[{place}]"), item));
        }
        (list.len() == count).then_some(list)
    }

    /// Everything that is wrong, now that what is left is known by nobody.
    pub fn wrong(mut self) -> Vec<FieldError> {
        for name in self.left.keys() {
            let name: String = name.chars().take(NAME_MAX).collect();
            self.wrong.push(field_error(&format!("{}{name}", self.path), "is not a field that this takes"));
        }
        self.wrong.truncate(NAMED_MAX);
        self.wrong
    }

    /// Refuses the object when anything is wrong with it.
    pub fn end(self) -> Result<(), Problem> {
        let wrong = self.wrong();
        if wrong.is_empty() { Ok(()) } else { Err(Problem::invalid(wrong)) }
    }
}

/// A whole number from 0. JSON has no other numbers than such as may have a fraction: 7.0 is 7.
pub fn whole(value: &Value) -> Option<u64> {
    /// Beyond it not every number is there.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let whole = |number: &f64| number.fract() == 0.0 && (0.0..=EXACT).contains(number);
    value.as_u64().or_else(|| value.as_f64().filter(whole).map(|number| number as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(json: &str, read: impl FnOnce(&mut Fields)) -> Vec<String> {
        let mut fields = Fields::of(json.as_bytes(), "{}").unwrap();
        read(&mut fields);
        fields.wrong().into_iter().map(|error| format!("{} {}", error.field, error.detail)).collect()
    }

    #[test]
    fn everything_that_is_wrong_is_named_by_its_path() {
        let json =
            r#"{"a": 1, "b": "yes", "c": -1, "d": "noon", "e": ["x", 2, "z"], "f": [1, 2, 3, 4], "g": 0}"#;
        let named = wrong(json, |fields| {
            fields.require("title");
            assert_eq!(fields.text("a", str::parse::<u8>), None);
            assert_eq!((fields.flag("b"), fields.number("c"), fields.moment("d")), (None, None, None));
            let text = |fields: &mut Fields, path: &str, item: Value| {
                let text = item.as_str().map(str::to_owned);
                if text.is_none() {
                    fields.note(path, "must be a text");
                }
                text
            };
            assert_eq!((fields.list("e", 3, text), fields.list("f", 3, text)), (None, None));
        });
        let expected = [
            "title is missing",
            "a must be a text",
            "b must be true or false",
            "c must be a whole number",
            "d must be a moment such as 2026-11-21T09:30:00Z",
            "e[1] must be a text",
            "f must be at most 3, not 4",
            "g is not a field that this takes",
        ];
        assert_eq!(named, expected);
    }

    #[test]
    fn what_is_right_is_taken_and_what_is_not_there_is_none() {
        let json = r#"{"a": "7", "b": true, "c": 3.0, "d": null, "e": []}"#;
        let named = wrong(json, |fields| {
            assert_eq!(fields.text("a", str::parse::<u8>), Some(7));
            assert_eq!((fields.flag("b"), fields.number("c")), (Some(true), Some(3)));
            assert_eq!((fields.moment("d"), fields.moment("x")), (Some(None), None));
            assert_eq!(fields.list("e", 0, |_, _, item| Some(item)), Some(Vec::new()));
        });
        assert!(named.is_empty(), "{named:?}");
    }

    #[test]
    fn a_body_full_of_nonsense_is_named_in_part() {
        let fields: Vec<String> =
            (0..1_000).map(|number| format!("\"{}{number}\": 0", "x".repeat(100))).collect();
        let named = wrong(&format!("{{{}}}", fields.join(",")), |_| {});
        assert_eq!(named.len(), NAMED_MAX);
        assert!(named.iter().all(|error| error.len() < 120), "{}", named[0]);
    }
}
