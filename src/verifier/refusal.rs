//! Why a token is refused. Each says what is wrong, and none quotes the token or a raw claim (promise 12).

use std::fmt;

use crate::token::{CLAIM_BYTES_MAX, ClaimError};

/// Longest token that is looked at, in bytes.
pub const TOKEN_BYTES_MAX: usize = 16_384;

/// How deep arrays and objects may lie in each other, the outermost object included.
pub const JSON_DEPTH_MAX: usize = 32;

/// One of the three parts of a token (RFC 7515 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The JOSE header.
    Header,
    /// The claims.
    Payload,
    /// The signature.
    Signature,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Payload => "payload",
            Self::Signature => "signature",
        })
    }
}

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Longer than [`TOKEN_BYTES_MAX`].
    #[error("the token has {bytes} bytes; the limit is {TOKEN_BYTES_MAX}, which no config key changes")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not three parts with a dot between each two.
    #[error("the token has {parts} parts; a signed JWT has 3 with a dot between each two")]
    PartCount {
        /// How many parts there are.
        parts: usize,
    },
    /// Five parts or a header member `enc`: encrypted (RFC 7516).
    #[error("the token is encrypted (JWE); only signed tokens (JWS) can be verified")]
    Encrypted,
    /// Padding, a foreign character or stray bits in the last character (RFC 7515 section 2).
    #[error("the {part} is not canonical base64url without padding")]
    NotBase64Url {
        /// Where.
        part: Part,
    },
    /// Not UTF-8.
    #[error("the {part} is not UTF-8")]
    NotUtf8 {
        /// Where.
        part: Part,
    },
    /// Not JSON, or more than one JSON text.
    #[error("the {part} is not one JSON text")]
    NotJson {
        /// Where.
        part: Part,
    },
    /// JSON, but no object.
    #[error("the {part} is not a JSON object")]
    NotAnObject {
        /// Where.
        part: Part,
    },
    /// Two members of one name, at any depth (RFC 7515 section 4, RFC 8725 section 3).
    #[error("the {part} has two members of the same name in one object")]
    DuplicateMember {
        /// Where.
        part: Part,
    },
    /// Nested deeper than [`JSON_DEPTH_MAX`].
    #[error("the {part} is nested deeper than {JSON_DEPTH_MAX} levels")]
    TooDeep {
        /// Where.
        part: Part,
    },
    /// No `alg`, or no string in it.
    #[error("the header has no `alg` that is a string")]
    AlgMissing,
    /// `alg` is `none` in any case of letters: the token is not signed.
    #[error("the header's `alg` is `none`: the token is not signed")]
    AlgNone,
    /// An `alg` that does not exist for us.
    #[error("the header's `alg` is none of HS256, HS384, HS512, RS*, PS*, ES256, ES384 and EdDSA")]
    AlgUnsupported,
    /// A header member that changes how the token is to be read, and that we do not implement: `crit`, `b64`, `zip`.
    #[error("the header has `{member}`, which is not supported")]
    HeaderMember {
        /// Its name.
        member: &'static str,
    },
    /// `kid` is no string, is empty or is longer than a claim may be.
    #[error("the header's `kid` is not a string of 1 to {CLAIM_BYTES_MAX} bytes")]
    Kid,
    /// A claim that must be a string is something else.
    #[error("the claim `{claim}` is not a string")]
    ClaimNotString {
        /// Its name.
        claim: &'static str,
    },
    /// A claim that `[issuers.claims]` names is no string, is empty or is too long.
    #[error("the claim that `claims.{claim}` of its issuer names is not a string of 1 to {CLAIM_BYTES_MAX} bytes")]
    NamedClaim {
        /// The config key, which is also what the claim is taken for.
        claim: &'static str,
    },
    /// The claim that `[issuers.refresh]` names is no string, is empty or is too long.
    #[error(
        "the claim that `refresh.family_claim` of its issuer names is not a string of 1 to {CLAIM_BYTES_MAX} bytes"
    )]
    FamilyClaim,
    /// A token without a `jti`, of an issuer that says `without_jti = "refuse"`.
    #[error("the token has no `jti`, and `without_jti` of its issuer says to refuse it; `signing_input` would not")]
    JtiMissing,
    /// A claim that the issuer's `required_claims` names is not there.
    #[error("a claim is missing that `required_claims` of its issuer names")]
    RequiredClaimMissing,
    /// A logout token, where an access token is meant (RFC 8725 section 3.11).
    #[error("the header's `typ` says that it is a logout token, which permits nothing")]
    LogoutToken,
    /// A claim that must be a number is something else.
    #[error("the claim `{claim}` is not a number")]
    ClaimNotNumber {
        /// Its name.
        claim: &'static str,
    },
    /// A time that cannot be held exactly: beyond 64 bits as an integer, or beyond 2^53 with a fraction or exponent.
    #[error("the claim `{claim}` is out of range: an integer has at most 64 bits, any other number is within ±2^53")]
    ClaimOutOfRange {
        /// Its name.
        claim: &'static str,
    },
    /// A claim is empty or too long.
    #[error("the claim {0}")]
    Claim(#[from] ClaimError),
    /// No issuer has been configured.
    #[error("no issuer keys are configured; add [[issuers]] to the config to send raw tokens")]
    NoIssuers,
    /// No `iss`, and more than one issuer that could be meant.
    #[error("the claim `iss` is missing, and several issuers are configured")]
    IssuerMissing,
    /// The issuer is not in the list.
    #[error("the claim `iss` names an issuer that is not configured")]
    IssuerUnknown,
    /// The issuer is in the list, but none of its keys is.
    #[error("no keys are configured for this issuer; add `keys`, `jwks_file` or `jwks_url` to its [[issuers]] section")]
    IssuerWithoutKeys,
    /// No key of the issuer has this `kid`.
    #[error("the header's `kid` names no key of this issuer")]
    KeyUnknown,
    /// The key is there, but may not be used with this `alg`.
    #[error("the header's `alg` is not permitted for this issuer's key")]
    AlgorithmNotPermitted,
    /// The signature is not that of the issuer's key.
    #[error("the signature does not match")]
    BadSignature,
}

impl Refusal {
    /// Whether no validator with this issuer's keys takes the token either, so that there is nothing to revoke. Of what is
    /// refused for its form a laxer one might think otherwise.
    #[must_use]
    pub const fn proves_forgery(self) -> bool {
        matches!(
            self,
            Self::AlgNone | Self::IssuerUnknown | Self::KeyUnknown | Self::AlgorithmNotPermitted | Self::BadSignature
        )
    }
}

/// What comes of a token that does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The token is bad, and will stay so.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Nobody can say: the issuer's keys cannot be had now (promise 3).
    #[error("the issuer's keys cannot be had at the moment")]
    KeysUnavailable,
}

impl From<ClaimError> for VerifyError {
    fn from(error: ClaimError) -> Self {
        Self::Refused(error.into())
    }
}
