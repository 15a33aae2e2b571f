//! The claims that matter to the denylist, read from a payload without any goodwill.

use std::borrow::Cow;

use super::Rest;
use super::refusal::Refusal;
use super::strict_json::{Object, Value};
use crate::clock::NumericDate;
use crate::token::{ClientId, Jti, Selector, Sid, Subject, limited};

/// Above this a double no longer holds every whole second: 2^53.
const FLOAT_SECONDS_MAX: f64 = 9_007_199_254_740_992.0;

/// What a token says of itself.
#[derive(Clone)]
pub(super) struct Claims {
    pub(super) iss: Option<String>,
    pub(super) jti: Option<Jti<'static>>,
    pub(super) sub: Option<Subject<'static>>,
    pub(super) sid: Option<Sid<'static>>,
    pub(super) client_id: Option<ClientId<'static>>,
    pub(super) exp: Option<NumericDate>,
    pub(super) iat: Option<NumericDate>,
    pub(super) rest: Rest,
}

impl std::fmt::Debug for Claims {
    /// Prints nothing of what a token says (promise 12).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claims").finish_non_exhaustive()
    }
}

impl Claims {
    /// Reads them. `exp` is rounded up and `iat` down, so that neither ends an entry early nor misses a cutoff.
    pub(super) fn read(payload: &Object<'_>) -> Result<Self, Refusal> {
        let client_id = match optional(payload, Selector::ClientId.as_str())? {
            None => optional(payload, "azp")?,
            given => given,
        };
        let sid = optional(payload, Selector::Sid.as_str())?;
        Ok(Self {
            iss: string(payload, Selector::Iss.as_str())?.map(Cow::into_owned),
            jti: string(payload, Selector::Jti.as_str())?.map(Jti::parse).transpose()?.map(Jti::into_owned),
            sub: string(payload, Selector::Sub.as_str())?.map(Subject::parse).transpose()?.map(Subject::into_owned),
            sid: sid.map(Sid::parse).transpose()?,
            client_id: client_id.map(ClientId::parse).transpose()?,
            exp: time(payload, "exp", f64::ceil)?,
            iat: time(payload, "iat", f64::floor)?,
            rest: rest(payload)?,
        })
    }
}

/// Nothing in here refuses a token: one whose `nbf` or `aud` is nonsense can be revoked all the same.
fn rest(payload: &Object<'_>) -> Result<Rest, Refusal> {
    let aud = payload.get("aud").map(|aud| match aud {
        Value::String(one) => vec![one.as_ref().to_owned()],
        Value::Strings(many) => many.iter().map(|one| one.as_ref().to_owned()).collect(),
        _ => Vec::new(),
    });
    Ok(Rest {
        exp_floor: time(payload, "exp", f64::floor)?,
        nbf: time(payload, "nbf", f64::ceil).unwrap_or(Some(NumericDate::NEVER)),
        aud,
        scope: string(payload, "scope").ok().flatten().map(Cow::into_owned),
    })
}

fn string<'a>(payload: &Object<'a>, claim: &'static str) -> Result<Option<Cow<'a, str>>, Refusal> {
    match payload.get(claim) {
        None => Ok(None),
        Some(Value::String(value)) => Ok(Some(value.clone())),
        Some(_) => Err(Refusal::ClaimNotString { claim }),
    }
}

/// A claim that some issuers write as `null` where they have none.
fn optional(payload: &Object<'_>, claim: &'static str) -> Result<Option<String>, Refusal> {
    if payload.get(claim) == Some(&Value::Null) {
        return Ok(None);
    }
    let Some(value) = string(payload, claim)? else { return Ok(None) };
    limited(claim, &value)?;
    Ok(Some(value.into_owned()))
}

