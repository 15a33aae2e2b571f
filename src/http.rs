//! The REST door: every route with its scope, and what every request passes through, on one screen.
//!
//! A request passes the [`Door`], which gives it an id and a time (`trace`), then its row of [`ROUTES`], whose guard
//! (`auth`) looks at the key before anything else is read, then its endpoint, one file each. Whatever goes wrong
//! becomes an `error::ApiError`, which alone picks status codes. Entry, body and connection limits of the listener are
//! `listener.rs`'s.

mod audit;
mod auth;
mod bound;
mod check;
mod check_many;
mod door;
mod error;
pub(crate) mod extract;
mod force_logout;
pub(crate) mod forward_auth;
mod global_revocation;
mod in_flight;
mod keys;
pub mod listener;
mod oauth;
pub mod openapi;
mod pace;
mod probes;
mod purge;
mod restore;
mod revocations;
mod revoke;
mod revoke_many;
mod trace;

use std::sync::Arc;

use axum::extract::MatchedPath;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post};

use crate::denylist::Denylist;
use crate::gateway::{Gateway, GatewaySettings, Profile};
use crate::keys::{Caller, Scope, Scopes};
use crate::metrics::{Checks, Metrics};
use crate::readiness::Readiness;
use crate::token::Selector;
use crate::verifier::Verifier;
pub(crate) use auth::Seen;
pub use door::{Door, Gate, Reply};
use error::ApiError;
use in_flight::InFlight;
use pace::Paces;
pub(crate) use trace::Trace;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open,
    /// Callers whose key has the scope.
    Needs(Scope),
    /// The same, and they may present it as OAuth clients do. What they present may be in the body, so the endpoint lets them
    /// in, and not the guard.
    Client(Scope),
    /// Gateways, which the endpoint knows: what they pass on says who their users are. Of any method; the door takes them
    /// before the router.
    Gateway,
}

/// One row of the route table.
pub struct Route {
    /// The one method of the row, or of a gateway's the one that is described. Where that is GET, open rows answer to HEAD too.
    pub method: Method,
    /// The path, as axum and OpenAPI write it.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    /// How its requests are counted.
    pub pace: Pace,
    endpoint: fn() -> MethodRouter<Arc<Http>>,
}

/// How the requests of a route are counted against the limit of their key (`limits.requests_per_s`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Not at all.
    Free,
    /// Up to nine tenths of it.
    Common,
    /// Up to all of it: a flood must not stop the answer to it.
    Urgent,
}

const FREE: Pace = Pace::Free;
const COMMON: Pace = Pace::Common;
const URGENT: Pace = Pace::Urgent;

const OPEN: Access = Access::Open;
const REVOKE: Access = Access::Needs(Scope::Revoke);
const CHECK: Access = Access::Needs(Scope::Check);
const ADMIN: Access = Access::Needs(Scope::Admin);
const AUDIT: Access = Access::Needs(Scope::Audit);
const REVOKE_CLIENT: Access = Access::Client(Scope::Revoke);
const GATEWAY: Access = Access::Gateway;
const CHECK_CLIENT: Access = Access::Client(Scope::Check);

