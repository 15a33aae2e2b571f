//! From what is on disk to a denylist that may serve: journal (verify), index (prove or mend), filters, ready.
//!
//! Journal and index are read once each. The journal's pass folds every event: keys, lifetimes and cutoffs into memory, entries
//! into the digest of their bucket, or into its overlay where the index says itself that it is behind. The index's pass
//! is an ordered scan of every tree, which must give the same digests and fills the filters. If it does not, or fails,
//! panics or stands still, a new generation is built from the journal beside it.

pub(super) mod fold;
mod loss;
pub(super) mod mend;
mod naming;
mod verify;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use self::fold::Fold;
use self::mend::{BuildError, Folded};
use super::Denylist;
use super::filter::FilterError;
use super::indexer::Indexer;
use super::rebuild::Rebuilder;
use super::refill::Refiller;
use super::state::{Parts, Settings, State};
use super::watch::{Doubt, Watch};
use super::writer::Writer;
use crate::clock::{Clock, NumericDate};
use crate::index::{Index, IndexError};
use crate::issuers::Issuers;
use crate::journal::{self, Disk, Journal, JournalError, Recovery};
use crate::metrics::Metrics;
use crate::revocation::{BucketId, Unavailable};
use crate::token::NamingDifference;

pub use loss::{Salvaged, accept_loss};
pub use verify::{IndexState, verify};

/// Opens one generation of the index, under a watchdog.
pub type OpenIndex = Arc<dyn Fn(&Path) -> Result<Index, IndexError> + Send + Sync>;

/// What a denylist is opened from.
pub struct Sources {
    /// Where the journal lies.
    pub disk: Arc<dyn Disk>,
    /// How the journal is cut.
    pub journal: journal::Options,
    /// Directory of the index's generations.
    pub index_path: PathBuf,
    /// Opens one of them; kept, for the index may have to be built anew while the denylist serves.
    pub open_index: OpenIndex,
}

/// A denylist that has caught up, and the threads that the caller is to run.
pub struct Opened {
    /// For the doors.
    pub denylist: Denylist,
    /// Run this on a thread of its own, until [`Denylist::stop`].
    pub writer: Writer,
    /// Run this on a thread of its own; ends after the writer.
    pub indexer: Indexer,
    /// Run this on a thread of its own; ends after the writer.
    pub refiller: Refiller,
    /// What the journal held.
    pub recovery: Recovery,
    /// Events that the index had not taken in, or had lost, and that were replayed.
    pub replayed: u64,
    /// Whether the index was not to be believed and had to be rebuilt.
    pub index_rebuilt: bool,
}

/// Why a denylist cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The journal is damaged, held by another process, or unreadable.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The index holds what the journal does not: the journal, or its last segment, is an older copy.
    #[error(
        "the journal ends at seq {journal_seq}, but the index holds seq {index_seq}: a part of the journal is an older \
         copy; put the newer one back, or start once with --accept-loss"
    )]
    OlderJournal {
        /// Highest place that the index holds.
        index_seq: u64,
        /// Highest place that the journal holds.
        journal_seq: u64,
    },
    /// Even a new generation of the index does not hold what the journal says.
    #[error(
        "the index cannot be built from the journal; where its disk is full, make room for about four times the journal"
    )]
    Index(#[from] IndexError),
    /// A new generation of the index was built and does not prove equal to the journal.
    #[error("a new index in {path} does not prove equal to the journal; the disk or the memory is failing")]
    Unproven {
        /// Where it lies.
        path: PathBuf,
    },
    /// Memory for the filters cannot be had.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// Live entries belong to an issuer that is not configured any more (promise 16).
    #[error(
        "{entries} entries of the issuer {issuer:?} are live, but it is not configured; \
         configure it again, or wait until they have ended"
    )]
    Issuer {
        /// The issuer's name.
        issuer: String,
        /// Its live entries.
        entries: u64,
    },
    /// Live entries were revoked while no issuer was configured; now there is one, and none of them could be reached.
    #[error(
        "{entries} entries are live that were revoked without [[issuers]], and belong to none of those that are \
         configured now; take the [[issuers]] out again, or wait until the entries have ended"
    )]
    Nameless {
        /// The live entries.
        entries: u64,
    },
    /// What live entries were made by is not what is configured now: checks would look for other ones (promise 16).
    #[error(
        "{entries} entries of the issuer {issuer:?} are live, but its tokens are known by other claims now: {difference}; \
         take the change of its [[issuers]] section back, or wait until they have ended"
    )]
    Naming {
        /// The issuer's name.
        issuer: String,
        /// Its live entries.
        entries: u64,
        /// What was changed.
        difference: Box<NamingDifference>,
    },
    /// A lock was poisoned while nobody but this thread could hold it.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl OpenError {
    /// Whether the journal has lost something that nobody can bring back: the only thing that can be accepted.
    #[must_use]
    pub fn is_loss(&self) -> bool {
        let damage = matches!(self, Self::Journal(JournalError::Damaged { .. } | JournalError::Missing { .. }));
        damage || matches!(self, Self::OlderJournal { .. })
    }
}

