//! What the callers of one group are answered, once it is durable.

use super::super::places::Place;
use super::super::request::{KeyOutcome, LogOutOutcome, Outcome, RestoreOutcome, WriteError};
use super::super::writer::Reply;
use crate::event::Seq;

/// Where one call's answer goes, and what it is if the group is written; until then the call keeps its place.
struct Decided<A> {
    reply: Reply<A>,
    answer: Result<A, WriteError>,
    _place: Option<Place>,
}

impl<A> Decided<A> {
    fn send(self, written: &Result<(), WriteError>) {
        // A caller that no longer waits is no error.
        let _ = self.reply.send(written.clone().and(self.answer));
    }
}

/// All answers of one group.
#[derive(Default)]
pub(in super::super) struct Answers {
    revokes: Vec<Decided<Vec<Outcome>>>,
    log_outs: Vec<Decided<LogOutOutcome>>,
    restores: Vec<Decided<RestoreOutcome>>,
    keys: Vec<Decided<KeyOutcome>>,
    records: Vec<Decided<Seq>>,
}

impl Answers {
    pub(super) fn revoked(
        &mut self,
        reply: Reply<Vec<Outcome>>,
        answer: Result<Vec<Outcome>, WriteError>,
        place: Place,
    ) {
        self.revokes.push(Decided { reply, answer, _place: Some(place) });
    }

    pub(super) fn logged_out(
        &mut self,
        reply: Reply<LogOutOutcome>,
        answer: Result<LogOutOutcome, WriteError>,
        place: Place,
    ) {
        self.log_outs.push(Decided { reply, answer, _place: Some(place) });
    }

    pub(super) fn restored(
        &mut self,
        reply: Reply<RestoreOutcome>,
        answer: Result<RestoreOutcome, WriteError>,
        place: Place,
    ) {
        self.restores.push(Decided { reply, answer, _place: Some(place) });
    }

    pub(super) fn key_changed(&mut self, reply: Reply<KeyOutcome>, outcome: KeyOutcome, place: Place) {
        self.keys.push(Decided { reply, answer: Ok(outcome), _place: Some(place) });
    }

    pub(super) fn recorded(&mut self, reply: Reply<Seq>, seq: Seq) {
        self.records.push(Decided { reply, answer: Ok(seq), _place: None });
    }

    /// Answers every caller: with what was decided, or with the error if the group was not written.
    pub(in super::super) fn send(self, written: &Result<(), WriteError>) {
        self.revokes.into_iter().for_each(|decided| decided.send(written));
        self.log_outs.into_iter().for_each(|decided| decided.send(written));
        self.restores.into_iter().for_each(|decided| decided.send(written));
        self.keys.into_iter().for_each(|decided| decided.send(written));
        self.records.into_iter().for_each(|decided| decided.send(written));
    }
}
