//! The way on after damage: what can be read is found, and the new journal takes the old one's place at once or not.

use revokd::journal::{JournalError, Salvage, Skipped, rebuild, salvage};

use crate::journal_support::{Events, Fault, SMALL, START, SimDisk, group, open};

/// A journal of ten groups of five, killed, with rot in its second segment.
fn damaged() -> (SimDisk, Events, String) {
    let disk = SimDisk::new();
    let (mut journal, _, _) = open(&disk, SMALL).unwrap();
    for n in 0..20 {
        journal.append(START, &mut group(n * 5 + 1..n * 5 + 6, START)).unwrap();
    }
    drop(journal);
    let events = open(&disk, SMALL).unwrap().2;
    let path = disk.segments()[1].clone();
    let mut bytes = disk.bytes(&path);
    bytes[100] ^= 1;
    disk.put(&path, &bytes);
    (disk, events, path)
}

fn salvaged(disk: &SimDisk) -> (Salvage, Events) {
    let mut events = Events::new();
    let salvage = salvage(&*disk.arc(), &mut |bytes, event| _ = events.insert(event.seq, bytes.to_vec())).unwrap();
    (salvage, events)
}

#[test]
fn salvage_finds_all_but_the_damaged_frame_and_says_where_it_is() {
    let (disk, events, path) = damaged();
    let before: Vec<_> = disk.paths().iter().map(|path| disk.bytes(path)).collect();
    let (salvage, found) = salvaged(&disk);
    let [Skipped { file, offset: 0, bytes, .. }] = &salvage.skipped[..] else { panic!("{salvage:?}") };
    assert_eq!((file, *bytes > 72), (&path, true));
    assert_eq!(salvage.last_seq, 100);
    let lost: Vec<_> = events.keys().filter(|seq| !found.contains_key(seq)).collect();
    assert_eq!(lost.len(), 5, "{lost:?}");
    assert!(found.iter().all(|(seq, bytes)| events[seq] == *bytes));
    assert_eq!(disk.paths().iter().map(|path| disk.bytes(path)).collect::<Vec<_>>(), before, "read only");
}

#[test]
fn salvage_needs_no_manifest_and_names_what_is_missing() {
    let (disk, events, path) = damaged();
    disk.delete("journal/MANIFEST");
    let (salvage, found) = salvaged(&disk);
    assert_eq!((salvage.skipped.len(), found.len()), (2, events.len() - 5));

    let (disk, ..) = damaged();
    disk.delete(&path);
    let (salvage, _) = salvaged(&disk);
    assert_eq!(salvage.skipped[0].file, path);
    assert_eq!(salvage.last_seq, 100);
}

#[test]
fn salvage_of_a_sound_journal_skips_nothing() {
    let disk = SimDisk::new();
    let (mut journal, _, _) = open(&disk, SMALL).unwrap();
    journal.append(START, &mut group(1..50, START)).unwrap();
    let (salvage, found) = salvaged(&disk);
    assert_eq!((salvage.skipped, found.len(), salvage.events), (vec![], 49, 49));
}

/// `bytes` with another version at `at`, and a checksum that fits: no rot, but another build's.
fn of_version(version: u8, at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut body = bytes[..bytes.len() - 16].to_vec();
    body[at] = version;
    let own = xxhash_rust::xxh3::xxh3_128(&body).to_le_bytes();
    [body.as_slice(), &own].concat()
}

