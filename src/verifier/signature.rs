//! Public keys and secrets, and the judgement of a signature. The one file that names jsonwebtoken.
//!
//! Of that crate only the signature check is used: its reading of headers and claims forgives more than we may, and its
//! judgement of times reads the system's clock behind our back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm as Jwa, DecodingKey, crypto};

use super::algorithm::{Algorithm, KeyKind};

/// Sizes of RSA modulus that are accepted, in bytes (RFC 7518 section 3.3 for the lower end).
const RSA_MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1_024;

/// What a `PUBLIC KEY` in PEM begins with, in DER: the algorithm, then the head of the bit string (RFC 5480, RFC 8410).
/// One key has one such encoding, so a comparison does for a parser and tells P-256 from other curves of its size.
const P256_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const P384_PREFIX: [u8; 23] = [
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00,
    0x22, 0x03, 0x62, 0x00,
];
const ED25519_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Why key material cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeyFault {
    #[error("the secret has {bytes} bytes; {algorithm} needs at least {min} (RFC 7518 section 3.2)")]
    SecretTooShort { algorithm: &'static str, bytes: usize, min: usize },
    #[error("the RSA modulus has {bytes} bytes; it must have 256 to 1,024 (2,048 to 8,192 bits)")]
    RsaSize { bytes: usize },
    #[error("the public key's coordinates have the wrong length for its curve")]
    Coordinates,
    #[error("it holds a private key; give only the public one (`openssl pkey -in FILE -pubout`)")]
    PrivateKey,
    #[error("it is not one PEM block `PUBLIC KEY` or `RSA PUBLIC KEY`")]
    NotPem,
    #[error("the PEM does not hold a key for {algorithm}")]
    WrongPem { algorithm: &'static str },
}

/// Key material of one kind, ready for use.
#[derive(Clone)]
pub(super) struct KeyMaterial {
    kind: KeyKind,
    key: DecodingKey,
}

impl std::fmt::Debug for KeyMaterial {
    /// Prints the kind only: half of the kinds are public, the other is not.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("KeyMaterial").field(&self.kind).finish()
    }
}

impl KeyMaterial {
    /// A shared secret, long enough for `algorithm`.
    pub(super) fn secret(secret: &[u8], algorithm: Algorithm) -> Result<Self, KeyFault> {
        let (bytes, min) = (secret.len(), algorithm.secret_bytes_min());
        if bytes < min {
            return Err(KeyFault::SecretTooShort { algorithm: algorithm.as_str(), bytes, min });
        }
        Ok(Self { kind: KeyKind::Secret, key: DecodingKey::from_secret(secret) })
    }

    /// An RSA public key from modulus and exponent, big-endian.
    pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyFault> {
        // Some issuers write the sign byte of DER, which the base64url of RFC 7518 section 6.3.1.1 must not have.
        let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
        if !RSA_MODULUS_BYTES.contains(&modulus.len()) {
            return Err(KeyFault::RsaSize { bytes: modulus.len() });
        }
        Ok(Self { kind: KeyKind::Rsa, key: DecodingKey::from_rsa_raw_components(modulus, exponent) })
    }

    /// A point on P-256 or P-384. Whether it lies on the curve shows when it is used.
    pub(super) fn elliptic(kind: KeyKind, x: &[u8], y: &[u8]) -> Result<Self, KeyFault> {
        let bytes = if kind == KeyKind::P384 { 48 } else { 32 };
        if x.len() != bytes || y.len() != bytes {
            return Err(KeyFault::Coordinates);
        }
        // Uncompressed, SEC 1 section 2.3.3.
        Ok(Self { kind, key: DecodingKey::from_ec_der(&[&[4], x, y].concat()) })
    }

    /// An Ed25519 public key.
    pub(super) fn ed25519(x: &[u8]) -> Result<Self, KeyFault> {
        if x.len() != 32 {
            return Err(KeyFault::Coordinates);
        }
        Ok(Self { kind: KeyKind::Ed25519, key: DecodingKey::from_ed_der(x) })
    }

    /// The public key in a PEM file, which must be one for `algorithm`.
    pub(super) fn from_pem(pem: &[u8], algorithm: Algorithm) -> Result<Self, KeyFault> {
        let text = std::str::from_utf8(pem).map_err(|_| KeyFault::NotPem)?;
        if text.contains("PRIVATE KEY-----") {
            return Err(KeyFault::PrivateKey);
        }
        let wrong = KeyFault::WrongPem { algorithm: algorithm.as_str() };
        let point = |prefix: &[u8]| pem_der(text)?.strip_prefix(prefix).map(<[u8]>::to_vec).ok_or(wrong);
        match algorithm.key_kind() {
            KeyKind::Secret => Err(wrong),
            KeyKind::Rsa => Self::rsa_from_pem(text).map_err(|fault| fault.unwrap_or(wrong)),
            KeyKind::Ed25519 => Self::ed25519(&point(&ED25519_PREFIX)?).map_err(|_| wrong),
            kind => {
                let prefix: &[u8] = if kind == KeyKind::P384 { &P384_PREFIX } else { &P256_PREFIX };
                let point = point(prefix)?;
                let coordinates = point.strip_prefix(&[4]).ok_or(wrong)?;
                let (x, y) = coordinates.split_at(coordinates.len() / 2);
                Self::elliptic(kind, x, y).map_err(|_| wrong)
            }
        }
    }

    /// `None` as a fault: no RSA key at all.
    fn rsa_from_pem(text: &str) -> Result<Self, Option<KeyFault>> {
        pem_der(text)?;
        let key = DecodingKey::from_rsa_pem(text.trim().as_bytes()).map_err(|_| None)?;
        let components = crypto::aws_lc::DEFAULT_PROVIDER.key_utils.rsa_pub_components_from_public_key;
        let (modulus, exponent) = key.try_get_as_bytes().and_then(components).map_err(|_| None)?;
        Ok(Self::rsa(&modulus, &exponent)?)
    }

    /// Whether `signature` (base64url) is this key's over `message`. An `algorithm` for another kind of key is `false`:
    /// a public key never serves as a secret, whatever a header says.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &str) -> bool {
        algorithm.key_kind() == self.kind
            && crypto::verify(signature, message, &self.key, jwa(algorithm)).unwrap_or(false)
    }
}

/// The content of the one PEM block in `text` (RFC 7468).
fn pem_der(text: &str) -> Result<Vec<u8>, KeyFault> {
    let body = |label: &str| {
        let rest = text.trim().strip_prefix(&format!("-----BEGIN {label}-----"))?;
        rest.strip_suffix(&format!("-----END {label}-----"))
    };
    let body = body("PUBLIC KEY").or_else(|| body("RSA PUBLIC KEY")).ok_or(KeyFault::NotPem)?;
    let compact: String = body.split_ascii_whitespace().collect();
    STANDARD.decode(compact).map_err(|_| KeyFault::NotPem)
}

const fn jwa(algorithm: Algorithm) -> Jwa {
    match algorithm {
        Algorithm::HS256 => Jwa::HS256,
        Algorithm::HS384 => Jwa::HS384,
        Algorithm::HS512 => Jwa::HS512,
        Algorithm::RS256 => Jwa::RS256,
        Algorithm::RS384 => Jwa::RS384,
        Algorithm::RS512 => Jwa::RS512,
        Algorithm::PS256 => Jwa::PS256,
        Algorithm::PS384 => Jwa::PS384,
        Algorithm::PS512 => Jwa::PS512,
        Algorithm::ES256 => Jwa::ES256,
        Algorithm::ES384 => Jwa::ES384,
        Algorithm::EdDSA => Jwa::EdDSA,
    }
}
