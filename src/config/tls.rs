//! `[tls]`: what `tls://` addresses show, and whom they believe.

use std::path::PathBuf;

use serde::Serialize;

use super::{Config, ListenAddress};
use crate::tls::{ClientAuth, ClientSettings, Settings};

/// The certificate of `tls://` addresses, and who clients are by theirs. Files are in PEM and at most 1 MiB; they are read
/// again when they change (looked at every ten seconds) and on SIGHUP, and connections go on. What cannot be used is
/// logged and changes nothing. A relative path starts at this file's directory; given by environment or flag, at the
/// working directory.
#[derive(Debug, Clone, confique::Config, Serialize)]
pub struct Tls {
    /// The server's certificate, then those that lead to its authority; not an authority's own, which many clients refuse.
    /// Required by `tls://` addresses; empty for none.
    #[config(default = "")]
    pub certificate_file: PathBuf,

    /// The private key of that certificate, not encrypted.
    #[config(default = "")]
    pub key_file: PathBuf,

    /// The authorities whose certificates clients may show; empty asks clients for none. One that is shown must be
    /// valid, or the handshake fails.
    #[config(default = "")]
    pub client_ca_file: PathBuf,

    /// Whether clients must show a certificate: `"optional"`, or `"required"`; the command line has none, and needs an
    /// address without TLS then.
    #[config(default = "optional")]
    pub client_auth: ClientAuth,

    /// What clients may do by their certificate alone, one `[[tls.clients]]` section each. A certificate must have a
    /// name (subject alternative name) of exactly one of them; DNS names are compared without regard to case, URIs byte
    /// for byte, and there are no wildcards. A request with an API key is judged by that instead. An example:
    ///
    /// ```toml
    /// [[tls.clients]]
    /// san = "dns:gateway.internal"            # or "uri:spiffe://cluster/gateway"
    /// scopes = ["check"]                      # of revoke, check, admin and audit
    /// issuers = ["https://auth.example"]      # may do so only about these issuers; left out: all
    /// client_ids = ["shop"]                   # may do so only about tokens of these clients; left out: all
    /// ```
    #[config(default = [])]
    pub clients: Vec<ClientSettings>,
}

impl Tls {
    /// Every file by its key.
    pub(super) const fn files_mut(&mut self) -> [(&'static str, &mut PathBuf); 3] {
        [
            ("tls.certificate_file", &mut self.certificate_file),
            ("tls.key_file", &mut self.key_file),
            ("tls.client_ca_file", &mut self.client_ca_file),
        ]
    }
}

impl Config {
    /// What its `tls://` addresses need, if it has one.
    #[must_use]
    pub fn tls_settings(&self) -> Option<Settings> {
        let tls = &self.tls;
        self.server.listen.iter().any(ListenAddress::is_tls).then(|| Settings {
            certificate_file: tls.certificate_file.clone(),
            key_file: tls.key_file.clone(),
            client_ca_file: Some(tls.client_ca_file.clone()).filter(|path| !path.as_os_str().is_empty()),
            client_auth: tls.client_auth,
            clients: tls.clients.clone(),
        })
    }
}
