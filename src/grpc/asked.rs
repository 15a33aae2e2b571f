//! What Envoy says of a request, read as a gateway's question.

use std::collections::HashMap;

use envoy_types::pb::envoy::service::auth::v3::CheckRequest;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::HttpRequest;
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, Value};
use serde_json::{Map, Number};

use crate::gateway::Headers;

/// The filter whose metadata holds the payloads of the tokens that Envoy has verified.
const JWT_AUTHN: &str = "envoy.filters.http.jwt_authn";

/// Within these a double holds every whole number: 2^53.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// A request as Envoy describes it.
pub(super) struct Asked {
    http: HttpRequest,
    /// By the filter that has put it there.
    metadata: HashMap<String, Struct>,
}

impl Asked {
    /// What is left out is empty: a request of which nothing is known presents nothing.
    pub(super) fn of(request: CheckRequest) -> Self {
        let attributes = request.attributes.unwrap_or_default();
        Self {
            http: attributes.request.and_then(|request| request.http).unwrap_or_default(),
            metadata: attributes.metadata_context.unwrap_or_default().filter_metadata,
        }
    }

    /// The payloads of the tokens that Envoy says it has verified, as JSON texts. What stands among them and is no object is
    /// given too, so that it is refused.
    pub(super) fn payloads(&mut self) -> Vec<String> {
        let verified = self.metadata.remove(JWT_AUTHN).unwrap_or_default();
        verified.fields.into_values().map(|payload| json(payload).to_string()).collect()
    }
}

impl Headers for Asked {
    /// Where Envoy has joined repeated headers with commas, each part is a value: which of the two it was is not to be seen.
    /// With `encode_raw_headers` it sends them as they came.
    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let joined =
            self.http.headers.get(name).into_iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        let raw = self.http.header_map.iter().flat_map(|map| &map.headers).filter(move |header| header.key == name);
        joined.chain(raw.map(|header| match &*header.raw_value {
            [] => header.value.as_bytes(),
            raw => raw,
        }))
    }
}

/// The JSON value that a protobuf value stands for. Its depth is limited: protobuf messages are decoded to 100 levels.
fn json(value: Value) -> serde_json::Value {
    match value.kind {
        None | Some(Kind::NullValue(_)) => serde_json::Value::Null,
        Some(Kind::BoolValue(value)) => value.into(),
        Some(Kind::StringValue(value)) => value.into(),
        Some(Kind::NumberValue(value)) => number(value).map_or(serde_json::Value::Null, Into::into),
        Some(Kind::ListValue(list)) => list.values.into_iter().map(json).collect(),
        Some(Kind::StructValue(object)) => {
            object.fields.into_iter().map(|(name, value)| (name, json(value))).collect::<Map<_, _>>().into()
        }
    }
}

/// A number as it stood in the JSON that it was read from; none for what JSON cannot say.
fn number(value: f64) -> Option<Number> {
    if value.fract() == 0.0 && value.abs() <= WHOLE_MAX {
        #[expect(clippy::cast_possible_truncation, reason = "a whole number within 2^53")]
        let whole = value as i64;
        return Some(whole.into());
    }
    Number::from_f64(value)
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
    use envoy_types::pb::google::protobuf::ListValue;

    use super::*;

    fn asked(headers: &[(&str, &str)], raw: &[(&str, &[u8])]) -> Asked {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let raw = raw.iter().map(|(key, value)| HeaderValue {
            key: (*key).to_owned(),
            raw_value: value.to_vec(),
            ..HeaderValue::default()
        });
        let header_map = Some(HeaderMap { headers: raw.collect() });
        Asked { http: HttpRequest { headers, header_map, ..HttpRequest::default() }, metadata: HashMap::new() }
    }

    fn all(asked: &Asked, name: &str) -> Vec<String> {
        asked.all(name).map(|value| String::from_utf8_lossy(value).into_owned()).collect()
    }

    #[test]
    fn what_envoy_has_joined_is_taken_apart_and_what_it_sends_raw_is_not() {
        let joined = asked(&[("authorization", "Bearer a,Bearer b"), ("cookie", "x=1,at=b")], &[]);
        assert_eq!(all(&joined, "authorization"), ["Bearer a", "Bearer b"]);
        assert_eq!(all(&joined, "cookie"), ["x=1", "at=b"], "a second header is not the first one's value");
        let raw = asked(&[], &[("cookie", b"x=1,y"), ("cookie", b"at=b"), ("x-jwt-sub", b"cn=a,dc=b")]);
        assert_eq!(all(&raw, "cookie"), ["x=1,y", "at=b"]);
        assert_eq!(all(&raw, "x-jwt-sub"), ["cn=a,dc=b"]);
        assert_eq!(all(&raw, "authorization"), [""; 0]);
        let both = asked(&[("authorization", "Bearer a")], &[("authorization", b"Bearer a")]);
        assert_eq!(all(&both, "authorization").len(), 2);
    }

    #[test]
    fn nothing_said_is_nothing_presented() {
        let mut asked = Asked::of(CheckRequest::default());
        assert_eq!((all(&asked, "authorization").len(), asked.payloads().len()), (0, 0));
    }

    #[test]
    fn payloads_are_the_json_that_envoy_has_read() {
        let of = |kind| Value { kind: Some(kind) };
        let object = |fields: &[(&str, Value)]| {
            let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            of(Kind::StructValue(Struct { fields }))
        };
        let list = ListValue { values: vec![of(Kind::StringValue("a".to_owned())), Value { kind: None }] };
        for (value, expected) in [
            (of(Kind::NumberValue(1_700_000_000.0)), "1700000000"),
            (of(Kind::NumberValue(-1.5)), "-1.5"),
            (of(Kind::NumberValue(1e300)), "1e+300"),
            (of(Kind::NumberValue(f64::NAN)), "null"),
            (of(Kind::StringValue("a\"b".to_owned())), r#""a\"b""#),
            (of(Kind::BoolValue(true)), "true"),
            (of(Kind::NullValue(0)), "null"),
            (of(Kind::ListValue(list)), r#"["a",null]"#),
            (object(&[("sub", object(&[("exp", of(Kind::NumberValue(7.0)))]))]), r#"{"sub":{"exp":7}}"#),
        ] {
            assert_eq!(json(value).to_string(), expected);
        }
    }

    #[test]
    fn only_what_the_jwt_filter_says_is_a_payload() {
        let said = |name: &str| Struct { fields: HashMap::from([(name.to_owned(), Value { kind: None })]) };
        let metadata = HashMap::from([(JWT_AUTHN.to_owned(), said("jwt")), ("another".to_owned(), said("jwt"))]);
        let mut asked = Asked { http: HttpRequest::default(), metadata };
        assert_eq!(asked.payloads(), ["null"], "what is no object is refused as a payload, not passed over");
    }
}
