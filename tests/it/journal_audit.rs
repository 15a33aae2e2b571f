//! The chain and the archive: nothing that was recorded is altered or removed unseen, whenever the process dies.

mod forged;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::journal_support::{Events, Fault, Random, START, SimDisk, event, group, open};
use revokd::clock::NumericDate;
use revokd::event::{Event, Seq};
use revokd::journal::{AuditOptions, Group, Head, Journal, JournalError, Options, verify};

const DAY: i64 = 86_400;

/// Segments of a few frames, and records that are kept for a day.
const OPTIONS: Options = Options {
    segment_bytes: 2_048,
    zero_ahead_bytes: 256,
    audit: AuditOptions { keep_s: DAY, bytes_max: 1 << 30 },
    ..Options::DEFAULT
};

/// All records, by seq, with their hashes.
type Records = BTreeMap<Seq, (Vec<u8>, Head)>;

fn records(journal: &Journal) -> Records {
    let mut records = Records::new();
    let visit = &mut |bytes: &[u8], event: &Event<'_>, head| {
        assert!(records.last_key_value().is_none_or(|(last, _)| *last < event.seq), "in order");
        records.insert(event.seq, (bytes.to_vec(), head));
        ControlFlow::Continue(())
    };
    journal.trail().above(0, visit).unwrap();
    records
}

fn reclaim_all(journal: &mut Journal, earliest: NumericDate) {
    (0..10_000).find(|_| !journal.reclaim(earliest).unwrap().more).expect("reclaiming never ends");
}

/// A journal of 40 groups of five, of which most have ended and were forgotten: dropped, rewritten and archived.
fn aged() -> (SimDisk, Events) {
    let disk = SimDisk::new();
    let (mut journal, _, _) = open(&disk, OPTIONS).unwrap();
    let mut events = Events::new();
    for n in 0..40 {
        let at = START.plus(i64::try_from(n).unwrap() * 60);
        for seq in n * 5 + 1..n * 5 + 6 {
            let mut bytes = Vec::new();
            event(seq, at, crate::journal_support::lifetime_s(seq)).encode(&mut bytes);
            events.insert(seq, bytes);
        }
        journal.append(at, &mut group(n * 5 + 1..n * 5 + 6, at)).unwrap();
    }
    reclaim_all(&mut journal, START.plus(6 * 3_600));
    journal.close(START.plus(6 * 3_600)).unwrap();
    let (archived, kept) = (in_archive(&disk).len(), disk.segments().len());
    assert!(archived > 5 && kept > 0, "{archived} archived, {kept} kept");
    (disk, events)
}

fn in_archive(disk: &SimDisk) -> Vec<String> {
    disk.paths().into_iter().filter(|path| path.starts_with("audit/")).collect()
}

fn verified(disk: &SimDisk) -> Result<Head, JournalError> {
    verify(&*disk.arc(), &mut |_, _| {}, &mut |_, _| {}).map(|report| report.head)
}

#[test]
fn a_file_of_the_archive_that_is_missing_or_cut_is_found_and_keeps_nobody_from_serving() {
    let (disk, _) = aged();
    for path in in_archive(&disk) {
        for cut in [true, false] {
            let disk = disk.copy();
            if cut {
                let bytes = disk.bytes(&path);
                disk.put(&path, &bytes[..bytes.len() / 2]);
            } else {
                disk.delete(&path);
            }
            verified(&disk).unwrap_err();
            let (journal, recovery, _) = open(&disk, OPTIONS).unwrap();
            assert_eq!(recovery.audit_lost, std::slice::from_ref(&path));
            assert!(journal.trail().above(0, &mut |_, _, _| ControlFlow::Continue(())).is_err(), "never passed over");
        }
    }
}

#[test]
fn what_was_forgotten_is_in_the_audit_to_the_last_record_and_in_one_chain() {
    let (disk, events) = aged();
    let (journal, ..) = open(&disk, OPTIONS).unwrap();
    let found = records(&journal);
    assert_eq!(found.iter().map(|(seq, (bytes, _))| (*seq, bytes.clone())).collect::<Events>(), events);
    let mut head = Head::genesis(journal.history());
    for (bytes, hash) in found.values() {
        head = head.after(bytes);
        assert_eq!(*hash, head);
    }
    assert_eq!(journal.trail().head(), (200, head));
    assert_eq!(verified(&disk).unwrap(), head);
}

#[test]
fn records_are_found_from_any_place_on_and_backwards() {
    for options in [OPTIONS, Options { segment_bytes: 8 << 20, ..OPTIONS }] {
        let disk = SimDisk::new();
        let (mut journal, ..) = open(&disk, options).unwrap();
        // Frames of all sizes, with closing frames between them.
        let (mut seq, mut random) = (1, Random(7));
        while seq < 20_000 {
            let next = seq + 1 + random.next() % 40;
            journal.append(START, &mut group(seq..next, START)).unwrap();
            if random.coin() {
                journal.append(START, &mut Group::new()).unwrap();
            }
            seq = next;
        }
        let trail = journal.trail();
        for place in [0, 1, 2, 100, 7_777, 19_990, seq - 2, seq - 1, seq, Seq::MAX - 1] {
            let mut above = Vec::new();
            let visit = &mut |_: &[u8], event: &Event<'_>, _| {
                above.push(event.seq);
                if above.len() == 300 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            trail.above(place, visit).unwrap();
            assert_eq!(above, (place.saturating_add(1)..seq).take(300).collect::<Vec<_>>(), "above {place}");
            let mut below = Vec::new();
            let any = trail.stretch_below(place + 1, &mut |_, event, _| {
                below.push(event.seq);
                ControlFlow::Continue(())
            });
            assert_eq!(any.unwrap(), place > 0);
            let last = place.min(seq - 1);
            assert!(place == 0 || below.last() == Some(&last), "below {place}: {below:?}");
            assert!(below.windows(2).all(|pair| pair[0] + 1 == pair[1]), "without a gap");
        }
    }
}

