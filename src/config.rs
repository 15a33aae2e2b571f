//! The configuration: read once, judged as a whole, then plain values that are handed down.
//!
//! Precedence, lowest first: the defaults of these types (which the shipped `config.toml` repeats), the file, the
//! environment (`REVOKD__SECTION__KEY`, and `RUST_LOG` for `log.level`), flags (`--set section.key=value`). What is
//! unknown or out of its limits is refused by name, place and limit, all of it at once. Nothing else in the library
//! reads the environment.
//!
//! The docs of the keys are the comments of `config.toml`: a test renders one from the other.

use std::collections::BTreeMap;
use std::path::PathBuf;

use confique::{Config as _, Layer as _};
use serde::Serialize;

pub use error::{ConfigError, Problem};
pub use log::{Log, LogFormat};
pub use requests::{Check, Limits, Tokens};
pub use server::{ListenAddress, NoAddress, Server};
pub use show::Setting;
pub use source::{Origin, Sources};
pub use storage::{Audit, Clock, Filter, FilterMode, Purge, Schedule, Store};
pub use tls::Tls;

use crate::gateway::Profile;
use crate::verifier::IssuerSettings;

mod error;
mod log;
mod place;
mod public_url;
mod read;
mod requests;
mod rules;
mod server;
mod show;
mod source;
mod storage;
mod tls;
mod values;

/// The configuration of revokd.
///
/// Every key is shown with its default; a key that is left out has it. Precedence: defaults < this file < environment
/// (`REVOKD__SECTION__KEY`, as in `REVOKD__SERVER__LISTEN`) < flags (`--set section.key=value`). An unknown key is an
/// error. `revokd config check` names every mistake that can be seen (of each issuer the first, and what lies in its files
/// only once all else is right), `revokd config show --origin` says where each value comes from.
#[derive(Debug, Clone, confique::Config, Serialize)]
pub struct Config {
    /// Where to listen, and what connections may cost.
    #[config(nested)]
    pub server: Server,

    /// The certificate of `tls://` addresses, and who clients are by theirs. Files are in PEM and at most 1 MiB; they are
    /// read again when they change (looked at every ten seconds) and on SIGHUP, and connections go on. What cannot be
    /// used is logged and changes nothing. A relative path starts at this file's directory; given by environment or flag,
    /// at the working directory.
    #[config(nested)]
    pub tls: Tls,

    /// The data directory, and what the store may take.
    #[config(nested)]
    pub store: Store,

    /// How long it is known who did what.
    #[config(nested)]
    pub audit: Audit,

    /// What is believed about tokens, for issuers that do not say otherwise. Fixed: a raw token has at most 16,384 bytes,
    /// and one whose signature was verified can be revoked if its `exp` is at most 316,224,000 s (ten years) ahead.
    #[config(nested)]
    pub tokens: Tokens,

    /// The Bloom filters that answer almost every check without reading the index.
    #[config(nested)]
    pub filter: Filter,

    /// When ended entries are dropped.
    #[config(nested)]
    pub purge: Purge,

    /// When the wall clock is doubted. While it is, nothing live ends early and nothing new is lost.
    #[config(nested)]
    pub clock: Clock,

    /// What a check must bring, and what it may cost.
    #[config(nested)]
    pub check: Check,

    /// The limits of requests and of what is kept. Past one: an error that names it, and nothing half done. A tenth of
    /// what is kept is reserved for admins.
    #[config(nested)]
    pub limits: Limits,

    /// What is said on standard error. No token, key or claim value ever is.
    #[config(nested)]
    pub log: Log,

