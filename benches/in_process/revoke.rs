//! Durable revokes by 64 callers, each waiting for its answer before it asks again; beside a bare loop that appends the
//! same bytes per group to a file on the same disk and calls `fdatasync`.

use std::cell::Cell;
use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use revokd::denylist::Outcome;
use revokd::event::Origin;
use revokd::readiness::Readiness;

use super::memory::{as_f64, lifetime_s};
use super::store::{START, Shape, Store, event_bytes, new_directory, request};
use crate::support::ids::Ids;
use crate::support::print_heading;
use crate::support::process::Process;
use crate::support::stats::{Runs, interleave};
use crate::support::table::{Table, percent, whole};

const CALLERS: u64 = 64;

/// Bytes of a frame beside its events.
const FRAME_BYTES: u64 = 104;

/// How far the bare loop's file is filled with zeros in advance, as the journal is.
const ZEROED_BYTES: u64 = 64 << 20;

/// One run: entries a second, entries a group, processor time an entry in microseconds.
type Figures = (f64, f64, f64);

/// Both, by turns.
pub(crate) fn compare(runs: usize, seconds: u64) {
    print_heading("Durable revokes in process by 64 callers");
    let directory = new_directory("revoke");
    let store = Store::open(&directory, Shape::default());
    let length = Duration::from_secs(seconds);
    let per_group = Cell::new(as_f64(CALLERS));
    let mut revokes = |turn| {
        let figures = revokd(&store, turn, length);
        per_group.set(figures.1);
        figures
    };
    let mut bare = |_| bare_loop(&directory.join("bare"), per_group.get(), length);
    let measured = interleave(runs, &mut [&mut revokes, &mut bare]);
    let mut table = Table::new(&["", "entries/s", "spread", "entries a group", "CPU, us an entry"]);
    let rate = |figures: &[Figures]| Runs(figures.iter().map(|figures| figures.0).collect());
    for (name, figures) in ["revokd", "bare write and fdatasync"].iter().zip(&measured) {
        let group = Runs(figures.iter().map(|figures| figures.1).collect());
        let cpu = Runs(figures.iter().map(|figures| figures.2).collect());
        table.row(vec![
            (*name).to_owned(),
            whole(rate(figures).median()),
            percent(rate(figures).spread()),
            format!("{:.1}", group.median()),
            format!("{:.1}", cpu.median()),
        ]);
    }
    table.print();
    println!("revokd over the bare loop: {:.2}\n", rate(&measured[0]).over(&rate(&measured[1])).median());
    store.stop();
}

fn revokd(store: &Store, turn: u64, length: Duration) -> Figures {
    let (before, syncs, cpu) = (store.denylist.status().records, syncs(store), Process::Own.cpu_time());
    let begun = Instant::now();
    let ids = Ids::new(100 + turn);
    let done = store.block_on(async {
        let mut callers = tokio::task::JoinSet::new();
        for caller in 0..CALLERS {
            let denylist = store.denylist.clone();
            callers.spawn(async move {
                let mut number = caller;
                while begun.elapsed() < length {
                    let request = request(ids.at(number), START.plus(lifetime_s(number)));
                    let outcomes = denylist.revoke(vec![request], Origin::INTERNAL, false).await;
                    let outcomes = outcomes.unwrap_or_else(|error| panic!("revoke: {error}"));
                    assert!(matches!(outcomes[..], [Outcome::Stored { .. }]), "it is stored");
                    number += CALLERS;
                }
                number / CALLERS
            });
        }
        callers.join_all().await.into_iter().sum::<u64>()
    });
    let took = begun.elapsed();
    assert_eq!(store.denylist.status().records - before, done, "each makes a record");
    let groups = self::syncs(store) - syncs;
    store.settle();
    let cpu = Process::Own.cpu_time() - cpu;
    (as_f64(done) / took.as_secs_f64(), as_f64(done) / groups, cpu.as_secs_f64() * 1e6 / as_f64(done))
}

/// Syncs of the journal so far.
fn syncs(store: &Store) -> f64 {
    store.metrics.upkeep();
    let text = store.metrics.render(&Readiness::new());
    let count = text.lines().find_map(|line| line.strip_prefix("revokd_store_sync_duration_seconds_count"));
    count.and_then(|count| count.trim().parse().ok()).unwrap_or_default()
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few thousand bytes")]
fn bare_loop(path: &Path, per_group: f64, length: Duration) -> Figures {
    let failed = |error: std::io::Error| -> ! { panic!("{}: {error}", path.display()) };
    let bytes = vec![b'x'; (as_f64(event_bytes()) * per_group).round() as usize + FRAME_BYTES as usize];
    let mut file = File::create(path).unwrap_or_else(|error| failed(error));
    file.write_all(&vec![0; ZEROED_BYTES as usize]).unwrap_or_else(|error| failed(error));
    file.sync_all().unwrap_or_else(|error| failed(error));
    file.seek(SeekFrom::Start(0)).unwrap_or_else(|error| failed(error));
    let (begun, cpu) = (Instant::now(), Process::Own.cpu_time());
    let (mut groups, mut written) = (0, 0);
    while begun.elapsed() < length {
        written += bytes.len() as u64;
        if written > ZEROED_BYTES {
            written = bytes.len() as u64;
            file.seek(SeekFrom::Start(0)).unwrap_or_else(|error| failed(error));
        }
        file.write_all(&bytes).unwrap_or_else(|error| failed(error));
        file.sync_data().unwrap_or_else(|error| failed(error));
        groups += 1;
    }
    let entries = as_f64(groups) * per_group;
    let cpu = Process::Own.cpu_time() - cpu;
    (entries / begun.elapsed().as_secs_f64(), per_group, cpu.as_secs_f64() * 1e6 / entries)
}
