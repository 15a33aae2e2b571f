//! The authority: an append-only, checksummed journal of events, committed in groups (promises 1, 2, 8).
//!
//! One owner, the writer, appends a [`Group`] as one frame with one write and one `fdatasync`; what [`Journal::append`]
//! has answered for survives the loss of power. [`Journal::open`] verifies every byte: a torn last frame is cut, damage
//! refuses by name. [`Journal::reclaim`] forgets what has ended, by time alone; what it drops goes to the audit's archive
//! first, and every event is a link of one chain of hashes. Nothing else in revokd syncs files that
//! matter; nothing here spawns, locks or reads a clock. `docs/STORAGE.md` has the format and its reasons.
//!
//! Reading order: `frame`, `group` and `manifest` are the bytes, `reader` and `segment` read and write one file, `recovery` judges
//! all of them, `open` goes on from there, `replay` reads once more, `reclaim` and `salvage` make new ones of old. `chain`
//! is the hash, `walk` and `links` hold segments against it, `archive` keeps what the journal forgets, `trail` reads both as
//! the audit. `disk` is the fault seam.

mod archive;
mod chain;
mod disk;
mod entry;
mod error;
mod frame;
mod group;
mod links;
mod lock;
mod manifest;
mod open;
mod options;
mod reader;
mod reclaim;
mod recovery;
mod replay;
mod report;
mod salvage;
mod segment;
mod tally;
mod trail;
mod verify;
mod walk;

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::clock::NumericDate;
use crate::event::Seq;

pub use chain::Head;
pub use disk::{Disk, DiskFile, Mode, StoreDir, write_private};
pub use error::{AppendError, JournalError};
pub use frame::FRAME_BYTES_MAX;
pub use group::{Group, GroupError};
pub use lock::LockError;
pub use open::is_new;
pub use options::{AuditOptions, Options};
pub use reclaim::Reclaimed;
pub use replay::Snapshot;
pub use report::{AuditReport, Recovery, Stats, VerifyReport};
pub use salvage::{Salvage, Skipped, rebuild, salvage, salvage_archive};
pub use trail::{Trail, TrailError};
pub use verify::verify;

use entry::Entry;
use manifest::Manifest;
use reclaim::Rewrite;
use segment::{Segment, SegmentWriter};

/// The journal's directory in the store.
const DIR: &str = "journal";

/// Names one history of events: random, and another one after every loss that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HistoryId(pub [u8; 16]);

impl fmt::Display for HistoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Whether writes may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Good,
    /// A write was refused; a probe comes first.
    Refused,
    /// A sync failed; never again.
    Failed,
}

/// The journal, open for writing. There is one per store, and it has one owner.
pub struct Journal {
    disk: Arc<dyn Disk>,
    dir: &'static str,
    options: Options,
    history: HistoryId,
    generation: u64,
    next_id: u64,
    last_seq: Seq,
    last_recorded: Option<NumericDate>,
    /// The chain after the last event.
    head: Head,
    /// The first `seq` from which on the audit has every record.
    audit_from: Seq,
    /// The latest instant by which anything was forgotten.
    forgotten: NumericDate,
    /// What was dropped or rewritten and is kept for the audit, in order of `seq`.
    archived: Vec<Entry>,
    /// All sealed segments that are a part of the audit, as the manifest lists them.
    records: Arc<[Entry]>,
    sealed: Vec<Segment>,
    /// Made by the first append, so that opening needs no room on the disk.
    active: Option<SegmentWriter>,
    rewrite: Option<Rewrite>,
    health: Health,
}

impl Journal {
    /// The history that this journal records.
    #[must_use]
    pub fn history(&self) -> HistoryId {
        self.history
    }

    /// Makes a group durable: one frame, one write, one `fdatasync`. `recorded_at` is the clock's `earliest`. An empty
    /// group is a closing frame: it proves that the frame before it is whole, and records the time.
    ///
    /// # Errors
    /// [`AppendError::Refused`]: the group is not in the journal. [`AppendError::Failed`]: it may be or not, and this
    /// journal takes no more.
    pub fn append(&mut self, recorded_at: NumericDate, group: &mut Group) -> Result<(), AppendError> {
        if let Some((first, _)) = group.seqs().filter(|(first, _)| *first <= self.last_seq) {
            let what = format!("event {first} cannot follow event {}", self.last_seq);
            return Err(AppendError::refused(self.dir)(io::Error::new(io::ErrorKind::InvalidInput, what)));
        }
        self.probe()?;
        self.append_frame(recorded_at, group)
    }

