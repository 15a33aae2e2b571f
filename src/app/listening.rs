//! Listening on every address of `server.listen`.

use super::AppError;
use crate::config::{Config, ListenAddress};
use crate::gateway::Profile;
use crate::http::listener::{self, Bound};
use crate::keys::{Caller, Scope, Scopes};
use crate::tls::Tls;

/// Listens, and says on what: port 0 takes a free one.
///
/// An address that a `[[gateways]]` section names stands for that gateway.
pub(super) async fn bind(config: &Config, tls: Option<&Tls>) -> Result<Vec<Bound>, AppError> {
    let files = listener::raise_open_files_limit();
    tracing::debug!(files, "open files are limited");
    let listen = &config.server.listen;
    let mut listeners = Vec::with_capacity(listen.len());
    for address in listen {
        let listener = match (address, tls) {
            (ListenAddress::Tls(host_port), Some(tls)) => Bound::bind_tls(host_port, tls.clone()).await?,
            // Where TLS is missing this fails: `tls://…` is no address without it.
            _ => Bound::bind(&address.to_string().parse()?).await?,
        };
        tracing::info!(address = %listener, "listening");
        let text = address.to_string();
        let stands_for = config.gateways.iter().any(|gateway| gateway.listen.contains(&text));
        let caller = || Caller::new(Profile::caller_on(&text), Scopes::of(&[Scope::Check]));
        listeners.push(listener.standing_for(stands_for.then(caller)));
    }
    Ok(listeners)
}
