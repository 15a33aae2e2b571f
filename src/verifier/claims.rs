//! The claims that matter to the denylist, read from a payload without any goodwill.

use std::borrow::Cow;

use super::Rest;
use super::refusal::Refusal;
use super::settings::RefreshSettings;
use super::strict_json::{Object, Value};
use crate::clock::NumericDate;
use crate::token::{ClientId, Family, Jti, Naming, Selector, Sid, Subject, limited};

/// Above this a double no longer holds every whole second: 2^53.
const FLOAT_SECONDS_MAX: f64 = 9_007_199_254_740_992.0;

/// What a token says of itself.
#[derive(Clone)]
pub(super) struct Claims {
    pub(super) jti: Option<Jti<'static>>,
    pub(super) sub: Option<Subject<'static>>,
    pub(super) sid: Option<Sid<'static>>,
    pub(super) client_id: Option<ClientId<'static>>,
    pub(super) family: Option<Family<'static>>,
    pub(super) is_refresh: bool,
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
    /// Reads them by the names that the issuer gives them. `exp` is rounded up and `iat` down, so that neither ends an
    /// entry early nor misses a cutoff.
    pub(super) fn read(
        payload: &Object<'_>,
        naming: &Naming<'_>,
        refresh: Option<&RefreshSettings>,
    ) -> Result<Self, Refusal> {
        const CLIENT_ID: &str = Selector::ClientId.as_str();
        let client_id = match &naming.client_id {
            Some(name) => optional(payload, name, CLIENT_ID)?,
            None => match optional(payload, CLIENT_ID, CLIENT_ID)? {
                None => optional(payload, "azp", "azp")?,
                given => given,
            },
        };
        let client_id = client_id.map(ClientId::parse).transpose()?;
        let sid = optional(payload, &naming.sid, Selector::Sid.as_str())?.map(Sid::parse).transpose()?;
        let family = family(payload, naming, client_id.as_ref(), sid.as_ref())?;
        Ok(Self {
            jti: named(payload, &naming.jti, Selector::Jti.as_str())?.map(Jti::parse).transpose()?,
            sub: named(payload, &naming.sub, Selector::Sub.as_str())?.map(Subject::parse).transpose()?,
            sid,
            client_id,
            family,
            is_refresh: refresh.is_some_and(|refresh| is_refresh(payload, refresh)),
            exp: time(payload, "exp", f64::ceil)?,
            iat: time(payload, "iat", f64::floor)?,
            rest: rest(payload, naming)?,
        })
    }
}

/// What the token has in common with those of the same grant: a claim of its own, or session and client.
fn family(
    payload: &Object<'_>,
    naming: &Naming<'_>,
    client_id: Option<&ClientId<'_>>,
    sid: Option<&Sid<'_>>,
) -> Result<Option<Family<'static>>, Refusal> {
    if naming.is_family_of_session() {
        return Ok(naming.family_of_session(client_id, sid));
    }
    match naming.family.as_deref().and_then(|name| payload.get(name)) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(value)) => match Family::parse(value.as_ref().to_owned()) {
            Ok(family) => Ok(Some(family)),
            Err(_) => Err(Refusal::FamilyClaim),
        },
        Some(_) => Err(Refusal::FamilyClaim),
    }
}

/// Whether it says to be a refresh token, in the words of its issuer. What a caller says of it counts for nothing.
fn is_refresh(payload: &Object<'_>, refresh: &RefreshSettings) -> bool {
    matches!(payload.get(&refresh.kind_claim), Some(Value::String(kind)) if refresh.kind.iter().any(|known| known == kind))
}

/// Nothing in here refuses a token: one whose `nbf` or `aud` is nonsense can be revoked all the same.
fn rest(payload: &Object<'_>, naming: &Naming<'_>) -> Result<Rest, Refusal> {
    let aud = payload.get("aud").map(|aud| match aud {
        Value::String(one) => vec![one.as_ref().to_owned()],
        Value::Strings(many) => many.iter().map(|one| one.as_ref().to_owned()).collect(),
        _ => Vec::new(),
    });
    Ok(Rest {
        has_jti: has(payload, &naming.jti),
        exp_floor: time(payload, "exp", f64::floor)?,
        nbf: time(payload, "nbf", f64::ceil).unwrap_or(Some(NumericDate::NEVER)),
        aud,
        scope: string(payload, "scope").ok().flatten().map(Cow::into_owned),
    })
}

/// The issuer that a token names, which decides how the rest of it is read.
pub(super) fn issuer<'a>(payload: &Object<'a>) -> Result<Option<Cow<'a, str>>, Refusal> {
    string(payload, Selector::Iss.as_str())
}

/// Whether the claim is there, with another value than `null`.
pub(super) fn has(payload: &Object<'_>, name: &str) -> bool {
    payload.get(name).is_some_and(|value| *value != Value::Null)
}

fn string<'a>(payload: &Object<'a>, claim: &'static str) -> Result<Option<Cow<'a, str>>, Refusal> {
    match payload.get(claim) {
        None => Ok(None),
        Some(Value::String(value)) => Ok(Some(value.clone())),
        Some(_) => Err(Refusal::ClaimNotString { claim }),
    }
}

/// The claim `name`, which is what `claim` means. An error cannot quote a name of the config, but says where it stands.
fn named(payload: &Object<'_>, name: &str, claim: &'static str) -> Result<Option<String>, Refusal> {
    let value = match payload.get(name) {
        None => return Ok(None),
        Some(Value::String(value)) => limited(claim, value).map(|()| value.as_ref().to_owned()).map_err(Refusal::from),
        Some(_) => Err(Refusal::ClaimNotString { claim }),
    };
    value.map(Some).map_err(|refusal| if name == claim { refusal } else { Refusal::NamedClaim { claim } })
}

