//! A good verdict: how long it takes while nothing else happens and beside a refill, and how often the front filter
//! says maybe to ids that nobody ever revoked.
//!
//! Ids are made beforehand, in another order than they were revoked in; every call is timed on its own, by a clock
//! whose own cost is the first row. The future of a check is driven to its end the way a door does it.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bloomfilter::Bloom;
use revokd::revocation::TokenClaims;
use revokd::token::{Issuer, Jti, Key};
use std::collections::HashSet;

use super::memory::{as_f64, lifetime_s};
use super::store::{Shape, Store, new_directory};
use crate::support::ids::Ids;
use crate::support::print_heading;
use crate::support::stats::{Runs, interleave, percentile};
use crate::support::table::{Table, percent, whole};

/// Checks in one run.
const CHECKS: u64 = 200_000;

/// Strangers asked for the share of maybes.
const STRANGERS: u64 = 4_000_000;

const REVOKED: Ids = Ids::new(1);
const STRANGE: Ids = Ids::new(2);

/// The refiller looks this often at what it is told, so a refill runs from then at the latest.
const REFILL_BEGINS: Duration = Duration::from_secs(1);

/// Median and p99 of one run, nanoseconds.
type Figures = (f64, f64);

/// Good verdicts at `entries` live ones, beside the bare filter and a set of all keys.
pub(crate) fn compare(entries: u64, runs: usize) {
    print_heading(&format!("A good verdict at {entries} live entries"));
    let store = Store::open(&new_directory("check"), Shape::default());
    store.load(REVOKED, 0, entries, lifetime_s);
    let (bloom, set) = yardsticks(entries, &store);
    let names = ["the clock alone", "check", "check beside a refill", "bare bloomfilter", "set of keys, exact"];
    let measured = interleave(
        runs,
        &mut [
            &mut |turn| timed(turn, |_, _| {}),
            &mut |turn| checks(&store, turn),
            &mut |turn| beside_refill(&store, turn),
            &mut |turn| timed(turn, |_, key| _ = black_box(bloom.check(&key()))),
            &mut |turn| timed(turn, |_, key| _ = black_box(set.contains(&key()))),
        ],
    );
    let mut table = Table::new(&["", "median, ns", "p99, ns", "spread of medians"]);
    for (name, figures) in names.iter().zip(measured) {
        let medians = Runs(figures.iter().map(|(median, _)| *median).collect());
        let p99s = Runs(figures.iter().map(|(_, p99)| *p99).collect());
        table.row(vec![(*name).to_owned(), whole(medians.median()), whole(p99s.median()), percent(medians.spread())]);
    }
    table.print();
    let mut table = maybe_table();
    table.row(maybe_row("after load", &store));
    table.print();
    store.stop();
}

/// The share of maybes after each of ten lifetimes of churn, with `entries` live.
pub(crate) fn churn(entries: u64) {
    const LIFETIME_S: i64 = 3_600;
    const STEPS: u64 = 60;
    print_heading(&format!("Maybes for strangers, {entries} live entries renewed ten times"));
    // Hours of ended entries beside the live ones would make this a run over three times as many.
    let store = Store::open(&new_directory("churn"), Shape { step_max_s: 60, ..Shape::default() });
    let mut table = maybe_table();
    let step = entries / STEPS;
    for lifetime in 0..=10 {
        for minute in 0..STEPS {
            let from = (lifetime * STEPS + minute) * step;
            store.load(REVOKED, from, from + step, |_| LIFETIME_S);
            store.time.pass(LIFETIME_S / 60);
            store.block_on(store.denylist.purge()).unwrap_or_else(|error| panic!("purge: {error}"));
        }
        let row = maybe_row(&format!("lifetime {lifetime}"), &store);
        // With ten million entries each takes minutes.
        println!("{}", row.join(", "));
        table.row(row);
    }
    table.print();
    store.stop();
}

