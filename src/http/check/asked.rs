//! What a check brings: claims within their limits, their issuer, and the selectors that they let us judge.

use std::borrow::Cow;

use super::super::error::ApiError;
use super::super::extract::{Members, Query};
use super::super::{Http, bound};
use super::no_entry;
use crate::clock::NumericDate;
use crate::denylist::{Priority, SeenRun};
use crate::keys::{Caller, Scope};
use crate::revocation::{TokenClaims, Verdict};
use crate::token::{ClientId, Family, Issuer, Jti, Selector, Sid, Subject};
use crate::verifier::VerifiedToken;

/// The claims that a check may bring, not looked at yet.
#[derive(Debug, Default)]
pub(crate) struct Claims<'a> {
    pub(crate) iss: Option<Cow<'a, str>>,
    pub(crate) jti: Option<Cow<'a, str>>,
    pub(crate) sid: Option<Cow<'a, str>>,
    pub(crate) sub: Option<Cow<'a, str>>,
    pub(crate) client_id: Option<Cow<'a, str>>,
    pub(crate) family: Option<Cow<'a, str>>,
    pub(crate) iat: Option<NumericDate>,
}

impl<'a> Claims<'a> {
    /// The members that [`Claims::of_members`] reads.
    pub(crate) const NAMES: [&'static str; 7] = ["jti", "iss", "iat", "sub", "sid", "client_id", "family"];

    pub(super) fn of_query(query: &mut Query<'a>, jti: Option<Cow<'a, str>>) -> Result<Self, ApiError> {
        Ok(Self {
            iat: query.date("iat")?,
            iss: query.text("iss"),
            jti,
            sid: query.text("sid"),
            sub: query.text("sub"),
            client_id: query.text("client_id"),
            family: query.text("family"),
        })
    }

    /// The claims in a JSON object, which must hold nothing else.
    ///
    /// # Errors
    /// [`ApiError::Malformed`] and [`ApiError::Invalid`] that name the member.
    pub(crate) fn of_members(members: &Members<'a>) -> Result<Self, ApiError> {
        members.only(&Self::NAMES)?;
        Ok(Self {
            iat: members.date("iat")?,
            iss: members.text("iss")?,
            jti: members.text("jti")?,
            sid: members.text("sid")?,
            sub: members.text("sub")?,
            client_id: members.text("client_id")?,
            family: members.text("family")?,
        })
    }
}

/// A check whose claims are within their limits, with their issuer.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) claims: TokenClaims<'a>,
    /// The selectors it brings.
    pub(crate) judged: Judged,
}

impl<'a> Asked<'a> {
    /// Holds the claims of a request against the limits, the list of issuers, the caller's bounds and `check.required`.
    ///
    /// # Errors
    /// The claim that is missing, empty or too long, the issuer that cannot be resolved, or the bound.
    pub(crate) fn new(http: &'a Http, caller: &Caller, claims: &'a Claims<'_>) -> Result<Self, ApiError> {
        let limits = http.denylist.issuers().resolve(claims.iss.as_deref())?;
        let mut token = TokenClaims {
            issuer: &limits.issuer,
            jti: claims.jti.as_deref().map(Jti::parse).transpose()?,
            sid: claims.sid.as_deref().map(Sid::parse).transpose()?,
            sub: claims.sub.as_deref().map(Subject::parse).transpose()?,
            client_id: claims.client_id.as_deref().map(ClientId::parse).transpose()?,
            family: claims.family.as_deref().map(Family::parse).transpose()?,
            iat: claims.iat,
        };
        if token.family.is_none() {
            token.family = limits.naming.family_of_session(token.client_id.as_ref(), token.sid.as_ref());
        }
        Self::complete(http, caller, token, claims.iss.is_some())
    }

