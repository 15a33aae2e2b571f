//! What every bench program shares: interleaved runs, medians with their spread, tables, a look at processes, and ids.
//!
//! Each program uses a part of it, so what one leaves unused is no fault.
#![allow(dead_code, reason = "every bench uses a part")]
#![allow(clippy::print_stdout, reason = "a bench prints its table")]

pub(crate) mod ids;
pub(crate) mod process;
pub(crate) mod stats;
pub(crate) mod table;

use std::process::Command;

/// Runs of each contender, unless the command line says otherwise: an odd number, so that the median is a run.
pub(crate) const RUNS: usize = 7;

/// Prints what a table of figures means nothing without: title, machine, kernel, compiler and date.
pub(crate) fn print_heading(title: &str) {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let model = model.trim_start_matches(['\t', ' ', ':']);
    let memory_gib = process::field_bytes("/proc/meminfo", "MemTotal").unwrap_or(0) >> 30;
    let said = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output();
        output.map_or_else(|_| "?".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    println!("\n## {title}\n");
    println!(
        "{model}, {cores} cores, {memory_gib} GiB; Linux {}; {}; {}\n",
        said("uname", &["-r"]),
        said("rustc", &["--version"]),
        said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
    );
}

/// The number that follows `flag` on the command line, or `default`.
///
/// # Panics
/// If what follows is no number.
#[must_use]
pub(crate) fn argument(flag: &str, default: u64) -> u64 {
    let mut args = std::env::args().skip_while(|arg| arg != flag).skip(1);
    let Some(text) = args.next() else { return default };
    text.replace('_', "").parse().unwrap_or_else(|_| panic!("{flag} takes a number, not {text:?}"))
}