#[test]
fn a_record_outlives_its_entry_by_the_time_that_is_set_and_goes_then() {
    let (disk, _) = aged();
    let (mut journal, ..) = open(&disk, OPTIONS).unwrap();
    let ended = START.plus(39 * 60 + 900);
    reclaim_all(&mut journal, ended.plus(DAY - 60));
    assert_eq!(records(&journal).len(), 200, "each tenth lives 30 days, and keeps the file that it is in");
    let last_end = START.plus(39 * 60 + 30 * DAY);
    reclaim_all(&mut journal, last_end.plus(DAY - 4_000));
    assert!(records(&journal).contains_key(&200));
    reclaim_all(&mut journal, last_end.plus(10 * DAY));
    assert!(records(&journal).is_empty() && in_archive(&disk).is_empty());
    let head = journal.trail().head();
    journal.close(last_end.plus(10 * DAY)).unwrap();
    assert_eq!(verified(&disk).unwrap(), head.1, "the head outlives every record");
    let (mut journal, ..) = open(&disk, OPTIONS).unwrap();
    journal.append(last_end, &mut group(201..203, last_end)).unwrap();
    assert_eq!(records(&journal).keys().copied().collect::<Vec<_>>(), [201, 202]);
    drop(journal);
    verified(&disk).unwrap();
}

#[test]
fn beyond_its_size_the_oldest_records_go_early_and_it_is_told() {
    let (disk, _) = aged();
    let audit = AuditOptions { keep_s: 365 * DAY, bytes_max: 6_000 };
    let (mut journal, ..) = open(&disk, Options { audit, ..OPTIONS }).unwrap();
    let (mut early, now) = (0, START.plus(7 * 3_600));
    loop {
        let reclaimed = journal.reclaim(now).unwrap();
        early += reclaimed.early;
        if !reclaimed.more {
            break;
        }
    }
    assert!(early > 0 && journal.stats(now).audit_bytes <= 6_000);
    let (found, from) = (records(&journal), journal.trail().from());
    assert!(from > 1 && found.keys().filter(|seq| **seq >= from).count() as u64 == 201 - from, "{from} {found:?}");
    drop(journal);
    verified(&disk).unwrap();
}

/// A life with forgetting and archiving, to be cut short at any operation; what it has acknowledged.
fn live(disk: &SimDisk, acknowledged: &mut Events) {
    let Ok((mut journal, recovery, _)) = open(disk, OPTIONS) else { return };
    let mut next = recovery.last_seq + 1;
    for round in 0..12_i64 {
        let at = START.plus(round * 600);
        let mut events = Events::new();
        for seq in next..next + 5 {
            let mut bytes = Vec::new();
            event(seq, at, crate::journal_support::lifetime_s(seq)).encode(&mut bytes);
            events.insert(seq, bytes);
        }
        if journal.append(at, &mut group(next..next + 5, at)).is_err() {
            return;
        }
        acknowledged.append(&mut events);
        next += 5;
        let mut more = round % 3 == 2;
        while more {
            let Ok(reclaimed) = journal.reclaim(at) else { return };
            more = reclaimed.more;
        }
    }
    let _ = journal.close(START.plus(12 * 600));
}

#[test]
fn killed_at_any_step_of_archiving_no_record_is_lost_or_told_twice() {
    let mut archived = 0;
    for n in 1.. {
        let (disk, mut acknowledged) = (SimDisk::new(), Events::new());
        disk.plan(Fault::Kill(n));
        live(&disk, &mut acknowledged);
        let fired = disk.heal();
        for disk in [disk.copy(), disk.after_power_loss(n), disk.after_power_loss(n + 1_000)] {
            let (journal, recovery, _) = open(&disk, OPTIONS).unwrap();
            assert_eq!(recovery.audit_lost, Vec::<String>::new(), "killed at {n}");
            let found = records(&journal);
            for (seq, bytes) in &acknowledged {
                assert!(found.get(seq).is_some_and(|(found, _)| found == bytes), "killed at {n}: record {seq}");
            }
            drop(journal);
            verified(&disk).unwrap_or_else(|error| panic!("killed at {n}: {error}"));
            archived = archived.max(in_archive(&disk).len());
        }
        if !fired {
            break;
        }
    }
    assert!(archived >= 3, "{archived} files");
}

#[test]
fn what_is_left_of_a_drop_is_removed_and_evidence_is_not() {
    let (disk, _) = aged();
    let dropped = in_archive(&disk)[0].clone();
    let bytes = disk.bytes(&dropped);
    let (mut journal, ..) = open(&disk, OPTIONS).unwrap();
    reclaim_all(&mut journal, START.plus(90 * DAY));
    journal.close(START.plus(90 * DAY)).unwrap();
    assert!(in_archive(&disk).is_empty());
    let (other, _) = aged();
    disk.put(&dropped, &bytes);
    disk.put("audit/00000000000000ff.segment", &other.bytes(&in_archive(&other)[0]));
    open(&disk, OPTIONS).unwrap();
    assert_eq!(in_archive(&disk), ["audit/00000000000000ff.segment"]);
}
