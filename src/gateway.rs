//! The gateway's question, whichever door it comes through: may this request pass?
//!
//! A gateway passes on what its users send, so nothing of a request decides how it is judged: what may be asked is a property
//! of the gateway's own credential, its [`Profile`]. Every credential that a request presents is judged (`presented`), and any
//! doubt about one refuses the request; what nobody can say is told apart from that (promise 3), and what happens then is
//! declared in the profile.
//!
//! A good token whose signature was verified before (`remembered`) costs a keyed hash, a look-up, its times and its
//! audience, and what any good check costs.

mod known;
mod presented;
mod profile;
mod remembered;
mod ruling;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::denylist::{Denylist, Priority, SeenRun};
use crate::keys::Caller;
use crate::metrics::Metrics;
use crate::readiness::{Purpose, Readiness};
use crate::revocation::{TokenClaims, Unavailable, Verdict};
use crate::token::{ClientId, Family, Jti, Selector, Sid, Subject};
use crate::verifier::{VerifiedToken, Verifier, VerifyError};

use known::{Gate, Gates};
pub use presented::{CLAIM_HEADERS, Headers};
use presented::{Claimed, Presented, present};
pub use profile::{Mode, Profile, ProfileError, TokenSource, WhenUnavailable, WithoutToken};
use remembered::Remembered;
use ruling::Stop;
pub use ruling::{Doubt, Passed, Reason, Ruling};

/// How long a question may take; gateways wait for at least twice as long.
const DEADLINE: Duration = Duration::from_millis(100);

/// Judges what gateways ask.
pub struct Gateway {
    denylist: Denylist,
    verifier: Arc<Verifier>,
    readiness: Readiness,
    gates: Gates,
    check_required: Vec<Selector>,
    allow_without_exp: bool,
    remembered: Remembered,
}

/// A question of a gateway's.
struct Asking<'a> {
    caller: &'a Caller,
    profile: &'a Profile,
    /// When it must be answered.
    until: Instant,
}

/// What is set for all gateways.
#[derive(Debug, Clone, Default)]
pub struct GatewaySettings {
    /// Who may ask what.
    pub profiles: Vec<Profile>,
    /// The selectors that every check must bring (`check.required`).
    pub check_required: Vec<Selector>,
    /// Whether tokens without `exp` are good for ever (`tokens.allow_without_exp`).
    pub allow_without_exp: bool,
    /// Most bytes of verified tokens that are remembered (`check.remembered_bytes_max`); 0 for none.
    pub remembered_bytes_max: u64,
}

impl Gateway {
    /// A judge by these parts.
    #[must_use]
    pub fn new(
        denylist: Denylist,
        verifier: Arc<Verifier>,
        readiness: Readiness,
        metrics: &Metrics,
        settings: GatewaySettings,
    ) -> Self {
        let GatewaySettings { profiles, check_required, allow_without_exp, remembered_bytes_max } = settings;
        let (gates, remembered) = (Gates::new(profiles, metrics), Remembered::new(remembered_bytes_max));
        Self { denylist, verifier, readiness, gates, check_required, allow_without_exp, remembered }
    }

    /// How many requests passed unjudged since the start, by gateway; of those whose profile lets them.
    pub fn unjudged(&self) -> impl Iterator<Item = (&str, u64)> {
        let open = self.gates.all.iter().filter(|gate| gate.profile.unavailable == WhenUnavailable::Open);
        open.map(|gate| (&*gate.profile.name, gate.unjudged()))
    }

    /// The answer to the gateway `caller` about one of its requests, in 100 ms at the most. `payloads` are those of tokens that
    /// the gateway says it has verified, as JSON texts.
    pub async fn rule(&self, caller: &Caller, headers: &impl Headers, payloads: &[String]) -> Ruling {
        let gate = self.gates.of(caller);
        let asking = Asking { caller, profile: &gate.profile, until: Instant::now() + DEADLINE };
        let seq = self.denylist.applied_seq();
        let ruling = match self.judge(&asking, headers, payloads).await {
            Ok(token) => Ruling::Pass(Passed { token, seq, is_unjudged: false }),
            Err(Stop::Refuse(reason)) => Ruling::Refuse(reason),
            Err(Stop::Doubt(doubt))
                if doubt.is_of_the_denylist() && gate.profile.unavailable == WhenUnavailable::Open =>
            {
                self.warn_of(gate, doubt);
                Ruling::Pass(Passed { token: None, seq, is_unjudged: true })
            }
            Err(Stop::Doubt(doubt)) => Ruling::Unavailable(doubt),
        };
        gate.count(&ruling);
        ruling
    }

    /// Counts a request that passes although nobody can say, and says so.
    fn warn_of(&self, gate: &Gate, doubt: Doubt) {
        if let Some(unjudged) = gate.fall_through(self.denylist.clock().boot_s()) {
            let gateway = &gate.profile.name;
            tracing::error!(gateway, %doubt, unjudged, "requests pass without a verdict: the gateway fails open");
        }
    }

