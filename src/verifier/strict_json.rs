//! A reader of JSON objects that leaves nothing to interpretation: one text, no duplicate names at any depth, no depth
//! beyond a limit. Two parsers that read a duplicate differently are how forged claims get past a check (RFC 8725).

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::refusal::{JSON_DEPTH_MAX, Part, Refusal};

/// A member's value; what lies inside arrays and objects has been checked and is not kept.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Bool,
    Integer(i64),
    /// Above [`i64::MAX`].
    Unsigned,
    /// With a fraction or an exponent, or beyond 64 bits; always finite.
    Float(f64),
    String(Cow<'a, str>),
    /// Of the outermost object's members: an array with nothing but strings in it, or with nothing.
    Strings(Vec<Cow<'a, str>>),
    Array,
    Object,
}

/// The members of one object, in order, each name once.
#[derive(Debug)]
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Object<'a> {
    /// Reads `text` as one object. Linear, but for a sort of each object's names.
    pub(super) fn parse(text: &'a str, part: Part) -> Result<Self, Refusal> {
        let walk = Walk { depth: 1, defect: &Cell::new(None) };
        let mut json = serde_json::Deserializer::from_str(text);
        let parsed = json.deserialize_map(TopLevel(walk)).and_then(|object| json.end().map(|()| object));
        parsed.map_err(|_| match walk.defect.get() {
            Some(Defect::Duplicate) => Refusal::DuplicateMember { part },
            Some(Defect::TooDeep) => Refusal::TooDeep { part },
            None if is_strict_json(text) => Refusal::NotAnObject { part },
            None => Refusal::NotJson { part },
        })
    }

    /// The value of the member `name`.
    pub(super) fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.0.iter().find_map(|(member, value)| (member == name).then_some(value))
    }
}

/// Whether `text` is one JSON text of any kind.
fn is_strict_json(text: &str) -> bool {
    let mut json = serde_json::Deserializer::from_str(text);
    let walk = Walk { depth: 1, defect: &Cell::new(None) };
    walk.deserialize(&mut json).is_ok() && json.end().is_ok()
}

/// What serde's own errors cannot say.
#[derive(Debug, Clone, Copy)]
enum Defect {
    Duplicate,
    TooDeep,
}

/// Where the reader stands.
#[derive(Clone, Copy)]
struct Walk<'c> {
    depth: usize,
    defect: &'c Cell<Option<Defect>>,
}

impl Walk<'_> {
    fn fail<E: Error>(self, defect: Defect) -> E {
        self.defect.set(Some(defect));
        E::custom("refused")
    }

    /// One level further in.
    fn enter<E: Error>(self) -> Result<Self, E> {
        if self.depth >= JSON_DEPTH_MAX {
            return Err(self.fail(Defect::TooDeep));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    fn reject_duplicates<E: Error>(self, mut names: Vec<&str>) -> Result<(), E> {
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) { Err(self.fail(Defect::Duplicate)) } else { Ok(()) }
    }
}

/// A member's name, borrowed from the text where it has no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// Reads the outermost object and keeps its members.
struct TopLevel<'c>(Walk<'c>);

impl<'de> Visitor<'de> for TopLevel<'_> {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(16);
        while let Some(Name(name)) = map.next_key()? {
            members.push((name, map.next_value_seed(self.0)?));
        }
        self.0.reject_duplicates(members.iter().map(|(name, _)| name.as_ref()).collect())?;
        Ok(Object(members))
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Value::Bool)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(value).map_or(Value::Unsigned, Value::Integer))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Value::String(Cow::Owned(value.to_owned())))
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Value::String(Cow::Borrowed(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let inner = self.enter()?;
        let mut strings = (self.depth == 1).then(Vec::new);
        while let Some(element) = seq.next_element_seed(inner)? {
            strings = match (strings, element) {
                (Some(mut strings), Value::String(string)) => {
                    strings.push(string);
                    Some(strings)
                }
                _ => None,
            };
        }
        Ok(strings.map_or(Value::Array, Value::Strings))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let inner = self.enter()?;
        let mut names = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            map.next_value_seed(inner)?;
            names.push(name);
        }
        self.reject_duplicates(names.iter().map(AsRef::as_ref).collect())?;
        Ok(Value::Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> Option<Refusal> {
        Object::parse(text, Part::Payload).err()
    }

    #[test]
    fn members_are_found_by_their_unescaped_names() {
        let object =
            Object::parse(r#" {"a":1,"\u0062":"x\n","c":[{}],"d":1.5,"e":null,"f":{},"g":true} "#, Part::Payload)
                .unwrap();
        assert_eq!(object.get("a"), Some(&Value::Integer(1)));
        assert_eq!(object.get("b"), Some(&Value::String("x\n".into())));
        assert_eq!(object.get("c"), Some(&Value::Array));
        assert_eq!(object.get("d"), Some(&Value::Float(1.5)));
        assert_eq!(object.get("e"), Some(&Value::Null));
        assert_eq!(object.get("f"), Some(&Value::Object));
        assert_eq!(object.get("g"), Some(&Value::Bool));
        assert_eq!(object.get("h"), None);
    }

    #[test]
    fn integers_are_exact_to_the_ends_of_64_bits() {
        let object = Object::parse(
            r#"{"max":9223372036854775807,"min":-9223372036854775808,"u":9223372036854775808,"f":-9223372036854775809}"#,
            Part::Payload,
        )
        .unwrap();
        assert_eq!(object.get("max"), Some(&Value::Integer(i64::MAX)));
        assert_eq!(object.get("min"), Some(&Value::Integer(i64::MIN)));
        assert_eq!(object.get("u"), Some(&Value::Unsigned));
        assert_eq!(object.get("f"), Some(&Value::Float(-9_223_372_036_854_775_808.0)));
    }

    #[test]
    fn duplicates_are_refused_at_every_depth_and_through_escapes() {
        let duplicate = Some(Refusal::DuplicateMember { part: Part::Payload });
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":2,"\u0061":3}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":[[{"b":1,"c":0,"b":2}]]}"#,
            r#"{"":1,"":1}"#,
        ] {
            assert_eq!(refusal(text), duplicate, "{text}");
        }
        assert_eq!(refusal(r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}"#), None);
    }

    #[test]
    fn depth_is_limited_exactly() {
        let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        assert_eq!(refusal(&nested(JSON_DEPTH_MAX)), None);
        assert_eq!(refusal(&nested(JSON_DEPTH_MAX + 1)), Some(Refusal::TooDeep { part: Part::Payload }));
        assert_eq!(refusal(&nested(100_000)), Some(Refusal::TooDeep { part: Part::Payload }));
        let objects = format!("{}1{}", "{\"a\":".repeat(33), "}".repeat(33));
        assert_eq!(refusal(&objects), Some(Refusal::TooDeep { part: Part::Payload }));
    }

    #[test]
    fn anything_but_one_object_is_refused() {
        for text in ["1", "null", "[]", "[{}]", "\"{}\"", "true"] {
            assert_eq!(refusal(text), Some(Refusal::NotAnObject { part: Part::Payload }), "{text}");
        }
        for text in [
            "",
            " ",
            "{",
            "{}{}",
            "{},",
            "{} x",
            "{\"a\":1,}",
            "{a:1}",
            "{'a':1}",
            "{\"a\":01}",
            "{\"a\":NaN}",
            "{\"a\":1e999}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\u{1}\"}",
            "\u{feff}{}",
            "{\"a\":1 /**/}",
            "{\"a\"}",
        ] {
            assert_eq!(refusal(text), Some(Refusal::NotJson { part: Part::Payload }), "{text:?}");
        }
    }
}
