//! The files of `[tls]`: read whole, proven, and only then put in force.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{InconsistentKeys, RootCertStore, ServerConfig};
use webpki::EndEntityCert;

use super::{ClientAuth, Settings, expiry};
use crate::clock::NumericDate;

/// Longest file, in bytes: who names another file by mistake is told, and memory stays bounded.
const FILE_BYTES_MAX: u64 = 1_048_576;
/// Most certificates of authorities: every handshake lists their names to the client.
const AUTHORITIES_MAX: usize = 100;
/// Most certificates of a chain: every handshake sends them.
const CHAIN_MAX: usize = 10;

/// The protocols that share a listener (ALPN, RFC 7301), the better one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Why a file of `[tls]` cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}`: {}: {fault}", path.display())]
pub struct FileError {
    /// The config's key that names the file.
    pub key: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: String,
}

/// What the files hold, ready for handshakes.
pub(super) struct Material {
    pub(super) config: Arc<ServerConfig>,
    /// When the server's own certificate ends.
    pub(super) not_after: NumericDate,
}

/// One file, under the name by which the config knows it.
struct Named<'a> {
    key: &'static str,
    path: &'a Path,
}

impl Named<'_> {
    fn fault(&self, fault: impl fmt::Display) -> FileError {
        FileError { key: self.key, path: self.path.to_owned(), fault: fault.to_string() }
    }

    fn read(&self) -> Result<Vec<u8>, FileError> {
        let mut bytes = Vec::new();
        let read = File::open(self.path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
        read.map_err(|error: io::Error| self.fault(format_args!("cannot read it: {error}")))?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(self.fault(format_args!("it is larger than the limit of {FILE_BYTES_MAX} bytes")));
        }
        Ok(bytes)
    }

    /// Every certificate of the file, at least one and at most `most`.
    fn certificates(&self, most: usize) -> Result<Vec<CertificateDer<'static>>, FileError> {
        let pem = self.read()?;
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let certificates = certificates.map_err(|error| self.fault(format_args!("it is no PEM: {error}")))?;
        match certificates.len() {
            0 => Err(self.fault("it holds no certificate in PEM")),
            count if count > most => {
                Err(self.fault(format_args!("it holds {count} certificates; the limit is {most}")))
            }
            _ => Ok(certificates),
        }
    }

    fn private_key(&self) -> Result<PrivateKeyDer<'static>, FileError> {
        let pem = self.read()?;
        PrivateKeyDer::from_pem_slice(&pem).map_err(|error| match error {
            pem::Error::NoItemsFound if is_encrypted(&pem) => {
                self.fault("its key is encrypted; give one without a passphrase, readable by the server alone")
            }
            pem::Error::NoItemsFound => self.fault("it holds no private key in PEM"),
            // Whatever else it says could quote the key.
            _ => self.fault("it is no PEM"),
        })
    }
}

fn is_encrypted(pem: &[u8]) -> bool {
    const LABEL: &[u8] = b"ENCRYPTED PRIVATE KEY";
    pem.windows(LABEL.len()).any(|window| window == LABEL)
}

/// Reads and proves the files: each can be parsed, and certificate and key belong together.
pub(super) fn read(settings: &Settings) -> Result<Material, FileError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let (certified, not_after) = certified_key(settings, &provider)?;
    let versions = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let certificate_file = Named { key: "tls.certificate_file", path: &settings.certificate_file };
    let builder = versions.map_err(|error| certificate_file.fault(error))?;
    let verifier =
        settings.client_ca_file.as_deref().map(|path| client_verifier(path, settings.client_auth, &provider));
    let builder = match verifier.transpose()? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    if settings.client_ca_file.is_some() {
        // A resumed session would bring its certificate along unjudged, also after that has expired.
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(Material { config: Arc::new(config), not_after })
}

/// The server's chain and its key, and when its own certificate ends.
fn certified_key(settings: &Settings, provider: &CryptoProvider) -> Result<(CertifiedKey, NumericDate), FileError> {
    let certificate_file = Named { key: "tls.certificate_file", path: &settings.certificate_file };
    let key_file = Named { key: "tls.key_file", path: &settings.key_file };
    let chain = certificate_file.certificates(CHAIN_MAX)?;
    let unusable = |error: &dyn fmt::Display| certificate_file.fault(format_args!("cannot use it: {error}"));
    let not_after = expiry::not_after(&chain[0]).map_err(|error| unusable(&error))?;
    let key = provider.key_provider.load_private_key(key_file.private_key()?);
    let key = key.map_err(|error| key_file.fault(format_args!("cannot use its key: {error}")))?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok((certified, not_after)),
        Err(rustls::Error::InconsistentKeys(_)) => {
            let fault = "its key does not belong to the first certificate of `tls.certificate_file`, which must be the \
                         server's own";
            Err(key_file.fault(fault))
        }
        Err(error) => Err(unusable(&error)),
    }
}

/// The name by which a client on this machine is to call the server that shows the first certificate of a file: `host`
/// where the certificate is valid for it, else the first DNS name in it, if there is one.
///
/// # Errors
/// [`FileError`], as if the file were `tls.certificate_file`.
pub fn server_name(certificate_file: &Path, host: &str) -> Result<Option<String>, FileError> {
    let file = Named { key: "tls.certificate_file", path: certificate_file };
    let chain = file.certificates(CHAIN_MAX)?;
    let certificate =
        EndEntityCert::try_from(&chain[0]).map_err(|error| file.fault(format_args!("cannot use it: {error}")))?;
    let is_host =
        ServerName::try_from(host).is_ok_and(|name| certificate.verify_is_valid_for_subject_name(&name).is_ok());
    let first = || certificate.valid_dns_names().find(|name| !name.starts_with('*')).map(ToOwned::to_owned);
    Ok(if is_host { Some(host.to_owned()) } else { first() })
}

/// Judges clients' certificates by the authorities in the file.
fn client_verifier(
    path: &Path,
    client_auth: ClientAuth,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, FileError> {
    let file = Named { key: "tls.client_ca_file", path };
    let unusable = |error: &dyn fmt::Display| file.fault(format_args!("cannot use it: {error}"));
    let mut roots = RootCertStore::empty();
    for certificate in file.certificates(AUTHORITIES_MAX)? {
        roots.add(certificate).map_err(|error| unusable(&error))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let builder = match client_auth {
        ClientAuth::Optional => builder.allow_unauthenticated(),
        ClientAuth::Required => builder,
    };
    builder.build().map_err(|error| unusable(&error))
}
