//! What one connection is doing, noted in atomics by whoever does it and read by the supervisor.
//!
//! All orderings are relaxed: a beat that sees a value late decides one beat later, and no data is guarded by them.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::task::Poll;

/// How every HTTP/2 connection with prior knowledge begins (RFC 9113 section 3.4), as far as it takes to tell it apart.
const H2_PREFACE_START: &[u8] = b"PRI";

/// Counters of one connection; they wrap, and are only ever compared for equality.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// Reads that brought bytes.
    reads: AtomicU32,
    /// What `reads` was when the last request was answered.
    reads_at_answer: AtomicU32,
    /// Writes that took bytes.
    writes: AtomicU32,
    /// The last write found no room.
    write_blocked: AtomicBool,
    /// Under TLS: writes that the socket took, whoever asked for them.
    sent: AtomicU32,
    /// Under TLS: the socket's last write found no room.
    socket_blocked: AtomicBool,
    /// The TLS handshake is not done.
    handshaking: AtomicBool,
    /// Requests handed to the service.
    begun: AtomicU32,
    /// Requests answered by the service, or given up.
    ended: AtomicU32,
    /// Answers, and pieces of them, that the client has not taken yet.
    under_way: AtomicU32,
    /// Times that the client took some of an answer.
    taken: AtomicU32,
    is_h2: AtomicBool,
}

/// What a connection is doing. Each state has a limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Within the TLS handshake.
    Handshake,
    /// Waiting for the first byte, or for the rest of a request's head.
    Head,
    /// At least one request is with the service.
    Busy,
    /// Between requests.
    Idle,
    /// The client does not take what we send.
    Blocked,
    /// Answers wait for the client's windows (HTTP/2).
    Untaken,
}

/// A state, and the counters that show whether it is still the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Snapshot {
    pub(super) state: State,
    /// Moves when the state has been left in between.
    progress: (u32, u32),
}

impl Activity {
    /// That of a connection that begins with a TLS handshake.
    pub(super) fn handshaking() -> Self {
        Self { handshaking: AtomicBool::new(true), ..Self::default() }
    }

    /// The TLS handshake is done.
    pub(super) fn end_handshake(&self) {
        self.handshaking.store(false, Relaxed);
    }

    /// A request has reached the service.
    pub(super) fn begin_request(&self) {
        self.begun.fetch_add(1, Relaxed);
    }

    /// The service has answered, or will not.
    pub(super) fn end_request(&self) {
        self.reads_at_answer.store(self.reads.load(Relaxed), Relaxed);
        self.ended.fetch_add(1, Relaxed);
    }

    /// An answer, or a piece of one, is there for the client to take.
    pub(super) fn begin_answer(&self) {
        self.under_way.fetch_add(1, Relaxed);
    }

    /// It has been taken, or never will be.
    pub(super) fn end_answer(&self) {
        self.under_way.fetch_sub(1, Relaxed);
    }

    /// The client has taken some of an answer.
    pub(super) fn note_taken(&self) {
        self.taken.fetch_add(1, Relaxed);
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let begun = self.begun.load(Relaxed);
        let state = self.state(begun);
        let progress = match state {
            // Nothing that a client sends wins time.
            State::Handshake => (0, 0),
            // Whatever else such a client asks, sends or is sent (pings), it has answers to take.
            State::Untaken => (0, self.taken.load(Relaxed)),
            // Pings are written on idle connections, ours and the answers to the client's, and must not keep them open.
            State::Idle if self.is_h2.load(Relaxed) => (begun, 0),
            State::Blocked => (begun, self.writes.load(Relaxed).wrapping_add(self.sent.load(Relaxed))),
            // Of what TLS sends by itself (answers to key updates) a client could ask for ever.
            State::Head | State::Busy | State::Idle => (begun, self.writes.load(Relaxed)),
        };
        Snapshot { state, progress }
    }

    fn state(&self, begun: u32) -> State {
        if self.handshaking.load(Relaxed) {
            return State::Handshake;
        }
        if self.write_blocked.load(Relaxed) || self.socket_blocked.load(Relaxed) {
            return State::Blocked;
        }
        if self.under_way.load(Relaxed) > 0 {
            return State::Untaken;
        }
        if begun != self.ended.load(Relaxed) {
            return State::Busy;
        }
        // Pings and window updates are no sign of a request, so HTTP/2 is idle whenever no stream is open.
        if self.is_h2.load(Relaxed) {
            return State::Idle;
        }
        if begun == 0 || self.reads.load(Relaxed) != self.reads_at_answer.load(Relaxed) {
            State::Head
        } else {
            State::Idle
        }
    }

