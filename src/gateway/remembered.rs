//! Tokens whose signature was verified, remembered by a keyed hash of all of the token.
//!
//! Never by the signing input alone: a forged signature would ride on a good one. What is remembered is that the issuer's
//! keys vouch for these bytes, and what they say; times, audience and the denylist are judged each time anew. It is forgotten
//! when the issuer's keys change, or are too old to be used.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};

use crate::token::{ClientId, Family, Sid, Subject};
use crate::verifier::{VerifiedToken, Verifier};

/// What one entry takes besides the claims it holds, about; bytes.
const ENTRY_BYTES: u64 = 512;

/// Where a token is, or would be, remembered.
type Place = [u8; 32];

/// A bounded memory.
pub(super) struct Remembered {
    cache: Option<Cache<Place, Arc<VerifiedToken>, Bytes>>,
    /// Random, so that nobody can choose two tokens for one place.
    secret: [u8; 32],
}

impl Remembered {
    /// A memory of at most so many bytes, about; none for 0.
    pub(super) fn new(bytes_max: u64) -> Self {
        let mut secret = [0; 32];
        // Without randomness nothing is remembered, which only costs time.
        let is_random = getrandom::fill(&mut secret).is_ok();
        let items = usize::try_from(bytes_max / (2 * ENTRY_BYTES)).unwrap_or(usize::MAX);
        let cache = (bytes_max > 0 && is_random).then(|| Cache::with_weighter(items, bytes_max, Bytes));
        Self { cache, secret }
    }

    /// The token, if it was verified by the keys that its issuer has now; or the place where it could be remembered.
    pub(super) fn get(&self, token: &str, verifier: &Verifier) -> Result<Arc<VerifiedToken>, Place> {
        let Some(cache) = &self.cache else { return Err(Place::default()) };
        let place = Sha256::new().chain_update(self.secret).chain_update(token).finalize().into();
        match cache.get(&place) {
            // By the keys that have vouched for it, not by those that there were when it was put here.
            Some(known) if known.keys_version == verifier.keys_version(&known.issuer) => Ok(known),
            _ => Err(place),
        }
    }

    /// Remembers a token that somebody's keys have vouched for.
    pub(super) fn put(&self, place: Place, token: Arc<VerifiedToken>) {
        if let (Some(cache), Some(_)) = (&self.cache, token.keys_version) {
            cache.insert(place, token);
        }
    }
}

/// Weighs entries by what they hold.
#[derive(Clone)]
struct Bytes;

impl Weighter<Place, Arc<VerifiedToken>> for Bytes {
    fn weight(&self, _: &Place, token: &Arc<VerifiedToken>) -> u64 {
        let rest = &token.rest;
        let claims = [
            token.issuer.as_str().len(),
            token.jti.as_str().len(),
            token.sub.as_ref().map_or(0, |sub| Subject::as_str(sub).len()),
            token.sid.as_ref().map_or(0, |sid| Sid::as_str(sid).len()),
            token.client_id.as_ref().map_or(0, |client_id| ClientId::as_str(client_id).len()),
            token.family.as_ref().map_or(0, |family| Family::as_str(family).len()),
            rest.aud.as_ref().map_or(0, |aud| aud.iter().map(|name| name.len() + size_of::<String>()).sum()),
            rest.scope.as_ref().map_or(0, String::len),
        ];
        ENTRY_BYTES + claims.into_iter().sum::<usize>() as u64
    }
}
