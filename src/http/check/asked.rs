//! What a check brings: claims within their limits, their issuer, and the selectors that they let us judge.

use std::borrow::Cow;

use super::super::Http;
use super::super::error::ApiError;
use super::super::extract::{Members, Query};
use super::no_entry;
use crate::denylist::Priority;
use crate::keys::{Caller, Scope};
use crate::revocation::Verdict;
use crate::token::{Issuer, Jti, Key, Selector, limited};
use crate::verifier::VerifiedToken;

/// The claims that a check may bring, not looked at yet.
#[derive(Debug, Default)]
pub(crate) struct Claims<'a> {
    pub(crate) iss: Option<Cow<'a, str>>,
    pub(crate) jti: Option<Cow<'a, str>>,
    pub(crate) sid: Option<Cow<'a, str>>,
    pub(crate) sub: Option<Cow<'a, str>>,
    pub(crate) client_id: Option<Cow<'a, str>>,
}

impl<'a> Claims<'a> {
    /// The members that [`Claims::of_members`] reads.
    pub(crate) const NAMES: [&'static str; 6] = ["jti", "iss", "iat", "sub", "sid", "client_id"];

    pub(super) fn of_query(query: &mut Query<'a>, jti: Option<Cow<'a, str>>) -> Result<Self, ApiError> {
        // `iat` bears on cutoffs alone; whoever sends it already must not learn only then that it is malformed.
        query.date("iat")?;
        Ok(Self {
            iss: query.text("iss"),
            jti,
            sid: query.text("sid"),
            sub: query.text("sub"),
            client_id: query.text("client_id"),
        })
    }

    /// The claims in a JSON object, which must hold nothing else.
    ///
    /// # Errors
    /// [`ApiError::Malformed`] and [`ApiError::Invalid`] that name the member.
    pub(crate) fn of_members(members: &Members<'a>) -> Result<Self, ApiError> {
        members.only(&Self::NAMES)?;
        members.date("iat")?;
        Ok(Self {
            iss: members.text("iss")?,
            jti: members.text("jti")?,
            sid: members.text("sid")?,
            sub: members.text("sub")?,
            client_id: members.text("client_id")?,
        })
    }
}

/// A check whose claims are within their limits, with their issuer.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    issuer: &'a Issuer<'static>,
    jti: Option<Jti<'a>>,
    /// The selectors it brings.
    pub(crate) judged: Judged,
}

impl<'a> Asked<'a> {
    /// Holds the claims of a request against the limits, the list of issuers and `check.required`.
    ///
    /// # Errors
    /// The claim that is missing, empty or too long, or the issuer that cannot be resolved.
    pub(crate) fn new(http: &'a Http, claims: &'a Claims<'_>) -> Result<Self, ApiError> {
        let issuer = &http.denylist.issuers().resolve(claims.iss.as_deref())?.issuer;
        let jti = claims.jti.as_deref().map(Jti::parse).transpose()?;
        let mut judged = Judged::default();
        for (selector, value) in
            [(Selector::Sid, &claims.sid), (Selector::Sub, &claims.sub), (Selector::ClientId, &claims.client_id)]
        {
            if let Some(value) = value {
                limited(selector.as_str(), value)?;
                judged = judged.and(selector);
            }
        }
        Self { issuer, jti, judged }.complete(http, claims.iss.is_some())
    }

    /// The check of a verified token.
    ///
    /// # Errors
    /// A claim that `check.required` names and the token lacks.
    pub(crate) fn of_token(http: &Http, token: &'a VerifiedToken) -> Result<Self, ApiError> {
        let jti = token.jti.as_ref().map(|jti| Jti::parse(jti.as_str())).transpose()?;
        let mut judged = Judged::default();
        for (selector, is_there) in [
            (Selector::Sid, token.sid.is_some()),
            (Selector::Sub, token.sub.is_some()),
            (Selector::ClientId, token.client_id.is_some()),
        ] {
            judged = if is_there { judged.and(selector) } else { judged };
        }
        Self { issuer: &token.issuer, jti, judged }.complete(http, token.issuer != Issuer::NAMELESS)
    }

    fn complete(mut self, http: &Http, is_issuer_named: bool) -> Result<Self, ApiError> {
        if self.jti.is_some() {
            self.judged = self.judged.and(Selector::Jti);
        }
        if self.judged == Judged::default() {
            return Err(ApiError::invalid("jti", "a check needs at least one of `jti`, `sub`, `sid` and `client_id`"));
        }
        if is_issuer_named {
            self.judged = self.judged.and(Selector::Iss);
        }
        if let Some(missing) = http.settings.check_required.iter().find(|selector| !self.judged.has(**selector)) {
            let name = missing.as_str();
            return Err(ApiError::invalid(
                name,
                format!("`{name}` is missing; check.required asks every check for it"),
            ));
        }
        Ok(self)
    }

    /// What the denylist knows the token by, if the check names one.
    pub(crate) fn key(&self) -> Option<Key> {
        self.jti.as_ref().map(|jti| Key::of_token(self.issuer, jti))
    }

    /// Whether the verdict is good and known without a read.
    pub(super) fn is_surely_good(&self, http: &Http) -> Result<bool, ApiError> {
        Ok(self.jti.as_ref().map_or(Ok(false), |jti| http.denylist.is_surely_good(self.issuer, jti))?)
    }

    /// The verdict on what the check names, of those ids that may be in flight.
    pub(super) async fn verdict(&self, http: &Http, caller: &Caller) -> Result<Verdict, ApiError> {
        let _permit = http.in_flight.enter(1, caller)?;
        match &self.jti {
            Some(jti) => Ok(http.denylist.check(self.issuer, jti, priority(caller)).await?),
            None => Ok(no_entry(http)?),
        }
    }
}

/// Whose reads a caller may use.
pub(crate) const fn priority(caller: &Caller) -> Priority {
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
