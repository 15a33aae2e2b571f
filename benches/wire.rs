//! revokd over the wire, beside its yardsticks: Redis, and a bare loop that answers a constant.
//!
//! `scripts/bench wire check|auth|batch|gateways|revoke|memory|yardsticks`, with `--runs N`, `--seconds N`, `--entries N`, and for
//! `memory` also `--settle SECONDS` and `--redis-only`. The server has one core, the client the other.
#![allow(clippy::print_stdout, reason = "a bench prints its table")]

mod support;
mod wire {
    //! The parts of this program.
    pub(crate) mod auth;
    pub(crate) mod bare_loop;
    pub(crate) mod contests;
    pub(crate) mod gateways;
    pub(crate) mod http;
    pub(crate) mod load;
    pub(crate) mod memory;
    pub(crate) mod servers;
}

use support::argument;

fn main() {
    // Cargo adds --bench.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.first().map_or("", String::as_str) {
        "bare-loop" => {
            let port = args.get(1).and_then(|port| port.parse().ok()).unwrap_or_else(|| panic!("bare-loop PORT"));
            wire::bare_loop::serve(port).unwrap_or_else(|error| panic!("bare loop: {error}"));
        }
        "check" => wire::contests::check(argument("--entries", 1_000_000)),
        "auth" => wire::auth::auth(),
        "batch" => wire::contests::batch(argument("--entries", 1_000_000)),
        "revoke" => wire::contests::revoke(),
        "gateways" => wire::gateways::latency(),
        "memory" => wire::memory::compare(argument("--entries", 2_000_000), argument("--settle", 60)),
        "yardsticks" => wire::contests::yardsticks(),
        other => panic!("say check, auth, batch, gateways, revoke, memory or yardsticks, not {other:?}"),
    }
}