    /// After [`AppendError::Refused`], tries whether a closing frame can be written and synced, and if so takes writes
    /// again. Every [`append`](Self::append) does so by itself. Without a refusal there is nothing to do.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn probe(&mut self) -> Result<(), AppendError> {
        guard(self.health)?;
        if let (Health::Refused, Some(active)) = (self.health, &mut self.active) {
            active.cut()?;
            if let Some(recorded_at) = self.last_recorded {
                self.append_frame(recorded_at, &mut Group::new())?;
            }
        }
        self.health = Health::Good;
        Ok(())
    }

    fn append_frame(&mut self, recorded_at: NumericDate, group: &mut Group) -> Result<(), AppendError> {
        let Options { zero_ahead_bytes, segment_bytes, .. } = self.options;
        let room = self.make_room(recorded_at, group.frame_bytes());
        let appended = room.and_then(|active| {
            let left = segment_bytes.saturating_sub(active.segment.entry.bytes + group.frame_bytes());
            active.append(recorded_at, group, zero_ahead_bytes.min(left))
        });
        if let Err(error) = &appended {
            self.note_failure(error);
        } else {
            self.last_seq = group.seqs().map_or(self.last_seq, |(_, last)| last);
            self.last_recorded = Some(recorded_at);
            self.head = self.active.as_ref().map_or(self.head, |active| active.segment.head);
        }
        appended
    }

    /// The active segment, with room for a frame; sealed and begun anew where there was none.
    fn make_room(&mut self, recorded_at: NumericDate, frame_bytes: u64) -> Result<&mut SegmentWriter, AppendError> {
        let is_full = |active: &SegmentWriter| {
            let Entry { frames, bytes, .. } = active.segment.entry;
            frames > 0 && bytes + frame_bytes > self.options.segment_bytes
        };
        if self.active.as_ref().is_some_and(is_full) {
            self.seal_active(self.last_recorded.unwrap_or(recorded_at))?;
        }
        if self.active.is_none() {
            self.begin_active()?;
        }
        self.active.as_mut().ok_or_else(|| AppendError::failed(self.dir)(io::Error::other("no active segment")))
    }

    /// The file first, then the manifest that lists it: a listed segment is never missing.
    fn begin_active(&mut self) -> Result<(), AppendError> {
        let entry = Entry::new(self.history, self.take_id(), 0, self.head);
        let active = SegmentWriter::create(&*self.disk, self.dir, self.history, entry)?;
        self.disk.sync_dir(self.dir).map_err(AppendError::failed(self.dir))?;
        self.active = Some(active);
        self.write_manifest().inspect_err(|error| {
            self.active = None;
            self.remove_unlisted(&entry, error);
        })
    }

    /// Removes a new segment's file when the manifest that was to list it was refused. After a failure nobody knows
    /// whether it is listed, so it stays.
    fn remove_unlisted(&self, entry: &Entry, error: &AppendError) {
        if matches!(error, AppendError::Refused { .. }) {
            _ = self.disk.remove(&entry.path(self.dir));
        }
    }

    /// Closes the active segment by a closing frame and cuts it to its length; then the manifest vouches for all of it.
    fn seal_active(&mut self, recorded_at: NumericDate) -> Result<(), AppendError> {
        let Some(mut active) = self.active.take() else { return Ok(()) };
        let closed = active.cut().and_then(|()| active.append(recorded_at, &mut Group::new(), 0));
        let listed = closed.and_then(|()| {
            self.last_recorded = Some(recorded_at);
            self.sealed.push(active.sealed());
            self.write_manifest().inspect_err(|_| _ = self.sealed.pop())
        });
        listed.inspect_err(|_| self.active = Some(active))
    }

    /// Makes the manifest say what is so now.
    fn write_manifest(&mut self) -> Result<(), AppendError> {
        let manifest = Manifest {
            generation: self.generation + 1,
            history: self.history,
            next_id: self.next_id,
            last_seq: self.last_seq,
            last_recorded: self.last_recorded,
            head: self.head,
            audit_from: self.audit_from,
            forgotten: self.forgotten,
            segments: self.segments().map(|segment| segment.entry).collect(),
            archived: self.archived.clone(),
        };
        manifest.write(&*self.disk, self.dir)?;
        self.generation += 1;
        self.records = self.list_records();
        Ok(())
    }

    fn note_failure(&mut self, error: &AppendError) {
        self.health = match error {
            AppendError::Refused { .. } => {
                // Tried at once, since it gives back the zeros in advance; where it fails, the probe tries again.
                _ = self.active.as_mut().map(SegmentWriter::cut);
                Health::Refused
            }
            AppendError::Failed { .. } => Health::Failed,
        };
    }

    fn take_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.sealed.iter().chain(self.active.iter().map(|active| &active.segment))
    }

    /// Ends the journal in order: after this the manifest vouches for every byte, and even rot in the last frame is
    /// noticed.
    ///
    /// # Errors
    /// As [`append`](Self::append); all that was acknowledged is durable nevertheless.
    pub fn close(self, recorded_at: NumericDate) -> Result<(), AppendError> {
        self.close_above(recorded_at, 0)
    }

    /// Ends the journal and lets the next `seq` be above `last_seq_min`.
    fn close_above(mut self, recorded_at: NumericDate, last_seq_min: Seq) -> Result<(), AppendError> {
        guard(self.health)?;
        self.last_seq = self.last_seq.max(last_seq_min);
        self.last_recorded = Some(recorded_at);
        if self.active.is_some() { self.seal_active(recorded_at) } else { self.write_manifest() }
    }

    /// How large the journal is, and how much must be kept at `earliest`: a few hundred additions for each segment.
    #[must_use]
    pub fn stats(&self, earliest: NumericDate) -> Stats {
        let sealed: u64 = self.sealed.iter().map(|segment| segment.entry.bytes).sum();
        Stats {
            bytes_total: sealed + self.active.as_ref().map_or(0, SegmentWriter::allocated),
            bytes_live: self.segments().map(|segment| segment.tally.live_bytes(earliest)).sum(),
            segments: self.segments().count(),
            last_seq: self.last_seq,
            audit_bytes: self.archive_bytes(),
            audit_files: self.archived.len(),
            audit_from: self.audit_from,
            head: self.head,
        }
    }
}

/// Refuses writes after a failed sync.
fn guard(health: Health) -> Result<(), AppendError> {
    match health {
        Health::Good | Health::Refused => Ok(()),
        Health::Failed => Err(AppendError::failed(DIR)(io::Error::other("an earlier sync failed"))),
    }
}
