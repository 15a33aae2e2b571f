//! A JSON object, read member by member: no member twice, none unknown, and no value in any error.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::super::error::ApiError;
use super::lists::{Elements, Lists};
use crate::clock::NumericDate;

/// Most members that any object of the contract may have; more are not even collected.
const MEMBERS_MAX: usize = 16;

/// Largest integer that every JSON implementation holds exactly (RFC 8259 section 6).
const INTEGER_MAX: i64 = (1 << 53) - 1;

/// Longest unknown name that an error quotes, in bytes.
const QUOTED_BYTES_MAX: usize = 32;

/// The members of one object, in the order in which they came, values unread.
#[derive(Debug)]
pub(crate) struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    /// Reads one object and nothing else; values may be of any depth, since they are read only where they are short.
    ///
    /// # Errors
    /// [`ApiError::Malformed`] for what is no JSON, no object, or has a member twice.
    pub(crate) fn parse(json: &'a [u8]) -> Result<Self, ApiError> {
        Self::parse_with_lists(json, &[]).map(|(members, _)| members)
    }

    /// As [`parse`](Self::parse), but each member of `lists` is an array of one to so many elements, told apart on the
    /// way: bodies with a list are long, and are read once. As a member such a list is `null`.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), and [`ApiError::Invalid`] that names the list and its limit.
    pub(crate) fn parse_with_lists(
        json: &'a [u8],
        lists: &[(&'static str, usize)],
    ) -> Result<(Self, Lists<'a>), ApiError> {
        let mut found = Lists::default();
        let mut fault = None;
        let object = Object { lists, found: &mut found, fault: &mut fault, bytes: json.len() };
        // Once for all: from a slice, the reader would look at every single value.
        let json = std::str::from_utf8(json).map_err(|error| {
            ApiError::malformed(format!("the body is not valid JSON (byte {} is no UTF-8)", error.valid_up_to()))
        })?;
        let mut reader = serde_json::Deserializer::from_str(json);
        let members = object.deserialize(&mut reader).and_then(|members| reader.end().map(|()| members));
        let members =
            members.map_err(|error| fault.filter(|_| error.is_data()).unwrap_or_else(|| unreadable(json, &error)))?;
        for (at, (name, _)) in members.0.iter().enumerate() {
            if members.0[..at].iter().any(|(earlier, _)| earlier == name) {
                return Err(ApiError::malformed_field(shown(name), format!("{} is there twice", named(name))));
            }
        }
        Ok((members, found))
    }

    /// Refuses every member that `known` does not list.
    ///
    /// # Errors
    /// [`ApiError::Malformed`] that names the first of them.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), ApiError> {
        match self.0.iter().find(|(name, _)| !known.contains(&name.as_ref())) {
            None => Ok(()),
            Some((name, _)) => {
                let detail = format!("{} is unknown here; known are: {}", named(name), known.join(", "));
                Err(ApiError::malformed_field(shown(name), detail))
            }
        }
    }

    /// Whether the object has the member.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// The member's JSON text.
    pub(crate) fn raw(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(member, _)| member == name).map(|(_, value)| *value)
    }

    /// A string.
    ///
    /// # Errors
    /// [`ApiError::Invalid`] for any other value.
    pub(crate) fn text(&self, name: &'static str) -> Result<Option<Cow<'a, str>>, ApiError> {
        self.raw(name).map(|value| text_of(name, value)).transpose()
    }

    /// `true` or `false`; absent is `false`.
    ///
    /// # Errors
    /// [`ApiError::Invalid`] for any other value.
    pub(crate) fn flag(&self, name: &'static str) -> Result<bool, ApiError> {
        match self.raw(name).map(RawValue::get) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(ApiError::invalid(name, format!("`{name}` must be true or false"))),
        }
    }

    /// A `NumericDate` (RFC 7519 section 2), a fraction rounded up, so that an entry never ends before its token.
    ///
    /// Values below `-INTEGER_MAX` read as that: so far back one instant is as expired as another.
    ///
    /// # Errors
    /// [`ApiError::Invalid`] for what is no number, and for one beyond `INTEGER_MAX`.
    pub(crate) fn date_rounded_up(&self, name: &'static str) -> Result<Option<NumericDate>, ApiError> {
        let Some(text) = self.raw(name).map(RawValue::get) else {
            return Ok(None);
        };
        let seconds = match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(whole), _) => whole,
            // The cast saturates, and what it saturates to is beyond the limit.
            #[allow(clippy::cast_possible_truncation)]
            (Err(_), Ok(number)) if number.is_finite() || is_number(text) => number.ceil() as i64,
            _ => return Err(ApiError::invalid(name, format!("`{name}` must be a number of seconds (NumericDate)"))),
        };
        within_integers(name, seconds.max(-INTEGER_MAX)).map(Some)
    }

    /// A whole `NumericDate`.
    ///
    /// # Errors
    /// [`ApiError::Invalid`] for what is no integer, and for one beyond `INTEGER_MAX` either way.
    pub(crate) fn date(&self, name: &'static str) -> Result<Option<NumericDate>, ApiError> {
        self.raw(name).map(|value| whole_date(name, value.get())).transpose()
    }
}

