//! `POST /force-logout`, and what every kind of check makes of it.

use revokd::http::HttpSettings;
use revokd::issuers::CLOCK_SKEW_S;
use revokd::readiness::Condition;
use serde_json::{Value, json};

use super::test_app::{LEEWAY_S, LIFETIME_MAX_S, START, TestApp, token};

const ISS: &str = "https://a";

async fn log_out(app: &TestApp, body: Value) -> Value {
    app.post_json("/force-logout", &body).await.ok()
}

async fn is_revoked(app: &TestApp, query: &str) -> bool {
    app.get(&format!("/check?{query}")).await.ok()["revoked"] == true
}

#[tokio::test]
async fn a_force_logout_says_from_when_on_a_login_works_and_until_when_it_lives() {
    let app = TestApp::new();
    let answer = log_out(&app, json!({"sub": "alice", "reason": "laptop lost"})).await;
    let good_from = START.0 + CLOCK_SKEW_S + 1;
    let expected = json!({
        "seq": 1, "id": answer["id"], "issued_before": START.0, "good_from": good_from,
        "expires_at": good_from + LIFETIME_MAX_S + LEEWAY_S,
    });
    assert_eq!(answer, expected);
    let id = answer["id"].as_str().unwrap();
    assert!(id.len() == 22 && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'));
    let revoked = json!({
        "revoked": true, "by": "sub", "reason": "laptop lost", "revoked_at": START.0, "judged": ["jti", "sub"],
    });
    assert_eq!(app.get(&format!("/check/t?sub=alice&iat={}", good_from - 1)).await.ok(), revoked);
    assert_eq!(app.get("/check/t?sub=alice").await.ok(), revoked, "without iat it is revoked in any case");
    let good = json!({"revoked": false, "judged": ["jti", "sub"]});
    assert_eq!(app.get(&format!("/check/t?sub=alice&iat={good_from}")).await.ok(), good);
    assert_eq!(app.get("/check/t?sub=bob").await.ok(), good);
    assert_eq!(
        app.get("/check/t").await.ok(),
        json!({"revoked": false, "judged": ["jti"]}),
        "it was not asked for alice"
    );
    assert_eq!(app.metric("revokd_revocations_total{kind=\"sub\",source=\"api\"}").await, 1);
    assert_eq!(log_out(&app, json!({"sub": "alice"})).await["seq"], 1, "the same second is the same cutoff");
}

#[tokio::test]
async fn every_door_of_a_check_judges_every_selector() {
    for (body, by) in [
        (json!({"sub": "s"}), "sub"),
        (json!({"sid": "x"}), "sid"),
        (json!({"client_id": "c"}), "client_id"),
        (json!({"all": true}), "iss"),
    ] {
        let app = TestApp::with(HttpSettings::default(), &[ISS]);
        log_out(&app, body).await;
        for (iat, revoked) in [(START.0 + CLOCK_SKEW_S, true), (START.0 + CLOCK_SKEW_S + 1, false)] {
            let by = if revoked { json!(by) } else { json!(null) };
            let claims = json!({"jti": "t", "sub": "s", "sid": "x", "client_id": "c", "iat": iat});
            let query = format!("sub=s&sid=x&client_id=c&iat={iat}");
            let raw = token(&json!({
                "iss": ISS, "jti": "t", "sub": "s", "sid": "x", "client_id": "c", "iat": iat, "exp": START.0 + 900,
            }));
            let mut answers = vec![
                app.get(&format!("/check/t?{query}")).await.ok(),
                app.get(&format!("/check?jti=t&{query}")).await.ok(),
                app.get(&format!("/check?{query}")).await.ok(),
                app.post_json("/check", &claims).await.ok(),
                app.post_json("/check", &json!({"token": raw})).await.ok(),
            ];
            let without_jti = json!({"sub": "s", "sid": "x", "client_id": "c", "iat": iat});
            let many = app.post_json("/check", &json!({"ids": [claims, without_jti]})).await.ok();
            answers.extend(many["results"].as_array().unwrap().clone());
            let many = app.post_json("/check", &json!({"tokens": [raw, raw]})).await.ok();
            answers.extend(many["results"].as_array().unwrap().clone());
            for (n, answer) in answers.iter().enumerate() {
                assert_eq!((&answer["revoked"], &answer["by"]), (&json!(revoked), &by), "door {n}: {answer}");
                let judged = answer["judged"].as_array().unwrap();
                assert!(by.is_null() || judged.contains(&by), "a verdict says what it judged: {answer}");
            }
        }
        let fraction = token(&json!({"iss": ISS, "jti": "t", "sub": "s", "sid": "x", "client_id": "c",
            "iat": f64::from(i32::try_from(START.0 + CLOCK_SKEW_S).unwrap()) + 0.9, "exp": START.0 + 900}));
        assert_eq!(app.post_json("/check", &json!({"token": fraction})).await.ok()["by"], by, "iat is rounded down");
        let undated =
            token(&json!({"iss": ISS, "jti": "t", "sub": "s", "sid": "x", "client_id": "c", "exp": START.0 + 9}));
        assert_eq!(app.post_json("/check", &json!({"token": undated})).await.ok()["by"], by);
    }
}

#[tokio::test]
async fn many_are_each_judged_by_their_own_claims_and_ids() {
    let app = TestApp::new();
    app.post_json("/revoke", &json!({"jti": "b", "exp": START.0 + 900})).await.ok();
    log_out(&app, json!({"sub": "s"})).await;
    let ids = json!({"ids": [
        "a", {"jti": "a", "sub": "s"}, "b", {"sub": "s"}, {"jti": "b", "sub": "s"}, {"sub": "o"},
        {"jti": "a", "sub": "s", "iat": START.0 + 100}, {"jti": "b", "sub": "s", "iat": START.0 + 100},
    ]});
    let results = app.post_json("/check", &ids).await.ok()["results"].clone();
    let by: Vec<_> = results.as_array().unwrap().iter().map(|result| result["by"].clone()).collect();
    assert_eq!(json!(by), json!([null, "sub", "jti", "sub", "sub", null, null, "jti"]));
    assert_eq!(app.metric("revokd_checks_total{face=\"api\",result=\"revoked\"}").await, 5);
}

#[tokio::test]
async fn an_issuer_wide_cutoff_hits_checks_that_name_nothing_but_a_jti() {
    let app = TestApp::with(HttpSettings::default(), &[ISS, "https://b"]);
    log_out(&app, json!({"all": true, "iss": ISS})).await;
    let answer = app.get("/check/t?iss=https://a").await.ok();
    assert_eq!((&answer["by"], &answer["judged"]), (&json!("iss"), &json!(["jti", "iss"])));
    assert!(!is_revoked(&app, "jti=t&iss=https://b").await);
    let nameless = TestApp::new();
    log_out(&nameless, json!({"all": true})).await;
    let answer = nameless.get("/check/t").await.ok();
    assert_eq!(
        (&answer["by"], &answer["judged"]),
        (&json!("iss"), &json!(["jti", "iss"])),
        "it was judged all the same"
    );
}

#[tokio::test]
async fn the_past_may_be_cut_off_and_the_future_may_not() {
    let app = TestApp::new();
    let past = log_out(&app, json!({"sub": "s", "issued_before": START.0 - 500})).await;
    assert_eq!(past["good_from"], START.0 - 500 + CLOCK_SKEW_S + 1);
    assert!(!is_revoked(&app, &format!("sub=s&iat={}", START.0 - 400)).await);
    log_out(&app, json!({"sub": "s", "issued_before": START.0})).await;
    assert!(is_revoked(&app, &format!("sub=s&iat={}", START.0 - 400)).await);
    let problem = app.post_json("/force-logout", &json!({"sub": "s", "issued_before": START.0 + 1})).await;
    assert_eq!(problem.refuses(422, "issued_before")["limit"], START.0);
    let too_old = app.post_json("/force-logout", &json!({"sub": "s", "issued_before": 5})).await;
    let limit = START.0 - CLOCK_SKEW_S - 1 - LIFETIME_MAX_S - LEEWAY_S;
    assert_eq!(too_old.refuses(422, "issued_before")["limit"], limit);
    log_out(&app, json!({"sub": "s", "issued_before": limit})).await;
    for wrong in [json!(1.5), json!("now"), json!(null), json!(1_u64 << 53)] {
        app.post_json("/force-logout", &json!({"sub": "s", "issued_before": wrong}))
            .await
            .refuses(422, "issued_before");
    }
    assert_eq!(app.denylist.status().last_seq, 3, "what is refused is not stored");
}

#[tokio::test]
async fn exactly_one_target_is_named_and_nothing_unknown() {
    let app = TestApp::with(HttpSettings::default(), &[ISS]);
    for (body, field) in [
        (json!({}), "sub"),
        (json!({"all": false}), "sub"),
        (json!({"sub": "a", "sid": "b"}), "sid"),
        (json!({"sub": "a", "all": true}), "all"),
        (json!({"sub": ""}), "sub"),
        (json!({"sid": 5}), "sid"),
        (json!({"client_id": "x".repeat(1_025)}), "client_id"),
        (json!({"all": "true"}), "all"),
        (json!({"sub": "a", "iss": "https://b"}), "iss"),
        (json!({"sub": "a", "reason": "x".repeat(257)}), "reason"),
        (json!({"sub": "a", "dry_run": 1}), "dry_run"),
    ] {
        app.post_json("/force-logout", &body).await.refuses(422, field);
    }
    for body in [r#"{"sub":"a","sub":"a"}"#, r#"{"user":"a"}"#, r#"{"jti":"a"}"#, "[]", ""] {
        app.post("/force-logout", body).await.problem(400);
    }
    app.get("/force-logout").await.problem(405);
    let key = app.key_with(&[revokd::keys::Scope::Revoke]);
    let request = axum::http::Request::post("/force-logout").header("x-api-key", key);
    app.send(request.body("{}".into()).unwrap()).await.problem(403);
    assert_eq!(app.denylist.status().last_seq, 0);
}

#[tokio::test]
async fn a_dry_run_says_whom_it_would_hit_and_who_would_not_notice_and_writes_nothing() {
    let app = TestApp::with(HttpSettings::default(), &[ISS]);
    let ask = async |app: &TestApp| log_out(app, json!({"sub": "alice", "dry_run": true})).await;
    let before = ask(&app).await;
    assert_eq!((&before["dry_run"], &before["checks"]), (&json!(true), &json!(0)));
    assert!(before["says"].as_str().unwrap().contains("No check"));
    for path in ["/check/a", "/check/a?sub=s", "/check/a?sub=s&iat=5", "/check?sid=x"] {
        app.get(path).await.ok();
    }
    app.post_json("/check", &json!({"ids": ["a", "b", {"sub": "s"}]})).await.ok();
    let raw = token(&json!({"iss": ISS, "jti": "t", "iat": 5, "exp": START.0 + 900}));
    app.post_json("/check", &json!({"tokens": [raw, "forged"]})).await.ok();
    let answer = ask(&app).await;
    let expected = json!({
        "dry_run": true, "issued_before": START.0, "good_from": START.0 + 3,
        "expires_at": START.0 + 3 + LIFETIME_MAX_S + LEEWAY_S, "checks": 8, "checks_without_claim": 5,
        "checks_without_iat": 2, "says": answer["says"],
    });
    assert_eq!(answer, expected);
    let says = answer["says"].as_str().unwrap();
    for part in ["every token of this subject at https://a", "Of 8 checks", "5 did not bring `sub`", "2 would, but"] {
        assert!(says.contains(part), "{part}: {says}");
    }
    assert!(!says.contains("alice"));
    app.time.pass(3_600);
    assert_eq!(ask(&app).await["checks"], 8);
    app.time.pass(60);
    assert_eq!(ask(&app).await["checks"], 0, "what was more than an hour ago does not count");
    app.post_json("/force-logout", &json!({"sub": "s", "dry_run": true, "issued_before": i64::from(i32::MAX)})).await;
    assert_eq!(app.denylist.status().last_seq, 0);
    assert!(!is_revoked(&app, "sub=alice").await);
}

#[tokio::test]
async fn a_check_that_a_cutoff_hits_is_answered_while_nothing_else_is_known() {
    let app = TestApp::new();
    log_out(&app, json!({"sub": "s"})).await;
    app.readiness.set(Condition::Filter, false);
    assert!(is_revoked(&app, "sub=s").await, "revoked is no doubt");
    app.get("/check?sub=o").await.problem(503);
}

#[tokio::test]
async fn the_skew_of_each_issuer_counts() {
    let app = TestApp::with_skews(&[("https://a", 0), ("https://b", 60)]);
    for (iss, skew_s) in [("https://a", 0), ("https://b", 60)] {
        let answer = log_out(&app, json!({"sub": "s", "iss": iss})).await;
        assert_eq!(answer["good_from"], START.0 + skew_s + 1);
        for (iat, revoked) in [(START.0 + skew_s, true), (START.0 + skew_s + 1, false)] {
            assert_eq!(is_revoked(&app, &format!("sub=s&iss={iss}&iat={iat}")).await, revoked, "{iss} {iat}");
        }
    }
}

#[tokio::test]
async fn a_check_that_sees_a_token_of_a_longer_life_puts_off_the_ends_of_cutoffs() {
    let app = TestApp::with(HttpSettings::default(), &[ISS]);
    let cutoff = log_out(&app, json!({"sub": "s"})).await;
    let of = |lifetime_s: i64| json!({"iss": ISS, "jti": "t", "iat": START.0, "exp": START.0 + lifetime_s});
    for (lifetime_s, raised) in [(LIFETIME_MAX_S, false), (11 * 366 * 86_400, false), (LIFETIME_MAX_S + 1, true)] {
        app.time.pass(1);
        app.post_json("/check", &json!({"token": token(&of(lifetime_s))})).await.ok();
        // Behind it in the queue of the writer.
        log_out(&app, json!({"sub": lifetime_s.to_string()})).await;
        let shown = app.get(&format!("/revocations/{}", cutoff["id"].as_str().unwrap())).await.ok();
        let ends_at = cutoff["expires_at"].as_i64().unwrap() + if raised { LIFETIME_MAX_S } else { 0 };
        assert_eq!(shown["expires_at"], ends_at, "{lifetime_s}");
    }
    let forged = super::test_app::forged(&of(100 * LIFETIME_MAX_S));
    app.post_json("/check", &json!({"token": forged})).await.ok();
    assert_eq!(
        log_out(&app, json!({"sub": "x"})).await["expires_at"],
        app.denylist.clock().now().latest.0 + 3 + 2 * LIFETIME_MAX_S + LEEWAY_S
    );
}
