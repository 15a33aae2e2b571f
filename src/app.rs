//! The composition root: builds every part, spawns and awaits every task, and stops them in order.
//!
//! Start: config → lock → journal (verify) → index (prove or mend) and filters → threads → ready. The listeners are
//! bound first and answer probes from the beginning; everything else is 503 until the denylist has caught up (promise
//! 10). Stop: not ready → stop accepting → finish requests → stop jobs → close the journal → exit.

mod admin_key;
mod gauges;
mod listening;
mod loss;
mod offline;
mod parts;
mod renewal;
mod threads;
mod verification;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use self::renewal::Renewing;
use crate::config::{self, Loaded, LogFormat};
use crate::denylist::{self, Denylist, OpenError, Opened};
use crate::grpc::{DescriptorError, Grpc};
use crate::http::listener;
use crate::http::{Door, Gate, Http};
use crate::jobs::{self, JobError};
use crate::journal::{LockError, StoreDir};
use crate::metrics::Metrics;
use crate::readiness::{Condition, Readiness};
use crate::shutdown::{self, Ended, Phase, Signals, Stop};
use crate::telemetry::{self, LogGuard, TelemetryError};
use crate::tls::TlsError;
use crate::verifier::{SettingsError, Verifier};

pub use offline::offline;
pub use verification::{Progress, VerifyReport, verify};

/// How to serve.
#[derive(Debug, Clone, Copy, Default)]
pub struct ServeOptions {
    /// Go on without what the journal has lost.
    pub accept_loss: bool,
}

/// Why the server cannot start or go on, or a command on the data directory failed.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Another process holds the data directory.
    #[error("{} is held by a running server", path.display())]
    Held {
        /// The directory.
        path: PathBuf,
    },
    /// There is nothing to verify.
    #[error("there is no store in {}: no server has run on it yet; look at store.path", path.display())]
    NoStore {
        /// The directory.
        path: PathBuf,
    },
    /// What is written there would not be the server's.
    #[error("{} belongs to another user; run this as the one that the server runs as", path.display())]
    NotOwner {
        /// The directory.
        path: PathBuf,
    },
    /// The data directory cannot be taken.
    #[error(transparent)]
    Lock(LockError),
    /// The denylist cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] listener::BindError),
    /// An address of `server.listen` is none.
    #[error(transparent)]
    Address(#[from] listener::AddressError),
    /// The keys of an issuer cannot be read.
    #[error(transparent)]
    Issuers(#[from] SettingsError),
    /// The gRPC services cannot be described.
    #[error(transparent)]
    Grpc(#[from] DescriptorError),
    /// TLS cannot be had.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Logging cannot be set up.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// Jobs cannot run.
    #[error(transparent)]
    Jobs(#[from] JobError),
    /// The first admin key cannot be made or written.
    #[error("the first admin key cannot be written to {}", path.display())]
    AdminKey {
        /// Where it was to go.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The operating system gives no threads, signals or the like.
    #[error("cannot {what}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
}

impl From<LockError> for AppError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Held { path } => Self::Held { path },
            other @ LockError::Io { .. } => Self::Lock(other),
        }
    }
}

impl AppError {
    fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}

/// Serves until a signal stops it.
///
/// # Errors
/// [`AppError`] where it cannot start.
pub fn serve(loaded: &Loaded, options: ServeOptions) -> Result<(), AppError> {
    let log = &loaded.config.log;
    let format = match log.format {
        LogFormat::Auto => telemetry::Format::Auto,
        LogFormat::Text => telemetry::Format::Text,
        LogFormat::Json => telemetry::Format::Json,
    };
    // With log.checks the access lines of checks, which are at debug, are wanted too.
    let level = if log.checks { format!("{},revokd::access=debug", log.level) } else { log.level.clone() };
    let log = telemetry::init(&level, format)?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if loaded.config.server.worker_threads > 0 {
        runtime.worker_threads(loaded.config.server.worker_threads);
    }
    let runtime = runtime.enable_all().build().map_err(AppError::system("start the runtime"))?;
    let ended = runtime.block_on(async {
        let stop = Stop::new();
        let signals = Signals::install().map_err(AppError::system("listen for signals"))?;
        let drain_delay = Duration::from_millis(loaded.config.server.drain_delay_ms);
        Ok(shutdown::supervise(run(loaded, options, &log, &stop), &stop, signals, drain_delay).await)
    });
    // A read of the index that hangs is left behind too; nothing else is under way any more.
    runtime.shutdown_background();
    match ended {
        Ok(Ended::Finished(result)) => result,
        // The journal is safe at every instant: all that was acknowledged is durable.
        Ok(Ended::Forced(signal)) => std::process::exit(signal.exit_code().into()),
        Err(error) => Err(error),
    }
}

async fn run(loaded: &Loaded, options: ServeOptions, log: &LogGuard, stop: &Stop) -> Result<(), AppError> {
    let config = &loaded.config;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "{}", loaded.describe());
    let metrics = Metrics::new();
    let readiness = Readiness::new();
    let verifier = Arc::new(Verifier::new(config.issuers.clone(), &loaded.base_dir())?);
    let renewing = Renewing::prepare(config, &metrics)?;
    let gate = Gate::new(readiness.clone(), metrics.clone());
    let serving = tokio::spawn(listener::serve(
        listening::bind(config, renewing.tls.as_ref()).await?,
        {
            let grpc = Arc::new(Grpc::new(gate.clone(), readiness.clone())?);
            move |peer, request| grpc.answer(peer, request)
        },
        parts::connection_limits(&config.server),
        metrics.connections.clone(),
        stop.clone(),
    ));
    let opening = {
        let (loaded, metrics) = (loaded.clone(), metrics.clone());
        tokio::task::spawn_blocking(move || open(&loaded, options, &metrics))
    };
    let Opened { denylist, writer, indexer, refiller, recovery, .. } =
        opening.await.map_err(|error| AppError::system("open the denylist")(io::Error::other(error)))??;
    let threads = threads::start(writer, indexer, refiller)?;
    // After an accepted loss the keys may be among what is lost.
    if (recovery.new || options.accept_loss) && denylist.keys().is_empty() {
        admin_key::create(&denylist, &config.store.path).await?;
    }
    purge(&denylist).await;
    let settings = parts::http_settings(config);
    gate.open(Door::new(Http::new(denylist.clone(), verifier.clone(), readiness.clone(), metrics.clone(), settings)));
    for condition in Condition::ALL {
        readiness.set(condition, true);
    }
    tracing::info!(entries = denylist.status().records, "ready");
    let watches = gauges::Watches::default();
    let refresh = || gauges::refresh(&denylist, &metrics, &readiness, &threads, log, &watches);
    let not_ready = async {
        stop.reached(Phase::NotReady).await;
        readiness.set(Condition::Running, false);
    };
    let served = async {
        let served = serving.await;
        stop.advance(Phase::StoppingJobs);
        served
    };
    let (purged, (), (), (), (), served) = tokio::join!(
        purge_regularly(&denylist, &config.purge.schedule, stop),
        jobs::upkeep(&metrics, refresh, stop.clone()),
        verifier.refresh(stop.token_of(Phase::StoppingJobs)),
        renewing.run(&denylist, &metrics, &readiness, stop.clone()),
        not_ready,
        served,
    );
    threads::end(denylist, threads).await?;
    let listener::Served { went_deaf, .. } =
        served.map_err(|error| AppError::system("go on serving")(io::Error::other(error)))?;
    if went_deaf {
        return Err(AppError::system("go on accepting connections")(io::Error::other("an accept loop died")));
    }
    tracing::info!("stopped");
    Ok(purged?)
}

