//! Every metric, in one place. Built on a recorder of its own, never the process-wide one, so that many servers can run
//! in one process. Names, labels and buckets are an interface: dashboards and alerts rely on them.
//!
//! Labels come from closed lists; no id, subject or address is ever one (promise 12). Handles are registered once, so
//! counting costs one atomic addition.

mod audit;
mod denylist;
mod doors;
mod process;
mod registrar;

use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use metrics::{Counter, Gauge};
use metrics_exporter_prometheus::PrometheusHandle;

pub use self::audit::AuditMetrics;
pub use self::denylist::{FilterMetrics, PurgeMetrics, RevocationMetrics, StoreErrors, StoreMetrics};
pub use self::doors::{
    AuthFailures, CheckMetrics, Checks, ClientCertificates, ConnectionMetrics, GatewayMetrics, Handshakes, RateLimited,
    TlsMetrics,
};

use self::process::ProcessMetrics;
use self::registrar::Registrar;
use crate::readiness::{Purpose, Readiness};

/// How often [`Metrics::upkeep`] is to be called: until then a histogram keeps every observation.
pub const UPKEEP_INTERVAL: Duration = Duration::from_secs(1);

/// The metrics of one server. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Metrics {
    handles: Arc<Handles>,
}

impl Deref for Metrics {
    type Target = Handles;

    fn deref(&self) -> &Handles {
        &self.handles
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// All handles, by the part that moves them.
pub struct Handles {
    /// Verdicts, by the door that they were asked through.
    pub checks: Checks,
    /// The front filter and its refills.
    pub filter: FilterMetrics,
    /// What was revoked and what is held.
    pub revocations: RevocationMetrics,
    /// Purges.
    pub purge: PurgeMetrics,
    /// Journal and index.
    pub store: StoreMetrics,
    /// The audit.
    pub audit: AuditMetrics,
    /// Accept loops and connections.
    pub connections: ConnectionMetrics,
    /// Requests turned away for their key.
    pub auth_failures: AuthFailures,
    /// Requests refused for coming too often.
    pub rate_limited: RateLimited,
    /// 1 unless the last attempt to take over renewed files has failed.
    pub reload_successful: Gauge,
    /// When files were taken over last: seconds since 1970.
    pub reload_success_timestamp: Gauge,
    /// 1 while the wall clock is doubted.
    pub clock_doubted: Gauge,
    /// Log lines dropped because stderr did not take them; set from the log writer's count.
    pub log_lines_dropped: Counter,
    ready: [(Purpose, Gauge); 2],
    process: ProcessMetrics,
    prometheus: PrometheusHandle,
    tls: OnceLock<TlsMetrics>,
    registrar: Registrar,
}

impl Metrics {
    /// All metrics at zero.
    #[must_use]
    pub fn new() -> Self {
        let registrar = Registrar::new();
        registrar
            .gauge(
                "revokd_build_info",
                "Always 1; version and revision of the binary",
                &[
                    ("version", env!("CARGO_PKG_VERSION")),
                    ("revision", option_env!("REVOKD_REVISION").unwrap_or("unknown")),
                ],
            )
            .set(1.0);
        Self { handles: Arc::new(Handles::register(registrar)) }
    }

    /// Those of TLS, which are there from the first call on: a server without TLS must not show a certificate that has
    /// ended in 1970.
    #[must_use]
    pub fn tls(&self) -> TlsMetrics {
        self.tls.get_or_init(|| TlsMetrics::register(&self.registrar)).clone()
    }

    /// Those of the gateway of this name, which comes from the config.
    #[must_use]
    pub fn gateway(&self, name: &str) -> GatewayMetrics {
        GatewayMetrics::register(&self.registrar, name)
    }

    /// Empties the observations that histograms keep into their buckets; to be called every [`UPKEEP_INTERVAL`], or
    /// memory grows with every check.
    pub fn upkeep(&self) {
        self.prometheus.run_upkeep();
    }

    /// Everything, in the text format 0.0.4 of Prometheus. Reads a few small files of `/proc`.
    #[must_use]
    pub fn render(&self, readiness: &Readiness) -> String {
        for (purpose, gauge) in &self.ready {
            gauge.set(if readiness.is_ready_for(*purpose) { 1.0 } else { 0.0 });
        }
        self.process.observe();
        self.prometheus.render()
    }
}

impl Handles {
    fn register(registrar: Registrar) -> Self {
        let ready = |purpose: Purpose| {
            let labels = [("for", purpose.as_str())];
            (purpose, registrar.gauge("revokd_ready", "1 while the server may serve", &labels))
        };
        Self {
            checks: Checks::register(&registrar),
            filter: FilterMetrics::register(&registrar),
            revocations: RevocationMetrics::register(&registrar),
            purge: PurgeMetrics::register(&registrar),
            store: StoreMetrics::register(&registrar),
            audit: AuditMetrics::register(&registrar),
            connections: ConnectionMetrics::register(&registrar),
            auth_failures: AuthFailures::register(&registrar),
            rate_limited: RateLimited::register(&registrar),
            reload_successful: registrar.gauge(
                "revokd_config_last_reload_successful",
                "1 unless the last attempt to take over renewed files has failed",
                &[],
            ),
            reload_success_timestamp: registrar.gauge(
                "revokd_config_last_reload_success_timestamp_seconds",
                "When files were taken over last, seconds since 1970",
                &[],
            ),
            clock_doubted: registrar.gauge("revokd_clock_doubted", "1 while the wall clock is doubted", &[]),
            log_lines_dropped: registrar.counter(
                "revokd_log_lines_dropped_total",
                "Log lines dropped because stderr did not take them",
                &[],
            ),
            ready: [ready(Purpose::Checks), ready(Purpose::Writes)],
            process: ProcessMetrics::register(&registrar),
            prometheus: registrar.handle(),
            tls: OnceLock::new(),
            registrar,
        }
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // Counts below 2^53 are exact.
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::clock::NumericDate;
    use crate::event::{Change, Event, Origin, Source};
    use crate::revocation::Revocation;
    use crate::token::{Issuer, Jti};

    /// Reads classic text 0.0.4 strictly: every sample belongs to the family announced last by HELP and TYPE, every
    /// family is announced once, no sample comes twice, and values are numbers. Returns the samples.
    fn parse(text: &str) -> BTreeMap<String, f64> {
        assert!(text.ends_with('\n'));
        let (mut samples, mut families) = (BTreeMap::new(), BTreeSet::new());
        let (mut helped, mut typed) = ("", ("", ""));
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').unwrap();
                assert!(families.insert(name) && !help.is_empty(), "{line}");
                helped = name;
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                typed = kind.split_once(' ').unwrap();
                assert_eq!(typed.0, helped, "no help: {line}");
                assert_eq!(typed.1 == "counter", helped.ends_with("_total"), "{line}");
            } else {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let name = series.split('{').next().unwrap();
                assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{line}");
                let suffix = name.strip_prefix(typed.0).unwrap_or_else(|| panic!("stray {line}"));
                let allowed: &[&str] = if typed.1 == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
                assert!(allowed.contains(&suffix), "{line}");
                assert!(samples.insert(series.to_owned(), value.parse().unwrap()).is_none(), "twice: {line}");
            }
        }
        samples
    }

    fn revoked() -> Event<'static> {
        let (issuer, jti) = (Issuer::NAMELESS, Jti::parse("a").unwrap());
        let revocation = Revocation { issuer, jti, sub: None, exp: NumericDate(5), reason: None };
        Event {
            seq: 1,
            recorded_at: NumericDate(1),
            ends_at: NumericDate(5),
            origin: Origin { source: Source::Api, ..Origin::INTERNAL },
            change: Change::Revoked(revocation),
        }
    }

