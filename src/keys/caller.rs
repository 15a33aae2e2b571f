//! Who is asking, once authenticated, and what they may ask about.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::{Meter, Scopes};
use crate::token::{ClientId, Issuer};

/// Who is asking, once authenticated. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Caller(Arc<Identity>);

/// What a caller is known by, and its rights.
pub struct Identity {
    /// The key's public id, or `cert:` and the name of a certificate, or `listen:` and the address that a gateway connects to; empty where checks are keyless.
    pub id: Arc<str>,
    /// What it may do.
    pub scopes: Scopes,
    /// What it may do that about.
    pub bounds: Bounds,
    /// How often it has asked lately.
    pub meter: Meter,
}

impl Caller {
    /// A caller that may do what `scopes` say about everything.
    #[must_use]
    pub fn new(id: impl Into<Arc<str>>, scopes: Scopes) -> Self {
        Self::bound(id, scopes, Bounds::default())
    }

    /// A caller that may do what `scopes` say within `bounds`.
    #[must_use]
    pub fn bound(id: impl Into<Arc<str>>, scopes: Scopes, bounds: Bounds) -> Self {
        Self(Arc::new(Identity { id: id.into(), scopes, bounds, meter: Meter::default() }))
    }
}

impl Deref for Caller {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.0
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("id", &self.id).field("scopes", &self.scopes).finish_non_exhaustive()
    }
}

/// The issuers and clients that a caller may do anything about. Both are looked through one by one: they are few.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The issuers; none stands for all.
    pub issuers: Vec<Issuer<'static>>,
    /// The clients; none stands for all.
    pub client_ids: Vec<ClientId<'static>>,
}

impl Bounds {
    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.issuers.is_empty() && self.client_ids.is_empty()
    }

    /// Whether `issuer` is within them.
    #[must_use]
    pub fn allow_issuer(&self, issuer: &Issuer<'_>) -> bool {
        self.issuers.is_empty() || self.issuers.iter().any(|own| own == issuer)
    }

    /// Whether `client_id` is within them; what is about no client is, only if all clients are.
    #[must_use]
    pub fn allow_client(&self, client_id: Option<&ClientId<'_>>) -> bool {
        self.client_ids.is_empty()
            || client_id.is_some_and(|client_id| self.client_ids.iter().any(|own| own == client_id))
    }

    /// Whether something about both is within them.
    #[must_use]
    pub fn allow(&self, issuer: &Issuer<'_>, client_id: Option<&ClientId<'_>>) -> bool {
        self.allow_issuer(issuer) && self.allow_client(client_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bounds_allow_everything_and_each_bound_by_itself_only_what_it_names() {
        let (issuer, client) = (|name| Issuer::parse(name).unwrap(), |name| ClientId::parse(name).unwrap());
        let all = Bounds::default();
        assert!(all.is_empty() && all.allow(&Issuer::NAMELESS, None) && all.allow(&issuer("a"), Some(&client("c"))));
        let issuers = Bounds { issuers: vec![issuer("a"), issuer("b")], client_ids: Vec::new() };
        assert!(issuers.allow(&issuer("b"), None) && issuers.allow(&issuer("a"), Some(&client("any"))));
        assert!(!issuers.allow(&issuer("A"), None) && !issuers.allow(&Issuer::NAMELESS, None));
        let both = Bounds { issuers: vec![issuer("a")], client_ids: vec![client("c")] };
        assert!(both.allow(&issuer("a"), Some(&client("c"))) && !both.is_empty());
        for (iss, client_id) in [("a", Some("d")), ("a", None), ("b", Some("c"))] {
            assert!(!both.allow(&issuer(iss), client_id.map(client).as_ref()), "{iss} {client_id:?}");
        }
    }

    #[test]
    fn debug_says_who_and_nothing_of_the_rest() {
        let caller = Caller::bound("0a1b", Scopes::ALL, Bounds::default());
        assert_eq!(format!("{caller:?}"), "Caller { id: \"0a1b\", scopes: Scopes(15), .. }");
    }
}
