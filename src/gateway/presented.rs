//! What a request presents: read strictly, since what is not understood here may be understood behind the gateway.

use crate::clock::NumericDate;
use crate::revocation::TokenClaims;
use crate::token::{ClaimError, ClientId, Issuer, Jti, Sid, Subject};
use crate::verifier::VerifiedToken;

use super::Reason;
use super::profile::{Profile, TokenSource};

/// The header that holds a bearer token (RFC 6750 section 2.1).
const AUTHORIZATION: &str = "authorization";

const COOKIE: &str = "cookie";

/// The headers in which a gateway may say what it has verified, by what they say.
pub const CLAIM_HEADERS: [&str; 6] =
    ["x-jwt-jti", "x-jwt-iss", "x-jwt-sub", "x-jwt-sid", "x-jwt-client-id", "x-jwt-iat"];

/// The headers of a request.
pub trait Headers {
    /// Every value of the header with this name in lower case, in order.
    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]>;
}

/// All that is to be judged of a request.
#[derive(Debug, Default)]
pub(super) struct Presented<'a> {
    /// In the order of the profile's sources.
    pub(super) tokens: Vec<&'a str>,
    /// What claim headers say; `None` where there are none, or none are read.
    pub(super) claimed: Option<Claimed>,
}

/// Finds what the sources of the profile hold, and no more.
///
/// # Errors
/// [`Reason::Ambiguous`] and [`Reason::Unreadable`].
pub(super) fn present<'a>(profile: &'a Profile, headers: &'a impl Headers) -> Result<Presented<'a>, Reason> {
    let mut presented = Presented::default();
    for source in &profile.tokens_in {
        let token = match source {
            TokenSource::Authorization => only(headers.all(AUTHORIZATION))?.map(bearer).transpose()?,
            TokenSource::Cookie(name) => {
                let pairs = headers.all(COOKIE).flat_map(|value| value.split(|byte| *byte == b';'));
                only(pairs.filter_map(|pair| cookie(pair, name)))?.transpose()?.map(unquoted).transpose()?
            }
        };
        presented.tokens.extend(token);
    }
    if profile.claim_headers {
        presented.claimed = Claimed::read(headers)?;
    }
    Ok(presented)
}

/// The one value, if there is one.
fn only<T>(mut values: impl Iterator<Item = T>) -> Result<Option<T>, Reason> {
    let first = values.next();
    if values.next().is_some() { Err(Reason::Ambiguous) } else { Ok(first) }
}

/// The token of `Bearer …`. What has another scheme is a credential too, and not one that is understood.
fn bearer(value: &[u8]) -> Result<&str, Reason> {
    let value = text(value)?;
    let (scheme, token) = value.split_once(' ').ok_or(Reason::Unreadable)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim_matches(' ')) } else { Err(Reason::Unreadable) }
}

/// The value of a pair `name=value` (RFC 6265 section 4.2.1) of this name. What some backend or other would take for it (blanks
/// before the `=`, no `=`, another case) is there too, and not understood.
fn cookie<'a>(pair: &'a [u8], name: &str) -> Option<Result<&'a [u8], Reason>> {
    let pair = pair.trim_ascii();
    let (found, value) = match pair.iter().position(|byte| *byte == b'=') {
        Some(at) => (&pair[..at], Some(&pair[at + 1..])),
        None => (pair, None),
    };
    if !found.trim_ascii_end().eq_ignore_ascii_case(name.as_bytes()) {
        return None;
    }
    Some(value.filter(|_| found == name.as_bytes()).ok_or(Reason::Unreadable))
}

