//! Segments and manifests that are missing, old, swapped or of another journal; and what `verify` says.

use super::journal_damage::*;
use crate::journal_support::{START, SimDisk, event, group, open};
use revokd::journal::{Group, JournalError, verify};

#[test]
fn a_missing_segment_is_refused_by_name() {
    let (disk, _) = killed_after(5, TINY);
    for path in disk.segments() {
        let disk = disk.copy();
        disk.delete(&path);
        assert_eq!(refused(&disk, TINY), path);
    }
    disk.delete("journal/MANIFEST");
    assert_eq!(refused(&disk, TINY), "journal/MANIFEST");
}

#[test]
fn a_swapped_segment_is_refused_by_name() {
    let (disk, _) = killed_after(8, TINY);
    let paths = disk.segments();
    for (a, b) in [(0, 1), (1, 0), (0, paths.len() - 1), (paths.len() - 1, 0)] {
        let disk = disk.copy();
        disk.put(&paths[a], &disk.bytes(&paths[b]));
        assert_eq!(refused(&disk, TINY), paths[a]);
    }
}

#[test]
fn a_segment_of_another_journal_is_refused_by_name() {
    let (disk, _) = killed_after(5, TINY);
    let (other, _) = killed_after(5, TINY);
    for path in disk.segments() {
        let disk = disk.copy();
        disk.put(&path, &other.bytes(&path));
        assert_eq!(refused(&disk, TINY), path);
    }
}

#[test]
fn an_old_segment_is_refused_by_name() {
    let disk = SimDisk::new();
    let (mut journal, _, _) = open(&disk, ONE).unwrap();
    journal.append(START, &mut group(1..4, START)).unwrap();
    let [path] = &disk.segments()[..] else { panic!("one segment expected") };
    let old = disk.bytes(path);
    journal.append(START, &mut group(4..7, START)).unwrap();
    journal.close(START).unwrap();
    disk.put(path, &old);
    assert_eq!(refused(&disk, ONE), *path);
}

#[test]
fn an_old_manifest_is_refused_and_nothing_removed() {
    let disk = SimDisk::new();
    let (mut journal, _, _) = open(&disk, TINY).unwrap();
    journal.append(START, &mut group(1..4, START)).unwrap();
    let old = disk.bytes("journal/MANIFEST");
    for n in 1..6 {
        journal.append(START, &mut group(n * 3 + 1..n * 3 + 4, START)).unwrap();
    }
    drop(journal);
    disk.put("journal/MANIFEST", &old);
    let before = disk.paths();
    assert_eq!(refused(&disk, TINY), before[1], "the first segment that the old manifest does not list");
    assert_eq!(disk.paths(), before);
}

#[test]
fn a_segment_that_was_emptied_or_zeroed_below_the_manifests_mark_is_refused() {
    let (disk, _) = killed_after(5, TINY);
    let path = disk.segments().remove(0);
    for bytes in [vec![], vec![0; disk.bytes(&path).len()]] {
        let disk = disk.copy();
        disk.put(&path, &bytes);
        assert_eq!(refused(&disk, TINY), path);
    }
}

#[test]
fn an_unknown_format_version_is_refused_by_name() {
    let (disk, _) = killed_after(1, TINY);
    let mut bytes = disk.bytes("journal/MANIFEST");
    bytes[6] = 9;
    let body = bytes.len() - 16;
    let own = xxhash_rust::xxh3::xxh3_128(&bytes[..body]).to_le_bytes();
    bytes[body..].copy_from_slice(&own);
    disk.put("journal/MANIFEST", &bytes);
    let Err(error) = open(&disk, TINY) else { panic!("opened") };
    assert!(matches!(error, JournalError::Version { found: 9, known: 2, .. }), "{error}");
}

