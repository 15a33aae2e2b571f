//! One issuer with its keys loaded: from the settings, and for its tokens.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::algorithm::{Algorithm, KeyKind};
use super::compact::Unverified;
use super::fetch::Fetcher;
use super::jwk::{Origin, read_set};
use super::jwks::{JwksSource, State};
use super::key_set::{Key, judge, names_its_key};
use super::refusal::{Refusal, VerifyError};
use super::secret::SecretEncoding;
use super::settings::{BackchannelSettings, IssuerSettings, KeySettings, RefreshSettings, SettingsError};
use super::signature::KeyMaterial;
use crate::token::{CLAIM_BYTES_MAX, Issuer, Naming};

/// An issuer whose tokens can be judged.
#[derive(Debug)]
pub(super) struct TrustedIssuer {
    pub(super) name: Issuer<'static>,
    /// Whom its tokens must be for; nobody in particular if empty.
    pub(super) audience: Vec<String>,
    /// How its tokens are read.
    pub(super) naming: Naming<'static>,
    /// How its refresh tokens are told from others.
    pub(super) refresh_tokens: Option<RefreshSettings>,
    /// Claims that they must have.
    pub(super) required_claims: Vec<String>,
    /// Which of its logout tokens are taken; none if absent.
    pub(super) backchannel: Option<BackchannelSettings>,
    /// From the config and from a file: they never change.
    keys: Vec<Key>,
    /// What the issuer publishes: it changes.
    pub(super) source: Option<JwksSource>,
}

/// Why the keys at hand do not vouch for a token.
struct Miss {
    error: VerifyError,
    /// Whether keys fetched now might.
    newer_keys_may_help: bool,
}

impl TrustedIssuer {
    /// Loads the keys. Reads files, relative to `base`; fetches nothing.
    pub(super) fn load(settings: IssuerSettings, base: &Path) -> Result<Self, SettingsError> {
        settings.validate()?;
        let fault = |fault: String| SettingsError::Issuer { iss: settings.iss.clone(), fault };
        let name = Issuer::parse(settings.iss.clone()).map_err(|error| fault(error.to_string()))?;
        let (naming, refresh_tokens) = (settings.naming(), settings.refresh.clone());
        let required_claims = settings.required_claims.clone();
        let allowed = settings.algorithms.clone().unwrap_or_else(|| Algorithm::ALL.to_vec());
        let mut keys = Vec::new();
        for (place, key) in settings.keys.iter().enumerate() {
            let loaded = load_key(key, &allowed, base);
            keys.push(loaded.map_err(|fault| SettingsError::Key {
                iss: settings.iss.clone(),
                key: which(place, key),
                fault,
            })?);
        }
        if let Some(file) = &settings.jwks_file {
            let path = base.join(file);
            let in_file = |cause: String| fault(format!("`jwks_file` {}: {cause}", path.display()));
            let json = std::fs::read(&path).map_err(|error| in_file(error.to_string()))?;
            keys.extend(read_set(&json, Origin::File, &allowed).map_err(|error| in_file(error.to_string()))?);
        }
        let fetcher =
            settings.jwks_url.as_deref().map(Fetcher::new).transpose().map_err(|error| fault(error.to_string()))?;
        let refresh = Duration::from_secs(settings.jwks_refresh_s);
        let stale_max = Duration::from_secs(settings.jwks_stale_max_s);
        let (audience, backchannel) = (settings.audience, settings.backchannel);
        let source = fetcher.map(|fetcher| JwksSource::new(settings.iss, fetcher, allowed, refresh, stale_max));
        Ok(Self { name, audience, naming, refresh_tokens, required_claims, backchannel, keys, source })
    }

    /// Which keys judge its tokens now, while they may be used: another number for every change.
    pub(super) fn keys_version(&self) -> Option<u64> {
        self.source.as_ref().map_or(Some(UNCHANGING), |source| source.state().version(source.stale_max))
    }

