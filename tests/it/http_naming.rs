//! By what a token is known: without a `jti` by what is signed, never by its signature; by the claims that its issuer names;
//! and with those that its issuer requires.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use revokd::token::WithoutJti;
use revokd::verifier::{ClaimSettings, IssuerSettings};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::minting::Mint;
use super::test_app::{START, TestApp, forged, token, trusted};

const ISS: &str = "https://a";

/// The order of P-256 (SEC 2 section 2.4.2).
const P256_ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

fn claims() -> Value {
    json!({"iss": ISS, "sub": "s", "exp": START.0 + 900, "iat": START.0 - 5})
}

/// What a token without `jti` is known by, made as an auth server would.
fn id_of(token: &str) -> String {
    let (signing_input, _) = token.rsplit_once('.').unwrap();
    format!("sha-256:{}", URL_SAFE_NO_PAD.encode(Sha256::digest(signing_input)))
}

fn with_signature(token: &str, signature: &str) -> String {
    let (signing_input, _) = token.rsplit_once('.').unwrap();
    format!("{signing_input}.{signature}")
}

fn signature_of(token: &str) -> &str {
    token.rsplit_once('.').unwrap().1
}

/// The other signature that the same key has made, which anybody can compute: (r, n - s) for (r, s).
fn malleated(token: &str) -> String {
    let mut raw = URL_SAFE_NO_PAD.decode(signature_of(token)).unwrap();
    let order: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&P256_ORDER[2 * at..2 * at + 2], 16).unwrap()).collect();
    let mut borrow = 0;
    for at in (0..32).rev() {
        let difference = i32::from(order[at]) - i32::from(raw[32 + at]) - borrow;
        borrow = i32::from(difference < 0);
        raw[32 + at] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    with_signature(token, &URL_SAFE_NO_PAD.encode(raw))
}

/// Other spellings of the same signature, none of which is canonical.
fn misspelt(token: &str) -> Vec<String> {
    let signature = signature_of(token);
    // 64 bytes leave four bits over in the last character.
    let (head, last) = signature.split_at(signature.len() - 1);
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let place = alphabet.find(last).unwrap();
    let stray = alphabet.as_bytes()[place | 1] as char;
    let mut all =
        vec![format!("{signature}="), format!("{signature}=="), format!("{signature}\n"), format!("{head}{stray}")];
    all.push(format!(" {signature}"));
    let standard = signature.replace('-', "+").replace('_', "/");
    if standard != signature {
        all.push(standard);
    }
    all.retain(|other| other != signature);
    assert!(all.len() >= 5);
    all.into_iter().map(|other| with_signature(token, &other)).collect()
}

async fn revoke(app: &TestApp, token: &str) {
    assert_eq!(app.post_json("/revoke", &json!({"token": token})).await.ok()["stored"], true);
}

async fn check(app: &TestApp, token: &str) -> Value {
    app.post_json("/check", &json!({"token": token})).await.ok()
}

#[tokio::test]
async fn a_token_without_jti_is_known_by_what_is_signed_whoever_revokes_it() {
    for by_id in [false, true] {
        let app = TestApp::with_issuers(vec![trusted(ISS)]);
        let (stolen, other) = (token(&claims()), token(&json!({"iss": ISS, "sub": "s", "exp": START.0 + 901})));
        let id = id_of(&stolen);
        assert_eq!(check(&app, &stolen).await, json!({"revoked": false, "judged": ["jti", "sub", "iss"]}));
        if by_id {
            let body = json!({"jti": id, "exp": START.0 + 900});
            assert_eq!(app.post_json("/revoke", &body).await.ok()["stored"], true);
        } else {
            let answer = app.post("/revoke", json!({"token": stolen}).to_string()).await.ok();
            assert_eq!(answer["stored"], true);
        }
        assert_eq!(check(&app, &stolen).await["by"], "jti");
        assert_eq!(app.get(&format!("/check/{id}")).await.ok()["revoked"], true);
        assert_eq!(check(&app, &other).await["revoked"], false);
        let listed = app.get("/revocations").await.ok();
        assert_eq!(listed["revocations"][0]["value"], id);
        let many = app.post_json("/check", &json!({"tokens": [other, stolen]})).await.ok();
        assert_eq!((&many["results"][0]["revoked"], &many["results"][1]["revoked"]), (&json!(false), &json!(true)));
    }
}

#[tokio::test]
async fn lines_of_tokens_without_jti_are_each_their_own() {
    let app = TestApp::with_issuers(vec![trusted(ISS)]);
    let tokens: Vec<_> = (0..3).map(|n| token(&json!({"iss": ISS, "exp": START.0 + 900 + n}))).collect();
    let lines: Vec<_> = tokens[..2].iter().map(|token| json!({"token": token}).to_string()).collect();
    let lines = lines.join("\n");
    let answer = app.request(axum::http::Method::POST, "/revoke", Some("application/x-ndjson"), lines).await.ok();
    assert_eq!(answer["accepted"], 2);
    for (token, revoked) in tokens.iter().zip([true, true, false]) {
        assert_eq!(check(&app, token).await["revoked"], revoked);
    }
}

#[tokio::test]
async fn a_second_signature_of_a_revoked_token_is_revoked_too() {
    let mut mint = Mint::new();
    for _ in 0..4 {
        let original = mint.python("ES256", &claims());
        let twin = malleated(&original);
        assert_ne!(original, twin);
        for (revoked_one, other_one) in [(&original, &twin), (&twin, &original)] {
            let app = TestApp::with_issuers(vec![mint.issuer(ISS)]);
            assert_eq!(check(&app, other_one).await["revoked"], false, "its signature is as good as the other");
            revoke(&app, revoked_one).await;
            assert_eq!(check(&app, other_one).await["by"], "jti");
            assert_eq!(check(&app, revoked_one).await["by"], "jti");
            // Minted anew from the same claims, it is the same token.
            assert_eq!(check(&app, &mint.python("ES256", &claims())).await["by"], "jti");
            for variant in misspelt(revoked_one).into_iter().chain(misspelt(other_one)) {
                assert_eq!(check(&app, &variant).await["by"], "unverifiable");
                app.post_json("/revoke", &json!({"token": variant})).await.refuses(422, "token");
            }
        }
    }
}

