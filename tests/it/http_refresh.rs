//! A refresh token takes its family with it, and nothing else; once, and durably.

mod checks;
mod limits;

use axum::http::Method;
use revokd::token::{ClientId, Family, Sid};
use revokd::verifier::{IssuerSettings, RefreshSettings};
use serde_json::{Value, json};

use super::http_oauth::{REVOKE, assert_done, send};
use super::http_restore::restore;
use super::real_server::{Home, now};
use super::test_app::{Answer, LEEWAY_S, START, TestApp, forged, token, trusted};

const ISS: &str = "https://a";

fn with_families(family_claim: &str) -> IssuerSettings {
    IssuerSettings { refresh: Some(RefreshSettings::by(family_claim)), ..trusted(ISS) }
}

/// An issuer whose families are session and client.
fn app() -> TestApp {
    TestApp::with_issuers(vec![with_families("sid")])
}

/// A token of this kind, of a client in a session, issued so long after the start.
fn of(jti: &str, typ: &str, client_id: &str, sid: &str, iat_s: i64) -> Value {
    let iat = START.0 + iat_s;
    json!({
        "iss": ISS, "jti": jti, "sub": "s", "typ": typ, "client_id": client_id, "sid": sid, "grant_id": format!("g-{sid}"),
        "iat": iat, "exp": iat + 900,
    })
}

fn refresh() -> Value {
    of("r", "Refresh", "shop", "s1", -60)
}

fn access(client_id: &str, sid: &str, iat_s: i64) -> String {
    token(&of("t", "Bearer", client_id, sid, iat_s))
}

async fn oauth(app: &TestApp, claims: &Value) -> Answer {
    send(app, REVOKE, &[("x-api-key", &app.key)], format!("token={}", token(claims))).await
}

async fn check(app: &TestApp, token: &str) -> Value {
    app.post_json("/check", &json!({ "token": token })).await.ok()
}

async fn by(app: &TestApp, token: &str) -> Value {
    check(app, token).await["by"].clone()
}

async fn listed(app: &TestApp, kind: &str) -> Vec<Value> {
    app.get(&format!("/revocations?kind={kind}")).await.ok()["revocations"].as_array().unwrap().clone()
}

/// How many changes requests have made; the family claim that is recorded at start is none.
async fn changes(app: &TestApp) -> usize {
    let page = app.get("/audit?limit=1000").await.ok();
    let is_entry = |record: &&Value| ["revoked", "cutoff", "restored"].iter().any(|what| record["what"] == *what);
    page["records"].as_array().unwrap().iter().filter(is_entry).count()
}

#[tokio::test]
async fn what_was_got_by_it_is_revoked_and_what_others_have_in_the_session_is_not() {
    for family_claim in ["sid", "grant_id"] {
        let app = TestApp::with_issuers(vec![with_families(family_claim)]);
        let own = access("shop", "s1", -5);
        let before = json!({"revoked": false, "judged": ["jti", "sid", "family", "sub", "client_id", "iss"]});
        assert_eq!(check(&app, &own).await, before);
        assert_done(&oauth(&app, &refresh()).await, family_claim);
        assert_eq!(by(&app, &own).await, "family");
        assert_eq!(check(&app, &own).await["judged"], before["judged"]);
        assert_eq!(by(&app, &token(&refresh())).await, "family");
        assert_eq!(app.get("/check/r").await.ok()["by"], "jti");
        assert_eq!(app.get("/check/t").await.ok()["revoked"], false, "nobody has revoked it by itself");
        // In the session of another only with a grant of its own, which a session alone does not tell.
        let of_another = access("mail", "s1", -5);
        assert_eq!(check(&app, &of_another).await["revoked"], family_claim == "grant_id");
        for (what, other) in [("session", access("shop", "s2", -5)), ("login", access("shop", "s1", 3))] {
            assert_eq!(check(&app, &other).await, before, "another {what}");
        }
        let value = match family_claim {
            "grant_id" => "g-s1".to_owned(),
            _ => Family::of_session(&ClientId::parse("shop").unwrap(), &Sid::parse("s1").unwrap()).as_str().to_owned(),
        };
        let entries = listed(&app, "family").await;
        assert_eq!((entries.len(), &entries[0]["kind"], &entries[0]["value"]), (1, &json!("family"), &json!(value)));
        assert_eq!((&entries[0]["issued_before"], &entries[0]["iss"]), (&json!(START.0), &json!(ISS)));
        assert_eq!(app.metric("revokd_revocations_total{kind=\"family\",source=\"api\"}").await, 1);
    }
}

