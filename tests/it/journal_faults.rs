//! The journal against a disk that dies, fails, fills up and forgets: what was acknowledged stays, whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;

use revokd::clock::NumericDate;
use revokd::event::{Event, Seq};
use revokd::journal::{AppendError, Group, Journal, JournalError, Options};

use crate::journal_support::{Events, Fault, Random, SMALL, START, SimDisk, event, group, lifetime_s, open};

/// What a journal was told, and what it has answered for.
#[derive(Default)]
struct Told {
    acknowledged: BTreeMap<Seq, Vec<u8>>,
    tried: BTreeSet<Vec<u8>>,
    /// The latest instant by which it was allowed to forget.
    forgotten: NumericDate,
    now: NumericDate,
}

/// How a step of a life went.
enum Step {
    Fine,
    /// The journal must be opened anew.
    Over,
}

impl Told {
    fn new() -> Self {
        Self { now: START, forgotten: START, ..Self::default() }
    }

    /// Opens the journal; what it shows then is as good as acknowledged, since a fold will rely on it.
    fn open(&mut self, disk: &SimDisk) -> Result<(Journal, Seq), JournalError> {
        let (journal, recovery, events) = open(disk, SMALL)?;
        self.check(&events);
        self.acknowledged.extend(events);
        Ok((journal, recovery.last_seq))
    }

    fn append(&mut self, journal: &mut Journal, next: &mut Seq, count: u64) -> Step {
        let seqs = *next..*next + count;
        let mut events = Events::new();
        for seq in seqs.clone() {
            let mut bytes = Vec::new();
            event(seq, self.now, lifetime_s(seq)).encode(&mut bytes);
            self.tried.insert(bytes.clone());
            events.insert(seq, bytes);
        }
        match journal.append(self.now, &mut group(seqs, self.now)) {
            Ok(()) => {
                self.acknowledged.extend(events);
                *next += count;
                Step::Fine
            }
            Err(AppendError::Refused { .. }) => Step::Fine,
            Err(AppendError::Failed { .. }) => Step::Over,
        }
    }

    fn reclaim(&mut self, journal: &mut Journal) -> Step {
        self.forgotten = self.now;
        loop {
            match journal.reclaim(self.now) {
                Ok(reclaimed) if reclaimed.more => {}
                Err(JournalError::Write(AppendError::Failed { .. })) => return Step::Over,
                Ok(_) | Err(_) => return Step::Fine,
            }
        }
    }

    /// All that was acknowledged and has not ended is there, and nothing that nobody wrote.
    fn check(&self, events: &Events) {
        for (seq, bytes) in &self.acknowledged {
            let live = Event::decode(bytes).unwrap().kept_until() > self.forgotten;
            assert!(!live || events.get(seq) == Some(bytes), "event {seq} was acknowledged and is lost or changed");
        }
        for (seq, bytes) in events {
            assert!(self.tried.contains(bytes), "event {seq} was never written");
        }
    }

    /// Checks what a start would find on `disk`, which stays as it is.
    fn check_on(&self, disk: &SimDisk) {
        let disk = disk.copy();
        disk.restart();
        self.check(&open(&disk, SMALL).unwrap_or_else(|error| panic!("refuses to open: {error}")).2);
    }

    /// The same after a loss of power, in a few of the ways in which it can come out.
    fn check_after_power_loss(&self, disk: &SimDisk, seeds: std::ops::Range<u64>) {
        for seed in seeds {
            let found = open(&disk.after_power_loss(seed), SMALL);
            self.check(&found.unwrap_or_else(|error| panic!("seed {seed}: refuses to open: {error}")).2);
        }
    }

    /// Some hours of a journal's life: groups, closing frames, rotation, reclaiming, an orderly end. After a failed sync
    /// it is opened anew, as a restart would. Ends early when it cannot be opened twice in a row.
    fn live(&mut self, disk: &SimDisk) {
        let mut rounds = 0..14;
        let mut refusals = 0;
        while !rounds.is_empty() && refusals < 2 {
            let Ok((mut journal, last_seq)) = self.open(disk) else {
                disk.restart_unless_killed();
                refusals += 1;
                continue;
            };
            refusals = 0;
            let mut next = last_seq + 1;
            for round in rounds.by_ref() {
                self.now = self.now.plus(400);
                let step = match (self.append(&mut journal, &mut next, 1 + round % 7), round % 4) {
                    (Step::Fine, 1) => self.reclaim(&mut journal),
                    (Step::Fine, 2) => match journal.append(self.now, &mut Group::new()) {
                        Err(AppendError::Failed { .. }) => Step::Over,
                        _ => Step::Fine,
                    },
                    (step, _) => step,
                };
                if matches!(step, Step::Over) {
                    disk.restart_unless_killed();
                    break;
                }
            }
            if rounds.is_empty() {
                _ = journal.close(self.now);
            }
        }
    }
}

