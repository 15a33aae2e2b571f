//! What admins and providers ask of the core: log out, foresee whom that hits, take back.

use tokio::sync::oneshot;

use super::group::{VERIFIED_LIFETIME_MAX_S, plan};
use super::listing;
use super::request::{
    CutoffSpan, KeyEndRequest, KeyOutcome, LogOutOutcome, LogOutRequest, RestoreOutcome, RestoreRequest, WriteError,
};
use super::seen::{SeenChecks, SeenRun};
use super::writer::{Ask, Command};
use super::{Denylist, Listed, Priority, WRITE_TIMEOUT};
use crate::clock::NumericDate;
use crate::event::{ApiKeyRecord, Origin};
use crate::revocation::{Target, TokenClaims, Unavailable};
use crate::token::{Issuer, Key, Selector};

/// What a force-logout would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreseen {
    /// When it would apply from and how long.
    pub span: CutoffSpan,
    /// What the last hour's checks of the issuer brought.
    pub seen: SeenChecks,
}

impl Denylist {
    /// Makes a cutoff; answered after it is durable (promise 1). One write, whatever the number of tokens. May use the tenth
    /// of the queue that is kept for admins and cutoffs; the last tenth of all cutoffs is for callers with scope `admin`.
    ///
    /// # Errors
    /// [`WriteError`] when nothing, or nothing known, was written.
    pub async fn log_out(
        &self,
        request: LogOutRequest,
        origin: Origin<'static>,
        admin: bool,
    ) -> Result<LogOutOutcome, WriteError> {
        let place = self.state.places.take(1, true).ok_or(WriteError::Busy)?;
        let ask = |reply| Command::LogOut(Box::new(Ask { what: request, origin, admin, place, reply }));
        self.ask_in_time(ask).await
    }

    /// Makes cutoffs, as many as `requests`; answered in their order after all are durable (promise 1), which they become
    /// together. Only callers with scope `admin` may use what of the queue is kept for them.
    ///
    /// # Errors
    /// [`WriteError`] when nothing, or nothing known, was written of one of them.
    pub async fn log_out_many(
        &self,
        requests: Vec<LogOutRequest>,
        origin: &Origin<'static>,
        admin: bool,
    ) -> Result<Vec<LogOutOutcome>, WriteError> {
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        let mut asked = Vec::with_capacity(requests.len());
        // Let in together, as a revoke of many is: one by one, many might never find room.
        let places = self.state.places.take(requests.len(), admin).ok_or(WriteError::Busy)?;
        for (request, place) in requests.into_iter().zip(places.split()) {
            let (reply, answer) = oneshot::channel();
            let ask = Ask { what: request, origin: origin.clone(), admin, place, reply };
            self.commands.send(Command::LogOut(Box::new(ask))).map_err(|_| WriteError::Stopping)?;
            asked.push(answer);
        }
        let all = async {
            let mut outcomes = Vec::with_capacity(asked.len());
            for answer in asked {
                outcomes.push(answer.await.map_err(|_| WriteError::Stopping)??);
            }
            Ok(outcomes)
        };
        tokio::time::timeout(WRITE_TIMEOUT, all).await.unwrap_or(Err(WriteError::Late))
    }

    /// Whether a live cutoff on this very target, and on nothing wider, kills its tokens that were issued at `iat`. No I/O.
    ///
    /// # Errors
    /// [`Unavailable::Poisoned`].
    pub fn is_cut_off(&self, issuer: &Issuer<'_>, target: &Target<'_>, iat: NumericDate) -> Result<bool, Unavailable> {
        let earliest = self.state.clock.now().earliest;
        let register = self.state.cutoffs.register()?;
        let target = target.key(issuer);
        Ok(register.of_target(&target).any(|cutoff| cutoff.is_live(earliest) && cutoff.kills(Some(iat))))
    }

    /// What [`Self::log_out`] would do now. Writes nothing.
    ///
    /// # Errors
    /// The outcome that would not be a cutoff; or [`Unavailable::NotReady`] for an issuer that is not configured.
    pub fn foresee(&self, request: LogOutRequest) -> Result<Result<Foreseen, LogOutOutcome>, Unavailable> {
        let (issuer, selector) = (request.issuer.clone(), request.target.selector());
        let limits = self.state.issuers.limits_of(&issuer).map_err(|_| Unavailable::NotReady)?;
        let lifetime_s = self.state.lifetime_of(&issuer).max(limits.lifetime_max_s);
        Ok(plan(request, self.state.clock.now(), lifetime_s, limits)
            .map(|(_, span)| Foreseen { span, seen: self.seen_of(&issuer, selector) }))
    }

