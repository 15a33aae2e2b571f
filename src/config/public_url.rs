//! What `server.public_url` may be: an issuer identifier as RFC 8414 section 2 has it.

use std::net::IpAddr;

use crate::verifier::is_loopback;

/// What is wrong with the URL, in words that follow its name; nothing is with an empty one.
pub(super) fn fault(url: &str) -> Option<String> {
    if url.is_empty() {
        return None;
    }
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/%:[]".contains(&byte);
    if !rest.bytes().all(is_plain) {
        return Some("has a character that it may not have; it is a URL without user, query and fragment".to_owned());
    }
    let Some(host) = host(authority) else {
        return Some("is no URL; write \"https://host\", \"https://host:port\" or \"https://host/path\"".to_owned());
    };
    match scheme {
        "https" => {}
        "http" if is_loopback(host) => {}
        _ => return Some("must begin with https://, or on loopback with http://".to_owned()),
    }
    // Paths are put behind it.
    path.ends_with('/').then(|| "must not end in a slash".to_owned())
}

/// The host, if what is before the path is one with a port or without.
fn host(authority: &str) -> Option<&str> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let port_is_right = port.is_none_or(|port| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok());
    let host_is_right = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(inner) => matches!(inner.parse(), Ok(IpAddr::V6(_))),
        None => !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-'),
    };
    (host_is_right && port_is_right).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_https_or_loopback_and_nothing_but_a_place() {
        for good in [
            "",
            "https://revokd.example",
            "https://revokd.example:7443",
            "https://gw.example/a/revokd",
            "https://[2001:db8::1]:7443",
            "http://127.0.0.1:7009",
            "http://localhost:7009",
            "http://[::1]",
        ] {
            assert_eq!(fault(good), None, "{good}");
        }
        for (bad, word) in [
            ("revokd.example", "https://"),
            ("http://revokd.example", "loopback"),
            ("http://localhost.example", "loopback"),
            ("http://127.0.0.1@revokd.example", "character"),
            ("ftp://127.0.0.1", "loopback"),
            ("https://revokd.example/", "slash"),
            ("https://revokd.example/a/", "slash"),
            ("https://revokd.example?x", "character"),
            ("https://revokd.example/#x", "character"),
            ("https://revokd.example/a b", "character"),
            ("https://", "no URL"),
            ("https://:7443", "no URL"),
            ("https://h:65536", "no URL"),
            ("https://h:+1", "character"),
            ("https://[x]", "no URL"),
        ] {
            assert!(fault(bad).is_some_and(|fault| fault.contains(word)), "{bad} {:?}", fault(bad));
        }
    }
}
