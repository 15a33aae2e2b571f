//! What a token says, once somebody vouches for it.

use std::fmt;

use crate::clock::{Now, NumericDate};
use crate::token::{ClientId, Family, Issuer, Jti, Sid, Subject};

/// What a genuine token says. Nothing here is judged against the time.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedToken {
    /// The configured issuer whose key signed it.
    pub issuer: Issuer<'static>,
    /// Its identifier: the claim that the issuer's `claims.jti` names, else `sha-256:` and, in base64url without padding,
    /// the SHA-256 of header, dot and payload as they were sent.
    pub jti: Jti<'static>,
    /// Its subject.
    pub sub: Option<Subject<'static>>,
    /// Its session.
    pub sid: Option<Sid<'static>>,
    /// Its client: `client_id`, else `azp`.
    pub client_id: Option<ClientId<'static>>,
    /// What it has in common with the tokens of the same grant: the claim that the issuer's `refresh.family_claim` names, or
    /// session and client.
    pub family: Option<Family<'static>>,
    /// Whether it is a refresh token, by the issuer's `refresh.kind_claim`.
    pub is_refresh: bool,
    /// When it expires; a fraction is rounded up.
    pub exp: Option<NumericDate>,
    /// When it was issued; a fraction is rounded down.
    pub iat: Option<NumericDate>,
    /// The version of the issuer's keys that vouched for it, as [`super::Verifier::keys_version`] counts them; none where somebody
    /// else did.
    pub keys_version: Option<u64>,
    /// What only those look at who judge a token as a whole.
    pub rest: Rest,
}

/// The claims that decide nothing here and are not held against a token: whoever judges it as a whole looks at them.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Rest {
    /// Whether the token's identifier is a claim of it.
    pub has_jti: bool,
    /// `exp` with a fraction rounded down: by it an expired token is never called active.
    pub exp_floor: Option<NumericDate>,
    /// Before when it must not be accepted; a fraction is rounded up. [`NumericDate::NEVER`] for what is no time: such a
    /// token never begins.
    pub nbf: Option<NumericDate>,
    /// Whom it is for; nobody where the claim is neither a string nor a list of strings.
    pub aud: Option<Vec<String>>,
    /// What it permits (RFC 8693 section 4.2), where that is a string.
    pub scope: Option<String>,
}

impl VerifiedToken {
    /// How long it lives, seconds; `None` where it says not both when it was issued and when it expires.
    #[must_use]
    pub fn lifetime_s(&self) -> Option<i64> {
        Some(self.exp?.since(self.iat?))
    }

    /// Whether its time is now (`exp` and `nbf`, RFC 7519 sections 4.1.4 and 4.1.5). Where the clock is doubted, the later of
    /// the two times that may be true decides about `exp` and the earlier about `nbf`. But what its issuer has signed was
    /// issued by then: where `iat` says that `nbf` had come, that counts, or a server that was stopped for long would refuse
    /// every new token.
    #[must_use]
    pub fn is_in_force(&self, now: Now, clock_skew_s: i64, allow_without_exp: bool) -> bool {
        let has_ended = self.rest.exp_floor.map_or(!allow_without_exp, |exp| exp <= now.latest);
        let reached = self.iat.map_or(now.earliest, |iat| iat.min(now.latest).max(now.earliest));
        let has_begun = self.rest.nbf.is_none_or(|nbf| nbf <= reached.plus(clock_skew_s));
        has_begun && !has_ended
    }
}

impl fmt::Debug for VerifiedToken {
    /// Prints the times and which claims there are: raw claim values stay out of logs (promise 12).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedToken")
            .field("issuer", &self.issuer)
            .field("jti", &self.jti)
            .field("sub", &self.sub)
            .field("has_sid", &self.sid.is_some())
            .field("has_client_id", &self.client_id.is_some())
            .field("has_family", &self.family.is_some())
            .field("is_refresh", &self.is_refresh)
            .field("exp", &self.exp)
            .field("iat", &self.iat)
            .finish_non_exhaustive()
    }
}
