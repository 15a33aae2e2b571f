//! What the same entries cost in revokd and in Redis: memory, disk, and the time of a start.

use std::thread::sleep;
use std::time::Duration;

use super::contests::now;
use super::load::{fill_redis, fill_revokd};
use super::servers::{Durability, Server};
use crate::support::ids::Ids;
use crate::support::print_heading;
use crate::support::process::disk_bytes;
use crate::support::table::{Table, mib, whole};

/// Loads `entries` into both and prints what they hold `settle_s` seconds later.
pub(crate) fn compare(entries: u64, settle_s: u64) {
    print_heading(&format!("Memory and disk at {entries} entries, {settle_s} s after load"));
    let mut table = Table::new(&["", "memory", "bytes an entry", "peak", "disk", "start, s", "memory after start"]);
    if !std::env::args().any(|arg| arg == "--redis-only") {
        table.row(row("revokd", Server::revokd(), settle_s, entries, |server| {
            fill_revokd(server, Ids::new(1), entries, now());
        }));
    }
    // The same durability as revokd's, or the comparison of disks would mean nothing.
    table.row(row("Redis, append-only file", Server::redis(Durability::Always), settle_s, entries, |server| {
        fill_redis(server, Ids::new(1), entries);
    }));
    table.print();
}

fn row(name: &str, server: Server, settle_s: u64, entries: u64, fill: impl FnOnce(&Server)) -> Vec<String> {
    let empty = server.process().resident_bytes();
    fill(&server);
    sleep(Duration::from_secs(settle_s));
    let (memory, peak) = (server.process().resident_bytes(), server.process().peak_bytes());
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let per_entry = memory.saturating_sub(empty) as f64 / entries as f64;
    let disk = disk_bytes(&server.directory);
    let again = server.restart();
    vec![
        name.to_owned(),
        mib(memory),
        whole(per_entry),
        mib(peak),
        mib(disk),
        format!("{:.2}", again.start.as_secs_f64()),
        mib(again.process().resident_bytes()),
    ]
}
