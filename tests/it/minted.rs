//! Tokens of independent libraries verify, claim by claim, in every algorithm and by every way of giving a key.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

use std::path::Path;

use revokd::clock::NumericDate;
use revokd::token::{ClientId, Sid};
use revokd::verifier::{
    Algorithm, IssuerSettings, KeySettings, Refusal, Secret, SecretEncoding, VerifiedToken, Verifier, VerifyError,
};
use serde_json::{Value, json};

use crate::minting::{Mint, NODE_ALGORITHMS, PYTHON_ALGORITHMS};

const ISS: &str = "https://issuer.example/";

fn claims() -> Value {
    json!({
        "iss": ISS, "jti": "ü-1", "sub": "alice", "sid": "s1", "azp": "shop", "aud": ["api"],
        "iat": 1_800_000_000, "nbf": 1_800_000_000, "exp": 1_800_003_600,
        "realm_access": { "roles": ["a", "b"] },
    })
}

fn assert_is_that_token(verified: &VerifiedToken, context: &str) {
    assert_eq!(verified.issuer.as_str(), ISS, "{context}");
    assert_eq!(verified.jti.as_str(), "ü-1", "{context}");
    assert_eq!(verified.sub.as_ref().unwrap().as_str(), "alice", "{context}");
    assert_eq!(verified.sid.as_ref().map(Sid::as_str), Some("s1"), "{context}");
    assert_eq!(verified.client_id.as_ref().map(ClientId::as_str), Some("shop"), "{context}");
    assert_eq!(verified.iat, Some(NumericDate(1_800_000_000)), "{context}");
    assert_eq!(verified.exp, Some(NumericDate(1_800_003_600)), "{context}");
}

fn verifier(issuer: IssuerSettings) -> Verifier {
    Verifier::new(vec![issuer], Path::new("/")).unwrap()
}

/// The same token with one bit of its signature turned.
fn spoiled(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    format!("{signed}.{first}{}", &signature[1..])
}

#[tokio::test]
async fn every_algorithm_of_pyjwt_verifies_and_a_spoiled_signature_does_not() {
    let mut mint = Mint::new();
    let verifier = verifier(mint.issuer(ISS));
    for alg in PYTHON_ALGORITHMS {
        let token = mint.python(alg, &claims());
        assert_is_that_token(&verifier.verify(&token).await.unwrap(), alg);
        assert_eq!(verifier.verify(&spoiled(&token)).await, Err(VerifyError::Refused(Refusal::BadSignature)), "{alg}");
    }
}

#[tokio::test]
async fn every_algorithm_of_npm_jsonwebtoken_verifies_and_a_spoiled_signature_does_not() {
    let mut mint = Mint::new();
    let verifier = verifier(mint.issuer(ISS));
    for alg in NODE_ALGORITHMS {
        let token = mint.node(alg, &claims());
        assert_is_that_token(&verifier.verify(&token).await.unwrap(), alg);
        assert_eq!(verifier.verify(&spoiled(&token)).await, Err(VerifyError::Refused(Refusal::BadSignature)), "{alg}");
    }
}

#[tokio::test]
async fn a_token_without_kid_is_tried_with_every_key_that_permits_its_alg() {
    let mut mint = Mint::new();
    let verifier = verifier(mint.issuer(ISS));
    for alg in PYTHON_ALGORITHMS {
        let token = mint.python_with(alg, &claims(), &json!({ "kid": null }));
        assert_is_that_token(&verifier.verify(&token).await.unwrap(), alg);
    }
    for alg in NODE_ALGORITHMS {
        let token = mint.node_with(alg, &claims(), &json!({ "kid": null }));
        assert_is_that_token(&verifier.verify(&token).await.unwrap(), alg);
    }
}

