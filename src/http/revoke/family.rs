//! A refresh token takes its family with it: the access tokens of the same grant, those of later times included, for as long as
//! nobody logs in anew (RFC 7009 section 2.1). The same wherever a raw token is revoked.

use std::collections::HashMap;

use super::super::Http;
use super::super::check::priority;
use super::By;
use crate::denylist::{LogOutOutcome, LogOutRequest, Outcome, RevokeRequest, VERIFIED_LIFETIME_MAX_S, WriteError};
use crate::revocation::{Revoked, Target};
use crate::token::{Family, Key};

/// One token to revoke, and what goes with it.
pub(crate) struct ToRevoke {
    pub(super) request: RevokeRequest,
    /// The family, of a refresh token only.
    pub(super) family: Option<Family<'static>>,
    /// Whether the token says when it expires.
    pub(super) has_exp: bool,
}

impl ToRevoke {
    /// The cutoff on its family, up to now.
    fn cutoff(&self, family: &Family<'static>) -> LogOutRequest {
        LogOutRequest {
            issuer: self.request.revocation.issuer.clone(),
            target: Target::Family(family.clone()),
            issued_before: None,
            by_issuers_clock: false,
            reason: self.request.revocation.reason.clone(),
        }
    }
}

/// Revokes all of them. The families go first: whoever is told that a refresh token is revoked need not ask again, and where
/// that cannot be said, asking again does what is left.
///
/// # Errors
/// [`WriteError`] when nothing, or nothing known, was written of one of them.
pub(super) async fn revoke(http: &Http, by: &By, all: Vec<ToRevoke>) -> Result<Vec<Outcome>, WriteError> {
    if all.iter().all(|one| one.family.is_none()) {
        let requests = all.into_iter().map(|one| one.request).collect();
        return http.denylist.revoke(requests, by.origin.clone(), by.is_admin).await;
    }
    // Rare, and larger than all else of a revoke.
    let known = Box::pin(cut_off(http, by, &all)).await?;
    let left = all.into_iter().zip(&known).filter(|(_, known)| known.is_none());
    let left: Vec<_> = left.map(|(one, _)| one.request).collect();
    let mut outcomes = Vec::new().into_iter();
    if !left.is_empty() {
        outcomes = http.denylist.revoke(left, by.origin.clone(), by.is_admin).await?.into_iter();
    }
    // Where one is missing, nobody knows what became of it (promise 3).
    known.into_iter().map(|known| known.or_else(|| outcomes.next()).ok_or(WriteError::Failed)).collect()
}

/// Cuts the families off, unless that was done before; gives the outcomes that are known by then.
async fn cut_off(http: &Http, by: &By, all: &[ToRevoke]) -> Result<Vec<Option<Outcome>>, WriteError> {
    let families: Vec<_> = (0..).zip(all).filter_map(|(at, one)| Some((at, one, one.family.as_ref()?))).collect();
    let entries = entries(http, by, &families).await?;
    let mut known = vec![None; all.len()];
    let (mut places, mut cutoffs) = (Vec::new(), Vec::new());
    for (nth, (at, one, family)) in families.into_iter().enumerate() {
        let revocation = &one.request.revocation;
        let cutoff = one.cutoff(family);
        // An honest client may ask twice, and meanwhile its user may have logged in again in the same session.
        if let Some(entry) = entries.get(&nth)
            && http.denylist.is_cut_off(&revocation.issuer, &cutoff.target, entry.revoked_at)?
        {
            // What has no `exp` would be extended, and then count as revoked after its family.
            known[at] = (!one.has_exp).then_some(Outcome::Stored { seq: entry.seq, ends_at: entry.ends_at });
            continue;
        }
        // What the denylist is about to refuse takes nothing with it.
        if revocation.exp.since(http.denylist.clock().now().latest) <= VERIFIED_LIFETIME_MAX_S {
            places.push(at);
            cutoffs.push(cutoff);
        }
    }
    let outcomes = http.denylist.log_out_many(cutoffs, &by.origin, by.is_admin).await?;
    for (at, outcome) in places.into_iter().zip(outcomes) {
        match outcome {
            // What would hit nothing that has not expired by itself is done, too.
            LogOutOutcome::Stored { .. } | LogOutOutcome::Expired { .. } => {}
            LogOutOutcome::Refused(refusal) => known[at] = Some(Outcome::Refused(refusal)),
        }
    }
    Ok(known)
}

/// The live entries of the tokens themselves, by their places in `families`.
async fn entries(
    http: &Http,
    by: &By,
    families: &[(usize, &ToRevoke, &Family<'static>)],
) -> Result<HashMap<usize, Revoked>, WriteError> {
    let keys: Vec<Key> = families.iter().map(|(_, one, _)| one.request.revocation.key()).collect();
    Ok(http.denylist.check_many(&keys, priority(&by.caller)).await?.into_iter().collect())
}