/// A claim that some issuers write as `null` where they have none.
fn optional(payload: &Object<'_>, name: &str, claim: &'static str) -> Result<Option<String>, Refusal> {
    if has(payload, name) { named(payload, name, claim) } else { Ok(None) }
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
        read_by(payload, &Naming::default())
    }

    fn read_by(payload: &str, naming: &Naming<'_>) -> Result<Claims, Refusal> {
        Claims::read(&Object::parse(payload, Part::Payload).unwrap(), naming, None)
    }

    fn read_refresh(
        payload: &str,
        family_claim: &'static str,
        kind_claim: &str,
        kind: &str,
    ) -> Result<Claims, Refusal> {
        let naming = Naming { family: Some(family_claim.into()), ..Naming::default() };
        let refresh = RefreshSettings {
            kind_claim: kind_claim.to_owned(),
            kind: vec![kind.to_owned()],
            ..RefreshSettings::by(family_claim)
        };
        Claims::read(&Object::parse(payload, Part::Payload).unwrap(), &naming, Some(&refresh))
    }

    #[test]
    fn a_family_is_a_claim_or_session_and_client_and_neither_alone() {
        let of = |payload: &str, claim| read_refresh(payload, claim, "typ", "Refresh").unwrap().family;
        let text = |family: Option<Family<'static>>| family.map(|family| family.as_str().to_owned());
        assert_eq!(text(of(r#"{"grant_id":"g","sid":"s","client_id":"c"}"#, "grant_id")).as_deref(), Some("g"));
        for without in ["{}", r#"{"grant_id":null}"#, r#"{"sid":"s","client_id":"c"}"#] {
            assert_eq!(of(without, "grant_id"), None, "{without}");
        }
        let family = Family::of_session(&ClientId::parse("c").unwrap(), &Sid::parse("s").unwrap());
        for both in [r#"{"sid":"s","client_id":"c"}"#, r#"{"sid":"s","azp":"c"}"#] {
            assert_eq!(of(both, "sid"), Some(family.clone()), "{both}");
        }
        for one in [r#"{"sid":"s"}"#, r#"{"client_id":"c"}"#, r#"{"sid":null,"azp":"c"}"#] {
            assert_eq!(of(one, "sid"), None, "{one}");
        }
        let long = format!("\"{}\"", "x".repeat(1_025));
        for odd in ["1", "[\"g\"]", "{}", "true", "\"\"", &long] {
            let refusal = read_refresh(&format!(r#"{{"grant_id":{odd}}}"#), "grant_id", "typ", "Refresh").unwrap_err();
            assert_eq!(refusal, Refusal::FamilyClaim, "{odd}");
        }
        assert_eq!(read(r#"{"grant_id":5,"sid":"s","client_id":"c"}"#).unwrap().family, None);
    }

    #[test]
    fn a_refresh_token_is_what_its_issuer_calls_so_byte_for_byte() {
        let is = |payload: &str, claim, kind| read_refresh(payload, "grant_id", claim, kind).unwrap().is_refresh;
        assert!(is(r#"{"typ":"Refresh"}"#, "typ", "Refresh"));
        assert!(is(r#"{"type":"refresh","typ":"JWT"}"#, "type", "refresh"));
        assert!(is(r#"{"token_use":"refresh"}"#, "token_use", "refresh"));
        for other in [r#"{"typ":"refresh"}"#, r#"{"typ":"Bearer"}"#, r#"{"typ":["Refresh"]}"#, r#"{"typ":null}"#, "{}"]
        {
            assert!(!is(other, "typ", "Refresh"), "{other}");
        }
        assert!(!read(r#"{"typ":"Refresh"}"#).unwrap().is_refresh);
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
    fn claims_are_read_by_the_names_that_the_issuer_gives_them_and_by_no_other() {
        let naming = Naming {
            jti: "uti".into(),
            sub: "oid".into(),
            sid: "session".into(),
            client_id: Some("appid".into()),
            ..Naming::default()
        };
        let claims = read_by(r#"{"uti":"a","oid":"b","session":"c","appid":"d","jti":1,"sub":2}"#, &naming).unwrap();
        assert_eq!(claims.jti.as_ref().map(Jti::as_str), Some("a"));
        assert_eq!(claims.sub.as_ref().map(Subject::as_str), Some("b"));
        assert_eq!(claims.sid.as_ref().map(Sid::as_str), Some("c"));
        assert_eq!(claims.client_id.as_ref().map(ClientId::as_str), Some("d"));
        let standard = r#"{"jti":"a","sub":"b","sid":"c","client_id":"d","azp":"e"}"#;
        let claims = read_by(standard, &naming).unwrap();
        assert!(claims.jti.is_none() && claims.sub.is_none() && claims.sid.is_none() && claims.client_id.is_none());
        for (claim, name) in [("jti", "uti"), ("sub", "oid"), ("sid", "session"), ("client_id", "appid")] {
            for value in ["1", "\"\"", "[]"] {
                let refusal = read_by(&format!(r#"{{"{name}":{value}}}"#), &naming).unwrap_err();
                assert_eq!(refusal, Refusal::NamedClaim { claim }, "{name} {value}");
            }
        }
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
        let payload = Object::parse(r#"{"iss":null}"#, Part::Payload).unwrap();
        assert_eq!(issuer(&payload), Err(Refusal::ClaimNotString { claim: "iss" }));
        for claim in ["jti", "sub"] {
            let refusal = read(&format!(r#"{{"{claim}":null}}"#)).unwrap_err();
            assert_eq!(refusal, Refusal::ClaimNotString { claim });
        }
    }
}
