//! The JSON bodies of the REST contract: what the server writes, the command line reads, and the other way round.
//!
//! All times are NumericDate seconds. Unknown members are refused, so that a typo never reads as an absent option.

mod answers;
mod audit;
mod keys;
mod new_key;
mod oauth;
mod requests;

pub use answers::{
    CheckAnswer, CheckAnswers, CheckManyAnswer, DryRunAnswer, Entries, Entry, LogOutAnswer, LogOutAnswers,
    NotStoredAnswer, Problem, PurgeAnswer, RejectedLine, RestoreAnswer, RevokeAnswer, RevokeAnswers, RevokeManyAnswer,
    StoredAnswer,
};
pub use audit::{AuditHead, AuditRecord, AuditRecords};
pub use keys::{KeyAnswer, KeyBody, KeyEntries, KeyEntry, KeyRevokedAnswer};
pub use new_key::{KeyFault, NewKeyError};
pub use oauth::{
    Audience, GlobalRevocationBody, IntrospectAnswer, LogoutForm, OAuthError, OAuthMetadata, SubjectId, TokenForm,
};
pub use requests::{CheckBody, CheckClaims, CheckId, LogOutBody, PurgeBody, RevokeBody, RevokeClaims, RevokeToken};
