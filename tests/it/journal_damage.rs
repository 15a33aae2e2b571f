//! The journal against rot, mistakes and torn writes: cut what is torn, refuse by name what is damaged.

use revokd::journal::{Group, JournalError, Options, verify};

use crate::journal_support::{Events, SMALL, START, SimDisk, group, open};

/// A journal of `groups` groups of three events each, left as a killed process leaves it.
pub(crate) fn killed_after(groups: u64, options: Options) -> (SimDisk, Events) {
    let disk = SimDisk::new();
    let (mut journal, recovery, _) = open(&disk, options).unwrap();
    assert!(recovery.new);
    for n in 0..groups {
        journal.append(START.plus(60), &mut group(n * 3 + 1..n * 3 + 4, START)).unwrap();
    }
    drop(journal);
    let (_, _, events) = open(&disk, options).unwrap();
    assert_eq!(events.len() as u64, groups * 3);
    (disk, events)
}

/// Where the last frame of the only segment begins and ends.
pub(crate) fn last_frame(disk: &SimDisk) -> (String, usize, usize) {
    let [path] = &disk.segments()[..] else { panic!("one segment expected") };
    let bytes = disk.bytes(path);
    let start = bytes.windows(4).rposition(|window| window == [0xFF, b'R', b'J', 2]).unwrap();
    let events = u32::from_le_bytes(bytes[start + 4..start + 8].try_into().unwrap());
    (path.clone(), start, start + 104 + usize::try_from(events).unwrap())
}

pub(crate) fn without_last(events: &Events, n: usize) -> Events {
    events.iter().take(events.len() - n).map(|(seq, bytes)| (*seq, bytes.clone())).collect()
}

/// Everything in one segment.
pub(crate) const ONE: Options = Options { segment_bytes: 1 << 20, zero_ahead_bytes: 512, ..Options::DEFAULT };

