//! `[server]`: where revokd listens, and what a connection may cost.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use confique::Config;
use serde::{Deserializer, Serialize, Serializer};

use super::values::one_or_many;

/// Where revokd listens, and what connections may cost it.
#[derive(Debug, Clone, Config, Serialize)]
pub struct Server {
    /// Where to listen: `"host:port"`, `"tls://host:port"` or `"unix:/path"`, or a list of them. Port 0 takes a free port.
    /// Without TLS keys and tokens cross the network as they are: use that on loopback only, or put TLS in front.
    #[config(default = "127.0.0.1:7009", deserialize_with = listen)]
    pub listen: Vec<ListenAddress>,

    /// Where OAuth clients reach this server, as in `"https://revokd.example"`: `https`, or `http` on loopback; no slash at its
    /// end. Said by `/.well-known/oauth-authorization-server`, which is not there without it.
    #[config(default = "")]
    pub public_url: String,

    /// Most connections at a time; one more is closed at once, and the last tenth is for callers on this machine. 1 to 1,000,000.
    #[config(default = 10_000)]
    pub connections_max: usize,

    /// How long a TLS handshake may take, milliseconds. At most half of all connections may be within theirs; callers on
    /// this machine are not counted. 1 to 600,000.
    #[config(default = 10_000)]
    pub handshake_timeout_ms: u64,

    /// How long a request's head may take to arrive, milliseconds. 1 to 600,000.
    #[config(default = 10_000)]
    pub header_timeout_ms: u64,

    /// How long a connection may be idle between requests, milliseconds. 1 to 86,400,000.
    #[config(default = 60_000)]
    pub idle_timeout_ms: u64,

    /// How long a request's body may take to arrive, milliseconds, and a second more for each 64 KiB of it that have come.
    /// 1 to 600,000.
    #[config(default = 10_000)]
    pub body_timeout_ms: u64,

    /// How long to go on answering after SIGTERM while `/readyz` already says no, milliseconds. Behind a load balancer
    /// set 5000, so that it notices before connections are refused. 0 to 600,000.
    #[config(default = 0)]
    pub drain_delay_ms: u64,

    /// How long requests under way may take to finish once no new ones are accepted, milliseconds. 0 to 600,000.
    #[config(default = 30_000)]
    pub grace_ms: u64,

    /// Most ids under way in all requests together; beyond it a check is answered 503. A tenth is
    /// reserved for admins; the rest must hold `limits.batch_ids_max`. 1 to 100,000,000.
    #[config(default = 200_000)]
    pub in_flight_ids_max: usize,

    /// Threads that answer requests. 0 takes one per core. 0 to 1024.
    #[config(default = 0)]
    pub worker_threads: usize,
}

/// One address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// `host:port`; the host is an IP address (IPv6 in brackets) or a name.
    Tcp(String),
    /// `tls://host:port`; what follows the scheme is as in [`Tcp`](Self::Tcp).
    Tls(String),
    /// `unix:/path`.
    Unix(PathBuf),
}

/// Why an address to listen on is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no address to listen on; write \"host:port\", \"tls://host:port\" or \"unix:/path\" (IPv6: \"[::1]:7009\")"
)]
pub struct NoAddress {
    text: String,
}

impl ListenAddress {
    /// Whether connections to it begin with a TLS handshake.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Whether only this machine can reach it. Of names, only `localhost` counts.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp(address) | Self::Tls(address) => match address.parse::<SocketAddr>() {
                Ok(address) => address.ip().is_loopback(),
                Err(_) => address.rsplit_once(':').is_some_and(|(host, _)| host == "localhost"),
            },
        }
    }
}

impl FromStr for ListenAddress {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let refused = || NoAddress { text: text.to_owned() };
        if let Some(path) = text.strip_prefix("unix:") {
            return path.starts_with('/').then(|| Self::Unix(path.into())).ok_or_else(refused);
        }
        let (make, host_port): (fn(String) -> Self, _) = match text.strip_prefix("tls://") {
            Some(host_port) => (Self::Tls, host_port),
            None => (Self::Tcp, text),
        };
        let (host, port) = host_port.rsplit_once(':').ok_or_else(refused)?;
        let host_is_well_formed = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(inner) => matches!(inner.parse(), Ok(IpAddr::V6(_))),
            None => !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-'),
        };
        // `u16::from_str` takes a leading `+`, which no resolver does.
        let port_is_well_formed = port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
        (host_is_well_formed && port_is_well_formed).then(|| make(host_port.to_owned())).ok_or_else(refused)
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Tls(address) => write!(f, "tls://{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Serialize for ListenAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ListenAddress>, D::Error> {
    one_or_many(deserializer, str::parse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_host_and_port_or_an_absolute_socket_path() {
        for good in [
            "127.0.0.1:7009",
            "0.0.0.0:0",
            "[::1]:7009",
            "localhost:65535",
            "a-b.example:1",
            "unix:/run/r.sock",
            "tls://0.0.0.0:7443",
            "tls://[::1]:0",
        ] {
            assert_eq!(good.parse::<ListenAddress>().unwrap().to_string(), good);
        }
        for bad in
            ["", "7009", ":7009", "host", "host:", "host:+1", "host:65536", "::1:7009", "[::1]", "[x]:1", "a b:1"]
        {
            assert!(bad.parse::<ListenAddress>().is_err(), "{bad}");
        }
        for bad in
            ["unix:", "unix:run/r.sock", "http://h:1", "host:1/", "tls:h:1", "tls://h", "tls://h:1/", "TLS://h:1"]
        {
            assert!(bad.parse::<ListenAddress>().unwrap_err().to_string().contains(bad));
        }
    }

    #[test]
    fn local_is_loopback_localhost_and_sockets() {
        for (address, local) in [
            ("127.0.0.1:1", true),
            ("127.9.9.9:1", true),
            ("[::1]:1", true),
            ("localhost:1", true),
            ("unix:/x", true),
            ("tls://127.0.0.1:1", true),
            ("tls://0.0.0.0:1", false),
            ("0.0.0.0:1", false),
            ("[::]:1", false),
            ("10.0.0.1:1", false),
            ("localhost.example:1", false),
        ] {
            assert_eq!(address.parse::<ListenAddress>().unwrap().is_local(), local, "{address}");
        }
    }
}
