//! Who may know and do what. A change here is a change of the architecture: say why in its commit.

/// The words everything is told in: know nothing but one another.
pub(super) const FOUNDATION: &[&str] = &["clock", "event", "revocation", "token"];

/// What must work without any door. Metrics are here because the core counts.
pub(super) const CORE_ONLY: &[&str] = &[
    "audit",
    "denylist",
    "gateway",
    "index",
    "issuers",
    "journal",
    "keys",
    "metrics",
    "readiness",
    "shutdown",
    "telemetry",
    "verifier",
];

/// What turns requests, command lines, settings and beats into calls of the core; `wire` is the doors' common
/// form, `tls` their lock.
pub(super) const DOORS: &[&str] = &["cli", "config", "grpc", "http", "jobs", "tls", "wire"];

/// What puts everything together.
pub(super) const COMPOSITION: &[&str] = &["app"];

/// An outside crate and the files that may name it; a place that ends in `/` is a directory.
pub(super) const OWNERS: &[(&str, &[&str])] = &[
    ("anyhow", &["src/main.rs", "src/cli.rs", "src/cli/"]),
    ("axum", &["src/http.rs", "src/http/", "src/grpc.rs", "src/grpc/"]),
    ("bloomfilter", &["src/denylist/filter.rs"]),
    ("chrono", &["src/jobs.rs", "src/jobs/"]),
    ("clap", &["src/main.rs", "src/cli.rs", "src/cli/"]),
    ("clap_complete", &["src/cli.rs", "src/cli/"]),
    ("confique", &["src/config.rs", "src/config/"]),
    ("croner", &["src/jobs.rs", "src/jobs/"]),
    ("envoy_types", &["src/grpc/"]),
    ("http_body_util", &["src/http.rs", "src/http/"]),
    ("hyper", &["src/http.rs", "src/http/"]),
    ("hyper_util", &["src/http.rs", "src/http/"]),
    ("indicatif", &["src/cli.rs", "src/cli/"]),
    ("jsonwebtoken", &["src/verifier.rs", "src/verifier/"]),
    ("metrics", &["src/metrics.rs", "src/metrics/"]),
    ("metrics_exporter_prometheus", &["src/metrics.rs", "src/metrics/"]),
    ("mimalloc", &["src/main.rs"]),
    ("pin_project_lite", &["src/http.rs", "src/http/"]),
    ("prost_types", &["src/grpc/described.rs"]),
    ("quick_cache", &["src/gateway/remembered.rs"]),
    ("reqwest", &["src/cli.rs", "src/cli/", "src/verifier.rs", "src/verifier/"]),
    ("rustix", &["src/clock.rs", "src/http/listener.rs", "src/metrics/process.rs"]),
    ("rustls", &["src/tls.rs", "src/tls/"]),
    ("sled", &["src/index.rs", "src/index/"]),
    ("subtle", &["src/keys/roster.rs"]),
    ("tokio_cron_scheduler", &["src/jobs.rs", "src/jobs/"]),
    ("tokio_rustls", &["src/tls.rs", "src/tls/"]),
    ("toml", &["src/config.rs", "src/config/"]),
    ("tonic", &["src/grpc.rs", "src/grpc/"]),
    ("tonic_health", &["src/grpc.rs", "src/grpc/"]),
    ("tonic_reflection", &["src/grpc/described.rs"]),
    ("tower", &["src/http.rs", "src/http/", "src/grpc.rs", "src/grpc/"]),
    ("tracing_appender", &["src/telemetry.rs", "src/telemetry/"]),
    ("tracing_subscriber", &["src/telemetry.rs", "src/telemetry/"]),
    ("utoipa", &["src/http.rs", "src/http/", "src/wire.rs", "src/wire/"]),
    ("webpki", &["src/tls.rs", "src/tls/"]),
];

/// Outside crates that are as common as the standard library.
pub(super) const COMMODITIES: &[&str] = &[
    "arc_swap",
    "base64",
    "bytes",
    "getrandom",
    "serde",
    "serde_json",
    "sha2",
    "thiserror",
    "tokio",
    "tokio_util",
    "tracing",
    "xxhash_rust",
];

/// The only place that makes bytes durable.
pub(super) const SYNCERS: &[&str] = &["src/journal.rs", "src/journal/"];

/// Who starts what: everything else returns a future, or is called.
pub(super) const SPAWNERS: &[(&str, &str)] = &[
    ("spawn", "src/app.rs"),
    ("spawn_blocking", "src/app.rs"),
    // The three threads of the core.
    ("spawn", "src/app/threads.rs"),
    // Files are read on a thread that may hang with their file system.
    ("spawn_blocking", "src/app/renewal.rs"),
    // The watchdog of an index that hangs.
    ("spawn", "src/app/parts.rs"),
    // The watchdog of its proof, which needs a thread that can be left behind.
    ("spawn", "src/denylist/watch.rs"),
    ("spawn", "src/http/listener.rs"),
    ("spawn", "src/http/listener/server.rs"),
    // Logging begins before there is an app: the thread that writes lines, so that whoever logs never waits.
    ("spawn", "src/telemetry/writer.rs"),
    // The bounded pool on which a filter's maybe is read.
    ("spawn_blocking", "src/denylist.rs"),
    ("spawn_blocking", "src/denylist/"),
];
