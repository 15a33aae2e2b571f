//! From what is on disk to a journal that takes writes.

use std::io;
use std::sync::Arc;

use super::disk::Disk;
use super::error::{AppendError, JournalError};
use super::manifest::Manifest;
use super::recovery::{Scan, Tail};
use super::report::Recovery;
use super::segment::SegmentWriter;
use super::{DIR, Health, HistoryId, Journal, Options, salvage};
use crate::event::Event;

impl Journal {
    /// Verifies every byte of the journal and hands each event, in order of `seq`, to `visit`; then cuts off a torn last
    /// frame and removes leftovers. Streams: memory does not grow with the number of events.
    ///
    /// # Errors
    /// [`JournalError`]; what `visit` was given until then must be thrown away.
    pub fn open(
        disk: Arc<dyn Disk>,
        options: Options,
        visit: &mut dyn FnMut(&[u8], &Event<'_>),
    ) -> Result<(Self, Recovery), JournalError> {
        Self::begin_if_new(&disk, options)?;
        let manifest = Manifest::read(&*disk, DIR)?.ok_or_else(|| JournalError::Missing { file: DIR.to_owned() })?;
        let scan = Scan::run(&*disk, DIR, manifest, visit, &mut |_, _| {})?;
        let (events, leftovers) = (scan.events, scan.leftovers.clone());
        let torn_bytes = scan.tail.as_ref().map_or(0, |tail| tail.torn_bytes);
        let journal = Self::resume(disk, options, scan)?;
        journal.remove_leftovers(&leftovers)?;
        let audit_lost = journal.settle_archive()?;
        let recovery = Recovery { audit_lost, ..journal.recovery(events, torn_bytes) };
        Ok((journal, recovery))
    }

    /// Begins an empty journal where the store is new, and does nothing where there is a journal.
    ///
    /// [`open`](Self::open) does the same. Whoever makes something beside the journal calls this before: a crash in
    /// between must not leave a store that looks as if it had lost its journal.
    ///
    /// # Errors
    /// [`JournalError`]: there is no journal, and the store is not new.
    pub fn begin_if_new(disk: &Arc<dyn Disk>, options: Options) -> Result<(), JournalError> {
        salvage::adopt(&**disk)?;
        if Manifest::read(&**disk, DIR)?.is_some() {
            return Ok(());
        }
        if !options.create || salvage::traces(&**disk)?.is_some() {
            return Err(JournalError::Missing { file: DIR.to_owned() });
        }
        Self::create(disk.clone(), DIR, options).map(drop)
    }

    /// Begins an empty journal in `dir`.
    pub(super) fn create(disk: Arc<dyn Disk>, dir: &'static str, options: Options) -> Result<Self, JournalError> {
        disk.create_dir(dir).map_err(JournalError::io("make", dir))?;
        disk.sync_dir("").map_err(AppendError::failed(dir))?;
        let mut id = [0; 16];
        getrandom::fill(&mut id)
            .map_err(|error| JournalError::io("make a history id for", dir)(io::Error::other(error)))?;
        let manifest = Manifest::new(HistoryId(id));
        manifest.write(&*disk, dir)?;
        Ok(Self {
            disk,
            dir,
            options,
            history: manifest.history,
            generation: manifest.generation,
            next_id: manifest.next_id,
            last_seq: manifest.last_seq,
            last_recorded: manifest.last_recorded,
            head: manifest.head,
            audit_from: manifest.audit_from,
            forgotten: manifest.forgotten,
            archived: Vec::new(),
            records: Arc::default(),
            sealed: Vec::new(),
            active: None,
            rewrite: None,
            health: Health::Good,
        })
    }

    /// Goes on where a verified journal ends.
    fn resume(disk: Arc<dyn Disk>, options: Options, scan: Scan) -> Result<Self, JournalError> {
        let active = match scan.tail {
            Some(Tail { segment, last_frame, .. }) => {
                Some(SegmentWriter::resume(&*disk, DIR, scan.history, segment, &last_frame)?)
            }
            None => None,
        };
        // A name that a killed step has made or removed may not be durable yet.
        disk.sync_dir(DIR).map_err(AppendError::failed(DIR))?;
        let mut journal = Self {
            disk,
            dir: DIR,
            options,
            history: scan.history,
            generation: scan.generation,
            next_id: scan.next_id,
            last_seq: scan.last_seq,
            last_recorded: scan.last_recorded,
            head: scan.head,
            audit_from: scan.audit_from,
            forgotten: scan.forgotten,
            archived: scan.archived,
            records: Arc::default(),
            sealed: scan.sealed,
            active,
            rewrite: None,
            health: Health::Good,
        };
        journal.records = journal.list_records();
        Ok(journal)
    }

    fn remove_leftovers(&self, names: &[String]) -> Result<(), JournalError> {
        for name in names {
            let path = format!("{}/{name}", self.dir);
            self.disk.remove(&path).map_err(JournalError::io("remove", &path))?;
        }
        if !names.is_empty() {
            self.disk.sync_dir(self.dir).map_err(AppendError::failed(self.dir))?;
        }
        salvage::forget_unfinished(&*self.disk)
    }

    fn recovery(&self, events: u64, torn_bytes: u64) -> Recovery {
        Recovery {
            history: self.history,
            new: self.last_seq == 0,
            last_seq: self.last_seq,
            last_recorded: self.last_recorded,
            events,
            segments: self.segments().count(),
            torn_bytes,
            audit_lost: Vec::new(),
        }
    }
}

/// Whether there is no journal and no trace that there ever was one.
///
/// # Errors
/// [`JournalError`] where the store cannot be read.
pub fn is_new(disk: &dyn Disk) -> Result<bool, JournalError> {
    Ok(Manifest::read(disk, DIR)?.is_none() && salvage::traces(disk)?.is_none())
}
