//! The plain map: what a history must read as, told without buckets, filters or files.

use std::collections::{HashMap, HashSet};

use revokd::clock::NumericDate;
use revokd::denylist::{LogOutOutcome, Outcome, RestoreOutcome};
use revokd::issuers::CLOCK_SKEW_S;
use revokd::revocation::{Target, TokenClaims, Verdict};
use revokd::token::{ClientId, Family, Issuer, Jti, Key, Sid, Subject};

use super::once_readable;
use crate::support::{LEEWAY_S, LIFETIME_MAX_S, Mode, START, Store, key, mode};

/// Longest lifetime of a verified token that is taken note of.
const VERIFIED_LIFETIME_MAX_S: i64 = 10 * 366 * 86_400;

/// What a check brings: a token's id, or none; few values of each other claim, 0 for absent; an `iat` from now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bearer {
    pub(super) id: Option<usize>,
    pub(super) sub: usize,
    pub(super) sid: usize,
    pub(super) client_id: usize,
    pub(super) family: usize,
    pub(super) iat_s: Option<i64>,
}

/// Whom a cutoff hits: a kind of claim and one of its few values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Whom {
    Sub(usize),
    Sid(usize),
    ClientId(usize),
    Family(usize),
    All,
}

impl Whom {
    pub(super) fn target(self) -> Target<'static> {
        match self {
            Self::Sub(value) => Target::Sub(Subject::parse(format!("v{value}")).unwrap()),
            Self::Sid(value) => Target::Sid(Sid::parse(format!("v{value}")).unwrap()),
            Self::ClientId(value) => Target::ClientId(ClientId::parse(format!("v{value}")).unwrap()),
            Self::Family(value) => Target::Family(Family::parse(format!("v{value}")).unwrap()),
            Self::All => Target::All,
        }
    }

    fn matches(self, bearer: &Bearer) -> bool {
        match self {
            Self::Sub(value) => bearer.sub == value,
            Self::Sid(value) => bearer.sid == value,
            Self::ClientId(value) => bearer.client_id == value,
            Self::Family(value) => bearer.family == value,
            Self::All => true,
        }
    }
}

/// One token that was revoked.
struct Entry {
    /// The furthest end ever recorded.
    ends: NumericDate,
    is_restored: bool,
}

/// One cutoff.
struct Cut {
    key: Key,
    whom: Whom,
    good_from: NumericDate,
    ends: NumericDate,
    is_restored: bool,
    /// As [`Model::forgotten`].
    is_forgotten: bool,
}

#[derive(Default)]
pub(super) struct Model {
    entries: HashMap<usize, Entry>,
    /// Entries that had ended when a purge or a start could forget them. A clock that then falls back further than it is
    /// ever believed may find them or not (decision 0003).
    forgotten: HashSet<usize>,
    cuts: Vec<Cut>,
    /// How long verified tokens were seen to live, rounded up as the store does.
    raised_s: i64,
    /// Seconds that have truly passed.
    pub(super) passed_s: i64,
    /// By how much the wall clock is wrong.
    pub(super) jumped_s: i64,
    /// A wrong wall clock kept step for so long that it was believed: nothing can be said by true time any more.
    misled: bool,
}

pub(super) fn name(id: usize) -> String {
    format!("token-{id}")
}

impl Model {
    pub(super) fn look_at_clock(&mut self, store: &Store) {
        self.misled |= !store.denylist().clock().now().doubted && self.jumped_s.abs() > 3_600;
    }

    /// Notes what a purge or a start may forget now.
    pub(super) fn forget(&mut self, store: &Store) {
        let forgettable = store.denylist().clock().forgettable();
        self.forgotten.extend(self.entries.iter().filter(|(_, entry)| entry.ends < forgettable).map(|(id, _)| *id));
        self.cuts.iter_mut().filter(|cut| cut.ends < forgettable).for_each(|cut| cut.is_forgotten = true);
    }

