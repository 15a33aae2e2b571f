//! Verifying a journal and its archive while nobody writes: every byte, every link of the chain, and whether what was
//! copied out of the archived segments is what it was.

use std::collections::VecDeque;

use super::DIR;
use super::archive::{self, Held};
use super::disk::Disk;
use super::entry::Entry;
use super::error::JournalError;
use super::manifest::Manifest;
use super::reader::{FrameReader, Link};
use super::recovery::Scan;
use super::report::{AuditReport, VerifyReport};
use super::segment::Segment;
use super::walk::{Visit, walk};
use crate::event::{Event, Seq};

/// Verifies every byte of a journal that no server holds, and of its archive, and changes nothing. `visit` gets the
/// events of the journal alone; `progress` is told the bytes read so far and all there are to read.
///
/// # Errors
/// What [`Journal::open`](super::Journal::open) would refuse; and [`JournalError::Damaged`] or [`JournalError::Missing`]
/// where a record of the archive was altered or removed, or an event of the journal is not what its record says.
pub fn verify(
    disk: &dyn Disk,
    visit: &mut dyn FnMut(&[u8], &Event<'_>),
    progress: &mut dyn FnMut(u64, u64),
) -> Result<VerifyReport, JournalError> {
    let manifest = Manifest::read(disk, DIR)?.ok_or_else(|| JournalError::Missing { file: DIR.to_owned() })?;
    let archived: Vec<_> = manifest.archived.clone();
    let archived_bytes: u64 = archived.iter().map(|entry| entry.bytes).sum();
    let mut journal_bytes = 0;
    let scan = Scan::run(disk, DIR, manifest, visit, &mut |done, total| {
        journal_bytes = total;
        progress(done, total + archived_bytes);
    })?;
    let held = Held::list(disk, DIR)?;
    let mut copies = Copies::of(disk, &scan);
    let (mut read, mut after, mut records) = (Vec::new(), 0, 0);
    for entry in &archived {
        let missing = || JournalError::Missing { file: entry.path(archive::DIR) };
        let path = held.path_of(entry, DIR).ok_or_else(missing)?;
        let mut reader = FrameReader::open(disk, path, scan.history, entry.id, None)?;
        let done: u64 = journal_bytes + read.iter().map(|segment: &Segment| segment.entry.bytes).sum::<u64>();
        let segment = whole(&mut reader, entry, after, &mut |bytes, event| {
            records += 1;
            copies.compare(bytes, event)
        })?;
        after = segment.entry.last_seq;
        progress(done + entry.bytes, journal_bytes + archived_bytes);
        read.push(segment);
    }
    copies.refuse_strangers_below(Seq::MAX)?;
    scan.check_links(DIR, &read)?;
    let archived = AuditReport {
        from: scan.audit_from.max(1),
        files: archived.len(),
        bytes: archived_bytes,
        records,
        unlisted: held.unlisted(&archived),
    };
    Ok(VerifyReport { archived, ..scan.report() })
}

/// Reads an archived segment, which must be as the manifest lists it.
fn whole(reader: &mut FrameReader, listed: &Entry, after: Seq, visit: Visit<'_>) -> Result<Segment, JournalError> {
    let (mut segment, link) = walk(reader, listed, after, visit, &mut |_, _, _| Ok(()))?;
    segment.entry.sealed = true;
    match link {
        Link::End if segment.entry == *listed => Ok(segment),
        Link::Bad(what) => Err(reader.damaged(what)),
        _ => Err(reader.damaged("it is not the segment that the manifest lists")),
    }
}

/// The events of rewritten segments, in order of `seq`: copies of archived ones.
struct Copies<'a> {
    disk: &'a dyn Disk,
    scan: &'a Scan,
    left: VecDeque<Entry>,
    reader: Option<FrameReader>,
    /// Of the frame read last.
    next: VecDeque<(Seq, Vec<u8>)>,
}

impl<'a> Copies<'a> {
    fn of(disk: &'a dyn Disk, scan: &'a Scan) -> Self {
        let rewritten = scan.sealed.iter().map(|segment| segment.entry).filter(|entry| !entry.is_original());
        Self { disk, scan, left: rewritten.collect(), reader: None, next: VecDeque::new() }
    }

    /// Holds an archived record against its copy: equal where there is one, and there unless it was to be forgotten.
    fn compare(&mut self, bytes: &[u8], event: &Event<'_>) -> Result<(), JournalError> {
        self.refuse_strangers_below(event.seq)?;
        let damaged = |what: &str| {
            let what = format!("event {} {what}", event.seq);
            Err(JournalError::damaged(&self.path(), 0, what))
        };
        match self.next.front() {
            Some((seq, copy)) if *seq == event.seq => {
                if copy != bytes {
                    return damaged("is not what its record in the audit says");
                }
                self.next.pop_front();
                Ok(())
            }
            _ if event.kept_until() > self.scan.forgotten => damaged("has not ended, but only its record is left"),
            _ => Ok(()),
        }
    }

    /// Refuses copies below `seq` that no record is held against, but for those that the archive has forgotten.
    fn refuse_strangers_below(&mut self, seq: Seq) -> Result<(), JournalError> {
        while self.fill()?
            && let Some((stranger, _)) = self.next.front().filter(|(copy, _)| *copy < seq)
        {
            if *stranger >= self.scan.audit_from {
                let what = format!("event {stranger} is in no record of the audit");
                return Err(JournalError::damaged(&self.path(), 0, what));
            }
            self.next.pop_front();
        }
        Ok(())
    }

    /// Whether there is a next copy.
    fn fill(&mut self) -> Result<bool, JournalError> {
        while self.next.is_empty() {
            let Some(entry) = self.left.front() else { return Ok(false) };
            let reader = match &mut self.reader {
                Some(reader) => reader,
                none => none.insert(FrameReader::open(self.disk, entry.path(DIR), self.scan.history, entry.id, None)?),
            };
            if let Link::Frame(_) = reader.next()? {
                let next = &mut self.next;
                reader.events(|bytes, event| {
                    next.push_back((event.seq, bytes.to_vec()));
                    Ok(())
                })?;
            } else {
                // The scan has been through it.
                self.reader = None;
                self.left.pop_front();
            }
        }
        Ok(true)
    }

    fn path(&self) -> String {
        self.reader.as_ref().map_or_else(|| Manifest::path(DIR), |reader| reader.path().to_owned())
    }
}
