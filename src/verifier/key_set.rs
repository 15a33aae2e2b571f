//! An issuer's keys, and which of them may judge a token. A key is pinned to its algorithms when it is loaded; a token
//! chooses among keys by `alg` and `kid`, and never brings one.

use super::algorithm::Algorithm;
use super::compact::Unverified;
use super::refusal::Refusal;
use super::signature::KeyMaterial;

/// One key with what it may be used for.
#[derive(Debug, Clone)]
pub(super) struct Key {
    /// Compared byte for byte with a token's, and used for nothing else.
    pub(super) kid: Option<String>,
    /// All of the kind of `material`; never empty.
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) material: KeyMaterial,
}

impl Key {
    fn permits(&self, token: &Unverified<'_>) -> bool {
        self.algorithms.contains(&token.algorithm)
    }

    fn verifies(&self, token: &Unverified<'_>) -> bool {
        self.permits(token) && self.material.verifies(token.algorithm, token.signing_input, token.signature)
    }
}

/// Whether one of `keys` has the token's `kid`. A token without one names none.
pub(super) fn names_its_key<'k>(mut keys: impl Iterator<Item = &'k Key>, token: &Unverified<'_>) -> bool {
    token.kid.is_some() && keys.any(|key| key.kid == token.kid)
}

/// Judges the signature. Where a key has the token's `kid`, only such keys count; else those without a `kid`; and for a
/// token without one, all. At most one signature is checked for each key.
pub(super) fn judge<'k>(keys: impl Iterator<Item = &'k Key> + Clone, token: &Unverified<'_>) -> Result<(), Refusal> {
    let exact = names_its_key(keys.clone(), token);
    let candidates = keys.filter(|key| match (&token.kid, exact) {
        (None, _) => true,
        (Some(_), true) => key.kid == token.kid,
        (Some(_), false) => key.kid.is_none(),
    });
    let mut refusal = Refusal::KeyUnknown;
    for key in candidates {
        if key.verifies(token) {
            return Ok(());
        }
        if key.permits(token) {
            refusal = Refusal::BadSignature;
        } else if refusal == Refusal::KeyUnknown {
            refusal = Refusal::AlgorithmNotPermitted;
        }
    }
    Err(refusal)
}