/// A cookie's value without the quotes that may stand around it.
fn unquoted(value: &[u8]) -> Result<&str, Reason> {
    let value = text(value)?;
    Ok(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

fn text(value: &[u8]) -> Result<&str, Reason> {
    std::str::from_utf8(value).map_err(|_| Reason::Unreadable)
}

/// What claim headers say of a token.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Claimed {
    jti: Option<String>,
    pub(super) iss: Option<String>,
    sub: Option<String>,
    sid: Option<String>,
    client_id: Option<String>,
    iat: Option<NumericDate>,
}

impl Claimed {
    /// Reads them; `None` where there are none.
    fn read(headers: &impl Headers) -> Result<Option<Self>, Reason> {
        let mut values = [const { None }; CLAIM_HEADERS.len()];
        for (value, name) in values.iter_mut().zip(CLAIM_HEADERS) {
            *value = only(headers.all(name))?.map(text).transpose()?.map(str::to_owned);
            // A gateway that sets a header to nothing has verified nothing.
            if value.as_ref().is_some_and(String::is_empty) {
                return Err(Reason::Unreadable);
            }
        }
        if values.iter().all(Option::is_none) {
            return Ok(None);
        }
        let [jti, iss, sub, sid, client_id, iat] = values;
        let iat = iat.map(|iat| iat.parse().map(NumericDate).map_err(|_| Reason::Unreadable)).transpose()?;
        Ok(Some(Self { jti, iss, sub, sid, client_id, iat }))
    }

    /// Whether none of them says something else than the token.
    pub(super) fn agrees_with(&self, token: &VerifiedToken) -> bool {
        let agrees = |said: &Option<String>, is: Option<&str>| said.as_deref().is_none_or(|said| is == Some(said));
        agrees(&self.jti, Some(token.jti.as_str()))
            && agrees(&self.iss, Some(token.issuer.as_str()))
            && agrees(&self.sub, token.sub.as_ref().map(Subject::as_str))
            && agrees(&self.sid, token.sid.as_ref().map(Sid::as_str))
            && agrees(&self.client_id, token.client_id.as_ref().map(ClientId::as_str))
            && self.iat.is_none_or(|iat| token.iat == Some(iat))
    }

    /// The same as a check brings it. Its issuer alone names no token.
    pub(super) fn claims<'a>(&'a self, issuer: &'a Issuer<'static>) -> Result<TokenClaims<'a>, Reason> {
        if self.jti.is_none() && self.sub.is_none() && self.sid.is_none() && self.client_id.is_none() {
            return Err(Reason::Unreadable);
        }
        let unreadable = |_: ClaimError| Reason::Unreadable;
        Ok(TokenClaims {
            issuer,
            jti: self.jti.as_deref().map(Jti::parse).transpose().map_err(unreadable)?,
            sid: self.sid.as_deref().map(Sid::parse).transpose().map_err(unreadable)?,
            sub: self.sub.as_deref().map(Subject::parse).transpose().map_err(unreadable)?,
            client_id: self.client_id.as_deref().map(ClientId::parse).transpose().map_err(unreadable)?,
            family: None,
            iat: self.iat,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct List<'t>(&'t [(&'t str, &'t [u8])]);

    impl Headers for List<'_> {
        fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
            self.0.iter().filter(move |(known, _)| *known == name).map(|(_, value)| *value)
        }
    }

    fn profile(sources: &[&str], claim_headers: bool) -> Profile {
        let tokens_in = sources.iter().map(|source| source.parse().unwrap()).collect();
        Profile { tokens_in, claim_headers, ..Profile::default() }
    }

    fn tokens(sources: &[&str], headers: &[(&str, &[u8])]) -> Result<Vec<String>, Reason> {
        let (profile, headers) = (profile(sources, false), List(headers));
        present(&profile, &headers).map(|found| found.tokens.into_iter().map(str::to_owned).collect())
    }

    #[test]
    fn only_configured_sources_are_looked_at() {
        let both: &[(&str, &[u8])] = &[("authorization", b"Bearer a"), ("cookie", b"x=1; at=b; y=2")];
        assert_eq!(tokens(&["authorization"], both).unwrap(), ["a"]);
        assert_eq!(tokens(&["cookie:at"], both).unwrap(), ["b"]);
        assert_eq!(tokens(&["authorization", "cookie:at"], both).unwrap(), ["a", "b"], "every one is judged");
        assert_eq!(tokens(&["authorization", "cookie:at"], &[]).unwrap(), [""; 0]);
        assert_eq!(tokens(&["cookie:at"], &[("cookie", b"bat=1; at2=2")]).unwrap(), [""; 0]);
    }

    #[test]
    fn two_values_of_one_source_are_none() {
        for (source, headers) in [
            ("authorization", &[("authorization", &b"Bearer a"[..]), ("authorization", b"Bearer a")][..]),
            ("cookie:at", &[("cookie", b"at=a; at=a")]),
            ("cookie:at", &[("cookie", b"at=a"), ("cookie", b"at=b")]),
        ] {
            assert_eq!(tokens(&[source], headers), Err(Reason::Ambiguous), "{headers:?}");
        }
    }

    #[test]
    fn what_is_there_and_not_understood_is_refused() {
        for value in [&b"Basic YQ=="[..], b"Bearer", b"", b"a", b"Bearer\ta", b"Bearer \xff"] {
            assert_eq!(tokens(&["authorization"], &[("authorization", value)]), Err(Reason::Unreadable), "{value:?}");
        }
        assert_eq!(tokens(&["authorization"], &[("authorization", b"bEARER  a ")]).unwrap(), ["a"]);
        assert_eq!(tokens(&["cookie:at"], &[("cookie", b"at=\"a\"")]).unwrap(), ["a"]);
        assert_eq!(tokens(&["cookie:at"], &[("cookie", b"at=")]).unwrap(), [""], "judged, and no token");
        for value in [&b"at =a"[..], b"x=1; at =a", b"at\t=a", b"at", b"x=1;at ", b"at = a", b"AT=a"] {
            let found = tokens(&["cookie:at"], &[("cookie", value)]);
            assert_eq!(found, Err(Reason::Unreadable), "a backend may see a cookie here: {value:?}");
        }
        assert_eq!(tokens(&["cookie:at"], &[("cookie", b"at =a; at=a")]), Err(Reason::Ambiguous));
        assert_eq!(tokens(&["cookie:at"], &[("cookie", b"\tat=a\t; x")]).unwrap(), ["a"]);
    }

    #[test]
    fn claim_headers_are_read_where_they_are_on_and_never_twice() {
        let headers: &[(&str, &[u8])] = &[("x-jwt-jti", b"a"), ("x-jwt-iat", b"17")];
        let off = profile(&[], false);
        assert_eq!(present(&off, &List(headers)).unwrap().claimed, None);
        let on = profile(&[], true);
        let claimed = present(&on, &List(headers)).unwrap().claimed.unwrap();
        let expected = Claimed { jti: Some("a".to_owned()), iat: Some(NumericDate(17)), ..Claimed::default() };
        assert_eq!(claimed, expected);
        assert_eq!(present(&on, &List(&[])).unwrap().claimed, None);
        let twice = List(&[("x-jwt-sub", b"a"), ("x-jwt-sub", b"a")]);
        assert_eq!(present(&on, &twice).unwrap_err(), Reason::Ambiguous);
        for (name, value) in
            [("x-jwt-jti", &b""[..]), ("x-jwt-iat", b"x"), ("x-jwt-iat", b"1.5"), ("x-jwt-sub", b"\xff")]
        {
            assert_eq!(present(&on, &List(&[(name, value)])).unwrap_err(), Reason::Unreadable, "{name} {value:?}");
        }
        let only_issuer = Claimed { iss: Some("a".to_owned()), ..Claimed::default() };
        assert_eq!(only_issuer.claims(&Issuer::NAMELESS).unwrap_err(), Reason::Unreadable);
    }
}
