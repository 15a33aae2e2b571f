//! The manifest: which segments are the journal. Replaced as a whole, by rename. See `docs/STORAGE.md`.
//!
//! | bytes | field |
//! | --- | --- |
//! | 6 | magic `RVKDMF` |
//! | 2 | format version |
//! | 8 | generation: how often the manifest was replaced |
//! | 16 | history id |
//! | 8 | id of the next segment |
//! | 8 | highest `seq` ever given, dropped events included |
//! | 8 | last recorded time, seconds; the smallest integer for none |
//! | 32 | head of the chain |
//! | 8 | first `seq` that the audit still has all records from |
//! | 8 | latest instant by which anything was forgotten, seconds; the smallest integer for none |
//! | 4 | number of segments |
//! | 4 | number of archived segments |
//! | 104 each | segments in order, then archived ones in order, see [`Entry`] |
//! | 16 | XXH3-128 of all bytes above |

use std::io;

use super::HistoryId;
use super::chain::Head;
use super::disk::{Disk, Mode};
use super::entry::{Entry, SUFFIX};
use super::error::{AppendError, JournalError};
use super::frame::{Checksum, checksum};
use crate::clock::NumericDate;
use crate::event::Seq;

const MAGIC: &[u8; 6] = b"RVKDMF";
/// The format of manifest, segments and frames together.
const VERSION: u16 = 2;
const NAME: &str = "MANIFEST";
const NEW_NAME: &str = "MANIFEST.new";
const HEADER_BYTES: usize = 112;
const ENTRY_BYTES: usize = 104;

/// Whether a name is one that the journal gives, and therefore a leftover where the manifest does not list it.
pub(super) fn is_ours(name: &str) -> bool {
    name == NEW_NAME || is_segment(name)
}

/// Whether a name is that of a segment.
pub(super) fn is_segment(name: &str) -> bool {
    id_of(name).is_some()
}

/// The id of the segment that has this name.
pub(super) fn id_of(name: &str) -> Option<u64> {
    let id = name.strip_suffix(SUFFIX).filter(|id| id.len() == 16)?;
    u64::from_str_radix(id, 16).ok()
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) generation: u64,
    pub(super) history: HistoryId,
    pub(super) next_id: u64,
    pub(super) last_seq: Seq,
    pub(super) last_recorded: Option<NumericDate>,
    /// The chain after all events of the segments as they are listed.
    pub(super) head: Head,
    /// First `seq` that the audit still has all records from; 0 or 1 as long as it has all there ever were.
    pub(super) audit_from: Seq,
    /// The latest instant by which anything was forgotten.
    pub(super) forgotten: NumericDate,
    pub(super) segments: Vec<Entry>,
    /// What was dropped from the segments, or rewritten, and is kept for the audit.
    pub(super) archived: Vec<Entry>,
}

impl Manifest {
    pub(super) fn new(history: HistoryId) -> Self {
        Self {
            generation: 0,
            history,
            next_id: 1,
            last_seq: 0,
            last_recorded: None,
            head: Head::genesis(history),
            audit_from: 0,
            forgotten: NumericDate(i64::MIN),
            segments: Vec::new(),
            archived: Vec::new(),
        }
    }

    /// The manifest's file in the journal directory `dir`.
    pub(super) fn path(dir: &str) -> String {
        format!("{dir}/{NAME}")
    }

