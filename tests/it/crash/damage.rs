//! The harness can fail: what is lost on purpose is noticed.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::SETTINGS;
use super::chance::Chance;
use super::ledger::{Ledger, Loss, Scope};
use super::load::Done;
use crate::real_server::{Home, now, segments};

/// A directory with acknowledged revocations, one frame each, whose server was killed.
async fn written() -> (Home, Ledger) {
    let home = Home::new(SETTINGS);
    let mut ledger = Ledger::default();
    let mut server = home.start().await;
    for n in 0..100 {
        let (jti, exp) = (format!("id-{n}"), now() + 3_600);
        server.ok("/revoke", &json!({ "jti": jti, "exp": exp })).await;
        ledger.take(vec![Done::from([(jti, exp)])]);
    }
    server.kill();
    (home, ledger)
}

/// Overwrites the last half of what the newest segment holds with zeros, as if it had never been written.
fn forget_the_tail(data: &Path) {
    let path = segments(data).pop().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[end / 2..].fill(0);
    fs::write(path, bytes).unwrap();
}

/// Whether a start, or the first judgement after it, gives away that something is missing.
async fn is_noticed(home: &Home, ledger: &Ledger, chance: &mut Chance) -> bool {
    match home.spawn().ready(home).await {
        Err(refused) => refused.contains("--accept-loss"),
        Ok(server) => matches!(ledger.judge(&server, Scope::Everything, chance).await, Err(Loss::Lost { .. })),
    }
}

#[tokio::test]
async fn an_acknowledged_tail_that_is_gone_is_noticed_with_the_index_and_without() {
    let mut chance = Chance::new(1);
    let (home, ledger) = written().await;
    assert!(!is_noticed(&home, &ledger, &mut chance).await, "undamaged, nothing is lost");
    forget_the_tail(&home.path("data"));
    assert!(is_noticed(&home, &ledger, &mut chance).await);
    fs::remove_dir_all(home.path("data/index")).unwrap();
    assert!(is_noticed(&home, &ledger, &mut chance).await);
}

#[tokio::test]
async fn one_lost_id_among_many_is_noticed() {
    let home = Home::new(SETTINGS);
    let server = home.start().await;
    let exp = now() + 3_600;
    let mut ledger = Ledger::default();
    for n in 0..20 {
        let jti = format!("id-{n}");
        if n != 13 {
            server.ok("/revoke", &json!({ "jti": jti, "exp": exp })).await;
        }
        ledger.take(vec![Done::from([(jti, exp)])]);
    }
    let found = ledger.judge(&server, Scope::Recent, &mut Chance::new(1)).await;
    assert!(matches!(&found, Err(Loss::Lost { jti, .. }) if jti == "id-13"), "{found:?}");
}

#[tokio::test]
async fn a_stranger_who_reads_revoked_is_noticed() {
    let home = Home::new(SETTINGS);
    let server = home.start().await;
    let mut foreseen = Chance::new(7);
    let stranger = format!("stranger-{}", foreseen.next());
    server.ok("/revoke", &json!({ "jti": stranger, "exp": now() + 3_600 })).await;
    let found = Ledger::default().judge(&server, Scope::Everything, &mut Chance::new(7)).await;
    assert!(matches!(&found, Err(Loss::Invented { jti }) if *jti == stranger), "{found:?}");
}

#[tokio::test]
async fn a_lost_restore_and_a_lost_logout_are_noticed() {
    let home = Home::new(SETTINGS);
    let server = home.start().await;
    server.ok("/revoke", &json!({ "jti": "a", "exp": now() + 3_600 })).await;
    let mut ledger = Ledger::default();
    ledger.take(vec![Done { restored: ["a".to_owned()].into(), ..Done::default() }]);
    let found = ledger.judge(&server, Scope::Recent, &mut Chance::new(1)).await;
    assert!(matches!(&found, Err(Loss::Invented { jti }) if jti == "a"), "{found:?}");
    let said = server.ok("/force-logout", &json!({ "sub": "s" })).await;
    let from = said["good_from"].as_i64().unwrap();
    for (sub, from, is_right) in [("s", from, true), ("s", from + 1, false), ("s", from - 1, false), ("o", from, false)]
    {
        let mut ledger = Ledger::default();
        ledger.take(vec![Done { logged_out: [(sub.to_owned(), from)].into(), ..Done::default() }]);
        let found = ledger.judge(&server, Scope::Recent, &mut Chance::new(1)).await;
        assert_eq!(found.is_ok(), is_right, "{sub} {from} {found:?}");
    }
}

#[tokio::test]
async fn what_the_audit_does_not_tell_is_noticed() {
    let home = Home::new(SETTINGS);
    let server = home.start().await;
    let exp = now() + 3_600;
    server.ok("/revoke", &json!({ "jti": "a", "exp": exp })).await;
    server.ok("/force-logout", &json!({ "sub": "s" })).await;
    let told = |done: Done| {
        let mut ledger = Ledger::default();
        ledger.take(vec![done]);
        ledger
    };
    for (done, is_right) in [
        (Done::from([("a".to_owned(), exp)]), true),
        (Done::from([("a".to_owned(), exp + 1)]), false),
        (Done::from([("b".to_owned(), exp)]), false),
        (Done { logged_out: [("s".to_owned(), 0)].into(), ..Done::default() }, true),
        (Done { logged_out: [("a".to_owned(), 0)].into(), ..Done::default() }, false),
        (Done { restored: ["a".to_owned()].into(), ..Done::default() }, false),
    ] {
        let found = told(done).judge_audit(&server).await;
        assert_eq!(found.is_ok(), is_right, "{found:?}");
    }
}
