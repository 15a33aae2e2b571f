//! Reading a journal: every byte of every listed segment is verified, and what is torn is told from what is damaged.
//!
//! No frame is written before the sync of the one before has returned. So only the last frame of the last segment can be
//! torn, and only beyond what the manifest knows to be there; anything else that is wrong is damage. Nothing here
//! changes the disk.

use super::HistoryId;
use super::archive;
use super::chain::Head;
use super::disk::Disk;
use super::entry::Entry;
use super::error::JournalError;
use super::frame::{FRAME_BYTES_MAX, Frame};
use super::links::{Stretch, check_links};
use super::manifest::{Manifest, is_ours, is_segment};
use super::reader::{FrameReader, Link};
use super::report::{AuditReport, VerifyReport};
use super::salvage;
use super::segment::Segment;
use super::walk::walk;
use crate::clock::NumericDate;
use crate::event::{Event, Seq};

/// Called with each event's bytes and what they say.
type Visit<'a> = &'a mut dyn FnMut(&[u8], &Event<'_>);
/// Called with the bytes read so far, and all there are to read.
type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// What a journal holds.
pub(super) struct Scan {
    pub(super) generation: u64,
    pub(super) history: HistoryId,
    pub(super) next_id: u64,
    pub(super) last_seq: Seq,
    pub(super) last_recorded: Option<NumericDate>,
    /// The chain after the last event.
    pub(super) head: Head,
    pub(super) audit_from: Seq,
    pub(super) forgotten: NumericDate,
    pub(super) archived: Vec<Entry>,
    pub(super) sealed: Vec<Segment>,
    pub(super) tail: Option<Tail>,
    pub(super) events: u64,
    /// Names in the journal's directory that the manifest does not list.
    pub(super) leftovers: Vec<String>,
}

/// The segment that nothing has sealed: the last one, if there is one.
pub(super) struct Tail {
    pub(super) segment: Segment,
    pub(super) last_frame: Vec<u8>,
    /// Bytes of a torn frame behind the last good one.
    pub(super) torn_bytes: u64,
}

impl Scan {
    /// Reads all that `manifest` lists.
    pub(super) fn run(
        disk: &dyn Disk,
        dir: &str,
        manifest: Manifest,
        visit: Visit<'_>,
        progress: Progress<'_>,
    ) -> Result<Self, JournalError> {
        let segments = manifest.segments;
        let mut scan = Self {
            generation: manifest.generation,
            history: manifest.history,
            next_id: manifest.next_id,
            last_seq: manifest.last_seq,
            last_recorded: manifest.last_recorded,
            head: manifest.head,
            audit_from: manifest.audit_from,
            forgotten: manifest.forgotten,
            leftovers: leftovers(disk, dir, &segments, &manifest.archived)?,
            archived: manifest.archived,
            sealed: Vec::new(),
            tail: None,
            events: 0,
        };
        let total = segments.iter().map(|entry| entry.bytes).sum();
        let (mut done, mut after) = (0, 0);
        for entry in segments {
            if scan.tail.is_some() {
                let what = format!("segment {:016x} follows one that is not sealed", entry.id);
                return Err(JournalError::damaged(&Manifest::path(dir), 0, what));
            }
            let mut report = |bytes: u64| progress((done + bytes).min(total), total);
            let reader = FrameReader::open(disk, entry.path(dir), scan.history, entry.id, None)?;
            after = scan.segment(entry, reader, after, visit, &mut report)?;
            done += entry.bytes;
        }
        progress(total, total);
        scan.refuse_older_manifest(disk, dir)?;
        scan.check_links(dir, &[])?;
        if let Some(tail) = &scan.tail {
            scan.head = tail.segment.head;
        }
        Ok(scan)
    }

    /// Whether the chain goes on from segment to segment; through the archive as far as it was read.
    pub(super) fn check_links(&self, dir: &str, read: &[Segment]) -> Result<(), JournalError> {
        let in_journal = |segment: &Segment| Stretch::read(segment, segment.entry.path(dir));
        let archived = self.archived.iter().map(|entry| {
            let path = entry.path(archive::DIR);
            match read.iter().find(|segment| segment.entry.id == entry.id) {
                Some(segment) => Stretch::read(segment, path),
                None => Stretch::unread(*entry, path),
            }
        });
        let stretches = self.sealed.iter().map(in_journal).chain(archived).collect();
        let tail = self.tail.as_ref().map(|tail| in_journal(&tail.segment));
        check_links(self.history, self.audit_from, stretches, tail, (self.head, &Manifest::path(dir)))
    }

    /// Verifies one segment, whose events must come after `after`; returns its last `seq`.
    fn segment(
        &mut self,
        listed: Entry,
        mut reader: FrameReader,
        after: Seq,
        visit: Visit<'_>,
        report: &mut dyn FnMut(u64),
    ) -> Result<Seq, JournalError> {
        let path = reader.path().to_owned();
        let not_listed = || {
            let what = "it is not the segment that the manifest lists, or an older state of it";
            JournalError::damaged(&path, listed.bytes, what)
        };
        // The manifest's head is that of the segment which is written to, where there is one.
        if !listed.sealed && listed.frames == 0 && listed.head_before != self.head {
            return Err(not_listed());
        }
        let listed_head = self.head;
        let (events, last_recorded) = (&mut self.events, &mut self.last_recorded);
        let (segment, link) = walk(
            &mut reader,
            &listed,
            after,
            &mut |bytes, event| {
                *events += 1;
                visit(bytes, event);
                Ok(())
            },
            &mut |entry, frame, head| {
                if entry.frames == listed.frames
                    && (!same_mark(entry, &listed) || !listed.sealed && head != listed_head)
                {
                    return Err(not_listed());
                }
                if entry.frames > listed.frames {
                    // The manifest knows about all frames up to its mark, and more than the rewritten ones can tell.
                    *last_recorded = Some(frame.recorded_at);
                }
                report(entry.bytes);
                Ok(())
            },
        )?;
        let last_seq = segment.entry.last_seq.max(after);
        self.end(listed, segment, &reader, link)?;
        self.last_seq = self.last_seq.max(last_seq);
        Ok(last_seq)
    }

    /// Judges how a segment ends: in a sealed one everything must be as listed.
    fn end(
        &mut self,
        listed: Entry,
        mut segment: Segment,
        reader: &FrameReader,
        link: Link,
    ) -> Result<(), JournalError> {
        if segment.entry.frames < listed.frames {
            let what = match link {
                Link::Bad(what) => what,
                _ => "it has fewer frames than the manifest lists: an older state of it, or cut",
            };
            return Err(reader.damaged(what));
        }
        if listed.sealed {
            segment.entry.sealed = true;
            return match link {
                Link::End if segment.entry == listed => {
                    self.sealed.push(segment);
                    Ok(())
                }
                Link::Bad(what) => Err(reader.damaged(what)),
                _ => Err(reader.damaged("it is not the segment that the manifest lists")),
            };
        }
        let torn_bytes = match link {
            Link::Bad(what) => torn_bytes(reader, what)?,
            _ => 0,
        };
        let last_frame = if segment.entry.frames == 0 { Vec::new() } else { reader.last_frame().to_vec() };
        self.tail = Some(Tail { segment, last_frame, torn_bytes });
        Ok(())
    }

    /// An unlisted segment is a leftover of a step that was cut short, and holds nothing that the listed ones do not.
    /// One that does was listed by a newer manifest than the one that is here.
    fn refuse_older_manifest(&self, disk: &dyn Disk, dir: &str) -> Result<(), JournalError> {
        for name in self.leftovers.iter().filter(|name| is_segment(name)) {
            let path = format!("{dir}/{name}");
            let mut newest = 0;
            salvage::file(disk, &path, Some(self.history), &mut |_, event| newest = newest.max(event.seq))?;
            if newest > self.last_seq {
                let what = format!(
                    "it holds event {newest}, but is not listed in {}, which is older than it",
                    Manifest::path(dir)
                );
                return Err(JournalError::damaged(&path, 0, what));
            }
        }
        Ok(())
    }

    pub(super) fn report(&self) -> VerifyReport {
        let segments = self.sealed.iter().chain(self.tail.iter().map(|tail| &tail.segment));
        VerifyReport {
            history: self.history,
            last_seq: self.last_seq,
            last_recorded: self.last_recorded,
            events: self.events,
            segments: segments.clone().count(),
            bytes: segments.map(|segment| segment.entry.bytes).sum(),
            torn_bytes: self.tail.as_ref().map_or(0, |tail| tail.torn_bytes),
            leftovers: self.leftovers.clone(),
            head: self.head,
            archived: AuditReport::default(),
        }
    }
}

/// Whether a segment, read as far as the manifest's mark, is there what the manifest says.
fn same_mark(read: &Entry, listed: &Entry) -> bool {
    let mark = |entry: &Entry| (entry.first_seq, entry.last_seq, entry.bytes, entry.checksum);
    mark(read) == mark(listed)
}

/// What is torn behind the last frame: zeros are nothing, and a valid frame among it means that it is damaged instead.
fn torn_bytes(reader: &FrameReader, what: &str) -> Result<u64, JournalError> {
    let rest = reader.rest()?;
    if let Some((at, _)) = Frame::find(&rest) {
        let at = reader.last().end + at as u64;
        return Err(reader.damaged(format!("{what}, and it is not torn, for a valid frame is at byte {at}")));
    }
    let torn = rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    if torn > FRAME_BYTES_MAX {
        return Err(reader.damaged(format!("{what}, and {torn} bytes are more than a torn frame can leave")));
    }
    Ok(torn as u64)
}

/// Names in the journal's directory that are ours and not listed; what is listed as archived may still be on its way.
fn leftovers(disk: &dyn Disk, dir: &str, listed: &[Entry], archived: &[Entry]) -> Result<Vec<String>, JournalError> {
    let mut names = disk.names(dir).map_err(JournalError::io("list", dir))?;
    let listed: Vec<_> = listed.iter().chain(archived).map(|entry| entry.path(dir)).collect();
    names.retain(|name| is_ours(name) && !listed.contains(&format!("{dir}/{name}")));
    Ok(names)
}
