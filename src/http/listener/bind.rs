//! Where the server listens: `host:port`, or `unix:/path`.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixSocket, UnixStream};

use super::peer::Peer;
use crate::keys::Caller;
use crate::tls::Tls;

/// Connections that the system holds for us until we accept them.
const BACKLOG: u32 = 1024;
/// Owner and group may connect; whoever is let in still needs a key.
const SOCKET_MODE: u32 = 0o660;

/// One entry of `server.listen`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `host:port`; port 0 picks a free one.
    Tcp(String),
    /// `unix:/path`.
    Unix(PathBuf),
}

/// A text that is no [`Address`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is neither `host:port` nor `unix:/path`")]
pub struct AddressError {
    /// The text.
    pub text: String,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || AddressError { text: text.to_owned() };
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.starts_with('/') { Ok(Self::Unix(path.into())) } else { Err(refused()) };
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(refused)?;
        // An IPv6 address without brackets would be split inside.
        let host_is_sound = !host.is_empty() && (!host.contains(':') || host.starts_with('['));
        if !host_is_sound || port.parse::<u16>().is_err() {
            return Err(refused());
        }
        Ok(Self::Tcp(text.to_owned()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The system refused.
    #[error("cannot listen on {address}")]
    Refused {
        /// The address.
        address: Address,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// Another server answers on the Unix socket.
    #[error("cannot listen on unix:{}: another server is listening there", path.display())]
    InUse {
        /// The socket file.
        path: PathBuf,
    },
    /// Something that is not a socket has the path; it is left alone.
    #[error("cannot listen on unix:{}: a file that is no socket is in the way", path.display())]
    NotASocket {
        /// The file.
        path: PathBuf,
    },
}

/// An accepted connection.
pub(super) enum Stream {
    Tcp(TcpStream),
    Tls(TcpStream, Tls),
    Unix(UnixStream),
}

/// A socket that is listened on. Dropping it closes it and removes its file, if it has one.
pub struct Bound {
    socket: Socket,
    /// Who it is that connects, without showing anything.
    stands_for: Option<Caller>,
}

enum Socket {
    Tcp { listener: TcpListener, address: SocketAddr },
    Tls { listener: TcpListener, address: SocketAddr, tls: Tls },
    Unix { listener: UnixListener, file: SocketFile },
}

impl Bound {
    const fn of(socket: Socket) -> Self {
        Self { socket, stands_for: None }
    }

    /// Listens on `address`. A Unix socket's file left by a server that is gone is replaced; it gets mode 0660.
    ///
    /// # Errors
    /// [`BindError`], which names the address.
    pub async fn bind(address: &Address) -> Result<Self, BindError> {
        let refused = |source| BindError::Refused { address: address.clone(), source };
        match address {
            Address::Tcp(host_port) => {
                let listener = bind_tcp(host_port).await.map_err(refused)?;
                let address = listener.local_addr().map_err(refused)?;
                Ok(Self::of(Socket::Tcp { listener, address }))
            }
            Address::Unix(path) => {
                remove_stale(path).await?;
                let (listener, file) = bind_unix(path).map_err(refused)?;
                Ok(Self::of(Socket::Unix { listener, file }))
            }
        }
    }

    /// Listens on `host_port` for connections that begin with a TLS handshake, and serves no others.
    ///
    /// # Errors
    /// [`BindError`], which names the address.
    pub async fn bind_tls(host_port: &str, tls: Tls) -> Result<Self, BindError> {
        let refused = |source| BindError::Refused { address: Address::Tcp(host_port.to_owned()), source };
        let listener = bind_tcp(host_port).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self::of(Socket::Tls { listener, address, tls }))
    }

    /// The address of a TCP socket, with its real port.
    #[must_use]
    pub const fn tcp_address(&self) -> Option<SocketAddr> {
        match &self.socket {
            Socket::Tcp { address, .. } | Socket::Tls { address, .. } => Some(*address),
            Socket::Unix { .. } => None,
        }
    }

    /// The same listener, which stands for `caller`: whoever connects is that.
    #[must_use]
    pub fn standing_for(self, caller: Option<Caller>) -> Self {
        Self { stands_for: caller, ..self }
    }

    pub(super) async fn accept(&self) -> io::Result<(Stream, Peer)> {
        let caller = self.stands_for.clone();
        let standing = |address| move |caller| Peer::Gateway { address, caller };
        match &self.socket {
            Socket::Tcp { listener, .. } => {
                let (stream, address) = listener.accept().await?;
                Ok((Stream::Tcp(stream), caller.map_or(Peer::Tcp(address), standing(Some(address)))))
            }
            Socket::Tls { listener, tls, .. } => {
                let (stream, address) = listener.accept().await?;
                Ok((Stream::Tls(stream, tls.clone()), Peer::Tls { address, caller }))
            }
            Socket::Unix { listener, .. } => {
                let (stream, _unnamed) = listener.accept().await?;
                Ok((Stream::Unix(stream), caller.map_or(Peer::Unix, standing(None))))
            }
        }
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bound({self})")
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Socket::Tcp { address, .. } => address.fmt(f),
            Socket::Tls { address, .. } => write!(f, "tls://{address}"),
            Socket::Unix { file, .. } => write!(f, "unix:{}", file.path.display()),
        }
    }
}

/// Listens on the first address of the name that can be had.
async fn bind_tcp(host_port: &str) -> io::Result<TcpListener> {
    let mut refusal = io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address");
    for address in tokio::net::lookup_host(host_port).await? {
        let listen = || {
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            // A restart must not wait for the connections of the server before to time out.
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen(BACKLOG)
        };
        match listen() {
            Ok(listener) => return Ok(listener),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

fn bind_unix(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    let metadata = fs::symlink_metadata(path)?;
    let file = SocketFile { path: path.to_owned(), device: metadata.dev(), inode: metadata.ino() };
    // Before listening, so that nobody can connect under another mode.
    fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE))?;
    Ok((socket.listen(BACKLOG)?, file))
}

/// Removes the socket file at `path` if nobody listens on it.
async fn remove_stale(path: &Path) -> Result<(), BindError> {
    let refused = |source| BindError::Refused { address: Address::Unix(path.to_owned()), source };
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => {}
        Ok(_) => return Err(BindError::NotASocket { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(refused(error)),
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path).map_err(refused),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // Also when it did not answer for another reason (full backlog, no permission): in doubt it is somebody's.
        Ok(_) | Err(_) => Err(BindError::InUse { path: path.to_owned() }),
    }
}

/// The file of a Unix socket, known by its inode: a later server may have put its own in its place.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| metadata.dev() == self.device && metadata.ino() == self.inode);
        if is_ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "cannot remove the socket file");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_host_and_port_or_a_unix_path() {
        for good in ["127.0.0.1:7009", "localhost:0", "[::1]:7009", "unix:/run/revokd.sock"] {
            assert_eq!(good.parse::<Address>().unwrap().to_string(), good);
        }
        for bad in
            ["", "7009", ":7009", "localhost", "localhost:", "localhost:70000", "::1:7009", "unix:", "unix:relative"]
        {
            assert_eq!(bad.parse::<Address>(), Err(AddressError { text: bad.to_owned() }));
        }
    }
}
