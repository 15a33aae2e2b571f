//! The fold of the key events: every key that has not been revoked, and who presents one.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Bounds, Caller, ID_CHARS, KEY_PREFIX, Scope, Scopes};
use crate::clock::{Clock, NumericDate};
use crate::event::{ApiKeyRecord, Change, Event, Seq};

/// Every key that has not been revoked.
#[derive(Debug, Default)]
pub struct Keys {
    by_id: RwLock<HashMap<Arc<str>, Held>>,
}

/// One key, without anything that opens a door.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// Its public id.
    pub id: Arc<str>,
    /// What it is for, in its creator's words.
    pub label: Arc<str>,
    /// What it may do.
    pub scopes: Scopes,
    /// What it may do that about.
    pub bounds: Bounds,
    /// The place of its making in the history.
    pub seq: Seq,
    /// When it was made.
    pub created_at: NumericDate,
    /// Id of the key that made it; empty for revokd itself, and for the command line offline.
    pub created_by: Arc<str>,
    /// The first second at which it is refused, if there is one.
    pub expires_at: Option<NumericDate>,
}

/// Why what is presented opens nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyRefusal {
    /// It is no key of ours, or was revoked.
    Unknown,
    /// It is one whose time is over.
    Expired {
        /// Its public id.
        id: Arc<str>,
    },
}

struct Held {
    secret_sha256: [u8; 32],
    caller: Caller,
    expires_at: Option<NumericDate>,
    label: Arc<str>,
    seq: Seq,
    created_at: NumericDate,
    created_by: Arc<str>,
    is_last_resort: bool,
}

impl std::fmt::Debug for Held {
    /// Leaves the hash out (promise 12).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").field("caller", &self.caller).finish_non_exhaustive()
    }
}

impl Held {
    fn of(record: &ApiKeyRecord<'_>, event: &Event<'_>) -> Self {
        let bounds = Bounds {
            issuers: record.issuers.iter().cloned().map(crate::token::Issuer::into_owned).collect(),
            client_ids: record.client_ids.iter().cloned().map(crate::token::ClientId::into_owned).collect(),
        };
        Self {
            secret_sha256: record.secret_sha256,
            caller: Caller::bound(&*record.id, Scopes(record.scopes), bounds),
            expires_at: record.expires_at,
            label: record.label.as_ref().into(),
            seq: event.seq,
            created_at: event.recorded_at,
            created_by: event.origin.actor.as_ref().into(),
            is_last_resort: is_last_resort(record),
        }
    }
}

/// Whether a key can always make all others: without the last of them nobody might be left who can.
#[must_use]
pub fn is_last_resort(record: &ApiKeyRecord<'_>) -> bool {
    let ApiKeyRecord { scopes, issuers, client_ids, expires_at, .. } = record;
    Scopes(*scopes).contains(Scope::Admin) && issuers.is_empty() && client_ids.is_empty() && expires_at.is_none()
}

impl Keys {
    /// Folds one event in; what is no key event changes nothing. Applying twice is the same as once.
    pub fn apply(&self, event: &Event<'_>) {
        match &event.change {
            Change::KeyCreated(record) => {
                let held = Held::of(record, event);
                self.write(|by_id| by_id.insert(held.caller.id.clone(), held));
            }
            Change::KeyRevoked { id, .. } => self.write(|by_id| by_id.remove(id.as_ref())),
            Change::Revoked(_)
            | Change::Restored { .. }
            | Change::Cutoff(_)
            | Change::CutoffRestored { .. }
            | Change::LifetimeRaised { .. }
            | Change::ClockTrusted
            | Change::NamingSet { .. }
            | Change::Refused { .. }
            | Change::Strangers { .. }
            | Change::LossAccepted { .. } => {}
        }
    }

    /// Forgets the keys that expired by `instant`, which the journal may have forgotten too. They are refused before as
    /// after.
    pub fn forget_ended(&self, instant: NumericDate) {
        self.write(|by_id| {
            by_id.retain(|_, held| held.expires_at.is_none_or(|end| end > instant));
            None
        });
    }