    /// Judges the signature, with keys fetched anew where that may help and is permitted. Gives the version of the keys that
    /// vouch for it.
    pub(super) async fn judge(&self, token: &Unverified<'_>) -> Result<u64, VerifyError> {
        let Some(source) = &self.source else {
            if self.keys.is_empty() {
                return Err(Refusal::IssuerWithoutKeys.into());
            }
            judge(self.keys.iter(), token)?;
            return Ok(UNCHANGING);
        };
        let state = source.state();
        let Err(miss) = self.judge_by(source, &state, token) else { return Ok(state.version) };
        if miss.newer_keys_may_help && source.newer_than(&state).await {
            let state = source.state();
            return self.judge_by(source, &state, token).map(|()| state.version).map_err(|miss| miss.error);
        }
        Err(miss.error)
    }

    fn judge_by(&self, source: &JwksSource, state: &State, token: &Unverified<'_>) -> Result<(), Miss> {
        let published = state.keys(source.stale_max);
        let keys = self.keys.iter().chain(published.unwrap_or_default());
        let Err(refusal) = judge(keys.clone(), token) else { return Ok(()) };
        let kid_unknown = token.kid.is_some() && !names_its_key(keys, token);
        // A `kid` that we cannot look up at the moment may be that of a key introduced since: in doubt, no verdict.
        let in_doubt = published.is_none() || (kid_unknown && state.is_behind());
        let error = if in_doubt { VerifyError::KeysUnavailable } else { refusal.into() };
        Err(Miss { error, newer_keys_may_help: published.is_none() || kid_unknown })
    }
}

/// The version of keys that only the config holds.
const UNCHANGING: u64 = 0;

/// How an error names a key.
fn which(place: usize, key: &KeySettings) -> String {
    match &key.kid {
        Some(kid) => format!("key `{kid}`"),
        None => format!("key {} of `keys`", place + 1),
    }
}

fn load_key(settings: &KeySettings, allowed: &[Algorithm], base: &Path) -> Result<Key, String> {
    let algorithm = settings.alg;
    if !allowed.contains(&algorithm) {
        return Err(format!("`alg` {} is not among the issuer's `algorithms`", algorithm.as_str()));
    }
    if settings.kid.as_ref().is_some_and(|kid| kid.is_empty() || kid.len() > CLAIM_BYTES_MAX) {
        return Err(format!("`kid` must have 1 to {CLAIM_BYTES_MAX} bytes"));
    }
    let is_secret = algorithm.key_kind() == KeyKind::Secret;
    if settings.secret_encoding.is_some() && !is_secret {
        return Err(format!("`secret_encoding` says nothing about a key for {}", algorithm.as_str()));
    }
    let material = match (&settings.secret, &settings.secret_file, &settings.pem_file) {
        (Some(secret), None, None) if is_secret => {
            load_secret(secret.expose().as_bytes(), settings).map_err(|fault| format!("`secret`: {fault}"))?
        }
        (None, Some(file), None) if is_secret => load_file(base, file, "secret_file", |bytes| {
            let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
            load_secret(bytes.strip_suffix(b"\r").unwrap_or(bytes), settings)
        })?,
        (None, None, Some(file)) if !is_secret => load_file(base, file, "pem_file", |bytes| {
            KeyMaterial::from_pem(bytes, algorithm).map_err(|fault| fault.to_string())
        })?,
        _ if is_secret => {
            return Err(format!("{} needs exactly one of `secret` and `secret_file`", algorithm.as_str()));
        }
        _ => return Err(format!("{} needs `pem_file`, and no secret", algorithm.as_str())),
    };
    Ok(Key { kid: settings.kid.clone(), algorithms: vec![algorithm], material })
}

fn load_file(
    base: &Path,
    file: &Path,
    setting: &str,
    load: impl FnOnce(&[u8]) -> Result<KeyMaterial, String>,
) -> Result<KeyMaterial, String> {
    let path = base.join(file);
    let loaded = std::fs::read(&path).map_err(|error| error.to_string()).and_then(|bytes| load(&bytes));
    loaded.map_err(|fault| format!("`{setting}` {}: {fault}", path.display()))
}

fn load_secret(text: &[u8], settings: &KeySettings) -> Result<KeyMaterial, String> {
    let decoded = match settings.secret_encoding.unwrap_or_default() {
        SecretEncoding::Utf8 => text.to_vec(),
        SecretEncoding::Base64url => {
            let unpadded = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
            URL_SAFE_NO_PAD.decode(unpadded).map_err(|_| "it is not base64url".to_owned())?
        }
    };
    KeyMaterial::secret(&decoded, settings.alg).map_err(|fault| fault.to_string())
}
