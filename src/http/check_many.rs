//! `POST /check`: one verdict or many, by claims or by raw tokens.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde::de::{Deserializer as _, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Http;
use super::check::{Answer, Asked, Claims, Judged, counted, json, no_entry, one, priority};
use super::error::ApiError;
use super::extract::{Members, Query, json as json_body, text_of};
use super::openapi::{Guarded, Reading};
use super::trace::Trace;
use crate::keys::Caller;
use crate::revocation::Unavailable;
use crate::token::Key;
use crate::verifier::VerifyError;
use crate::wire::{CheckAnswers, CheckBody};

/// Ids read between two yields to other requests.
const IDS_PER_TURN: usize = 256;

/// Bytes of a usual element, a UUID in quotes and a comma: room for so many is made at once.
const ELEMENT_BYTES_USUAL: usize = 39;

/// Tokens verified between two yields to other requests; a signature costs up to a hundred times what an id does.
const TOKENS_PER_TURN: usize = 8;

/// Ask for one token or for many, by claims or raw.
///
/// `{"jti",…}` asks as the query does, `{"token"}` verifies a raw token and asks for its claims, `{"ids":[…]}` and
/// `{"tokens":[…]}` ask for many, answered in order. A token that cannot be verified reads as revoked by
/// `unverifiable`. A malformed element refuses the request and names its `index`; any doubt is 503 for all.
#[utoipa::path(
    post, path = "/check", tag = "check",
    request_body = CheckBody,
    responses((status = 200, description = "The verdict, or the verdicts in the order asked", body = CheckAnswers), Guarded, Reading),
)]
pub(crate) async fn check(
    State(http): State<Arc<Http>>,
    Extension(caller): Extension<Caller>,
    Extension(trace): Extension<Trace>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    Query::parse(uri.query(), &[], &[])?;
    let body = json_body(&http, &caller, &headers, body).await?;
    let members = Members::parse(&body)?;
    let response = if let Some(ids) = members.raw("ids") {
        members.only(&["ids", "iss"])?;
        ids_in_order(&http, &caller, ids, members.text("iss")?).await
    } else if let Some(tokens) = members.raw("tokens") {
        members.only(&["tokens"])?;
        tokens_in_order(&http, &caller, tokens).await
    } else if members.has("token") {
        members.only(&["token"])?;
        one_token(&http, &caller, &members).await
    } else {
        return one(&http, &caller, trace.started, &Claims::of_members(&members)?).await;
    }?;
    http.metrics.checks.api.duration.record(trace.started.elapsed().as_secs_f64());
    Ok(response)
}

async fn one_token(http: &Http, caller: &Caller, members: &Members<'_>) -> Result<Response, ApiError> {
    let token = members.text("token")?.unwrap_or_default();
    let judge = async {
        let _permit = http.in_flight.enter(1, caller)?;
        let mut many = Many::with_capacity(1);
        many.ask_token(http, &token).await?;
        many.answers(http, caller).await
    };
    let answers = counted(http, 1, judge.await)?;
    Ok(json(answers.first().map(Answer::body).unwrap_or_default()))
}

async fn ids_in_order(
    http: &Http,
    caller: &Caller,
    ids: &RawValue,
    iss: Option<Cow<'_, str>>,
) -> Result<Response, ApiError> {
    let ids = elements("ids", ids, http.settings.batch_ids_max)?;
    let judge = async {
        let _permit = http.in_flight.enter(ids.len(), caller)?;
        let mut many = Many::with_capacity(ids.len());
        for (index, id) in ids.iter().enumerate() {
            many.ask_id(http, id, iss.as_deref()).map_err(|error| error.at(index))?;
            if index % IDS_PER_TURN == IDS_PER_TURN - 1 {
                tokio::task::yield_now().await;
            }
        }
        many.respond(http, caller).await
    };
    counted(http, ids.len(), judge.await)
}

async fn tokens_in_order(http: &Http, caller: &Caller, tokens: &RawValue) -> Result<Response, ApiError> {
    let tokens = elements("tokens", tokens, http.settings.batch_tokens_max)?;
    let judge = async {
        let _permit = http.in_flight.enter(tokens.len(), caller)?;
        let mut many = Many::with_capacity(tokens.len());
        for (index, token) in tokens.iter().enumerate() {
            let token = text_of("tokens", token).map_err(|error| error.at(index))?;
            many.ask_token(http, &token).await.map_err(|error| error.at(index))?;
            if index % TOKENS_PER_TURN == TOKENS_PER_TURN - 1 {
                tokio::task::yield_now().await;
            }
        }
        many.respond(http, caller).await
    };
    counted(http, tokens.len(), judge.await)
}

/// Checks gathered from a request, to be judged together.
struct Many {
    /// What the denylist knows the tokens by, without those that it cannot know.
    keys: Vec<Key>,
    /// One for each element, in order.
    places: Vec<Place>,
}

/// How an element gets its verdict.
enum Place {
    /// From the next of the keys.
    Key(Judged),
    /// It names no token.
    NoKey(Judged),
    /// It proves nothing.
    Unverifiable,
}

