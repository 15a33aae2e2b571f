//! What a first start makes, and in which order: whatever is there when it is killed, the next one is a first start.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use revokd::clock::{Clock, ClockSettings, ManualTime};
use revokd::denylist::{self, OpenError, Sources};
use revokd::index::Index;
use revokd::issuers::Issuers;
use revokd::journal::StoreDir;
use revokd::metrics::Metrics;

use crate::support::{LEEWAY_S, LIFETIME_MAX_S, START, journal_options, opener, settings};

/// Opens a denylist as the server does: an index that is there says that a journal must be too.
fn open(root: &std::path::Path, open_index: impl Fn() + Send + Sync + 'static) -> Result<(), OpenError> {
    let index_path = root.join("index");
    let create = !index_path.exists();
    let sources = Sources {
        disk: Arc::new(StoreDir::open(root).unwrap()),
        journal: revokd::journal::Options { create, ..journal_options() },
        index_path,
        open_index: opener(move |path| {
            open_index();
            Index::open(path, 1 << 20)
        }),
    };
    let clock = Clock::manual(ManualTime::starting_at(START), ClockSettings { step_max_s: 3_600, hold_s: 86_400 });
    let issuers = Issuers::nameless(LIFETIME_MAX_S, LEEWAY_S);
    denylist::open(&sources, settings(), clock, issuers, &Metrics::new()).map(drop)
}

#[test]
fn a_first_start_makes_the_journal_before_the_index() {
    let dir = tempfile::tempdir().unwrap();
    let asked = Arc::new(AtomicBool::new(false));
    let (manifest, noted) = (dir.path().join("journal/MANIFEST"), asked.clone());
    let journal_is_there = move || {
        assert!(manifest.exists(), "killed here, the next start would miss a journal");
        noted.store(true, Ordering::SeqCst);
    };
    open(dir.path(), journal_is_there).unwrap();
    assert!(asked.load(Ordering::SeqCst));
}

#[test]
fn an_index_whose_journal_is_gone_is_no_first_start() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path(), || ()).unwrap();
    std::fs::remove_dir_all(dir.path().join("journal")).unwrap();
    let refused = open(dir.path(), || ()).unwrap_err();
    assert!(matches!(refused, OpenError::Journal(_)), "{refused}");
}
