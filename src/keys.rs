//! API keys: scopes, bounds and ends. Only hashes are kept, compared in constant time.
//!
//! A key reads `revokd_<id>_<secret>`: the prefix lets scanners recognise a leak, the id (12 hex digits) is public, the
//! secret is 32 random bytes in base64url. Secrets of 256 bits need no slow hash; a slow one would be a denial of
//! service of our own making.

mod caller;
mod meter;
mod roster;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::event::ApiKeyRecord;

pub use caller::{Bounds, Caller, Identity};
pub use meter::{Meter, Rate, Reach};
pub use roster::{ApiKey, KeyRefusal, Keys, is_last_resort};

/// What every key begins with.
pub const KEY_PREFIX: &str = "revokd_";

const ID_CHARS: usize = 12;

/// Longest label, bytes.
pub const LABEL_BYTES_MAX: usize = 128;

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

    /// The scope of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
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

    /// The scopes in it, in the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }

    /// The bits kept in a key's event.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }
}

/// A key just made; the only moment at which its text exists.
pub struct NewKey {
    /// The key, to be shown once.
    pub text: String,
    /// What is kept of it.
    pub record: ApiKeyRecord<'static>,
}

/// Makes a key without bounds and end from the operating system's randomness; both can be set on its record.
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
        issuers: Vec::new(),
        client_ids: Vec::new(),
        expires_at: None,
    };
    Ok(NewKey { text: format!("{KEY_PREFIX}{id}_{secret}"), record })
}
