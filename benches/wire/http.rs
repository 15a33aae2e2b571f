//! As much of an HTTP client as loading and readiness need; the measured load comes from `wrk`.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// Sends one request on a connection of its own and gives status and body.
///
/// # Errors
/// Whatever the connection fails with, or `InvalidData` for an answer that is no HTTP.
pub(crate) fn request(port: u16, head: &str, key: &str, media_type: &str, body: &[u8]) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_mins(10)))?;
    let length = body.len();
    let head = format!(
        "{head} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\nx-api-key: {key}\r\n\
         content-type: {media_type}\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, answer.clone()))?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, body.to_owned()))
}
