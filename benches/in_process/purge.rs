//! A purge of many ended entries beside checks: how long it takes, and how long checks take meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use revokd::revocation::{TokenClaims, Verdict};
use revokd::token::{Issuer, Jti};

use super::memory::as_f64;
use super::store::{DAY_S, Shape, Store, new_directory};
use crate::support::ids::Ids;
use crate::support::print_heading;
use crate::support::process::disk_bytes;
use crate::support::stats::percentile;
use crate::support::table::{Table, mib, percent, whole};

/// One entry of so many outlives the purge.
const SURVIVOR: u64 = 8;

const REVOKED: Ids = Ids::new(1);

/// Purges `entries` ended ones; an eighth as many live on. Half of the checks are of strangers, half of survivors,
/// which are read from the index.
pub(crate) fn measure(entries: u64) {
    print_heading(&format!("Purge of {entries} ended entries beside checks"));
    let directory = new_directory("purge");
    let store = Store::open(&directory, Shape::default());
    let all = entries + entries / (SURVIVOR - 1);
    // Ends spread over an hour, in about sixty buckets.
    let lifetime_s =
        |number: u64| if number.is_multiple_of(SURVIVOR) { 7 * DAY_S } else { 1_800 + (number % 3_600) as i64 };
    store.load(REVOKED, 0, all, lifetime_s);
    let disk = disk_bytes(&directory);
    let mut table = Table::new(&["", "time, s", "entries", "checks", "p50, us", "p99, us", "most, us", "over 5 ms"]);
    let idle = beside_checks(&store, all, || std::thread::sleep(Duration::from_secs(3)));
    table.row(row("nothing", idle, 0));
    // The last end, and the hour by which the clock may still go back (`Clock::forgettable`).
    store.time.pass(4 * 3_600);
    let mut purged = 0;
    let purge = beside_checks(&store, all, || {
        let report = store.block_on(store.denylist.purge()).unwrap_or_else(|error| panic!("purge: {error}"));
        purged = report.entries;
    });
    table.row(row("purge", purge, purged));
    table.print();
    println!("disk: {} before, {} after\n", mib(disk), mib(disk_bytes(&directory)));
    store.stop();
}

/// Does `work` while a thread checks; gives how long it took, and how long each check did in microseconds.
fn beside_checks(store: &Store, all: u64, work: impl FnOnce()) -> (Duration, Vec<f64>) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let checks = scope.spawn(|| check_until(store, all, &stop));
        let begun = Instant::now();
        work();
        let took = begun.elapsed();
        stop.store(true, Ordering::Relaxed);
        (took, checks.join().unwrap_or_else(|_| panic!("a check failed")))
    })
}

fn check_until(store: &Store, all: u64, stop: &AtomicBool) -> Vec<f64> {
    let strangers = Ids::new(2);
    let mut micros = Vec::with_capacity(1 << 23);
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let survivor = number % 2 == 0;
        let id = if survivor {
            REVOKED.at((number * 7_919 * SURVIVOR) % (all / SURVIVOR * SURVIVOR))
        } else {
            strangers.at(number)
        };
        let begun = Instant::now();
        let jti = Jti::parse(id).unwrap_or_else(|error| panic!("{error}"));
        let verdict = store.denylist.check_blocking(&TokenClaims::of_jti(&Issuer::NAMELESS, jti));
        micros.push(begun.elapsed().as_secs_f64() * 1e6);
        assert_eq!(matches!(verdict, Ok(Verdict::Revoked(_))), survivor, "{verdict:?}");
    }
    micros
}

fn row(name: &str, (took, mut micros): (Duration, Vec<f64>), entries: u64) -> Vec<String> {
    let late = micros.iter().filter(|micros| **micros > 5_000.0).count();
    vec![
        name.to_owned(),
        format!("{:.2}", took.as_secs_f64()),
        whole(as_f64(entries)),
        whole(as_f64(micros.len() as u64)),
        format!("{:.1}", percentile(&mut micros, 0.5)),
        format!("{:.1}", percentile(&mut micros, 0.99)),
        whole(percentile(&mut micros, 1.0)),
        percent(as_f64(late as u64) / as_f64(micros.len() as u64)),
    ]
}
