//! The family of an issuer whose tokens name sessions and no grants: session and client together.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::{ClientId, Family, Sid};

/// What a family begins with that was made of session and client.
const DERIVED_PREFIX: &str = "sha-256:";

impl Family<'_> {
    /// The family of one client's tokens in one session. A session that single sign-on shares is no family by itself: one
    /// client would cut off the others.
    ///
    /// Each of the two comes with its length before it, so that no other two make the same bytes; hashed, since together
    /// they may be longer than a claim. Part of the format: a change would let go of what was cut off.
    #[must_use]
    pub fn of_session(client_id: &ClientId<'_>, sid: &Sid<'_>) -> Family<'static> {
        let mut hash = Sha256::new();
        for part in [client_id.as_str(), sid.as_str()] {
            // Claims are at most 1,024 bytes long, so two bytes hold the length.
            hash.update(u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
            hash.update(part);
        }
        Family(format!("{DERIVED_PREFIX}{}", URL_SAFE_NO_PAD.encode(hash.finalize())).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::CLAIM_BYTES_MAX;

    fn of(client_id: &str, sid: &str) -> String {
        Family::of_session(&ClientId::parse(client_id).unwrap(), &Sid::parse(sid).unwrap()).as_str().to_owned()
    }

    #[test]
    fn session_and_client_make_one_family_and_do_not_run_together() {
        // As anybody can work it out: printf '\0\4shop\0\2s1' | openssl dgst -sha256 -binary | basenc --base64url
        assert_eq!(of("shop", "s1"), "sha-256:HzHMYifzWE8aGxmJtuEXI-_pMDOIy6Kp7Ae5f3bMAUQ");
        let all = [of("ab", "c"), of("a", "bc"), of("c", "ab"), of("abc", "d"), of("ab", "cd"), of("a", "\u{0}\u{1}b")];
        for (at, one) in all.iter().enumerate() {
            assert!(all[at + 1..].iter().all(|other| other != one));
        }
        let longest = of(&"x".repeat(CLAIM_BYTES_MAX), &"y".repeat(CLAIM_BYTES_MAX));
        assert_eq!(longest.len(), DERIVED_PREFIX.len() + 43);
    }
}
