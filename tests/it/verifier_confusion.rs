//! Forged signatures, and keys taken for other keys.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use revokd::verifier::{IssuerSettings, Refusal, Verifier, VerifyError};
use serde_json::json;

use crate::minting::Mint;
use crate::verifier_forging::{
    HEADER, ISS, PAYLOAD, SECRET, assert_all_refused, b64, hmac, sign_encoded, signed, verifier,
};

#[tokio::test]
async fn signatures_of_someone_else() {
    let good = signed(HEADER, PAYLOAD);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let theirs =
        |header: &str| sign_encoded(b"another secret of more than thirty-two bytes", &b64(header), &b64(PAYLOAD));
    let their_jwk = format!(r#"{{"kty":"oct","k":"{}"}}"#, b64("another secret of more than thirty-two bytes"));
    let raw = hmac(SECRET.as_bytes(), message.as_bytes());
    let with_signature = |bytes: &[u8]| format!("{message}.{}", b64(bytes));
    let (_, payload) = message.split_once('.').unwrap();
    let bad = Refusal::BadSignature;
    assert_all_refused(vec![
        ("no signature", format!("{message}."), bad),
        ("another secret", theirs(HEADER), bad),
        ("another secret, no kid", theirs(r#"{"alg":"HS256"}"#), bad),
        ("the empty secret", sign_encoded(b"", &b64(HEADER), &b64(PAYLOAD)), bad),
        ("a key of their own in jwk", theirs(&format!(r#"{{"alg":"HS256","kid":"k","jwk":{their_jwk}}}"#)), bad),
        ("a jku of their own", theirs(r#"{"alg":"HS256","kid":"k","jku":"http://127.0.0.1:9/keys"}"#), bad),
        ("an x5u of their own", theirs(r#"{"alg":"HS256","kid":"k","x5u":"http://127.0.0.1:9/cert"}"#), bad),
        ("an x5c of their own", theirs(r#"{"alg":"HS256","kid":"k","x5c":["AAAA"]}"#), bad),
        ("a signature cut short", with_signature(&raw[..31]), bad),
        ("a signature of one byte", with_signature(&raw[..1]), bad),
        ("a signature and more", with_signature(&[&raw[..], &[0]].concat()), bad),
        ("all zeros", with_signature(&[0; 32]), bad),
        ("twelve thousand bytes of signature", with_signature(&vec![0; 12_000]), bad),
        ("another payload", format!("{}.{}.{signature}", b64(HEADER), b64(PAYLOAD.replace("attacker", "victim"))), bad),
        ("another header", format!("{}.{payload}.{signature}", b64(r#"{"kid":"k","alg":"HS256"}"#)), bad),
        ("the payload signed alone", format!("{message}.{}", b64(hmac(SECRET.as_bytes(), payload.as_bytes()))), bad),
    ])
    .await;
}

#[tokio::test]
async fn a_public_key_never_serves_as_a_secret() {
    let mut mint = Mint::new();
    let mut issuer = IssuerSettings::named(ISS);
    issuer.jwks_file = Some("jwks.json".into());
    let verifier = Verifier::new(vec![issuer], mint.dir()).unwrap();
    let good = mint.python("RS256", &json!({ "iss": ISS }));
    verifier.verify(&good).await.expect("the public keys are in use");
    let read = |name: &str| std::fs::read(mint.dir().join(name)).unwrap();
    let jwks = mint.jwks();
    let modulus = jwks["keys"][0]["n"].as_str().unwrap();
    let trimmed = |pem: Vec<u8>| String::from_utf8(pem).unwrap().trim().as_bytes().to_vec();
    let secrets = [
        read("rsa.pem"),
        trimmed(read("rsa.pem")),
        read("rsa.pkcs1.pem"),
        trimmed(read("rsa.pkcs1.pem")),
        read("p256.pem"),
        read("jwks.json"),
        modulus.as_bytes().to_vec(),
        URL_SAFE_NO_PAD.decode(modulus).unwrap(),
        Vec::new(),
    ];
    for secret in secrets {
        for (kid, refusal) in [
            (r#","kid":"rsa""#, Refusal::AlgorithmNotPermitted),
            (r#","kid":"p256""#, Refusal::AlgorithmNotPermitted),
            ("", Refusal::AlgorithmNotPermitted),
            (r#","kid":"HS256""#, Refusal::KeyUnknown),
        ] {
            let token = sign_encoded(&secret, &b64(format!(r#"{{"alg":"HS256"{kid}}}"#)), &b64(PAYLOAD));
            assert_eq!(verifier.verify(&token).await, Err(VerifyError::Refused(refusal)));
        }
    }
}

#[tokio::test]
async fn one_public_key_is_not_taken_for_another() {
    let mut mint = Mint::new();
    let verifier = Verifier::new(vec![mint.issuer(ISS)], Path::new("/")).unwrap();
    let claims = json!({ "iss": ISS });
    for (alg, kid) in [
        ("ES256", "p384"),
        ("ES384", "p256"),
        ("EdDSA", "p256"),
        ("RS256", "ed25519"),
        ("HS256", "rsa"),
        ("HS256", "HS512"),
    ] {
        let token = mint.python_with(alg, &claims, &json!({ "kid": kid }));
        let refused = VerifyError::Refused(Refusal::AlgorithmNotPermitted);
        assert_eq!(verifier.verify(&token).await, Err(refused), "{alg} with {kid}");
    }
    // An ECDSA signature in DER, as OpenSSL writes it, and one of zeros (CVE-2022-21449).
    let token = mint.python("ES256", &claims);
    let (message, signature) = token.rsplit_once('.').unwrap();
    let raw = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let der = [&[0x30, 0x46, 0x02, 0x21, 0x00], &raw[..32], &[0x02, 0x21, 0x00], &raw[32..]].concat();
    for forged in [der, vec![0; 64], vec![0xff; 64], raw[..63].to_vec()] {
        let token = format!("{message}.{}", b64(forged));
        assert_eq!(verifier.verify(&token).await, Err(VerifyError::Refused(Refusal::BadSignature)));
    }
}

#[tokio::test]
async fn without_issuers_or_without_keys_the_refusal_says_what_to_configure() {
    let token = signed(HEADER, PAYLOAD);
    let nobody = Verifier::new(Vec::new(), Path::new("/")).unwrap();
    let error = nobody.verify(&token).await.unwrap_err();
    assert_eq!(error, VerifyError::Refused(Refusal::NoIssuers));
    assert!(error.to_string().contains("[[issuers]]"), "{error}");
    let keyless = Verifier::new(vec![IssuerSettings::named(ISS)], Path::new("/")).unwrap();
    let error = keyless.verify(&token).await.unwrap_err();
    assert_eq!(error, VerifyError::Refused(Refusal::IssuerWithoutKeys));
    assert!(error.to_string().contains("jwks_url"), "{error}");
}

#[tokio::test]
async fn offered_keys_do_no_harm_to_a_genuine_token() {
    let header =
        r#"{"alg":"HS256","kid":"k","jku":"http://127.0.0.1:9/","jwk":{"kty":"oct"},"x5c":["AAAA"],"typ":"at+jwt"}"#;
    let verified = verifier().verify(&signed(header, PAYLOAD)).await.unwrap();
    assert_eq!(verified.issuer.as_str(), ISS);
    let printed = format!("{verified:?}");
    assert!(!printed.contains("attacker"), "{printed}");
}