    /// What the last hour's checks of an issuer brought, of a cutoff by `selector`.
    #[must_use]
    pub fn seen_of(&self, issuer: &Issuer<'_>, selector: Selector) -> SeenChecks {
        self.state.seen.turn(self.state.clock.boot_s());
        self.state.seen.last_hour(issuer, selector)
    }

    /// Takes one entry back, and no other; answered after that is durable (promise 1). Verdicts follow at once.
    ///
    /// # Errors
    /// [`WriteError`] when nothing, or nothing known, was written.
    pub async fn restore(
        &self,
        request: RestoreRequest,
        origin: Origin<'static>,
    ) -> Result<RestoreOutcome, WriteError> {
        let place = self.state.places.take(1, true).ok_or(WriteError::Busy)?;
        let ask = |reply| Command::Restore(Box::new(Ask { what: request, origin, admin: true, place, reply }));
        self.ask_in_time(ask).await
    }

    /// Takes an API key in; answered after it is durable (promise 1). It opens doors at once.
    ///
    /// # Errors
    /// [`WriteError`] when nothing, or nothing known, was written.
    pub async fn create_key(
        &self,
        record: ApiKeyRecord<'static>,
        origin: Origin<'static>,
    ) -> Result<KeyOutcome, WriteError> {
        let place = self.state.places.take(1, true).ok_or(WriteError::Busy)?;
        let ask = |reply| Command::CreateKey(Box::new(Ask { what: record, origin, admin: true, place, reply }));
        self.ask_in_time(ask).await
    }

    /// Revokes an API key; answered after that is durable (promise 1). It is refused at once.
    ///
    /// # Errors
    /// [`WriteError`] when nothing, or nothing known, was written.
    pub async fn revoke_key(&self, request: KeyEndRequest, origin: Origin<'static>) -> Result<KeyOutcome, WriteError> {
        let place = self.state.places.take(1, true).ok_or(WriteError::Busy)?;
        let ask = |reply| Command::RevokeKey(Box::new(Ask { what: request, origin, admin: true, place, reply }));
        self.ask_in_time(ask).await
    }

    /// The live cutoffs on `targets`, newest first, `limit` at the most; and whether there are more.
    ///
    /// # Errors
    /// [`Unavailable`] where they cannot be had in time.
    pub async fn standing(&self, targets: Vec<Key>, limit: usize) -> Result<(Vec<Listed>, bool), Unavailable> {
        let state = self.state.clone();
        self.reads.run(Priority::Admin, move || listing::standing(&state, &targets, limit)).await
    }

    /// Notes that a check has seen a verified token that lives for `lifetime_s`: its issuer's cutoffs are then kept as long
    /// (promise 5), as when such a token is revoked. Waits for nothing; costs a look-up where the lifetime is long.
    pub fn note_lifetime(&self, issuer: &Issuer<'static>, lifetime_s: i64) {
        let limits = self.state.issuers.limits_of(issuer);
        let is_longer = limits.is_ok_and(|limits| lifetime_s > limits.lifetime_max_s)
            && (self.state.lifetime_of(issuer) + 1..=VERIFIED_LIFETIME_MAX_S).contains(&lifetime_s);
        if is_longer && self.state.seen.may_tell(self.state.clock.boot_s()) {
            // A writer that is gone has ended, and the server with it.
            let _ = self.commands.send(Command::Saw { issuer: issuer.clone(), lifetime_s });
        }
    }

    /// Adds equal checks that are answered to a run, which [`Self::note_seen`] is to be given at its end.
    pub fn gather_seen(&self, run: &mut SeenRun, claims: &TokenClaims<'_>, checks: u64) {
        self.state.seen.gather(run, claims, checks);
    }

    /// Notes what checks that were answered have brought, for [`Self::foresee`].
    pub fn note_seen(&self, run: &SeenRun) {
        self.state.seen.note(run);
    }
}
