//! The stream of one connection, between the socket and hyper: notes what passes, and writes in turns.
//!
//! A runtime that answers one connection after another wakes the other end with every single write, and where the other
//! ends are few (a gateway's connections come from few threads) waking costs more than the answer itself. So a write
//! first lets every other task that is ready run, and what they answer goes out together, as Redis does it. A connection
//! alone on its thread loses well below a microsecond; fifty on one core cost a quarter less (`benches/README.md`).

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::Activity;

/// A stream whose reads and writes are noted in an [`Activity`], and that lets others run before it writes.
#[derive(Debug)]
pub(super) struct Stream<T> {
    socket: T,
    activity: Arc<Activity>,
    has_yielded: bool,
}

impl<T> Stream<T> {
    pub(super) const fn new(socket: T, activity: Arc<Activity>) -> Self {
        Self { socket, activity, has_yielded: false }
    }

    /// Whether the tasks that are ready have had their turn since the last flush; if not, they get it now.
    fn poll_turn(&mut self, cx: &Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.has_yielded, true) {
            return Poll::Ready(());
        }
        // A task that wakes itself goes to the end of its thread's queue.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Stream<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let filled = buf.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(cx, buf);
        self.activity.note_read(&buf.filled()[filled..]);
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Stream<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        std::task::ready!(self.poll_turn(cx));
        let written = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.activity.note_write(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        std::task::ready!(self.poll_turn(cx));
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.activity.note_write(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.has_yielded = false;
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// The socket under TLS: notes what it takes, which is not what TLS takes from us.
#[derive(Debug)]
pub(super) struct Socket<T> {
    socket: T,
    activity: Arc<Activity>,
}

impl<T> Socket<T> {
    pub(super) const fn new(socket: T, activity: Arc<Activity>) -> Self {
        Self { socket, activity }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Socket<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Socket<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.activity.note_sent(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.activity.note_sent(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn an_answer_lets_every_ready_task_run_before_it_is_written() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let mut stream = Stream::new(ours, Arc::default());
        let (ready, mut is_ready) = tokio::sync::oneshot::channel();
        let other = tokio::spawn(async move { ready.send(()) });
        for part in [&b"one"[..], b"two"] {
            stream.write_all(part).await.unwrap();
        }
        assert!(is_ready.try_recv().is_ok(), "the other task has not run");
        other.await.unwrap().unwrap();
        stream.flush().await.unwrap();
        let mut written = [0; 6];
        tokio::io::AsyncReadExt::read_exact(&mut theirs, &mut written).await.unwrap();
        assert_eq!(&written, b"onetwo");
    }
}