/// A whole `NumericDate` from its decimal text.
///
/// # Errors
/// [`ApiError::Invalid`] for what is no integer, and for one beyond `INTEGER_MAX` either way.
pub(crate) fn whole_date(name: &'static str, text: &str) -> Result<NumericDate, ApiError> {
    match text.parse::<i64>() {
        Ok(seconds) => within_integers(name, seconds),
        Err(_) => Err(ApiError::invalid(name, format!("`{name}` must be a whole number of seconds (NumericDate)"))),
    }
}

/// The string that `value` is.
///
/// # Errors
/// [`ApiError::Invalid`] for any other value, and for a string that is no Unicode text (lone surrogates).
pub(crate) fn text_of<'a>(name: &'static str, value: &'a RawValue) -> Result<Cow<'a, str>, ApiError> {
    // What is valid JSON in quotes and without an escape stands for itself.
    let json = value.get();
    if let [b'"', text @ .., b'"'] = json.as_bytes()
        && !text.contains(&b'\\')
    {
        return Ok(Cow::Borrowed(&json[1..=text.len()]));
    }
    serde_json::from_str::<Text<'a>>(value.get())
        .map(|text| text.0)
        .map_err(|_| ApiError::invalid(name, format!("`{name}` must be a string of Unicode characters")))
}

fn within_integers(name: &'static str, seconds: i64) -> Result<NumericDate, ApiError> {
    if (-INTEGER_MAX..=INTEGER_MAX).contains(&seconds) {
        return Ok(NumericDate(seconds));
    }
    let detail = format!("`{name}` lies beyond {INTEGER_MAX}, the largest NumericDate accepted");
    Err(ApiError::beyond(name, INTEGER_MAX.unsigned_abs(), detail))
}

/// Whether JSON text that Rust reads as an infinite number is a number in JSON: `1e999` is, `inf` is no JSON at all.
fn is_number(text: &str) -> bool {
    text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

/// What is wrong with JSON that cannot be read, without a word of what it says.
fn unreadable(json: &str, error: &serde_json::Error) -> ApiError {
    if json.trim_ascii().is_empty() {
        return ApiError::malformed("there is nothing to read: one JSON object is expected");
    }
    // What is one line may be any line of a longer body.
    let line = if json.contains('\n') { format!("line {}, ", error.line()) } else { String::new() };
    ApiError::malformed(format!("this is not valid JSON ({line}column {})", error.column()))
}

/// An unknown name, as far as it is fit to be quoted: a caller may have put anything there, even a token.
fn shown(name: &str) -> String {
    let is_quotable =
        name.len() <= QUOTED_BYTES_MAX && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_quotable { name.to_owned() } else { "?".to_owned() }
}

/// An unknown name in words.
pub(super) fn named(name: &str) -> String {
    match shown(name).as_str() {
        "?" => format!("a name of {} bytes", name.len()),
        shown => format!("`{shown}`"),
    }
}

/// A string that borrows where it has no escapes.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Reads an object; `fault` is what its error means, where that is about a list.
struct Object<'o, 'a> {
    lists: &'o [(&'static str, usize)],
    found: &'o mut Lists<'a>,
    fault: &'o mut Option<ApiError>,
    bytes: usize,
}

impl<'de> DeserializeSeed<'de> for Object<'_, 'de> {
    type Value = Members<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Members<'de>, D::Error> {
        // Holds until the object has begun.
        *self.fault = Some(ApiError::malformed("one JSON object is expected, and no other value"));
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_, 'de> {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        *self.fault = None;
        let mut members = Vec::with_capacity(4);
        while let Some(Text(name)) = map.next_key::<Text<'de>>()? {
            if members.len() == MEMBERS_MAX {
                let detail = format!("the object has more than {MEMBERS_MAX} members");
                *self.fault = Some(ApiError::malformed(detail));
                return Err(A::Error::custom("too many members"));
            }
            let value = match self.lists.iter().find(|(list, _)| *list == name) {
                None => map.next_value()?,
                Some((list, max)) => {
                    let elements = Elements { name: list, max: *max, fault: &mut *self.fault, bytes: self.bytes };
                    self.found.push(list, map.next_value_seed(elements)?);
                    RawValue::NULL
                }
            };
            members.push((name, value));
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(result: Result<impl fmt::Debug, ApiError>) -> String {
        result.unwrap_err().to_string()
    }