fn yardsticks(entries: u64, store: &Store) -> (Bloom<Key>, HashSet<Key>) {
    let capacity = store.denylist.status().filter.map_or(0, |filter| filter.capacity);
    let bloom = Bloom::new_for_fp_rate(capacity, store.denylist.false_positive_rate());
    let mut bloom = bloom.unwrap_or_else(|error| panic!("bloomfilter: {error}"));
    let mut set = HashSet::new();
    for number in 0..entries {
        let key = key_of(&REVOKED.at(number));
        bloom.set(&key);
        set.insert(key);
    }
    (bloom, set)
}

fn key_of(id: &str) -> Key {
    Key::of_token(&Issuer::NAMELESS, &jti_of(id))
}

fn claims_of(id: &str) -> TokenClaims<'_> {
    TokenClaims::of_jti(&Issuer::NAMELESS, jti_of(id))
}

fn jti_of(id: &str) -> Jti<'_> {
    Jti::parse(id).unwrap_or_else(|error| panic!("{error}"))
}

/// Ids that no other turn asks for, so that nothing of them is in a cache.
fn strangers(turn: u64) -> Vec<String> {
    (turn * CHECKS..(turn + 1) * CHECKS).map(|number| STRANGE.at(number)).collect()
}

fn timed(turn: u64, mut work: impl FnMut(&str, &dyn Fn() -> Key)) -> Figures {
    let ids = strangers(turn);
    let mut nanos: Vec<f64> = ids
        .iter()
        .map(|id| {
            let begun = Instant::now();
            work(id, &|| key_of(id));
            as_nanos(begun.elapsed())
        })
        .collect();
    figures(&mut nanos)
}

fn checks(store: &Store, turn: u64) -> Figures {
    let ids = strangers(turn);
    figures(&mut store.block_on(async {
        let mut nanos = Vec::with_capacity(ids.len());
        for id in &ids {
            nanos.push(check(store, id).await);
        }
        nanos
    }))
}

async fn check(store: &Store, id: &str) -> f64 {
    let begun = Instant::now();
    let verdict = store.denylist.check(&claims_of(id), revokd::denylist::Priority::Ordinary).await;
    let took = as_nanos(begun.elapsed());
    assert!(verdict.is_ok_and(|verdict| verdict == revokd::revocation::Verdict::Good), "nobody revoked it");
    took
}

fn beside_refill(store: &Store, turn: u64) -> Figures {
    let ids = strangers(turn);
    let refills = store.denylist.status().refills;
    let begun = Instant::now();
    store.denylist.refill();
    let mut nanos = Vec::new();
    store.block_on(async {
        'refill: loop {
            for some in ids.chunks(1_000) {
                if store.denylist.status().refills > refills {
                    break 'refill;
                }
                for id in some {
                    let took = check(store, id).await;
                    if begun.elapsed() > REFILL_BEGINS {
                        nanos.push(took);
                    }
                }
            }
        }
    });
    if nanos.is_empty() {
        nanos.push(f64::NAN);
    }
    figures(&mut nanos)
}

fn figures(nanos: &mut [f64]) -> Figures {
    (percentile(nanos, 0.5), percentile(nanos, 0.99))
}

fn as_nanos(took: Duration) -> f64 {
    as_f64(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX))
}

fn maybe_table() -> Table {
    Table::new(&["strangers", "share of maybes", "over the configured rate", "load of the plan"])
}

fn maybe_row(name: &str, store: &Store) -> Vec<String> {
    let before = store.denylist.status();
    let mut id = String::with_capacity(36);
    for number in 0..STRANGERS {
        STRANGE.write(number, &mut id);
        drop(black_box(store.denylist.check_blocking(&claims_of(&id))));
    }
    let after = store.denylist.status();
    let maybes = after.maybes - before.maybes;
    let share = as_f64(maybes) / as_f64(maybes + after.surely_good - before.surely_good);
    let load = after.filter.map_or(0.0, |filter| as_f64(filter.load as u64) / as_f64(filter.capacity as u64));
    let over = share / store.denylist.false_positive_rate();
    vec![name.to_owned(), format!("{share:.2e}"), format!("{over:.2}"), percent(load)]
}