#[tokio::test]
async fn a_retry_writes_nothing_and_a_login_made_since_lives_on() {
    let app = app();
    let first = app.post_json("/revoke", &json!({ "token": token(&refresh()) })).await.ok();
    assert_eq!((&first["stored"], &first["expires_at"]), (&json!(true), &json!(START.0 + 840 + LEEWAY_S)));
    assert_eq!(changes(&app).await, 2);
    app.time.pass(60);
    let login = access("shop", "s1", 30);
    let line = json!({ "token": token(&refresh()) }).to_string();
    for _ in 0..2 {
        assert_eq!(app.post_json("/revoke", &json!({ "token": token(&refresh()) })).await.ok(), first);
        assert_done(&oauth(&app, &refresh()).await, "again");
        let many =
            app.request(Method::POST, "/revoke", Some("application/x-ndjson"), format!("{line}\n{line}")).await.ok();
        assert_eq!((&many["accepted"], &many["seq"]), (&json!(2), &first["seq"]));
    }
    assert_eq!(changes(&app).await, 2);
    assert_eq!(check(&app, &login).await["revoked"], false);
    // Another refresh token of the same session is another matter.
    assert_done(&oauth(&app, &of("r2", "Refresh", "shop", "s1", 30)).await, "another");
    assert_eq!((changes(&app).await, by(&app, &login).await), (4, json!("family")));
}

#[tokio::test]
async fn one_that_was_revoked_by_its_id_still_takes_its_family() {
    let app = app();
    app.post_json("/revoke", &json!({"jti": "r0", "exp": START.0 + 900})).await.ok();
    assert_done(&oauth(&app, &refresh()).await, "the family was cut off before");
    app.time.pass(60);
    let own = access("shop", "s1", 30);
    app.post_json("/revoke", &json!({"jti": "r1", "exp": START.0 + 900})).await.ok();
    assert_eq!(check(&app, &own).await["revoked"], false, "an id says nothing of a family");
    assert_done(&oauth(&app, &of("r1", "Refresh", "shop", "s1", 30)).await, "r1");
    assert_eq!(by(&app, &own).await, "family");
}

#[tokio::test]
async fn whatever_the_hint_a_token_is_what_it_says_it_is() {
    for hint in ["", "&token_type_hint=access_token", "&token_type_hint=refresh_token", "&token_type_hint=x"] {
        let app = app();
        let own = access("shop", "s1", -5);
        let post = async |claims: &Value| {
            let body = format!("token={}{hint}", token(claims));
            assert_done(&send(&app, REVOKE, &[("x-api-key", &app.key)], body).await, hint);
        };
        post(&of("a", "Bearer", "shop", "s1", -5)).await;
        post(&of("b", "refresh", "shop", "s1", -5)).await;
        assert_eq!((changes(&app).await, check(&app, &own).await["revoked"].clone()), (2, json!(false)), "{hint}");
        post(&refresh()).await;
        assert_eq!((changes(&app).await, by(&app, &own).await), (4, json!("family")), "{hint}");
    }
    let app = app();
    let forged = forged(&refresh());
    assert_done(&send(&app, REVOKE, &[("x-api-key", &app.key)], format!("token={forged}")).await, "forged");
    let unconfigured = TestApp::with_issuers(vec![trusted(ISS)]);
    assert_done(&oauth(&unconfigured, &refresh()).await, "no family claim");
    let lone = json!({"iss": ISS, "jti": "r", "typ": "Refresh", "sid": "s1", "iat": START.0, "exp": START.0 + 900});
    let with_lone = self::app();
    assert_done(&oauth(&with_lone, &lone).await, "a session without a client is no family");
    assert_eq!((changes(&app).await, changes(&unconfigured).await, changes(&with_lone).await), (0, 1, 1));
}