/// Lives with `fault(n)` for every n until none comes to pass any more, and checks what is left.
fn at_every_step(fault: impl Fn(u64) -> Fault, seeds: u64) -> u64 {
    for n in 1.. {
        let (disk, mut told) = (SimDisk::new(), Told::new());
        disk.plan(fault(n));
        told.live(&disk);
        let fired = disk.heal();
        told.check_after_power_loss(&disk, 0..seeds);
        told.check_on(&disk);
        disk.restart();
        told.live(&disk);
        told.check_after_power_loss(&disk, 0..1);
        let (_, recovery, _) = open(&disk, SMALL).unwrap();
        assert_eq!(recovery.torn_bytes, 0);
        if !fired {
            assert!(told.acknowledged.len() > 50 && recovery.segments > 1, "the life was too short");
            return n;
        }
    }
    unreachable!()
}

#[test]
fn killed_at_any_step_it_opens_and_has_lost_nothing() {
    assert!(at_every_step(Fault::Kill, 6) > 120);
}

#[test]
fn killed_once_more_while_it_recovers_it_opens_and_has_lost_nothing() {
    for first in (1..200).step_by(3) {
        let (disk, mut told) = (SimDisk::new(), Told::new());
        disk.plan(Fault::Kill(first));
        told.live(&disk);
        disk.heal();
        // The first time the process alone has died, or the power was lost with it.
        for disk in [disk.copy(), disk.after_power_loss(first)] {
            for second in 1.. {
                let disk = disk.copy();
                disk.plan(Fault::Kill(second));
                let opened = open(&disk, SMALL).is_ok();
                let fired = disk.heal();
                assert_eq!(opened, !fired);
                told.check_after_power_loss(&disk, 0..4);
                told.check_on(&disk);
                if !fired {
                    break;
                }
            }
        }
    }
}

#[test]
fn what_a_refused_write_left_is_cut_by_the_probe_where_it_could_not_be_at_once() {
    let disk = SimDisk::new();
    let options = Options { segment_bytes: 1 << 20, zero_ahead_bytes: 4_096, ..Options::DEFAULT };
    let (mut journal, _, _) = open(&disk, options).unwrap();
    journal.append(START, &mut group(1..2, START)).unwrap();
    disk.plan(Fault::FailAll(1, 2));
    assert!(matches!(journal.append(START, &mut group(2..30, START)), Err(AppendError::Refused { .. })));
    let path = disk.segments().remove(0);
    let left = disk.bytes(&path).iter().rposition(|byte| *byte != 0);
    disk.heal();
    journal.probe().unwrap();
    assert!(disk.bytes(&path).iter().rposition(|byte| *byte != 0) < left, "a third of the write was left");
    drop(journal);
    let (_, recovery, events) = open(&disk, options).unwrap();
    assert_eq!((recovery.torn_bytes, events.len()), (0, 1));
}

#[test]
fn whatever_operation_fails_nothing_acknowledged_is_lost() {
    for kind in [ErrorKind::Other, ErrorKind::StorageFull] {
        assert!(at_every_step(|n| Fault::Fail(n, kind), 3) > 120);
    }
}

#[test]
fn whatever_sync_fails_nothing_acknowledged_is_lost_and_none_is_tried_again() {
    assert!(at_every_step(Fault::FailSync, 6) > 30);
}

#[test]
fn however_full_the_disk_is_nothing_acknowledged_is_lost() {
    for capacity in (0..9_000).step_by(97) {
        let (disk, mut told) = (SimDisk::new(), Told::new());
        disk.plan(Fault::Full(capacity));
        told.live(&disk);
        told.check_on(&disk);
        told.check_after_power_loss(&disk, 0..3);
        disk.heal();
        told.live(&disk);
        told.check_on(&disk);
    }
}

#[test]
fn lives_that_end_in_power_losses_at_random_lose_nothing_acknowledged() {
    for seed in 0..150 {
        let mut random = Random(seed);
        let (mut disk, mut told) = (SimDisk::new(), Told::new());
        for _ in 0..4 {
            disk.plan(Fault::Kill(1 + random.next() % 300));
            told.live(&disk);
            disk = disk.after_power_loss(random.next());
            told.check_on(&disk);
        }
    }
}
