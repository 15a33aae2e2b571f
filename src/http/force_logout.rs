//! `POST /force-logout`: kill every token of a subject, a session, a client or an issuer that was issued up to now.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::{Extension, Json};

use super::error::ApiError;
use super::extract::{Members, Query, json};
use super::openapi::{Guarded, Reading, Stored};
use super::revocations::id_of;
use super::revoke::origin;
use super::trace::Trace;
use super::{Http, bound};
use crate::clock::NumericDate;
use crate::denylist::{Foreseen, LogOutOutcome, LogOutRequest, SeenChecks};
use crate::keys::{Caller, Scope};
use crate::revocation::{Reason, Target};
use crate::token::{ClientId, Issuer, Selector, Sid, Subject};
use crate::wire::{DryRunAnswer, LogOutAnswer, LogOutAnswers, LogOutBody};

/// Log out a subject, a session, a client, or everybody.
///
/// Revokes every matching token issued at or before `issued_before`, and up to the issuer's `clock_skew_s` later, by one
/// write. A token without `iat` is revoked whenever it matches. A login from `good_from` on works. Each is an entry of its
/// own, and the strictest decides. With `dry_run` nothing is written.
#[utoipa::path(
    post, path = "/force-logout", tag = "admin",
    request_body = LogOutBody,
    responses(
        (status = 200, description = "Durable; or with `dry_run` what would happen", body = LogOutAnswers),
        Guarded, Reading, Stored,
    ),
)]
pub(crate) async fn force_logout(
    State(http): State<Arc<Http>>,
    Extension(caller): Extension<Caller>,
    Extension(trace): Extension<Trace>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<LogOutAnswers>, ApiError> {
    Query::parse(uri.query(), &[], &[])?;
    let body = json(&http, &caller, &headers, body).await?;
    let members = Members::parse(&body)?;
    let request = read(&http, &members)?;
    bound::cutoff(&http, &caller, &request.issuer, &request.target)?;
    if members.flag("dry_run")? {
        let whom = whom(&request.target, &request.issuer);
        let selector = request.target.selector();
        let foreseen = http.denylist.foresee(request)?.map_err(refusal)?;
        return Ok(Json(LogOutAnswers::DryRun(dry_run(&whom, selector, &foreseen))));
    }
    let is_admin = caller.scopes.contains(Scope::Admin);
    match http.denylist.log_out(request, origin(&caller, &trace), is_admin).await? {
        LogOutOutcome::Stored { seq, key, span } => Ok(Json(LogOutAnswers::Stored(LogOutAnswer {
            seq,
            id: id_of(&key),
            issued_before: span.issued_before.0,
            good_from: span.good_from.0,
            expires_at: span.ends_at.0,
        }))),
        other => Err(refusal(other)),
    }
}

fn read(http: &Http, members: &Members<'_>) -> Result<LogOutRequest, ApiError> {
    members.only(&["sub", "sid", "client_id", "all", "iss", "issued_before", "reason", "dry_run"])?;
    Ok(LogOutRequest {
        target: target(members)?,
        issuer: http.denylist.issuers().resolve(members.text("iss")?.as_deref())?.issuer.clone(),
        issued_before: members.date("issued_before")?,
        by_issuers_clock: false,
        reason: members.text("reason")?.map(Reason::parse).transpose()?.map(Reason::into_owned),
    })
}

/// Exactly one target: a typo must not log out more, or others, than was meant.
fn target(members: &Members<'_>) -> Result<Target<'static>, ApiError> {
    const EXACTLY_ONE: &str = "name exactly one of `sub`, `sid`, `client_id`, and `\"all\":true`";
    let mut targets = [
        members.text("sub")?.map(Subject::parse).transpose()?.map(Target::Sub),
        members.text("sid")?.map(Sid::parse).transpose()?.map(Target::Sid),
        members.text("client_id")?.map(ClientId::parse).transpose()?.map(Target::ClientId),
        members.flag("all")?.then_some(Target::All),
    ]
    .into_iter()
    .flatten();
    match (targets.next(), targets.next()) {
        (Some(target), None) => Ok(target.into_owned()),
        (None, _) => Err(ApiError::invalid("sub", format!("nobody is named: {EXACTLY_ONE}"))),
        (Some(_), Some(second)) => {
            let name = if let Target::All = second { "all" } else { second.selector().as_str() };
            Err(ApiError::invalid(name, format!("`{name}` is one target too many: {EXACTLY_ONE}")))
        }
    }
}

/// The error that says why no cutoff was made.
pub(crate) fn refusal(outcome: LogOutOutcome) -> ApiError {
    match outcome {
        LogOutOutcome::Refused(refusal) => refusal.into(),
        LogOutOutcome::Expired { earliest: NumericDate(limit) } => {
            let detail = format!(
                "`issued_before` lies so far back that every token it would hit has expired by itself; the limit is {limit}"
            );
            ApiError::beyond("issued_before", u64::try_from(limit).unwrap_or(0), detail)
        }
        // Nobody knows what became of it (promise 3).
        LogOutOutcome::Stored { .. } => crate::denylist::WriteError::Failed.into(),
    }
}

fn dry_run(whom: &str, selector: Selector, foreseen: &Foreseen) -> DryRunAnswer {
    let Foreseen { span, seen } = foreseen;
    let (before, from) = (span.issued_before, span.good_from);
    let mut says =
        format!("Would revoke {whom} issued at or before {before}, or up to {} s later", from.since(before) - 1);
    // Writing into memory cannot fail.
    let _ = write!(says, " by a clock that runs ahead; a login from {from} on works. {}", noticed(selector, seen));
    DryRunAnswer {
        dry_run: true,
        issued_before: before.0,
        good_from: from.0,
        expires_at: span.ends_at.0,
        checks: seen.checks,
        checks_without_claim: seen.without_claim,
        checks_without_iat: seen.without_iat,
        says,
    }
}

/// Whose tokens, in words; the value is the caller's own and need not be said.
fn whom(target: &Target<'_>, issuer: &Issuer<'_>) -> String {
    let whom = match target {
        Target::Sub(_) => "every token of this subject",
        Target::Sid(_) => "every token of this session",
        // Named by no request; of a refresh token that is revoked.
        Target::Family(_) => "every token of this family",
        Target::ClientId(_) => "every token of this client, whoever it was issued for,",
        Target::All => "every token of everybody",
    };
    match issuer.as_str() {
        "" => whom.to_owned(),
        name => format!("{whom} at {name}"),
    }
}

/// Who would notice, by what was seen.
fn noticed(selector: Selector, seen: &SeenChecks) -> String {
    let SeenChecks { checks, without_claim, without_iat } = seen;
    if *checks == 0 {
        return "No check of this issuer was seen in the last hour, or since the start.".to_owned();
    }
    let mut says = format!("Of {checks} checks of this issuer in the last hour, or since the start, ");
    if selector == Selector::Iss {
        says.push_str("all would notice");
    } else {
        let claim = selector.as_str();
        let _ = write!(says, "{without_claim} did not bring `{claim}` and would not notice");
    }
    if *without_iat > 0 {
        let _ = write!(
            says,
            "; {without_iat} would, but did not bring `iat`: their tokens would read as revoked after a new login too"
        );
    }
    says.push('.');
    says
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_target_is_named() {
        let of = |json: &str| {
            let members = Members::parse(json.as_bytes()).unwrap();
            target(&members).map(|target| target.selector().as_str()).map_err(|error| error.to_string())
        };
        for (json, selector) in [
            (r#"{"sub":"a"}"#, "sub"),
            (r#"{"sid":"a","all":false}"#, "sid"),
            (r#"{"client_id":"a"}"#, "client_id"),
            (r#"{"all":true}"#, "iss"),
        ] {
            assert_eq!(of(json).unwrap(), selector);
        }
        assert!(of(r#"{"all":false}"#).unwrap_err().starts_with("nobody is named"));
        for (json, second) in [
            (r#"{"sub":"a","sid":"b"}"#, "`sid`"),
            (r#"{"sub":"a","all":true}"#, "`all`"),
            (r#"{"client_id":"a","sid":"b","sub":"c"}"#, "`sid`"),
        ] {
            assert!(of(json).unwrap_err().starts_with(second), "{json}");
        }
        for wrong in [r#"{"sub":""}"#, r#"{"sub":5}"#, r#"{"all":1}"#, r#"{"sub":null}"#] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_dry_run_says_who_would_not_notice() {
        let seen = |checks, without_claim, without_iat| SeenChecks { checks, without_claim, without_iat };
        assert!(noticed(Selector::Sub, &seen(0, 0, 0)).starts_with("No check"));
        let said = noticed(Selector::Sub, &seen(10, 7, 0));
        assert!(said.contains("Of 10 checks") && said.contains("7 did not bring `sub`") && !said.contains("iat"));
        let said = noticed(Selector::Iss, &seen(10, 0, 2));
        assert!(said.contains("all would notice") && said.contains("2 would, but did not bring `iat`"));
    }
}