#[test]
fn leftovers_are_removed_and_what_is_not_ours_is_left_alone() {
    let (disk, events) = killed_after(5, TINY);
    disk.put("journal/00000000000000ff.segment", &[]);
    disk.put("journal/MANIFEST.new", b"half");
    disk.put("journal/notes.txt", b"mine");
    let report = verify(&*disk.arc(), &mut |_, _| {}, &mut |_, _| {}).unwrap();
    assert_eq!(report.leftovers, ["00000000000000ff.segment", "MANIFEST.new"]);
    assert_eq!(open(&disk, TINY).unwrap().2, events);
    let segments = disk.segments();
    let others: Vec<_> = disk.paths().into_iter().filter(|path| !segments.contains(path)).collect();
    assert_eq!(others, ["journal/MANIFEST", "journal/notes.txt"]);
    assert!(!segments.contains(&"journal/00000000000000ff.segment".to_owned()));
}

#[test]
fn verify_counts_everything_tells_its_progress_and_changes_nothing() {
    let (disk, events) = killed_after(5, TINY);
    let before: Vec<_> = disk.paths().iter().map(|path| disk.bytes(path)).collect();
    let mut last = (0, 0);
    let report = verify(&*disk.arc(), &mut |_, _| {}, &mut |done, total| {
        assert!(done >= last.0 && done <= total);
        last = (done, total);
    });
    let report = report.unwrap();
    assert_eq!((report.events, report.last_seq), (events.len() as u64, 15));
    assert!(last.0 == last.1 && last.1 > 0);
    assert_eq!(disk.paths().iter().map(|path| disk.bytes(path)).collect::<Vec<_>>(), before);
}

#[test]
fn an_event_out_of_order_is_not_journaled() {
    let (disk, _) = killed_after(1, TINY);
    let (mut journal, _, _) = open(&disk, TINY).unwrap();
    assert!(journal.append(START, &mut group(3..5, START)).is_err());
    journal.append(START, &mut group(4..5, START)).unwrap();
    let mut group = group(7..8, START);
    assert!(group.push(&event(7, START, 60)).is_err());
    assert_eq!(group.len(), 1);
}

#[test]
fn a_segment_that_went_another_way_in_a_copy_of_the_store_is_refused_by_name() {
    let (disk, _) = killed_after(2, ONE);
    let [path] = &disk.segments()[..] else { panic!("one segment expected") };
    // The one copy has the same closing frame, and then more.
    let (longer, other) = (disk.copy(), disk.copy());
    open(&disk, ONE).unwrap().0.close(START).unwrap();
    let (mut journal, ..) = open(&longer, ONE).unwrap();
    journal.append(START, &mut Group::new()).unwrap();
    journal.append(START, &mut group(7..9, START)).unwrap();
    journal.close(START).unwrap();
    // The other has as many frames, all of them good, but the last is another.
    open(&other, ONE).unwrap().0.close(START.plus(1)).unwrap();
    for copy in [longer, other] {
        let disk = disk.copy();
        disk.put(path, &copy.bytes(path));
        assert_eq!(refused(&disk, ONE), *path);
    }
}

#[test]
fn an_active_segment_that_went_another_way_before_the_manifests_mark_is_refused_by_name() {
    let disk = SimDisk::new();
    let (mut journal, ..) = open(&disk, TINY).unwrap();
    journal.append(START, &mut group(1..6, START)).unwrap();
    journal.append(START, &mut group(11..12, START)).unwrap();
    let copy = disk.copy();
    journal.append(START, &mut group(12..13, START)).unwrap();
    assert_eq!(disk.segments().len(), 2);
    // Dropping the first segment brings the manifest up to date with the active one.
    assert_eq!(journal.reclaim(START.plus(3_600)).unwrap().segments, 1);
    drop(journal);
    let [active] = &disk.segments()[..] else { panic!("one segment expected") };
    let (mut journal, ..) = open(&copy, TINY).unwrap();
    journal.append(START, &mut group(14..15, START)).unwrap();
    journal.append(START, &mut Group::new()).unwrap();
    disk.put(active, &copy.bytes(active));
    assert_eq!(refused(&disk, TINY), *active);
}
