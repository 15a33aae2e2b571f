//! Who a client is by its certificate: names in it against the rows of `[[tls.clients]]`.
//!
//! Only the subject alternative names count, never the subject (RFC 9525 section 2). A DNS name is compared without
//! regard to ASCII case (RFC 4343), a URI byte for byte (RFC 3986 section 6.2.1, as SPIFFE wants it). There are no
//! wildcards: a row names one client, and a certificate's wildcard name is nobody's.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use rustls::pki_types::{CertificateDer, DnsName};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use webpki::EndEntityCert;

use crate::event::KEY_BOUNDS_MAX;
use crate::keys::{Bounds, Caller, Scope, Scopes};
use crate::token::{ClaimError, ClientId, Issuer};

/// Longest name of a row, bytes: it becomes the actor of events.
const SAN_BYTES_MAX: usize = 1_024;
/// Most rows.
const CLIENTS_MAX: usize = 1_000;

/// A subject alternative name (RFC 5280 section 4.2.1.6) of a kind that a row can name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum San {
    /// `dns:`, in lower case.
    Dns(String),
    /// `uri:`, as it is written.
    Uri(String),
}

/// A text that names no [`San`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no name of a certificate: {fault}")]
pub struct SanError {
    text: String,
    fault: &'static str,
}

impl FromStr for San {
    type Err = SanError;

    fn from_str(text: &str) -> Result<Self, SanError> {
        let refuse = |fault| Err(SanError { text: text.to_owned(), fault });
        if text.len() > SAN_BYTES_MAX {
            return refuse("it is longer than the limit of 1,024 bytes");
        }
        match text.split_once(':') {
            Some(("dns", name)) if name.contains('*') => refuse("there are no wildcards; write a row for each client"),
            Some(("dns", name)) if name.ends_with('.') || DnsName::try_from(name).is_err() => {
                refuse("what follows dns: must be a DNS name without a dot at its end (international ones as xn--…)")
            }
            Some(("dns", name)) => Ok(Self::Dns(name.to_ascii_lowercase())),
            Some(("uri", uri)) if is_uri(uri) => Ok(Self::Uri(uri.to_owned())),
            Some(("uri", _)) => refuse("what follows uri: must be a URI, in ASCII and with its scheme"),
            _ => refuse("write \"dns:gateway.internal\" or \"uri:spiffe://cluster/gateway\""),
        }
    }
}

/// Whether a text has the outer form of a URI (RFC 3986 section 3.1): anything else would never match.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let scheme_is_sound = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    scheme_is_sound && !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_graphic())
}

impl fmt::Display for San {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => write!(f, "dns:{name}"),
            Self::Uri(uri) => write!(f, "uri:{uri}"),
        }
    }
}

impl Serialize for San {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for San {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// One `[[tls.clients]]` section. Unknown keys are refused by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSettings {
    /// The name in the client's certificate: `dns:…` or `uri:…`. Required, each name once.
    pub san: San,
    /// What its bearer may do, of `revoke`, `check`, `admin` and `audit`; at least one. Required.
    #[serde(deserialize_with = "scopes", serialize_with = "names")]
    pub scopes: Vec<Scope>,
    /// The issuers that it may do anything about, 64 at the most; all if empty.
    #[serde(default)]
    pub issuers: Vec<String>,
    /// The clients whose tokens it may do anything about, 64 at the most; all if empty.
    #[serde(default)]
    pub client_ids: Vec<String>,
}

impl ClientSettings {
    /// A row without bounds.
    #[must_use]
    pub const fn new(san: San, scopes: Vec<Scope>) -> Self {
        Self { san, scopes, issuers: Vec::new(), client_ids: Vec::new() }
    }

