//! Which claim an entry or a check names.

/// The claim that an entry or a check names (RFC 7519 section 4.1, OIDC Core, RFC 9068 for `client_id`). The numbers are
/// part of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Selector {
    /// One token.
    Jti = 0,
    /// One session.
    Sid = 1,
    /// One subject.
    Sub = 2,
    /// One OAuth client.
    ClientId = 3,
    /// A whole issuer.
    Iss = 4,
    /// One family of tokens: a refresh token and what was got by it.
    Family = 5,
}

impl Selector {
    /// Every selector, in the order in which `judged` lists them.
    pub const ALL: [Self; 6] = [Self::Jti, Self::Sid, Self::Family, Self::Sub, Self::ClientId, Self::Iss];

    /// Those that cutoffs name.
    pub const OF_CUTOFFS: [Self; 5] = [Self::Sid, Self::Family, Self::Sub, Self::ClientId, Self::Iss];

    /// Every selector, in the order of their numbers: what a table indexed by them holds.
    pub const BY_NUMBER: [Self; 6] = [Self::Jti, Self::Sid, Self::Sub, Self::ClientId, Self::Iss, Self::Family];

    /// The claim's name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jti => "jti",
            Self::Sid => "sid",
            Self::Sub => "sub",
            Self::ClientId => "client_id",
            Self::Iss => "iss",
            Self::Family => "family",
        }
    }

    /// The selector of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|selector| selector.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_selector_has_one_number_one_name_and_its_place_in_tables() {
        for (number, selector) in Selector::BY_NUMBER.into_iter().enumerate() {
            assert_eq!(selector as usize, number);
            assert_eq!(Selector::from_name(selector.as_str()), Some(selector));
        }
        let mut all = Selector::ALL;
        all.sort_unstable();
        assert_eq!(all, Selector::BY_NUMBER);
        assert!(Selector::ALL.into_iter().filter(|of| *of != Selector::Jti).eq(Selector::OF_CUTOFFS));
    }
}
