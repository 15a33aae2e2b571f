//! A query string, read strictly: no parameter twice, none empty, none unknown, only UTF-8, and no bare `+`.

use std::borrow::Cow;

use super::super::error::ApiError;
use super::members::{named, whole_date};
use crate::clock::NumericDate;

/// The parameters of one request; a flag has no value.
#[derive(Debug)]
pub(crate) struct Query<'a>(Vec<(&'static str, Option<Cow<'a, str>>)>);

impl<'a> Query<'a> {
    /// Reads the parameters in `known`, which each need a value, and in `flags`, which take none.
    ///
    /// # Errors
    /// [`ApiError::Malformed`] that names the parameter which is empty, twice there, unknown or no UTF-8.
    pub(crate) fn parse(
        query: Option<&'a str>,
        known: &[&'static str],
        flags: &[&'static str],
    ) -> Result<Self, ApiError> {
        let mut parameters: Vec<(&'static str, Option<Cow<'a, str>>)> = Vec::new();
        for part in query.filter(|query| !query.is_empty()).into_iter().flat_map(|query| query.split('&')) {
            let (name, value) = part.split_once('=').map_or((part, None), |(name, value)| (name, Some(value)));
            let name = decode(name)?;
            let find = |names: &[&'static str]| names.iter().copied().find(|known| *known == name);
            let (name, value) = match (find(known), find(flags), value) {
                // A form means a space by it, a URI means what stands there (RFC 3986 section 2.2): an id read the wrong
                // way would read as good (promise 3).
                (Some(name), _, Some(value)) if value.contains('+') => {
                    let detail = format!("`{name}` holds a `+`, which may mean a plus or a space: write %2B or %20");
                    return Err(ApiError::malformed_field(name, detail));
                }
                (Some(name), _, Some(value)) if !value.is_empty() => (name, Some(decode(value)?)),
                (Some(name), _, _) => {
                    return Err(ApiError::malformed_field(name, format!("the parameter `{name}` is empty")));
                }
                (None, Some(flag), None) => (flag, None),
                (None, Some(flag), Some(_)) => {
                    return Err(ApiError::malformed_field(flag, format!("the parameter `{flag}` takes no value")));
                }
                (None, None, _) => return Err(unknown(&name, known, flags)),
            };
            if parameters.iter().any(|(earlier, _)| *earlier == name) {
                return Err(ApiError::malformed_field(name, format!("the parameter `{name}` is there twice")));
            }
            parameters.push((name, value));
        }
        Ok(Self(parameters))
    }

    /// The value of a parameter.
    pub(crate) fn text(&mut self, name: &str) -> Option<Cow<'a, str>> {
        self.0.iter_mut().find(|(known, _)| *known == name)?.1.take()
    }

    /// Whether a flag is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| *known == name)
    }

    /// The value of a parameter that is a whole `NumericDate`.
    ///
    /// # Errors
    /// [`ApiError::Invalid`] for any other value.
    pub(crate) fn date(&mut self, name: &'static str) -> Result<Option<NumericDate>, ApiError> {
        self.text(name).map(|text| whole_date(name, &text)).transpose()
    }
}

fn unknown(name: &str, known: &[&str], flags: &[&str]) -> ApiError {
    let known = [known, flags].concat();
    if known.is_empty() {
        return ApiError::malformed("this path takes no query parameters");
    }
    ApiError::malformed(format!("the parameter {} is unknown here; known are: {}", named(name), known.join(", ")))
}

fn decode(text: &str) -> Result<Cow<'_, str>, ApiError> {
    percent_decode(text).ok_or_else(|| ApiError::malformed("the query is not percent-encoded UTF-8"))
}

/// The text that `encoded` stands for (RFC 3986 section 2.1); `None` if it is no UTF-8 or a `%` is not followed by two
/// hex digits. Allocates only where something is encoded.
pub(crate) fn percent_decode(encoded: &str) -> Option<Cow<'_, str>> {
    if !encoded.contains('%') {
        return Some(Cow::Borrowed(encoded));
    }
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            other => other,
        });
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<Query<'_>, ApiError> {
        Query::parse(Some(query), &["jti", "iat"], &["verbose"])
    }

    #[test]
    fn empty_duplicate_unknown_and_broken_parameters_are_refused() {
        for wrong in [
            "jti",
            "jti=",
            "jti=a&jti=b",
            "jti=a&%6ati=b",
            "JTI=a",
            "a=b",
            "jti=a&",
            "&jti=a",
            "&",
            "=",
            "jti=%",
            "jti=%4",
            "jti=%zz",
            "jti=%ff",
            "jti=%C3",
            "jti=a+b",
            "verbose=",
            "verbose=1",
            "verbose&verbose",
        ] {
            assert!(matches!(parse(wrong), Err(ApiError::Malformed(_))), "{wrong}");
        }
        assert!(Query::parse(Some("a=b"), &[], &[]).is_err());
    }

    #[test]
    fn values_are_decoded_and_kept_byte_for_byte() {
        for (query, value) in
            [("jti=a", "a"), ("jti=a=b", "a=b"), ("jti=%00%2F%26%20x%2B", "\0/& x+"), ("jti=%E2%98%82", "☂")]
        {
            assert_eq!(parse(query).unwrap().text("jti").unwrap(), value);
        }
        assert!(parse("").unwrap().text("jti").is_none());
        let mut query = parse("verbose&iat=-5").unwrap();
        assert!(query.has("verbose"));
        assert_eq!(query.date("iat").unwrap(), Some(NumericDate(-5)));
        assert!(parse("iat=1.5").unwrap().date("iat").is_err());
    }

    #[test]
    fn a_plus_in_a_path_is_a_plus() {
        assert_eq!(percent_decode("a+b%2B").unwrap(), "a+b+");
    }
}
