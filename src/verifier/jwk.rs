//! JSON Web Key Sets (RFC 7517): what of one can be used to judge signatures.
//!
//! A key that we cannot use is passed over, as section 5 asks: a set may hold keys for other purposes. A set without a
//! single usable key is a fault.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::algorithm::{Algorithm, KeyKind};
use super::key_set::Key;
use super::settings::KEYS_MAX;
use super::signature::{KeyFault, KeyMaterial};
use crate::token::CLAIM_BYTES_MAX;

/// Where a set comes from: decides whether it may hold secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The operator's file.
    File,
    /// A URL, which others can read too: a secret there is none.
    Url,
}

/// Why a set cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum SetFault {
    #[error("it is no JSON object with a list `keys` (RFC 7517 section 5)")]
    NotASet,
    #[error("it has {0} keys; the limit is {KEYS_MAX}")]
    TooMany(usize),
    #[error("it has no keys")]
    Empty,
    #[error("none of its {count} keys can be used; the first: {first}")]
    NoneUsable { count: usize, first: JwkFault },
}

/// Why one key of a set is passed over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum JwkFault {
    #[error("it is malformed or lacks a member that its `kty` requires")]
    Malformed,
    #[error("its `kty` or `crv` is not supported")]
    Unsupported,
    #[error("it is not for signatures (`use`, `key_ops`)")]
    NotForSignatures,
    #[error("its `alg` does not fit its type, or is not among the issuer's `algorithms`")]
    Algorithm,
    #[error("an `oct` key is taken from a file only, and needs an `alg`")]
    Secret,
    #[error("{0}")]
    Material(#[from] KeyFault),
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

/// The members that we read. Members that offer a certificate (`x5u`, `x5c`) are not among them.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    alg: Option<String>,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    k: Option<String>,
    d: Option<String>,
}

/// The usable keys of the set in `json`, each pinned to its `alg`, else to what its type permits of `allowed`.
pub(super) fn read_set(json: &[u8], origin: Origin, allowed: &[Algorithm]) -> Result<Vec<Key>, SetFault> {
    let set: Set = serde_json::from_slice(json).map_err(|_| SetFault::NotASet)?;
    let count = set.keys.len();
    if count > KEYS_MAX {
        return Err(SetFault::TooMany(count));
    }
    let mut keys = Vec::with_capacity(count);
    let mut first_fault = None;
    for jwk in set.keys {
        match read_key(jwk, origin, allowed) {
            Ok(key) => keys.push(key),
            Err(fault) => first_fault = first_fault.or(Some(fault)),
        }
    }
    match (keys.is_empty(), first_fault) {
        (false, _) => Ok(keys),
        (true, Some(first)) => Err(SetFault::NoneUsable { count, first }),
        (true, None) => Err(SetFault::Empty),
    }
}

fn read_key(jwk: serde_json::Value, origin: Origin, allowed: &[Algorithm]) -> Result<Key, JwkFault> {
    let jwk: Jwk = serde_json::from_value(jwk).map_err(|_| JwkFault::Malformed)?;
    let for_signatures = jwk.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
        && jwk.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
    if !for_signatures {
        return Err(JwkFault::NotForSignatures);
    }
    if jwk.kid.as_ref().is_some_and(|kid| kid.is_empty() || kid.len() > CLAIM_BYTES_MAX) {
        return Err(JwkFault::Malformed);
    }
    let algorithms = jwk.algorithms(origin, allowed)?;
    let material = jwk.material(algorithms[0])?;
    Ok(Key { kid: jwk.kid, algorithms, material })
}

