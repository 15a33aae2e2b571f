//! The closed list of issuers, and how a request's `iss` is resolved to one of them (promise 16).

use crate::token::{Issuer, Naming};

/// Why a request's `iss` cannot be resolved. All are 422 on the wire.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// The request names an issuer, but none is configured.
    #[error("`iss` is given, but no issuer is configured; add an [[issuers]] section with this `iss` to the config")]
    NoneConfigured,
    /// The request names no issuer, but several are configured.
    #[error("`iss` is missing; several issuers are configured, so each request must name one")]
    Missing,
    /// The issuer named is not configured.
    #[error("`iss` names an issuer that is not configured")]
    Unknown,
}

/// The config key of the lifetime of issuers that have none of their own.
pub const LIFETIME_MAX: &str = "tokens.lifetime_max_s";

/// How far the clock of an issuer may run ahead that does not say otherwise, seconds.
pub const CLOCK_SKEW_S: i64 = 2;

/// What may differ between issuers in judging what callers assert.
#[derive(Debug, Clone)]
pub struct IssuerLimits {
    /// Name; empty for the nameless issuer.
    pub issuer: Issuer<'static>,
    /// Longest lifetime that a caller may assert without a verified token, seconds.
    pub lifetime_max_s: i64,
    /// The config key that says so.
    pub lifetime_max_name: &'static str,
    /// Largest leeway and clock error of any validator of this issuer's tokens, seconds.
    pub leeway_s: i64,
    /// How far the issuer's clock may run ahead: its cutoffs also take tokens whose `iat` is that much later; seconds.
    pub clock_skew_s: i64,
    /// The claims that its tokens are known by.
    pub naming: Naming<'static>,
}

/// All issuers, sorted as configured; never empty.
#[derive(Debug, Clone)]
pub struct Issuers {
    list: Vec<IssuerLimits>,
    nameless: bool,
}

impl Issuers {
    /// A server without `[[issuers]]`: one nameless issuer.
    #[must_use]
    pub fn nameless(lifetime_max_s: i64, leeway_s: i64) -> Self {
        let only = IssuerLimits {
            issuer: Issuer::NAMELESS,
            lifetime_max_s,
            lifetime_max_name: LIFETIME_MAX,
            leeway_s,
            clock_skew_s: CLOCK_SKEW_S,
            naming: Naming::default(),
        };
        Self { list: vec![only], nameless: true }
    }

    /// The configured issuers; `None` if there is none.
    #[must_use]
    pub fn named(list: Vec<IssuerLimits>) -> Option<Self> {
        (!list.is_empty()).then_some(Self { list, nameless: false })
    }

    /// The issuer that a request means. Linear in the number of issuers, which is small.
    ///
    /// # Errors
    /// [`IssuerError`] where the request names none of several, one of none, or an unknown one.
    pub fn resolve(&self, iss: Option<&str>) -> Result<&IssuerLimits, IssuerError> {
        match (iss, self.nameless, self.list.as_slice()) {
            (None, _, [only]) => Ok(only),
            (None, _, _) => Err(IssuerError::Missing),
            (Some(_), true, _) => Err(IssuerError::NoneConfigured),
            (Some(name), false, list) => {
                list.iter().find(|limits| limits.issuer.as_str() == name).ok_or(IssuerError::Unknown)
            }
        }
    }

    /// The limits of an issuer that was resolved before.
    ///
    /// # Errors
    /// [`IssuerError::Unknown`] if it is not in the list.
    pub fn limits_of(&self, issuer: &Issuer<'_>) -> Result<&IssuerLimits, IssuerError> {
        self.list.iter().find(|limits| limits.issuer == *issuer).ok_or(IssuerError::Unknown)
    }

    /// The issuers by name.
    pub fn iter(&self) -> impl Iterator<Item = &IssuerLimits> {
        self.list.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&'static str]) -> Issuers {
        let limits = |name: &&'static str| IssuerLimits {
            issuer: Issuer::parse(*name).unwrap(),
            lifetime_max_s: 1,
            lifetime_max_name: LIFETIME_MAX,
            leeway_s: 1,
            clock_skew_s: CLOCK_SKEW_S,
            naming: Naming::default(),
        };
        Issuers::named(names.iter().map(limits).collect()).unwrap()
    }

    #[test]
    fn a_server_without_issuers_has_one_that_cannot_be_named() {
        let issuers = Issuers::nameless(1, 1);
        assert_eq!(issuers.resolve(None).unwrap().issuer, Issuer::NAMELESS);
        assert_eq!(issuers.resolve(Some("a")).unwrap_err(), IssuerError::NoneConfigured);
        assert_eq!(issuers.resolve(Some("")).unwrap_err(), IssuerError::NoneConfigured);
    }

    #[test]
    fn one_issuer_may_be_left_out_and_several_may_not() {
        assert_eq!(named(&["a"]).resolve(None).unwrap().issuer.as_str(), "a");
        assert_eq!(named(&["a", "b"]).resolve(None).unwrap_err(), IssuerError::Missing);
        assert_eq!(named(&["a", "b"]).resolve(Some("b")).unwrap().issuer.as_str(), "b");
        assert_eq!(named(&["a"]).resolve(Some("A")).unwrap_err(), IssuerError::Unknown);
    }
}
