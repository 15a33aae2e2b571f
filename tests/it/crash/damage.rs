//! The harness can fail: what is lost on purpose is noticed.

use std::fs;
use std::path::Path;

use super::chance::Chance;
use super::ledger::{Ledger, Loss, Scope};
use super::load::Done;
use super::{SETTINGS, killed_under_load};
use crate::real_server::{Home, now, segments};

/// A directory with acknowledged revocations whose server was killed, and what was acknowledged.
async fn written(chance: &mut Chance) -> (Home, Ledger) {
    let home = Home::new(SETTINGS);
    let mut ledger = Ledger::default();
    let server = home.start().await;
    for n in 0..50 {
        let (jti, exp) = (format!("before-{n}"), now() + 3_600);
        let said = server.ok("/revoke", &serde_json::json!({ "jti": jti, "exp": exp })).await;
        assert_eq!(said["stored"], true);
        ledger.take(vec![Done::from([(jti, exp)])]);
    }
    let last = killed_under_load(server, &ledger, 0, chance).await;
    ledger.take(last);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledged_tail_that_is_gone_is_a_loss_that_the_harness_reports() {
    let mut chance = Chance::new(1);
    let (home, ledger) = written(&mut chance).await;
    {
        let server = home.start().await;
        ledger.judge(&server, Scope::Everything, &mut chance).await.expect("undamaged, nothing is lost");
    }
    forget_the_tail(&home.path("data"));
    // The index alone would give the loss away: it has more than the journal then, and the server refuses.
    let refused = home.spawn().ready(&home).await.err().expect("the index is newer than the journal");
    assert!(refused.contains("--accept-loss"), "{refused}");
    fs::remove_dir_all(home.path("data/index")).unwrap();
    let server = match home.spawn().ready(&home).await {
        Ok(server) => server,
        Err(refused) => panic!("with nothing to hold it against, a tail that is gone looks torn: {refused}"),
    };
    let found = ledger.judge(&server, Scope::Everything, &mut chance).await;
    assert!(matches!(found, Err(Loss::Lost { .. })), "{found:?}");
}

#[tokio::test]
async fn a_stranger_who_reads_revoked_is_noticed() {
    let home = Home::new(SETTINGS);
    let server = home.start().await;
    let mut foreseen = Chance::new(7);
    let stranger = format!("stranger-{}", foreseen.next());
    server.ok("/revoke", &serde_json::json!({ "jti": stranger, "exp": now() + 3_600 })).await;
    let found = Ledger::default().judge(&server, Scope::Everything, &mut Chance::new(7)).await;
    assert!(matches!(&found, Err(Loss::Invented { jti }) if *jti == stranger), "{found:?}");
}
