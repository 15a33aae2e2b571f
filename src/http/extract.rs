//! Reading requests strictly: media type, body within its limit, and the members and parameters in it.

mod form;
mod lists;
mod members;
mod query;

use std::error::Error;
use std::ops::Deref;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt;

use super::Http;
use super::error::ApiError;
use super::in_flight::Permit;
use super::listener::BodyTimeout;
use crate::keys::Caller;

pub(crate) use form::{Form, form, form_decode};
pub(crate) use lists::Lists;
pub(crate) use members::{Members, text_of};
pub(crate) use query::{Query, percent_decode};

impl<'a> Whole<'a> {
    /// The bytes, and their place, to be kept as long as they are.
    pub(crate) fn into_parts(self) -> (Vec<u8>, Permit<'a>) {
        (self.bytes, self.held)
    }
}

/// The media types that the door reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    Json,
    Ndjson,
    Form,
}

impl Media {
    /// The media type of a body; `None` for one that is not read, and for one in a content encoding.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        if headers.contains_key(CONTENT_ENCODING) {
            return None;
        }
        let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
        // RFC 8259 section 8.1: JSON is UTF-8, and so a charset may say that and nothing else.
        let parameters = parameters.trim().to_ascii_lowercase();
        if !matches!(parameters.as_str(), "" | "charset=utf-8" | "charset=\"utf-8\"") {
            return None;
        }
        match essence.trim().to_ascii_lowercase().as_str() {
            "application/json" => Some(Self::Json),
            "application/x-ndjson" => Some(Self::Ndjson),
            "application/x-www-form-urlencoded" => Some(Self::Form),
            _ => None,
        }
    }
}

/// The declared length of a body, refused before a byte of it is read where it is beyond the limit.
///
/// # Errors
/// [`ApiError::TooLarge`].
pub(crate) fn declared_within(headers: &HeaderMap, name: &'static str, limit: u64) -> Result<u64, ApiError> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let declared = declared.unwrap_or(0);
    if declared > limit { Err(ApiError::TooLarge { name, limit }) } else { Ok(declared) }
}

/// Room that is made for a body before any of it has come.
const BODY_BYTES_USUAL: usize = 64 << 10;

/// A whole body, and its place in `limits.bodies_bytes_max`.
pub(crate) struct Whole<'a> {
    bytes: Vec<u8>,
    held: Permit<'a>,
}

impl Deref for Whole<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The whole body of at most `limits.body_bytes_max`. Its place in the limit on all bodies is taken as it arrives: what
/// is only declared costs nothing, and so takes nothing from others.
///
/// # Errors
/// [`ApiError::TooLarge`] beyond the limit, [`ApiError::InFlight`] beyond that on all bodies, [`ApiError::BodyTimeout`]
/// where it comes too slowly, [`ApiError::Malformed`] where it ends before its time.
pub(crate) async fn whole<'a>(
    http: &'a Http,
    caller: &Caller,
    headers: &HeaderMap,
    body: Body,
) -> Result<Whole<'a>, ApiError> {
    whole_within(http.bodies.begin(caller), headers, body, (BODY_BYTES_MAX, http.settings.body_bytes_max)).await
}

/// The config key of the limit on whole bodies.
const BODY_BYTES_MAX: &str = "limits.body_bytes_max";

/// Most bytes of a gRPC message. Envoy lets 60 KiB of headers through by default, and says their path and the tokens in them
/// more than once.
const MESSAGE_BYTES_MAX: usize = 256 << 10;

/// As [`whole`], for a body that holds one gRPC message of at most 256 KiB.
///
/// # Errors
/// As [`whole`].
pub(crate) async fn message<'a>(
    http: &'a Http,
    caller: &Caller,
    headers: &HeaderMap,
    body: Body,
) -> Result<Whole<'a>, ApiError> {
    whole_within(http.bodies.begin(caller), headers, body, ("of gRPC messages", MESSAGE_BYTES_MAX)).await
}

/// As [`whole`], within the limit of this name; `held` holds what of it there is.
async fn whole_within<'a>(
    held: Permit<'a>,
    headers: &HeaderMap,
    mut body: Body,
    (name, max): (&'static str, usize),
) -> Result<Whole<'a>, ApiError> {
    let limit = max as u64;
    // Within the limit, which is a usize.
    let declared = usize::try_from(declared_within(headers, name, limit)?).unwrap_or(max);
    let bytes = Vec::with_capacity(declared.min(BODY_BYTES_USUAL));
    let mut whole = Whole { bytes, held };
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| broken_off(&error))?.into_data() else { continue };
        let read = whole.bytes.len().saturating_add(data.len());
        if read > max {
            return Err(ApiError::TooLarge { name, limit });
        }
        whole.held.hold(read)?;
        whole.bytes.extend_from_slice(&data);
    }
    Ok(whole)
}

/// The whole JSON body of a request.
///
/// # Errors
/// As [`whole`], and [`ApiError::MediaType`] for a body that is no JSON by its media type.
pub(crate) async fn json<'a>(
    http: &'a Http,
    caller: &Caller,
    headers: &HeaderMap,
    body: Body,
) -> Result<Whole<'a>, ApiError> {
    if Media::of(headers) != Some(Media::Json) {
        return Err(ApiError::MediaType("application/json"));
    }
    whole(http, caller, headers, body).await
}

/// The error for a body that its sender did not finish: too slow, or gone.
pub(crate) fn broken_off(error: &axum::Error) -> ApiError {
    let mut causes = std::iter::successors(Some(error as &(dyn Error + 'static)), |&error| error.source());
    match causes.find_map(|error| error.downcast_ref::<BodyTimeout>()) {
        Some(timeout) => ApiError::BodyTimeout(*timeout),
        None => ApiError::malformed("the body broke off before its end"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_media_type_is_read_with_its_charset_and_nothing_else() {
        let of = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, value.parse().unwrap());
            Media::of(&headers)
        };
        for json in ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\""] {
            assert_eq!(of(json), Some(Media::Json), "{json}");
        }
        assert_eq!(of("application/x-ndjson"), Some(Media::Ndjson));
        for other in
            ["", "text/json", "application/json; charset=latin-1", "application/json; x=y", "application/jsonl"]
        {
            assert_eq!(of(other), None, "{other}");
        }
        let mut zipped = HeaderMap::new();
        zipped.insert(CONTENT_TYPE, "application/json".parse().unwrap());
        zipped.insert(CONTENT_ENCODING, "gzip".parse().unwrap());
        assert_eq!(Media::of(&zipped), None);
    }
}
