//! Lists of a large denylist, page by page, while somebody revokes on: how long a page takes, and that the cursor neither
//! leaves out nor repeats what was there all the time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use revokd::denylist::{ListFilter, LogOutOutcome, LogOutRequest, Proof, RevokeRequest};
use revokd::event::{Origin, Seq};
use revokd::issuers::{CLOCK_SKEW_S, IssuerLimits, Issuers, LIFETIME_MAX};
use revokd::revocation::{Revocation, Target};
use revokd::token::{Issuer, Jti, Key, Naming, Selector, Sid, Subject};

use super::memory::as_f64;
use super::store::{DAY_S, LEEWAY_S, LIFETIME_MAX_S, Shape, Store, new_directory};
use crate::support::ids::Ids;
use crate::support::print_heading;
use crate::support::stats::percentile;
use crate::support::table::{Table, whole};

const LARGE: &str = "https://large.example";
const SMALL: &str = "https://small.example";

/// One entry of so many is of the small issuer.
const SMALL_SHARE: u64 = 1_000;

/// Subjects; a prime, so that the tokens of each lie far apart.
const SUBJECTS: u64 = 100_003;

/// Entries for each cutoff.
const CUTOFF_SHARE: u64 = 1_000;

/// Entries of one page.
const PAGE: usize = 100;

/// Lists `entries`, and a hundredth of them beside: what a page costs must not grow with what there is.
pub(crate) fn measure(entries: u64) {
    print_heading(&format!("Lists of {entries} entries and of a hundredth, pages of {PAGE}, while somebody revokes"));
    let mut table = Table::new(&["", "entries", "pages", "p50, ms", "p99, ms", "most, ms", "late"]);
    for entries in [entries / 100, entries] {
        list_all(entries, &mut table);
    }
    table.print();
}

fn issuer(name: &'static str) -> Issuer<'static> {
    Issuer::parse(name).unwrap_or_else(|error| panic!("{error}"))
}

fn list_all(entries: u64, table: &mut Table) {
    let limits = |name| IssuerLimits {
        issuer: issuer(name),
        lifetime_max_s: LIFETIME_MAX_S,
        lifetime_max_name: LIFETIME_MAX,
        leeway_s: LEEWAY_S,
        clock_skew_s: CLOCK_SKEW_S,
        naming: Naming::default(),
    };
    let issuers = Issuers::named(vec![limits(LARGE), limits(SMALL)]).unwrap_or_else(|| panic!("two issuers"));
    let store = Store::open_for(issuers, &new_directory("list"), Shape::default());
    let now = store.denylist.clock().now().earliest;
    // Ends spread over a month: some two hundred buckets to merge.
    let exp = |number: u64| now.plus(DAY_S + (number.wrapping_mul(7_919) % (29 * 86_400)) as i64);
    let revoke = |number: u64| {
        let revocation = Revocation {
            issuer: issuer(if number.is_multiple_of(SMALL_SHARE) { SMALL } else { LARGE }),
            jti: Jti::parse(Ids::new(1).at(number)).unwrap_or_else(|error| panic!("{error}")),
            sub: Some(subject(number)),
            exp: exp(number),
            reason: None,
        };
        RevokeRequest { revocation, proof: Proof::Asserted }
    };
    store.load_all(0, entries, revoke);
    for number in 0..entries / CUTOFF_SHARE {
        log_out(&store, number);
    }
    store.settle();
    let of = |name| Some(issuer(name));
    let lists: [(&str, ListFilter, u64); 5] = [
        ("everything", ListFilter::default(), entries + entries / CUTOFF_SHARE),
        (
            "a subject",
            ListFilter { issuer: of(LARGE), sub: Some(subject(entries / 2 + 1)), ..ListFilter::default() },
            of_subject(entries / 2 + 1, entries),
        ),
        ("sessions", ListFilter { kind: Some(Selector::Sid), ..ListFilter::default() }, entries / CUTOFF_SHARE),
        (
            "tokens of the large issuer",
            ListFilter { issuer: of(LARGE), kind: Some(Selector::Jti), ..ListFilter::default() },
            entries - entries / SMALL_SHARE,
        ),
        (
            "the small issuer, one of a thousand",
            ListFilter { issuer: of(SMALL), ..ListFilter::default() },
            entries / SMALL_SHARE,
        ),
    ];
    let before = store.denylist.status().last_seq;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| revoke_on(&store, entries, &stop, revoke));
        for (name, filter, there) in lists {
            table.row(walk(&store, name, &filter, there, before));
        }
        stop.store(true, Ordering::Relaxed);
    });
    store.stop();
}

fn subject(number: u64) -> Subject<'static> {
    Subject::parse(format!("subject-{}", number % SUBJECTS)).unwrap_or_else(|error| panic!("{error}"))
}

/// How many tokens at the large issuer the subject of that number has.
fn of_subject(number: u64, entries: u64) -> u64 {
    let is_theirs = |other: &u64| other % SUBJECTS == number % SUBJECTS && !other.is_multiple_of(SMALL_SHARE);
    (0..entries).filter(is_theirs).count() as u64
}

fn log_out(store: &Store, number: u64) {
    let request = LogOutRequest {
        issuer: issuer(LARGE),
        target: Target::Sid(Sid::parse(Ids::new(3).at(number)).unwrap_or_else(|error| panic!("{error}"))),
        issued_before: None,
        by_issuers_clock: false,
        reason: None,
    };
    let outcome = store.block_on(store.denylist.log_out(request, Origin::INTERNAL, true));
    assert!(matches!(outcome, Ok(LogOutOutcome::Stored { .. })), "{outcome:?}");
}

/// Some three thousand revocations a second, ten at a time.
fn revoke_on(store: &Store, from: u64, stop: &AtomicBool, revoke: impl Fn(u64) -> RevokeRequest) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.unwrap_or_else(|error| panic!("runtime: {error}"));
    let mut next = from;
    while !stop.load(Ordering::Relaxed) {
        let requests = (next..next + 10).map(&revoke).collect();
        next += 10;
        // Too far behind for a moment is no harm here.
        let _ = runtime.block_on(store.denylist.revoke(requests, Origin::INTERNAL, false));
        std::thread::sleep(Duration::from_millis(3));
    }
}

/// Walks one list to its end; of what was there `before`, every entry must come once.
fn walk(store: &Store, name: &str, filter: &ListFilter, there: u64, before: Seq) -> Vec<String> {
    let (mut millis, mut late) = (Vec::new(), 0);
    let mut listed: HashMap<Key, Seq> = HashMap::new();
    let mut next = None;
    loop {
        let begun = Instant::now();
        let page = store.block_on(store.denylist.list(filter.clone(), next, PAGE));
        millis.push(begun.elapsed().as_secs_f64() * 1e3);
        let Ok(page) = page else {
            late += 1;
            assert!(late < 1_000, "{name}: no page comes: {page:?}");
            continue;
        };
        for entry in page.entries.iter().filter(|entry| entry.seq <= before) {
            assert!(listed.insert(entry.key, entry.seq).is_none(), "{name}: an entry comes twice");
        }
        match page.next {
            Some(seq) => next = Some(seq),
            None => break,
        }
    }
    assert_eq!(listed.len() as u64, there, "{name}: an entry is left out, or comes that was not there");
    vec![
        name.to_owned(),
        whole(as_f64(there)),
        whole(as_f64(millis.len() as u64)),
        format!("{:.2}", percentile(&mut millis, 0.5)),
        format!("{:.2}", percentile(&mut millis, 0.99)),
        format!("{:.1}", percentile(&mut millis, 1.0)),
        late.to_string(),
    ]
}
