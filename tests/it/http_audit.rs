//! `GET /audit`: who did what, when, why and from where; and refused attempts.

use std::net::{Ipv4Addr, SocketAddr};

use axum::body::Body;
use axum::http::Request;
use revokd::http::HttpSettings;
use revokd::http::listener::Peer;
use revokd::keys::Scope;
use serde_json::{Value, json};

use super::test_app::{LEEWAY_S, START, TestApp};

/// All records of an export, after `after` and with `query`.
async fn export(app: &TestApp, query: &str) -> Vec<Value> {
    let request = Request::get(format!("/audit{query}")).header("x-api-key", &app.key);
    let answer = app.send(request.header("accept", "application/x-ndjson").body(Body::empty()).unwrap()).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["content-type"]),
        (200, &"application/x-ndjson".parse().unwrap())
    );
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// All records by pages of `limit`, newest first.
async fn pages(app: &TestApp, query: &str, limit: usize) -> Vec<Value> {
    let (mut records, mut after) = (Vec::new(), String::new());
    loop {
        let page = app.get(&format!("/audit?limit={limit}{query}{after}")).await.ok();
        let found = page["records"].as_array().unwrap();
        assert!(found.len() <= limit);
        records.extend(found.iter().cloned());
        let Some(next) = page.get("next") else { return records };
        after = format!("&after={}", next.as_str().unwrap());
    }
}

/// Asks with a key of its own, from somewhere.
async fn ask(app: &TestApp, key: &str, from: u8, path: &str) -> u16 {
    let request = Request::get(path).header("x-api-key", key).header("x-request-id", "r-1");
    let peer = Peer::Tcp(SocketAddr::from((Ipv4Addr::new(192, 0, 2, from), 5_000)));
    app.send_from(peer, request.body(Body::empty()).unwrap()).await.status.as_u16()
}

#[tokio::test]
async fn a_record_says_who_did_what_when_why_and_from_where() {
    let app = TestApp::with(HttpSettings::default(), &["https://a"]);
    let exp = START.0 + 900;
    let body = json!({"jti": "a", "exp": exp, "sub": "s", "reason": "lost", "iss": "https://a"});
    let request = Request::post("/revoke").header("x-api-key", &app.key).header("content-type", "application/json");
    let peer = Peer::Tcp(SocketAddr::from((Ipv4Addr::new(192, 0, 2, 7), 5_000)));
    let request = request.header("x-request-id", "r-9").body(Body::from(body.to_string())).unwrap();
    app.send_from(peer, request).await.ok();
    app.post_json("/force-logout", &json!({"sub": "s", "iss": "https://a", "reason": "why"})).await.ok();
    let entry = app.get("/revocations?limit=1").await.ok()["revocations"][0].clone();
    let path = format!("/revocations/{}?reason=mistake", entry["id"].as_str().unwrap());
    let restore =
        Request::delete(path).header("x-api-key", &app.key).header("if-match", entry["seq"].as_u64().unwrap());
    app.send(restore.body(Body::empty()).unwrap()).await.ok();
    app.post_json("/purge", &json!({"trust_clock": true})).await.ok();
    let page = app.get("/audit").await.ok();
    let [trusted, restored, cutoff, revoked] = &page["records"].as_array().unwrap()[..] else { panic!("{page}") };
    let actor = &app.key["revokd_".len()..]["".len()..12];
    assert_eq!(
        *revoked,
        json!({
            "seq": 1, "at": START.0, "what": "revoked", "actor": actor, "source": "api", "from": "192.0.2.7",
            "request_id": "r-9", "iss": "https://a", "kind": "jti", "value": "a", "sub": "s", "reason": "lost",
            "expires_at": exp + LEEWAY_S, "hash": revoked["hash"],
        })
    );
    assert_eq!((&cutoff["what"], &cutoff["kind"], &cutoff["value"]), (&json!("cutoff"), &json!("sub"), &json!("s")));
    assert_eq!((&cutoff["from"], &cutoff["issued_before"]), (&json!("unix"), &json!(START.0)));
    assert_eq!(
        (&restored["what"], &restored["value"], &restored["reason"]),
        (&json!("restored"), &json!("s"), &json!("mistake"))
    );
    assert_eq!(trusted["what"], "clock_trusted");
    assert_eq!(page["head"], json!({"seq": 4, "hash": trusted["hash"]}));
    assert_eq!((&page["from"], page.get("next")), (&json!(1), None));
    let hashes: std::collections::HashSet<_> =
        [trusted, restored, cutoff, revoked].map(|record| record["hash"].as_str().unwrap()).into();
    assert!(hashes.len() == 4 && hashes.iter().all(|hash| hash.len() == 64));
    let ready = String::from_utf8(app.get("/readyz?verbose").await.body.to_vec()).unwrap();
    assert!(ready.contains(&format!("audit_head {}", trusted["hash"].as_str().unwrap())), "{ready}");
}