fn time(payload: &Object<'_>, claim: &'static str, round: fn(f64) -> f64) -> Result<Option<NumericDate>, Refusal> {
    match payload.get(claim) {
        None => Ok(None),
        Some(Value::Integer(seconds)) => Ok(Some(NumericDate(*seconds))),
        #[allow(clippy::cast_possible_truncation, reason = "within ±2^53 and whole after rounding")]
        Some(Value::Float(seconds)) if seconds.abs() <= FLOAT_SECONDS_MAX => {
            Ok(Some(NumericDate(round(*seconds) as i64)))
        }
        Some(Value::Float(_) | Value::Unsigned) => Err(Refusal::ClaimOutOfRange { claim }),
        Some(_) => Err(Refusal::ClaimNotNumber { claim }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::refusal::Part;
    use super::*;
    use crate::token::ClaimError;

    fn read(payload: &str) -> Result<Claims, Refusal> {
        Claims::read(&Object::parse(payload, Part::Payload).unwrap())
    }

    fn times(payload: &str) -> (Option<i64>, Option<i64>) {
        let claims = read(payload).unwrap();
        (claims.exp.map(|time| time.0), claims.iat.map(|time| time.0))
    }

    #[test]
    fn exp_is_rounded_up_and_iat_down() {
        assert_eq!(times(r#"{"exp":1.000001,"iat":1.999999}"#), (Some(2), Some(1)));
        assert_eq!(times(r#"{"exp":-1.5,"iat":-1.5}"#), (Some(-1), Some(-2)));
        assert_eq!(times(r#"{"exp":1e3,"iat":-0}"#), (Some(1_000), Some(0)));
        assert_eq!(times("{}"), (None, None));
    }

    #[test]
    fn what_only_an_introspection_judges_refuses_no_token() {
        let rest = |payload: &str| read(payload).unwrap().rest;
        let given = rest(r#"{"exp":9.5,"nbf":1.5,"aud":["a","b"],"scope":"x y"}"#);
        assert_eq!((given.exp_floor, given.nbf), (Some(NumericDate(9)), Some(NumericDate(2))));
        assert_eq!(
            (given.aud.unwrap(), given.scope.unwrap()),
            (vec!["a".to_owned(), "b".to_owned()], "x y".to_owned())
        );
        assert!(rest("{}") == Rest::default());
        assert_eq!(rest(r#"{"aud":"a"}"#).aud.unwrap(), ["a"]);
        for nobody in ["null", "1", "[]", "[1]", r#"["a",1]"#, r#"[["a"]]"#, "{}"] {
            assert_eq!(rest(&format!(r#"{{"aud":{nobody}}}"#)).aud, Some(Vec::new()), "{nobody}");
        }
        for never in ["null", "\"1\"", "[]", "1e300", "18446744073709551615"] {
            assert_eq!(rest(&format!(r#"{{"nbf":{never}}}"#)).nbf, Some(NumericDate::NEVER), "{never}");
        }
        assert_eq!(rest(r#"{"scope":["x"]}"#).scope, None);
    }

    #[test]
    fn times_are_exact_or_refused() {
        assert_eq!(
            times(r#"{"exp":9223372036854775807,"iat":-9223372036854775808}"#),
            (Some(i64::MAX), Some(i64::MIN))
        );
        assert_eq!(times(r#"{"exp":9007199254740992.0}"#).0, Some(1 << 53));
        for exp in ["9223372036854775808", "18446744073709551616", "1e16", "-1e300", "9007199254740994.0"] {
            let refusal = read(&format!(r#"{{"exp":{exp}}}"#)).unwrap_err();
            assert_eq!(refusal, Refusal::ClaimOutOfRange { claim: "exp" }, "{exp}");
        }
        for iat in ["\"1\"", "null", "[]", "{}", "true"] {
            let refusal = read(&format!(r#"{{"iat":{iat}}}"#)).unwrap_err();
            assert_eq!(refusal, Refusal::ClaimNotNumber { claim: "iat" }, "{iat}");
        }
    }

    #[test]
    fn the_client_is_client_id_and_only_then_azp() {
        let client = |payload: &str| read(payload).unwrap().client_id.map(|client| client.as_str().to_owned());
        assert_eq!(client(r#"{"client_id":"a","azp":"b"}"#).as_deref(), Some("a"));
        assert_eq!(client(r#"{"azp":"b"}"#).as_deref(), Some("b"));
        assert_eq!(client(r#"{"client_id":null,"azp":"b","sid":null}"#).as_deref(), Some("b"));
        assert_eq!(client("{}"), None);
    }

    #[test]
    fn names_that_are_no_strings_of_1_to_1024_bytes_are_refused() {
        let long = "x".repeat(1_025);
        for claim in ["jti", "sub", "sid", "client_id", "azp"] {
            for value in ["1", "[\"x\"]", "{}", "true", "1.5"] {
                let refusal = read(&format!(r#"{{"{claim}":{value}}}"#)).unwrap_err();
                assert_eq!(refusal, Refusal::ClaimNotString { claim }, "{claim} {value}");
            }
            let refusal = read(&format!(r#"{{"{claim}":""}}"#)).unwrap_err();
            assert_eq!(refusal, Refusal::Claim(ClaimError::Empty { claim }));
            let refusal = read(&format!(r#"{{"{claim}":"{long}"}}"#)).unwrap_err();
            assert_eq!(refusal, Refusal::Claim(ClaimError::TooLong { claim, bytes: 1_025 }));
        }
        for claim in ["jti", "sub", "iss"] {
            let refusal = read(&format!(r#"{{"{claim}":null}}"#)).unwrap_err();
            assert_eq!(refusal, Refusal::ClaimNotString { claim });
        }
    }
}
