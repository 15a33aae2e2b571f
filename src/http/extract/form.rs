//! A form, `application/x-www-form-urlencoded`, read as RFC 6749 sections 3.1 and 3.2 want it: no parameter twice, none that
//! is empty counts, and unknown ones are nobody's business.

use std::borrow::Cow;
use std::ops::Deref;

use axum::body::Body;
use axum::http::HeaderMap;

use super::super::Http;
use super::super::error::ApiError;
use super::super::in_flight::Permit;
use super::{BODY_BYTES_MAX, Media, percent_decode, whole_within};
use crate::keys::Caller;

/// Longest form, bytes, where `limits.body_bytes_max` is not less: whoever sends one may have shown no key yet. A token of
/// the greatest length, every byte of it percent-encoded, has 49,152.
const FORM_BYTES_MAX: usize = 64 << 10;

/// Most parameters of a form, unknown ones included.
const PARAMETERS_MAX: usize = 64;

/// The parameters of a form, and its place among the bodies that are held.
pub(crate) struct Form<'a> {
    parameters: Parameters,
    _held: Permit<'a>,
}

impl Deref for Form<'_> {
    type Target = Parameters;

    fn deref(&self) -> &Parameters {
        &self.parameters
    }
}

/// The parameters of a form.
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads a whole body. At most [`PARAMETERS_MAX`] comparisons for each parameter.
    ///
    /// # Errors
    /// [`ApiError::Malformed`] for what is no form in UTF-8, and for a parameter that is there twice.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let unreadable = || ApiError::malformed("the body is not a percent-encoded form in UTF-8");
        let body = std::str::from_utf8(body).map_err(|_| unreadable())?;
        let mut parameters: Vec<(String, String)> = Vec::new();
        for part in body.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let name = form_decode(name).ok_or_else(unreadable)?.into_owned();
            if parameters.iter().any(|(earlier, _)| *earlier == name) {
                // Any name may be a secret that somebody has put in the wrong place.
                return Err(ApiError::malformed("a parameter of the form is there twice"));
            }
            if parameters.len() == PARAMETERS_MAX {
                return Err(ApiError::malformed(format!("the form has more than {PARAMETERS_MAX} parameters")));
            }
            parameters.push((name, form_decode(value).ok_or_else(unreadable)?.into_owned()));
        }
        Ok(Self(parameters))
    }

    /// A parameter with a value: one without counts as left out (RFC 6749 section 3.2).
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, value)| known == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// A parameter that must be there.
    ///
    /// # Errors
    /// [`ApiError::Malformed`] that names it.
    pub(crate) fn required(&self, name: &'static str) -> Result<&str, ApiError> {
        self.get(name).ok_or_else(|| ApiError::malformed_field(name, format!("`{name}` is missing")))
    }
}

/// The form that a request brings. Of a caller who is not known yet it is held among those of strangers.
///
/// # Errors
/// [`ApiError::MediaType`] for a body of another kind, those of a whole body, and those of [`Parameters::parse`].
pub(crate) async fn form<'a>(
    http: &'a Http,
    caller: Option<&Caller>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Form<'a>, ApiError> {
    if Media::of(headers) != Some(Media::Form) {
        return Err(ApiError::MediaType("application/x-www-form-urlencoded"));
    }
    let configured = (BODY_BYTES_MAX, http.settings.body_bytes_max);
    let limit = if configured.1 < FORM_BYTES_MAX { configured } else { ("of forms", FORM_BYTES_MAX) };
    let held = match caller {
        Some(caller) => http.bodies.begin(caller),
        None => http.bodies_of_strangers.begin_whole(),
    };
    let (body, held) = whole_within(held, headers, body, limit).await?.into_parts();
    Ok(Form { parameters: Parameters::parse(&body)?, _held: held })
}

/// What stands encoded in a form: `+` is a space there, and all else as in a URI.
pub(crate) fn form_decode(encoded: &str) -> Option<Cow<'_, str>> {
    if !encoded.contains('+') {
        return percent_decode(encoded);
    }
    percent_decode(&encoded.replace('+', " ")).map(|decoded| Cow::Owned(decoded.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_empty_ones_are_not_there() {
        let form = Parameters::parse("a=b+c%2B%26&x%5Fy=%E2%98%82&empty=&none&=v&&e=1=2".as_bytes()).unwrap();
        for (name, value) in
            [("a", Some("b c+&")), ("x_y", Some("☂")), ("empty", None), ("none", None), ("e", Some("1=2"))]
        {
            assert_eq!(form.get(name), value, "{name}");
        }
        assert!(form.required("empty").is_err() && Parameters::parse(b"").unwrap().get("a").is_none());
    }

    #[test]
    fn twice_is_refused_whatever_the_name_is_and_however_it_is_written() {
        for wrong in ["a=1&a=1", "a=1&%61=2", "a=&a=1", "a&a", "a=%", "a=%zz", "a=%ff", "%ff=a"] {
            assert!(matches!(Parameters::parse(wrong.as_bytes()), Err(ApiError::Malformed(_))), "{wrong}");
        }
        assert!(Parameters::parse(b"a=\xff").is_err());
        let many = |count: usize| (0..count).map(|n| format!("p{n}=")).collect::<Vec<_>>().join("&");
        assert!(Parameters::parse(many(PARAMETERS_MAX).as_bytes()).is_ok());
        assert!(Parameters::parse(many(PARAMETERS_MAX + 1).as_bytes()).is_err());
    }
}
