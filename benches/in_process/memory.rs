//! What so many entries cost: memory, disk, and the time of a start with the index proven, behind, and rebuilt.
//!
//! Load and starts are processes of their own, so that each peak is its own. Files are in the page cache throughout.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use super::store::{DAY_S, Shape, Store, new_directory};
use crate::support::ids::Ids;
use crate::support::print_heading;
use crate::support::process::{Process, disk_bytes};
use crate::support::table::{Table, mib, whole};

/// sled hands everything to the operating system every five seconds.
const ALL_HANDED_OVER: Duration = Duration::from_secs(7);

const NAME: &str = "memory";

/// Runs all of it, in child processes.
pub(crate) fn measure(entries: u64, settle_s: u64) {
    print_heading(&format!("Memory, disk and start at {entries} entries"));
    let directory = new_directory(NAME);
    child(&["memory-load", "--entries", &entries.to_string(), "--settle", &settle_s.to_string()]);
    let mut table = Table::new(&["start", "ready, s", "memory when ready", "peak"]);
    for (name, prepare) in [
        ("index proven", &(|| {}) as &dyn Fn()),
        ("index behind by a tenth", &|| put_back_older_index(&directory)),
        ("index rebuilt from nothing", &|| remove(&directory.join("index"))),
        ("index proven again", &|| {}),
    ] {
        prepare();
        let said = child(&["memory-start"]);
        let mut figures = said.split_whitespace().filter_map(|figure| figure.parse::<u64>().ok());
        let [millis, memory, peak, rebuilt] = std::array::from_fn(|_| figures.next().unwrap_or_default());
        assert_eq!(rebuilt, 0, "{name}: the index was doubted");
        table.row(vec![name.to_owned(), format!("{:.2}", seconds(millis)), mib(memory), mib(peak)]);
    }
    table.print();
    remove(&directory);
}

/// The first child: loads, and prints what that costs. Keeps a copy of the index as it was at nine tenths.
pub(crate) fn load_and_report(entries: u64, settle_s: u64) {
    let directory = existing();
    let empty = Process::Own.resident_bytes();
    let store = Store::open(&directory, Shape::default());
    let begun = Instant::now();
    let (ids, nine_tenths) = (Ids::new(1), entries / 10 * 9);
    store.load(ids, 0, nine_tenths, lifetime_s);
    let mut took = begun.elapsed();
    sleep(ALL_HANDED_OVER);
    copy_when_still(&directory.join("index"), &directory.join("older-index"));
    let begun = Instant::now();
    store.load(ids, nine_tenths, entries, lifetime_s);
    took += begun.elapsed();
    let load_peak = Process::Own.peak_bytes();
    sleep(Duration::from_secs(settle_s));
    let memory = Process::Own.resident_bytes();
    let status = store.denylist.status();
    Process::Own.forget_peak();
    let refills = status.refills;
    let begun = Instant::now();
    store.denylist.refill();
    while store.denylist.status().refills == refills {
        sleep(Duration::from_millis(5));
    }
    let refill = begun.elapsed();
    let refill_peak = Process::Own.peak_bytes();
    let mut table = Table::new(&["after load", "figure"]);
    let per_entry = |bytes: u64| whole(as_f64(bytes) / as_f64(entries));
    for (name, figure) in [
        ("entries", whole(as_f64(status.records))),
        ("loaded, entries/s, index included", whole(as_f64(entries) / took.as_secs_f64())),
        ("memory, empty", mib(empty)),
        (&format!("memory, {settle_s} s after load"), mib(memory)),
        ("memory, bytes an entry", per_entry(memory.saturating_sub(empty))),
        ("peak of the load", mib(load_peak)),
        ("peak of a refill", mib(refill_peak)),
        ("a refill takes at most, s", format!("{:.2}", refill.as_secs_f64())),
        ("front filter", mib(status.filter.map_or(0, |filter| filter.bytes))),
        ("bucket filters", mib(status.bucket_filter_bytes)),
        ("buckets", whole(as_f64(status.buckets as u64))),
        ("disk, journal", mib(disk_bytes(&directory.join("journal")))),
        ("disk, index", mib(disk_bytes(&directory.join("index")))),
    ] {
        table.row(vec![name.to_owned(), figure]);
    }
    table.print();
    store.stop();
}

/// The other children: open, and print milliseconds, memory and peak in bytes, and 1 if the index was
/// doubted.
pub(crate) fn start_and_report() {
    let store = Store::open(&existing(), Shape::default());
    let millis = store.start.as_millis();
    let (memory, peak) = (Process::Own.resident_bytes(), Process::Own.peak_bytes());
    println!("{millis} {memory} {peak} {}", u8::from(store.rebuilt));
    store.stop();
}

/// From an hour to a day, so that about a hundred buckets are in use.
pub(crate) fn lifetime_s(number: u64) -> i64 {
    3_600 + i64::try_from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).unwrap_or(0) % (DAY_S - 3_600)
}

fn existing() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench/in-process").join(NAME)
}

fn child(args: &[&str]) -> String {
    let program = std::env::current_exe().unwrap_or_else(|error| panic!("own program: {error}"));
    let cache_mib = (Shape::default().cache_bytes >> 20).to_string();
    let output = Command::new(program)
        .args(args)
        .args(["--cache-mib", &cache_mib])
        .output()
        .unwrap_or_else(|error| panic!("{args:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    if args[0] == "memory-load" {
        print!("{said}");
    }
    said
}

fn put_back_older_index(directory: &Path) {
    let index = directory.join("index");
    remove(&index);
    fs::rename(directory.join("older-index"), &index).unwrap_or_else(|error| panic!("{}: {error}", index.display()));
}

fn remove(path: &Path) {
    fs::remove_dir_all(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// Copies between two writes of sled's: of files that change meanwhile, a copy is neither what was nor what is.
fn copy_when_still(from: &Path, to: &Path) {
    loop {
        let before = changes(from);
        copy(from, to);
        if changes(from) == before {
            return;
        }
        remove(to);
    }
}

/// Every file, its length and when it was written last.
fn changes(path: &Path) -> Vec<(PathBuf, u64, SystemTime)> {
    let failed = |error: std::io::Error| -> ! { panic!("{}: {error}", path.display()) };
    let mut found = Vec::new();
    for entry in fs::read_dir(path).unwrap_or_else(|error| failed(error)) {
        let entry = entry.unwrap_or_else(|error| failed(error));
        let metadata = entry.metadata().unwrap_or_else(|error| failed(error));
        if metadata.is_dir() {
            found.extend(changes(&entry.path()));
        } else {
            found.push((entry.path(), metadata.len(), metadata.modified().unwrap_or_else(|error| failed(error))));
        }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    let failed = |error: std::io::Error| panic!("{}: {error}", from.display());
    fs::create_dir_all(to).unwrap_or_else(failed);
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap_or_else(|error| panic!("{}: {error}", entry.path().display()));
        }
    }
}

fn seconds(millis: u64) -> f64 {
    as_f64(millis) / 1_000.0
}

#[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(crate) fn as_f64(figure: u64) -> f64 {
    figure as f64
}
