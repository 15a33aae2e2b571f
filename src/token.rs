//! The claims by which a token is named: parsed once, limited, correct ever after.
//!
//! A value of these types has passed its limits, so code that holds one need not check again. Values are compared byte
//! for byte: no trimming, no case folding, no Unicode normalisation (RFC 7519 section 4: `StringOrURI`, `jti` and `sub`
//! are case-sensitive strings).

mod family;
mod naming;
mod selector;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use sha2::block_api::compress256;
use sha2::{Digest, Sha256};

pub use naming::{Naming, NamingDifference, WithoutJti};
pub use selector::Selector;

/// Longest accepted claim value, in bytes of UTF-8.
pub const CLAIM_BYTES_MAX: usize = 1_024;

/// Why a claim value is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// The value has no bytes at all.
    #[error("`{claim}` is empty; it must have 1 to {CLAIM_BYTES_MAX} bytes")]
    Empty {
        /// Name of the claim.
        claim: &'static str,
    },
    /// The value is longer than [`CLAIM_BYTES_MAX`].
    #[error("`{claim}` has {bytes} bytes; the limit is {CLAIM_BYTES_MAX}")]
    TooLong {
        /// Name of the claim.
        claim: &'static str,
        /// Its length in bytes.
        bytes: usize,
    },
}

impl ClaimError {
    /// Name of the claim that was refused.
    #[must_use]
    pub fn claim(&self) -> &'static str {
        match self {
            Self::Empty { claim } | Self::TooLong { claim, .. } => claim,
        }
    }
}

/// Checks the length limits that all claims share.
pub(crate) fn limited(claim: &'static str, value: &str) -> Result<(), ClaimError> {
    match value.len() {
        0 => Err(ClaimError::Empty { claim }),
        bytes if bytes > CLAIM_BYTES_MAX => Err(ClaimError::TooLong { claim, bytes }),
        _ => Ok(()),
    }
}

macro_rules! claim {
    ($(#[$doc:meta])* $name:ident, $claim:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub struct $name<'a>(Cow<'a, str>);

        impl<'a> $name<'a> {
            /// Takes a value over after checking its limits.
            ///
            /// # Errors
            /// [`ClaimError`] when it is empty or longer than [`CLAIM_BYTES_MAX`] bytes.
            pub fn parse(value: impl Into<Cow<'a, str>>) -> Result<Self, ClaimError> {
                let value = value.into();
                limited($claim, &value)?;
                Ok(Self(value))
            }

            /// The exact value.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The same value, borrowed from this one.
            #[must_use]
            pub fn borrowed(&self) -> $name<'_> {
                $name(Cow::Borrowed(&self.0))
            }

            /// The same value, owning its bytes.
            #[must_use]
            pub fn into_owned(self) -> $name<'static> {
                $name(Cow::Owned(self.0.into_owned()))
            }
        }

        impl fmt::Debug for $name<'_> {
            /// Prints the length only: raw claim values stay out of logs (promise 12).
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({} bytes)", stringify!($name), self.0.len())
            }
        }
    };
}

claim!(
    /// A token's identifier (RFC 7519 section 4.1.7).
    Jti,
    "jti"
);
claim!(
    /// A token's subject (RFC 7519 section 4.1.2).
    Subject,
    "sub"
);
claim!(
    /// A session at the issuer (OIDC Front-Channel Logout 1.0 section 3).
    Sid,
    "sid"
);
claim!(
    /// The OAuth client that a token was issued to (RFC 9068 section 2.2, RFC 8693 section 4.3).
    ClientId,
    "client_id"
);
claim!(
    /// What a refresh token and the tokens that were got by it have in common: a grant (RFC 7009 section 2.1).
    Family,
    "family"
);

/// The issuer that a request was resolved to (RFC 7519 section 4.1.1); the nameless issuer is the empty string.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Issuer<'a>(Cow<'a, str>);

impl<'a> Issuer<'a> {
    /// The one issuer of a server without `[[issuers]]` (promise 16).
    pub const NAMELESS: Issuer<'static> = Issuer(Cow::Borrowed(""));

    /// Takes an issuer's name over; the empty name is the nameless issuer.
    ///
    /// # Errors
    /// [`ClaimError::TooLong`] beyond [`CLAIM_BYTES_MAX`] bytes.
    pub fn parse(value: impl Into<Cow<'a, str>>) -> Result<Self, ClaimError> {
        let value = value.into();
        if !value.is_empty() {
            limited("iss", &value)?;
        }
        Ok(Self(value))
    }

    /// The exact name; empty for the nameless issuer.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same name, owning its bytes.
    #[must_use]
    pub fn into_owned(self) -> Issuer<'static> {
        Issuer(Cow::Owned(self.0.into_owned()))
    }
}

impl fmt::Debug for Issuer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issuer({:?})", self.as_str())
    }
}

/// Set in the first byte that the key of a cutoff is made of.
const CUTOFF_TAG: u8 = 0x10;

/// What the denylist knows a token by: 128 bits of SHA-256 over selector, issuer and value, length-prefixed.
///
/// The key carries the issuer (promise 16), is the same on every node and after every rebuild, and serves as the
/// filters' item, the index's key and, in base64url, the `id` of an entry on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(pub [u8; 16]);