#[tokio::test]
async fn pages_and_exports_give_the_same_records_without_gap_or_repeat() {
    let app = TestApp::new();
    let lines = |range: std::ops::Range<u32>| -> String {
        let line = |n: u32| json!({"jti": n.to_string(), "exp": START.0 + 900, "reason": "x".repeat(200)}).to_string();
        range.map(line).collect::<Vec<_>>().join("\n")
    };
    for n in 0..10 {
        let body = lines(n * 300..(n + 1) * 300);
        app.request(axum::http::Method::POST, "/revoke", Some("application/x-ndjson"), body).await.ok();
    }
    let exported = export(&app, "").await;
    let seqs: Vec<_> = exported.iter().map(|record| record["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=3_000).collect::<Vec<_>>());
    let mut paged = pages(&app, "", 1_000).await;
    paged.reverse();
    assert_eq!(paged, exported);
    let few = app.get("/audit?limit=7&after=50").await.ok();
    let few: Vec<_> = few["records"].as_array().unwrap().iter().map(|record| record["seq"].as_u64().unwrap()).collect();
    assert_eq!(few, (43..50).rev().collect::<Vec<_>>());
    let resumed = export(&app, "?after=2998").await;
    assert_eq!(resumed, exported[2_998..]);
    assert!(export(&app, "?after=3000").await.is_empty());
}

#[tokio::test]
async fn the_export_equals_the_history_after_heavy_purging() {
    let app = TestApp::new();
    for n in 0..2_000 {
        let (jti, exp) = (n.to_string(), START.0 + 60 + i64::from(n % 7) * 600);
        app.post_json(
            "/revoke",
            &json!({"jti": jti, "exp": exp, "sub": format!("s{}", n % 3), "reason": "y".repeat(100)}),
        )
        .await
        .ok();
    }
    let before = export(&app, "").await;
    assert_eq!(before.len(), 2_000);
    for _ in 0..12 {
        app.time.pass(3_600);
        app.post_json("/purge", &json!({})).await.ok();
    }
    assert!(app.metric("revokd_store_journal_segments").await <= 3 || app.denylist.status().journal.segments <= 3);
    assert!(app.denylist.status().journal.audit_files > 3, "{:?}", app.denylist.status().journal);
    assert_eq!(export(&app, "").await, before);
    let of_one = export(&app, "?sub=s1").await;
    assert_eq!(of_one.len(), before.iter().filter(|record| record["sub"] == "s1").count());
    assert_eq!(pages(&app, "&sub=s1", 100).await.len(), of_one.len());
    assert_eq!(pages(&app, "&sub=nobody", 100).await.len(), 0);
}

#[tokio::test]
async fn only_keys_with_the_scope_audit_read_it_and_what_cannot_be_asked_is_refused_by_name() {
    let app = TestApp::new();
    let key = app.key_with(&[Scope::Admin, Scope::Check, Scope::Revoke]);
    assert_eq!(ask(&app, &key, 1, "/audit").await, 403);
    assert_eq!(ask(&app, "nothing", 1, "/audit").await, 401);
    assert_eq!(ask(&app, &app.key_with(&[Scope::Audit]), 1, "/audit").await, 200);
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("after=a", "after"),
        ("after=-1", "after"),
        ("after=%2B1", "after"),
    ] {
        app.get(&format!("/audit?{query}")).await.refuses(422, field);
    }
    app.get("/audit?actor=").await.problem(400);
    app.get("/audit?what=revoked").await.problem(400);
    assert_eq!(app.get("/audit").await.ok()["records"].as_array().unwrap().len(), 0, "nothing has been written yet");
}

#[tokio::test]
async fn refused_attempts_are_told_with_the_next_write_and_strangers_are_counted() {
    let http = HttpSettings { requests_per_s: 0, strangers_per_s: 100, ..HttpSettings::default() };
    let app = TestApp::with(http, &[]);
    let (key, seqs) = (app.key_with(&[Scope::Check]), app.denylist.status().last_seq);
    for _ in 0..1_000 {
        assert_eq!(ask(&app, &key, 1, "/revocations").await, 403);
        let status = ask(&app, "revokd_000000000000_nothing", 2, "/revocations").await;
        assert!(status == 401 || status == 429, "{status}");
    }
    assert_eq!(app.denylist.status().last_seq, seqs, "no attempt makes a sync of its own");
    app.time.pass(61);
    app.post_json("/revoke", &json!({"jti": "a", "exp": START.0 + 900})).await.ok();
    let records = export(&app, "").await;
    let of = |what: &str| records.iter().filter(|record| record["what"] == what).cloned().collect::<Vec<_>>();
    let (refused, strangers) = (of("refused"), of("strangers"));
    let counted = |records: &[Value]| records.iter().map(|record| record["count"].as_u64().unwrap()).sum::<u64>();
    assert_eq!((counted(&refused), counted(&strangers)), (1_000, 1_000));
    assert!(refused.len() < 50 && strangers.len() == 1, "{} {}", refused.len(), strangers.len());
    let first = &refused[0];
    let expected = json!({
        "seq": first["seq"], "at": first["at"], "what": "refused", "actor": key["revokd_".len()..][..12], "source": "api",
        "from": "192.0.2.1", "request_id": "r-1", "route": "/revocations", "status": 403, "count": 1, "hash": first["hash"],
    });
    assert_eq!(*first, expected);
    assert_eq!((&strangers[0]["from"], strangers[0].get("actor")), (&json!("192.0.2.2"), None));
    let of_key = export(&app, &format!("?actor={}", &key["revokd_".len()..][..12])).await;
    assert_eq!(of_key.len(), refused.len());
}

#[tokio::test]
async fn no_record_holds_a_key_or_its_hash() {
    let app = TestApp::new();
    let new = revokd::keys::generate("ci", revokd::keys::Scopes::ALL).unwrap();
    let hash = revokd::journal::Head(new.record.secret_sha256).to_string();
    let id = new.record.id.clone();
    let change = revokd::event::Change::KeyCreated(new.record);
    app.denylist.record(change, revokd::event::Origin::INTERNAL).await.unwrap();
    let page = app.get("/audit").await.ok();
    assert_eq!((&page["records"][0]["what"], &page["records"][0]["value"]), (&json!("key_created"), &json!(*id)));
    let text = page.to_string();
    assert!(!text.contains(&hash) && !text.contains(&new.text[20..]), "{text}");
}