/// Opens the denylist: verifies the journal, proves or mends the index, fills the filters.
///
/// Reads every byte of journal and index once; linear in the entries held.
///
/// # Errors
/// [`OpenError`], naming file and offset where the journal is damaged.
pub fn open(
    sources: &Sources,
    settings: Settings,
    clock: Clock,
    issuers: Issuers,
    metrics: &Metrics,
) -> Result<Opened, OpenError> {
    // Before the index, which would otherwise outlive a first start that is killed here, and tell of a lost journal.
    Journal::begin_if_new(&sources.disk, sources.journal)?;
    let index = mend::newest_generation(sources);
    let watch = Watch::new(Duration::from_millis(settings.index_timeout_ms));
    let mut fold = Fold::over(index, settings.overlay_entries_max, watch.clone());
    let (mut journal, recovery) =
        Journal::open(sources.disk.clone(), sources.journal, &mut |raw, event| fold.take(raw, event))?;
    if let Some(last_recorded) = recovery.last_recorded {
        clock.start_after(last_recorded);
    }
    if let Some(ahead) = fold.index_ahead_of(recovery.last_seq) {
        return Err(OpenError::OlderJournal { index_seq: ahead, journal_seq: recovery.last_seq });
    }
    fold.forget_ended(clock.forgettable());
    check_issuers(&fold, &issuers)?;
    naming::settle(&fold, &issuers, &mut journal, clock.now())?;
    let replayed = fold.replayed;
    let (folded, index_rebuilt) = match mend::prove(fold, &settings) {
        Ok(folded) => (folded, false),
        Err(doubt) => {
            tracing::warn!(%doubt, "the index is not equal to the journal; it is rebuilt from it");
            (rebuild(sources, &journal, &settings, clock.forgettable(), &watch)?, true)
        }
    };
    mend::remove_other_generations(&sources.index_path, folded.buckets.generation().index.path());
    let now = clock.now().earliest;
    let parts = Parts {
        settings,
        clock,
        issuers,
        keys: folded.keys,
        front: folded.front,
        buckets: folded.buckets,
        cutoffs: folded.cutoffs,
        index_rebuilt,
        lifetimes: folded.lifetimes,
        journal: journal.stats(now),
        metrics: metrics.clone(),
    };
    let state = Arc::new(State::new(parts));
    // Bounded by the places of the changes in it.
    let (commands, waiting) = mpsc::channel();
    let (to_indexer, for_indexer) = mpsc::channel();
    let (want_refill, wanted) = mpsc::sync_channel(1);
    let denylist = Denylist::new(state.clone(), commands.clone());
    Ok(Opened {
        writer: Writer::new(state.clone(), journal, waiting, to_indexer, want_refill, folded.usage),
        indexer: Indexer::new(state.clone(), for_indexer, Rebuilder::new(state.clone(), sources, commands)),
        refiller: Refiller::new(denylist.clone(), state, wanted),
        denylist,
        recovery,
        replayed,
        index_rebuilt,
    })
}

/// Builds a new generation of the index from a journal that has just been verified.
fn rebuild(
    sources: &Sources,
    journal: &Journal,
    settings: &Settings,
    forgettable: NumericDate,
    watch: &Watch,
) -> Result<Folded, OpenError> {
    let is_held = |bucket: BucketId| bucket.end() > forgettable;
    let (_, path) = mend::next_generation(&sources.index_path, 0);
    // The journal is whole, so nothing of them is needed, and the disk may have no room for both.
    mend::remove_other_generations(&sources.index_path, &path);
    let built = mend::build(&sources.open_index, &path, journal.snapshot()?, settings, is_held, watch);
    // Nor is a part of the new one: a supervisor that tries again and again would fill the disk with them.
    let built = built.inspect_err(|_| mend::remove_generation(&path));
    built.map_err(|error| match error {
        BuildError::Journal(error) => OpenError::Journal(error),
        BuildError::Doubt(Doubt::Index(error)) => OpenError::Index(error),
        BuildError::Doubt(Doubt::Memory(unavailable)) => OpenError::Unavailable(unavailable),
        BuildError::Doubt(Doubt::Unequal(_) | Doubt::Panicked | Doubt::Stuck | Doubt::Ending) => {
            OpenError::Unproven { path }
        }
    })
}

/// Entries of an issuer that left the config could be reached by no check: they would read as good.
fn check_issuers(fold: &Fold, issuers: &Issuers) -> Result<(), OpenError> {
    for (name, entries) in fold.usage.issuers() {
        if !issuers.iter().any(|limits| limits.issuer.as_str() == name) {
            return Err(match name {
                "" => OpenError::Nameless { entries },
                name => OpenError::Issuer { issuer: name.to_owned(), entries },
            });
        }
    }
    Ok(())
}
