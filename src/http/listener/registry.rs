//! All open connections: who may come in, and who has to go.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::activity::{Activity, Snapshot, State};
use super::{ConnectionLimits, Peer};
use crate::metrics::ConnectionMetrics;

/// The open connections and their cap.
#[derive(Debug)]
pub(super) struct Registry {
    limits: ConnectionLimits,
    metrics: ConnectionMetrics,
    open: Arc<Mutex<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    last_id: u64,
    entries: HashMap<u64, Entry>,
}

/// One open connection. Dropping an entry is the order to drop the connection.
#[derive(Debug)]
struct Entry {
    activity: Arc<Activity>,
    /// Taken when the connection was told to finish.
    finish: Option<oneshot::Sender<()>>,
    _drop: oneshot::Sender<()>,
    /// What the connection was seen doing, and since when.
    seen: Snapshot,
    since: Instant,
}

impl Registry {
    pub(super) fn new(limits: ConnectionLimits, metrics: ConnectionMetrics) -> Self {
        Self { limits, metrics, open: Arc::default() }
    }

    /// Lets a connection in, or not: the last tenth of the cap is for callers on this machine.
    pub(super) fn admit(&self, activity: &Arc<Activity>, peer: &Peer, now: Instant) -> Option<Orders> {
        let cap = self.limits.connections_max;
        let reserve = if peer.is_local() { 0 } else { cap.div_ceil(10) };
        let mut open = lock(&self.open);
        if open.entries.len() >= cap - reserve {
            return None;
        }
        open.last_id += 1;
        let id = open.last_id;
        let (finish, to_finish) = oneshot::channel();
        let (drop, to_drop) = oneshot::channel();
        let activity = Arc::clone(activity);
        let seen = activity.snapshot();
        open.entries.insert(id, Entry { activity, finish: Some(finish), _drop: drop, seen, since: now });
        self.metrics.open.increment(1.0);
        let membership = Membership { id, open: Arc::clone(&self.open), metrics: self.metrics.clone() };
        Some(Orders { to_finish: Some(to_finish), to_drop, _membership: membership })
    }

    /// Looks at every connection: one that has been doing the same thing for longer than its limit is dropped, or, where
    /// it is idle, told to finish first.
    pub(super) fn judge(&self, now: Instant) {
        let mut open = lock(&self.open);
        let mut dropped = 0;
        open.entries.retain(|_, entry| {
            let keep = self.judge_one(entry, now);
            dropped += u64::from(!keep);
            keep
        });
        self.metrics.timed_out.increment(dropped);
    }

    fn judge_one(&self, entry: &mut Entry, now: Instant) -> bool {
        let seen = entry.activity.snapshot();
        if seen != entry.seen {
            (entry.seen, entry.since) = (seen, now);
            return true;
        }
        let told = entry.finish.is_none();
        let is_over = self.limit_of(seen.state, told).is_some_and(|limit| now.duration_since(entry.since) >= limit);
        if !is_over {
            return true;
        }
        if seen.state != State::Idle {
            return false;
        }
        let Some(finish) = entry.finish.take() else { return false };
        // Fails only if the connection is ending just now.
        let _ = finish.send(());
        entry.since = now;
        true
    }

    fn limit_of(&self, state: State, told_to_finish: bool) -> Option<Duration> {
        match state {
            State::Handshake => Some(self.limits.handshake_timeout),
            State::Head => Some(self.limits.header_timeout),
            State::Idle if told_to_finish => Some(self.limits.header_timeout),
            State::Idle => Some(self.limits.idle_timeout),
            State::Blocked | State::Untaken => Some(self.limits.write_timeout),
            State::Busy => None,
        }
    }

    /// Tells every connection to answer what it has begun, and end.
    pub(super) fn finish_all(&self) {
        for finish in lock(&self.open).entries.values_mut().filter_map(|entry| entry.finish.take()) {
            let _ = finish.send(());
        }
    }

    /// Drops every connection; returns how many there were.
    pub(super) fn drop_all(&self) -> usize {
        std::mem::take(&mut lock(&self.open).entries).len()
    }
}

// The map stays sound whatever a thread that held the lock did: every change is a single insertion or removal.
fn lock(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a connection is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Answer what has begun, and end.
    Finish,
    /// End now.
    Drop,
}

/// What a connection listens for. Dropping it ends the connection's membership.
#[derive(Debug)]
pub(super) struct Orders {
    to_finish: Option<oneshot::Receiver<()>>,
    to_drop: oneshot::Receiver<()>,
    _membership: Membership,
}

