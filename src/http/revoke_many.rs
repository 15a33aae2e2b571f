//! `POST /revoke` as NDJSON: line by line as the body arrives, each on its own.
//!
//! At most one line, one chunk of read lines and the list of rejected ones are in memory, however long the body is.

mod lines;

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;

use super::Http;
use super::error::ApiError;
use super::extract::{broken_off, declared_within};
use super::in_flight::Permit;
use super::revoke::{By, ToRevoke, read};
use crate::denylist::{Outcome, WriteError};
use crate::event::Seq;
use crate::keys::Caller;
use crate::wire::{RejectedLine, RevokeManyAnswer};
use lines::{Line, Lines};

/// Lines that are revoked together: enough to share a sync, few enough to hold in memory.
const LINES_PER_CHUNK: usize = 512;

/// Lines read between two yields to other requests; each may hold a token to verify.
const LINES_PER_TURN: u64 = 16;

/// Rejected lines that the answer lists; the others are counted.
const REJECTED_LISTED_MAX: usize = 1_000;

/// The config key of the limit on the whole body.
const BYTES_MAX: &str = "limits.ndjson_bytes_max";

/// Revokes every line of `body` that can be revoked.
///
/// # Errors
/// [`ApiError::Stream`] with the number of durable lines where storage fails, the body is too large or breaks off,
/// or too many bytes of bodies are held.
pub(crate) async fn stream(
    http: &Http,
    caller: &Caller,
    by: &By,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let limit = http.settings.ndjson_bytes_max as u64;
    declared_within(headers, BYTES_MAX, limit)?;
    let mut many = Many {
        http,
        by,
        held: http.bodies.begin(caller),
        chunk: Vec::new(),
        chunk_bytes: 0,
        durable: 0,
        answer: RevokeManyAnswer::default(),
    };
    if let Err(error) = many.read(body, limit).await {
        // Each line stands on its own, also those before the one that broke off. Where storage has failed nothing waits,
        // and a second failure says no more than the first.
        let _ = many.revoke().await;
        return Err(error.after(many.durable));
    }
    // What the denylist refuses is known a chunk later than what cannot be read.
    many.answer.rejected.sort_unstable_by_key(|rejected| rejected.line);
    let status = if many.answer.rejected.is_empty() { StatusCode::OK } else { StatusCode::MULTI_STATUS };
    Ok((status, Json(many.answer)).into_response())
}

/// A revoke of many under way.
struct Many<'a> {
    http: &'a Http,
    by: &'a By,
    held: Permit<'a>,
    /// Lines read and not yet revoked, by their numbers.
    chunk: Vec<(u64, ToRevoke)>,
    /// The bytes of these lines.
    chunk_bytes: usize,
    /// Lines that are durable.
    durable: u64,
    answer: RevokeManyAnswer,
}

impl Many<'_> {
    async fn read(&mut self, mut body: Body, limit: u64) -> Result<(), ApiError> {
        let mut lines = Lines::new(self.http.settings.line_bytes_max);
        let mut received = 0_u64;
        loop {
            // What has arrived is revoked before more is waited for.
            let frame = tokio::select! {
                biased;
                frame = body.frame() => frame,
                () = std::future::ready(()), if !self.chunk.is_empty() => {
                    self.revoke().await?;
                    continue;
                }
            };
            let Some(frame) = frame else { break };
            let Ok(mut data) = frame.map_err(|error| broken_off(&error))?.into_data() else { continue };
            received = received.saturating_add(data.len() as u64);
            if received > limit {
                return Err(ApiError::TooLarge { name: BYTES_MAX, limit });
            }
            self.held.hold(self.chunk_bytes + lines.begun_bytes() + data.len())?;
            while let Some(line) = lines.next(&mut data) {
                self.take(line).await?;
            }
        }
        if let Some(line) = lines.last() {
            self.take(line).await?;
        }
        self.revoke().await
    }

    /// Reads one line, and revokes the chunk once it is full.
    async fn take(&mut self, line: Line) -> Result<(), ApiError> {
        let number = line.number;
        if number.is_multiple_of(LINES_PER_TURN) {
            tokio::task::yield_now().await;
        }
        let Some(text) = line.text else {
            let limit = self.http.settings.line_bytes_max;
            self.reject(number, format!("the line is too long; the limit limits.line_bytes_max is {limit} bytes"));
            return Ok(());
        };
        match read(self.http, &self.by.caller, &text).await {
            Ok(request) => {
                self.chunk.push((number, request));
                self.chunk_bytes += text.len();
            }
            Err(error) => self.reject(number, error.to_string()),
        }
        if self.chunk.len() == LINES_PER_CHUNK { self.revoke().await } else { Ok(()) }
    }

    async fn revoke(&mut self) -> Result<(), ApiError> {
        let (numbers, requests): (Vec<u64>, Vec<ToRevoke>) = std::mem::take(&mut self.chunk).into_iter().unzip();
        self.chunk_bytes = 0;
        if requests.is_empty() {
            return Ok(());
        }
        let outcomes = self.by.revoke(self.http, requests).await?;
        if outcomes.len() != numbers.len() {
            return Err(WriteError::Failed.into());
        }
        for (number, outcome) in numbers.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Stored { seq, .. } => self.accept(Some(seq)),
                Outcome::Expired => self.accept(None),
                Outcome::Refused(refusal) => self.reject(number, refusal.to_string()),
            }
        }
        Ok(())
    }

    fn accept(&mut self, seq: Option<Seq>) {
        self.answer.accepted += 1;
        self.durable += u64::from(seq.is_some());
        self.answer.seq = self.answer.seq.max(seq);
    }

    fn reject(&mut self, line: u64, error: String) {
        if self.answer.rejected.len() < REJECTED_LISTED_MAX {
            self.answer.rejected.push(RejectedLine { line, error });
        } else {
            *self.answer.rejected_unlisted.get_or_insert(0) += 1;
        }
    }
}
