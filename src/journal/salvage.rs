//! The way on after damage, for `--accept-loss`: [`salvage`] finds every event that can still be read, and [`rebuild`]
//! makes a new journal of those that are given to it.
//!
//! The new journal grows in `journal.building/`, becomes `journal.new/` once all of it is synced, and takes the place of
//! the old one, which stays beside it as `journal.damaged-<n>/`. Killed at any step, either the old journal still
//! refuses to open, or the new one is complete and [`adopt`] puts it into place.

use std::io;
use std::sync::Arc;

use super::archive::{self, Held};
use super::disk::{Disk, Mode};
use super::error::{AppendError, JournalError};
use super::frame::{Frame, events_of};
use super::group::{Group, GroupError};
use super::manifest::{Manifest, is_segment};
use super::{DIR, HistoryId, Journal, Options};
use crate::clock::NumericDate;
use crate::event::{Event, Seq};

const BUILDING: &str = "journal.building";
const COMPLETE: &str = "journal.new";
const DAMAGED: &str = "journal.damaged-";
/// How much of a file is given up where the disk cannot read it, bytes.
const UNREADABLE_BYTES: usize = 64 << 10;
/// Events in one frame of a rebuilt journal, bytes.
const FRAME_BYTES: u64 = 1 << 20;

/// What could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The file, relative to the store.
    pub file: String,
    /// Where the bytes begin.
    pub offset: u64,
    /// How many they are.
    pub bytes: u64,
    /// Why they were skipped.
    pub what: String,
}

/// What a damaged journal still holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Salvage {
    /// The history, where the manifest says it.
    pub history: Option<HistoryId>,
    /// Highest `seq` seen anywhere.
    pub last_seq: Seq,
    /// Highest time recorded anywhere.
    pub last_recorded: Option<NumericDate>,
    /// Events handed over; one may have come twice.
    pub events: u64,
    /// What was skipped; empty if nothing was wrong.
    pub skipped: Vec<Skipped>,
}

/// Hands over every event of every valid frame of every segment file, listed or not, damaged or not. They come in no
/// particular order, and twice where a rewriting was cut short. Changes nothing, but for a finished [`rebuild`] that was
/// killed before it was in place.
///
/// # Errors
/// [`JournalError::Io`] when the journal's directory cannot be listed or a file not be opened; [`JournalError::Version`]
/// and [`JournalError::UnknownEvent`] for what another build wrote (promise 13). Damage is no error.
pub fn salvage(disk: &dyn Disk, visit: &mut dyn FnMut(&[u8], &Event<'_>)) -> Result<Salvage, JournalError> {
    adopt(disk)?;
    let mut salvage = Salvage::default();
    let names = match disk.names(DIR) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        names => names.map_err(JournalError::io("list", DIR))?,
    };
    let mut skip = |file: String, bytes, what: String| salvage.skipped.push(Skipped { file, offset: 0, bytes, what });
    // Without a manifest nobody knows which history this is; then frames of any are taken.
    let mut history = None;
    match Manifest::read(disk, DIR) {
        Ok(Some(manifest)) => {
            salvage.last_seq = manifest.last_seq;
            salvage.last_recorded = manifest.last_recorded;
            history = Some(manifest.history);
            salvage.history = history;
            for entry in manifest.segments {
                let path = entry.path(DIR);
                if !names.iter().any(|name| path.ends_with(name.as_str())) {
                    skip(path, entry.bytes, "the segment is missing".to_owned());
                }
            }
        }
        Ok(None) => skip(Manifest::path(DIR), 0, "the manifest is missing".to_owned()),
        Err(error @ JournalError::Version { .. }) => return Err(error),
        Err(error) => skip(Manifest::path(DIR), 0, error.to_string()),
    }
    for name in names.iter().filter(|name| is_segment(name)) {
        let (skipped, last_recorded) = file(disk, &format!("{DIR}/{name}"), history, &mut |bytes, event| {
            salvage.last_seq = salvage.last_seq.max(event.seq);
            salvage.events += 1;
            visit(bytes, event);
        })?;
        salvage.skipped.extend(skipped);
        salvage.last_recorded = salvage.last_recorded.max(last_recorded);
    }
    Ok(salvage)
}