    /// Whether no key exists at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.read().is_empty()
    }

    /// Who presents `key`. One SHA-256, one look-up, no allocation; the comparison of the hashes takes the same time
    /// whatever they are.
    ///
    /// A key is expired by the clock's `latest`, which is no earlier than the true time: where the wall clock is doubted,
    /// the later of the two times that may be true decides. So doubt revives no key that has expired. It can end one
    /// before its time, as long as the wall clock stands in the future.
    ///
    /// # Errors
    /// [`KeyRefusal`].
    pub fn authenticate(&self, key: &str, clock: &Clock) -> Result<Caller, KeyRefusal> {
        let split = key.strip_prefix(KEY_PREFIX).and_then(|rest| rest.split_at_checked(ID_CHARS));
        let (id, secret) = split.ok_or(KeyRefusal::Unknown)?;
        self.judge(id, secret.strip_prefix('_').ok_or(KeyRefusal::Unknown)?, clock)
    }

    /// Who presents `secret` as the password of the key `id`, as OAuth clients do (RFC 6749 section 2.3.1): the whole key,
    /// or what follows the id in it. As [`Self::authenticate`].
    ///
    /// # Errors
    /// [`KeyRefusal`].
    pub fn authenticate_client(&self, id: &str, secret: &str, clock: &Clock) -> Result<Caller, KeyRefusal> {
        let whole = secret.strip_prefix(KEY_PREFIX).and_then(|rest| rest.strip_prefix(id)?.strip_prefix('_'));
        self.judge(id, whole.unwrap_or(secret), clock)
    }

    fn judge(&self, id: &str, secret: &str, clock: &Clock) -> Result<Caller, KeyRefusal> {
        let presented = Sha256::digest(secret.as_bytes());
        let by_id = self.read();
        let held = by_id.get(id).ok_or(KeyRefusal::Unknown)?;
        if !bool::from(presented.as_slice().ct_eq(&held.secret_sha256)) {
            return Err(KeyRefusal::Unknown);
        }
        if held.expires_at.is_some_and(|end| end <= clock.now().latest) {
            return Err(KeyRefusal::Expired { id: held.caller.id.clone() });
        }
        Ok(held.caller.clone())
    }

    /// Every key, newest first.
    #[must_use]
    pub fn list(&self) -> Vec<ApiKey> {
        let key = |held: &Held| ApiKey {
            id: held.caller.id.clone(),
            label: held.label.clone(),
            scopes: held.caller.scopes,
            bounds: held.caller.bounds.clone(),
            seq: held.seq,
            created_at: held.created_at,
            created_by: held.created_by.clone(),
            expires_at: held.expires_at,
        };
        let mut list: Vec<_> = self.read().values().map(key).collect();
        list.sort_unstable_by_key(|key| std::cmp::Reverse(key.seq));
        list
    }

    /// Every key by its id, and whether it is a last resort.
    pub(crate) fn last_resorts(&self) -> HashMap<Arc<str>, bool> {
        self.read().iter().map(|(id, held)| (id.clone(), held.is_last_resort)).collect()
    }

    // The map is whole at every instant: a poisoned lock loses nothing.
    fn read(&self) -> RwLockReadGuard<'_, HashMap<Arc<str>, Held>> {
        self.by_id.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, change: impl FnOnce(&mut HashMap<Arc<str>, Held>) -> Option<Held>) {
        drop(change(&mut self.by_id.write().unwrap_or_else(PoisonError::into_inner)));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{NewKey, generate};
    use super::*;
    use crate::clock::{ClockSettings, ManualTime};
    use crate::event::Origin;

    const START: NumericDate = NumericDate(1_800_000_000);

    fn clock() -> (Arc<ManualTime>, Clock) {
        let time = ManualTime::starting_at(START);
        (Arc::clone(&time), Clock::manual(time, ClockSettings { step_max_s: 3_600, hold_s: 86_400 }))
    }

    fn event(seq: Seq, change: Change<'static>) -> Event<'static> {
        Event { seq, recorded_at: START, ends_at: NumericDate::NEVER, origin: Origin::INTERNAL, change }
    }

    fn made(keys: &Keys, scopes: Scopes, expires_at: Option<NumericDate>) -> NewKey {
        let mut new = generate("test", scopes).unwrap();
        new.record.expires_at = expires_at;
        keys.apply(&event(1, Change::KeyCreated(new.record.clone())));
        new
    }

    #[test]
    fn a_key_is_known_until_it_is_revoked() {
        let (keys, (_, clock)) = (Keys::default(), clock());
        let new = generate("test", Scopes::of(&[Scope::Check])).unwrap();
        assert_eq!(keys.authenticate(&new.text, &clock).unwrap_err(), KeyRefusal::Unknown);
        for _ in 0..2 {
            keys.apply(&event(1, Change::KeyCreated(new.record.clone())));
        }
        let caller = keys.authenticate(&new.text, &clock).unwrap();
        assert_eq!(*caller.id, *new.record.id);
        assert!(caller.scopes.contains(Scope::Check) && !caller.scopes.contains(Scope::Admin));
        assert_eq!(keys.list().len(), 1);
        for seq in 2..4 {
            keys.apply(&event(seq, Change::KeyRevoked { id: new.record.id.clone(), reason: None }));
        }
        assert_eq!(keys.authenticate(&new.text, &clock).unwrap_err(), KeyRefusal::Unknown);
        assert!(keys.is_empty());
    }

    #[test]
    fn what_is_almost_a_key_is_refused() {
        let (keys, (_, clock)) = (Keys::default(), clock());
        let text = made(&keys, Scopes::ALL, None).text;
        let cut = &text[..text.len() - 1];
        for wrong in
            ["", "revokd_", "é", &text[7..], cut, &format!("{text}A"), &text.to_uppercase(), "revokd_0123456789ab"]
        {
            assert_eq!(keys.authenticate(wrong, &clock).unwrap_err(), KeyRefusal::Unknown, "{wrong}");
        }
        assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'));
    }

    #[test]
    fn an_oauth_client_presents_the_whole_key_or_its_secret() {
        let (keys, (_, clock)) = (Keys::default(), clock());
        let (new, other) = (made(&keys, Scopes::ALL, None), made(&keys, Scopes::ALL, None));
        let (id, secret) = (new.record.id.as_ref(), &new.text[KEY_PREFIX.len() + ID_CHARS + 1..]);
        for good in [new.text.as_str(), secret] {
            assert_eq!(*keys.authenticate_client(id, good, &clock).unwrap().id, *id);
        }
        for (id, wrong) in [(id, other.text.as_str()), (id, ""), (id, id), ("", secret), (&other.record.id, secret)] {
            assert_eq!(keys.authenticate_client(id, wrong, &clock).unwrap_err(), KeyRefusal::Unknown, "{wrong}");
        }
    }

    #[test]
    fn a_key_ends_at_its_second_and_stays_ended_while_the_clock_is_doubted() {
        let (keys, (time, clock)) = (Keys::default(), clock());
        let new = made(&keys, Scopes::ALL, Some(START.plus(100)));
        time.pass(99);
        assert!(keys.authenticate(&new.text, &clock).is_ok());
        time.pass(1);
        let expired = KeyRefusal::Expired { id: (*new.record.id).into() };
        assert_eq!(keys.authenticate(&new.text, &clock).unwrap_err(), expired);
        // The wall clock falls back by a day, before its end: that is not believed.
        time.jump(-86_400);
        assert!(clock.now().doubted && clock.now().earliest < START.plus(100));
        assert_eq!(keys.authenticate(&new.text, &clock).unwrap_err(), expired);
        // A wrong key is told nothing of all that.
        let wrong = format!("{}x", &new.text[..new.text.len() - 1]);
        assert_eq!(keys.authenticate(&wrong, &clock).unwrap_err(), KeyRefusal::Unknown);
    }

    #[test]
    fn a_restart_after_a_long_pause_revives_no_key() {
        let (keys, (time, clock)) = (Keys::default(), clock());
        let new = made(&keys, Scopes::ALL, Some(START.plus(1_000)));
        time.pass(30 * 86_400);
        time.reboot();
        clock.start_after(START);
        assert!(clock.now().doubted && clock.now().earliest < START.plus(1_000));
        assert!(matches!(keys.authenticate(&new.text, &clock), Err(KeyRefusal::Expired { .. })));
    }

    #[test]
    fn forgetting_takes_ended_keys_and_no_other() {
        let (keys, (_, clock)) = (Keys::default(), clock());
        let lasting = made(&keys, Scopes::ALL, None);
        let later = made(&keys, Scopes::ALL, Some(START.plus(11)));
        let ended = made(&keys, Scopes::ALL, Some(START.plus(10)));
        keys.forget_ended(START.plus(10));
        assert!(keys.authenticate(&lasting.text, &clock).is_ok() && keys.authenticate(&later.text, &clock).is_ok());
        assert_eq!(keys.authenticate(&ended.text, &clock).unwrap_err(), KeyRefusal::Unknown);
    }

    #[test]
    fn only_an_unbound_lasting_admin_key_is_a_last_resort() {
        let keys = Keys::default();
        let last = made(&keys, Scopes::of(&[Scope::Admin]), None).record.id;
        made(&keys, Scopes::of(&[Scope::Revoke, Scope::Check, Scope::Audit]), None);
        made(&keys, Scopes::ALL, Some(START.plus(1)));
        let mut bound = generate("bound", Scopes::ALL).unwrap().record;
        bound.client_ids = vec![crate::token::ClientId::parse("c").unwrap()];
        keys.apply(&event(9, Change::KeyCreated(bound)));
        let resorts: Vec<_> = keys.last_resorts().into_iter().filter(|(_, is)| *is).collect();
        assert_eq!(resorts, [(Arc::from(&*last), true)]);
    }
}