#[test]
fn what_another_version_wrote_is_refused_by_name_and_not_thrown_away_as_damage() {
    let (disk, ..) = damaged();
    disk.put("journal/MANIFEST", &of_version(99, 6, &disk.bytes("journal/MANIFEST")));
    let refused = salvage(&*disk.arc(), &mut |_, _| {}).unwrap_err();
    assert!(
        matches!(&refused, JournalError::Version { file, found: 99, .. } if file == "journal/MANIFEST"),
        "{refused}"
    );

    // A frame, and an event in a frame, in a journal that has lost its manifest.
    for (at, what) in [(3, "version 99"), (60, "event format version 99"), (61, "event kind 99")] {
        let disk = SimDisk::new();
        let (mut journal, _, _) = open(&disk, SMALL).unwrap();
        journal.append(START, &mut group(1..2, START)).unwrap();
        let path = disk.segments()[0].clone();
        let written = disk.bytes(&path);
        let frame_bytes = 56 + u32::from_le_bytes(written[4..8].try_into().unwrap()) as usize + 16;
        disk.put(&path, &of_version(99, at, &written[..frame_bytes]));
        let Err(refused) = open(&disk, SMALL) else { panic!("opened") };
        assert!(refused.to_string().contains(what) && refused.to_string().contains(&path), "{refused}");
        assert!(!matches!(refused, JournalError::Damaged { .. }), "{refused}");
        disk.delete("journal/MANIFEST");
        let refused = salvage(&*disk.arc(), &mut |_, _| {}).unwrap_err();
        assert!(refused.to_string().contains(what) && refused.to_string().contains(&path), "{refused}");
    }
}

#[test]
fn a_rebuilt_journal_keeps_every_seq_begins_a_new_history_and_goes_on_above() {
    let (disk, _, _) = damaged();
    let (_, found) = salvaged(&disk);
    let history = rebuild(&disk.arc(), SMALL, START.plus(5), 1_000, &mut found.values().cloned()).unwrap();
    let (mut journal, recovery, events) = open(&disk, SMALL).unwrap();
    assert_eq!((events, recovery.history, recovery.last_seq), (found, history, 1_000));
    assert_eq!(recovery.last_recorded, Some(START.plus(5)));
    journal.append(START, &mut group(1_001..1_002, START)).unwrap();
    assert!(disk.paths().iter().any(|path| path.starts_with("journal.damaged-1/")), "the old one is kept");
    drop(journal);
    rebuild(&disk.arc(), SMALL, START, 0, &mut std::iter::empty()).unwrap();
    assert!(disk.paths().iter().any(|path| path.starts_with("journal.damaged-2/")));
}

#[test]
fn a_rebuild_out_of_order_is_refused_and_the_old_journal_stays() {
    let (disk, events, _) = damaged();
    let before = disk.segments();
    let mut wrong = events.values().rev().cloned();
    assert!(matches!(rebuild(&disk.arc(), SMALL, START, 0, &mut wrong), Err(JournalError::Damaged { .. })));
    assert_eq!(disk.segments(), before);
}

#[test]
fn a_rebuild_killed_at_any_step_leaves_the_old_journal_or_the_new_one() {
    let (damaged, _, path) = damaged();
    let (_, found) = salvaged(&damaged);
    let (mut old, mut new) = (0, 0);
    for n in 1.. {
        let disk = damaged.copy();
        disk.plan(Fault::Kill(n));
        let done = rebuild(&disk.arc(), SMALL, START, 500, &mut found.values().cloned()).is_ok();
        let fired = disk.heal();
        for seed in 0..6 {
            let disk = if seed == 0 { disk.copy() } else { disk.after_power_loss(seed) };
            match open(&disk, SMALL) {
                Ok((_, recovery, events)) => {
                    assert_eq!((&events, recovery.last_seq), (&found, 500));
                    new += 1;
                }
                Err(JournalError::Damaged { file, .. }) => {
                    assert!(file == path && !done);
                    let (salvage, again) = salvaged(&disk);
                    assert_eq!((salvage.last_seq, &again), (100, &found));
                    rebuild(&disk.arc(), SMALL, START, 500, &mut again.values().cloned()).unwrap();
                    assert_eq!(open(&disk, SMALL).unwrap().2, found);
                    old += 1;
                }
                Err(other) => panic!("step {n}, seed {seed}: {other}"),
            }
        }
        if !fired {
            assert!(done);
            break;
        }
    }
    assert!(old > 30 && new > 12, "{old} {new}");
}

#[test]
fn a_journal_that_is_gone_after_a_rebuild_is_no_first_start() {
    let (disk, ..) = damaged();
    rebuild(&disk.arc(), SMALL, START, 0, &mut std::iter::empty()).unwrap();
    for path in disk.paths().iter().filter(|path| path.starts_with("journal/")) {
        disk.delete(path);
    }
    let Err(error) = open(&disk, SMALL) else { panic!("opened") };
    assert!(matches!(error, JournalError::Missing { .. }), "{error}");
}
