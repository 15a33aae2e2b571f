//! The journal under churn: as small as what it must remember, without copying the same bytes again and again.

use std::ops::ControlFlow;

use revokd::journal::{AuditOptions, Group, Journal, JournalError, Options, Snapshot, Stats};

use crate::journal_support::{Events, Fault, SMALL, START, SimDisk, event, group, open};

const SEGMENT: u64 = 64 << 10;
const OPTIONS: Options = Options { segment_bytes: SEGMENT, zero_ahead_bytes: 4 << 10, ..Options::DEFAULT };

/// Reclaims until there is nothing more to do; how many steps that took.
fn reclaim_all(journal: &mut Journal, now: revokd::clock::NumericDate) -> usize {
    (1..100_000).find(|_| !journal.reclaim(now).unwrap().more).expect("reclaiming never ends")
}

#[test]
fn under_churn_it_stays_within_three_times_its_live_bytes_and_two_segments() {
    let disk = SimDisk::new();
    // The archive is beside the journal, and not what is measured here.
    let audit = AuditOptions { keep_s: 0, bytes_max: 8 * SEGMENT };
    let (mut journal, _, _) = open(&disk, Options { audit, ..OPTIONS }).unwrap();
    let mut bytes = Vec::new();
    event(1, START, 900).encode(&mut bytes);
    let event_bytes = bytes.len() as u64;
    let (mut now, mut segments_most) = (START, 0);
    // 70 days in steps of 20 minutes, 20 events each, of which two live 30 days and the others 15 minutes.
    let steps = 70 * 72;
    disk.plan(Fault::Full(u64::MAX));
    for step in 0..steps {
        now = now.plus(1_200);
        for group_of_5 in 0..4 {
            let first = step * 20 + group_of_5 * 5 + 1;
            journal.append(now, &mut group(first..first + 5, now)).unwrap();
        }
        reclaim_all(&mut journal, now);
        let Stats { bytes_total, segments, .. } = journal.stats(now);
        // By their ends themselves, not by those of their buckets.
        let live = event_bytes * (18 + 2 * (step + 1).min(30 * 72 + 1));
        assert!(bytes_total <= 3 * live + 2 * SEGMENT, "step {step}: {bytes_total} bytes for {live} live ones");
        segments_most = segments_most.max(segments);
    }
    assert!(segments_most <= 24, "{segments_most} segments");
    let journaled = steps * 20 * event_bytes;
    let written = disk.written();
    assert!(written <= 5 * journaled, "{written} bytes written, zeros and manifests included, for {journaled}");
    let before = journal.stats(now);
    let later = now.plus(60 * 86_400);
    reclaim_all(&mut journal, later);
    let after = journal.stats(later);
    assert!(after.bytes_total <= SEGMENT && after.segments <= 1, "{after:?}");
    assert_eq!((after.bytes_live, after.last_seq), (0, before.last_seq));
    drop(journal);
    let (_, recovery, _) = open(&disk, OPTIONS).unwrap();
    assert_eq!((recovery.last_seq, recovery.last_recorded), (steps * 20, Some(now)));
}

#[test]
fn what_has_not_ended_is_kept_with_its_seq_in_order_and_byte_for_byte() {
    let disk = SimDisk::new();
    let (mut journal, _, _) = open(&disk, OPTIONS).unwrap();
    for n in 0..600 {
        journal.append(START, &mut group(n * 5 + 1..n * 5 + 6, START)).unwrap();
    }
    let mut before = held(journal.snapshot().unwrap());
    assert_eq!(before.len(), 3_000);
    let later = START.plus(86_400);
    let steps = reclaim_all(&mut journal, later);
    assert!(steps >= 2);
    before.retain(|seq, _| seq.is_multiple_of(10) || seq > &2_000);
    let after = held(journal.snapshot().unwrap());
    assert!(
        after.keys().filter(|seq| !seq.is_multiple_of(10)).count() < 900,
        "only the active segment keeps ended ones"
    );
    assert!(before.iter().filter(|(seq, _)| seq.is_multiple_of(10)).all(|(seq, bytes)| after.get(seq) == Some(bytes)));
    let last_seq = journal.stats(later).last_seq;
    journal.close(later).unwrap();
    let (_, recovery, reopened) = open(&disk, OPTIONS).unwrap();
    assert_eq!((reopened, recovery.last_seq, last_seq), (after, 3_000, 3_000));
}

#[test]
fn the_last_seq_and_time_outlive_every_event() {
    let disk = SimDisk::new();
    let (mut journal, _, _) = open(&disk, SMALL).unwrap();
    journal.append(START, &mut group(1..10, START)).unwrap();
    journal.append(START.plus(7), &mut Group::new()).unwrap();
    journal.close(START.plus(9)).unwrap();
    let (mut journal, _, _) = open(&disk, SMALL).unwrap();
    reclaim_all(&mut journal, START.plus(90 * 86_400));
    assert_eq!(disk.segments(), Vec::<String>::new());
    drop(journal);
    let (journal, recovery, events) = open(&disk, SMALL).unwrap();
    assert!(events.is_empty() && !recovery.new);
    assert_eq!((recovery.last_seq, recovery.last_recorded), (9, Some(START.plus(9))));
    journal.close(START.plus(11)).unwrap();
    assert_eq!(open(&disk, SMALL).unwrap().1.last_recorded, Some(START.plus(11)));
}

#[test]
fn many_restarts_do_not_leave_many_segments() {
    let disk = SimDisk::new();
    for n in 0..200 {
        let (mut journal, _, _) = open(&disk, OPTIONS).unwrap();
        journal.append(START, &mut group(n * 3 + 1..n * 3 + 4, START)).unwrap();
        reclaim_all(&mut journal, START);
        journal.close(START).unwrap();
        assert!(disk.segments().len() <= 12, "{} segments after {n} restarts", disk.segments().len());
    }
    assert_eq!(open(&disk, OPTIONS).unwrap().2.len(), 600);
}