/// Opens the denylist; where the journal is damaged and its loss is accepted, what is left of it.
fn open(loaded: &Loaded, options: ServeOptions, metrics: &Metrics) -> Result<Opened, AppError> {
    let config = &loaded.config;
    let store = Arc::new(StoreDir::open(&config.store.path)?);
    let sources = parts::sources(store, config);
    let clock = parts::clock(&config.clock);
    let issuers = parts::issuers(config)?;
    let settings = parts::denylist_settings(config);
    let opened = denylist::open(&sources, settings.clone(), clock.clone(), issuers.clone(), metrics);
    let opened = match opened {
        Err(damage) if options.accept_loss && damage.is_loss() => {
            tracing::error!(%damage, "the loss is accepted: a new history begins with what is left");
            loss::report(&denylist::accept_loss(&sources, &issuers)?);
            denylist::open(&sources, settings, clock, issuers, metrics)?
        }
        opened => opened?,
    };
    let recovery = &opened.recovery;
    for file in &recovery.audit_lost {
        tracing::error!(file, "audit records are lost: this file is missing or cut short; no entry is");
    }
    tracing::info!(
        events = recovery.events,
        last_seq = recovery.last_seq,
        torn_bytes = recovery.torn_bytes,
        replayed = opened.replayed,
        index_rebuilt = opened.index_rebuilt,
        "the journal is verified, the index proven, the filters are full"
    );
    Ok(opened)
}

/// Purges as `purge.schedule` says. A server that could not would fill up in silence, so it stops.
async fn purge_regularly(denylist: &Denylist, schedule: &config::Schedule, stop: &Stop) -> Result<(), JobError> {
    let schedule = String::from(schedule.clone());
    let purged = jobs::purge(&schedule, || async { denylist.purge().await.map(drop) }, stop.clone()).await;
    if let Err(error) = &purged {
        tracing::error!(%error, "nothing would be purged any more: stopping");
        stop.advance(Phase::Closing);
    }
    purged
}

/// The purge at start: a failure is no reason not to serve.
async fn purge(denylist: &Denylist) {
    if let Err(error) = denylist.purge().await {
        tracing::warn!(%error, "the purge at start failed; the next beat tries again");
    }
}
