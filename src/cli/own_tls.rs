//! This machine's server where it speaks nothing but TLS: its certificate is read from the same config, and says by which
//! name the server is to be called.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use reqwest::Url;

use super::exit::{Exit, Failure};
use crate::tls;

/// A server of this machine, over TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnTls {
    /// Under a name of its certificate.
    pub(super) url: Url,
    /// Where that name leads, if not where the resolver says.
    pub(super) address: Option<(String, SocketAddr)>,
    /// What is trusted besides what the system trusts.
    pub(super) certificate_file: PathBuf,
}

impl OwnTls {
    /// The server that listens on `host_port` and shows the certificate in `certificate_file`.
    pub(super) fn find(host_port: &str, certificate_file: &Path) -> Result<Self, Failure> {
        let refused = |why: String| Failure::new(Exit::Usage, format!("{why}; name the server with --url"));
        let (host, port) = host_port.rsplit_once(':').unwrap_or((host_port, "443"));
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = tls::server_name(certificate_file, host).map_err(|error| refused(error.to_string()))?;
        // Only what is an address can be called by another name.
        let address = host_port.replace("localhost", "127.0.0.1").parse::<SocketAddr>().ok();
        let (url, address) = match (name, address) {
            (Some(name), Some(address)) if name != host => (format!("https://{name}:{port}"), Some((name, address))),
            _ => (format!("https://{host_port}"), None),
        };
        let url = Url::parse(&url).map_err(|error| refused(format!("{url} is no address: {error}")))?;
        Ok(Self { url, address, certificate_file: certificate_file.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_called_by_a_name_of_its_certificate() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("server.pem");
        for (names, host_port, url, is_led) in [
            (&["revokd.example", "other.example"][..], "127.0.0.1:1", "https://revokd.example:1/", true),
            (&["*.wild.example", "revokd.example"], "localhost:1", "https://revokd.example:1/", true),
            (&["127.0.0.1", "revokd.example"], "127.0.0.1:1", "https://127.0.0.1:1/", false),
            (&["revokd.example"], "[::1]:1", "https://revokd.example:1/", true),
            (&["localhost"], "localhost:1", "https://localhost:1/", false),
            (&["a.wild.example"], "other.example:1", "https://other.example:1/", false),
            (&["*.wild.example"], "127.0.0.1:1", "https://127.0.0.1:1/", false),
        ] {
            let names: Vec<_> = names.iter().map(ToString::to_string).collect();
            let certified = rcgen::generate_simple_self_signed(names.clone()).unwrap();
            std::fs::write(&file, certified.cert.pem()).unwrap();
            let own = OwnTls::find(host_port, &file).unwrap();
            assert_eq!((own.url.as_str(), own.address.is_some()), (url, is_led), "{names:?}");
        }
    }
}
