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

use crate::denylist::{Denylist, Priority, SeenRun};
use crate::keys::Caller;
use crate::metrics::Metrics;
use crate::readiness::{Purpose, Readiness};
use crate::revocation::{TokenClaims, Unavailable, Verdict};
use crate::token::{ClientId, Family, Jti, Selector, Sid, Subject};
use crate::verifier::{VerifiedToken, Verifier};

use known::Gates;
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
        let mut ruling = self.judge(caller, &gate.profile, headers, payloads).await;
        if let (Ruling::Unavailable(doubt), WhenUnavailable::Open) = (&ruling, gate.profile.unavailable) {
            if let Some(unjudged) = gate.fall_through(self.denylist.clock().boot_s()) {
                let gateway = &gate.profile.name;
                tracing::error!(gateway, %doubt, unjudged, "requests pass without a verdict: the gateway fails open");
            }
            ruling = Ruling::Pass(Passed { token: None, seq: self.denylist.applied_seq(), is_unjudged: true });
        }
        gate.count(&ruling);
        ruling
    }

    /// By all that the request presents.
    async fn judge(&self, caller: &Caller, profile: &Profile, headers: &impl Headers, payloads: &[String]) -> Ruling {
        let seq = self.denylist.applied_seq();
        // Without an await where the token is remembered and good.
        let judged = tokio::time::timeout(DEADLINE, self.judged(caller, profile, headers, payloads)).await;
        match judged.unwrap_or(Err(Stop::Doubt(Doubt::Late))) {
            Ok(token) => Ruling::Pass(Passed { token, seq, is_unjudged: false }),
            Err(Stop::Refuse(reason)) => Ruling::Refuse(reason),
            Err(Stop::Doubt(doubt)) => Ruling::Unavailable(doubt),
        }
    }

    /// The first token of a request that may pass.
    async fn judged(
        &self,
        caller: &Caller,
        profile: &Profile,
        headers: &impl Headers,
        payloads: &[String],
    ) -> Result<Option<Arc<VerifiedToken>>, Stop> {
        let Presented { tokens, claimed } = present(profile, headers)?;
        if tokens.is_empty() && claimed.is_none() && payloads.is_empty() {
            return match profile.without_token {
                WithoutToken::Refuse => Err(Reason::NoToken.into()),
                WithoutToken::Pass => Ok(None),
            };
        }
        let mut first = None;
        for token in tokens {
            let token = self.token(profile.mode, token).await?;
            self.agreed(caller, &token, claimed.as_ref()).await?;
            first.get_or_insert(token);
        }
        for payload in payloads {
            let token = Arc::new(self.verifier.read_payload(payload)?);
            self.agreed(caller, &token, claimed.as_ref()).await?;
            match profile.mode {
                Mode::Trust => _ = first.get_or_insert(token),
                // It can refuse a request, but not let one pass.
                Mode::Verify if first.is_none() => return Err(Reason::Untrusted.into()),
                Mode::Verify => {}
            }
        }
        if let (None, Some(claimed)) = (&first, &claimed) {
            self.claimed(caller, claimed).await?;
        }
        Ok(first)
    }

    /// Judges a token, where the claim headers agree with it.
    async fn agreed(&self, caller: &Caller, token: &VerifiedToken, claimed: Option<&Claimed>) -> Result<(), Stop> {
        if claimed.is_some_and(|claimed| !claimed.agrees_with(token)) {
            return Err(Reason::Disagreement.into());
        }
        self.verdict(caller, &claims_of(token)).await
    }

    /// What a token says, once it is known to say it.
    async fn token(&self, mode: Mode, token: &str) -> Result<Arc<VerifiedToken>, Stop> {
        if mode == Mode::Trust {
            return Ok(Arc::new(self.verifier.read(token)?));
        }
        let known = self.remembered.get(token, &self.verifier);
        let verified = match known {
            Ok(verified) => verified,
            Err(place) => {
                // Fetching keys makes it large.
                let verified = Arc::new(Box::pin(self.verifier.verify(token)).await?);
                self.remembered.put(place, Arc::clone(&verified), &self.verifier);
                if let (Some(iat), Some(exp)) = (verified.iat, verified.exp) {
                    self.denylist.note_lifetime(&verified.issuer, exp.since(iat));
                }
                verified
            }
        };
        let limits = self.denylist.issuers().limits_of(&verified.issuer)?;
        let now = self.denylist.clock().now();
        let is_in_force = verified.is_in_force(now, limits.clock_skew_s, self.allow_without_exp);
        if is_in_force && self.verifier.is_for_us(&verified) { Ok(verified) } else { Err(Reason::NotInForce.into()) }
    }

    /// Judges claims that a gateway has verified and says in headers.
    async fn claimed(&self, caller: &Caller, claimed: &Claimed) -> Result<(), Stop> {
        let limits = self.denylist.issuers().resolve(claimed.iss.as_deref())?;
        let mut claims = claimed.claims(&limits.issuer)?;
        claims.family = limits.naming.family_of_session(claims.client_id.as_ref(), claims.sid.as_ref());
        self.verdict(caller, &claims).await
    }

    async fn verdict(&self, caller: &Caller, claims: &TokenClaims<'_>) -> Result<(), Stop> {
        if !caller.bounds.allow(claims.issuer, claims.client_id.as_ref()) {
            return Err(Reason::Bound.into());
        }
        let brings = |selector| match selector {
            Selector::Jti => claims.jti.is_some(),
            selector => claims.cutoff_value(selector).is_some(),
        };
        if !self.check_required.iter().all(|selector| brings(*selector)) {
            return Err(Reason::Incomplete.into());
        }
        let verdict = match self.denylist.known(claims)? {
            Some(verdict) => verdict,
            None => self.denylist.check(claims, Priority::Ordinary).await?,
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
