//! What the server answers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The answer to a revoke of one token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum RevokeAnswer {
    /// The token is revoked, and that is durable.
    Stored(StoredAnswer),
    /// There was nothing to revoke.
    NotStored(NotStoredAnswer),
}

/// The answer to a revoke of a token that is revoked now, or was so before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StoredAnswer {
    /// Place of the entry in the history.
    pub seq: u64,
    /// `true`.
    pub stored: bool,
    /// Until when the entry lives: `exp` + leeway, or the furthest end recorded before.
    pub expires_at: i64,
}

/// The answer to a revoke of a token that needs none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotStoredAnswer {
    /// `false`.
    pub stored: bool,
    /// Why nothing was stored: `expired`.
    pub because: String,
}

/// The answer to a revoke: of one token, or of many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum RevokeAnswers {
    /// To `application/x-ndjson`.
    Many(RevokeManyAnswer),
    /// To `application/json`.
    One(RevokeAnswer),
}

/// The answer to a revoke of many, when lines were rejected or not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct RevokeManyAnswer {
    /// Lines accepted: stored, already stored, or already expired.
    pub accepted: u64,
    /// Lines refused, each with its reason; the first 1,000 of them.
    pub rejected: Vec<RejectedLine>,
    /// Lines refused beyond those that `rejected` lists; absent if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rejected_unlisted: Option<u64>,
    /// Highest place in the history that the accepted lines rely on; absent if none was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub seq: Option<u64>,
}

/// One refused line of a revoke of many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RejectedLine {
    /// Number of the line, from 1.
    pub line: u64,
    /// Why it was refused, naming the field and the limit.
    pub error: String,
}

/// One verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckAnswer {
    /// Whether the token is revoked. `false` means "not revoked", and no more than that.
    pub revoked: bool,
    /// What revoked it: `jti`, `sid`, `family`, `sub`, `client_id`, `iss`, or `unverifiable` for a forged token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub by: Option<String>,
    /// Why, where it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<String>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub revoked_at: Option<i64>,
    /// The selectors that were judged; what is not listed was not looked at.
    pub judged: Vec<String>,
}

/// The answer to a check that was posted: one verdict, or many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum CheckAnswers {
    /// To `ids` and `tokens`.
    Many(CheckManyAnswer),
    /// To all else.
    One(CheckAnswer),
}

/// The verdicts of a check of many, in the order asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckManyAnswer {
    /// One verdict for each id or token asked.
    pub results: Vec<CheckAnswer>,
}

/// The answer to a force-logout: of one that was made, or only tried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum LogOutAnswers {
    /// It is in force.
    Stored(LogOutAnswer),
    /// To `"dry_run":true`.
    DryRun(DryRunAnswer),
}

/// The answer to a force-logout that is in force now, or was so before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogOutAnswer {
    /// Place of the cutoff in the history.
    pub seq: u64,
    /// Its id, for showing and restoring it.
    pub id: String,
    /// The last second whose tokens are revoked, by a true clock.
    pub issued_before: i64,
    /// The first `iat` that is not revoked by it: a login from then on works.
    pub good_from: i64,
    /// Until when the cutoff lives: by then every token that it hits has expired by itself.
    pub expires_at: i64,
}

/// What a force-logout would do. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DryRunAnswer {
    /// `true`.
    pub dry_run: bool,
    /// The last second whose tokens would be revoked, by a true clock.
    pub issued_before: i64,
    /// The first `iat` that would not be revoked.
    pub good_from: i64,
    /// Until when the cutoff would live.
    pub expires_at: i64,
    /// Checks of the issuer that were answered in the last hour, or since the start.
    pub checks: u64,
    /// Those among them that did not bring the claim, and would not notice.
    pub checks_without_claim: u64,
    /// Those that brought it, but no `iat`: their tokens would read as revoked after a new login too.
    pub checks_without_iat: u64,
    /// All of that in words, and whom it would hit.
    pub says: String,
}

/// The answer to a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RestoreAnswer {
    /// Place of the restore in the history.
    pub seq: u64,
    /// The entry that counts no more.
    pub id: String,
    /// Live cutoffs that match the same tokens by what is known of them, newest first; they stay in force.
    pub still_matching: Vec<Entry>,
    /// Whether there are more of them than are listed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// One entry of the denylist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    /// Opaque, URL-safe; stable when the entry is extended.
    pub id: String,
    /// Place in the history.
    pub seq: u64,
    /// The selector it names: `jti` for a revocation; `sid`, `family`, `sub`, `client_id` or `iss` for a cutoff.
    pub kind: String,
    /// Issuer; absent for the nameless one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub iss: Option<String>,
    /// The claim's value; empty for a cutoff on all tokens of the nameless issuer.
    pub value: String,
    /// Whose token, where it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sub: Option<String>,
    /// Why, where it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<String>,
    /// Of a cutoff: the last second whose tokens are revoked, by a true clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub issued_before: Option<i64>,
    /// When it was revoked.
    pub revoked_at: i64,
    /// Until when the entry lives.
    pub expires_at: i64,
}

/// One page of entries, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Entries {
    /// The entries of this page.
    pub revocations: Vec<Entry>,
    /// Cursor for `after`; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next: Option<String>,
}

/// What a purge did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PurgeAnswer {
    /// Ended buckets dropped from the index.
    pub buckets: u64,
    /// Entries that went with them.
    pub entries: u64,
    /// Journal segments dropped or rewritten.
    pub segments: u64,
}

/// An error of the REST API (RFC 9457), `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong, naming the field and the limit, and what to do next.
    pub detail: String,
    /// The field that was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub field: Option<String>,
    /// The limit that was passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub limit: Option<u64>,
    /// Index of the element of a check of many that was refused, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub index: Option<u64>,
    /// Lines of a revoke of many that are durable in spite of the failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub durable: Option<u64>,
    /// Request id, as in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub request_id: Option<String>,
}