    /// Holds a verdict against the map.
    pub(super) fn check(&mut self, store: &Store, bearer: &Bearer) {
        if mode() == Mode::PurgeAlways {
            self.forget(store);
        }
        let earliest = store.denylist().clock().now().earliest;
        let iat = bearer.iat_s.map(|iat_s| earliest.plus(iat_s));
        let claims = TokenClaims {
            issuer: &Issuer::NAMELESS,
            jti: bearer.id.map(|id| Jti::parse(name(id)).unwrap()),
            sid: value(bearer.sid).map(|sid| Sid::parse(sid).unwrap()),
            sub: value(bearer.sub).map(|sub| Subject::parse(sub).unwrap()),
            client_id: value(bearer.client_id).map(|client_id| ClientId::parse(client_id).unwrap()),
            family: value(bearer.family).map(|family| Family::parse(family).unwrap()),
            iat,
        };
        let verdict = once_readable(|| store.try_check_claims(&claims));
        let kills = |cut: &&Cut| {
            let lives = !cut.is_restored && earliest <= cut.ends;
            lives && cut.whom.matches(bearer) && iat.is_none_or(|iat| iat < cut.good_from)
        };
        let entry = bearer.id.and_then(|id| self.entries.get(&id)).filter(|entry| !entry.is_restored);
        let entry_lives = entry.is_some_and(|entry| earliest <= entry.ends);
        let entry_is_sure = entry_lives && bearer.id.is_some_and(|id| !self.forgotten.contains(&id));
        let is_possible = entry_lives || self.cuts.iter().any(|cut| kills(&cut));
        let is_sure = entry_is_sure || self.cuts.iter().filter(kills).any(|cut| !cut.is_forgotten);
        let revoked = matches!(verdict, Verdict::Revoked(_));
        assert!(revoked || !is_sure, "{bearer:?} at {earliest} is revoked, and reads good");
        assert!(!revoked || is_possible, "{bearer:?} at {earliest} was never revoked, and reads {verdict:?}");
        self.judge_by_truth(bearer, is_possible);
    }

    /// Whatever the wall clock says: what truly has not ended by more than the steps that are believed is revoked.
    fn judge_by_truth(&self, bearer: &Bearer, is_revoked: bool) {
        let truly = START.plus(self.passed_s).plus(3_600);
        let entry = bearer.id.and_then(|id| self.entries.get(&id)).filter(|entry| !entry.is_restored);
        let cuts =
            self.cuts.iter().filter(|cut| !cut.is_restored && cut.whom.matches(bearer) && bearer.iat_s.is_none());
        let mut ends = entry.map(|entry| entry.ends).into_iter().chain(cuts.map(|cut| cut.ends));
        if !self.misled && ends.any(|ends| truly <= ends) {
            assert!(is_revoked, "a jump of the clock ended a live entry");
        }
    }

    /// Takes over what a revoke was answered. `iat` is that of a verified token.
    pub(super) fn revoked(
        &mut self,
        store: &Store,
        id: usize,
        exp: NumericDate,
        iat: Option<NumericDate>,
        outcome: &Outcome,
    ) {
        let now = store.denylist().clock().now();
        self.raise(now.earliest, iat.map_or(0, |iat| exp.since(iat)));
        match outcome {
            Outcome::Expired => assert!(exp.plus(LEEWAY_S) < now.earliest),
            Outcome::Stored { ends_at, .. } => {
                let live = self.entries.get(&id).map(|entry| entry.ends).filter(|ends| now.earliest <= *ends);
                let ends = live.map_or(exp.plus(LEEWAY_S), |ends| ends.max(exp.plus(LEEWAY_S)));
                if self.forgotten.remove(&id) {
                    assert!(*ends_at >= exp.plus(LEEWAY_S) && *ends_at <= ends);
                } else {
                    assert_eq!(*ends_at, ends, "the furthest end ever recorded is kept");
                }
                self.entries.insert(id, Entry { ends: *ends_at, is_restored: false });
            }
            Outcome::Refused(refusal) => panic!("refused: {refusal}"),
        }
    }

