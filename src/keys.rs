//! API keys and scopes. The fold of the key events: only hashes are kept, compared in constant time.
//!
//! A key reads `revokd_<id>_<secret>`: the prefix lets scanners recognise a leak, the id (12 hex digits) is public, the
//! secret is 32 random bytes in base64url. Secrets of 256 bits need no slow hash; a slow one would be a denial of
//! service of our own making.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::event::{ApiKeyRecord, Change};

/// What every key begins with.
pub const KEY_PREFIX: &str = "revokd_";

const ID_CHARS: usize = 12;

/// What a caller may do; each route names one in the table of `http.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Scope {
    /// Revoke tokens.
    Revoke = 1,
    /// Ask for verdicts.
    Check = 2,
    /// List, purge, manage.
    Admin = 4,
    /// Read the audit records.
    Audit = 8,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::Revoke, Self::Check, Self::Admin, Self::Audit];

    /// The scope's name on the wire and in the CLI.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Revoke => "revoke",
            Self::Check => "check",
            Self::Admin => "admin",
            Self::Audit => "audit",
        }
    }
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// Every scope.
    pub const ALL: Self = Self(15);

    /// The scopes in `list`.
    #[must_use]
    pub fn of(list: &[Scope]) -> Self {
        Self(list.iter().fold(0, |bits, scope| bits | *scope as u8))
    }

    /// Whether `scope` is among them.
    #[must_use]
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & scope as u8 != 0
    }

    /// The bits kept in a key's event.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }
}

/// Who is asking, once authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The key's public id; empty where checks are keyless.
    pub id: Arc<str>,
    /// What it may do.
    pub scopes: Scopes,
}

/// A key just made; the only moment at which its text exists.
pub struct NewKey {
    /// The key, to be shown once.
    pub text: String,
    /// What is kept of it.
    pub record: ApiKeyRecord<'static>,
}

/// Makes a key from the operating system's randomness.
///
/// # Errors
/// Where the operating system has no randomness to give.
pub fn generate(label: &str, scopes: Scopes) -> Result<NewKey, getrandom::Error> {
    let mut random = [0_u8; 38];
    getrandom::fill(&mut random)?;
    let id = random[..6].iter().fold(String::with_capacity(ID_CHARS), |mut id, byte| {
        for digit in [byte >> 4, byte & 15] {
            id.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
        id
    });
    let secret = URL_SAFE_NO_PAD.encode(&random[6..]);
    let record = ApiKeyRecord {
        id: id.clone().into(),
        secret_sha256: Sha256::digest(secret.as_bytes()).into(),
        scopes: scopes.bits(),
        label: label.to_owned().into(),
    };
    Ok(NewKey { text: format!("{KEY_PREFIX}{id}_{secret}"), record })
}

/// Every key that has not been revoked.
#[derive(Debug, Default)]
pub struct Keys {
    by_id: RwLock<HashMap<Arc<str>, Held>>,
}

#[derive(Debug)]
struct Held {
    secret_sha256: [u8; 32],
    scopes: Scopes,
}

impl Keys {
    /// Folds one change in; what is no key event changes nothing. Applying twice is the same as once.
    pub fn apply(&self, change: &Change<'_>) {
        let mut by_id = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        match change {
            Change::KeyCreated(record) => {
                let held = Held { secret_sha256: record.secret_sha256, scopes: Scopes(record.scopes) };
                by_id.insert(record.id.as_ref().into(), held);
            }
            Change::KeyRevoked { id } => {
                by_id.remove(id.as_ref());
            }
            Change::Revoked(_)
            | Change::Restored { .. }
            | Change::Cutoff(_)
            | Change::CutoffRestored { .. }
            | Change::LifetimeRaised { .. }
            | Change::ClockTrusted
            | Change::NamingSet { .. } => {}
        }
    }

    /// Whether no key exists at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Who presents `key`, or `None` if it is no key of ours. One SHA-256 and one look-up; the comparison of the
    /// hashes takes the same time whatever they are.
    #[must_use]
    pub fn authenticate(&self, key: &str) -> Option<Caller> {
        let (id, secret) = key.strip_prefix(KEY_PREFIX)?.split_at_checked(ID_CHARS)?;
        let secret = secret.strip_prefix('_')?;
        let presented = Sha256::digest(secret.as_bytes());
        let by_id = self.by_id.read().unwrap_or_else(PoisonError::into_inner);
        let (id, held) = by_id.get_key_value(id)?;
        bool::from(presented.as_slice().ct_eq(&held.secret_sha256))
            .then(|| Caller { id: id.clone(), scopes: held.scopes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_until_it_is_revoked() {
        let keys = Keys::default();
        let new = generate("test", Scopes::of(&[Scope::Check])).unwrap();
        assert!(keys.authenticate(&new.text).is_none());
        keys.apply(&Change::KeyCreated(new.record.clone()));
        let caller = keys.authenticate(&new.text).unwrap();
        assert_eq!(*caller.id, *new.record.id);
        assert!(caller.scopes.contains(Scope::Check) && !caller.scopes.contains(Scope::Admin));
        keys.apply(&Change::KeyRevoked { id: new.record.id });
        assert!(keys.authenticate(&new.text).is_none());
    }

    #[test]
    fn what_is_almost_a_key_is_refused() {
        let keys = Keys::default();
        let new = generate("test", Scopes::ALL).unwrap();
        keys.apply(&Change::KeyCreated(new.record));
        let text = new.text;
        let cut = &text[..text.len() - 1];
        for wrong in
            ["", "revokd_", "é", &text[7..], cut, &format!("{text}A"), &text.to_uppercase(), "revokd_0123456789ab"]
        {
            assert!(keys.authenticate(wrong).is_none(), "{wrong}");
        }
        assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'));
    }
}