impl Jwk {
    fn kind(&self) -> Result<KeyKind, JwkFault> {
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => Ok(KeyKind::Rsa),
            ("EC", Some("P-256")) => Ok(KeyKind::P256),
            ("EC", Some("P-384")) => Ok(KeyKind::P384),
            ("OKP", Some("Ed25519")) => Ok(KeyKind::Ed25519),
            ("oct", _) => Ok(KeyKind::Secret),
            _ => Err(JwkFault::Unsupported),
        }
    }

    /// What the key is pinned to; at least one algorithm, all of its kind.
    fn algorithms(&self, origin: Origin, allowed: &[Algorithm]) -> Result<Vec<Algorithm>, JwkFault> {
        let kind = self.kind()?;
        if kind == KeyKind::Secret && (origin == Origin::Url || self.alg.is_none()) {
            return Err(JwkFault::Secret);
        }
        if kind != KeyKind::Secret && self.d.is_some() {
            return Err(JwkFault::Material(KeyFault::PrivateKey));
        }
        let named = match &self.alg {
            Some(name) => vec![Algorithm::from_name(name).ok_or(JwkFault::Algorithm)?],
            None => Algorithm::ALL.to_vec(),
        };
        let fits = |algorithm: &Algorithm| algorithm.key_kind() == kind && allowed.contains(algorithm);
        let algorithms: Vec<_> = named.into_iter().filter(fits).collect();
        if algorithms.is_empty() { Err(JwkFault::Algorithm) } else { Ok(algorithms) }
    }

    fn material(&self, algorithm: Algorithm) -> Result<KeyMaterial, JwkFault> {
        let bytes = |member: &Option<String>| {
            let text = member.as_deref().ok_or(JwkFault::Malformed)?;
            URL_SAFE_NO_PAD.decode(text).map_err(|_| JwkFault::Malformed)
        };
        Ok(match algorithm.key_kind() {
            KeyKind::Secret => KeyMaterial::secret(&bytes(&self.k)?, algorithm)?,
            KeyKind::Rsa => KeyMaterial::rsa(&bytes(&self.n)?, &bytes(&self.e)?)?,
            KeyKind::Ed25519 => KeyMaterial::ed25519(&bytes(&self.x)?)?,
            kind => KeyMaterial::elliptic(kind, &bytes(&self.x)?, &bytes(&self.y)?)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(keys: &serde_json::Value, origin: Origin) -> Result<Vec<Key>, SetFault> {
        read_set(json!({ "keys": keys }).to_string().as_bytes(), origin, &Algorithm::ALL)
    }

    fn fault(key: serde_json::Value) -> JwkFault {
        read_key(key, Origin::Url, &Algorithm::ALL).unwrap_err()
    }

    fn b64(bytes: usize) -> String {
        URL_SAFE_NO_PAD.encode(vec![0xa5; bytes])
    }

    #[test]
    fn a_key_without_alg_is_pinned_to_what_its_type_permits() {
        let keys = read(
            &json!([
                { "kty": "RSA", "n": b64(256), "e": "AQAB" },
                { "kty": "EC", "crv": "P-256", "x": b64(32), "y": b64(32) },
                { "kty": "EC", "crv": "P-384", "x": b64(48), "y": b64(48) },
                { "kty": "OKP", "crv": "Ed25519", "x": b64(32) },
                { "kty": "RSA", "n": b64(256), "e": "AQAB", "alg": "PS384", "use": "sig", "key_ops": ["verify"] },
            ]),
            Origin::Url,
        )
        .unwrap();
        let pinned: Vec<_> = keys.iter().map(|key| key.algorithms.clone()).collect();
        assert_eq!(pinned[0], Algorithm::ALL[3..9]);
        assert_eq!(pinned[1..4], [vec![Algorithm::ES256], vec![Algorithm::ES384], vec![Algorithm::EdDSA]]);
        assert_eq!(pinned[4], [Algorithm::PS384]);
    }

    #[test]
    fn the_issuers_algorithms_narrow_a_key_and_can_leave_it_unusable() {
        let set = json!({ "keys": [{ "kty": "RSA", "n": b64(256), "e": "AQAB" }] }).to_string();
        let keys = read_set(set.as_bytes(), Origin::Url, &[Algorithm::RS256, Algorithm::ES256]).unwrap();
        assert_eq!(keys[0].algorithms, [Algorithm::RS256]);
        let fault = read_set(set.as_bytes(), Origin::Url, &[Algorithm::HS256]).unwrap_err();
        assert_eq!(fault, SetFault::NoneUsable { count: 1, first: JwkFault::Algorithm });
    }

    #[test]
    fn keys_that_cannot_judge_signatures_are_passed_over() {
        let rsa = |extra: serde_json::Value| {
            let mut jwk = json!({ "kty": "RSA", "n": b64(256), "e": "AQAB" });
            jwk.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            jwk
        };
        assert_eq!(fault(rsa(json!({ "use": "enc" }))), JwkFault::NotForSignatures);
        assert_eq!(fault(rsa(json!({ "key_ops": ["encrypt"] }))), JwkFault::NotForSignatures);
        assert_eq!(fault(rsa(json!({ "alg": "HS256" }))), JwkFault::Algorithm);
        assert_eq!(fault(rsa(json!({ "alg": "ES256" }))), JwkFault::Algorithm);
        assert_eq!(fault(rsa(json!({ "alg": "RSA-OAEP" }))), JwkFault::Algorithm);
        assert_eq!(fault(rsa(json!({ "kid": "" }))), JwkFault::Malformed);
        assert_eq!(fault(rsa(json!({ "kid": 1 }))), JwkFault::Malformed);
        assert_eq!(fault(rsa(json!({ "n": b64(128) }))), JwkFault::Material(KeyFault::RsaSize { bytes: 128 }));
        assert_eq!(fault(rsa(json!({ "n": "=" }))), JwkFault::Malformed);
        assert_eq!(fault(rsa(json!({ "d": b64(256) }))), JwkFault::Material(KeyFault::PrivateKey));
        assert_eq!(fault(json!({ "kty": "EC", "crv": "P-521" })), JwkFault::Unsupported);
        assert_eq!(fault(json!({ "kty": "EC", "crv": "P-256", "x": b64(32) })), JwkFault::Malformed);
        assert_eq!(
            fault(json!({ "kty": "EC", "crv": "P-256", "x": b64(31), "y": b64(32) })),
            JwkFault::Material(KeyFault::Coordinates)
        );
        assert_eq!(fault(json!("x")), JwkFault::Malformed);
    }

    #[test]
    fn a_secret_is_taken_from_a_file_with_its_algorithm_and_never_from_a_url() {
        let pinned = json!([{ "kty": "oct", "k": b64(32), "alg": "HS256" }]);
        assert_eq!(read(&pinned, Origin::File).unwrap()[0].algorithms, [Algorithm::HS256]);
        let refused = SetFault::NoneUsable { count: 1, first: JwkFault::Secret };
        assert_eq!(read(&pinned, Origin::Url).unwrap_err(), refused);
        assert_eq!(read(&json!([{ "kty": "oct", "k": b64(32) }]), Origin::File).unwrap_err(), refused);
        let short = read(&json!([{ "kty": "oct", "k": b64(31), "alg": "HS256" }]), Origin::File).unwrap_err();
        assert!(short.to_string().contains("31 bytes"), "{short}");
    }

    #[test]
    fn a_set_needs_one_usable_key_and_holds_at_most_a_hundred() {
        assert_eq!(read(&json!([]), Origin::Url).unwrap_err(), SetFault::Empty);
        for text in ["", "{}", "[]", "{\"keys\":{}}", "{\"keys\":[]} x", "<html>"] {
            let fault = read_set(text.as_bytes(), Origin::Url, &Algorithm::ALL).unwrap_err();
            assert_eq!(fault, SetFault::NotASet, "{text}");
        }
        let key = json!({ "kty": "OKP", "crv": "Ed25519", "x": b64(32) });
        assert_eq!(read(&json!(vec![key.clone(); 100]), Origin::Url).unwrap().len(), 100);
        assert_eq!(read(&json!(vec![key.clone(); 101]), Origin::Url).unwrap_err(), SetFault::TooMany(101));
        let mixed = json!([{ "kty": "unheard of" }, key]);
        assert_eq!(read(&mixed, Origin::Url).unwrap().len(), 1);
    }
}