    /// A token that lives longer than all before puts off the end of every live cutoff.
    fn raise(&mut self, earliest: NumericDate, lifetime_s: i64) {
        if lifetime_s <= self.lifetime_s() || lifetime_s > VERIFIED_LIFETIME_MAX_S {
            return;
        }
        let doubled = std::iter::successors(Some(LIFETIME_MAX_S), |lifetime_s| Some(lifetime_s * 2));
        self.raised_s = doubled.take(40).find(|doubled| *doubled >= lifetime_s).unwrap().min(VERIFIED_LIFETIME_MAX_S);
        for cut in self.cuts.iter_mut().filter(|cut| !cut.is_restored && earliest <= cut.ends) {
            cut.ends = cut.good_from.plus(self.raised_s + LEEWAY_S);
        }
    }

    fn lifetime_s(&self) -> i64 {
        self.raised_s.max(LIFETIME_MAX_S)
    }

    /// Takes over what a force-logout was answered.
    pub(super) fn logged_out(&mut self, store: &Store, whom: Whom, at: Option<NumericDate>, outcome: &LogOutOutcome) {
        let now = store.denylist().clock().now();
        let issued_before = at.unwrap_or(now.latest);
        let good_from = issued_before.plus(CLOCK_SKEW_S + 1);
        let ends = good_from.plus(self.lifetime_s() + LEEWAY_S);
        match outcome {
            LogOutOutcome::Expired { .. } => assert!(ends < now.earliest),
            LogOutOutcome::Refused(refusal) => panic!("refused: {refusal}"),
            LogOutOutcome::Stored { key, span, .. } => {
                assert_eq!((span.issued_before, span.good_from), (issued_before, good_from));
                assert_eq!(span.ends_at, ends);
                if let Some(cut) = self.cuts.iter_mut().find(|cut| cut.key == *key) {
                    assert!(!cut.is_restored && cut.whom == whom && cut.good_from == good_from, "an entry of its own");
                    cut.is_forgotten = false;
                    return;
                }
                let cut = Cut { key: *key, whom, good_from, ends, is_restored: false, is_forgotten: false };
                self.cuts.push(cut);
            }
        }
    }

    /// Takes a token's revocation back, as it is listed now.
    pub(super) fn restore(&mut self, store: &Store, id: usize) {
        let earliest = store.denylist().clock().now().earliest;
        let is_live = |entry: &Entry| !entry.is_restored && earliest <= entry.ends;
        let is_possible = self.entries.get(&id).is_some_and(is_live);
        let is_sure = is_possible && !self.forgotten.contains(&id);
        if restored(store, key(&name(id)), is_sure, is_possible)
            && let Some(entry) = self.entries.get_mut(&id)
        {
            entry.is_restored = true;
        }
    }

    /// Takes one cutoff back, as it is listed now.
    pub(super) fn restore_cutoff(&mut self, store: &Store, which: usize) {
        let earliest = store.denylist().clock().now().earliest;
        let count = self.cuts.len();
        let Some(cut) = (count > 0).then(|| &mut self.cuts[which % count]) else { return };
        let is_possible = !cut.is_restored && earliest <= cut.ends;
        cut.is_restored |= restored(store, cut.key, is_possible && !cut.is_forgotten, is_possible);
    }
}

/// The value that a small number stands for.
fn value(number: usize) -> Option<String> {
    (number > 0).then(|| format!("v{number}"))
}

/// Looks an entry up and takes it back; gives whether it was.
fn restored(store: &Store, key: Key, is_sure: bool, is_possible: bool) -> bool {
    let listed = once_readable(|| store.block_on(store.denylist().entry(key)));
    let outcome = once_readable(|| store.try_restore(key, listed.as_ref().map_or(0, |listed| listed.seq)));
    let was = matches!(outcome, RestoreOutcome::Restored { .. });
    assert_eq!(listed.is_some(), was, "{outcome:?}");
    assert!(was || outcome == RestoreOutcome::NotFound, "{outcome:?}");
    assert!(was || !is_sure, "what lives can be taken back");
    assert!(!was || is_possible, "what was never there was taken back");
    was
}
