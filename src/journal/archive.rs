//! The archive: segments that were dropped or rewritten, kept as they are for the audit, and dropped in their turn.
//!
//! A segment is listed as archived by the same manifest that lists it as a segment no more; then its file moves from the
//! journal's directory to the archive's. Killed in between, the next start moves it. So a record is in exactly one listed
//! file at every instant, and nothing is copied.

use super::disk::Disk;
use super::entry::Entry;
use super::error::{AppendError, JournalError};
use super::manifest::{id_of, is_segment};
use super::options::ARCHIVE_FILES_MAX;
use super::reader::{FrameReader, Link};
use super::{Journal, Reclaimed};
use crate::clock::NumericDate;
use crate::event::Seq;

/// The archive's directory in the store.
pub(super) const DIR: &str = "audit";

/// A file of the archive that has to go.
pub(super) struct Due {
    entry: Entry,
    early: bool,
}

impl Journal {
    /// The oldest file of the archive, if all it tells of ended long enough before `earliest`, or the archive is too
    /// large. Only ever the oldest: the audit has all records from one place on.
    pub(super) fn due(&self, earliest: NumericDate) -> Option<Due> {
        let entry = *self.archived.first()?;
        let is_outlived = entry.settled_at.plus(self.options.audit.keep_s) < earliest;
        let is_full = self.archive_bytes() > self.options.audit.bytes_max || self.archived.len() > ARCHIVE_FILES_MAX;
        let early = !is_outlived && is_full;
        (is_outlived || early).then_some(Due { entry, early })
    }

    /// Length of the archive.
    pub(super) fn archive_bytes(&self) -> u64 {
        self.archived.iter().map(|entry| entry.bytes).sum()
    }

    /// Drops the oldest file of the archive: manifest, then file.
    pub(super) fn drop_archived(&mut self, due: &Due) -> Result<Reclaimed, JournalError> {
        let before = (self.archived.clone(), self.audit_from);
        self.archived.remove(0);
        self.audit_from = self.audit_from.max(due.entry.last_seq + 1);
        if let Err(error) = self.write_manifest() {
            (self.archived, self.audit_from) = before;
            return Err(error.into());
        }
        let path = due.entry.path(DIR);
        self.disk.remove(&path).map_err(JournalError::io("remove", &path))?;
        self.disk.sync_dir(DIR).map_err(AppendError::failed(DIR))?;
        let (outlived, early) = if due.early { (0, 1) } else { (1, 0) };
        Ok(Reclaimed { outlived, early, more: true, ..Reclaimed::default() })
    }

    /// Lists as archived what of `old` the audit is to have. The manifest is the caller's to write.
    pub(super) fn list_archived(&mut self, old: &[Entry]) -> Result<(), AppendError> {
        let records: Vec<_> = old.iter().filter(|entry| entry.is_record_from(self.audit_from)).copied().collect();
        if records.is_empty() {
            return Ok(());
        }
        self.disk.create_dir(DIR).map_err(AppendError::refused(DIR))?;
        if self.archived.is_empty() {
            self.disk.sync_dir("").map_err(AppendError::failed(DIR))?;
        }
        self.archived.extend(records);
        self.archived.sort_unstable_by_key(|entry| entry.first_seq);
        Ok(())
    }

    /// Takes the files of `old`, which the manifest lists as segments no more, out of the journal's directory.
    pub(super) fn clear_away(&self, old: &[Entry]) -> Result<(), JournalError> {
        let mut has_moved = false;
        for entry in old {
            let path = entry.path(self.dir);
            if self.archived.iter().any(|archived| archived.id == entry.id) {
                self.disk.rename(&path, &entry.path(DIR)).map_err(JournalError::io("move", &path))?;
                has_moved = true;
            } else {
                self.disk.remove(&path).map_err(JournalError::io("remove", &path))?;
            }
        }
        if has_moved {
            self.disk.sync_dir(DIR).map_err(AppendError::failed(DIR))?;
        }
        self.disk.sync_dir(self.dir).map_err(AppendError::failed(self.dir))?;
        Ok(())
    }

