//! `[store]`, `[audit]`, `[filter]`, `[purge]` and `[clock]`: what is kept, where, and until when.

use std::path::PathBuf;

use confique::Config;
use serde::{Deserialize, Serialize};

use crate::jobs::{self, ScheduleError};

/// The data directory, and what the store may take.
#[derive(Debug, Clone, Config, Serialize)]
pub struct Store {
    /// The data directory, made with mode 0700 at the first start. It holds `admin.key`, `journal/`, `audit/` and `index/`. Only one
    /// server at a time may hold it. A relative path starts at this file's directory; given by environment or flag, at the
    /// working directory.
    #[config(default = "./data")]
    pub path: PathBuf,

    /// Size of one journal segment, bytes; allocated in advance. 1,048,576 to 4,294,967,296.
    #[config(default = 67_108_864)]
    pub segment_bytes: u64,

    /// Memory that the index may use to cache pages, bytes as they lie on disk; in memory they take several times that.
    /// Few checks read the index, and what is not cached here lies in the system's page cache. 1,048,576 to
    /// 1,099,511,627,776.
    #[config(default = 16_777_216)]
    pub cache_bytes: u64,

    /// Most entries that wait in memory for the index to take them; they are durable in the journal already.
    /// 1 to 10,000,000.
    #[config(default = 65_536)]
    pub overlay_entries_max: usize,

    /// How long opening the index may take, or proving it or taking entries in stand still, before it is given up and
    /// rebuilt from the journal, milliseconds. 100 to 3,600,000.
    #[config(default = 60_000)]
    pub open_timeout_ms: u64,
}

/// How long it is known who did what.
#[derive(Debug, Clone, Config, Serialize)]
pub struct Audit {
    /// How long a record outlives what it tells of, seconds: a revocation's is kept for so long after the revocation has
    /// ended. 0 to 315,360,000.
    #[config(default = 2_592_000)]
    pub keep_s: i64,

    /// Size of the archive, bytes: what is older than the journal's own needs. Beyond it the oldest records go before their
    /// time, and the log and a metric say so; no revocation is ever refused for it. 1,048,576 to 1,125,899,906,842,624.
    #[config(default = 4_294_967_296_u64)]
    pub bytes_max: u64,
}

/// The Bloom filters that answer almost every check without reading the index.
#[derive(Debug, Clone, Config, Serialize)]
pub struct Filter {
    /// Share of never-revoked tokens for which the filter says "maybe", so that the index must be read. Smaller takes more
    /// memory: 1e-4 takes about 20 bits an entry. 1e-9 to 0.5.
    #[config(default = 0.0001)]
    pub false_positive_rate: f64,

    /// Entries that the filter has room for at least; it grows by itself. 1,000 to 1,000,000,000.
    #[config(default = 1_000_000)]
    pub capacity_min: u64,

    /// `"on"`, or `"off"`: every check reads the index. No answer changes, only the time it takes.
    #[config(default = "on")]
    pub mode: FilterMode,
}

/// Whether the filters are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FilterMode {
    /// A "no" of the filters is believed.
    On,
    /// Every check reads the index (promise 4: with the same answers).
    Off,
}

/// When ended entries are dropped.
#[derive(Debug, Clone, Config, Serialize)]
pub struct Purge {
    /// When to drop what has ended: a cron expression of six fields (second minute hour day month weekday) in UTC, or
    /// `"off"`. A purge also runs at start. No answer depends on it, only memory and disk do.
    #[config(default = "0 * * * * *")]
    pub schedule: Schedule,
}

/// When the purge runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Schedule {
    /// Never by itself.
    Off,
    /// A cron expression of six fields, UTC, that has been parsed once.
    Cron(String),
}

impl TryFrom<String> for Schedule {
    type Error = ScheduleError;

    fn try_from(text: String) -> Result<Self, ScheduleError> {
        jobs::validate_schedule(&text)?;
        Ok(if text == "off" { Self::Off } else { Self::Cron(text) })
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> Self {
        match schedule {
            Schedule::Off => "off".to_owned(),
            Schedule::Cron(text) => text,
        }
    }
}

/// When the wall clock is doubted. While it is, nothing live ends early and nothing new is lost.
#[derive(Debug, Clone, Config, Serialize)]
pub struct Clock {
    /// Largest jump of the wall clock that is believed, seconds; small ones add up. 1 to 86,400.
    #[config(default = 3_600)]
    pub step_max_s: i64,

    /// How long a doubted clock must keep step before it is believed again, seconds; `revokd purge --trust-clock` ends the
    /// doubt at once. 60 to 31,536,000.
    #[config(default = 86_400)]
    pub hold_s: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_has_six_fields_or_is_off() {
        assert_eq!(Schedule::try_from("off".to_owned()).unwrap(), Schedule::Off);
        for good in ["0 * * * * *", "*/1 * * * * *", "30 0 3 * * MON-FRI"] {
            assert_eq!(Schedule::try_from(good.to_owned()).unwrap(), Schedule::Cron(good.to_owned()));
        }
        for bad in
            ["", "* * * * *", "60 * * * * *", "* * * * * x", "0 * * * * * 2030", "@hourly", "OFF", "every minute"]
        {
            assert!(Schedule::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
