//! From what is asked of a new API key to the key: the same for the REST API and the command line offline.

use std::borrow::Cow;

use super::KeyBody;
use crate::clock::NumericDate;
use crate::event::KEY_BOUNDS_MAX;
use crate::issuers::Issuers;
use crate::keys::{LABEL_BYTES_MAX, NewKey, Scope, Scopes, generate};
use crate::token::{CLAIM_BYTES_MAX, ClaimError, ClientId, Issuer};

/// What is wrong with a [`KeyBody`], by field and limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct KeyFault {
    /// The member.
    pub field: &'static str,
    /// The limit that was passed, where it is a number.
    pub limit: Option<u64>,
    /// All of it in words.
    pub detail: Cow<'static, str>,
}

/// Why no key was made.
#[derive(Debug, thiserror::Error)]
pub enum NewKeyError {
    /// What was asked cannot be.
    #[error(transparent)]
    Fault(#[from] KeyFault),
    /// The operating system gave no randomness.
    #[error("the operating system gives no randomness")]
    Randomness(#[from] getrandom::Error),
}

fn fault(field: &'static str, detail: impl Into<Cow<'static, str>>) -> KeyFault {
    KeyFault { field, limit: None, detail: detail.into() }
}

impl KeyBody {
    /// Makes the key. `now` is the clock's `latest`, by which its end is judged.
    ///
    /// # Errors
    /// [`NewKeyError`].
    pub fn make(&self, issuers: &Issuers, now: NumericDate) -> Result<NewKey, NewKeyError> {
        let bytes = self.label.len();
        if !(1..=LABEL_BYTES_MAX).contains(&bytes) {
            let detail = format!("`label` has {bytes} bytes; it must have 1 to {LABEL_BYTES_MAX}");
            return Err(KeyFault { limit: Some(LABEL_BYTES_MAX as u64), ..fault("label", detail) }.into());
        }
        let scopes = each("scopes", &self.scopes, Scope::ALL.len(), |name| {
            let refused = || fault("scopes", "each of `scopes` must be one of revoke, check, admin, audit");
            Scope::from_name(name).ok_or_else(refused)
        })?;
        let issuers = bounds("issuers", self.issuers.as_deref(), |name| issuer(issuers, name))?;
        let client_ids = bounds("client_ids", self.client_ids.as_deref(), |name| {
            ClientId::parse(name.to_owned()).map_err(|error| {
                let limit = matches!(error, ClaimError::TooLong { .. }).then_some(CLAIM_BYTES_MAX as u64);
                KeyFault { limit, ..fault("client_ids", format!("one of `client_ids` cannot be one: {error}")) }
            })
        })?;
        let expires_at = self.end(now)?;
        let mut new = generate(&self.label, Scopes::of(&scopes))?;
        new.record.issuers = issuers;
        new.record.client_ids = client_ids;
        new.record.expires_at = expires_at;
        Ok(new)
    }

    fn end(&self, now: NumericDate) -> Result<Option<NumericDate>, KeyFault> {
        match (self.expires_at, self.expires_in_s) {
            (Some(_), Some(_)) => Err(fault("expires_in_s", "`expires_in_s` cannot stand beside `expires_at`")),
            (_, Some(..=0)) => Err(fault("expires_in_s", "`expires_in_s` must be at least 1")),
            (at, in_s) => Ok(at.map(NumericDate).or(in_s.map(|in_s| now.plus(in_s)))),
        }
    }
}

fn issuer(issuers: &Issuers, name: &str) -> Result<Issuer<'static>, KeyFault> {
    let known = issuers.resolve(Some(name)).map(|limits| limits.issuer.clone());
    known.map_err(|_| fault("issuers", "`issuers` names one that is not configured; see [[issuers]] in the config"))
}

/// What a list names; nothing if it is absent. An empty one could mean everything or nothing.
fn bounds<T: PartialEq>(
    name: &'static str,
    list: Option<&[String]>,
    read: impl Fn(&str) -> Result<T, KeyFault>,
) -> Result<Vec<T>, KeyFault> {
    list.map_or(Ok(Vec::new()), |list| each(name, list, KEY_BOUNDS_MAX, read))
}

/// The elements of a list, one at least and none of them twice.
fn each<T: PartialEq>(
    name: &'static str,
    list: &[String],
    max: usize,
    read: impl Fn(&str) -> Result<T, KeyFault>,
) -> Result<Vec<T>, KeyFault> {
    if !(1..=max).contains(&list.len()) {
        let detail = format!("`{name}` has {} elements; it must have 1 to {max}", list.len());
        return Err(KeyFault { limit: Some(max as u64), ..fault(name, detail) });
    }
    let mut all = Vec::with_capacity(list.len());
    for element in list {
        let one = read(element)?;
        if all.contains(&one) {
            return Err(fault(name, format!("`{name}` names one twice")));
        }
        all.push(one);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body() -> KeyBody {
        KeyBody { label: "ci".to_owned(), scopes: vec!["check".to_owned()], ..KeyBody::default() }
    }

    fn made(body: &KeyBody) -> Result<NewKey, NewKeyError> {
        body.make(&Issuers::nameless(1, 1), NumericDate(1_000))
    }

    fn field(body: &KeyBody) -> &'static str {
        match made(body) {
            Err(NewKeyError::Fault(fault)) => fault.field,
            Err(error) => panic!("{error}"),
            Ok(_) => "",
        }
    }

    #[test]
    fn a_key_is_what_was_asked_for() {
        let scopes = ["audit", "revoke"].map(str::to_owned).to_vec();
        let client_ids = Some(vec!["shop".to_owned()]);
        let new = made(&KeyBody { scopes, client_ids, expires_in_s: Some(7), ..body() }).unwrap();
        assert_eq!((new.record.scopes, &*new.record.label), (9, "ci"));
        assert_eq!(new.record.client_ids[0].as_str(), "shop");
        assert_eq!(new.record.expires_at, Some(NumericDate(1_007)));
        let plain = made(&KeyBody { expires_at: Some(7), ..body() }).unwrap().record;
        assert_eq!(plain.expires_at, Some(NumericDate(7)), "whether that has passed is judged once for all");
        assert!(plain.issuers.is_empty() && plain.client_ids.is_empty());
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_field() {
        let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let many = Some(vec!["x".to_owned(); 65]);
        for (wrong, name) in [
            (KeyBody { label: String::new(), ..body() }, "label"),
            (KeyBody { label: "x".repeat(129), ..body() }, "label"),
            (KeyBody { scopes: Vec::new(), ..body() }, "scopes"),
            (KeyBody { scopes: texts(&["Check"]), ..body() }, "scopes"),
            (KeyBody { scopes: texts(&["check", "check"]), ..body() }, "scopes"),
            (KeyBody { issuers: Some(texts(&["a"])), ..body() }, "issuers"),
            (KeyBody { issuers: Some(Vec::new()), ..body() }, "issuers"),
            (KeyBody { client_ids: Some(Vec::new()), ..body() }, "client_ids"),
            (KeyBody { client_ids: many, ..body() }, "client_ids"),
            (KeyBody { client_ids: Some(texts(&[""])), ..body() }, "client_ids"),
            (KeyBody { client_ids: Some(texts(&["a", "a"])), ..body() }, "client_ids"),
            (KeyBody { expires_in_s: Some(0), ..body() }, "expires_in_s"),
            (KeyBody { expires_in_s: Some(1), expires_at: Some(1), ..body() }, "expires_in_s"),
        ] {
            assert_eq!(field(&wrong), name, "{wrong:?}");
        }
        assert_eq!(field(&KeyBody { label: "x".repeat(128), ..body() }), "");
    }
}