    #[test]
    fn the_text_passes_a_strict_reader_before_and_after_use() {
        let (metrics, readiness) = (Metrics::new(), Readiness::new());
        let before = parse(&metrics.render(&readiness));
        assert_eq!(before[r#"revokd_checks_total{face="api",result="good"}"#], 0.0);
        metrics.checks.api.good.increment(3);
        metrics.checks.api.duration.record(60e-6);
        metrics.revocations.count(&revoked());
        let after = parse(&metrics.render(&readiness));
        assert_eq!(after[r#"revokd_checks_total{face="api",result="good"}"#], 3.0);
        assert_eq!(after[r#"revokd_check_duration_seconds_bucket{face="api",le="0.00005"}"#], 0.0);
        assert_eq!(after[r#"revokd_check_duration_seconds_bucket{face="api",le="0.0001"}"#], 1.0);
        assert_eq!(after[r#"revokd_check_duration_seconds_count{face="api"}"#], 1.0);
        assert_eq!(after[r#"revokd_revocations_total{kind="jti",source="api"}"#], 1.0);
        assert!(after["process_resident_memory_bytes"] > 0.0 && after["process_open_fds"] > 0.0);
    }

    #[test]
    fn a_server_without_tls_shows_no_certificate() {
        let (metrics, readiness) = (Metrics::new(), Readiness::new());
        let name = "revokd_tls_certificate_expiry_timestamp_seconds";
        assert!(!metrics.render(&readiness).contains("revokd_tls_"));
        metrics.tls().certificate_expiry.set(7.0);
        assert_eq!(parse(&metrics.render(&readiness))[name], 7.0);
        metrics.tls().handshakes.ok.increment(1);
        assert_eq!(parse(&metrics.render(&readiness))[r#"revokd_tls_handshakes_total{result="ok"}"#], 1.0);
    }

    #[test]
    fn two_servers_in_one_process_count_apart() {
        let (a, b) = (Metrics::new(), Metrics::new());
        a.clone().checks.partial.increment(1);
        let count = |metrics: &Metrics| parse(&metrics.render(&Readiness::new()))["revokd_checks_partial_total"];
        assert_eq!((count(&a), count(&b)), (1.0, 0.0));
    }

    #[test]
    fn readiness_is_shown_as_it_is_when_asked() {
        let (metrics, readiness) = (Metrics::new(), Readiness::new());
        for condition in crate::readiness::Condition::ALL {
            readiness.set(condition, condition != crate::readiness::Condition::Writable);
        }
        let samples = parse(&metrics.render(&readiness));
        assert_eq!(samples[r#"revokd_ready{for="checks"}"#], 1.0);
        assert_eq!(samples[r#"revokd_ready{for="writes"}"#], 0.0);
    }
}
