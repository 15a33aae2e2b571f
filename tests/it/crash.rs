//! The real binary, killed with SIGKILL under load and while it starts: no acknowledged revocation, force-logout or restore
//! is ever lost (promise 1), and nothing that was never revoked reads revoked.
//!
//! `REVOKD_CRASH_ROUNDS` sets the number of rounds (30), `REVOKD_CRASH_SEED` repeats the choices of a run, whose seed is
//! printed; when a kill hits is up to the machine. Every era of rounds begins with an empty directory, so that kills hit
//! first starts too.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use crate::real_server::{self, EACH_SECOND, Home, RealServer};

mod chance;
mod damage;
mod first_start;
mod keys;
mod ledger;
mod load;

use chance::Chance;
use ledger::Ledger;

/// Writers at a time.
const WRITERS: u64 = 12;

/// Rounds in one directory.
const ROUNDS_PER_ERA: u64 = 10;

/// Segments as small as can be, and a purge each second, so that rotation, dropping and recovery meet. A read of the
/// index may take its time: that an answer in doubt is 503 is tested elsewhere.
const SETTINGS: &[&str] =
    &["store.segment_bytes=1048576", "tokens.leeway_s=0", "check.read_timeout_ms=30000", EACH_SECOND];

#[expect(clippy::print_stderr, reason = "the seed, for whoever has to repeat a failure")]
fn say(what: &str) {
    eprintln!("crash: {what}");
}

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_by_kill_9() {
    let rounds = setting("REVOKD_CRASH_ROUNDS").unwrap_or(30);
    let seed = setting("REVOKD_CRASH_SEED").unwrap_or_else(chance::seed);
    say(&format!("{rounds} rounds; REVOKD_CRASH_SEED={seed} repeats the choices"));
    let mut chance = Chance::new(seed);
    let (mut acknowledged, mut early_kills, mut segments) = (0, 0, 0);
    let mut round = 0;
    while round < rounds {
        let home = Home::new(SETTINGS);
        let mut ledger = Ledger::default();
        let end = (round + ROUNDS_PER_ERA).min(rounds);
        while round < end {
            early_kills += kill_while_starting(&home, &mut chance).await;
            let server = started(&home, round).await;
            if let Err(loss) = ledger.judge(&server, ledger::Scope::Recent, &mut chance).await {
                panic!("round {round} of seed {seed}: {loss}\n{}", server.log());
            }
            ledger.take(killed_under_load(server, &ledger, round, &mut chance).await);
            round += 1;
        }
        settle_the_era(&home, &ledger, &mut chance, seed).await;
        acknowledged += ledger.len();
        segments += real_server::segments(&home.path("data")).len() as u64;
        say(&format!("{round} rounds, {acknowledged} acknowledged"));
    }
    say(&format!("{acknowledged} acknowledged in {segments} segments, {early_kills} kills while starting, none lost"));
    assert!(acknowledged > rounds, "too little was written to prove anything");
    assert!(rounds < ROUNDS_PER_ERA || segments > rounds.div_ceil(ROUNDS_PER_ERA), "no segment was ever full");
}

/// After the last kill of a directory: everything is there, and the journal is in order.
async fn settle_the_era(home: &Home, ledger: &Ledger, chance: &mut Chance, seed: u64) {
    let mut server = home.start().await;
    if let Err(loss) = ledger.judge(&server, ledger::Scope::Everything, chance).await {
        panic!("at the end of an era of seed {seed}: {loss}\n{}", server.log());
    }
    assert!(server.stop().success(), "{}", server.log());
    let verified = home.command("verify").output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

/// Starts that are killed after half a millisecond to sixty.
async fn kill_while_starting(home: &Home, chance: &mut Chance) -> u64 {
    let kills = chance.below(3);
    for _ in 0..kills {
        let mut server = home.spawn();
        tokio::time::sleep(Duration::from_micros(500 + chance.below(59_500))).await;
        server.kill();
    }
    kills
}

async fn started(home: &Home, round: u64) -> RealServer {
    home.spawn().ready(home).await.unwrap_or_else(|refused| panic!("round {round}: {refused}"))
}

/// Writers at work until the server is killed; what each of them was told is done.
async fn killed_under_load(
    mut server: RealServer,
    ledger: &Ledger,
    round: u64,
    chance: &mut Chance,
) -> Vec<load::Done> {
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let name = format!("r{round}-w{writer}");
        let earlier = ledger.some(8, chance);
        writers.spawn(load::write(load::Door::of(&server), name, earlier, Chance::new(chance.next())));
    }
    tokio::time::sleep(Duration::from_millis(20 + chance.below(600))).await;
    server.kill();
    writers.join_all().await
}

/// The verdicts on these elements of a check, in order.
async fn verdicts<T: Serialize>(server: &RealServer, ids: &[T]) -> Vec<bool> {
    let said: Value = server.ok("/check", &json!({ "ids": ids })).await;
    said["results"].as_array().unwrap().iter().map(|result| result["revoked"].as_bool().unwrap()).collect()
}