impl Many {
    fn with_capacity(elements: usize) -> Self {
        Self { keys: Vec::with_capacity(elements), places: Vec::with_capacity(elements) }
    }

    fn ask(&mut self, asked: &Asked<'_>) {
        match asked.key() {
            Some(key) => {
                self.keys.push(key);
                self.places.push(Place::Key(asked.judged));
            }
            None => self.places.push(Place::NoKey(asked.judged)),
        }
    }

    /// One element of `ids`: a `jti`, or an object of claims. The request's `iss` holds for elements without their own.
    fn ask_id(&mut self, http: &Http, id: &RawValue, iss: Option<&str>) -> Result<(), ApiError> {
        let mut claims = if id.get().starts_with('{') {
            Claims::of_members(&Members::parse(id.get().as_bytes())?)?
        } else {
            Claims { jti: Some(text_of("ids", id)?), ..Claims::default() }
        };
        claims.iss = claims.iss.or(iss.map(Cow::Borrowed));
        self.ask(&Asked::new(http, &claims)?);
        Ok(())
    }

    async fn ask_token(&mut self, http: &Http, token: &str) -> Result<(), ApiError> {
        match http.verifier.verify(token).await {
            Ok(token) => self.ask(&Asked::of_token(http, &token)?),
            Err(VerifyError::Refused(_)) => self.places.push(Place::Unverifiable),
            Err(VerifyError::KeysUnavailable) => return Err(ApiError::KeysUnavailable),
        }
        Ok(())
    }

    /// All verdicts, in order, or none.
    async fn answers(self, http: &Http, caller: &Caller) -> Result<Vec<Answer>, ApiError> {
        let mut revoked = http.denylist.check_many(&self.keys, priority(caller)).await?.into_iter().peekable();
        let mut answers = Vec::with_capacity(self.places.len());
        let mut keys = 0..;
        for place in self.places {
            answers.push(match place {
                Place::Key(judged) => {
                    let at = keys.next();
                    match revoked.next_if(|(key, _)| Some(*key) == at) {
                        Some((_, entry)) => Answer::Revoked(entry.into(), judged),
                        None => Answer::Good(judged),
                    }
                }
                Place::NoKey(judged) => Answer::new(no_entry(http)?, judged),
                Place::Unverifiable => Answer::Unverifiable,
            });
        }
        // An entry that found no place is a doubt like any other (promise 3).
        if revoked.next().is_some() {
            return Err(Unavailable::Index.into());
        }
        Answer::count(&answers, http);
        Ok(answers)
    }

    async fn respond(self, http: &Http, caller: &Caller) -> Result<Response, ApiError> {
        let answers = self.answers(http, caller).await?;
        let mut body = Vec::with_capacity(16 + 48 * answers.len());
        body.extend_from_slice(br#"{"results":["#);
        for (at, answer) in answers.iter().enumerate() {
            if at > 0 {
                body.push(b',');
            }
            answer.write(&mut body);
        }
        body.extend_from_slice(b"]}");
        Ok(json(body.into()))
    }
}

/// The elements of an array, unread; at least one and at most `max`.
fn elements<'a>(name: &'static str, array: &'a RawValue, max: usize) -> Result<Vec<&'a RawValue>, ApiError> {
    /// Most elements, and how many to expect.
    struct Capped(usize, usize);
    impl<'de> Visitor<'de> for Capped {
        type Value = Vec<&'de RawValue>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
            let mut elements = Vec::with_capacity(self.1);
            while let Some(element) = sequence.next_element()? {
                if elements.len() == self.0 {
                    return Err(A::Error::custom("too many"));
                }
                elements.push(element);
            }
            Ok(elements)
        }
    }
    if !array.get().starts_with('[') {
        return Err(ApiError::invalid(name, format!("`{name}` must be an array")));
    }
    // The text is valid JSON and an array, so all that can be wrong with it is its length.
    let beyond = || ApiError::beyond(name, max as u64, format!("`{name}` has more than {max} elements, the limit"));
    let expected = max.min(array.get().len() / ELEMENT_BYTES_USUAL + 1);
    let mut json = serde_json::Deserializer::from_str(array.get());
    let elements = json.deserialize_seq(Capped(max, expected)).map_err(|_| beyond())?;
    if elements.is_empty() {
        return Err(ApiError::invalid(name, format!("`{name}` is empty; it must have 1 to {max} elements")));
    }
    Ok(elements)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Result<usize, String> {
        let raw: &RawValue = serde_json::from_str(json).unwrap();
        elements("ids", raw, 3).map(|elements| elements.len()).map_err(|error| error.to_string())
    }

    #[test]
    fn an_array_has_one_to_max_elements() {
        assert_eq!(of(r#"["a",{"jti":"b"},[[]]]"#), Ok(3));
        assert!(of("[1,2,3,4]").unwrap_err().contains("more than 3 elements"));
        assert!(of("[]").unwrap_err().contains("1 to 3 elements"));
        assert!(of("\"a\"").unwrap_err().contains("must be an array"));
    }
}