#[test]
fn writes_go_on_between_the_steps_of_a_rewriting() {
    let disk = SimDisk::new();
    let options = Options { segment_bytes: 2 << 20, zero_ahead_bytes: 64 << 10, ..Options::DEFAULT };
    let (mut journal, _, _) = open(&disk, options).unwrap();
    let mut next = 1;
    while journal.stats(START).segments < 2 {
        let mut long = Group::new();
        for seq in next..next + 2_000 {
            long.push(&event(seq, START, if seq.is_multiple_of(3) { 86_400 } else { 60 })).unwrap();
        }
        journal.append(START, &mut long).unwrap();
        next += 2_000;
    }
    let later = START.plus(3_600);
    let mut steps = 0;
    while journal.reclaim(later).unwrap().more {
        journal.append(later, &mut group(next..next + 1, later)).unwrap();
        next += 1;
        steps += 1;
    }
    assert!(steps >= 2, "a rewriting of megabytes takes several steps, not {steps}");
    drop(journal);
    let (_, _, events) = open(&disk, options).unwrap();
    assert!((1..next).filter(|seq| seq.is_multiple_of(3)).all(|seq| events.contains_key(&seq)));
}

#[test]
fn a_rotten_segment_is_not_rewritten_but_refused_by_name() {
    let disk = SimDisk::new();
    let (mut journal, _, _) = open(&disk, SMALL).unwrap();
    for n in 0..20 {
        journal.append(START, &mut group(n * 5 + 1..n * 5 + 6, START)).unwrap();
    }
    let path = disk.segments().remove(0);
    let mut bytes = disk.bytes(&path);
    bytes[200] ^= 1;
    disk.put(&path, &bytes);
    let before = disk.segments();
    let later = START.plus(3_600);
    let error = (0..9).find_map(|_| journal.reclaim(later).err()).expect("the rot was not noticed");
    assert!(error.to_string().starts_with(&format!("{path} is damaged at byte ")), "{error}");
    assert_eq!(disk.segments(), before, "the try leaves nothing behind");
}

#[test]
fn an_ended_event_is_kept_until_its_bucket_ends_as_in_the_index() {
    let disk = SimDisk::new();
    let (mut journal, _, _) = open(&disk, SMALL).unwrap();
    let kept = event(1, START, 40 * 86_400);
    assert!(kept.kept_until() > kept.ends_at.plus(2));
    let mut group = Group::new();
    group.push(&kept).unwrap();
    for seq in 2..20 {
        group.push(&event(seq, START, 60)).unwrap();
    }
    journal.append(START, &mut group).unwrap();
    journal.close(START).unwrap();
    let (mut journal, _, _) = open(&disk, SMALL).unwrap();
    let held = |journal: &Journal| held(journal.snapshot().unwrap()).into_keys().collect::<Vec<_>>();
    reclaim_all(&mut journal, kept.ends_at.plus(1));
    assert_eq!(held(&journal), [1], "rewritten, and kept");
    reclaim_all(&mut journal, kept.kept_until().plus(-1));
    assert_eq!(held(&journal), [1]);
    reclaim_all(&mut journal, kept.kept_until());
    assert!(held(&journal).is_empty());
}

#[test]
fn a_snapshot_ends_where_it_was_taken_and_outlives_what_is_dropped_and_rewritten() {
    let disk = SimDisk::new();
    let (mut journal, _, _) = open(&disk, SMALL).unwrap();
    for n in 0..200 {
        journal.append(START, &mut group(n * 5 + 1..n * 5 + 6, START)).unwrap();
    }
    let before = held(journal.snapshot().unwrap());
    assert_eq!(before.len(), 1_000);
    let (early, broken_off) = (journal.snapshot().unwrap(), journal.snapshot().unwrap());
    for n in 200..400 {
        journal.append(START, &mut group(n * 5 + 1..n * 5 + 6, START)).unwrap();
    }
    let segments = disk.segments();
    assert!(reclaim_all(&mut journal, START.plus(86_400)) > 2);
    assert!(disk.segments().iter().filter(|segment| segments.contains(segment)).count() < segments.len() / 2);
    assert_eq!(held(early), before);
    let mut seen = 0;
    let one = &mut |_: &[u8], _: &revokd::event::Event<'_>| {
        seen += 1;
        ControlFlow::Break(())
    };
    broken_off.replay(one).unwrap();
    assert_eq!(seen, 1);
}

#[test]
fn a_snapshot_of_what_has_rotted_is_refused_by_name() {
    let disk = SimDisk::new();
    let (mut journal, _, _) = open(&disk, SMALL).unwrap();
    journal.append(START, &mut group(1..50, START)).unwrap();
    let segment = disk.segments().pop().unwrap();
    let mut bytes = disk.bytes(&segment);
    bytes[100] ^= 1;
    disk.put(&segment, &bytes);
    let rotten = journal.snapshot().unwrap().replay(&mut |_, _| ControlFlow::Continue(()));
    assert!(matches!(rotten, Err(JournalError::Damaged { file, .. }) if file == segment));
}

/// What a snapshot hands over, which must be in order.
fn held(snapshot: Snapshot) -> Events {
    let mut events = Events::new();
    let replayed = snapshot.replay(&mut |bytes, event| {
        assert!(events.last_key_value().is_none_or(|(last, _)| *last < event.seq));
        events.insert(event.seq, bytes.to_vec());
        ControlFlow::Continue(())
    });
    replayed.unwrap();
    events
}
