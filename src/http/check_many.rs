//! `POST /check`: one verdict or many, by claims or by raw tokens.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use bytes::Bytes;
use serde_json::value::RawValue;

use super::check::{Answer, Asked, Claims, Counts, Judged, counted, json, no_entry, one, priority};
use super::error::ApiError;
use super::extract::{Members, Query, json as json_body, text_of};
use super::openapi::{Guarded, Reading};
use super::trace::Trace;
use super::{Http, HttpSettings};
use crate::denylist::SeenRun;
use crate::keys::Caller;
use crate::revocation::{Revoked, TokenClaims, Unavailable};
use crate::token::{Issuer, Jti, Key};
use crate::verifier::VerifyError;
use crate::wire::{CheckAnswers, CheckBody};

/// Ids read between two yields to other requests.
const IDS_PER_TURN: usize = 256;

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
    let HttpSettings { batch_ids_max, batch_tokens_max, .. } = http.settings;
    let lists = [("ids", batch_ids_max), ("tokens", batch_tokens_max)];
    let (members, lists) = Members::parse_with_lists(&body, &lists)?;
    let response = if let Some(ids) = lists.get("ids") {
        members.only(&["ids", "iss"])?;
        ids_in_order(&http, &caller, ids, members.text("iss")?.as_deref()).await
    } else if let Some(tokens) = lists.get("tokens") {
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
        many.ask_token(http, caller, &token).await?;
        let mut body = Bytes::new();
        many.judge(http, caller, |answer| body = answer.body()).await.map(|()| json(body))
    };
    counted(http, 1, judge.await)
}

async fn ids_in_order(
    http: &Http,
    caller: &Caller,
    ids: &[&RawValue],
    iss: Option<&str>,
) -> Result<Response, ApiError> {
    let judge = async {
        let _permit = http.in_flight.enter(ids.len(), caller)?;
        let mut many = Many::with_capacity(ids.len());
        for (index, id) in ids.iter().enumerate() {
            many.ask_id(http, caller, id, iss).map_err(|error| error.at(index))?;
            if index % IDS_PER_TURN == IDS_PER_TURN - 1 {
                tokio::task::yield_now().await;
            }
        }
        many.respond(http, caller).await
    };
    counted(http, ids.len(), judge.await)
}

async fn tokens_in_order(http: &Http, caller: &Caller, tokens: &[&RawValue]) -> Result<Response, ApiError> {
    let judge = async {
        let _permit = http.in_flight.enter(tokens.len(), caller)?;
        let mut many = Many::with_capacity(tokens.len());
        for (index, token) in tokens.iter().enumerate() {
            let token = text_of("tokens", token).map_err(|error| error.at(index))?;
            many.ask_token(http, caller, &token).await.map_err(|error| error.at(index))?;
            if index % TOKENS_PER_TURN == TOKENS_PER_TURN - 1 {
                tokio::task::yield_now().await;
            }
        }
        many.respond(http, caller).await
    };
    counted(http, tokens.len(), judge.await)
}

/// Checks gathered from a request, to be judged together.
struct Many<'h> {
    /// What the denylist knows the tokens by, without those that it cannot know.
    keys: Vec<Key>,
    /// One for each element, in order.
    places: Vec<Place>,
    /// The plain `jti`s of the request, if there are any.
    plain: Option<Plain<'h>>,
    seen: SeenRun,
}

/// What every plain `jti` of a request shares with the first of them.
struct Plain<'h> {
    issuer: &'h Issuer<'static>,
    judged: Judged,
    /// The issuer-wide cutoff that kills them all.
    cut_off: Option<Revoked>,
    checks: u64,
}

impl<'h> Plain<'h> {
    /// From the first of them.
    fn of(http: &'h Http, caller: &Caller, claims: &Claims<'_>) -> Result<Self, ApiError> {
        let issuer = &http.denylist.issuers().resolve(claims.iss.as_deref())?.issuer;
        let asked = Asked::new(http, caller, claims)?;
        Ok(Self { issuer, judged: asked.judged, cut_off: http.denylist.cut_off(&asked.claims)?, checks: 0 })
    }
}

/// How an element gets its verdict.
enum Place {
    /// From the next of the keys.
    Key(Judged),
    /// It names no token.
    NoKey(Judged),
    /// It is known already: cut off, or unverifiable.
    Known(Answer),
}

impl<'h> Many<'h> {
    fn with_capacity(elements: usize) -> Self {
        let (keys, places) = (Vec::with_capacity(elements), Vec::with_capacity(elements));
        Self { keys, places, plain: None, seen: SeenRun::default() }
    }

