//! The decision to take an API key in, or to refuse one from now on.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::request::{KeyEndRequest, KeyOutcome, Refusal};
use super::super::writer::Ask;
use super::{Group, encoded};
use crate::clock::NumericDate;
use crate::event::{ApiKeyRecord, Change, Origin};
use crate::keys;

impl Group<'_> {
    /// Decides about one new key.
    pub(in super::super) fn create_key(&mut self, ask: Ask<ApiKeyRecord<'static>, KeyOutcome>) {
        let Ask { what, origin, place, reply, .. } = ask;
        self.requests += 1;
        let outcome = self.decide_new_key(what, origin);
        self.answers.key_changed(reply, outcome, place);
    }

    /// Decides about the end of one key.
    pub(in super::super) fn revoke_key(&mut self, ask: Ask<KeyEndRequest, KeyOutcome>) {
        let Ask { what, origin, place, reply, .. } = ask;
        self.requests += 1;
        let outcome = self.decide_key_end(what, origin);
        self.answers.key_changed(reply, outcome, place);
    }

    fn decide_new_key(&mut self, record: ApiKeyRecord<'static>, origin: Origin<'static>) -> KeyOutcome {
        let now = self.now.latest;
        if record.expires_at.is_some_and(|end| end <= now) {
            return KeyOutcome::Refused(Refusal::KeyEnded { limit: now });
        }
        let limit = self.state.settings.keys_max;
        let is_last_resort = keys::is_last_resort(&record);
        let keys = self.keys();
        if keys.len() >= limit {
            return KeyOutcome::Refused(Refusal::Full {
                what: "the list of API keys",
                name: "limits.keys_max",
                limit: limit as u64,
            });
        }
        keys.insert(record.id.as_ref().into(), is_last_resort);
        // Once a key has ended by the clock's earliest, nothing is left to remember of it.
        let ends_at = record.expires_at.unwrap_or(NumericDate::NEVER);
        self.push_key_change(Change::KeyCreated(record), ends_at, origin)
    }

    /// Remembered for ever, so that nothing the journal still holds of the key outlives its end.
    fn decide_key_end(&mut self, request: KeyEndRequest, origin: Origin<'static>) -> KeyOutcome {
        let KeyEndRequest { id, reason } = request;
        let keys = self.keys();
        let Some(is_last_resort) = keys.get(id.as_str()).copied() else { return KeyOutcome::NotFound };
        if is_last_resort && keys.values().filter(|is_last_resort| **is_last_resort).count() == 1 {
            return KeyOutcome::Refused(Refusal::LastAdminKey);
        }
        keys.remove(id.as_str());
        self.push_key_change(Change::KeyRevoked { id: id.into(), reason }, NumericDate::NEVER, origin)
    }

    fn push_key_change(
        &mut self,
        change: Change<'static>,
        ends_at: NumericDate,
        origin: Origin<'static>,
    ) -> KeyOutcome {
        let event = self.event(change, ends_at, origin);
        KeyOutcome::Done { seq: self.push(event.seq, encoded(&event)) }
    }

    fn keys(&mut self) -> &mut HashMap<Arc<str>, bool> {
        let state = self.state;
        self.keys.get_or_insert_with(|| state.keys.last_resorts())
    }
}
