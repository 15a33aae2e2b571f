//! TLS on the real accept loop: certificates of both sides, and those who do not come to an end of it.

mod clients;
mod limits;
mod protocols;
mod renewal;

use revokd::http::listener::Bound;
use revokd::metrics::Metrics;
use revokd::tls::{ClientAuth, ClientSettings, Settings, Tls};
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{ConnectionLimits, LONG, Server};
use crate::certificates::{Authority, Certified};

/// A server that speaks TLS, and the authority that has signed its certificate and judges its clients.
struct Secured {
    server: Server,
    authority: Authority,
    tls: Tls,
}

impl Secured {
    async fn start(limits: ConnectionLimits) -> Self {
        Self::with_clients(limits, None, &[]).await
    }

    /// With client certificates, if `client_auth` says so.
    async fn with_clients(limits: ConnectionLimits, client_auth: Option<ClientAuth>, sans: &[&str]) -> Self {
        let authority = Authority::new("ours");
        let (certificate_file, key_file) = authority.write("server", &authority.server(&["localhost"]));
        let row = |san: &&str| ClientSettings::new(san.parse().unwrap(), vec![revokd::keys::Scope::Check]);
        let settings = Settings {
            certificate_file,
            key_file,
            client_ca_file: client_auth.map(|_| authority.write_ca()),
            client_auth: client_auth.unwrap_or(ClientAuth::Optional),
            clients: sans.iter().map(row).collect(),
        };
        let metrics = Metrics::new();
        let tls = Tls::load(settings, metrics.tls()).unwrap();
        let bound = Bound::bind_tls("127.0.0.1:0", tls.clone()).await.unwrap();
        let address = bound.tcp_address().unwrap();
        let server = Server::start_counting(vec![bound], address, limits, metrics);
        Self { server, authority, tls }
    }

    async fn shake(&self, client: Option<&Certified>, protocols: &[&str]) -> std::io::Result<Shaken> {
        let connector = TlsConnector::from(self.authority.trusting(client, protocols));
        let stream = TcpStream::connect(self.server.address).await?;
        connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.map(Shaken)
    }

    async fn connect(&self) -> Shaken {
        self.shake(None, &["http/1.1"]).await.unwrap()
    }

    /// Who a client with this certificate is taken for.
    async fn known_as(&self, client: Option<&Certified>) -> String {
        self.shake(client, &[]).await.unwrap().ask("/caller").await.unwrap()
    }

    /// How a client fails whose handshake is over for itself before the server has judged it (TLS 1.3).
    async fn is_refused(&self, client: Option<&Certified>) -> bool {
        match self.shake(client, &[]).await {
            Ok(mut shaken) => shaken.ask("/").await.is_err(),
            Err(_) => true,
        }
    }
}

struct Shaken(TlsStream<TcpStream>);

impl Shaken {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    async fn get(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
    }

    /// The body of the answer.
    async fn ask(&mut self, path: &str) -> std::io::Result<String> {
        self.0.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await?;
        let mut text = Vec::new();
        timeout(LONG, async {
            loop {
                let head = String::from_utf8_lossy(&text).into_owned();
                if let Some((head, body)) = head.split_once("\r\n\r\n") {
                    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                    if body.len() == length.parse::<usize>().unwrap() {
                        return Ok(body.to_owned());
                    }
                }
                let mut chunk = [0; 4096];
                let bytes = self.0.read(&mut chunk).await?;
                if bytes == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                text.extend_from_slice(&chunk[..bytes]);
            }
        })
        .await
        .expect("no answer")
    }

    /// What the server has shown.
    fn leaf(&self) -> CertificateDer<'static> {
        self.0.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
    }

    /// Waits until the server closes.
    async fn until_closed(&mut self) {
        let mut rest = Vec::new();
        let _reset = timeout(LONG, self.0.read_to_end(&mut rest)).await.expect("not closed");
    }
}
