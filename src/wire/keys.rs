//! API keys as they are asked for and shown.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::NumericDate;
use crate::keys::{ApiKey, Bounds};

/// What a new API key is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyBody {
    /// What it is for, 1 to 128 bytes.
    #[schema(min_length = 1, max_length = 128)]
    pub label: String,
    /// What it may do, of `revoke`, `check`, `admin` and `audit`; each once.
    #[schema(min_items = 1, max_items = 4)]
    pub scopes: Vec<String>,
    /// The issuers that it may do anything about; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_items = 1, max_items = 64)]
    pub issuers: Option<Vec<String>>,
    /// The clients whose tokens it may do anything about; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_items = 1, max_items = 64)]
    pub client_ids: Option<Vec<String>>,
    /// The first second at which it is refused; never if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expires_at: Option<i64>,
    /// The same, seconds from now; not beside `expires_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1)]
    pub expires_in_s: Option<i64>,
}

/// A new API key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyAnswer {
    /// Place in the history.
    pub seq: u64,
    /// Its public id, part of the key.
    pub id: String,
    /// The key. It is shown here and never again.
    pub key: String,
    /// The first second at which it is refused, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expires_at: Option<i64>,
}

impl std::fmt::Debug for KeyAnswer {
    /// Leaves the key out (promise 12).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyAnswer").field("seq", &self.seq).field("id", &self.id).finish_non_exhaustive()
    }
}

/// One API key, without what opens doors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyEntry {
    /// Its public id.
    pub id: String,
    /// Place of its making in the history.
    pub seq: u64,
    /// What it is for.
    pub label: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// The issuers that it is bound to; absent where it is bound to none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub issuers: Option<Vec<String>>,
    /// The clients that it is bound to; absent where it is bound to none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub client_ids: Option<Vec<String>>,
    /// When it was made.
    pub created_at: i64,
    /// Id of the key, or name of the certificate, that made it; absent for the first one and for the command line offline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub created_by: Option<String>,
    /// The first second at which it is refused, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expires_at: Option<i64>,
    /// Whether that has come.
    pub expired: bool,
}

/// Every API key, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyEntries {
    /// The keys.
    pub keys: Vec<KeyEntry>,
}

/// An API key that is refused from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyRevokedAnswer {
    /// Place in the history.
    pub seq: u64,
    /// Its public id.
    pub id: String,
}

impl KeyEntry {
    /// How `key` is shown by a clock that is at `now`.
    #[must_use]
    pub fn of(key: ApiKey, now: NumericDate) -> Self {
        let Bounds { issuers, client_ids } = key.bounds;
        let issuers: Vec<_> = issuers.iter().map(|issuer| issuer.as_str().to_owned()).collect();
        let client_ids: Vec<_> = client_ids.iter().map(|client_id| client_id.as_str().to_owned()).collect();
        Self {
            id: key.id.as_ref().to_owned(),
            seq: key.seq,
            label: key.label.as_ref().to_owned(),
            scopes: key.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
            issuers: Some(issuers).filter(|issuers| !issuers.is_empty()),
            client_ids: Some(client_ids).filter(|client_ids| !client_ids.is_empty()),
            created_at: key.created_at.0,
            created_by: Some(key.created_by.as_ref().to_owned()).filter(|id| !id.is_empty()),
            expires_at: key.expires_at.map(|end| end.0),
            expired: key.expires_at.is_some_and(|end| end <= now),
        }
    }
}
