//! Who is at the other end of a connection.

use std::net::SocketAddr;

use crate::keys::Caller;

/// Who is at the other end of a connection; an extension of every request. Cloning allocates nothing.
#[derive(Debug, Clone)]
pub enum Peer {
    /// Over TCP, from this address.
    Tcp(SocketAddr),
    /// Over TLS.
    Tls {
        /// From this address.
        address: SocketAddr,
        /// Who it is by the certificate that the handshake has verified, if anybody.
        caller: Option<Caller>,
    },
    /// Over a Unix socket of this machine.
    Unix,
    /// Over a listener that stands for somebody, whoever connects to it.
    Gateway {
        /// From this address; none over a Unix socket.
        address: Option<SocketAddr>,
        /// Who it stands for.
        caller: Caller,
    },
}

impl Peer {
    /// The address at the other end; none over a Unix socket.
    #[must_use]
    pub const fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) | Self::Tls { address, .. } => Some(*address),
            Self::Gateway { address, .. } => *address,
            Self::Unix => None,
        }
    }

    /// Whether the caller is on this machine.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        match self.address() {
            Some(address) => address.ip().is_loopback(),
            None => true,
        }
    }

    /// The same peer after its handshake. A certificate says more than a listener.
    pub(super) fn known_as(self, shown: Option<Caller>) -> Self {
        match self {
            Self::Tls { address, caller } => Self::Tls { address, caller: shown.or(caller) },
            other @ (Self::Tcp(_) | Self::Unix | Self::Gateway { .. }) => other,
        }
    }

    /// Who it is by its certificate or listener, if anybody.
    #[must_use]
    pub const fn caller(&self) -> Option<&Caller> {
        match self {
            Self::Tls { caller, .. } => caller.as_ref(),
            Self::Gateway { caller, .. } => Some(caller),
            Self::Tcp(_) | Self::Unix => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_unix_callers_are_local() {
        assert!(Peer::Unix.is_local());
        assert!(Peer::Tcp("127.0.0.1:1".parse().unwrap()).is_local());
        assert!(Peer::Tcp("[::1]:1".parse().unwrap()).is_local());
        assert!(!Peer::Tcp("192.0.2.1:1".parse().unwrap()).is_local());
    }
}