/// The file that opening refuses by name.
pub(crate) fn refused(disk: &SimDisk, options: Options) -> String {
    let Err(error) = open(disk, options) else { panic!("opened") };
    assert!(verify(&*disk.arc(), &mut |_, _| {}, &mut |_, _| {}).is_err(), "verify must refuse what open refuses");
    match error {
        JournalError::Damaged { file, .. } | JournalError::Missing { file } | JournalError::Version { file, .. } => {
            file
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_new_journal_says_so_until_something_was_recorded() {
    let disk = SimDisk::new();
    let (journal, recovery, _) = open(&disk, SMALL).unwrap();
    assert!(recovery.new && recovery.last_recorded.is_none());
    drop(journal);
    let (mut journal, recovery, _) = open(&disk, SMALL).unwrap();
    assert!(recovery.new, "killed before anything was recorded: still a first start");
    journal.append(START, &mut group(1..2, START)).unwrap();
    drop(journal);
    let (_, recovery, events) = open(&disk, SMALL).unwrap();
    assert!(!recovery.new);
    assert_eq!((recovery.last_seq, recovery.last_recorded, events.len()), (1, Some(START), 1));
}

#[test]
fn a_journal_that_must_be_there_is_not_begun_anew() {
    let disk = SimDisk::new();
    let Err(error) = open(&disk, Options { create: false, ..SMALL }) else { panic!("opened") };
    assert!(matches!(error, JournalError::Missing { .. }), "{error}");
}

#[test]
fn a_torn_last_frame_is_cut_at_every_length_and_the_acknowledged_ones_stay() {
    let (disk, events) = killed_after(3, ONE);
    let (path, start, end) = last_frame(&disk);
    let whole = disk.bytes(&path);
    for len in start..end {
        for zeros in [0, 1_000] {
            let torn = disk.copy();
            torn.put(&path, &[&whole[..len], &vec![0; zeros]].concat());
            let (mut journal, recovery, found) = open(&torn, ONE).unwrap();
            assert_eq!(found, without_last(&events, 3), "cut at {len}");
            let last_byte = whole[start..len].iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
            assert_eq!(recovery.torn_bytes, last_byte as u64, "cut at {len}");
            assert_eq!(torn.bytes(&path).len(), start, "what is torn is gone");
            journal.append(START, &mut group(100..101, START)).unwrap();
            drop(journal);
            assert_eq!(open(&torn, ONE).unwrap().2.len(), 7);
        }
    }
}

#[test]
fn a_last_frame_whose_sectors_came_out_of_order_is_cut() {
    let disk = SimDisk::new();
    let (mut journal, _, _) = open(&disk, ONE).unwrap();
    journal.append(START, &mut group(1..4, START)).unwrap();
    journal.append(START, &mut group(4..60, START)).unwrap();
    let (path, start, end) = last_frame(&disk);
    let mut bytes = disk.bytes(&path);
    assert!(end - start > 2_048);
    bytes[start..start + 1_024].fill(0);
    disk.put(&path, &bytes);
    let (_, recovery, events) = open(&disk, ONE).unwrap();
    assert_eq!((events.len(), recovery.torn_bytes), (3, (end - start) as u64));
}

/// Flips each byte of each file in turn; returns the places at which the journal opened nevertheless, having lost
/// nothing but the last `window` events.
fn flips_not_refused(disk: &SimDisk, options: Options, events: &Events, window: usize) -> Vec<(String, usize)> {
    let mut survived = Vec::new();
    for path in disk.paths() {
        let whole = disk.bytes(&path);
        for at in 0..whole.len() {
            let rotten = disk.copy();
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            rotten.put(&path, &bytes);
            match open(&rotten, options) {
                Ok((_, _, found)) => {
                    assert!(found == *events || found == without_last(events, window), "{path} byte {at}");
                    survived.push((path.clone(), at));
                }
                Err(JournalError::Damaged { file, .. }) => assert_eq!(file, path, "byte {at}"),
                Err(other) => panic!("{path} byte {at}: {other:?}"),
            }
        }
    }
    survived
}

/// Small enough to flip all of.
pub(crate) const TINY: Options = Options { segment_bytes: 700, zero_ahead_bytes: 16, ..Options::DEFAULT };

#[test]
fn a_flipped_bit_is_refused_by_name_but_in_the_torn_window_of_the_last_frame() {
    let (disk, events) = killed_after(5, TINY);
    let active = disk.segments().pop().unwrap();
    let bytes = disk.bytes(&active);
    let start = bytes.windows(4).rposition(|window| window == [0xFF, b'R', b'J', 2]).unwrap();
    assert!(disk.segments().len() > 1);
    let survived = flips_not_refused(&disk, TINY, &events, 3);
    let window: Vec<_> = (start..bytes.len()).map(|at| (active.clone(), at)).collect();
    assert_eq!(survived, window, "exactly the last frame and the zeros behind it can rot unnoticed");
}

#[test]
fn after_a_closing_frame_rot_in_any_event_is_refused() {
    let (disk, events) = killed_after(4, ONE);
    let (mut journal, _, _) = open(&disk, ONE).unwrap();
    journal.append(START.plus(1), &mut Group::new()).unwrap();
    drop(journal);
    // Without the zeros in advance, which say nothing and take long.
    let (path, start, end) = last_frame(&disk);
    assert_eq!(end - start, 104, "the closing frame is the last one");
    disk.put(&path, &disk.bytes(&path)[..end]);
    for (file, at) in flips_not_refused(&disk, ONE, &events, 0) {
        assert!(file == path && at >= start, "{file} byte {at} rotted unnoticed");
    }
}

#[test]
fn after_an_orderly_close_rot_anywhere_is_refused() {
    let (disk, events) = killed_after(5, TINY);
    let (journal, _, _) = open(&disk, TINY).unwrap();
    journal.close(START.plus(2)).unwrap();
    assert_eq!(flips_not_refused(&disk, TINY, &events, 0), []);
    let (_, recovery, found) = open(&disk, TINY).unwrap();
    assert_eq!((found, recovery.last_recorded), (events, Some(START.plus(2))));
}
