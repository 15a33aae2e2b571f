//! Makes tokens that no library would: any bytes for header and payload, signed with a key that the verifier trusts.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use revokd::verifier::{Algorithm, IssuerSettings, KeySettings, Refusal, Secret, Verifier, VerifyError};
use sha2::{Digest, Sha256};

/// The issuer trusted.
pub(crate) const ISS: &str = "https://issuer.example/";
/// Its secret.
pub(crate) const SECRET: &str = "a secret of more than thirty-two bytes";
/// A good header.
pub(crate) const HEADER: &str = r#"{"alg":"HS256","kid":"k"}"#;
/// A good payload.
pub(crate) const PAYLOAD: &str = r#"{"iss":"https://issuer.example/","jti":"attacker","exp":4102444800}"#;

/// base64url without padding.
pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// HMAC-SHA-256 (RFC 2104), written out so that the tests sign with nothing of the server's.
pub(crate) fn hmac(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    if secret.len() > 64 {
        block[..32].copy_from_slice(&Sha256::digest(secret));
    } else {
        block[..secret.len()].copy_from_slice(secret);
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().to_vec()
}

/// Signs two parts that are encoded already.
pub(crate) fn sign_encoded(secret: &[u8], header: &str, payload: &str) -> String {
    let message = format!("{header}.{payload}");
    let signature = b64(hmac(secret, message.as_bytes()));
    format!("{message}.{signature}")
}

/// Signs two parts as they are.
pub(crate) fn signed(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    sign_encoded(SECRET.as_bytes(), &b64(header), &b64(payload))
}

/// A good payload under that header.
pub(crate) fn with_header(header: &str) -> String {
    signed(header, PAYLOAD)
}

/// That payload under a good header.
pub(crate) fn with_payload(payload: &str) -> String {
    signed(HEADER, payload)
}

/// A good payload with one more claim, or another value for `iss`.
pub(crate) fn with_claim(claim: &str) -> String {
    if claim.starts_with("\"iss\"") {
        with_payload(&format!("{{{claim}}}"))
    } else {
        with_payload(&format!(r#"{{"iss":"{ISS}",{claim}}}"#))
    }
}

/// Trusts [`SECRET`] under the `kid` `k`, for HS256.
pub(crate) fn verifier() -> Verifier {
    let mut issuer = IssuerSettings::named(ISS);
    issuer.keys = vec![KeySettings {
        kid: Some("k".to_owned()),
        secret: Some(Secret::from(SECRET.to_owned())),
        ..KeySettings::new(Algorithm::HS256)
    }];
    // A second issuer, so that a missing `iss` does not mean the first.
    let other = IssuerSettings { iss: "https://other.example/".to_owned(), ..issuer.clone() };
    Verifier::new(vec![issuer, other], Path::new("/")).unwrap()
}

/// Each token meets its refusal, and no refusal quotes its token.
pub(crate) async fn assert_all_refused(cases: Vec<(&str, String, Refusal)>) {
    let verifier = verifier();
    verifier.verify(&signed(HEADER, PAYLOAD)).await.expect("the token that all others are made from is good");
    for (what, token, refusal) in cases {
        assert_eq!(verifier.verify(&token).await, Err(VerifyError::Refused(refusal)), "{what}");
        let said = refusal.to_string();
        let quoted = token.split('.').any(|part| part.len() > 8 && said.contains(part)) || said.contains("attacker");
        assert!(!quoted, "{what}: the refusal quotes the token: {said}");
    }
}
