//! A token taken apart, not yet verified: the compact form of RFC 7515 section 7.1, read strictly.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::algorithm::Algorithm;
use super::refusal::{Part, Refusal, TOKEN_BYTES_MAX};
use super::strict_json::{Object, Value};
use crate::token::{CLAIM_BYTES_MAX, Jti};

/// Header members that change the meaning of a token and are not implemented (RFC 7515 section 4.1.11, RFC 7797,
/// RFC 7516 section 4.1.3). Members that offer a key (`jku`, `jwk`, `x5u`, `x5c`) are never read.
const UNSUPPORTED_MEMBERS: [&str; 3] = ["crit", "b64", "zip"];

/// What a `jti` begins with that was made from the signing input.
const DERIVED_PREFIX: &str = "sha-256:";

/// What a token says that it is, by the `typ` of its header (RFC 7515 section 4.1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Typ {
    /// Nothing, or `JWT`, which says no more.
    Unsaid,
    /// A logout token (OpenID Connect Back-Channel Logout 1.0 section 2.4).
    Logout,
    /// Something else.
    Other,
}

/// A well-formed token. What it says is the caller's word until [`super::Verifier::verify`] has judged the signature.
#[derive(Debug)]
pub(super) struct Unverified<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) typ: Typ,
    pub(super) kid: Option<String>,
    payload: String,
    /// What is signed: header, dot, payload, as they came.
    pub(super) signing_input: &'a [u8],
    /// The signature in base64url, known to be canonical.
    pub(super) signature: &'a str,
}

impl<'a> Unverified<'a> {
    /// Takes `token` apart. Linear in its length.
    pub(super) fn parse(token: &'a str) -> Result<Self, Refusal> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Refusal::TooLong { bytes: token.len() });
        }
        let (header, payload, signature) = three_parts(token)?;
        let header = decode_text(header, Part::Header)?;
        let header = Object::parse(&header, Part::Header)?;
        let algorithm = algorithm(&header)?;
        let typ = typ_of(&header);
        let kid = kid(&header)?;
        let payload = decode_text(payload, Part::Payload)?;
        decode(signature, Part::Signature)?;
        let signing_input = &token.as_bytes()[..token.len() - signature.len() - 1];
        Ok(Self { algorithm, typ, kid, payload, signing_input, signature })
    }

    /// What it says, as text.
    pub(super) fn payload_text(&self) -> &str {
        &self.payload
    }

    /// What it says.
    pub(super) fn payload(&self) -> Result<Object<'_>, Refusal> {
        Object::parse(&self.payload, Part::Payload)
    }

    /// What a token without a `jti` is known by: the SHA-256 of what is signed. Never of the whole token: from one ECDSA
    /// signature anybody can make a second, which would be another name for the same token. The parts are canonical
    /// base64url, so whoever changes a byte of the name changes what is signed.
    pub(super) fn derived_jti(&self) -> Result<Jti<'static>, Refusal> {
        let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(self.signing_input));
        Ok(Jti::parse(format!("{DERIVED_PREFIX}{digest}"))?)
    }
}

fn three_parts(token: &str) -> Result<(&str, &str, &str), Refusal> {
    let mut parts = token.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(header), Some(payload), Some(signature), None) => Ok((header, payload, signature)),
        _ => match token.split('.').count() {
            5 => Err(Refusal::Encrypted),
            parts => Err(Refusal::PartCount { parts }),
        },
    }
}

fn decode(text: &str, part: Part) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Refusal::NotBase64Url { part })
}

fn decode_text(text: &str, part: Part) -> Result<String, Refusal> {
    String::from_utf8(decode(text, part)?).map_err(|_| Refusal::NotUtf8 { part })
}

fn algorithm(header: &Object<'_>) -> Result<Algorithm, Refusal> {
    if header.get("enc").is_some() {
        return Err(Refusal::Encrypted);
    }
    if let Some(member) = UNSUPPORTED_MEMBERS.into_iter().find(|member| header.get(member).is_some()) {
        return Err(Refusal::HeaderMember { member });
    }
    match header.get("alg") {
        Some(Value::String(name)) if name.eq_ignore_ascii_case("none") => Err(Refusal::AlgNone),
        Some(Value::String(name)) => Algorithm::from_name(name).ok_or(Refusal::AlgUnsupported),
        _ => Err(Refusal::AlgMissing),
    }
}

/// A media type, in any case of letters; `application/` may be left out.
fn typ_of(header: &Object<'_>) -> Typ {
    let typ = match header.get("typ") {
        None => return Typ::Unsaid,
        Some(Value::String(typ)) => typ.as_ref(),
        Some(_) => return Typ::Other,
    };
    let is = |name: &str| {
        let prefix = typ.len().checked_sub(name.len()).and_then(|at| typ.split_at_checked(at));
        prefix.is_some_and(|(prefix, rest)| {
            rest.eq_ignore_ascii_case(name) && (prefix.is_empty() || prefix.eq_ignore_ascii_case("application/"))
        })
    };
    if is("JWT") {
        Typ::Unsaid
    } else if is("logout+jwt") {
        Typ::Logout
    } else {
        Typ::Other
    }
}

fn kid(header: &Object<'_>) -> Result<Option<String>, Refusal> {
    match header.get("kid") {
        None => Ok(None),
        Some(Value::String(kid)) if (1..=CLAIM_BYTES_MAX).contains(&kid.len()) => Ok(Some(kid.as_ref().to_owned())),
        Some(_) => Err(Refusal::Kid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typ_is_a_media_type_in_any_case_of_letters() {
        let of = |typ: &str| typ_of(&Object::parse(&format!("{{\"typ\":{typ}}}"), Part::Header).unwrap());
        for typ in [r#""JWT""#, r#""jwt""#, r#""application/JWT""#] {
            assert_eq!(of(typ), Typ::Unsaid, "{typ}");
        }
        for typ in [r#""logout+jwt""#, r#""Logout+JWT""#, r#""APPLICATION/logout+jwt""#] {
            assert_eq!(of(typ), Typ::Logout, "{typ}");
        }
        for typ in
            [r#""at+jwt""#, r#""xjwt""#, r#""/jwt""#, r#""text/logout+jwt""#, r#""éwt""#, r#""""#, "null", "1", "[]"]
        {
            assert_eq!(of(typ), Typ::Other, "{typ}");
        }
        assert_eq!(typ_of(&Object::parse("{}", Part::Header).unwrap()), Typ::Unsaid);
    }
}
