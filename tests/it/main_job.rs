//! The main job on real input: tokens of independent libraries, posted as they are to the real binary.

use std::time::Duration;

use serde_json::{Value, json};

use crate::minting::Mint;
use crate::real_server::{EACH_SECOND, Home, RealServer, now};

const ISS: &str = "https://issuer.example/";

/// Which library makes a token, and how it signs.
const KINDS: [(&str, &str); 7] = [
    ("python", "RS256"),
    ("python", "ES256"),
    ("python", "EdDSA"),
    ("python", "HS256"),
    ("node", "RS256"),
    ("node", "ES256"),
    ("node", "HS256"),
];

fn minted(mint: &mut Mint, (library, alg): (&str, &str), jti: &str, exp: i64) -> String {
    let claims = json!({ "iss": ISS, "jti": jti, "sub": "älice", "iat": now(), "exp": exp, "aud": "shop" });
    if library == "python" { mint.python(alg, &claims) } else { mint.node(alg, &claims) }
}

/// The same header and signature over other claims.
fn forged(token: &str, other: &str) -> String {
    let (parts, others): (Vec<_>, Vec<_>) = (token.split('.').collect(), other.split('.').collect());
    [parts[0], others[1], parts[2]].join(".")
}

async fn check(server: &RealServer, token: &str) -> Value {
    server.ok("/check", &json!({ "token": token })).await
}

#[tokio::test]
async fn revoked_tokens_of_every_library_read_revoked_and_others_good() {
    let mut mint = Mint::new();
    let home = Home::with_config(&mint.issuers_toml(ISS), &[]);
    let mut server = home.start().await;
    let mut revoked = Vec::new();
    for (n, kind) in KINDS.into_iter().enumerate() {
        let exp = now() + 3_600;
        let token = minted(&mut mint, kind, &format!("tökén-{n}"), exp);
        let other = minted(&mut mint, kind, &format!("other-{n}"), exp);
        assert_eq!(check(&server, &token).await["revoked"], false, "{kind:?} before");

        let said = server.ok("/revoke", &json!({ "token": token, "reason": "laptop lost" })).await;
        assert_eq!((&said["stored"], said["expires_at"].as_i64()), (&json!(true), Some(exp + 300)), "{kind:?}");

        let verdict = check(&server, &token).await;
        assert_eq!((&verdict["revoked"], &verdict["by"]), (&json!(true), &json!("jti")), "{kind:?}: {verdict}");
        assert_eq!(verdict["reason"], "laptop lost");
        let by_id = server.ok("/check", &json!({ "jti": format!("tökén-{n}"), "iss": ISS })).await;
        assert_eq!(by_id["revoked"], true, "{kind:?}: {by_id}");
        assert_eq!(check(&server, &other).await["revoked"], false, "{kind:?}: another good token");
        refuses_forgeries(&server, &token, &other).await;
        revoked.push((token, other));
    }
    assert_eq!(server.stop().code(), Some(0), "{}", server.log());
    assert!(!server.log().contains("älice") && !server.log().contains("tökén"), "promise 12");
    let server = home.start().await;
    survive(&server, &revoked).await;
}

/// A forged token reads revoked, whatever is known of its id, and revokes nothing.
async fn refuses_forgeries(server: &RealServer, token: &str, other: &str) {
    let forged = forged(token, other);
    let verdict = check(server, &forged).await;
    assert_eq!((&verdict["revoked"], &verdict["by"]), (&json!(true), &json!("unverifiable")), "{verdict}");
    let (status, problem) = server.post("/revoke", &json!({ "token": forged })).await.unwrap();
    assert_eq!(status, 422, "{problem}");
    assert_eq!(check(server, other).await["revoked"], false, "the forger must not revoke the honest token");
}

/// After a restart, in one check of many.
async fn survive(server: &RealServer, revoked: &[(String, String)]) {
    let tokens: Vec<_> = revoked.iter().flat_map(|(token, other)| [token, other]).collect();
    let verdicts = server.ok("/check", &json!({ "tokens": tokens })).await;
    let verdicts: Vec<_> = verdicts["results"].as_array().unwrap().iter().map(|said| said["revoked"] == true).collect();
    assert_eq!(verdicts, [true, false].repeat(revoked.len()));
    let (_, listed) = server.get("/revocations?limit=1000").await;
    assert_eq!(listed["revocations"].as_array().unwrap().len(), revoked.len(), "{listed}");
    assert!(listed["revocations"].as_array().unwrap().iter().all(|entry| entry["sub"] == "älice"), "{listed}");
}

#[tokio::test]
async fn short_lived_tokens_end_by_themselves_and_the_purge_runs_on_its_schedule() {
    let mut mint = Mint::new();
    let home = Home::with_config(&mint.issuers_toml(ISS), &["tokens.leeway_s=1", EACH_SECOND]);
    let server = home.start().await;
    let ends = now() + 5;
    let mut short = Vec::new();
    for (n, kind) in KINDS.into_iter().enumerate() {
        let token = minted(&mut mint, kind, &format!("short-{n}"), ends);
        server.ok("/revoke", &json!({ "token": token })).await;
        assert_eq!(check(&server, &token).await["revoked"], true, "{kind:?}");
        short.push(token);
    }
    let long = minted(&mut mint, KINDS[0], "long", ends + 3_600);
    server.ok("/revoke", &json!({ "token": long })).await;
    let id = listed(&server).await.last().unwrap()["id"].as_str().unwrap().to_owned();

    let purges = server.metric(OK_PURGES).await.unwrap();
    loop {
        // Taken before the check: an entry that is gone must have been due by then, so the clock is read after it.
        let verdict = check(&server, &short[0]).await;
        if verdict["revoked"] == false {
            assert!(now() > ends, "it ended before `exp` + leeway");
            break;
        }
        assert!(now() < ends + 30, "it does not end");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let verdicts = server.ok("/check", &json!({ "tokens": short })).await;
    assert!(verdicts["results"].as_array().unwrap().iter().all(|said| said["revoked"] == false), "{verdicts}");
    assert_eq!(check(&server, &long).await["revoked"], true);
    let left = listed(&server).await;
    assert_eq!((left.len(), &left[0]["value"]), (1, &json!("long")), "{left:?}");
    assert_eq!(server.get(&format!("/revocations/{id}")).await.0, 404, "an ended entry is not there");
    let again = server.ok("/revoke", &json!({ "token": short[0] })).await;
    assert_eq!((&again["stored"], &again["because"]), (&json!(false), &json!("expired")));
    assert!(server.metric(OK_PURGES).await.unwrap() > purges, "the purge did not run meanwhile");
}

const OK_PURGES: &str = "revokd_purge_runs_total{result=\"ok\"}";

async fn listed(server: &RealServer) -> Vec<Value> {
    let (status, said) = server.get("/revocations?limit=1000").await;
    assert_eq!(status, 200, "{said}");
    said["revocations"].as_array().unwrap().clone()
}