/// Every route there is.
#[rustfmt::skip]
pub static ROUTES: [Route; 25] = [
    Route { method: Method::POST,   path: revoke::PATH,          access: REVOKE, pace: COMMON, endpoint: || post(revoke::revoke) },
    Route { method: Method::GET,    path: check::BY_PATH,      access: CHECK,  pace: COMMON, endpoint: || get(check::by_path) },
    Route { method: Method::GET,    path: "/check",            access: CHECK,  pace: COMMON, endpoint: || get(check::by_query) },
    Route { method: Method::POST,   path: "/check",            access: CHECK,  pace: COMMON, endpoint: || post(check_many::check) },
    Route { method: Method::GET,    path: forward_auth::PATH,  access: GATEWAY, pace: FREE,  endpoint: MethodRouter::new },
    Route { method: Method::GET,    path: forward_auth::BELOW, access: GATEWAY, pace: FREE,  endpoint: MethodRouter::new },
    Route { method: Method::POST,   path: "/force-logout",     access: ADMIN,  pace: URGENT, endpoint: || post(force_logout::force_logout) },
    Route { method: Method::POST,   path: global_revocation::PATH, access: ADMIN, pace: URGENT, endpoint: || post(global_revocation::revoke) },
    Route { method: Method::POST,   path: oauth::REVOKE,       access: REVOKE_CLIENT, pace: COMMON, endpoint: || post(oauth::revoke::revoke) },
    Route { method: Method::POST,   path: oauth::INTROSPECT,   access: CHECK_CLIENT,  pace: COMMON, endpoint: || post(oauth::introspect::introspect) },
    Route { method: Method::GET,    path: "/revocations",      access: ADMIN,  pace: URGENT, endpoint: || get(revocations::list) },
    Route { method: Method::GET,    path: "/revocations/{id}", access: ADMIN,  pace: URGENT, endpoint: || get(revocations::show) },
    Route { method: Method::DELETE, path: "/revocations/{id}", access: ADMIN,  pace: URGENT, endpoint: || delete(restore::restore) },
    Route { method: Method::GET,    path: "/keys",             access: ADMIN,  pace: URGENT, endpoint: || get(keys::list) },
    Route { method: Method::POST,   path: "/keys",             access: ADMIN,  pace: URGENT, endpoint: || post(keys::create) },
    Route { method: Method::DELETE, path: "/keys/{id}",        access: ADMIN,  pace: URGENT, endpoint: || delete(keys::revoke) },
    Route { method: Method::GET,    path: "/audit",            access: AUDIT,  pace: COMMON, endpoint: || get(audit::audit) },
    Route { method: Method::POST,   path: "/purge",            access: ADMIN,  pace: URGENT, endpoint: || post(purge::purge) },
    Route { method: Method::POST,   path: oauth::BACKCHANNEL,  access: OPEN,   pace: FREE,   endpoint: || post(oauth::backchannel::log_out) },
    Route { method: Method::GET,    path: "/livez",            access: OPEN,   pace: FREE,   endpoint: || get(probes::livez) },
    Route { method: Method::GET,    path: "/readyz",           access: OPEN,   pace: FREE,   endpoint: || get(probes::readyz) },
    Route { method: Method::GET,    path: "/metrics",          access: OPEN,   pace: FREE,   endpoint: || get(probes::metrics) },
    Route { method: Method::GET,    path: oauth::METADATA,     access: OPEN,   pace: FREE,   endpoint: || get(oauth::metadata::metadata) },
    Route { method: Method::GET,    path: oauth::METADATA_OF_PATH, access: OPEN, pace: FREE,   endpoint: || get(oauth::metadata::metadata_of_path) },
    Route { method: Method::GET,    path: "/openapi.json",     access: OPEN,   pace: FREE,   endpoint: || get(openapi::description) },
];

