//! Mixed lifetimes over sixty days: nine of ten revocations live 15 minutes, one of ten 30 days. What is held against
//! what is live, and whether the index on disk stays level.

use std::time::Instant;

use super::memory::as_f64;
use super::store::{DAY_S, LEEWAY_S, Shape, Store, event_bytes, new_directory};
use crate::support::ids::Ids;
use crate::support::print_heading;
use crate::support::process::{Process, disk_bytes};
use crate::support::table::{Table, mib, whole};

const DAYS: i64 = 60;

/// A purge every half hour of the clock that is moved by hand: what has ended is kept for an hour anyway, by which the
/// clock may still go back.
const STEP_S: i64 = 1_800;

/// The smallest that the config allows: as large, against what is live here, as the shipped one is at a few million.
const SEGMENT_BYTES: u64 = 1 << 20;

const SHORT_S: i64 = 900;
const LONG_S: i64 = 30 * DAY_S;

/// Revokes `entries` over the sixty days, evenly.
pub(crate) fn measure(entries: u64) {
    print_heading(&format!(
        "Mixed lifetimes, {entries} revocations in {DAYS} days, segments of {}",
        mib(SEGMENT_BYTES)
    ));
    let directory = new_directory("lifetimes");
    let store = Store::open(&directory, Shape { segment_bytes: SEGMENT_BYTES, ..Shape::default() });
    let steps = (DAYS * DAY_S / STEP_S).unsigned_abs();
    let heads = ["day", "live", "held", "held/live", "journal", "journal/live", "index, disk", "memory", "purges, s"];
    let mut table = Table::new(&heads);
    let (mut purging, mut worst) = (0.0, (0.0_f64, 0.0_f64));
    for step in 0..steps {
        let (from, to) = (entries * step / steps, entries * (step + 1) / steps);
        store.load(Ids::new(1), from, to, lifetime_s);
        store.time.pass(STEP_S);
        let begun = Instant::now();
        store.block_on(store.denylist.purge()).unwrap_or_else(|error| panic!("purge: {error}"));
        purging += begun.elapsed().as_secs_f64();
        let day = (step + 1) * STEP_S.unsigned_abs() / DAY_S.unsigned_abs();
        if day > 0 && ((step + 1) * STEP_S.unsigned_abs()).is_multiple_of(DAY_S.unsigned_abs()) {
            let live = live(entries, steps, step + 1);
            let status = store.denylist.status();
            let held = as_f64(status.records) / as_f64(live);
            let live_bytes = live * event_bytes();
            let journal = as_f64(status.journal.bytes_total.saturating_sub(2 * SEGMENT_BYTES)) / as_f64(live_bytes);
            if day > DAYS.unsigned_abs() / 2 {
                worst = (worst.0.max(held), worst.1.max(journal));
            }
            if day.is_multiple_of(5) {
                table.row(vec![
                    day.to_string(),
                    whole(as_f64(live)),
                    whole(as_f64(status.records)),
                    format!("{held:.3}"),
                    mib(status.journal.bytes_total),
                    format!("{:.2}", as_f64(status.journal.bytes_total) / as_f64(live_bytes)),
                    mib(disk_bytes(&directory.join("index"))),
                    mib(Process::Own.resident_bytes()),
                    format!("{purging:.1}"),
                ]);
                purging = 0.0;
            }
        }
    }
    table.print();
    println!("most held over live, last 30 days: {:.3} (to stay below 1.25)", worst.0);
    println!("most journal, less two segments, over live bytes, last 30 days: {:.2} (to stay below 3)\n", worst.1);
    store.stop();
}

fn lifetime_s(number: u64) -> i64 {
    if number.is_multiple_of(10) { LONG_S } else { SHORT_S }
}

/// How many of the revocations made in the first `done` steps are still live.
fn live(entries: u64, steps: u64, done: u64) -> u64 {
    let made_at = |number: u64| (number * steps / entries) as i64 * STEP_S;
    let now = done as i64 * STEP_S;
    (0..entries * done / steps).filter(|number| made_at(*number) + lifetime_s(*number) + LEEWAY_S >= now).count() as u64
}
