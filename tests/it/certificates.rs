//! Certificates for a test, made on the spot.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;

/// An authority, and a directory for what it signs.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pub(crate) pem: String,
    dir: TempDir,
}

/// A certificate and its key.
pub(crate) struct Certified {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) certificate_pem: String,
    key: KeyPair,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let made = params.self_signed(&key).unwrap();
        let (certificate, pem) = (made.der().clone(), made.pem());
        Self { issuer: Issuer::new(params, key), certificate, pem, dir: TempDir::new().unwrap() }
    }

    /// A server of these names.
    pub(crate) fn server(&self, names: &[&str]) -> Certified {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(&params)
    }

    /// A client of these names, `dns:…` or `uri:…`.
    pub(crate) fn client(&self, sans: &[&str]) -> Certified {
        self.sign(&client_params(sans))
    }

    /// A client whose time is over.
    pub(crate) fn expired_client(&self, sans: &[&str]) -> Certified {
        let mut params = client_params(sans);
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        self.sign(&params)
    }

    pub(crate) fn sign(&self, params: &CertificateParams) -> Certified {
        let key = KeyPair::generate().unwrap();
        let made = params.signed_by(&key, &self.issuer).unwrap();
        Certified { certificate: made.der().clone(), certificate_pem: made.pem(), key }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes the authority's certificate.
    pub(crate) fn write_ca(&self) -> PathBuf {
        let path = self.path("ca.pem");
        fs::write(&path, &self.pem).unwrap();
        path
    }

    /// Writes certificate and key as `NAME.pem` and `NAME.key`.
    pub(crate) fn write(&self, name: &str, certified: &Certified) -> (PathBuf, PathBuf) {
        let (certificate, key) = (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
        replace(&certificate, &certified.certificate_pem);
        replace(&key, &certified.key_pem());
        (certificate, key)
    }

    /// A client that trusts this authority and speaks these protocols; with a certificate if there is one.
    pub(crate) fn trusting(&self, client: Option<&Certified>, protocols: &[&str]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let mut config = match client {
            Some(client) => {
                let key = PrivateKeyDer::try_from(client.key.serialize_der()).unwrap();
                builder.with_client_auth_cert(vec![client.certificate.clone()], key).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}

impl Certified {
    pub(crate) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// Certificate and key in one text, as reqwest wants them.
    pub(crate) fn identity(&self) -> reqwest::Identity {
        reqwest::Identity::from_pem(format!("{}{}", self.certificate_pem, self.key_pem()).as_bytes()).unwrap()
    }
}

/// Replaces a file as every careful tool does.
pub(crate) fn replace(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::rename(&beside, path).unwrap();
}

fn client_params(sans: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let san = |san: &&str| match san.split_once(':').unwrap() {
        ("dns", name) => SanType::DnsName(name.try_into().unwrap()),
        ("uri", uri) => SanType::URI(uri.try_into().unwrap()),
        other => panic!("{other:?}"),
    };
    params.subject_alt_names = sans.iter().map(san).collect();
    params
}
