//! The audit, as the server says it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One record of the audit: who did what, when, why and from where.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct AuditRecord {
    /// Place in the history.
    pub seq: u64,
    /// When it was recorded.
    pub at: i64,
    /// What was done: `revoked`, `restored`, `cutoff`, `key_created`, `key_revoked`, `lifetime_raised`, `clock_trusted`, `naming_set`,
    /// `refused` (a known caller), `strangers` (callers without a valid key, counted by the minute) or `loss_accepted`.
    pub what: String,
    /// Id of the key that asked; absent for revokd itself and for strangers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub actor: Option<String>,
    /// The door: `api`, `cli`, `backchannel` or `internal`.
    pub source: String,
    /// The address at the other end of the connection, or `unix`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub from: Option<String>,
    /// Request id, as in the access log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub request_id: Option<String>,
    /// Issuer; absent for the nameless one, and where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub iss: Option<String>,
    /// What `value` is: a selector, `key`, `history`, or `claim`: the one that stands for `jti`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub kind: Option<String>,
    /// What it was done to: a claim's value, a key's id, an earlier history's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub value: Option<String>,
    /// Whose token, where it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sub: Option<String>,
    /// Why, where it was said; of a key, what it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<String>,
    /// Of a cutoff: the last second whose tokens are revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub issued_before: Option<i64>,
    /// Until when the entry lives; of a key, the first second at which it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expires_at: Option<i64>,
    /// Of a key: the issuers that it is bound to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub issuers: Vec<String>,
    /// Of a key: the clients whose tokens it is bound to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub client_ids: Vec<String>,
    /// Of a raised lifetime: how long the issuer's tokens are taken to live, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub lifetime_s: Option<i64>,
    /// Of a refusal: the route; absent where it stands for several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub route: Option<String>,
    /// Of a refusal: the HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub status: Option<u16>,
    /// Of refusals: how many; of an accepted loss: how many events were saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub count: Option<u64>,
    /// SHA-256 of the record before's `hash` and this record's bytes, in hex: stands for all up to here.
    pub hash: String,
}

/// The end of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct AuditHead {
    /// Highest durable place in the history.
    pub seq: u64,
    /// The hash after it.
    pub hash: String,
}

/// One page of the audit, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct AuditRecords {
    /// The records of this page.
    pub records: Vec<AuditRecord>,
    /// Cursor for `after`; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next: Option<String>,
    /// The first place from which on every record is kept.
    pub from: u64,
    /// The end of the chain, to be kept elsewhere.
    pub head: AuditHead,
}
