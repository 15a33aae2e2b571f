//! What a gateway is told, and why.

use std::sync::Arc;

use super::DEADLINE;
use crate::issuers::IssuerError;
use crate::revocation::Unavailable;
use crate::token::Selector;
use crate::verifier::{Refusal, VerifiedToken, VerifyError};

/// The answer to a gateway's question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// It may pass.
    Pass(Passed),
    /// It may not, and the reason is the request's.
    Refuse(Reason),
    /// Nobody can say (promise 3).
    Unavailable(Doubt),
}

/// What is known of a request that may pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Passed {
    /// The first of its tokens; none where it has none and its gateway lets such requests pass, or where claim headers
    /// alone were judged.
    pub token: Option<Arc<VerifiedToken>>,
    /// Every change up to this place in the history was considered.
    pub seq: u64,
    /// Whether nobody could say, and the gateway's profile lets such requests pass.
    pub is_unjudged: bool,
}

/// Why a request may not pass. None quotes it (promise 12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It presents nothing.
    #[error("no token")]
    NoToken,
    /// One source holds more than one value: which of them the backend looks at is not to be guessed.
    #[error("more than one value where one is looked for")]
    Ambiguous,
    /// Something is there that is no token.
    #[error("what is presented cannot be read")]
    Unreadable,
    /// A claim header says something else than the token.
    #[error("a claim header disagrees with the token")]
    Disagreement,
    /// The gateway says that it has verified a token, and its profile does not take its word for it.
    #[error("the gateway has verified a token that it did not send along, and its `mode` is not \"trust\"")]
    Untrusted,
    /// A token proves nothing.
    #[error("the token is refused: {0}")]
    Token(#[from] Refusal),
    /// A token is genuine, and its time or audience is not.
    #[error("the token's time has not come or is over, or it is for somebody else")]
    NotInForce,
    /// It is beyond the bounds of the gateway's credential.
    #[error("it is beyond the bounds of the gateway's key or certificate")]
    Bound,
    /// A claim is missing that every check must bring.
    #[error("a claim is missing that check.required asks for")]
    Incomplete,
    /// Its issuer is not named, or is none of those configured.
    #[error("its issuer is not named, or not configured")]
    Issuer,
    /// Revoked, by an entry that names this selector.
    #[error("revoked by `{}`", .0.as_str())]
    Revoked(Selector),
}

/// Why nobody can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// The denylist cannot.
    #[error(transparent)]
    Denylist(#[from] Unavailable),
    /// The issuer's keys cannot be had.
    #[error("the issuer's keys cannot be had at the moment")]
    Keys,
    /// No key is configured by which any token could be verified.
    #[error("tokens are to be verified, and no issuer with keys is configured")]
    NoKeys,
    /// Looking it up in the denylist took too long.
    #[error("it took longer than {} ms", DEADLINE.as_millis())]
    Late,
}

impl Doubt {
    /// Whether the denylist cannot say whether a genuine token is revoked. The other doubts are about the token itself: whoever
    /// sends one can bring them about, by the issuer and the key that it names, and so they never let it pass.
    #[must_use]
    pub const fn is_of_the_denylist(self) -> bool {
        match self {
            Self::Denylist(_) | Self::Late => true,
            Self::Keys | Self::NoKeys => false,
        }
    }
}

/// What stops a judgement.
pub(super) enum Stop {
    Refuse(Reason),
    Doubt(Doubt),
}

impl<T: Into<Reason>> From<T> for Stop {
    fn from(reason: T) -> Self {
        Self::Refuse(reason.into())
    }
}

impl From<Doubt> for Stop {
    fn from(doubt: Doubt) -> Self {
        Self::Doubt(doubt)
    }
}

impl From<Unavailable> for Stop {
    fn from(unavailable: Unavailable) -> Self {
        Self::Doubt(unavailable.into())
    }
}

impl From<VerifyError> for Stop {
    fn from(error: VerifyError) -> Self {
        match error {
            // Not the user's doing: 401 would say that the token is bad.
            VerifyError::Refused(Refusal::NoIssuers | Refusal::IssuerWithoutKeys) => Self::Doubt(Doubt::NoKeys),
            VerifyError::Refused(refusal) => Self::Refuse(refusal.into()),
            VerifyError::KeysUnavailable => Self::Doubt(Doubt::Keys),
        }
    }
}

impl From<IssuerError> for Reason {
    fn from(_: IssuerError) -> Self {
        Self::Issuer
    }
}
