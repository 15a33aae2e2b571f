//! What checks brought in the last hour, for each issuer: says before a force-logout how many checks would not notice it
//! (promise 17).
//!
//! One relaxed addition a check. Time is kept by whoever turns the ring, so that a check reads no clock.

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::issuers::Issuers;
use crate::revocation::TokenClaims;
use crate::token::{Issuer, Selector};

/// A slot for each minute: sixty full ones and the one that runs.
const SLOTS: usize = 61;

/// Sets of the claims that bear on cutoffs: `sid`, `sub`, `client_id`, `iat`, `family`.
const SETS: usize = 32;

const IAT: usize = 8;

/// The bit of a claim in a set; none for what every check brings.
const fn bit(selector: Selector) -> usize {
    match selector {
        Selector::Sid => 1,
        Selector::Sub => 2,
        Selector::ClientId => 4,
        Selector::Family => 16,
        Selector::Jti | Selector::Iss => 0,
    }
}

/// Checks in a row that brought the same claims, to be noted together.
#[derive(Debug, Default)]
pub struct SeenRun {
    issuer: usize,
    set: usize,
    checks: u64,
}

/// What the checks of one issuer brought in the last hour, with regard to one selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SeenChecks {
    /// All of them.
    pub checks: u64,
    /// Those that did not bring the selector: a cutoff on it would go unnoticed.
    pub without_claim: u64,
    /// Those that brought it, but no `iat`: any matching cutoff revokes their tokens, new ones too.
    pub without_iat: u64,
}

/// Checks by minute and by the set of claims that they brought.
type Ring = [[AtomicU64; SETS]; SLOTS];

/// The last hour.
pub(super) struct Seen {
    issuers: Vec<(Issuer<'static>, Box<Ring>)>,
    slot: AtomicUsize,
    minute: Mutex<i64>,
    /// When the writer was last told of a longer lifetime, seconds since boot.
    told_at: AtomicI64,
}

impl Seen {
    pub(super) fn new(issuers: &Issuers, boot_s: i64) -> Self {
        let ring = || Box::new(std::array::from_fn(|_| std::array::from_fn(|_| AtomicU64::new(0))));
        Self {
            issuers: issuers.iter().map(|limits| (limits.issuer.clone(), ring())).collect(),
            slot: AtomicUsize::new(0),
            minute: Mutex::new(boot_s.div_euclid(60)),
            told_at: AtomicI64::new(i64::MIN),
        }
    }

    /// Adds equal checks to `run`; notes the run first if they are of another kind.
    pub(super) fn gather(&self, run: &mut SeenRun, claims: &TokenClaims<'_>, checks: u64) {
        let Some(issuer) = self.issuers.iter().position(|(issuer, _)| issuer == claims.issuer) else { return };
        let brought = |selector| if claims.cutoff_value(selector).is_some() { bit(selector) } else { 0 };
        let iat = if claims.iat.is_some() { IAT } else { 0 };
        let set = Selector::OF_CUTOFFS.into_iter().fold(iat, |set, selector| set | brought(selector));
        if (run.issuer, run.set) != (issuer, set) {
            self.note(run);
            *run = SeenRun { issuer, set, checks: 0 };
        }
        run.checks += checks;
    }

    /// Counts a run.
    pub(super) fn note(&self, run: &SeenRun) {
        if run.checks == 0 {
            return;
        }
        let slot = self.slot.load(Ordering::Relaxed);
        if let Some((_, ring)) = self.issuers.get(run.issuer) {
            ring[slot % SLOTS][run.set % SETS].fetch_add(run.checks, Ordering::Relaxed);
        }
    }

    /// Whether the writer may be told of a longer lifetime: once a second, so that checks cannot fill its queue.
    pub(super) fn may_tell(&self, boot_s: i64) -> bool {
        self.told_at.swap(boot_s, Ordering::Relaxed) != boot_s
    }

    /// Goes on to the minute of `boot_s`, and forgets what is more than an hour old. To be called every few seconds.
    pub(super) fn turn(&self, boot_s: i64) {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        let now = boot_s.div_euclid(60);
        let passed = usize::try_from(now.saturating_sub(*minute)).unwrap_or(0);
        let mut slot = self.slot.load(Ordering::Relaxed);
        for _ in 0..passed.min(SLOTS) {
            slot = (slot + 1) % SLOTS;
            self.issuers.iter().flat_map(|(_, ring)| &ring[slot]).for_each(|count| count.store(0, Ordering::Relaxed));
        }
        self.slot.store(slot, Ordering::Relaxed);
        *minute = now;
    }

