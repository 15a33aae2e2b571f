//! Keys that cannot be used are refused at start, by issuer, key and cause.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

use std::path::Path;

use revokd::verifier::{Algorithm, IssuerSettings, Verifier};
use serde_json::{Value, json};

use crate::minting::Mint;

fn settings(value: Value) -> IssuerSettings {
    serde_json::from_value(value).unwrap()
}

fn error(issuer: Value, base: &Path) -> String {
    Verifier::new(vec![settings(issuer)], base).expect_err("must be refused").to_string()
}

fn key_error(key: &Value, base: &Path) -> String {
    error(json!({ "iss": "https://a.example", "keys": [key] }), base)
}

#[test]
fn a_pem_file_must_hold_the_right_public_key() {
    let mint = Mint::new();
    for (alg, file, cause) in [
        ("RS256", "rsa.private.pem", "private key"),
        ("ES256", "p256.private.pem", "private key"),
        ("EdDSA", "ed25519.private.pem", "private key"),
        ("RS256", "rsa1024.pem", "2,048"),
        ("RS256", "p256.pem", "RS256"),
        ("PS512", "ed25519.pem", "PS512"),
        ("ES256", "p384.pem", "ES256"),
        ("ES256", "secp256k1.pem", "ES256"),
        ("ES256", "p521.pem", "ES256"),
        ("ES256", "rsa.pem", "ES256"),
        ("ES384", "p256.pem", "ES384"),
        ("EdDSA", "p256.pem", "EdDSA"),
        ("RS256", "jwks.json", "PEM"),
        ("ES256", "secret.txt", "PEM"),
        ("ES256", "absent.pem", "No such file"),
    ] {
        let said = key_error(&json!({ "alg": alg, "pem_file": file }), mint.dir());
        for part in ["https://a.example", "key 1", "pem_file", file, cause] {
            assert!(said.contains(part), "{alg} from {file}: {part:?} is not in: {said}");
        }
    }
}

#[test]
fn two_pem_blocks_or_a_certificate_are_refused() {
    let mint = Mint::new();
    let pem = std::fs::read_to_string(mint.dir().join("p256.pem")).unwrap();
    for text in
        [format!("{pem}{pem}"), pem.replace("PUBLIC KEY", "CERTIFICATE"), pem.replace("END", "BEGIN"), String::new()]
    {
        std::fs::write(mint.dir().join("odd.pem"), text).unwrap();
        let said = key_error(&json!({ "alg": "ES256", "pem_file": "odd.pem" }), mint.dir());
        assert!(said.contains("PEM"), "{said}");
    }
}

#[test]
fn a_secret_must_be_as_long_as_its_hash() {
    for (alg, min) in [("HS256", 32), ("HS384", 48), ("HS512", 64)] {
        let key = |bytes: usize| json!({ "alg": alg, "kid": "main", "secret": "s".repeat(bytes) });
        let said = key_error(&key(min - 1), Path::new("/"));
        assert!(said.contains("`main`") && said.contains(&format!("{} bytes", min - 1)), "{said}");
        assert!(said.contains(&format!("at least {min}")) && !said.contains("sss"), "{said}");
        let issuer = settings(json!({ "iss": "a", "keys": [key(min)] }));
        Verifier::new(vec![issuer], Path::new("/")).unwrap();
    }
    let said = key_error(
        &json!({ "alg": "HS256", "secret": "s+/".repeat(20), "secret_encoding": "base64url" }),
        Path::new("/"),
    );
    assert!(said.contains("base64url"), "{said}");
}

#[test]
fn a_key_has_exactly_one_source_that_fits_its_alg() {
    let secret = "s".repeat(64);
    for (key, cause) in [
        (json!({ "alg": "HS256" }), "exactly one of `secret` and `secret_file`"),
        (json!({ "alg": "HS256", "secret": secret, "secret_file": "x" }), "exactly one"),
        (json!({ "alg": "HS256", "pem_file": "x" }), "exactly one"),
        (json!({ "alg": "RS256" }), "`pem_file`"),
        (json!({ "alg": "RS256", "secret": secret }), "`pem_file`"),
        (json!({ "alg": "RS256", "secret": secret, "pem_file": "x" }), "`pem_file`"),
        (json!({ "alg": "RS256", "pem_file": "x", "secret_encoding": "utf8" }), "`secret_encoding`"),
        (json!({ "alg": "HS256", "secret": secret, "kid": "" }), "`kid`"),
    ] {
        let said = key_error(&key, Path::new("/"));
        assert!(said.contains(cause), "{key}: {said}");
    }
}

#[test]
fn algorithms_bind_the_keys_of_the_config() {
    let said = error(
        json!({ "iss": "a", "algorithms": ["ES256"], "keys": [{ "alg": "HS256", "secret": "s".repeat(32) }] }),
        Path::new("/"),
    );
    assert!(said.contains("HS256") && said.contains("`algorithms`"), "{said}");
}

#[test]
fn a_key_set_file_must_be_there_and_usable() {
    let dir = tempfile::tempdir().unwrap();
    let issuer = || json!({ "iss": "a", "jwks_file": "keys.json" });
    assert!(error(issuer(), dir.path()).contains("keys.json"));
    for (text, cause) in [
        ("{}", "list `keys`"),
        (r#"{"keys":[]}"#, "no keys"),
        (r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#, "`oct`"),
        (r#"{"keys":[{"kty":"RSA"}]}"#, "lacks a member"),
    ] {
        std::fs::write(dir.path().join("keys.json"), text).unwrap();
        let said = error(issuer(), dir.path());
        assert!(said.contains("`jwks_file`") && said.contains(cause), "{said}");
    }
}

#[test]
fn a_key_set_url_must_be_https_or_on_loopback() {
    for url in ["http://issuer.example/keys", "ftp://127.0.0.1/", "keys.json", "https://user:pass@issuer.example/"] {
        let said = error(json!({ "iss": "https://a.example", "jwks_url": url }), Path::new("/"));
        assert!(
            said.contains("https://a.example") && said.contains("`jwks_url`") && !said.contains("user:pass"),
            "{said}"
        );
    }
}

#[test]
fn an_issuer_is_configured_once() {
    let twice = vec![IssuerSettings::named("a"), IssuerSettings::named("a")];
    let said = Verifier::new(twice, Path::new("/")).unwrap_err().to_string();
    assert!(said.contains("`a`") && said.contains("twice"), "{said}");
}

#[test]
fn every_algorithm_can_be_named_in_the_settings() {
    let names: Vec<_> = Algorithm::ALL.iter().map(|algorithm| algorithm.as_str()).collect();
    let issuer = settings(json!({ "iss": "a", "algorithms": names }));
    assert_eq!(issuer.algorithms.unwrap(), Algorithm::ALL);
}
