//! The body of an answer, and each piece of it that the protocol holds: under way until the client has taken it.
//!
//! Over HTTP/1.1 a piece is copied into the connection's buffer and gone at once. Over HTTP/2 it lies in memory until the
//! client's windows let it through, which may be never: that is what the registry must be able to see.

use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use hyper::body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::activity::Activity;

/// Something that the client is to take; it has been, or never will be, when this is dropped.
struct UnderWay {
    activity: Arc<Activity>,
}

impl UnderWay {
    fn new(activity: Arc<Activity>) -> Self {
        activity.begin_answer();
        Self { activity }
    }
}

impl Clone for UnderWay {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.activity))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.activity.end_answer();
    }
}

pin_project! {
    /// A body whose pieces are noted while they are under way.
    pub(super) struct AnswerBody<B> {
        #[pin]
        body: B,
        under_way: UnderWay,
    }
}

impl<B> AnswerBody<B> {
    pub(super) fn new(body: B, activity: Arc<Activity>) -> Self {
        Self { body, under_way: UnderWay::new(activity) }
    }
}

impl<B: Body> Body for AnswerBody<B> {
    type Data = Piece<B::Data>;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx));
        let piece = |data| Piece { data, under_way: this.under_way.clone() };
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A piece of a body.
pub(super) struct Piece<D> {
    data: D,
    under_way: UnderWay,
}

impl<D: Buf> Buf for Piece<D> {
    fn remaining(&self) -> usize {
        self.data.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.data.chunk()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.data.chunks_vectored(slices)
    }

    fn advance(&mut self, bytes: usize) {
        self.under_way.activity.note_taken();
        self.data.advance(bytes);
    }
}