impl Orders {
    /// The next order; nothing follows [`Order::Drop`]. Polling costs two atomic reads, no lock.
    pub(super) async fn next(&mut self) -> Order {
        poll_fn(|cx| {
            // Both resolve with an error when the entry is gone, which says the same as a message.
            if Pin::new(&mut self.to_drop).poll(cx).is_ready() {
                return Poll::Ready(Order::Drop);
            }
            match &mut self.to_finish {
                Some(to_finish) => ready!(Pin::new(to_finish).poll(cx)).ok(),
                None => return Poll::Pending,
            };
            self.to_finish = None;
            Poll::Ready(Order::Finish)
        })
        .await
    }
}

#[derive(Debug)]
struct Membership {
    id: u64,
    open: Arc<Mutex<Open>>,
    metrics: ConnectionMetrics,
}

impl Drop for Membership {
    fn drop(&mut self) {
        lock(&self.open).entries.remove(&self.id);
        self.metrics.open.decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REMOTE: Peer =
        Peer::Tcp(std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 9));

    fn registry(connections_max: usize) -> Registry {
        Registry::new(ConnectionLimits { connections_max, ..ConnectionLimits::default() }, ConnectionMetrics::default())
    }

    fn admit(registry: &Registry, peer: &Peer) -> Option<(Arc<Activity>, Orders)> {
        let activity = Arc::new(Activity::default());
        let orders = registry.admit(&activity, peer, Instant::now())?;
        Some((activity, orders))
    }

    /// The order that has been given already, if there is one.
    async fn given(orders: &mut Orders) -> Option<Order> {
        tokio::select! { biased; order = orders.next() => Some(order), () = std::future::ready(()) => None }
    }

    #[test]
    fn the_last_tenth_is_left_to_callers_on_this_machine() {
        let registry = registry(20);
        let mut inside: Vec<_> = std::iter::from_fn(|| admit(&registry, &REMOTE)).collect();
        assert_eq!(inside.len(), 18);
        inside.extend(std::iter::from_fn(|| admit(&registry, &Peer::Unix)));
        assert_eq!(inside.len(), 20);
        inside.truncate(17);
        assert!(admit(&registry, &REMOTE).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_told_to_finish_first_and_dropped_if_it_does_not() {
        let registry = registry(1);
        let (activity, mut orders) = admit(&registry, &Peer::Unix).unwrap();
        activity.begin_request();
        activity.end_request();
        let (limits, start) = (ConnectionLimits::default(), Instant::now());
        registry.judge(start);
        registry.judge(start + limits.idle_timeout / 2);
        assert_eq!(given(&mut orders).await, None);
        registry.judge(start + limits.idle_timeout);
        assert_eq!(given(&mut orders).await, Some(Order::Finish));
        registry.judge(start + limits.idle_timeout + limits.header_timeout / 2);
        assert_eq!(given(&mut orders).await, None);
        registry.judge(start + limits.idle_timeout + limits.header_timeout);
        assert_eq!(given(&mut orders).await, Some(Order::Drop));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_with_the_service_may_take_its_time_and_a_silent_connection_may_not() {
        let registry = registry(100);
        let (busy, mut busy_orders) = admit(&registry, &Peer::Unix).unwrap();
        let (_silent, mut silent_orders) = admit(&registry, &Peer::Unix).unwrap();
        busy.begin_request();
        let (limits, start) = (ConnectionLimits::default(), Instant::now());
        registry.judge(start);
        registry.judge(start + limits.header_timeout);
        assert_eq!(given(&mut silent_orders).await, Some(Order::Drop));
        registry.judge(start + limits.header_timeout * 1_000);
        assert_eq!(given(&mut busy_orders).await, None);
    }

    #[tokio::test]
    async fn a_stop_tells_everybody_to_finish_and_its_end_drops_them() {
        let registry = registry(100);
        let (_activity, mut orders) = admit(&registry, &Peer::Unix).unwrap();
        registry.finish_all();
        assert_eq!(given(&mut orders).await, Some(Order::Finish));
        registry.finish_all();
        assert_eq!(given(&mut orders).await, None);
        assert_eq!(registry.drop_all(), 1);
        assert_eq!(given(&mut orders).await, Some(Order::Drop));
        drop(orders);
        assert_eq!(registry.drop_all(), 0);
    }
}
