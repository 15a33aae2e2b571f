//! Which server to talk to, and with which key.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser as _};
use reqwest::Url;

use super::exit::{Exit, Failure};
use super::own_tls::OwnTls;
use super::{Context, Environment};
use crate::config::{Config, ListenAddress};

const KEY_VARIABLE: &str = "REVOKD_API_KEY";
const KEY_FILE_VARIABLE: &str = "REVOKD_API_KEY_FILE";

/// The file under `store.path` that the first start writes.
const ADMIN_KEY: &str = "admin.key";

/// Largest file that can be a key, bytes.
const KEY_FILE_BYTES_MAX: u64 = 4_096;

/// How the server is reached.
#[derive(Debug, Args)]
pub(super) struct TargetArgs {
    /// Server, as `http://host:port`, `https://host` or `unix:/path`; otherwise one of `server.listen` of the config,
    /// preferably without TLS
    #[arg(long, value_name = "URL", env = "REVOKD_URL", hide_env_values = true, help_heading = "Connection")]
    url: Option<String>,
    /// For https, the certificates (PEM) to trust instead of the system's
    #[arg(long, value_name = "FILE", env = "REVOKD_CA_FILE", hide_env_values = true, help_heading = "Connection")]
    #[arg(value_parser = OsStringValueParser::new().map(PathBuf::from))]
    ca_file: Option<PathBuf>,
    /// Give up on a request after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, help_heading = "Connection")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(super) timeout_s: u64,
}

/// Where the server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// `http://…` or `https://…`, without a slash at its end.
    Http(Url),
    /// This machine's server, over TLS.
    OwnTls(OwnTls),
    /// A Unix socket.
    Unix(PathBuf),
}

impl Place {
    fn parse(text: &str) -> Result<Self, Failure> {
        let refused = || {
            let message = format!("{text:?} is no server; write http://host:port, https://host or unix:/path");
            Failure::new(Exit::Usage, message)
        };
        if let Some(path) = text.strip_prefix("unix:") {
            return path.starts_with('/').then(|| Self::Unix(path.into())).ok_or_else(refused);
        }
        let url = Url::parse(text).map_err(|_| refused())?;
        let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.has_host();
        (plain && matches!(url.scheme(), "http" | "https")).then_some(Self::Http(url)).ok_or_else(refused)
    }

    /// Where a server with this config can be reached from this machine: without TLS where it can be.
    fn of(config: &Config) -> Result<Self, Failure> {
        let listen = &config.server.listen;
        let local = listen.iter().find(|address| address.is_local() && !address.is_tls());
        let plain = || listen.iter().find(|address| !address.is_tls());
        match local.or_else(plain).or(listen.first()) {
            Some(ListenAddress::Unix(path)) => Ok(Self::Unix(path.clone())),
            Some(ListenAddress::Tcp(address)) => Self::parse(&format!("http://{}", reachable(address))),
            Some(ListenAddress::Tls(address)) => {
                OwnTls::find(&reachable(address), &config.tls.certificate_file).map(Self::OwnTls)
            }
            None => Err(Failure::new(Exit::Usage, "`server.listen` is empty; name the server with --url")),
        }
    }

    /// Whether what is sent there stays on this machine.
    fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) | Self::OwnTls(_) => true,
            Self::Http(url) => url.host_str().is_some_and(|host| {
                let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
                address.map_or(host == "localhost", |address| address.is_loopback())
            }),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(url) | Self::OwnTls(OwnTls { url, .. }) => f.write_str(url.as_str().trim_end_matches('/')),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// An address to connect to: "every address" is none.
fn reachable(address: &str) -> String {
    match address.rsplit_once(':') {
        Some(("0.0.0.0", port)) => format!("127.0.0.1:{port}"),
        Some(("[::]", port)) => format!("[::1]:{port}"),
        _ => address.to_owned(),
    }
}

/// An API key and where it was found, or where it was looked for in vain.
pub(super) struct ApiKey {
    /// The key.
    pub(super) text: Option<String>,
    /// For the error that says it was missing or not accepted.
    pub(super) source: String,
}

/// A server and the key to it.
pub(super) struct Target {
    /// Where it listens.
    pub(super) place: Place,
    /// Whose certificates are trusted, instead of the system's.
    pub(super) ca_file: Option<PathBuf>,
    /// The key.
    pub(super) key: ApiKey,
}

