//! From the config's values to what each part wants to know.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use super::AppError;
use crate::clock::{Clock, ClockSettings};
use crate::config::{self, Config, FilterMode};
use crate::denylist::{OpenIndex, Settings, ShareLimits, Sources};
use crate::http::HttpSettings;
use crate::http::listener::ConnectionLimits;
use crate::index::{self, Index, IndexError};
use crate::issuers::{IssuerLimits, Issuers, LIFETIME_MAX};
use crate::journal::{self, StoreDir};
use crate::token::Issuer;
use crate::verifier::SettingsError;

pub(super) fn connection_limits(server: &config::Server) -> ConnectionLimits {
    ConnectionLimits {
        connections_max: server.connections_max,
        handshake_timeout: Duration::from_millis(server.handshake_timeout_ms),
        header_timeout: Duration::from_millis(server.header_timeout_ms),
        body_timeout: Duration::from_millis(server.body_timeout_ms),
        idle_timeout: Duration::from_millis(server.idle_timeout_ms),
        grace: Duration::from_millis(server.grace_ms),
        ..ConnectionLimits::default()
    }
}

pub(super) fn http_settings(config: &Config) -> HttpSettings {
    HttpSettings {
        body_bytes_max: config.limits.body_bytes_max,
        ndjson_bytes_max: config.limits.ndjson_bytes_max,
        line_bytes_max: config.limits.line_bytes_max,
        bodies_bytes_max: config.limits.bodies_bytes_max,
        batch_ids_max: config.limits.batch_ids_max,
        batch_tokens_max: config.limits.batch_tokens_max,
        in_flight_ids_max: config.server.in_flight_ids_max,
        check_keyless: config.check.keyless,
        check_required: config.check.required.clone(),
        allow_without_exp: config.tokens.allow_without_exp,
        requests_per_s: config.limits.requests_per_s,
        strangers_per_s: config.limits.strangers_per_s,
        public_url: config.server.public_url.clone(),
        gateways: config.gateways.clone(),
        remembered_bytes_max: config.check.remembered_bytes_max,
    }
}

pub(super) fn clock(clock: &config::Clock) -> Clock {
    Clock::system(ClockSettings { step_max_s: clock.step_max_s, hold_s: clock.hold_s })
}

pub(super) fn issuers(config: &Config) -> Result<Issuers, AppError> {
    let tokens = &config.tokens;
    let limits = |settings: &crate::verifier::IssuerSettings| {
        let issuer = Issuer::parse(settings.iss.clone())
            .map_err(|error| SettingsError::Issuer { iss: settings.iss.clone(), fault: error.to_string() })?;
        let own = settings.lifetime_max_s.map(|lifetime_max_s| (lifetime_max_s, "issuers[].lifetime_max_s"));
        let (lifetime_max_s, lifetime_max_name) = own.unwrap_or((tokens.lifetime_max_s, LIFETIME_MAX));
        Ok(IssuerLimits {
            issuer,
            lifetime_max_s,
            lifetime_max_name,
            leeway_s: settings.leeway_s.unwrap_or(tokens.leeway_s),
            clock_skew_s: settings.clock_skew_s,
            naming: settings.naming(),
        })
    };
    let named: Vec<_> = config.issuers.iter().map(limits).collect::<Result<_, SettingsError>>()?;
    Ok(Issuers::named(named).unwrap_or_else(|| Issuers::nameless(tokens.lifetime_max_s, tokens.leeway_s)))
}

pub(super) fn denylist_settings(config: &Config) -> Settings {
    Settings {
        false_positive_rate: config.filter.false_positive_rate,
        capacity_min: usize::try_from(config.filter.capacity_min).unwrap_or(usize::MAX),
        filter_on: config.filter.mode == FilterMode::On,
        overlay_entries_max: config.store.overlay_entries_max,
        index_timeout_ms: config.store.open_timeout_ms,
        index_retry_ms: 1_000,
        waiting_writes_max: config.limits.waiting_writes_max,
        reads_max: config.check.reads_max,
        read_timeout_ms: config.check.read_timeout_ms,
        shares: ShareLimits {
            entries_max: config.limits.entries_max,
            journal_bytes_max: config.limits.journal_bytes_max,
            cutoffs_max: config.limits.cutoffs_max,
        },
        changes_per_entry_max: config.limits.changes_per_entry_max,
        keys_max: config.limits.keys_max,
        heartbeat_s: (config.clock.step_max_s / 4).clamp(1, 600),
    }
}

/// Opens a generation of the index under a watchdog: a damaged sled can hang, and a thread that hangs cannot be killed,
/// so it is left behind with its directory.
fn index_opener(store: &config::Store) -> OpenIndex {
    let timeout = Duration::from_millis(store.open_timeout_ms);
    let cache_bytes = store.cache_bytes;
    index::soften_panics();
    Arc::new(move |path: &Path| {
        let (send, opened) = mpsc::channel();
        let owned = path.to_owned();
        let open = move || drop(send.send(Index::open(&owned, cache_bytes)));
        let hung = || IndexError::Hanging { path: path.to_owned() };
        std::thread::Builder::new().name("index-open".to_owned()).spawn(open).map_err(|_| hung())?;
        opened.recv_timeout(timeout).map_err(|error| match error {
            RecvTimeoutError::Timeout => hung(),
            RecvTimeoutError::Disconnected => IndexError::Panicked { path: path.to_owned() },
        })?
    })
}

pub(super) fn sources(disk: Arc<StoreDir>, config: &Config) -> Sources {
    let store = &config.store;
    let index_path = store.path.join("index");
    let journal = journal::Options {
        segment_bytes: store.segment_bytes,
        // An index without a journal is no first start.
        create: !index_path.exists(),
        audit: journal::AuditOptions { keep_s: config.audit.keep_s, bytes_max: config.audit.bytes_max },
        ..journal::Options::default()
    };
    Sources { disk, journal, index_path, open_index: index_opener(store) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Loaded;

    #[test]
    fn the_limit_of_a_lifetime_is_named_where_it_is_set() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.toml");
        let toml = "[[issuers]]\niss = \"a\"\nlifetime_max_s = 60\n[[issuers]]\niss = \"b\"\n";
        std::fs::write(&file, toml).unwrap();
        let loaded = Loaded::load(&config::Sources::new(Some(&file), [], &[])).unwrap();
        let issuers = issuers(&loaded.config).unwrap();
        let limits = |name| issuers.resolve(Some(name)).unwrap();
        assert_eq!((limits("a").lifetime_max_s, limits("a").lifetime_max_name), (60, "issuers[].lifetime_max_s"));
        assert_eq!(limits("b").lifetime_max_name, "tokens.lifetime_max_s");
    }
}