/// Hands over the events that must still be kept at `earliest` of every archived segment of `history`: where the journal
/// has lost a copy, its record may be whole. What is damaged there is passed over.
///
/// # Errors
/// As [`salvage`].
pub fn salvage_archive(
    disk: &dyn Disk,
    history: HistoryId,
    earliest: NumericDate,
    visit: &mut dyn FnMut(&[u8], &Event<'_>),
) -> Result<(), JournalError> {
    for name in Held::list(disk, DIR)?.in_archive() {
        file(disk, &format!("{}/{name}", archive::DIR), Some(history), &mut |bytes, event| {
            if event.kept_until() > earliest {
                visit(bytes, event);
            }
        })?;
    }
    Ok(())
}

/// Hands over the events of every valid frame in one file, of the given history if there is one; returns what is
/// neither a frame nor zero, and the highest time that a frame has recorded.
pub(super) fn file(
    disk: &dyn Disk,
    path: &str,
    history: Option<HistoryId>,
    visit: &mut dyn FnMut(&[u8], &Event<'_>),
) -> Result<(Vec<Skipped>, Option<NumericDate>), JournalError> {
    let mut skipped = Vec::new();
    let mut last_recorded = None;
    let mut skip = |offset: usize, bytes: usize, what: &str| {
        skipped.push(Skipped {
            file: path.to_owned(),
            offset: offset as u64,
            bytes: bytes as u64,
            what: what.to_owned(),
        });
    };
    let bytes = read_what_can_be_read(disk, path, &mut skip)?;
    let mut at = 0;
    while at < bytes.len() {
        let found = Frame::find(&bytes[at..]);
        let gap = &bytes[at..at + found.map_or(bytes.len() - at, |(start, _)| start)];
        if let Some(last) = gap.iter().rposition(|byte| *byte != 0) {
            skip(at, last + 1, "no valid frame");
        }
        at += gap.len();
        let Some((_, frame)) = found else { break };
        frame.of_this_version(path)?;
        if history.is_some_and(|history| history != frame.place.history) {
            skip(at, frame.bytes, "a frame of another history");
        } else {
            last_recorded = last_recorded.max(Some(frame.recorded_at));
            for event in events_of(&bytes[at..at + frame.bytes]) {
                match event.map(|bytes| (bytes, Event::decode(bytes))) {
                    Ok((bytes, Ok(event))) => visit(bytes, &event),
                    Ok((bytes, Err(error))) => match JournalError::undecodable(path, at as u64, error) {
                        JournalError::Damaged { what, .. } => skip(at, bytes.len(), &what),
                        unknown => return Err(unknown),
                    },
                    Err(what) => skip(at, 0, what),
                }
            }
        }
        at += frame.bytes;
    }
    Ok((skipped, last_recorded))
}

/// A file's bytes, zeros where the disk gives none.
fn read_what_can_be_read(
    disk: &dyn Disk,
    path: &str,
    skip: &mut dyn FnMut(usize, usize, &str),
) -> Result<Vec<u8>, JournalError> {
    let file = disk.open(path, Mode::Read).map_err(JournalError::io("open", path))?;
    let len = file.len().map_err(JournalError::io("read", path))?;
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
    let mut at = 0;
    for part in bytes.chunks_mut(UNREADABLE_BYTES) {
        if let Err(error) = file.read_at(part, at as u64) {
            part.fill(0);
            skip(at, part.len(), &error.to_string());
        }
        at += part.len();
    }
    Ok(bytes)
}

/// Makes a new journal, with a new history id, of `events`: their bytes, in order of `seq`, each once. They keep their
/// `seq`; the next one given is above them and above `last_seq_min`. Takes the place of the journal that is there, which
/// is kept as `journal.damaged-<n>`. Returns the new history id.
///
/// # Errors
/// [`JournalError::Write`] when the disk refuses or fails; [`JournalError::Damaged`] when `events` are out of order or
/// are none. The old journal is then still in place.
pub fn rebuild(
    disk: &Arc<dyn Disk>,
    options: Options,
    recorded_at: NumericDate,
    last_seq_min: Seq,
    events: &mut dyn Iterator<Item = Vec<u8>>,
) -> Result<HistoryId, JournalError> {
    adopt(&**disk)?;
    clear(&**disk, BUILDING)?;
    clear(&**disk, COMPLETE)?;
    let mut journal = Journal::create(Arc::clone(disk), BUILDING, options)?;
    // The archive keeps what it has of the old history, so no file of the new one may ever have the name of one there.
    journal.next_id = Held::list(&**disk, DIR)?.highest_id() + 1;
    let mut group = Group::new();
    for bytes in events {
        let refused = |what: String| JournalError::damaged("an event to be journaled anew", 0, what);
        let event = Event::decode(&bytes).map_err(|error| refused(error.to_string()))?;
        if group.frame_bytes() >= FRAME_BYTES {
            journal.append(recorded_at, &mut group)?;
            group.clear();
        }
        group.push_encoded(&bytes, &event).map_err(|error: GroupError| refused(error.to_string()))?;
    }
    if !group.is_empty() {
        journal.append(recorded_at, &mut group)?;
    }
    let history = journal.history();
    journal.close_above(recorded_at, last_seq_min)?;
    rename(&**disk, BUILDING, COMPLETE)?;
    if exists(&**disk, DIR)? {
        let mut n = 1;
        while exists(&**disk, &format!("{DAMAGED}{n}"))? {
            n += 1;
        }
        rename(&**disk, DIR, &format!("{DAMAGED}{n}"))?;
    }
    adopt(&**disk)?;
    Ok(history)
}

/// Ends what [`rebuild`] began, if it was killed when the old journal was out of the way and the new one not in place.
pub(super) fn adopt(disk: &dyn Disk) -> Result<(), JournalError> {
    if !exists(disk, DIR)? && exists(disk, COMPLETE)? {
        rename(disk, COMPLETE, DIR)?;
    }
    Ok(())
}

/// Removes what a [`rebuild`] that did not come to its end has left behind. Only where the journal itself is sound.
pub(super) fn forget_unfinished(disk: &dyn Disk) -> Result<(), JournalError> {
    clear(disk, BUILDING)?;
    clear(disk, COMPLETE)
}

/// Whether a [`rebuild`] has ever been at work here: then a journal that is missing is no first start.
pub(super) fn traces(disk: &dyn Disk) -> Result<Option<String>, JournalError> {
    let names = disk.names("").map_err(JournalError::io("list", "the store"))?;
    Ok(names.into_iter().find(|name| name.starts_with(DAMAGED) || name == COMPLETE))
}

fn exists(disk: &dyn Disk, dir: &str) -> Result<bool, JournalError> {
    let names = disk.names("").map_err(JournalError::io("list", "the store"))?;
    Ok(names.iter().any(|name| name == dir))
}

fn rename(disk: &dyn Disk, from: &str, to: &str) -> Result<(), JournalError> {
    disk.rename(from, to).map_err(AppendError::failed(from))?;
    disk.sync_dir("").map_err(AppendError::failed(to))?;
    Ok(())
}

/// Removes a directory with the files in it.
fn clear(disk: &dyn Disk, dir: &str) -> Result<(), JournalError> {
    if !exists(disk, dir)? {
        return Ok(());
    }
    for name in disk.names(dir).map_err(JournalError::io("list", dir))? {
        let path = format!("{dir}/{name}");
        disk.remove(&path).map_err(JournalError::io("remove", &path))?;
    }
    disk.remove(dir).map_err(JournalError::io("remove", dir))?;
    disk.sync_dir("").map_err(JournalError::io("sync", "the store"))
}