    fn exp(json: &str) -> Result<Option<NumericDate>, ApiError> {
        Members::parse(format!(r#"{{"exp":{json}}}"#).as_bytes()).unwrap().date_rounded_up("exp")
    }

    #[test]
    fn what_is_no_json_object_is_refused_without_being_quoted() {
        let deep = "[".repeat(100_000);
        let members = format!("{{{}}}", (0..17).map(|n| format!("\"m{n}\":0")).collect::<Vec<_>>().join(","));
        for json in ["", "{", "secret", "\"secret\"", "[]", "null", "{} {}", "{\"a\":secret}", &deep, &members] {
            let detail = detail(Members::parse(json.as_bytes()));
            assert!(!detail.contains("secret"), "{detail}");
        }
        assert!(Members::parse(b"{\"a\":\"\xff\"}").is_err());
        assert!(Members::parse(b"{\"\xff\":0}").is_err());
    }

    #[test]
    fn what_is_wrong_with_it_is_said_and_where_if_that_helps() {
        let said = |json: &str| detail(Members::parse(json.as_bytes()));
        for empty in ["", " \n"] {
            assert_eq!(said(empty), "there is nothing to read: one JSON object is expected");
        }
        for other in ["[]", "null", "5", "\"{}\""] {
            assert_eq!(said(other), "one JSON object is expected, and no other value", "{other}");
        }
        assert_eq!(said("{x"), "this is not valid JSON (column 2)");
        assert_eq!(said("{\n x"), "this is not valid JSON (line 2, column 2)");
        let many = format!("{{{}}}", (0..17).map(|n| format!("\"m{n}\":0")).collect::<Vec<_>>().join(","));
        assert_eq!(said(&many), "the object has more than 16 members");
    }

    #[test]
    fn a_member_that_is_there_twice_is_refused_however_it_is_spelt() {
        for json in [r#"{"jti":"a","jti":"a"}"#, r#"{"jti":"a","\u006ati":"b"}"#] {
            assert!(detail(Members::parse(json.as_bytes())).contains("`jti` is there twice"));
        }
    }

    #[test]
    fn an_unknown_member_is_named_if_its_name_can_be_quoted() {
        let unknown = |json: &str| detail(Members::parse(json.as_bytes()).unwrap().only(&["jti", "exp"]));
        assert_eq!(unknown(r#"{"jti":"a","ttl":5}"#), "`ttl` is unknown here; known are: jti, exp");
        assert!(unknown(r#"{"eyJhbGciOiJIUzI1NiJ9.eyJqdGkiOiJ4In0.c2ln":1}"#).starts_with("a name of 41 bytes"));
        let deep = format!(r#"{{"x":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
        assert!(unknown(&deep).starts_with("`x`"));
    }

    #[test]
    fn exp_is_any_number_rounded_up() {
        for (json, seconds) in [
            ("0", 0),
            ("-1", -1),
            ("1.5", 2),
            ("1.0", 1),
            ("-1.5", -1),
            ("1.8e9", 1_800_000_000),
            ("1800000000.000001", 1_800_000_001),
            ("9007199254740991", INTEGER_MAX),
            ("-9223372036854775808", -INTEGER_MAX),
            ("-1e999", -INTEGER_MAX),
        ] {
            assert_eq!(exp(json).unwrap(), Some(NumericDate(seconds)), "{json}");
        }
    }

    #[test]
    fn exp_beyond_what_json_holds_exactly_is_refused_by_name_and_limit() {
        for json in ["9007199254740992", "9223372036854775807", "9223372036854775808", "18446744073709551616", "1e999"]
        {
            assert!(detail(exp(json)).contains("`exp` lies beyond 9007199254740991"), "{json}");
        }
        for json in ["\"1\"", "null", "true", "[1]", "{}", "\"NaN\""] {
            assert!(detail(exp(json)).contains("`exp` must be a number"), "{json}");
        }
    }

    #[test]
    fn a_string_is_kept_byte_for_byte() {
        let text = |json: &str| {
            let json = format!(r#"{{"jti":{json}}}"#);
            Members::parse(json.as_bytes()).unwrap().text("jti").map(|text| text.unwrap().into_owned())
        };
        assert_eq!(text(r#""\u0000\n☂\ud83d\ude00""#).unwrap(), "\0\n☂😀");
        assert_eq!(text(r#"" a ""#).unwrap(), " a ");
        for wrong in [r#""\ud800""#, "5", "null", "[\"a\"]"] {
            assert!(text(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn whole_dates_and_flags_take_nothing_else() {
        let members = Members::parse(br#"{"iat":1.5,"trust_clock":1,"iss":true}"#).unwrap();
        assert!(members.date("iat").is_err());
        assert!(members.flag("trust_clock").is_err());
        assert!(members.flag("iss").unwrap() && !members.flag("absent").unwrap());
        assert!(whole_date("iat", "9007199254740992").is_err());
        assert_eq!(whole_date("iat", "-5").unwrap(), NumericDate(-5));
    }
}