    /// Bytes have come in.
    pub(super) fn note_read(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if self.reads.fetch_add(1, Relaxed) == 0 {
            self.is_h2.store(bytes.starts_with(H2_PREFACE_START), Relaxed);
        }
    }

    /// The socket under TLS has been tried: what TLS has taken from us may still lie in its buffer.
    pub(super) fn note_sent<T>(&self, written: &Poll<io::Result<T>>) {
        if written.is_ready() {
            self.sent.fetch_add(1, Relaxed);
        }
        self.socket_blocked.store(written.is_pending(), Relaxed);
    }

    /// A write has been tried.
    pub(super) fn note_write<T>(&self, written: &Poll<io::Result<T>>) {
        match written {
            Poll::Ready(_) => {
                self.writes.fetch_add(1, Relaxed);
                if self.write_blocked.load(Relaxed) {
                    self.write_blocked.store(false, Relaxed);
                }
            }
            Poll::Pending => self.write_blocked.store(true, Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_http1_connection_goes_from_head_to_busy_to_idle_and_back_to_head() {
        let activity = Activity::default();
        assert_eq!(activity.snapshot().state, State::Head, "silent");
        activity.note_read(b"GET");
        assert_eq!(activity.snapshot().state, State::Head);
        activity.note_read(b" / HTTP/1.1\r\n\r\n");
        activity.begin_request();
        assert_eq!(activity.snapshot().state, State::Busy);
        activity.end_request();
        assert_eq!(activity.snapshot().state, State::Idle);
        activity.note_read(b"GE");
        assert_eq!(activity.snapshot().state, State::Head);
    }

    #[test]
    fn a_head_that_grows_byte_by_byte_stays_the_same_state() {
        let activity = Activity::default();
        activity.note_read(b"G");
        let before = activity.snapshot();
        activity.note_read(b"E");
        assert_eq!(activity.snapshot(), before);
    }

    #[test]
    fn an_http2_connection_without_streams_is_idle_whatever_it_sends() {
        let activity = Activity::default();
        activity.note_read(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let before = activity.snapshot();
        assert_eq!(before.state, State::Idle);
        activity.note_read(b"a ping");
        activity.note_write(&Poll::Ready(Ok(8)));
        assert_eq!(activity.snapshot(), before);
    }

    #[test]
    fn a_write_without_room_blocks_until_one_finds_some() {
        let activity = Activity::default();
        activity.begin_request();
        activity.note_write(&Poll::<io::Result<usize>>::Pending);
        assert_eq!(activity.snapshot().state, State::Blocked);
        activity.note_write(&Poll::Ready(Ok(1)));
        assert_eq!(activity.snapshot().state, State::Busy);
    }

    #[test]
    fn nothing_that_is_sent_within_a_handshake_wins_time() {
        let activity = Activity::handshaking();
        let before = activity.snapshot();
        assert_eq!(before.state, State::Handshake);
        activity.note_sent(&Poll::Ready(Ok(8)));
        activity.note_sent(&Poll::<io::Result<usize>>::Pending);
        assert_eq!(activity.snapshot(), before);
        activity.note_sent(&Poll::Ready(Ok(8)));
        activity.end_handshake();
        assert_eq!(activity.snapshot().state, State::Head);
    }

    #[test]
    fn what_tls_holds_back_blocks_and_what_it_sends_by_itself_is_no_request() {
        let activity = Activity::default();
        let silent = activity.snapshot();
        activity.note_sent(&Poll::Ready(Ok(8)));
        assert_eq!(activity.snapshot(), silent);
        activity.begin_request();
        activity.note_write(&Poll::Ready(Ok(8)));
        activity.note_sent(&Poll::<io::Result<usize>>::Pending);
        let blocked = activity.snapshot();
        assert_eq!(blocked.state, State::Blocked);
        activity.note_sent(&Poll::Ready(Ok(8)));
        activity.note_sent(&Poll::<io::Result<usize>>::Pending);
        assert_eq!(activity.snapshot().state, State::Blocked);
        assert_ne!(activity.snapshot(), blocked, "the client takes some");
    }

    #[test]
    fn answers_are_untaken_until_the_client_takes_some_whatever_else_it_asks() {
        let activity = Activity::default();
        activity.begin_request();
        activity.begin_answer();
        activity.end_request();
        let before = activity.snapshot();
        assert_eq!(before.state, State::Untaken);
        activity.note_write(&Poll::Ready(Ok(8)));
        activity.begin_request();
        assert_eq!(activity.snapshot(), before);
        activity.note_taken();
        assert_ne!(activity.snapshot(), before);
        activity.end_answer();
        assert_eq!(activity.snapshot().state, State::Busy);
    }
}
