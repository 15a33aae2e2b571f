//! Single failures, told step by step: a refused write, a failed sync, a full disk.

use crate::journal_support::{Fault, SMALL, START, SimDisk, group, open};
use revokd::journal::{AppendError, JournalError, Options};
use std::io::ErrorKind;

#[test]
fn a_group_costs_one_sync() {
    let disk = SimDisk::new();
    let (mut journal, _, _) = open(&disk, Options::default()).unwrap();
    journal.append(START, &mut group(1..65, START)).unwrap();
    disk.plan(Fault::Full(u64::MAX));
    for n in 1..50 {
        journal.append(START, &mut group(n * 64 + 1..n * 64 + 65, START)).unwrap();
    }
    assert_eq!(disk.syncs(), 49);
    assert!(disk.operations() <= 2 * 49, "one write and one sync each");
}

#[test]
fn a_failed_sync_poisons_the_journal_until_it_is_opened_anew() {
    let disk = SimDisk::new();
    let (mut journal, _, _) = open(&disk, SMALL).unwrap();
    journal.append(START, &mut group(1..3, START)).unwrap();
    disk.plan(Fault::FailSync(1));
    assert!(matches!(journal.append(START, &mut group(3..5, START)), Err(AppendError::Failed { .. })));
    assert!(disk.heal());
    let operations = disk.operations();
    assert!(matches!(journal.append(START, &mut group(3..5, START)), Err(AppendError::Failed { .. })));
    assert!(matches!(journal.probe(), Err(AppendError::Failed { .. })));
    assert!(matches!(journal.reclaim(START.plus(86_400)), Err(JournalError::Write(AppendError::Failed { .. }))));
    assert!(matches!(journal.close(START), Err(AppendError::Failed { .. })));
    assert_eq!(disk.operations(), operations, "not one more operation");
}

#[test]
fn what_only_the_page_cache_holds_after_a_failed_sync_is_durable_once_it_was_opened() {
    let disk = SimDisk::new();
    let (mut journal, _, _) = open(&disk, SMALL).unwrap();
    journal.append(START, &mut group(1..3, START)).unwrap();
    disk.plan(Fault::FailSync(1));
    assert!(journal.append(START, &mut group(3..5, START)).is_err());
    drop(journal);
    for seed in 0..20 {
        assert!(open(&disk.after_power_loss(seed), SMALL).unwrap().2.len() < 4, "the failed sync did nothing");
    }
    disk.restart();
    let (_, _, events) = open(&disk, SMALL).unwrap();
    assert_eq!(events.len(), 4, "the page cache shows the group");
    for seed in 0..20 {
        assert_eq!(open(&disk.after_power_loss(seed), SMALL).unwrap().2, events, "seed {seed}");
    }
}

#[test]
fn a_write_refused_before_the_sync_is_cut_back_and_resumes_by_itself() {
    let disk = SimDisk::new();
    let options = Options { segment_bytes: 1 << 20, zero_ahead_bytes: 512, ..Options::DEFAULT };
    let (mut journal, _, _) = open(&disk, options).unwrap();
    let mut next = 1;
    disk.plan(Fault::Full(5_000));
    let refused = loop {
        match journal.append(START, &mut group(next..next + 4, START)) {
            Ok(()) => next += 4,
            Err(error) => break error,
        }
    };
    assert!(
        matches!(&refused, AppendError::Refused { file, source }
        if file.ends_with(".segment") && source.kind() == ErrorKind::StorageFull),
        "{refused:?}"
    );
    let path = disk.segments().remove(0);
    let frames = disk.bytes(&path).windows(4).filter(|window| *window == [0xFF, b'R', b'J', 2]).count();
    assert_eq!(frames as u64, (next - 1) / 4, "no trace of the refused group");
    assert_ne!(disk.bytes(&path).last(), Some(&0), "cut back to the last acknowledged byte");

    let used = disk.bytes(&path).len() as u64;
    disk.plan(Fault::Full(used));
    assert!(journal.probe().is_err());
    assert!(journal.append(START, &mut group(next..next + 1, START)).is_err());
    disk.plan(Fault::Full(100_000));
    journal.probe().unwrap();
    journal.append(START, &mut group(next..next + 4, START)).unwrap();
    disk.plan(Fault::Full(0));
    assert!(journal.append(START, &mut group(next + 4..next + 60, START)).is_err());
    disk.heal();
    journal.append(START, &mut group(next + 4..next + 8, START)).expect("an append probes by itself");
    drop(journal);
    let (_, recovery, events) = open(&disk, options).unwrap();
    assert_eq!(events.keys().copied().collect::<Vec<_>>(), (1..next + 8).collect::<Vec<_>>());
    assert_eq!(recovery.torn_bytes, 0);
}

#[test]
fn a_journal_opens_on_a_full_disk() {
    let disk = SimDisk::new();
    let (mut journal, _, _) = open(&disk, SMALL).unwrap();
    journal.append(START, &mut group(1..30, START)).unwrap();
    let killed = disk.copy();
    journal.close(START).unwrap();
    for disk in [disk, killed] {
        disk.plan(Fault::Full(0));
        let (mut journal, recovery, _) = open(&disk, SMALL).unwrap();
        assert_eq!(recovery.last_seq, 29);
        assert!(matches!(journal.append(START, &mut group(30..31, START)), Err(AppendError::Refused { .. })));
        disk.heal();
        journal.append(START, &mut group(30..31, START)).unwrap();
    }
}
