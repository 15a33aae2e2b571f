//! One issuer's published key set, kept fresh. One loop fetches, verifications only read and wait.
//!
//! The loop ([`JwksSource::run`]) is the only place that fetches, so there is never more than one fetch at a time, and
//! one that was asked for by a caller who has since gone away still comes to its end.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::algorithm::Algorithm;
use super::fetch::{FETCH_TIMEOUT, FetchFault, Fetcher};
use super::jwk::{Origin, SetFault, read_set};
use super::key_set::Key;

/// Shortest time between two fetches, whatever the reason.
pub(super) const FETCH_INTERVAL: Duration = Duration::from_secs(30);

/// How long a verification waits for a fetch: longer than any fetch takes.
const WAIT_MAX: Duration = FETCH_TIMEOUT.saturating_add(Duration::from_secs(1));

/// What is known of a published set.
#[derive(Debug, Default)]
pub(super) struct State {
    keys: Vec<Key>,
    /// When the fetch that brought `keys` began.
    fetched_at: Option<Instant>,
    /// When the last fetch began.
    attempted_at: Option<Instant>,
    /// How many fetches have come to an end.
    attempts: u64,
    /// Of the set that brought `keys`.
    digest: u128,
    /// How often `keys` have changed.
    pub(super) version: u64,
}

impl State {
    /// The keys, while they may be used.
    pub(super) fn keys(&self, stale_max: Duration) -> Option<&[Key]> {
        let fetched_at = self.fetched_at?;
        (fetched_at.elapsed() <= stale_max).then_some(self.keys.as_slice())
    }

    /// Which keys they are, while they may be used: another number for every change.
    pub(super) fn version(&self, stale_max: Duration) -> Option<u64> {
        self.keys(stale_max).map(|_| self.version)
    }

    /// Whether the last fetch brought no usable set, so that newer keys may exist.
    pub(super) fn is_behind(&self) -> bool {
        self.fetched_at != self.attempted_at
    }
}

/// Why a fetch changed nothing.
#[derive(Debug, thiserror::Error)]
enum RefreshFault {
    #[error(transparent)]
    Fetch(#[from] FetchFault),
    #[error("the answer is no usable key set: {0}")]
    Set(#[from] SetFault),
}

/// Where an issuer publishes its keys, and what was last found there.
#[derive(Debug)]
pub(super) struct JwksSource {
    iss: String,
    fetcher: Fetcher,
    allowed: Vec<Algorithm>,
    refresh: Duration,
    pub(super) stale_max: Duration,
    state: ArcSwap<State>,
    /// Follows [`State::attempts`], for those who wait.
    attempts: watch::Sender<u64>,
    wanted: Notify,
}

impl JwksSource {
    pub(super) fn new(
        iss: String,
        fetcher: Fetcher,
        allowed: Vec<Algorithm>,
        refresh: Duration,
        stale_max: Duration,
    ) -> Self {
        let state = ArcSwap::from_pointee(State::default());
        let (attempts, _) = watch::channel(0);
        Self { iss, fetcher, allowed, refresh, stale_max, state, attempts, wanted: Notify::new() }
    }

    /// What is known now. No lock.
    pub(super) fn state(&self) -> Guard<Arc<State>> {
        self.state.load()
    }

    /// Asks for a fetch and waits for its end, if one may begin by now; `false` if nothing newer than `seen` came.
    pub(super) async fn newer_than(&self, seen: &State) -> bool {
        if seen.attempted_at.is_some_and(|at| at.elapsed() < FETCH_INTERVAL) {
            return false;
        }
        let mut attempts = self.attempts.subscribe();
        self.wanted.notify_one();
        let newer = attempts.wait_for(|attempts| *attempts > seen.attempts);
        timeout(WAIT_MAX, newer).await.is_ok_and(|ended| ended.is_ok())
    }

    /// Fetches at once, then whenever the set is due or wanted; for ever.
    pub(super) async fn run(&self) {
        loop {
            self.attempt().await;
            self.next_attempt().await;
        }
    }

    async fn attempt(&self) {
        let began = Instant::now();
        let seen = self.state.load_full();
        let attempts = seen.attempts + 1;
        let next = match self.fetch_keys().await {
            Ok((keys, digest)) => {
                if seen.attempted_at.is_some() && seen.is_behind() {
                    tracing::info!(iss = self.iss, keys = keys.len(), "the issuer's keys can be fetched again");
                } else {
                    tracing::debug!(iss = self.iss, keys = keys.len(), "fetched the issuer's keys");
                }
                let version = seen.version + u64::from(digest != seen.digest);
                State { keys, fetched_at: Some(began), attempted_at: Some(began), attempts, digest, version }
            }
            Err(fault) => {
                self.report(&seen, &fault);
                let (keys, fetched_at) = (seen.keys.clone(), seen.fetched_at);
                let (digest, version) = (seen.digest, seen.version);
                State { keys, fetched_at, attempted_at: Some(began), attempts, digest, version }
            }
        };
        self.state.store(Arc::new(next));
        self.attempts.send_replace(attempts);
    }

    /// Says what a failed fetch means for the issuer's tokens now.
    fn report(&self, seen: &State, fault: &RefreshFault) {
        let (iss, stale_max_s) = (&self.iss, self.stale_max.as_secs());
        if seen.fetched_at.is_none() {
            tracing::error!(
                iss,
                %fault,
                "cannot fetch the issuer's keys, and never could since the start; tokens that need them are answered 503"
            );
        } else if seen.keys(self.stale_max).is_none() {
            tracing::error!(
                iss,
                %fault,
                stale_max_s,
                "cannot fetch the issuer's keys, and the last good ones are too old by jwks_stale_max_s; tokens that \
                 need them are answered 503"
            );
        } else {
            tracing::warn!(iss, %fault, stale_max_s, "cannot fetch the issuer's keys; the last good ones serve on");
        }
    }

    /// The keys, and a digest of what they were read from: whoever could choose two sets of the same can choose the keys.
    async fn fetch_keys(&self) -> Result<(Vec<Key>, u128), RefreshFault> {
        let set = self.fetcher.fetch().await?;
        Ok((read_set(&set, Origin::Url, &self.allowed)?, xxhash_rust::xxh3::xxh3_128(&set)))
    }

    /// Waits until the set is due, or until someone wants it and the last fetch is long enough ago.
    async fn next_attempt(&self) {
        let (last, pause) = {
            let state = self.state();
            let pause = if state.is_behind() { FETCH_INTERVAL } else { self.refresh };
            (state.attempted_at.unwrap_or_else(Instant::now), pause)
        };
        let wanted = async {
            loop {
                self.wanted.notified().await;
                // A wish may be older than the fetch that has fulfilled it.
                if last.elapsed() >= FETCH_INTERVAL {
                    return;
                }
            }
        };
        tokio::select! {
            () = sleep_until(last + pause) => {}
            () = wanted => {}
        }
    }
}