    /// The check of a verified token, whose lifetime is noted.
    ///
    /// # Errors
    /// The bound that it is beyond, or a claim that `check.required` names and the token lacks.
    pub(crate) fn of_token(http: &Http, caller: &Caller, token: &'a VerifiedToken) -> Result<Self, ApiError> {
        if let Some(lifetime_s) = token.lifetime_s() {
            http.denylist.note_lifetime(&token.issuer, lifetime_s);
        }
        let claims = TokenClaims {
            issuer: &token.issuer,
            jti: Some(token.jti.borrowed()),
            sid: token.sid.as_ref().map(Sid::borrowed),
            sub: token.sub.as_ref().map(Subject::borrowed),
            client_id: token.client_id.as_ref().map(ClientId::borrowed),
            family: token.family.as_ref().map(Family::borrowed),
            iat: token.iat,
        };
        Self::complete(http, caller, claims, token.issuer != Issuer::NAMELESS)
    }

    fn complete(
        http: &Http,
        caller: &Caller,
        claims: TokenClaims<'a>,
        is_issuer_named: bool,
    ) -> Result<Self, ApiError> {
        bound::check(http, caller, &claims)?;
        let mut judged = Judged::default();
        for (selector, is_there) in [
            (Selector::Jti, claims.jti.is_some()),
            (Selector::Sid, claims.sid.is_some()),
            (Selector::Family, claims.family.is_some()),
            (Selector::Sub, claims.sub.is_some()),
            (Selector::ClientId, claims.client_id.is_some()),
        ] {
            judged = if is_there { judged.and(selector) } else { judged };
        }
        if judged == Judged::default() {
            const AT_LEAST_ONE: &str = "a check needs at least one of `jti`, `sub`, `sid`, `client_id` and `family`";
            return Err(ApiError::invalid("jti", AT_LEAST_ONE));
        }
        if is_issuer_named {
            judged = judged.and(Selector::Iss);
        }
        if let Some(missing) = http.settings.check_required.iter().find(|selector| !judged.has(**selector)) {
            let name = missing.as_str();
            return Err(ApiError::invalid(
                name,
                format!("`{name}` is missing; check.required asks every check for it"),
            ));
        }
        Ok(Self { claims, judged })
    }

    /// The verdict, where it is known without a read.
    pub(super) fn known(&self, http: &Http) -> Result<Option<Verdict>, ApiError> {
        Ok(http.denylist.known(&self.claims)?)
    }

    /// The verdict on what the check names, of those ids that may be in flight.
    ///
    /// # Errors
    /// Those that say that we do not know.
    pub(crate) async fn verdict(&self, http: &Http, caller: &Caller) -> Result<Verdict, ApiError> {
        let _permit = http.in_flight.enter(1, caller)?;
        let verdict = http.denylist.check(&self.claims, priority(caller)).await?;
        // Without `jti` no read has said that all is known.
        Ok(if self.claims.jti.is_none() && verdict == Verdict::Good { no_entry(http)? } else { verdict })
    }

    /// Notes what an answered check has brought.
    pub(crate) fn note_seen(&self, http: &Http) {
        let mut run = SeenRun::default();
        http.denylist.gather_seen(&mut run, &self.claims, 1);
        http.denylist.note_seen(&run);
    }
}

/// Whose reads a caller may use.
pub(crate) fn priority(caller: &Caller) -> Priority {
    if caller.scopes.contains(Scope::Admin) { Priority::Admin } else { Priority::Ordinary }
}

/// A set of selectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Judged(pub(super) u8);

impl Judged {
    pub(super) const fn and(self, selector: Selector) -> Self {
        Self(self.0 | 1 << selector as u8)
    }

    pub(crate) const fn has(self, selector: Selector) -> bool {
        self.0 & 1 << selector as u8 != 0
    }

    /// Whether an entry for the token or a force-logout of its subject would have gone unseen (promise 17).
    pub(super) const fn is_partial(self) -> bool {
        !(self.has(Selector::Jti) && self.has(Selector::Sub))
    }

    /// The names, in the order in which `judged` lists them.
    pub(super) fn names(self) -> impl Iterator<Item = &'static str> {
        Selector::ALL.into_iter().filter(move |selector| self.has(*selector)).map(Selector::as_str)
    }
}
