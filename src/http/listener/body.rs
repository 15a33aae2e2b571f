//! A request body that gives up on a client that lets its reader wait.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use bytes::{Buf as _, Bytes};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

/// Bytes that buy a client one more second of waiting: slow lines may send large bodies, but not for ever.
const BYTES_PER_SECOND_MIN: u64 = 64 * 1024;

/// The client sent a body too slowly: 408. Found in the source chain of the error that reading the body gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body did not arrive in time; the limit server.body_timeout_ms is {} ms plus a second per 64 KiB", timeout.as_millis())]
pub struct BodyTimeout {
    /// The configured limit.
    pub timeout: Duration,
}

/// A body whose reads may wait for `timeout` in all, and a second longer for every 64 KiB received.
///
/// Only waiting counts: a handler may take its time between reads. There is no timer until a read has to wait.
pub(super) struct TimedBody<B = Incoming> {
    body: B,
    timeout: Duration,
    received_bytes: u64,
    waited: Duration,
    waiting: Option<Waiting>,
}

struct Waiting {
    since: Instant,
    until: Pin<Box<Sleep>>,
}

impl<B> TimedBody<B> {
    pub(super) const fn new(body: B, timeout: Duration) -> Self {
        Self { body, timeout, received_bytes: 0, waited: Duration::ZERO, waiting: None }
    }

    /// A body has to wait: resolves when it has done so for too long.
    fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let allowed = self.timeout + Duration::from_secs(self.received_bytes / BYTES_PER_SECOND_MIN);
        let left = allowed.saturating_sub(self.waited);
        let waiting = self.waiting.get_or_insert_with(|| {
            let since = Instant::now();
            Waiting { since, until: Box::pin(sleep_until(since + left)) }
        });
        waiting.until.as_mut().poll(cx)
    }
}

impl<B> Body for TimedBody<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
            let timeout = self.timeout;
            return self.poll_timeout(cx).map(|()| Some(Err(BodyTimeout { timeout }.into())));
        };
        if let Some(waiting) = self.waiting.take() {
            self.waited += waiting.since.elapsed();
        }
        if let Some(Ok(frame)) = &frame {
            self.received_bytes += frame.data_ref().map_or(0, Bytes::remaining) as u64;
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body_util::BodyExt as _;
    use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
    use tokio::time::sleep;

    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(100);

    /// A body of what comes through a channel.
    struct Sent(UnboundedReceiver<Bytes>);

    impl Body for Sent {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.0.poll_recv(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
        }
    }

    fn body() -> (UnboundedSender<Bytes>, TimedBody<Sent>) {
        let (sender, receiver) = unbounded_channel();
        (sender, TimedBody::new(Sent(receiver), TIMEOUT))
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_body_ends_in_an_error_that_names_the_limit() {
        let (_sender, body) = body();
        let error = body.collect().await.unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&BodyTimeout { timeout: TIMEOUT }));
        assert!(error.to_string().contains("100 ms"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_now_and_then_does_not_win_more_time() {
        let (sender, body) = body();
        let started = Instant::now();
        let trickle = async {
            while sender.send(Bytes::from_static(b"x")).is_ok() {
                sleep(TIMEOUT / 4).await;
            }
        };
        let read = tokio::select! { read = body.collect() => read, () = trickle => unreachable!() };
        assert!(read.unwrap_err().is::<BodyTimeout>());
        assert!(started.elapsed() <= TIMEOUT * 2, "{:?}", started.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_body_may_take_a_second_more_for_every_64_kib() {
        let (sender, body) = body();
        let chunk = Bytes::from(vec![0; 64 * 1024]);
        let chunks = async move {
            for _ in 0..5 {
                sender.send(chunk.clone()).unwrap();
                sleep(Duration::from_millis(900)).await;
            }
        };
        let (read, ()) = tokio::join!(body.collect(), chunks);
        assert_eq!(read.unwrap().to_bytes().len(), 5 * 64 * 1024);
    }

    #[tokio::test(start_paused = true)]
    async fn only_waiting_counts_not_a_slow_reader() {
        let (sender, mut body) = body();
        sender.send(Bytes::from_static(b"first")).unwrap();
        sender.send(Bytes::from_static(b"second")).unwrap();
        drop(sender);
        while let Some(frame) = body.frame().await {
            frame.unwrap();
            sleep(TIMEOUT * 10).await;
        }
    }
}
