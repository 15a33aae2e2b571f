//! Fetching a key set over HTTP. The one file that names reqwest.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::{Client, Url, redirect};
use tokio::time::timeout;

/// Longest answer that is read, in bytes.
pub(super) const BODY_BYTES_MAX: usize = 1 << 20;

/// Longest time from the first step of a connection to the last byte.
pub(super) const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a URL in the config cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum UrlFault {
    #[error("`jwks_url` is not an absolute URL")]
    NotAUrl,
    #[error("`jwks_url` must be https; http is for 127.0.0.0/8, ::1 and localhost only")]
    NotHttps,
    #[error("`jwks_url` must not hold a user name or password")]
    Credentials,
    #[error("no HTTP client could be made: the system's certificates could not be loaded")]
    Client,
}

/// Why a fetch brought nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchFault {
    #[error("it took longer than 5 s")]
    Slow,
    #[error("the answer was {0}, not 200 (redirects are not followed)")]
    Status(u16),
    #[error("the answer is longer than 1 MiB")]
    TooLong,
    #[error("{0}")]
    Transport(#[source] reqwest::Error),
}

/// Knows one URL and how to read it.
#[derive(Debug)]
pub(super) struct Fetcher {
    client: Client,
    url: Url,
}

impl Fetcher {
    /// Checks the URL and prepares the client.
    pub(super) fn new(url: &str) -> Result<Self, UrlFault> {
        let url = Url::parse(url).map_err(|_| UrlFault::NotAUrl)?;
        let host = url.host_str().ok_or(UrlFault::NotAUrl)?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(host) => {}
            _ => return Err(UrlFault::NotHttps),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlFault::Credentials);
        }
        let client = Client::builder().redirect(redirect::Policy::none()).pool_max_idle_per_host(0);
        // A proxy from the environment is good for https, whose content it cannot change, and for nothing on loopback.
        let client = if url.scheme() == "http" { client.no_proxy() } else { client };
        let client = client.user_agent("revokd").build().map_err(|_| UrlFault::Client)?;
        Ok(Self { client, url })
    }

    /// The body of a 200, within the limits.
    pub(super) async fn fetch(&self) -> Result<Vec<u8>, FetchFault> {
        timeout(FETCH_TIMEOUT, self.get()).await.unwrap_or(Err(FetchFault::Slow))
    }

    async fn get(&self) -> Result<Vec<u8>, FetchFault> {
        let transport = |error: reqwest::Error| FetchFault::Transport(error.without_url());
        let mut response = self.client.get(self.url.clone()).send().await.map_err(transport)?;
        if response.status().as_u16() != 200 {
            return Err(FetchFault::Status(response.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(transport)? {
            if body.len() + chunk.len() > BODY_BYTES_MAX {
                return Err(FetchFault::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// Whether a URL's host is this machine, which needs no TLS.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_is_taken_and_http_on_loopback() {
        for good in [
            "https://issuer.example/keys",
            "http://127.0.0.1:1/keys",
            "http://127.9.9.9/keys",
            "http://[::1]:1/keys",
            "http://localhost:1/keys",
        ] {
            assert!(Fetcher::new(good).is_ok(), "{good}");
        }
        for (bad, fault) in [
            ("http://issuer.example/keys", UrlFault::NotHttps),
            ("http://128.0.0.1/keys", UrlFault::NotHttps),
            ("http://10.0.0.1/keys", UrlFault::NotHttps),
            ("http://[::2]/keys", UrlFault::NotHttps),
            ("http://localhost.example/keys", UrlFault::NotHttps),
            ("http://127.0.0.1.example/keys", UrlFault::NotHttps),
            ("ftp://127.0.0.1/keys", UrlFault::NotHttps),
            ("file:///etc/keys", UrlFault::NotAUrl),
            ("/keys", UrlFault::NotAUrl),
            ("", UrlFault::NotAUrl),
            ("https://user:password@issuer.example/keys", UrlFault::Credentials),
            ("http://127.0.0.1@issuer.example/keys", UrlFault::NotHttps),
        ] {
            assert_eq!(Fetcher::new(bad).unwrap_err(), fault, "{bad}");
        }
    }
}
