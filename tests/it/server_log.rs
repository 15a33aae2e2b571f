//! What the real binary's log says of trouble that no request shows, in words that say what to do.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::real_server::{Home, RealServer, now, segments};
use crate::support::{START, Store};

const HOUR: i64 = 3_600;

/// Waits until the log says this.
async fn said(server: &RealServer, what: &str) -> String {
    let begun = Instant::now();
    loop {
        let log = server.log();
        if log.contains(what) {
            return log;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "{what:?} is not in the log:\n{log}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Every line is an object: nothing writes to standard error past the log.
fn lines(log: &str) -> Vec<Value> {
    log.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no line of the log: {line}")))
        .collect()
}

#[tokio::test]
async fn keys_that_were_never_fetched_do_not_serve_on() {
    let nobody = crate::cli_support::nobody();
    let home = Home::with_config(&format!("[[issuers]]\niss = \"a\"\njwks_url = \"http://{nobody}/jwks\"\n"), &[]);
    let server = home.start().await;
    let log = said(&server, "cannot fetch the issuer's keys").await;
    assert!(log.contains("never could since the start") && !log.contains("serve on"), "{log}");
}

#[tokio::test]
async fn doubt_in_the_clock_is_logged_when_it_begins() {
    let home = Home::new(&[]);
    let data = home.path("data");
    // Its times are those of a clock that nobody moves but the test. It has a runtime of its own.
    let written = tokio::task::spawn_blocking(move || {
        let mut store = Store::new();
        store.revoke("a", START.plus(HOUR));
        store.stop();
        fs::rename(store.path(), data).unwrap();
    });
    written.await.unwrap();
    let server = home.spawn();
    said(&server, "the wall clock is doubted").await;
}

#[tokio::test]
async fn an_index_that_panics_is_told_in_the_logs_words() {
    let home = Home::new(&[]);
    let mut server = home.start().await;
    for n in 0..50 {
        server.ok("/revoke", &json!({ "jti": format!("id-{n}"), "exp": now() + HOUR })).await;
    }
    assert!(server.stop().success());
    for generation in fs::read_dir(home.path("data/index")).unwrap() {
        fs::write(generation.unwrap().path().join("db"), vec![0x5a_u8; 1 << 20]).unwrap();
    }
    let verified = home.command("verify").output().unwrap();
    let complaint = String::from_utf8(verified.stderr).unwrap();
    assert!(verified.status.success() && !complaint.contains("panicked at"), "{complaint}");
    let server = home.start().await;
    lines(&server.log());
    assert!(!server.log().contains("in time"), "{}", server.log());
    assert_eq!(server.ok("/check", &json!({ "jti": "id-7" })).await["revoked"], true);
}

#[tokio::test]
async fn an_accepted_loss_is_told_in_words() {
    let home = Home::new(&[]);
    let mut server = home.start().await;
    server.ok("/revoke", &json!({ "jti": "a", "exp": now() + HOUR })).await;
    assert!(server.stop().success());
    let path = segments(&home.path("data")).pop().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 1;
    fs::write(&path, bytes).unwrap();
    let mut command = home.command("serve");
    command.arg("--accept-loss");
    let server = home.spawn_as(command);
    let log = said(&server, "\"ready\"").await;
    assert!(!log.contains("Salvaged") && !log.contains("Some("), "{log}");
    let lines = lines(&log);
    let about = |what: &str| lines.iter().any(|line| line["msg"].as_str().is_some_and(|said| said.contains(what)));
    assert!(about("this part of the journal cannot be read") && about("its token is accepted again"), "{log}");
}
