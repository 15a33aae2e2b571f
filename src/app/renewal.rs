//! What SIGHUP and renewed files do: certificates are taken over, and said to be.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::AppError;
use crate::clock::NumericDate;
use crate::config::Config;
use crate::denylist::Denylist;
use crate::jobs;
use crate::metrics::Metrics;
use crate::readiness::Readiness;
use crate::shutdown::Stop;
use crate::tls::{Renewal, Renewed, Tls};

/// The remark in `/readyz?verbose`.
const NOTE: &str = "tls";

/// What may be renewed, and who asks for it.
pub(super) struct Renewing {
    /// TLS, where an address needs it.
    pub(super) tls: Option<Tls>,
    hangups: Signal,
}

impl Renewing {
    /// Reads the files of `[tls]`, and takes SIGHUP over for the rest of the process's life: none ends it any more.
    pub(super) fn prepare(config: &Config, metrics: &Metrics) -> Result<Self, AppError> {
        let tls = config.tls_settings().map(|settings| Tls::load(settings, metrics.tls())).transpose()?;
        if let Some(tls) = &tls {
            tracing::info!(not_after = tls.not_after().0, "the certificate is in force");
        }
        // Whoever looks before the server is ready must see no failure.
        metrics.reload_successful.set(1.0);
        let hangups = signal(SignalKind::hangup()).map_err(AppError::system("listen for signals"))?;
        Ok(Self { tls, hangups })
    }

    /// Takes over what is renewed until the jobs stop.
    pub(super) async fn run(mut self, denylist: &Denylist, metrics: &Metrics, readiness: &Readiness, stop: Stop) {
        succeeded(denylist, metrics);
        let mut watched = self.tls.map(Renewal::new);
        if let Some(watched) = &watched {
            warn_if_over(watched.not_after(), denylist);
        }
        let renew = async |asked: bool| match watched.take() {
            Some(mut files) => {
                // A file system can hang, which must not hold up whoever shares this thread.
                let looked = tokio::task::spawn_blocking(move || {
                    let renewed = files.look(asked);
                    (files, renewed)
                });
                match looked.await {
                    Ok((files, renewed)) => {
                        watched = Some(files);
                        tell(renewed, denylist, metrics, readiness);
                    }
                    Err(error) => {
                        tracing::error!(%error, "certificates are not renewed any more: restart the server");
                        metrics.reload_successful.set(0.0);
                    }
                }
            }
            None if asked => {
                tracing::info!("SIGHUP: there is nothing to read again");
                succeeded(denylist, metrics);
            }
            None => {}
        };
        let asked = async || {
            if self.hangups.recv().await.is_none() {
                // None can arrive any more.
                std::future::pending::<()>().await;
            }
        };
        jobs::renew(asked, renew, stop).await;
    }
}

fn tell(renewed: Renewed, denylist: &Denylist, metrics: &Metrics, readiness: &Readiness) {
    match renewed {
        Renewed::Nothing => {}
        Renewed::Taken(not_after) => {
            tracing::info!(not_after = not_after.0, "the certificate files were read again and are in force");
            metrics.reload_successful.set(1.0);
            readiness.clear_note(NOTE);
            succeeded(denylist, metrics);
            warn_if_over(not_after, denylist);
        }
        Renewed::Refused(error) => {
            tracing::error!(%error, "the certificate files cannot be used: those read before stay in force");
            metrics.reload_successful.set(0.0);
            readiness
                .note(NOTE, format!("the certificate files cannot be used, those read before are in force: {error}"));
        }
    }
}

/// A certificate that is over is put in force all the same: perhaps it is the clock that is wrong.
fn warn_if_over(not_after: NumericDate, denylist: &Denylist) {
    if not_after < denylist.status().now.earliest {
        tracing::warn!(not_after = not_after.0, "the certificate in force has ended: clients will refuse it");
    }
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floating-point numbers by their format")]
fn succeeded(denylist: &Denylist, metrics: &Metrics) {
    metrics.reload_success_timestamp.set(denylist.status().now.recorded.0 as f64);
}