impl Ord for Key {
    /// The order of the bytes, by two registers: overlays compare keys more often than they do anything else.
    fn cmp(&self, other: &Self) -> Ordering {
        u128::from_be_bytes(self.0).cmp(&u128::from_be_bytes(other.0))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Key {
    /// The key of one claim value of one issuer. Costs one or two SHA-256 blocks for usual lengths, no allocation.
    #[must_use]
    pub fn new(selector: Selector, issuer: &Issuer<'_>, value: &str) -> Self {
        let [high, low] = length_of(issuer);
        let parts = [&[selector as u8, high, low], issuer.as_str().as_bytes(), value.as_bytes()];
        one_block(parts).map_or_else(|| any_length(parts), Self)
    }

    /// The key of one token.
    #[must_use]
    pub fn of_token(issuer: &Issuer<'_>, jti: &Jti<'_>) -> Self {
        Self::new(Selector::Jti, issuer, jti.as_str())
    }

    /// The key of one cutoff: each is an entry of its own, told from others on the same value by `first_seq`, its first
    /// place in the history. Never the key of a claim value, which begins with another byte.
    #[must_use]
    pub fn of_cutoff(selector: Selector, issuer: &Issuer<'_>, value: &str, first_seq: u64) -> Self {
        let [high, low] = length_of(issuer);
        let mut head = [CUTOFF_TAG | selector as u8, high, low, 0, 0, 0, 0, 0, 0, 0, 0];
        head[3..].copy_from_slice(&first_seq.to_be_bytes());
        any_length([&head, issuer.as_str().as_bytes(), value.as_bytes()])
    }
}

/// Issuers are at most [`CLAIM_BYTES_MAX`] long, so two bytes hold the length.
fn length_of(issuer: &Issuer<'_>) -> [u8; 2] {
    u16::try_from(issuer.as_str().len()).unwrap_or(u16::MAX).to_be_bytes()
}

fn any_length(parts: [&[u8]; 3]) -> Key {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    let mut key = [0; 16];
    key.copy_from_slice(&hash.finalize()[..16]);
    Key(key)
}

/// The first 128 bits of SHA-256 where message and padding fit into one block, as with nearly every id: laid out in
/// place, which spares a check the hash's buffer (`benches/README.md`). Padding and initial state are those of FIPS
/// 180-4 sections 5.1.1 and 5.3.3; the compression is the crate's.
fn one_block(parts: [&[u8]; 3]) -> Option<[u8; 16]> {
    const INITIAL: [u32; 8] =
        [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];
    let mut block = [0; 64];
    let mut at = 0;
    for part in parts {
        // The last nine bytes are for the end mark and the length.
        block[..55].get_mut(at..at + part.len())?.copy_from_slice(part);
        at += part.len();
    }
    block[at] = 0x80;
    block[56..].copy_from_slice(&(8 * at as u64).to_be_bytes());
    let mut state = INITIAL;
    compress256(&mut state, &[block]);
    let mut key = [0; 16];
    for (bytes, word) in key.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    Some(key)
}

impl fmt::Debug for Key {
    /// Prints the first four bytes: enough to follow one entry through a debug log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:02x}{:02x}{:02x}{:02x}…)", self.0[0], self.0[1], self.0[2], self.0[3])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_one_to_1024_bytes_of_any_unicode() {
        assert_eq!(Jti::parse(""), Err(ClaimError::Empty { claim: "jti" }));
        assert_eq!(Jti::parse("x".repeat(1_025)), Err(ClaimError::TooLong { claim: "jti", bytes: 1_025 }));
        assert_eq!(Jti::parse("é".repeat(513)), Err(ClaimError::TooLong { claim: "jti", bytes: 1_026 }));
        for good in ["x", "\u{0}\r\n", "☂️", &"x".repeat(1_024)] {
            assert_eq!(Jti::parse(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn keys_differ_by_selector_issuer_and_value_and_do_not_run_together() {
        let issuer = |name: &'static str| Issuer::parse(name).unwrap();
        let keys = [
            Key::new(Selector::Jti, &issuer("ab"), "c"),
            Key::new(Selector::Jti, &issuer("a"), "bc"),
            Key::new(Selector::Jti, &Issuer::NAMELESS, "abc"),
            Key::new(Selector::Sub, &issuer("ab"), "c"),
            Key::new(Selector::Jti, &issuer("ab"), "C"),
            Key::of_cutoff(Selector::Sub, &issuer("ab"), "c", 1),
            Key::of_cutoff(Selector::Sub, &issuer("ab"), "c", 2),
            Key::of_cutoff(Selector::Sid, &issuer("ab"), "c", 1),
            Key::of_cutoff(Selector::Iss, &issuer("ab"), "", 1),
        ];
        for (i, a) in keys.iter().enumerate() {
            assert!(keys[i + 1..].iter().all(|b| a != b));
        }
    }

    #[test]
    fn a_key_is_the_beginning_of_sha_256_whatever_the_length() {
        for issuer in [0, 1, 17, 52, 53, 64, 1_024] {
            let issuer = Issuer::parse("i".repeat(issuer)).unwrap();
            for bytes in 0..130 {
                let value = "v".repeat(bytes);
                let mut hash = Sha256::new();
                hash.update([0]);
                hash.update(u16::try_from(issuer.as_str().len()).unwrap().to_be_bytes());
                hash.update(issuer.as_str());
                hash.update(&value);
                assert_eq!(Key::new(Selector::Jti, &issuer, &value).0, hash.finalize()[..16], "{bytes}");
            }
        }
    }

    #[test]
    fn keys_are_in_the_order_of_their_bytes() {
        let mut keys: Vec<_> = (0..200).map(|n| Key::new(Selector::Jti, &Issuer::NAMELESS, &n.to_string())).collect();
        keys.sort_unstable();
        assert!(keys.is_sorted_by_key(|key| key.0));
    }

    #[test]
    fn debug_shows_no_value() {
        assert_eq!(format!("{:?}", Jti::parse("secret-id").unwrap()), "Jti(9 bytes)");
    }
}
