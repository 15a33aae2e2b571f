//! How often somebody may ask: keys and certificates by themselves, whoever has neither by where they come from.
//!
//! One too many is answered 429 at once: nothing is held, nobody waits. A good key is looked up first and never counted
//! among strangers, so no flood of wrong keys from the same address delays or refuses it. Strangers share a fixed number
//! of meters, by a keyed hash of their address: memory is bounded without forgetting anybody, and two that fall on one
//! meter take from each other only what none of them needs. (`governor`, the crate for this, grows its keyed stores
//! without a bound; what is left of it is one compare-and-swap.)

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::error::ApiError;
use super::listener::Peer;
use super::{HttpSettings, Pace};
use crate::keys::{Caller, Meter, Rate, Reach};
use crate::metrics::Metrics;

/// Meters of strangers: 128 KiB.
const STRANGERS: usize = 1 << 14;

/// The limit that was passed, and when to come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many requests {whose}; the limit {name} is {per_s} a second")]
pub(crate) struct TooMany {
    whose: &'static str,
    name: &'static str,
    pub(super) per_s: u32,
    pub(super) retry_after_s: u64,
}

impl TooMany {
    /// Whether those were turned away who have no valid key.
    pub(super) fn is_of_strangers(&self) -> bool {
        self.name == STRANGERS_PER_S
    }
}

/// The config key of the limit on callers without a valid key.
const STRANGERS_PER_S: &str = "limits.strangers_per_s";

/// What has been asked lately.
pub(crate) struct Paces {
    began: Instant,
    keys: Limit,
    strangers: Limit,
    by_source: Box<[Meter]>,
    hash: RandomState,
}

struct Limit {
    whose: &'static str,
    name: &'static str,
    per_s: u32,
    rate: Option<Rate>,
}

impl Limit {
    fn new(whose: &'static str, name: &'static str, per_s: u32) -> Self {
        Self { whose, name, per_s, rate: Rate::per_second(per_s) }
    }

    fn take(&self, meter: &Meter, reach: Reach, began: Instant) -> Result<(), TooMany> {
        let Some(rate) = self.rate else { return Ok(()) };
        let now_ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        meter.take(rate, reach, now_ns).map_err(|wait| {
            let Self { whose, name, per_s, .. } = *self;
            TooMany { whose, name, per_s, retry_after_s: whole_seconds(wait) }
        })
    }
}

impl Paces {
    pub(crate) fn new(settings: &HttpSettings) -> Self {
        Self {
            began: Instant::now(),
            keys: Limit::new("with one key or certificate", "limits.requests_per_s", settings.requests_per_s),
            strangers: Limit::new("without a valid key from one address", STRANGERS_PER_S, settings.strangers_per_s),
            by_source: std::iter::repeat_with(Meter::default).take(STRANGERS).collect(),
            hash: RandomState::new(),
        }
    }

    /// Counts one request of a known caller; callers without a key are not counted.
    ///
    /// # Errors
    /// [`ApiError::TooMany`].
    pub(super) fn known(&self, caller: &Caller, pace: Pace, metrics: &Metrics) -> Result<(), ApiError> {
        let reach = match pace {
            Pace::Free => return Ok(()),
            Pace::Common => Reach::Common,
            Pace::Urgent => Reach::Whole,
        };
        if caller.id.is_empty() {
            return Ok(());
        }
        let taken = self.keys.take(&caller.meter, reach, self.began);
        Ok(taken.inspect_err(|_| metrics.rate_limited.key.increment(1))?)
    }

    /// Counts one request without a valid key.
    ///
    /// # Errors
    /// [`ApiError::TooMany`].
    pub(super) fn stranger(&self, peer: &Peer, metrics: &Metrics) -> Result<(), ApiError> {
        // The modulus is below the length, and a length fits.
        let place = usize::try_from(self.hash.hash_one(source(peer)) % STRANGERS as u64).unwrap_or(0);
        let taken = self.strangers.take(&self.by_source[place], Reach::Whole, self.began);
        Ok(taken.inspect_err(|_| metrics.rate_limited.stranger.increment(1))?)
    }
}

/// Where somebody comes from: an IPv4 address, the /64 of an IPv6 one, which one host has for itself, or this machine's
/// Unix sockets, all of them.
fn source(peer: &Peer) -> Option<IpAddr> {
    Some(match peer.address()?.ip().to_canonical() {
        address @ IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
    })
}

/// Rounded up, so that whoever waits as long is not refused again; 1 at the least.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0 || wait.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str) -> Peer {
        Peer::Tcp(address.parse().unwrap())
    }

    #[test]
    fn one_host_is_one_source_whatever_its_port_and_however_many_addresses_it_takes() {
        let of = |address| source(&peer(address));
        assert_eq!(of("192.0.2.1:1"), of("192.0.2.1:2"));
        assert_eq!(of("192.0.2.1:1"), of("[::ffff:192.0.2.1]:1"));
        assert_ne!(of("192.0.2.1:1"), of("192.0.2.2:1"));
        assert_eq!(of("[2001:db8:0:1::1]:1"), of("[2001:db8:0:1:ffff::2]:1"));
        assert_ne!(of("[2001:db8:0:1::1]:1"), of("[2001:db8:0:2::1]:1"));
        assert_eq!(source(&Peer::Unix), None);
    }

    #[test]
    fn waiting_as_long_as_is_said_is_enough() {
        for (wait_ms, seconds) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2)] {
            assert_eq!(whole_seconds(Duration::from_millis(wait_ms)), seconds);
        }
    }

    #[test]
    fn a_million_sources_take_no_more_memory_than_one() {
        let paces = Paces::new(&HttpSettings { strangers_per_s: 1, ..HttpSettings::default() });
        let metrics = Metrics::new();
        for host in 0..1_000_000_u32 {
            let address = std::net::SocketAddr::from((std::net::Ipv4Addr::from(host), 1));
            let _ = paces.stranger(&Peer::Tcp(address), &metrics);
        }
        assert_eq!(size_of_val(&*paces.by_source), 128 << 10);
        let last = (0..20).map(|_| paces.stranger(&peer("203.0.113.1:1"), &metrics)).next_back().unwrap();
        assert!(last.unwrap_err().to_string().contains("limits.strangers_per_s is 1 a second"));
    }

    #[test]
    fn whoever_has_no_key_of_its_own_is_not_counted() {
        let paces = Paces::new(&HttpSettings { requests_per_s: 1, ..HttpSettings::default() });
        let metrics = Metrics::new();
        let caller = |id: &str| Caller::new(id, crate::keys::Scopes::ALL);
        let (anonymous, known) = (caller(""), caller("0a1b"));
        let refused = |caller, pace| (0..50).filter(|_| paces.known(caller, pace, &metrics).is_err()).count();
        assert_eq!((refused(&anonymous, Pace::Common), refused(&known, Pace::Free)), (0, 0));
        assert!(refused(&known, Pace::Common) >= 40);
        assert!(paces.known(&known, Pace::Urgent, &metrics).is_ok(), "nothing is kept for what must not wait");
    }
}
