//! The gateways that there are: each profile with what is counted of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::Ruling;
use super::profile::Profile;
use crate::keys::Caller;
use crate::metrics::{GatewayMetrics, Metrics};

/// What metrics call gateways without a section.
const COMMON: &str = "default";

/// One gateway, or all that have no section.
pub(super) struct Gate {
    pub(super) profile: Profile,
    metrics: GatewayMetrics,
    /// Requests that passed although nobody could say.
    unjudged: AtomicU64,
    /// When that was last told to the log, seconds since boot.
    told_at: AtomicI64,
}

impl Gate {
    fn new(profile: Profile, metrics: &Metrics) -> Self {
        let name = if profile.name.is_empty() { COMMON } else { &profile.name };
        let metrics = metrics.gateway(name);
        Self { profile, metrics, unjudged: AtomicU64::new(0), told_at: AtomicI64::new(i64::MIN) }
    }

    /// Counts an answer.
    pub(super) fn count(&self, ruling: &Ruling) {
        let counter = match ruling {
            Ruling::Pass(passed) if passed.is_unjudged => &self.metrics.unjudged,
            Ruling::Pass(_) => &self.metrics.passed,
            Ruling::Refuse(super::Reason::Revoked(_)) => &self.metrics.revoked,
            Ruling::Refuse(_) => &self.metrics.refused,
            Ruling::Unavailable(_) => &self.metrics.unavailable,
        };
        counter.increment(1);
    }

    /// Counts a request that passes unjudged; gives how many there were, where the log is to be told: once a second.
    pub(super) fn fall_through(&self, boot_s: i64) -> Option<u64> {
        let unjudged = self.unjudged.fetch_add(1, Ordering::Relaxed) + 1;
        (self.told_at.swap(boot_s, Ordering::Relaxed) != boot_s).then_some(unjudged)
    }

    pub(super) fn unjudged(&self) -> u64 {
        self.unjudged.load(Ordering::Relaxed)
    }
}

/// Every gateway, by whose it is.
pub(super) struct Gates {
    /// Few, and so looked through one by one.
    by_caller: Vec<(String, Arc<Gate>)>,
    common: Gate,
    pub(super) all: Vec<Arc<Gate>>,
}

impl Gates {
    pub(super) fn new(profiles: Vec<Profile>, metrics: &Metrics) -> Self {
        let all: Vec<_> = profiles.into_iter().map(|profile| Arc::new(Gate::new(profile, metrics))).collect();
        let callers = all.iter().flat_map(|gate| gate.profile.callers().map(|caller| (caller, Arc::clone(gate))));
        Self { by_caller: callers.collect(), common: Gate::new(Profile::default(), metrics), all }
    }

    /// The gateway with this credential.
    pub(super) fn of(&self, caller: &Caller) -> &Gate {
        self.by_caller.iter().find(|(id, _)| **id == *caller.id).map_or(&self.common, |(_, gate)| gate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{Scope, Scopes};

    #[test]
    fn a_gateway_is_found_by_its_credential_and_by_nobody_elses() {
        let section = |json| serde_json::from_str(json).unwrap();
        let profiles = vec![
            section(r#"{"name":"a","keys":["0123456789ab","0123456789ac"],"certificates":["dns:gate"]}"#),
            section(r#"{"name":"b","listen":["unix:/run/b.sock"]}"#),
        ];
        let gates = Gates::new(profiles, &Metrics::new());
        let of = |id: &str| gates.of(&Caller::new(id, Scopes::of(&[Scope::Check]))).profile.name.clone();
        let known = ["0123456789ab", "0123456789ac", "cert:dns:gate", "listen:unix:/run/b.sock"];
        assert_eq!(known.map(of), ["a", "a", "a", "b"]);
        assert_eq!(["", "0123456789ad", "dns:gate", "unix:/run/b.sock"].map(of), [""; 4]);
    }

    #[test]
    fn the_log_is_told_once_a_second_and_every_request_counts() {
        let gate = Gate::new(Profile::default(), &Metrics::new());
        assert_eq!([5, 5, 5, 6].map(|boot_s| gate.fall_through(boot_s)), [Some(1), None, None, Some(4)]);
        assert_eq!(gate.unjudged(), 4);
    }
}