    /// Ends the moves that were cut short, and removes files that were dropped. Gives the archived files that are missing or
    /// too short: the records in them are lost, which is no reason not to serve.
    pub(super) fn settle_archive(&self) -> Result<Vec<String>, JournalError> {
        let held = Held::list(&*self.disk, self.dir)?;
        let mut lost = Vec::new();
        let mut has_moved = false;
        for entry in &self.archived {
            match held.path_of(entry, self.dir) {
                Some(path) if path == entry.path(DIR) => {}
                Some(path) => {
                    self.disk.rename(&path, &entry.path(DIR)).map_err(JournalError::io("move", &path))?;
                    has_moved = true;
                }
                None => {
                    lost.push(entry.path(DIR));
                    continue;
                }
            }
            let path = entry.path(DIR);
            let file = self.disk.open(&path, super::Mode::Read).map_err(JournalError::io("open", &path))?;
            if file.len().map_err(JournalError::io("read", &path))? < entry.bytes {
                lost.push(path);
            }
        }
        if has_moved {
            self.disk.sync_dir(DIR).map_err(AppendError::failed(DIR))?;
            self.disk.sync_dir(self.dir).map_err(AppendError::failed(self.dir))?;
        }
        for name in held.unlisted(&self.archived) {
            let path = format!("{DIR}/{name}");
            if self.is_dropped(&path, &name) {
                self.disk.remove(&path).map_err(JournalError::io("remove", &path))?;
                self.disk.sync_dir(DIR).map_err(AppendError::failed(DIR))?;
            }
        }
        Ok(lost)
    }

    /// Whether an unlisted file of the archive is one that was dropped: it is of this history, and its first record below those
    /// that the audit has. Anything else, also what cannot be read, may be evidence, and stays.
    fn is_dropped(&self, path: &str, name: &str) -> bool {
        let first_seq = || -> Result<Option<Seq>, JournalError> {
            let id = id_of(name).unwrap_or(0);
            let mut reader = FrameReader::open(&*self.disk, path.to_owned(), self.history, id, None)?;
            let mut first = None;
            while first.is_none()
                && let Link::Frame(_) = reader.next()?
            {
                reader.events(|_, event| {
                    first.get_or_insert(event.seq);
                    Ok(())
                })?;
            }
            Ok(first)
        };
        first_seq().is_ok_and(|first| first.is_some_and(|first| first < self.audit_from))
    }
}

/// The files that there are.
pub(super) struct Held {
    journal: Vec<String>,
    archive: Vec<String>,
}

impl Held {
    pub(super) fn list(disk: &dyn Disk, dir: &str) -> Result<Self, JournalError> {
        let names = |dir: &str| match disk.names(dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            names => names.map_err(JournalError::io("list", dir)),
        };
        let segments = |names: Vec<String>| names.into_iter().filter(|name| is_segment(name)).collect();
        Ok(Self { journal: segments(names(dir)?), archive: segments(names(DIR)?) })
    }

    /// Where an archived segment's file lies.
    pub(super) fn path_of(&self, entry: &Entry, dir: &str) -> Option<String> {
        let is_in = |names: &[String], path: &str| names.iter().any(|name| path.ends_with(name.as_str()));
        let (there, on_its_way) = (entry.path(DIR), entry.path(dir));
        match (is_in(&self.archive, &there), is_in(&self.journal, &on_its_way)) {
            (true, _) => Some(there),
            (false, true) => Some(on_its_way),
            (false, false) => None,
        }
    }

    /// Names in the archive's directory.
    pub(super) fn in_archive(&self) -> &[String] {
        &self.archive
    }

    /// The highest id that any file has; 0 if there is none.
    pub(super) fn highest_id(&self) -> u64 {
        self.journal.iter().chain(&self.archive).filter_map(|name| id_of(name)).max().unwrap_or(0)
    }

    /// Names in the archive's directory that are not listed.
    pub(super) fn unlisted(&self, archived: &[Entry]) -> Vec<String> {
        let paths: Vec<_> = archived.iter().map(|entry| entry.path(DIR)).collect();
        self.archive.iter().filter(|name| !paths.contains(&format!("{DIR}/{name}"))).cloned().collect()
    }
}