#[tokio::test]
async fn a_family_is_taken_back_like_every_entry() {
    let app = app();
    assert_done(&oauth(&app, &refresh()).await, "refresh");
    let own = access("shop", "s1", -5);
    let entry = listed(&app, "family").await[0].clone();
    let id = entry["id"].as_str().unwrap();
    assert_eq!(app.get(&format!("/revocations/{id}")).await.ok(), entry);
    restore(&app, id, "", &entry["seq"].to_string()).await.ok();
    assert_eq!(check(&app, &own).await["revoked"], false);
    assert_eq!(app.get("/check/r").await.ok()["revoked"], true, "the refresh token stays revoked");
    assert!(listed(&app, "family").await.is_empty());
    app.time.pass(60);
    assert_done(&oauth(&app, &refresh()).await, "asked for anew");
    assert_eq!(by(&app, &own).await, "family");
}

#[tokio::test]
async fn lines_take_their_families_each() {
    let app = app();
    let tokens = (0..40).map(|n| token(&of(&format!("r{n}"), "Refresh", "shop", &format!("s{}", n % 20), -60)));
    let lines = tokens.map(|token| json!({ "token": token }).to_string()).chain([
        json!({"jti": "x", "exp": START.0 + 900, "reason": "lost"}).to_string(),
        json!({"token": access("shop", "s99", -60)}).to_string(),
    ]);
    let lines = lines.collect::<Vec<_>>().join("\n");
    let many = app.request(Method::POST, "/revoke", Some("application/x-ndjson"), lines).await.ok();
    assert_eq!(many["accepted"], 42);
    assert_eq!((listed(&app, "family").await.len(), listed(&app, "jti").await.len()), (20, 42));
    for n in 0..20 {
        assert_eq!(by(&app, &access("shop", &format!("s{n}"), -5)).await, "family");
    }
    assert_eq!(by(&app, &access("shop", "s99", -5)).await, "jti");
}

#[tokio::test]
async fn a_family_stays_cut_off_when_the_server_comes_back() {
    let issuer = |refresh: &str| {
        format!(
            "[[issuers]]\niss = \"{ISS}\"\n{refresh}[[issuers.keys]]\nalg = \"HS256\"\n\
             secret = \"0123456789abcdef0123456789abcdef\"\n"
        )
    };
    let home = Home::with_config(&issuer("[issuers.refresh]\nfamily_claim = \"sid\"\n"), &[]);
    let mut server = home.start().await;
    let (iat, exp) = (now() - 60, now() + 900);
    let token = |jti: &str, typ: &str| {
        token(&json!({"iss": ISS, "jti": jti, "typ": typ, "azp": "shop", "sid": "s1", "iat": iat, "exp": exp}))
    };
    server.ok("/revoke", &json!({ "token": token("r", "Refresh") })).await;
    for turn in 0..2 {
        let verdict = server.ok("/check", &json!({ "token": token("t", "Bearer") })).await;
        assert_eq!(verdict["by"], "family", "{turn}");
        server.kill();
        // The claim decides keys; by what a refresh token is told does not.
        std::fs::write(home.path("config.toml"), issuer("[issuers.refresh]\nfamily_claim = \"grant\"\n")).unwrap();
        let refused = home.spawn().ready(&home).await.err().unwrap();
        let said = "`refresh.family_claim` was \\\"sid\\\" and is \\\"grant\\\"";
        assert!(refused.contains(said) || refused.contains(&said.replace('\\', "")), "{refused}");
        std::fs::write(home.path("config.toml"), issuer("")).unwrap();
        assert!(home.spawn().ready(&home).await.is_err(), "nor can it be left out");
        let other_kind = "[issuers.refresh]\nfamily_claim = \"sid\"\nkind_claim = \"token_use\"\nkind = \"refresh\"\n";
        std::fs::write(home.path("config.toml"), issuer(other_kind)).unwrap();
        server = home.start().await;
    }
}