    /// The closed list of issuers, one `[[issuers]]` section each; in this file only. Without any there is one issuer
    /// without a name: ids can be revoked and checked, raw tokens cannot be verified, and a request that names an `iss`
    /// is refused. Relative paths start at this file's directory. An example, with everything that can be said:
    ///
    /// ```toml
    /// [[issuers]]
    /// iss = "https://auth.example"            # exactly the `iss` of its tokens; the only key that is required
    /// jwks_url = "https://auth.example/jwks"  # https; http on loopback only
    /// jwks_refresh_s = 300                    # seconds between two fetches, 30 to 86400
    /// jwks_stale_max_s = 86400                # how long the last good set serves while it cannot be fetched
    /// jwks_file = "jwks.json"                 # a key set that is read once, at start
    /// algorithms = ["RS256", "ES256"]         # what this issuer signs with; left out: what its keys permit
    /// audience = ["api"]                      # other tokens are not active (introspection; revoke and check do not look)
    /// lifetime_max_s = 2678400                # instead of tokens.lifetime_max_s
    /// leeway_s = 300                          # instead of tokens.leeway_s
    /// clock_skew_s = 2                        # how far this issuer's clock may run ahead, 0 to 3600
    /// without_jti = "signing_input"           # a token without jti is known by the SHA-256 of what is signed; or "refuse"
    /// required_claims = ["exp"]               # a token without one is unverifiable; it can be revoked all the same
    ///
    /// [issuers.claims]                        # the claims that are meant; they, without_jti and family_claim cannot be
    /// jti = "jti"                             # changed while entries of the issuer live: such a start is refused
    /// sub = "sub"
    /// sid = "sid"
    /// client_id = "client_id"                 # left out: client_id, and where that is not there, azp
    ///
    /// [issuers.backchannel]                   # takes this issuer's logout tokens (OpenID Connect Back-Channel Logout 1.0)
    /// audience = ["shop"]                     # for one of these clients; without this section none is taken
    /// allow_hmac = false                      # also those signed with a shared secret
    /// iat_max_age_s = 300                     # how old they may be, 1 to 86400
    /// require_exp = true                      # they must expire
    /// subject_too = false                     # one that names a session and its subject logs out the subject everywhere
    ///
    /// [issuers.refresh]                       # left out: a refresh token that is revoked takes nothing with it
    /// family_claim = "grant_id"               # what it shares with the tokens got by it; "sid" means session and client
    /// kind_claim = "typ"                      # the claim that says that a token is a refresh token
    /// kind = ["Refresh", "Offline"]           # and what it says then
    ///
    /// [[issuers.keys]]                        # single keys, beside key sets or instead of them
    /// alg = "HS256"                           # the one algorithm that this key is for
    /// kid = "a"                               # left out: tried for any `kid` that no other key has
    /// secret_file = "a.key"                   # or secret = "...", with secret_encoding = "utf8" or "base64url"
    ///
    /// [[issuers.keys]]
    /// alg = "EdDSA"
    /// pem_file = "b.pem"
    /// ```
    #[config(default = [])]
    pub issuers: Vec<IssuerSettings>,

    /// What gateways may ask at `/auth`, one `[[gateways]]` section each; in this file only. A gateway without a section is
    /// judged by the defaults. What it passes on is its users' and decides nothing: only its credential does. An example:
    ///
    /// ```toml
    /// [[gateways]]
    /// name = "edge"                           # in metrics, log and /readyz?verbose
    /// keys = ["4f1c09a2be77"]                 # whose this is: ids of API keys with the scope check,
    /// certificates = ["dns:gateway.internal"] # or names of [[tls.clients]] with that scope,
    /// listen = ["unix:/run/revokd/edge.sock"] # or whoever connects to these addresses of server.listen, loopback or unix
    /// mode = "verify"                         # signature, times, audience, then revocation; "trust": the gateway has verified
    /// tokens_in = ["authorization"]           # where tokens are; and "cookie:NAME". Every one that is there is judged
    /// without_token = "refuse"                # what becomes of a request with nothing at all; or "pass"
    /// claim_headers = false                   # read X-Jwt-Jti, -Iss, -Sub, -Sid, -Client-Id, -Iat, which the gateway must set
    /// unavailable = "closed"                  # when the denylist cannot say, 503; "open": genuine tokens pass then, revoked or not
    /// ```
    #[config(default = [])]
    pub gateways: Vec<Profile>,
}

/// What each key may be set by, before it is set for good.
type Layer = <Config as confique::Config>::Layer;

impl Config {
    /// The defaults, with paths as they are written.
    ///
    /// # Errors
    /// Never: a test reads them.
    pub fn defaults() -> Result<Self, confique::Error> {
        Self::from_layer(Layer::default_values())
    }
}

/// A configuration that has passed every rule, and where it comes from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values; `store.path` and the files of `tls` are absolute.
    pub config: Config,
    /// The file that was read, if one was found.
    pub file: Option<PathBuf>,
    origins: BTreeMap<String, Origin>,
}

impl Loaded {
    /// Finds the file, reads all sources, and judges every value. No side effects.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let file = sources.find_file()?;
        let mut reader = read::Reader::default();
        if let Some((path, text)) = &file {
            reader.file(path, text);
        }
        for (name, value) in &sources.environment {
            reader.variable(name, value);
        }
        for assignment in &sources.assignments {
            reader.flag(assignment);
        }
        reader.finish(file.map(|(path, _)| path))
    }

    /// The directory that relative paths of the file start at; the working directory without a file.
    #[must_use]
    pub fn base_dir(&self) -> PathBuf {
        source::base_dir(self.file.as_deref())
    }

    /// Which file was read, for the log.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.file {
            Some(path) => format!("config read from {}", path.display()),
            None => format!("no config file found (looked for {}): using the defaults", source::SEARCHED.join(" and ")),
        }
    }

    /// Every key with its effective value and where that comes from; secrets are redacted.
    #[must_use]
    pub fn settings(&self) -> Vec<Setting> {
        show::settings(self)
    }
}