/// The limits and habits of the door; each is the config key of the same name unless said otherwise.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Longest JSON body (`limits.body_bytes_max`).
    pub body_bytes_max: usize,
    /// Longest NDJSON body, which is never held whole (`limits.ndjson_bytes_max`).
    pub ndjson_bytes_max: usize,
    /// Longest NDJSON line (`limits.line_bytes_max`).
    pub line_bytes_max: usize,
    /// Most bytes of bodies held at one moment, all requests together (`limits.bodies_bytes_max`). A tenth is reserved for
    /// admins, so it must exceed the longest body by more than that.
    pub bodies_bytes_max: usize,
    /// Most ids of one check (`limits.batch_ids_max`).
    pub batch_ids_max: usize,
    /// Most raw tokens of one check (`limits.batch_tokens_max`).
    pub batch_tokens_max: usize,
    /// Most ids being checked at one moment, all requests together (`server.in_flight_ids_max`). A tenth is reserved for
    /// admins, so it must exceed `limits.batch_ids_max` by more than that.
    pub in_flight_ids_max: usize,
    /// Whether checks need no key (`check.keyless`).
    pub check_keyless: bool,
    /// The selectors that every check must bring (`check.required`).
    pub check_required: Vec<Selector>,
    /// Whether verified tokens without `exp` may be revoked (`tokens.allow_without_exp`).
    pub allow_without_exp: bool,
    /// Most requests a second of one caller; 0 for no limit (`limits.requests_per_s`).
    pub requests_per_s: u32,
    /// Most requests a second without a valid key from one source; 0 for no limit (`limits.strangers_per_s`).
    pub strangers_per_s: u32,
    /// Where clients reach this server, without a slash at its end; empty where nobody has said (`server.public_url`).
    pub public_url: String,
    /// What which gateway may ask (`[[gateways]]`).
    pub gateways: Vec<Profile>,
    /// Most bytes of verified tokens that are remembered for gateways (`check.remembered_bytes_max`); 0 for none.
    pub remembered_bytes_max: u64,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            body_bytes_max: 4 << 20,
            ndjson_bytes_max: 16 << 20,
            line_bytes_max: 64 << 10,
            bodies_bytes_max: 256 << 20,
            batch_ids_max: 10_000,
            batch_tokens_max: 1_000,
            in_flight_ids_max: 100_000,
            check_keyless: false,
            check_required: Vec::new(),
            allow_without_exp: false,
            requests_per_s: 0,
            strangers_per_s: 0,
            public_url: String::new(),
            gateways: Vec::new(),
            remembered_bytes_max: 16 << 20,
        }
    }
}

/// What the door works with.
pub struct Http {
    denylist: Denylist,
    verifier: Arc<Verifier>,
    readiness: Readiness,
    metrics: Metrics,
    settings: HttpSettings,
    /// What gateways ask.
    gateway: Gateway,
    /// Ids being checked.
    in_flight: InFlight,
    /// Bytes of bodies held.
    bodies: InFlight,
    /// Bytes held of those bodies that are read before it is known who sends them.
    bodies_of_strangers: InFlight,
    /// How often somebody has asked lately.
    paces: Paces,
    /// Whoever uses an open route, or checks where checks are keyless.
    anonymous: Caller,
}

impl Http {
    /// Puts the parts of the door together.
    #[must_use]
    pub fn new(
        denylist: Denylist,
        verifier: Arc<Verifier>,
        readiness: Readiness,
        metrics: Metrics,
        settings: HttpSettings,
    ) -> Arc<Self> {
        let in_flight = InFlight::new("server.in_flight_ids_max", settings.in_flight_ids_max);
        let bodies = InFlight::new("limits.bodies_bytes_max", settings.bodies_bytes_max);
        // Whoever has shown no key yet takes nothing from those who have.
        let bodies_of_strangers = InFlight::new("a quarter of limits.bodies_bytes_max", settings.bodies_bytes_max / 4);
        let anonymous = Caller::new("", Scopes::of(&[Scope::Check]));
        let paces = Paces::new(&settings);
        let gateway = Gateway::new(
            denylist.clone(),
            Arc::clone(&verifier),
            readiness.clone(),
            &metrics,
            GatewaySettings {
                profiles: settings.gateways.clone(),
                check_required: settings.check_required.clone(),
                allow_without_exp: settings.allow_without_exp,
                remembered_bytes_max: settings.remembered_bytes_max,
            },
        );
        Arc::new(Self {
            denylist,
            verifier,
            readiness,
            metrics,
            settings,
            gateway,
            in_flight,
            bodies,
            bodies_of_strangers,
            paces,
            anonymous,
        })
    }
}

impl Http {
    /// Where verdicts are counted.
    pub(crate) fn checks(&self) -> &Checks {
        &self.metrics.checks
    }
}

async fn method_not_allowed(path: MatchedPath) -> Response {
    let rows = ROUTES.iter().filter(|route| route.path == path.as_str());
    let methods = rows.map(|route| match route.access {
        // axum answers HEAD where there is GET; the others refuse it.
        Access::Open if route.method == Method::GET => "GET, HEAD",
        Access::Open | Access::Needs(_) | Access::Client(_) | Access::Gateway => route.method.as_str(),
    });
    let allow = methods.collect::<Vec<_>>().join(", ");
    ApiError::MethodNotAllowed { allow }.into_response()
}
