//! What the doors count: verdicts, refused keys, connections.

use metrics::{Counter, Gauge, Histogram};

use super::registrar::Registrar;

/// `revokd_checks_total`, `revokd_check_duration_seconds`, `revokd_checks_partial_total`.
#[derive(Clone)]
pub struct Checks {
    /// The REST API.
    pub api: CheckMetrics,
    /// Gateways, by HTTP.
    pub gateway: CheckMetrics,
    /// The same by gRPC.
    pub grpc: CheckMetrics,
    /// Checks that did not bring every selector that entries may name.
    pub partial: Counter,
}

impl Checks {
    pub(super) fn register(registrar: &Registrar) -> Self {
        Self {
            api: CheckMetrics::register(registrar, "api"),
            gateway: CheckMetrics::register(registrar, "gateway"),
            grpc: CheckMetrics::register(registrar, "grpc"),
            partial: registrar.counter(
                "revokd_checks_partial_total",
                "Checks that did not bring every selector that entries may name",
                &[],
            ),
        }
    }
}

/// Verdicts given through one door.
#[derive(Clone)]
pub struct CheckMetrics {
    /// Not revoked.
    pub good: Counter,
    /// Revoked.
    pub revoked: Counter,
    /// We did not know.
    pub unavailable: Counter,
    /// Seconds from the request's arrival at the handler to its verdict. Recording one, its share of the upkeep included,
    /// was measured at 52 ns where reading the clock takes 36 ns: little enough to observe every check.
    pub duration: Histogram,
}

impl CheckMetrics {
    pub(super) fn register(registrar: &Registrar, face: &'static str) -> Self {
        let result = |result| {
            let labels = [("face", face), ("result", result)];
            registrar.counter("revokd_checks_total", "Verdicts, by door and result", &labels)
        };
        Self {
            good: result("good"),
            revoked: result("revoked"),
            unavailable: result("unavailable"),
            duration: registrar.histogram(
                "revokd_check_duration_seconds",
                "Time from a check's arrival at its handler to the verdict",
                &[("face", face)],
            ),
        }
    }
}

/// `revokd_gateway_requests_total`, of one gateway, by what became of them.
#[derive(Clone)]
pub struct GatewayMetrics {
    /// It may pass.
    pub passed: Counter,
    /// It may not: something of it is revoked.
    pub revoked: Counter,
    /// It may not, for another reason of its own.
    pub refused: Counter,
    /// Nobody could say, and so it may not.
    pub unavailable: Counter,
    /// Nobody could say, and it passes all the same.
    pub unjudged: Counter,
}

impl GatewayMetrics {
    pub(super) fn register(registrar: &Registrar, gateway: &str) -> Self {
        let result = |result| {
            let help =
                "Requests that gateways asked about, by gateway and result; unjudged ones passed without a verdict";
            let labels = [("result", result)];
            registrar.counter_of("revokd_gateway_requests_total", help, &labels, ("gateway", gateway))
        };
        Self {
            passed: result("passed"),
            revoked: result("revoked"),
            refused: result("refused"),
            unavailable: result("unavailable"),
            unjudged: result("unjudged"),
        }
    }
}

/// Accept loops and connections. [`Default`] counts nothing.
#[derive(Clone, Debug)]
pub struct ConnectionMetrics {
    /// Connections taken on.
    pub accepted: Counter,
    /// Connections closed at once because the cap was reached.
    pub refused: Counter,
    /// Connections closed because they stayed in one state past its limit.
    pub timed_out: Counter,
    /// Connections open.
    pub open: Gauge,
    /// Accepts that failed for want of files or memory.
    pub accept_errors: Counter,
}

impl Default for ConnectionMetrics {
    fn default() -> Self {
        Self {
            accepted: Counter::noop(),
            refused: Counter::noop(),
            timed_out: Counter::noop(),
            open: Gauge::noop(),
            accept_errors: Counter::noop(),
        }
    }
}

impl ConnectionMetrics {
    pub(super) fn register(registrar: &Registrar) -> Self {
        let counter = |name, help| registrar.counter(name, help, &[]);
        Self {
            accepted: counter("revokd_connections_accepted_total", "Connections taken on"),
            refused: counter("revokd_connections_refused_total", "Connections closed because the cap was reached"),
            timed_out: counter(
                "revokd_connections_timed_out_total",
                "Connections closed because they stayed silent, slow or blocked past a limit",
            ),
            open: registrar.gauge("revokd_connections_open", "Open connections", &[]),
            accept_errors: counter(
                "revokd_accept_errors_total",
                "Accepts that failed for want of file descriptors or memory",
            ),
        }
    }
}

