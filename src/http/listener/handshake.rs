//! The beginning of a connection on a TLS listener. It has no timer: the registry ends what takes too long.

use std::error::Error as _;
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::activity::Activity;
use super::stream::Socket;
use crate::keys::Caller;
use crate::tls::{self, Tls};

/// What somebody reads who has forgotten the `s` of `https`.
const PLAIN_ANSWER: &str = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\
    Content-Length: 44\r\n\r\nthis port speaks TLS; ask it with https://\r\n";

/// Most bytes of a request without TLS that are read, so that its sender gets to read the answer.
const PLAIN_REQUEST_BYTES_MAX: u64 = 64 * 1024;

/// Shakes hands. `None` if that failed, which has been counted.
pub(super) async fn shake(
    mut stream: TcpStream,
    tls: &Tls,
    activity: &Arc<Activity>,
) -> Option<(tls::Stream<Socket<TcpStream>>, Option<Caller>)> {
    if begins_with_http(&stream).await {
        tls.count_plain();
        // It may have gone already.
        let _ = explain(&mut stream).await;
        return None;
    }
    match tls.accept(Socket::new(stream, Arc::clone(activity))).await {
        Ok(shaken) => Some(shaken),
        Err(error) => {
            // Whoever knocks can cause these, so they are counted, and told only to those who ask for every detail.
            tracing::debug!(%error, cause = error.source().map(tracing::field::display), "a TLS handshake failed");
            None
        }
    }
}

/// Whether the client's first byte begins a request instead of a handshake: methods are upper case, and a handshake's
/// first byte is 22 (RFC 8446 section 5.1).
async fn begins_with_http(stream: &TcpStream) -> bool {
    let mut first = [0];
    matches!(stream.peek(&mut first).await, Ok(1) if first[0].is_ascii_uppercase())
}

async fn explain(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(PLAIN_ANSWER.as_bytes()).await?;
    stream.shutdown().await?;
    // Closing with bytes unread would reset the connection, and the answer with it.
    let (mut rest, mut sink) = (stream.take(PLAIN_REQUEST_BYTES_MAX), [0; 1024]);
    while rest.read(&mut sink).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_without_tls_has_the_length_that_it_says() {
        let (head, body) = PLAIN_ANSWER.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{}", body.len());
    }
}