    /// What the last hour's checks of `issuer` brought with regard to `selector`.
    pub(super) fn last_hour(&self, issuer: &Issuer<'_>, selector: Selector) -> SeenChecks {
        let mut seen = SeenChecks::default();
        let Some((_, ring)) = self.issuers.iter().find(|(known, _)| known == issuer) else { return seen };
        for counts in ring.iter() {
            for (set, count) in counts.iter().enumerate() {
                let count = count.load(Ordering::Relaxed);
                seen.checks += count;
                if set & bit(selector) != bit(selector) {
                    seen.without_claim += count;
                } else if set & IAT == 0 {
                    seen.without_iat += count;
                }
            }
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::NumericDate;
    use crate::token::{Family, Subject};

    fn check(seen: &Seen, sub: bool, iat: bool) {
        let mut run = SeenRun::default();
        let claims = TokenClaims {
            sub: sub.then(|| Subject::parse("s").unwrap()),
            iat: iat.then_some(NumericDate(5)),
            ..TokenClaims::of(&Issuer::NAMELESS)
        };
        seen.gather(&mut run, &claims, 1);
        seen.note(&run);
    }

    #[test]
    fn checks_are_told_apart_by_what_they_bring_and_forgotten_after_an_hour() {
        let seen = Seen::new(&Issuers::nameless(1, 1), 30);
        for (sub, iat) in [(true, true), (true, true), (true, false), (false, true)] {
            check(&seen, sub, iat);
        }
        let expected = SeenChecks { checks: 4, without_claim: 1, without_iat: 1 };
        seen.turn(60 * 60);
        assert_eq!(seen.last_hour(&Issuer::NAMELESS, Selector::Sub), expected);
        let of_all = SeenChecks { checks: 4, without_claim: 0, without_iat: 1 };
        assert_eq!(seen.last_hour(&Issuer::NAMELESS, Selector::Iss), of_all);
        check(&seen, true, true);
        seen.turn(61 * 60);
        assert_eq!(seen.last_hour(&Issuer::NAMELESS, Selector::Sub).checks, 1);
        seen.turn(500 * 60);
        assert_eq!(seen.last_hour(&Issuer::NAMELESS, Selector::Sub), SeenChecks::default());
    }

    #[test]
    fn a_family_is_a_claim_of_its_own() {
        let seen = Seen::new(&Issuers::nameless(1, 1), 0);
        let mut run = SeenRun::default();
        let family = Some(Family::parse("f").unwrap());
        let bare = TokenClaims { family, ..TokenClaims::of(&Issuer::NAMELESS) };
        seen.gather(&mut run, &bare, 1);
        seen.gather(&mut run, &TokenClaims { iat: Some(NumericDate(5)), ..bare }, 1);
        seen.gather(&mut run, &TokenClaims::of(&Issuer::NAMELESS), 1);
        seen.note(&run);
        let expected = SeenChecks { checks: 3, without_claim: 1, without_iat: 1 };
        assert_eq!(seen.last_hour(&Issuer::NAMELESS, Selector::Family), expected);
        assert_eq!(seen.last_hour(&Issuer::NAMELESS, Selector::Sid).without_claim, 3);
    }

    #[test]
    fn a_batch_is_noted_in_runs() {
        let seen = Seen::new(&Issuers::nameless(1, 1), 0);
        let mut run = SeenRun::default();
        let bare = TokenClaims::of(&Issuer::NAMELESS);
        let with_sub = TokenClaims { sub: Some(Subject::parse("s").unwrap()), ..bare.clone() };
        for claims in [&bare, &bare, &with_sub, &bare] {
            seen.gather(&mut run, claims, 1);
        }
        seen.note(&run);
        let expected = SeenChecks { checks: 4, without_claim: 3, without_iat: 1 };
        assert_eq!(seen.last_hour(&Issuer::NAMELESS, Selector::Sub), expected);
    }
}