    fn bounds(&self) -> Result<Bounds, ClientError> {
        let refused = |key, fault: String| ClientError::Bounds { san: self.san.clone(), key, fault };
        for (key, list) in [("issuers", &self.issuers), ("client_ids", &self.client_ids)] {
            if list.len() > KEY_BOUNDS_MAX {
                return Err(refused(key, format!("it names {}; the limit is {KEY_BOUNDS_MAX}", list.len())));
            }
        }
        let unusable = |key| move |error: ClaimError| refused(key, error.to_string());
        let named = |name: &String| match Issuer::parse(name.clone()) {
            // The issuer without a name is there only where there is no other.
            Ok(issuer) if issuer == Issuer::NAMELESS => Err(refused("issuers", "an issuer has a name".to_owned())),
            parsed => parsed.map_err(unusable("issuers")),
        };
        let client_id = |name: &String| ClientId::parse(name.clone()).map_err(unusable("client_ids"));
        Ok(Bounds {
            issuers: self.issuers.iter().map(named).collect::<Result<_, _>>()?,
            client_ids: self.client_ids.iter().map(client_id).collect::<Result<_, _>>()?,
        })
    }
}

fn scopes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Scope>, D::Error> {
    let scope = |name: String| {
        let known = Scope::ALL.into_iter().find(|scope| scope.as_str() == name);
        known.ok_or_else(|| D::Error::custom(format!("{name:?} is no scope; write revoke, check, admin or audit")))
    };
    Vec::<String>::deserialize(deserializer)?.into_iter().map(scope).collect()
}

fn names<S: Serializer>(scopes: &[Scope], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(scopes.iter().map(|scope| scope.as_str()))
}

/// Why the rows of `[[tls.clients]]` cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// Two rows speak of one client.
    #[error("two [[tls.clients]] have the same `san` \"{san}\"")]
    Twice {
        /// The name.
        san: San,
    },
    /// A row gives nothing.
    #[error("[[tls.clients]] \"{san}\": `scopes` is empty; name at least one")]
    NoScope {
        /// The row's name.
        san: San,
    },
    /// A row is bound to what cannot be.
    #[error("[[tls.clients]] \"{san}\": `{key}` cannot be used: {fault}")]
    Bounds {
        /// The row's name.
        san: San,
        /// The row's key.
        key: &'static str,
        /// What is wrong.
        fault: String,
    },
    /// Too many rows.
    #[error("there are {count} [[tls.clients]]; the limit is {CLIENTS_MAX}")]
    TooMany {
        /// How many there are.
        count: usize,
    },
}

/// Checks the rows of `[[tls.clients]]`.
///
/// # Errors
/// [`ClientError`] naming the row or the limit.
pub fn validate(settings: &[ClientSettings]) -> Result<(), ClientError> {
    Clients::new(settings).map(drop)
}

/// Who is known by which name.
#[derive(Debug)]
pub(super) struct Clients(HashMap<San, Caller>);

/// Whose certificate it is.
#[derive(Debug)]
pub(super) enum Known<'a> {
    /// This caller's.
    By(&'a Caller),
    /// Nobody's.
    ByNone,
    /// Its names belong to more than one caller: whose rights were meant is not to be guessed.
    BySeveral,
}

impl Clients {
    pub(super) fn new(settings: &[ClientSettings]) -> Result<Self, ClientError> {
        if settings.len() > CLIENTS_MAX {
            return Err(ClientError::TooMany { count: settings.len() });
        }
        let mut rows = HashMap::with_capacity(settings.len());
        for row @ ClientSettings { san, scopes, .. } in settings {
            if scopes.is_empty() {
                return Err(ClientError::NoScope { san: san.clone() });
            }
            let caller = Caller::bound(format!("cert:{san}"), Scopes::of(scopes), row.bounds()?);
            if rows.insert(san.clone(), caller).is_some() {
                return Err(ClientError::Twice { san: san.clone() });
            }
        }
        Ok(Self(rows))
    }