    /// By all that a request presents: the first token of one that may pass. Nothing that is presented hides another, so a
    /// doubt counts only where nothing is to be refused.
    async fn judge(
        &self,
        asking: &Asking<'_>,
        headers: &impl Headers,
        payloads: &[String],
    ) -> Result<Option<Arc<VerifiedToken>>, Stop> {
        let profile = asking.profile;
        let Presented { tokens, claimed } = present(profile, headers)?;
        if tokens.is_empty() && claimed.is_none() && payloads.is_empty() {
            return match profile.without_token {
                WithoutToken::Refuse => Err(Reason::NoToken.into()),
                WithoutToken::Pass => Ok(None),
            };
        }
        let (mut first, mut doubt) = (None, None);
        let mut judged = |verdict| match verdict {
            Err(Stop::Doubt(new)) if new.is_of_the_denylist() => {
                doubt.get_or_insert(new);
                Ok(())
            }
            verdict => verdict,
        };
        for token in tokens {
            let token = self.token(asking, token).await?;
            judged(self.agreed(asking, &token, claimed.as_ref()).await)?;
            first.get_or_insert(token);
        }
        for payload in payloads {
            let token = Arc::new(self.verifier.read_payload(payload)?);
            judged(self.agreed(asking, &token, claimed.as_ref()).await)?;
            match profile.mode {
                Mode::Trust => _ = first.get_or_insert(token),
                // It can refuse a request, but not let one pass.
                Mode::Verify if first.is_none() => return Err(Reason::Untrusted.into()),
                Mode::Verify => {}
            }
        }
        if let (None, Some(claimed)) = (&first, &claimed) {
            judged(self.claimed(asking, claimed).await)?;
        }
        doubt.map_or(Ok(first), |doubt| Err(doubt.into()))
    }

    /// Judges a token, where the claim headers agree with it.
    async fn agreed(&self, asking: &Asking<'_>, token: &VerifiedToken, claimed: Option<&Claimed>) -> Result<(), Stop> {
        if claimed.is_some_and(|claimed| !claimed.agrees_with(token)) {
            return Err(Reason::Disagreement.into());
        }
        self.verdict(asking, &claims_of(token)).await
    }

    /// What a token says, once it is known to say it.
    async fn token(&self, asking: &Asking<'_>, token: &str) -> Result<Arc<VerifiedToken>, Stop> {
        if asking.profile.mode == Mode::Trust {
            return Ok(Arc::new(self.verifier.read(token)?));
        }
        let known = self.remembered.get(token, &self.verifier);
        let verified = match known {
            Ok(verified) => verified,
            Err(place) => {
                // Fetching keys makes it large, and is all that it may wait for.
                let verified = timeout_at(asking.until, Box::pin(self.verifier.verify(token))).await;
                let verified = Arc::new(verified.unwrap_or(Err(VerifyError::KeysUnavailable))?);
                self.remembered.put(place, Arc::clone(&verified));
                verified
            }
        };
        let limits = self.denylist.issuers().limits_of(&verified.issuer)?;
        // The history is told of any such token each time: it may have been told of others instead.
        if let Some(lifetime_s) = verified.lifetime_s().filter(|lifetime_s| *lifetime_s > limits.lifetime_max_s) {
            self.denylist.note_lifetime(&verified.issuer, lifetime_s);
        }
        let now = self.denylist.clock().now();
        let is_in_force = verified.is_in_force(now, limits.clock_skew_s, self.allow_without_exp);
        if is_in_force && self.verifier.is_for_us(&verified) { Ok(verified) } else { Err(Reason::NotInForce.into()) }
    }

    /// Judges claims that a gateway has verified and says in headers.
    async fn claimed(&self, asking: &Asking<'_>, claimed: &Claimed) -> Result<(), Stop> {
        let limits = self.denylist.issuers().resolve(claimed.iss.as_deref())?;
        let mut claims = claimed.claims(&limits.issuer)?;
        claims.family = limits.naming.family_of_session(claims.client_id.as_ref(), claims.sid.as_ref());
        self.verdict(asking, &claims).await
    }

    async fn verdict(&self, asking: &Asking<'_>, claims: &TokenClaims<'_>) -> Result<(), Stop> {
        if !asking.caller.bounds.allow(claims.issuer, claims.client_id.as_ref()) {
            return Err(Reason::Bound.into());
        }
        let brings = |selector| match selector {
            Selector::Jti => claims.jti.is_some(),
            selector => claims.cutoff_value(selector).is_some(),
        };
        if !self.check_required.iter().all(|selector| brings(*selector)) {
            return Err(Reason::Incomplete.into());
        }
        let verdict = if let Some(verdict) = self.denylist.known(claims)? {
            verdict
        } else {
            let verdict = timeout_at(asking.until, self.denylist.check(claims, Priority::Ordinary)).await;
            verdict.map_err(|_| Doubt::Late)??
        };
        let mut run = SeenRun::default();
        self.denylist.gather_seen(&mut run, claims, 1);
        self.denylist.note_seen(&run);
        match verdict {
            Verdict::Revoked(revoked) => Err(Reason::Revoked(revoked.by).into()),
            // Without `jti` no read has said that all is known.
            Verdict::Good if claims.jti.is_none() && !self.readiness.is_ready_for(Purpose::Checks) => {
                Err(Unavailable::NotReady.into())
            }
            Verdict::Good => Ok(()),
        }
    }
}

/// A token as a check knows it.
fn claims_of(token: &VerifiedToken) -> TokenClaims<'_> {
    TokenClaims {
        issuer: &token.issuer,
        jti: Some(Jti::borrowed(&token.jti)),
        sid: token.sid.as_ref().map(Sid::borrowed),
        sub: token.sub.as_ref().map(Subject::borrowed),
        client_id: token.client_id.as_ref().map(ClientId::borrowed),
        family: token.family.as_ref().map(Family::borrowed),
        iat: token.iat,
    }
}
