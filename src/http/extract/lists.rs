//! The members of a JSON object that are lists: their elements are told apart while the object is read, once.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::super::error::ApiError;

/// Bytes of a usual element of a list, a UUID in quotes and a comma: room for so many is made at once.
const ELEMENT_BYTES_USUAL: usize = 39;

/// The lists of one object.
#[derive(Debug, Default)]
pub(crate) struct Lists<'a>(Vec<(&'static str, Vec<&'a RawValue>)>);

impl<'a> Lists<'a> {
    pub(super) fn push(&mut self, name: &'static str, elements: Vec<&'a RawValue>) {
        self.0.push((name, elements));
    }

    /// The elements of a list that is there, unread.
    pub(crate) fn get(&self, name: &str) -> Option<&[&'a RawValue]> {
        self.0.iter().find(|(list, _)| *list == name).map(|(_, elements)| elements.as_slice())
    }
}

/// Reads a list, and says in `fault` what is wrong with it where the JSON is not.
pub(super) struct Elements<'o> {
    pub(super) name: &'static str,
    pub(super) max: usize,
    pub(super) fault: &'o mut Option<ApiError>,
    /// Of the whole body, of which a list is nearly all.
    pub(super) bytes: usize,
}

impl<'de> DeserializeSeed<'de> for Elements<'_> {
    type Value = Vec<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        // Holds until the array has begun.
        *self.fault = Some(ApiError::invalid(self.name, format!("`{}` must be an array", self.name)));
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let Self { name, max, fault, bytes } = self;
        *fault = None;
        let mut elements = Vec::with_capacity(max.min(bytes / ELEMENT_BYTES_USUAL + 1));
        while let Some(element) = sequence.next_element()? {
            if elements.len() == max {
                let detail = format!("`{name}` has more than {max} elements, the limit");
                *fault = Some(ApiError::beyond(name, max as u64, detail));
                return Err(A::Error::custom("too many elements"));
            }
            elements.push(element);
        }
        if elements.is_empty() {
            let detail = format!("`{name}` is empty; it must have 1 to {max} elements");
            *fault = Some(ApiError::invalid(name, detail));
            return Err(A::Error::custom("no elements"));
        }
        Ok(elements)
    }
}

#[cfg(test)]
mod tests {
    use super::super::members::Members;
    use super::*;

    #[test]
    fn a_list_has_one_to_max_elements() {
        let of = |json: &str| {
            let (members, lists) = Members::parse_with_lists(json.as_bytes(), &[("ids", 3), ("tokens", 1)])?;
            assert!(members.has("ids"));
            Ok::<_, ApiError>(lists.get("ids").unwrap().len())
        };
        assert_eq!(of(r#"{"ids":["a",{"jti":"b"},[[]]],"iss":"c"}"#).unwrap(), 3);
        for (json, said) in [
            (r#"{"ids":[1,2,3,4]}"#, "`ids` has more than 3 elements"),
            (r#"{"ids":[1,2,3,4"#, "`ids` has more than 3 elements"),
            (r#"{"ids":[]}"#, "it must have 1 to 3 elements"),
            (r#"{"ids":"a"}"#, "`ids` must be an array"),
            (r#"{"ids":1.5}"#, "`ids` must be an array"),
            (r#"{"ids":{"a":[]}}"#, "`ids` must be an array"),
            (r#"{"ids":[1],"ids":[1]}"#, "`ids` is there twice"),
            (r#"{"ids":[1],"tokens":[]}"#, "`tokens` is empty"),
            (r#"{"ids":@}"#, "not valid JSON"),
            (r#"{"ids":[1,@]}"#, "not valid JSON"),
            (r#"{"ids":[1]} {}"#, "not valid JSON"),
        ] {
            assert!(of(json).unwrap_err().to_string().contains(said), "{json}: {:?}", of(json));
        }
    }
}