    fn ask(&mut self, http: &Http, asked: &Asked<'_>) -> Result<(), ApiError> {
        http.denylist.gather_seen(&mut self.seen, &asked.claims, 1);
        let place = match (http.denylist.cut_off(&asked.claims)?, asked.claims.key()) {
            (Some(revoked), _) => Place::Known(Answer::revoked(revoked, asked.judged)),
            (None, Some(key)) => {
                self.keys.push(key);
                Place::Key(asked.judged)
            }
            (None, None) => Place::NoKey(asked.judged),
        };
        self.places.push(place);
        Ok(())
    }

    /// One element of `ids`: a `jti`, or an object of claims. The request's `iss` holds for elements without their own.
    fn ask_id(&mut self, http: &'h Http, caller: &Caller, id: &RawValue, iss: Option<&str>) -> Result<(), ApiError> {
        let iss = iss.map(Cow::Borrowed);
        if id.get().as_bytes().starts_with(b"{") {
            let mut claims = Claims::of_members(&Members::parse(id.get().as_bytes())?)?;
            claims.iss = claims.iss.or(iss);
            return self.ask(http, &Asked::new(http, caller, &claims)?);
        }
        if !id.get().starts_with('"') {
            let detail = "each of `ids` must be a string, the `jti`, or an object of claims";
            return Err(ApiError::invalid("ids", detail));
        }
        let jti = text_of("ids", id)?;
        let plain = match &mut self.plain {
            Some(plain) => plain,
            none => {
                let claims = Claims { iss, jti: Some(Cow::Borrowed(&jti)), ..Claims::default() };
                none.insert(Plain::of(http, caller, &claims)?)
            }
        };
        plain.checks += 1;
        let jti = Jti::parse(jti)?;
        self.places.push(if let Some(cut_off) = &plain.cut_off {
            Place::Known(Answer::revoked(cut_off.clone(), plain.judged))
        } else {
            self.keys.push(Key::of_token(plain.issuer, &jti));
            Place::Key(plain.judged)
        });
        Ok(())
    }

    async fn ask_token(&mut self, http: &Http, caller: &Caller, token: &str) -> Result<(), ApiError> {
        match http.verifier.verify(token).await {
            Ok(token) => {
                self.ask(http, &Asked::of_token(http, caller, &token)?)?;
            }
            Err(VerifyError::Refused(reason)) => {
                tracing::debug!(%reason, "a token that was to be checked cannot be verified");
                self.places.push(Place::Known(Answer::Unverifiable));
            }
            Err(VerifyError::KeysUnavailable) => return Err(ApiError::KeysUnavailable),
        }
        Ok(())
    }

    /// All verdicts, in order: `each` is handed one after the other. Nothing is counted unless all are known.
    async fn judge(mut self, http: &Http, caller: &Caller, mut each: impl FnMut(&Answer)) -> Result<(), ApiError> {
        let mut revoked = http.denylist.check_many(&self.keys, priority(caller)).await?.into_iter().peekable();
        let mut counts = Counts::default();
        let mut key = 0;
        for place in self.places {
            let answer = match place {
                Place::Key(judged) => {
                    let entry = revoked.next_if(|(at, _)| *at == key);
                    key += 1;
                    entry.map_or(Answer::Good(judged), |(_, entry)| Answer::revoked(entry, judged))
                }
                Place::NoKey(judged) => Answer::new(no_entry(http)?, judged),
                Place::Known(answer) => answer,
            };
            counts.add(&answer);
            each(&answer);
        }
        // An entry that found no place is a doubt like any other (promise 3).
        if revoked.next().is_some() {
            return Err(Unavailable::Index.into());
        }
        if let Some(plain) = &self.plain {
            http.denylist.gather_seen(&mut self.seen, &TokenClaims::of(plain.issuer), plain.checks);
        }
        http.denylist.note_seen(&self.seen);
        counts.record(http);
        Ok(())
    }

    async fn respond(self, http: &Http, caller: &Caller) -> Result<Response, ApiError> {
        let mut body = Vec::with_capacity(16 + 48 * self.places.len());
        body.extend_from_slice(br#"{"results":["#);
        self.judge(http, caller, |answer| {
            answer.write(&mut body);
            body.push(b',');
        })
        .await?;
        // There is at least one, with a comma behind it.
        body.pop();
        body.extend_from_slice(b"]}");
        Ok(json(body.into()))
    }
}