impl Target {
    /// Finds server and key: flag and environment, else the config. Reads the config only if one of the two is left.
    pub(super) fn find(args: &TargetArgs, context: &Context<'_>) -> anyhow::Result<Self> {
        let named = args.url.as_deref().filter(|url| !url.is_empty()).map(Place::parse).transpose()?;
        let given = key_of(context.environment)?;
        let (place, key) = match (named, given) {
            (Some(place), Some(key)) => (place, key),
            (Some(place), None) if !place.is_local() => (place, no_key_for_elsewhere()),
            (named, given) => {
                let loaded = context.load().context("cannot tell from the config where the server and its key are")?;
                let place = named.map_or_else(|| Place::of(&loaded.config), Ok)?;
                (place, given.map_or_else(|| admin_key(&loaded.config.store.path), Ok)?)
            }
        };
        let ca_file = args.ca_file.clone().filter(|path| !path.as_os_str().is_empty());
        Ok(Self { place, ca_file, key })
    }
}

/// The key that the environment gives.
fn key_of(environment: &Environment) -> anyhow::Result<Option<ApiKey>> {
    match (environment.get(KEY_VARIABLE), environment.get(KEY_FILE_VARIABLE)) {
        (Some(_), Some(_)) => {
            let message = format!("both {KEY_VARIABLE} and {KEY_FILE_VARIABLE} are set; unset one of them");
            Err(Failure::new(Exit::Usage, message).into())
        }
        (Some(key), None) => {
            let text = key.to_str().with_context(|| format!("{KEY_VARIABLE} is not UTF-8"))?;
            Ok(Some(ApiKey { text: Some(text.trim().to_owned()), source: KEY_VARIABLE.to_owned() }))
        }
        (None, Some(path)) => {
            let path = Path::new(path);
            let source = format!("{} ({KEY_FILE_VARIABLE})", path.display());
            let text = read_key(path).with_context(|| format!("cannot read the API key from {source}"))?;
            Ok(Some(ApiKey { text: Some(text), source }))
        }
        (None, None) => Ok(None),
    }
}

/// The admin key of this machine's server. Where there is none yet, the server may say what is missing.
fn admin_key(store: &Path) -> anyhow::Result<ApiKey> {
    let path = store.join(ADMIN_KEY);
    match read_key(&path) {
        Ok(text) => Ok(ApiKey { text: Some(text), source: path.display().to_string() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let source = format!("{KEY_VARIABLE} and {KEY_FILE_VARIABLE} are unset, and {} is missing", path.display());
            Ok(ApiKey { text: None, source })
        }
        Err(error) => Err(Failure::new(
            Exit::Auth,
            format!(
                "cannot read the API key from {}: {error}; run as the server's user, or set {KEY_VARIABLE}",
                path.display()
            ),
        )
        .into()),
    }
}

/// `admin.key` opens this machine's server: it is sent nowhere else.
fn no_key_for_elsewhere() -> ApiKey {
    let source =
        format!("{KEY_VARIABLE} and {KEY_FILE_VARIABLE} are unset, and {ADMIN_KEY} is only used on this machine");
    ApiKey { text: None, source }
}

fn read_key(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(KEY_FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_by_url_or_socket() {
        for good in ["http://127.0.0.1:7009", "https://revokd.example", "http://h/prefix", "unix:/run/r.sock"] {
            assert_eq!(Place::parse(good).unwrap().to_string(), good);
        }
        for bad in ["", "127.0.0.1:7009", "ftp://h", "unix:r.sock", "http://h?x", "http://u:p@h", "http://"] {
            assert_eq!(Place::parse(bad).unwrap_err().exit, Exit::Usage, "{bad}");
        }
    }

    #[test]
    fn only_loopback_and_sockets_are_this_machine() {
        for (place, local) in [
            ("http://127.0.0.1:1", true),
            ("http://[::1]:1", true),
            ("http://localhost:1", true),
            ("unix:/x", true),
            ("http://10.0.0.1", false),
            ("http://127.0.0.1.example", false),
            ("https://localhost.example", false),
        ] {
            assert_eq!(Place::parse(place).unwrap().is_local(), local, "{place}");
        }
    }

    #[test]
    fn a_server_that_listens_everywhere_is_reached_on_loopback() {
        let mut config = Config::defaults().unwrap();
        for (listen, place) in [
            (&["127.0.0.1:7009"][..], "http://127.0.0.1:7009"),
            (&["0.0.0.0:1"], "http://127.0.0.1:1"),
            (&["[::]:1"], "http://[::1]:1"),
            (&["unix:/run/r.sock"], "unix:/run/r.sock"),
            (&["tls://127.0.0.1:1", "127.0.0.1:2"], "http://127.0.0.1:2"),
            (&["tls://0.0.0.0:1", "0.0.0.0:2", "unix:/run/r.sock"], "unix:/run/r.sock"),
            (&["tls://0.0.0.0:1", "0.0.0.0:2"], "http://127.0.0.1:2"),
        ] {
            config.server.listen = listen.iter().map(|address| address.parse().unwrap()).collect();
            assert_eq!(Place::of(&config).unwrap().to_string(), place);
        }
    }
}
