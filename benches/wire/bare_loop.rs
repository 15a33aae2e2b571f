//! The yardstick of a check: a readiness loop on one thread that finds the end of a request and answers a constant.
//!
//! It parses nothing, allocates nothing per request and knows no limit: about the least that an HTTP answer can cost on
//! this machine. Not a server for any other use.

use std::io::{self, Read as _, Write as _};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

/// The same head as revokd's and a body of the same shape, so that the same bytes cross the loopback.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncache-control: no-store\r\n\
    content-length: 34\r\ndate: Sun, 01 Nov 2026 00:00:00 GMT\r\n\r\n{\"revoked\":false,\"judged\":[\"jti\"]}";
const END_OF_HEAD: &[u8] = b"\r\n\r\n";
const LISTENER: Token = Token(0);

/// Serves on the port until the process is ended.
pub(crate) fn serve(port: u16) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1_024);
    let mut listener = TcpListener::bind(([127, 0, 0, 1], port).into())?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    // Connection n has token n + 1; a place is not used again.
    let mut connections: Vec<Option<Connection>> = Vec::new();
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true)?;
                    let token = Token(connections.len() + 1);
                    poll.registry().register(&mut stream, token, Interest::READABLE)?;
                    connections.push(Some(Connection { stream, unread: Vec::with_capacity(4_096) }));
                }
            } else {
                let place = &mut connections[event.token().0 - 1];
                if place.as_mut().is_some_and(|connection| !connection.answer()) {
                    *place = None;
                }
            }
        }
    }
}

struct Connection {
    stream: TcpStream,
    /// The beginning of a request whose end has not come in.
    unread: Vec<u8>,
}

impl Connection {
    /// Answers every request that has come in whole; false when the connection is over.
    fn answer(&mut self) -> bool {
        let mut buffer = [0; 16_384];
        loop {
            let length = match self.stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            };
            self.unread.extend_from_slice(&buffer[..length]);
            while let Some(at) = self.unread.windows(END_OF_HEAD.len()).position(|bytes| bytes == END_OF_HEAD) {
                self.unread.drain(..at + END_OF_HEAD.len());
                // An answer of 170 bytes fits the socket's buffer as long as the client reads what it asked for.
                if self.stream.write_all(ANSWER).is_err() {
                    return false;
                }
            }
            // A read that does not fill the buffer has emptied the socket: no second call to be told so.
            if length < buffer.len() {
                return true;
            }
        }
    }
}