#[tokio::test]
async fn every_public_key_can_be_given_as_pem_too() {
    let mut mint = Mint::new();
    for (alg, pem) in [
        ("RS256", "rsa.pem"),
        ("RS512", "rsa.pkcs1.pem"),
        ("PS256", "rsa.pem"),
        ("PS384", "rsa.pkcs1.pem"),
        ("ES256", "p256.pem"),
        ("ES384", "p384.pem"),
        ("EdDSA", "ed25519.pem"),
    ] {
        let mut issuer = IssuerSettings::named(ISS);
        let key = KeySettings::new(Algorithm::from_name(alg).unwrap());
        issuer.keys = vec![KeySettings { pem_file: Some(pem.into()), ..key }];
        let verifier = Verifier::new(vec![issuer], mint.dir()).unwrap();
        let token = mint.python(alg, &claims());
        assert_is_that_token(&verifier.verify(&token).await.unwrap(), alg);
        let other = mint.python(if alg == "RS256" { "RS384" } else { "RS256" }, &claims());
        let refused = VerifyError::Refused(Refusal::AlgorithmNotPermitted);
        assert_eq!(verifier.verify(&other).await, Err(refused), "a key for {alg} only");
    }
}

#[tokio::test]
async fn a_secret_can_be_given_inline_or_in_base64url() {
    let mut mint = Mint::new();
    let token = mint.python("HS256", &claims());
    let text = std::fs::read_to_string(mint.dir().join("secret.txt")).unwrap().trim().to_owned();
    let encoded = {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE.encode(&text)
    };
    for (secret, secret_encoding) in [
        (text.clone(), None),
        (text, Some(SecretEncoding::Utf8)),
        (encoded.trim_end_matches('=').to_owned(), Some(SecretEncoding::Base64url)),
        (encoded, Some(SecretEncoding::Base64url)),
    ] {
        let mut issuer = IssuerSettings::named(ISS);
        let key = KeySettings::new(Algorithm::HS256);
        issuer.keys = vec![KeySettings { secret: Some(Secret::from(secret)), secret_encoding, ..key }];
        assert_is_that_token(&verifier(issuer).verify(&token).await.unwrap(), "HS256");
    }
}

#[tokio::test]
async fn expired_and_future_tokens_and_any_audience_are_not_this_ones_to_judge() {
    let mut mint = Mint::new();
    let verifier = verifier(mint.issuer(ISS));
    let token = mint.python("ES256", &json!({ "iss": ISS, "exp": 1, "nbf": 9_999_999_999_i64, "aud": "someone else" }));
    let said = verifier.verify(&token).await.unwrap();
    assert_eq!(said.exp, Some(NumericDate(1)));
    assert_eq!((said.sub, said.sid, said.client_id, said.iat), (None, None, None, None));
}

#[tokio::test]
async fn the_same_key_under_another_issuer_is_not_that_issuers() {
    let (mut ours, other) = (Mint::new(), Mint::new());
    let both = vec![ours.issuer(ISS), other.issuer("https://other.example/")];
    let verifier = Verifier::new(both, Path::new("/")).unwrap();
    for alg in PYTHON_ALGORITHMS {
        assert_is_that_token(&verifier.verify(&ours.python(alg, &claims())).await.unwrap(), alg);
        let token = ours.python(alg, &json!({ "iss": "https://other.example/", "jti": "1" }));
        assert_eq!(verifier.verify(&token).await, Err(VerifyError::Refused(Refusal::BadSignature)), "{alg}");
    }
    let nobody = ours.python("RS256", &json!({ "jti": "1" }));
    assert_eq!(verifier.verify(&nobody).await, Err(VerifyError::Refused(Refusal::IssuerMissing)));
    let stranger = ours.python("RS256", &json!({ "iss": "https://issuer.example", "jti": "1" }));
    assert_eq!(verifier.verify(&stranger).await, Err(VerifyError::Refused(Refusal::IssuerUnknown)));
}

#[tokio::test]
async fn a_token_without_iss_means_the_only_issuer() {
    let mut mint = Mint::new();
    let verifier = verifier(mint.issuer(ISS));
    let token = mint.node("RS256", &json!({ "jti": "1", "exp": 1.5 }));
    let said = verifier.verify(&token).await.unwrap();
    assert_eq!((said.issuer.as_str(), said.exp), (ISS, Some(NumericDate(2))));
}
