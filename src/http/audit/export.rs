//! The audit as lines: made part by part while they are taken, so that it takes no more memory than one part.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::Frame;

use super::super::error::ApiError;
use super::NDJSON;
use super::record::to_wire;
use crate::audit::{AuditFilter, AuditPart};
use crate::denylist::{Denylist, Priority};
use crate::event::Seq;
use crate::revocation::Unavailable;

/// Lines, and where the next ones go on.
type Part = Result<(Bytes, Option<Seq>), ApiError>;

/// Everything above `after`. The first part is there before the answer begins, so that what is known to be wrong by then is
/// said by a status; what goes wrong later breaks the body off, which its reader notices.
pub(super) async fn answer(
    denylist: Denylist,
    priority: Priority,
    filter: AuditFilter,
    after: Seq,
) -> Result<Response, ApiError> {
    let (lines, next) = part(denylist.clone(), priority, filter.clone(), after).await?;
    let export = Export { denylist, priority, filter, lines: Some(lines), next, under_way: None };
    Ok(([(CONTENT_TYPE, NDJSON)], Body::new(export)).into_response())
}

async fn part(denylist: Denylist, priority: Priority, filter: AuditFilter, after: Seq) -> Part {
    let AuditPart { records, next } = denylist.audit_part(filter, after, priority).await?;
    let mut lines = Vec::new();
    for record in &records {
        serde_json::to_writer(&mut lines, &to_wire(record)?).map_err(|_| Unavailable::Audit)?;
        lines.push(b'\n');
    }
    Ok((lines.into(), next))
}

/// The body.
struct Export {
    denylist: Denylist,
    priority: Priority,
    filter: AuditFilter,
    lines: Option<Bytes>,
    next: Option<Seq>,
    under_way: Option<Pin<Box<dyn Future<Output = Part> + Send>>>,
}

impl hyper::body::Body for Export {
    type Data = Bytes;
    type Error = ApiError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ApiError>>> {
        loop {
            if let Some(lines) = self.lines.take().filter(|lines| !lines.is_empty()) {
                return Poll::Ready(Some(Ok(Frame::data(lines))));
            }
            if self.under_way.is_none() {
                let Some(after) = self.next.take() else { return Poll::Ready(None) };
                self.under_way = Some(Box::pin(part(self.denylist.clone(), self.priority, self.filter.clone(), after)));
            }
            if let Some(under_way) = &mut self.under_way {
                let part = ready!(under_way.as_mut().poll(context));
                self.under_way = None;
                match part {
                    Ok((lines, next)) => (self.lines, self.next) = (Some(lines), next),
                    Err(error) => return Poll::Ready(Some(Err(error))),
                }
            }
        }
    }
}