#[tokio::test]
async fn no_spelling_of_any_token_without_jti_is_good_once_it_is_revoked() {
    let mut mint = Mint::new();
    for alg in ["HS256", "RS256", "PS256", "ES384", "EdDSA"] {
        let app = TestApp::with_issuers(vec![mint.issuer(ISS)]);
        let stolen = mint.python(alg, &claims());
        revoke(&app, &stolen).await;
        let signature = signature_of(&stolen);
        let mut variants = vec![format!("{stolen}="), format!("{stolen}."), format!("{stolen}A"), format!("{stolen} ")];
        for at in [0, signature.len() / 2, signature.len() - 1] {
            for other in ["A", "B", "_", "w"] {
                variants.push(with_signature(&stolen, &format!("{}{other}{}", &signature[..at], &signature[at + 1..])));
            }
        }
        let (header, rest) = stolen.split_once('.').unwrap();
        variants.push(format!("{header}=.{rest}"));
        for variant in variants {
            assert_eq!(check(&app, &variant).await["revoked"], true, "{alg}");
        }
        assert_eq!(check(&app, &mint.python(alg, &json!({"iss": ISS}))).await["revoked"], false, "{alg}");
    }
}

#[tokio::test]
async fn an_issuer_may_refuse_tokens_without_jti_and_they_are_never_good() {
    let app = TestApp::with_issuers(vec![IssuerSettings { without_jti: WithoutJti::Refuse, ..trusted(ISS) }]);
    let bare = token(&claims());
    let last_seq = app.denylist.status().last_seq;
    let problem = app.post_json("/revoke", &json!({"token": bare})).await.refuses(422, "token");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("`jti`") && detail.contains("`without_jti`"), "{detail}");
    assert_eq!(check(&app, &bare).await["by"], "unverifiable");
    assert_eq!(app.denylist.status().last_seq, last_seq);
    let named = token(&json!({"iss": ISS, "jti": "a", "exp": START.0 + 900}));
    assert_eq!(check(&app, &named).await["revoked"], false);
    revoke(&app, &named).await;
    assert_eq!(check(&app, &named).await["by"], "jti");
}

#[tokio::test]
async fn a_configured_claim_stands_for_jti_and_jti_for_nothing() {
    let names = ClaimSettings { jti: "uti".to_owned(), sub: "oid".to_owned(), ..ClaimSettings::default() };
    let app = TestApp::with_issuers(vec![IssuerSettings { claims: names, ..trusted(ISS) }]);
    let of = |uti: &str| {
        token(&json!({"iss": ISS, "uti": uti, "jti": "same", "oid": "o", "sub": "pairwise", "exp": START.0 + 900}))
    };
    revoke(&app, &of("1")).await;
    assert_eq!(check(&app, &of("1")).await["by"], "jti");
    assert_eq!(check(&app, &of("2")).await["revoked"], false);
    assert_eq!(app.get("/check/1").await.ok()["revoked"], true);
    assert_eq!(app.get("/check/same").await.ok()["revoked"], false);
    // Without it what is signed stands in, also where there is a `jti`.
    let without = token(&json!({"iss": ISS, "jti": "1", "oid": "o", "exp": START.0 + 900}));
    assert_eq!(check(&app, &without).await["revoked"], false);
    revoke(&app, &without).await;
    assert_eq!(app.get(&format!("/check/{}", id_of(&without))).await.ok()["revoked"], true);
    app.post_json("/force-logout", &json!({"sub": "pairwise"})).await.ok();
    assert_eq!(check(&app, &of("2")).await["revoked"], false);
    app.post_json("/force-logout", &json!({"sub": "o"})).await.ok();
    assert_eq!(check(&app, &of("2")).await["by"], "sub");
    let odd = token(&json!({"iss": ISS, "uti": 5, "exp": START.0 + 900}));
    let problem = app.post_json("/revoke", &json!({"token": odd})).await.refuses(422, "token");
    assert!(problem["detail"].as_str().unwrap().contains("`claims.jti`"), "{problem}");
}

#[tokio::test]
async fn a_token_without_a_required_claim_is_unverifiable_and_can_be_revoked_all_the_same() {
    let required_claims = vec!["jti".to_owned(), "tenant".to_owned()];
    let app = TestApp::with_issuers(vec![IssuerSettings { required_claims, ..trusted(ISS) }]);
    let mut whole = claims();
    whole["jti"] = json!("a");
    whole["tenant"] = json!(["t"]);
    assert_eq!(check(&app, &token(&whole)).await["revoked"], false);
    for missing in ["jti", "tenant"] {
        for is_null in [false, true] {
            let mut lacking = whole.clone();
            lacking.as_object_mut().unwrap().remove(missing);
            if is_null && missing == "tenant" {
                lacking[missing] = Value::Null;
            }
            let lacking = token(&lacking);
            assert_eq!(check(&app, &lacking).await, json!({"revoked": true, "by": "unverifiable", "judged": []}));
            revoke(&app, &lacking).await;
        }
    }
    // Revoked by its own name, wherever it may still be accepted.
    assert_eq!(app.get("/check/a").await.ok()["revoked"], true);
    let stranger = forged(&whole);
    app.post_json("/revoke", &json!({"token": stranger})).await.refuses(422, "token");
}
