//! Listening on every address of `server.listen`.

use super::AppError;
use crate::config::{ListenAddress, Server};
use crate::http::listener::{self, Bound};
use crate::tls::Tls;

/// Listens, and says on what: port 0 takes a free one.
pub(super) async fn bind(server: &Server, tls: Option<&Tls>) -> Result<Vec<Bound>, AppError> {
    let files = listener::raise_open_files_limit();
    tracing::debug!(files, "open files are limited");
    let mut listeners = Vec::with_capacity(server.listen.len());
    for address in &server.listen {
        let listener = match (address, tls) {
            (ListenAddress::Tls(host_port), Some(tls)) => Bound::bind_tls(host_port, tls.clone()).await?,
            // Where TLS is missing this fails: `tls://…` is no address without it.
            _ => Bound::bind(&address.to_string().parse()?).await?,
        };
        tracing::info!(address = %listener, "listening");
        listeners.push(listener);
    }
    Ok(listeners)
}
