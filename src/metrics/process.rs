//! The usual metrics of a process, read from `/proc` when somebody asks.

use std::fs;

use metrics::{Counter, Gauge};

use super::registrar::Registrar;
use crate::clock;

/// `process_*`, as every Prometheus client names them.
pub(super) struct ProcessMetrics {
    cpu_seconds: Counter,
    resident_bytes: Gauge,
    open_fds: Gauge,
    max_fds: Gauge,
    uptime: Gauge,
}

impl ProcessMetrics {
    pub(super) fn register(registrar: &Registrar) -> Self {
        let gauge = |name, help| registrar.gauge(name, help, &[]);
        Self {
            cpu_seconds: registrar.counter(
                "process_cpu_seconds_total",
                "CPU time spent by the process, whole seconds",
                &[],
            ),
            resident_bytes: gauge("process_resident_memory_bytes", "Resident memory of the process"),
            open_fds: gauge("process_open_fds", "Open file descriptors"),
            max_fds: gauge("process_max_fds", "Most file descriptors that the process may open"),
            uptime: gauge("revokd_uptime_seconds", "Seconds since the process was started"),
        }
    }

    /// Reads the present values. What cannot be read keeps its last value.
    pub(super) fn observe(&self) {
        if let Ok(entries) = fs::read_dir("/proc/self/fd") {
            self.open_fds.set(to_f64(entries.count() as u64));
        }
        let limits = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        self.max_fds.set(limits.current.map_or(f64::INFINITY, to_f64));
        let ticks_per_s = rustix::param::clock_ticks_per_second().max(1);
        if let Some(stat) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(Stat::parse) {
            self.cpu_seconds.absolute(stat.cpu_ticks / ticks_per_s);
            self.resident_bytes.set(to_f64(stat.resident_pages.saturating_mul(rustix::param::page_size() as u64)));
            self.uptime.set(to_f64(clock::since_boot_s().saturating_sub(stat.start_ticks / ticks_per_s)));
        }
    }
}

/// Exact up to 2^53, which no such figure reaches.
#[allow(clippy::cast_precision_loss)]
const fn to_f64(value: u64) -> f64 {
    value as f64
}

/// What we read of `/proc/self/stat` (proc(5)).
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    cpu_ticks: u64,
    start_ticks: u64,
    resident_pages: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The second field is the program's name in brackets and may hold anything, brackets included.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // `rest` begins with the third field.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self { cpu_ticks: field(14)? + field(15)?, start_ticks: field(22)?, resident_pages: field(24)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_whatever_the_program_is_called() {
        let text = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 140 15 16 17 18 19 20 21 2200 23 2400 25 26";
        assert_eq!(Stat::parse(text), Some(Stat { cpu_ticks: 155, start_ticks: 2200, resident_pages: 2400 }));
        assert_eq!(Stat::parse(""), None);
        assert_eq!(Stat::parse("7 (a) S 1"), None);
    }

    #[test]
    fn this_process_has_memory_and_files() {
        let stat = Stat::parse(&fs::read_to_string("/proc/self/stat").unwrap()).unwrap();
        assert!(stat.resident_pages > 0 && stat.start_ticks > 0);
    }
}