    /// The manifest in `dir`; `None` where there is neither one nor a segment that would need one.
    pub(super) fn read(disk: &dyn Disk, dir: &str) -> Result<Option<Self>, JournalError> {
        let names = match disk.names(dir) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(JournalError::io("list", dir)(error)),
        };
        let path = Self::path(dir);
        if !names.iter().any(|name| name == NAME) {
            let orphan = names.iter().any(|name| is_segment(name));
            return if orphan { Err(JournalError::Missing { file: path }) } else { Ok(None) };
        }
        let file = disk.open(&path, Mode::Read).map_err(JournalError::io("open", &path))?;
        let len = file.len().map_err(JournalError::io("read", &path))?;
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        file.read_at(&mut bytes, 0).map_err(JournalError::io("read", &path))?;
        Self::decode(&path, &bytes).map(Some)
    }

    /// Makes this the manifest in `dir`: write beside, sync, rename, sync the directory. Killed in between, either the
    /// old one or this one holds.
    pub(super) fn write(&self, disk: &dyn Disk, dir: &str) -> Result<(), AppendError> {
        let (path, new) = (Self::path(dir), format!("{dir}/{NEW_NAME}"));
        let file = disk.open(&new, Mode::Create).map_err(AppendError::refused(&new))?;
        file.write_at(&self.encode(), 0).map_err(AppendError::refused(&new))?;
        file.sync().map_err(AppendError::failed(&new))?;
        disk.rename(&new, &path).map_err(AppendError::failed(&path))?;
        disk.sync_dir(dir).map_err(AppendError::failed(dir))
    }

    fn entries(&self) -> usize {
        self.segments.len() + self.archived.len()
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES + self.entries() * ENTRY_BYTES + size_of::<Checksum>());
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.generation.to_le_bytes());
        out.extend_from_slice(&self.history.0);
        out.extend_from_slice(&self.next_id.to_le_bytes());
        out.extend_from_slice(&self.last_seq.to_le_bytes());
        out.extend_from_slice(&self.last_recorded.map_or(i64::MIN, |at| at.0).to_le_bytes());
        out.extend_from_slice(&self.head.0);
        out.extend_from_slice(&self.audit_from.to_le_bytes());
        out.extend_from_slice(&self.forgotten.0.to_le_bytes());
        for count in [self.segments.len(), self.archived.len()] {
            out.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
        }
        for entry in self.segments.iter().chain(&self.archived) {
            out.extend_from_slice(&entry.id.to_le_bytes());
            out.extend_from_slice(&entry.generation.to_le_bytes());
            out.extend_from_slice(&u32::from(entry.sealed).to_le_bytes());
            for number in [entry.first_seq, entry.last_seq, entry.frames, entry.bytes] {
                out.extend_from_slice(&number.to_le_bytes());
            }
            out.extend_from_slice(&entry.checksum);
            out.extend_from_slice(&entry.head_before.0);
            out.extend_from_slice(&entry.settled_at.0.to_le_bytes());
        }
        let own = checksum(&out);
        out.extend_from_slice(&own);
        out
    }

    fn decode(path: &str, bytes: &[u8]) -> Result<Self, JournalError> {
        let damaged = |what| JournalError::damaged(path, 0, what);
        let (body, own) = bytes.split_last_chunk().ok_or_else(|| damaged("it is too short for a manifest"))?;
        let mut reader = Reader(body);
        if reader.take::<6>() != Some(*MAGIC) {
            return Err(damaged("it is no manifest"));
        }
        // Before the checksum, whose place and kind are a matter of the version.
        match reader.take().map(u16::from_le_bytes) {
            Some(VERSION) => {}
            Some(found) if checksum(body) == *own => {
                return Err(JournalError::Version { file: path.to_owned(), found, known: VERSION });
            }
            _ => return Err(damaged("its format version is wrong")),
        }
        if checksum(body) != *own {
            return Err(damaged("its checksum is wrong"));
        }
        reader.manifest().filter(|_| reader.0.is_empty()).ok_or_else(|| damaged("its length is wrong"))
    }
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk()?;
        self.0 = tail;
        Some(*head)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn date(&mut self) -> Option<NumericDate> {
        self.take().map(i64::from_le_bytes).map(NumericDate)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn manifest(&mut self) -> Option<Manifest> {
        let mut manifest = Manifest {
            generation: self.u64()?,
            history: HistoryId(self.take()?),
            next_id: self.u64()?,
            last_seq: self.u64()?,
            last_recorded: Some(i64::from_le_bytes(self.take()?)).filter(|at| *at != i64::MIN).map(NumericDate),
            head: Head(self.take()?),
            audit_from: self.u64()?,
            forgotten: self.date()?,
            segments: Vec::new(),
            archived: Vec::new(),
        };
        let (segments, archived) = (self.u32()?, self.u32()?);
        for _ in 0..segments {
            manifest.segments.push(self.entry()?);
        }
        for _ in 0..archived {
            manifest.archived.push(self.entry()?);
        }
        Some(manifest)
    }

    fn entry(&mut self) -> Option<Entry> {
        Some(Entry {
            id: self.u64()?,
            generation: self.u32()?,
            sealed: self.u32()? != 0,
            first_seq: self.u64()?,
            last_seq: self.u64()?,
            frames: self.u64()?,
            bytes: self.u64()?,
            checksum: self.take()?,
            head_before: Head(self.take()?),
            settled_at: self.date()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_and_nothing_else() {
        let history = HistoryId([5; 16]);
        let mut sealed = Entry { sealed: true, ..Entry::new(history, 3, 2, Head::NONE) };
        sealed.grow(Some((10, 12)), NumericDate(7), 100, [1; 16]);
        sealed.grow(None, NumericDate(3), 104, [2; 16]);
        assert_eq!((sealed.first_seq, sealed.last_seq, sealed.settled_at), (10, 12, NumericDate(7)));
        let mut manifest = Manifest { last_seq: 12, next_id: 9, generation: 77, ..Manifest::new(history) };
        manifest.last_recorded = Some(NumericDate(-1));
        (manifest.head, manifest.audit_from, manifest.forgotten) = (Head([8; 32]), 4, NumericDate(99));
        manifest.segments = vec![sealed, Entry::new(history, 8, 0, Head([9; 32]))];
        manifest.archived = vec![Entry::new(history, 2, 0, Head([7; 32]))];
        let bytes = manifest.encode();
        assert_eq!(bytes.len(), HEADER_BYTES + 3 * ENTRY_BYTES + 16);
        assert_eq!(Manifest::decode("m", &bytes).unwrap(), manifest);
        for at in 0..bytes.len() {
            assert!(Manifest::decode("m", &bytes[..at]).is_err());
        }
        let count_of_three = [&bytes[..104], &[3], &bytes[105..bytes.len() - 16]].concat();
        let forged = [count_of_three.as_slice(), &checksum(&count_of_three)].concat();
        assert!(Manifest::decode("m", &forged).unwrap_err().to_string().contains("length"));
    }

    #[test]
    fn only_names_that_the_journal_gives_are_its_own() {
        let history = HistoryId([0; 16]);
        assert!(is_segment(Entry::new(history, u64::MAX, 0, Head::NONE).path("d").strip_prefix("d/").unwrap()));
        for other in ["1.segment", "000000000000000g.segment", "0000000000000001.segment.bak", "LOCK", "MANIFEST"] {
            assert!(!is_ours(other), "{other}");
        }
    }
}