/// TLS of the listener. [`Default`] counts nothing.
#[derive(Clone, Debug)]
pub struct TlsMetrics {
    /// Handshakes, by what became of them; one that takes too long is a connection timed out.
    pub handshakes: Handshakes,
    /// Certificates that clients have proven to hold, by whose they are.
    pub client_certificates: ClientCertificates,
    /// When the server's certificate ends: seconds since 1970.
    pub certificate_expiry: Gauge,
}

/// `revokd_tls_handshakes_total`, by result.
#[derive(Clone, Debug)]
pub struct Handshakes {
    /// Done.
    pub ok: Counter,
    /// The client went.
    pub closed: Counter,
    /// The client's certificate is missing or proves nothing.
    pub certificate: Counter,
    /// The client refused, most often our certificate.
    pub alert: Counter,
    /// No TLS that is ours too.
    pub protocol: Counter,
    /// HTTP without TLS.
    pub plain: Counter,
}

/// `revokd_tls_client_certificates_total`, by result.
#[derive(Clone, Debug)]
pub struct ClientCertificates {
    /// One row of `[[tls.clients]]` names it.
    pub known: Counter,
    /// None does.
    pub unknown: Counter,
    /// Several do.
    pub ambiguous: Counter,
}

impl TlsMetrics {
    fn with(counter: impl Fn(&'static str, &'static str, &'static str) -> Counter, certificate_expiry: Gauge) -> Self {
        let handshake = |result| counter("revokd_tls_handshakes_total", "TLS handshakes, by result", result);
        let certificate = |result| {
            let help = "Valid certificates of clients, by whether a row of [[tls.clients]] names them";
            counter("revokd_tls_client_certificates_total", help, result)
        };
        Self {
            handshakes: Handshakes {
                ok: handshake("ok"),
                closed: handshake("closed"),
                certificate: handshake("certificate"),
                alert: handshake("alert"),
                protocol: handshake("protocol"),
                plain: handshake("plain"),
            },
            client_certificates: ClientCertificates {
                known: certificate("known"),
                unknown: certificate("unknown"),
                ambiguous: certificate("ambiguous"),
            },
            certificate_expiry,
        }
    }

    pub(super) fn register(registrar: &Registrar) -> Self {
        let expiry = registrar.gauge(
            "revokd_tls_certificate_expiry_timestamp_seconds",
            "When the server's certificate ends, seconds since 1970",
            &[],
        );
        Self::with(|name, help, result| registrar.counter(name, help, &[("result", result)]), expiry)
    }
}

impl Default for TlsMetrics {
    fn default() -> Self {
        Self::with(|_, _, _| Counter::noop(), Gauge::noop())
    }
}

/// `revokd_auth_failures_total`, by reason.
#[derive(Clone)]
pub struct AuthFailures {
    /// No key was sent.
    pub missing: Counter,
    /// What was sent is no key of ours.
    pub unknown: Counter,
    /// The key has expired.
    pub expired: Counter,
    /// The key lacks the scope.
    pub scope: Counter,
    /// The key is bound to other issuers or clients.
    pub bound: Counter,
    /// A logout token proves nothing.
    pub logout_token: Counter,
}

impl AuthFailures {
    pub(super) fn register(registrar: &Registrar) -> Self {
        let reason = |reason| {
            let labels = [("reason", reason)];
            registrar.counter(
                "revokd_auth_failures_total",
                "Requests turned away for who sent them, by reason",
                &labels,
            )
        };
        Self {
            missing: reason("missing"),
            unknown: reason("unknown"),
            expired: reason("expired"),
            scope: reason("scope"),
            bound: reason("bound"),
            logout_token: reason("logout_token"),
        }
    }
}

/// `revokd_rate_limited_total`, by who it was.
#[derive(Clone)]
pub struct RateLimited {
    /// A known caller, past `limits.requests_per_s`.
    pub key: Counter,
    /// Somebody without a valid key, past `limits.strangers_per_s`.
    pub stranger: Counter,
}

impl RateLimited {
    pub(super) fn register(registrar: &Registrar) -> Self {
        let who = |who| {
            let labels = [("who", who)];
            registrar.counter("revokd_rate_limited_total", "Requests answered 429, by who asked too often", &labels)
        };
        Self { key: who("key"), stranger: who("stranger") }
    }
}
