//! The core without the wire, each program beside its yardstick.
//!
//! `scripts/bench in_process check|revoke|purge|lifetimes|list|memory`, with `--entries N`, `--runs N` and what each program
//! says of itself. The clock is moved by hand; everything else is set up as shipped.
#![allow(clippy::print_stdout, reason = "a bench prints its table")]
#![allow(clippy::cast_possible_wrap, clippy::unchecked_time_subtraction, reason = "small counts; times that only grow")]

mod support;
mod in_process {
    //! The parts of this program.
    pub(crate) mod check;
    pub(crate) mod lifetimes;
    pub(crate) mod list;
    pub(crate) mod memory;
    pub(crate) mod purge;
    pub(crate) mod revoke;
    pub(crate) mod store;
}

use in_process::{check, lifetimes, list, memory, purge, revoke};
use support::{RUNS, argument};

/// As the binary is shipped.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    // Cargo adds --bench.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let runs = usize::try_from(argument("--runs", RUNS as u64)).unwrap_or(RUNS);
    match args.first().map_or("", String::as_str) {
        "check" => check::compare(argument("--entries", 10_000_000), runs),
        "maybe" => check::churn(argument("--entries", 200_000)),
        "revoke" => revoke::compare(runs, argument("--seconds", 5)),
        "purge" => purge::measure(argument("--entries", 1_000_000)),
        "lifetimes" => lifetimes::measure(argument("--entries", 1_500_000)),
        "list" => list::measure(argument("--entries", 1_000_000)),
        "memory" => memory::measure(argument("--entries", 2_000_000), argument("--settle", 60)),
        "memory-load" => memory::load_and_report(argument("--entries", 0), argument("--settle", 60)),
        "memory-start" => memory::start_and_report(),
        other => panic!("say check, maybe, revoke, purge, lifetimes, list or memory, not {other:?}"),
    }
}