    /// Whose certificate `leaf` is. It must have been verified.
    pub(super) fn know(&self, leaf: &CertificateDer<'_>) -> Known<'_> {
        let Ok(certificate) = EndEntityCert::try_from(leaf) else { return Known::ByNone };
        let dns = certificate.valid_dns_names().map(|name| San::Dns(name.to_ascii_lowercase()));
        let uris = certificate.valid_uri_names().map(|uri| San::Uri(uri.to_owned()));
        let mut known = Known::ByNone;
        for caller in dns.chain(uris).filter_map(|san| self.0.get(&san)) {
            match known {
                Known::By(other) if other.id != caller.id => return Known::BySeveral,
                _ => known = Known::By(caller),
            }
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    fn clients(rows: &[(&str, Scope)]) -> Clients {
        let row = |(san, scope): &(&str, Scope)| ClientSettings::new(san.parse().unwrap(), vec![*scope]);
        Clients::new(&rows.iter().map(row).collect::<Vec<_>>()).unwrap()
    }

    fn certificate(sans: &[&str]) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, "gateway.internal");
        params.subject_alt_names = sans
            .iter()
            .map(|san| match san.split_once(':').unwrap() {
                ("dns", name) => SanType::DnsName(name.try_into().unwrap()),
                ("uri", uri) => SanType::URI(uri.try_into().unwrap()),
                ("email", name) => SanType::Rfc822Name(name.try_into().unwrap()),
                ("ip", address) => SanType::IpAddress(address.parse().unwrap()),
                other => panic!("{other:?}"),
            })
            .collect();
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn a_name_is_dns_or_uri() {
        for (good, shown) in [
            ("dns:gateway.internal", "dns:gateway.internal"),
            ("dns:Gateway.INTERNAL", "dns:gateway.internal"),
            ("dns:xn--bcher-kva.example", "dns:xn--bcher-kva.example"),
            ("uri:spiffe://cluster/ns/a/sa/B", "uri:spiffe://cluster/ns/a/sa/B"),
            ("uri:urn:uuid:f81d4fae", "uri:urn:uuid:f81d4fae"),
        ] {
            assert_eq!(good.parse::<San>().unwrap().to_string(), shown);
        }
        let long = format!("uri:x:{}", "x".repeat(1_020));
        for bad in [
            "",
            "gateway.internal",
            "DNS:a",
            "dns:",
            "dns:*.internal",
            "dns:a.",
            "dns:a b",
            "dns:bücher.example",
            "uri:",
            "uri:/path",
            "uri:spiffe:",
            "uri:spiffe://a b",
            "uri:1x:y",
            "ip:127.0.0.1",
            "cn:a",
            &long,
        ] {
            assert!(bad.parse::<San>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_certificate_is_known_by_exactly_one_row() {
        let clients = clients(&[
            ("dns:Gateway.internal", Scope::Check),
            ("dns:auth.internal", Scope::Revoke),
            ("uri:spiffe://c/Gateway", Scope::Check),
        ]);
        for (sans, id) in [
            (&["dns:gateway.internal"][..], Some("cert:dns:gateway.internal")),
            (&["dns:GATEWAY.internal", "dns:other.internal"], Some("cert:dns:gateway.internal")),
            (&["dns:gateway.internal", "dns:Gateway.Internal"], Some("cert:dns:gateway.internal")),
            (&["uri:spiffe://c/Gateway", "ip:10.0.0.1"], Some("cert:uri:spiffe://c/Gateway")),
            (&["uri:spiffe://c/gateway"], None),
            (&["uri:spiffe://C/Gateway"], None),
            (&["uri:dns:gateway.internal"], None),
            (&["email:gateway.internal"], None),
            (&["dns:*.internal"], None),
            (&["dns:a.gateway.internal"], None),
            (&["dns:gateway.internal", "dns:auth.internal"], None),
            (&["dns:gateway.internal", "uri:spiffe://c/Gateway"], None),
            // The subject names the gateway; that counts for nothing.
            (&[], None),
        ] {
            let known = match clients.know(&certificate(sans)) {
                Known::By(caller) => Some(caller.id.to_string()),
                Known::ByNone | Known::BySeveral => None,
            };
            assert_eq!(known.as_deref(), id, "{sans:?}");
        }
        let both = certificate(&["dns:gateway.internal", "dns:auth.internal"]);
        assert!(matches!(clients.know(&both), Known::BySeveral));
        assert!(matches!(clients.know(&CertificateDer::from(b"nothing".as_slice())), Known::ByNone));
    }

    #[test]
    fn rows_that_say_nothing_or_the_same_are_refused_by_name() {
        let row = |san: &str, scopes: &[Scope]| ClientSettings::new(san.parse().unwrap(), scopes.to_vec());
        let refused = |rows: &[ClientSettings]| Clients::new(rows).unwrap_err().to_string();
        let said = refused(&[row("dns:a", &[Scope::Check]), row("dns:A", &[Scope::Admin])]);
        assert!(said.contains("\"dns:a\""), "{said}");
        assert!(refused(&[row("uri:a:b", &[])]).contains("\"uri:a:b\": `scopes` is empty"));
        let many: Vec<_> = (0..=CLIENTS_MAX).map(|n| row(&format!("dns:c{n}"), &[Scope::Check])).collect();
        assert!(refused(&many).contains("1001 [[tls.clients]]; the limit is 1000"));
    }

    #[test]
    fn a_row_is_bound_to_what_it_names_and_not_to_what_cannot_be() {
        let row = |issuers: &[&str], client_ids: &[&str]| {
            let owned = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect();
            let row = ClientSettings::new("dns:a".parse().unwrap(), vec![Scope::Check]);
            Clients::new(&[ClientSettings { issuers: owned(issuers), client_ids: owned(client_ids), ..row }])
        };
        let clients = row(&["https://a"], &["shop"]).unwrap();
        let Known::By(caller) = clients.know(&certificate(&["dns:a"])) else { panic!("nobody's") };
        let (issuer, client_id) = (Issuer::parse("https://a").unwrap(), ClientId::parse("shop").unwrap());
        assert!(caller.bounds.allow(&issuer, Some(&client_id)) && !caller.bounds.allow(&issuer, None));
        let (many, long) = (vec!["x"; 65], "x".repeat(1_025));
        for (issuers, client_ids, key) in [
            (&many[..], &[][..], "issuers"),
            (&[], &many, "client_ids"),
            (&[""], &[], "issuers"),
            (&[], &[""], "client_ids"),
            (&[&long], &[], "issuers"),
        ] {
            let said = row(issuers, client_ids).unwrap_err().to_string();
            assert!(said.contains("\"dns:a\"") && said.contains(&format!("`{key}`")), "{said}");
        }
    }
}
