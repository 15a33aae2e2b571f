//! TLS for the listener: what it shows, whom it believes, and how both are renewed while it serves. The owner of rustls.
//!
//! A handshake takes the certificates in force when it begins, and its connection keeps them: renewing drops nothing.
//! A client's certificate is a second way to authenticate: one that chains to `tls.client_ca_file` and of whose names
//! exactly one row of `[[tls.clients]]` speaks makes its connection a [`Caller`].

mod client;
mod expiry;
mod files;
mod renewal;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

pub use self::client::{ClientError, ClientSettings, San, SanError, validate as validate_clients};
pub use self::files::{FileError, server_name};
pub use self::renewal::{Renewal, Renewed};

use self::client::{Clients, Known};
use self::files::Material;
use self::renewal::Stamps;
use crate::clock::NumericDate;
use crate::keys::Caller;
use crate::metrics::TlsMetrics;

/// A connection after its handshake.
pub type Stream<T> = tokio_rustls::server::TlsStream<T>;

/// What `[tls]` says, with paths that can be opened.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server's chain in PEM, its own certificate first (`tls.certificate_file`).
    pub certificate_file: PathBuf,
    /// The key of that certificate in PEM (`tls.key_file`).
    pub key_file: PathBuf,
    /// Whose certificates clients may show (`tls.client_ca_file`); `None` asks them for none.
    pub client_ca_file: Option<PathBuf>,
    /// Whether they must (`tls.client_auth`).
    pub client_auth: ClientAuth,
    /// What whose certificate may do (`[[tls.clients]]`).
    pub clients: Vec<ClientSettings>,
}

/// Whether a client must show a certificate. One that is shown is judged either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuth {
    /// It may.
    Optional,
    /// A handshake without one fails.
    Required,
}

/// Why TLS cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A row of `[[tls.clients]]` cannot be used.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// Why a handshake failed: the reasons that are counted.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The client went, or its connection broke.
    #[error("the connection ended within the handshake")]
    Closed(#[source] io::Error),
    /// The client's certificate proves nothing, or is missing where one is required.
    #[error("the client's certificate is refused")]
    Certificate(#[source] io::Error),
    /// The client ended it by an alert: most often it does not trust our certificate.
    #[error("the client refused")]
    Alert(#[source] io::Error),
    /// What the client sent is not TLS, or no version and cipher of it is ours too.
    #[error("the client speaks no TLS that is understood")]
    Protocol(#[source] io::Error),
}

/// TLS as one server speaks it. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Tls {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    clients: Clients,
    metrics: TlsMetrics,
    /// Of the files as they were when they were read first.
    stamps: Stamps,
    material: ArcSwap<Material>,
}

impl Tls {
    /// Reads and proves all files.
    ///
    /// # Errors
    /// [`TlsError`] naming the config's key and the file.
    pub fn load(settings: Settings, metrics: TlsMetrics) -> Result<Self, TlsError> {
        let clients = Clients::new(&settings.clients)?;
        // Before they are read: a change in between is seen at the next look.
        let stamps = renewal::stamps(&settings);
        let material = ArcSwap::from_pointee(files::read(&settings)?);
        let inner = Inner { settings, clients, metrics, stamps, material };
        let tls = Self { inner: Arc::new(inner) };
        tls.show_expiry();
        Ok(tls)
    }

    /// When the certificate in force ends.
    #[must_use]
    pub fn not_after(&self) -> NumericDate {
        self.inner.material.load().not_after
    }

    /// Shakes hands over `io` and says who the client is by its certificate, if it is anybody. Takes as long as the
    /// client lets it: the caller bounds the time.
    ///
    /// # Errors
    /// [`HandshakeError`]; it has been counted.
    pub async fn accept<T>(&self, io: T) -> Result<(Stream<T>, Option<Caller>), HandshakeError>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.inner.material.load().config));
        let count = &self.inner.metrics.handshakes;
        match acceptor.accept(io).await {
            Ok(stream) => {
                count.ok.increment(1);
                let caller = self.caller(&stream);
                Ok((stream, caller))
            }
            Err(error) => {
                let error = HandshakeError::from(error);
                match &error {
                    HandshakeError::Closed(_) => &count.closed,
                    HandshakeError::Certificate(_) => &count.certificate,
                    HandshakeError::Alert(_) => &count.alert,
                    HandshakeError::Protocol(_) => &count.protocol,
                }
                .increment(1);
                Err(error)
            }
        }
    }

    /// Counts a connection that began with HTTP instead of a handshake.
    pub fn count_plain(&self) {
        self.inner.metrics.handshakes.plain.increment(1);
    }

    /// Who a connection's client is by the certificate that its handshake has verified.
    fn caller<T>(&self, stream: &Stream<T>) -> Option<Caller> {
        let leaf = stream.get_ref().1.peer_certificates()?.first()?;
        let (count, known) = (&self.inner.metrics.client_certificates, self.inner.clients.know(leaf));
        match known {
            Known::By(caller) => {
                count.known.increment(1);
                return Some(caller.clone());
            }
            Known::ByNone => &count.unknown,
            Known::BySeveral => &count.ambiguous,
        }
        .increment(1);
        tracing::debug!(?known, "a client's certificate is valid, but no caller's");
        None
    }

    /// Puts what the files hold now in force for handshakes to come.
    fn reload(&self) -> Result<NumericDate, FileError> {
        let material = files::read(&self.inner.settings)?;
        let not_after = material.not_after;
        self.inner.material.store(Arc::new(material));
        self.show_expiry();
        Ok(not_after)
    }

    #[expect(clippy::cast_precision_loss, reason = "gauges are floating-point numbers by their format")]
    fn show_expiry(&self) {
        self.inner.metrics.certificate_expiry.set(self.not_after().0 as f64);
    }
}

impl From<io::Error> for HandshakeError {
    /// Tells apart by what rustls says within.
    fn from(error: io::Error) -> Self {
        let said = error.get_ref().and_then(|within| within.downcast_ref::<rustls::Error>());
        match said {
            None => Self::Closed(error),
            Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
                Self::Certificate(error)
            }
            Some(rustls::Error::AlertReceived(_)) => Self::Alert(error),
            Some(_) => Self::Protocol(error),
        }
    }
}
