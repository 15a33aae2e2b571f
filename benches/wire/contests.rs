//! The contests: who serves how much on one core, in turns.

use revokd::clock::{Clock, ClockSettings};

use super::load::{Rate, fill_redis, fill_revokd, redis_benchmark, wrk};
use super::servers::{Durability, Server};
use crate::support::ids::Ids;
use crate::support::stats::{Runs, interleave};
use crate::support::table::{Table, percent, whole};
use crate::support::{RUNS, argument, print_heading};

/// Seed of the ids that are revoked; the load asks about others.
const REVOKED: Ids = Ids::new(1);
const EXISTS: &[&str] = &["EXISTS", "revoked:__rand_int__"];
const SET: &[&str] = &["SET", "revoked:__rand_int__", "1", "EX", "3600"];

/// One contender: its name, and one run of it, which is given a number that no other run has.
type Contender<'a> = (&'a str, &'a mut dyn FnMut(u64) -> Rate);

/// One check per request against Redis `EXISTS` and against the bare loop, 50 connections each.
pub(crate) fn check(entries: u64) {
    let (revokd, redis, bare) = (Server::revokd(), Server::redis(Durability::None), Server::bare_loop());
    fill(&revokd, &redis, entries);
    let seconds = argument("--seconds", 5);
    let requests = calibrate(seconds, |requests| redis_benchmark(&redis, 50, requests, 1, EXISTS));
    print_heading(&format!("One check per request, 50 connections, {} entries", whole_u64(entries)));
    compare(&mut [
        ("revokd `GET /check/{jti}`", &mut |run| wrk(&revokd, "check.lua", 50, seconds, run, 1.0)),
        ("Redis `EXISTS`", &mut |_| redis_benchmark(&redis, 50, requests, 1, EXISTS)),
        ("bare loop, constant", &mut |run| wrk(&bare, "check.lua", 50, seconds, run, 1.0)),
    ]);
}

/// A hundred checks per request against Redis pipelined by a hundred, 50 connections each.
pub(crate) fn batch(entries: u64) {
    let (revokd, redis) = (Server::revokd(), Server::redis(Durability::None));
    fill(&revokd, &redis, entries);
    let seconds = argument("--seconds", 5);
    let requests = calibrate(seconds, |requests| redis_benchmark(&redis, 50, requests, 100, EXISTS));
    print_heading(&format!("100 checks per request, 50 connections, {} entries", whole_u64(entries)));
    compare(&mut [
        ("revokd `POST /check`, 100 ids", &mut |run| wrk(&revokd, "batch.lua", 50, seconds, run, 100.0)),
        ("Redis `EXISTS`, pipelined by 100", &mut |_| redis_benchmark(&redis, 50, requests, 100, EXISTS)),
    ]);
}

/// Durable revokes by 64 clients against `SET … EX` with `appendfsync always`, on the same disk.
pub(crate) fn revoke() {
    let (revokd, redis) = (Server::revokd(), Server::redis(Durability::Always));
    let seconds = argument("--seconds", 5);
    let requests = calibrate(seconds, |requests| redis_benchmark(&redis, 64, requests, 1, SET));
    print_heading("Durable revokes by 64 clients");
    compare(&mut [
        ("revokd `POST /revoke`", &mut |run| wrk(&revokd, "revoke.lua", 64, seconds, run, 1.0)),
        ("Redis `SET … EX`, fsync always", &mut |_| redis_benchmark(&redis, 64, requests, 1, SET)),
    ]);
}

/// The yardsticks alone, to see what the machine gives today.
pub(crate) fn yardsticks() {
    let (redis, durable, bare) =
        (Server::redis(Durability::None), Server::redis(Durability::Always), Server::bare_loop());
    let seconds = argument("--seconds", 5);
    let one = calibrate(seconds, |requests| redis_benchmark(&redis, 50, requests, 1, EXISTS));
    let hundred = calibrate(seconds, |requests| redis_benchmark(&redis, 50, requests, 100, EXISTS));
    let set = calibrate(seconds, |requests| redis_benchmark(&durable, 64, requests, 1, SET));
    print_heading("The yardsticks");
    compare(&mut [
        ("bare loop, constant", &mut |run| wrk(&bare, "check.lua", 50, seconds, run, 1.0)),
        ("Redis `EXISTS`", &mut |_| redis_benchmark(&redis, 50, one, 1, EXISTS)),
        ("Redis `EXISTS`, pipelined by 100", &mut |_| redis_benchmark(&redis, 50, hundred, 100, EXISTS)),
        ("Redis `SET … EX`, fsync always", &mut |_| redis_benchmark(&durable, 64, set, 1, SET)),
    ]);
}

/// Lets the contenders take turns and prints what they did; the first is held against each of the others.
pub(crate) fn compare(contenders: &mut [Contender<'_>]) {
    let names: Vec<&str> = contenders.iter().map(|(name, _)| *name).collect();
    let mut turns: Vec<&mut dyn FnMut(u64) -> Rate> = contenders.iter_mut().map(|(_, run)| &mut **run as _).collect();
    let runs = usize::try_from(argument("--runs", RUNS as u64)).unwrap_or(RUNS);
    let measured = interleave(runs, &mut turns);

    let mut table =
        Table::new(&["", "per second", "least", "most", "spread", "server CPU, us/request", "first / this"]);
    let rates = |rates: &[Rate]| Runs(rates.iter().map(|rate| rate.per_s).collect());
    let first = rates(&measured[0]);
    for (name, measured) in names.iter().zip(&measured) {
        let (rate, cpu) = (rates(measured), Runs(measured.iter().map(|rate| rate.cpu_us).collect()));
        table.row(vec![
            (*name).to_owned(),
            whole(rate.median()),
            whole(rate.least()),
            whole(rate.most()),
            percent(rate.spread()),
            format!("{:.1}", cpu.median()),
            format!("{:.2}", first.over(&rate).median()),
        ]);
    }
    table.print();
    println!("Median of {runs} interleaved runs; spread is most minus least over the median.");
}

/// Fills both stores with the same entries.
fn fill(revokd: &Server, redis: &Server, entries: u64) {
    fill_revokd(revokd, REVOKED, entries, now());
    fill_redis(redis, REVOKED, entries);
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    Clock::system(ClockSettings { step_max_s: 3_600, hold_s: 86_400 }).now().latest.0
}

/// How many requests keep a client that counts them busy for `seconds`; warms the server up on the way.
fn calibrate(seconds: u64, run: impl Fn(u64) -> Rate) -> u64 {
    let per_s = run(20_000).per_s;
    let per_s = run(whole_number(per_s)).per_s;
    whole_number(per_s) * seconds
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate: positive and far below 2^52")]
fn whole_number(rate: f64) -> u64 {
    rate as u64
}

#[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
fn whole_u64(count: u64) -> String {
    whole(count as f64)
}
