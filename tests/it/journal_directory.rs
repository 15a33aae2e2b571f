//! The journal in a real directory: what the disk in memory stands for must hold there too.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use revokd::journal::{Disk, Journal, JournalError, LockError, Options, StoreDir, rebuild, salvage, verify};

use crate::journal_support::{Events, START, group};

const OPTIONS: Options = Options { segment_bytes: 8 << 10, zero_ahead_bytes: 1 << 10, ..Options::DEFAULT };

fn store(root: &Path) -> Arc<dyn Disk> {
    Arc::new(StoreDir::open(root).unwrap())
}

fn open(root: &Path) -> Result<(Journal, Events), JournalError> {
    let mut events = Events::new();
    let (journal, _) = Journal::open(store(root), OPTIONS, &mut |bytes, event| {
        events.insert(event.seq, bytes.to_vec());
    })?;
    Ok((journal, events))
}

#[test]
fn a_life_in_a_real_directory() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().join("some/where/data");
    let (mut journal, _) = open(&root).unwrap();
    assert_eq!(fs::metadata(&root).unwrap().permissions().mode() & 0o777, 0o700, "for its owner only");
    for n in 0..100 {
        journal.append(START, &mut group(n * 5 + 1..n * 5 + 6, START)).unwrap();
    }
    drop(journal);
    let (mut journal, events) = open(&root).unwrap();
    assert_eq!(events.len(), 500);
    let later = START.plus(7_200);
    while journal.reclaim(later).unwrap().more {}
    let stats = journal.stats(later);
    let on_disk = fs::read_dir(root.join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| Path::new(&entry.file_name()).extension().is_some_and(|extension| extension == "segment"));
    assert_eq!(on_disk.map(|entry| entry.metadata().unwrap().len()).sum::<u64>(), stats.bytes_total);
    journal.close(later).unwrap();
    let (_, kept) = open(&root).unwrap();
    assert!(kept.len() < 300 && (1..=50).all(|n| kept.get(&(n * 10)) == events.get(&(n * 10))));
    assert_eq!(verify(&*store(&root), &mut |_, _| {}, &mut |_, _| {}).unwrap().events, kept.len() as u64);
}

#[test]
fn damage_in_a_real_directory_is_refused_and_can_be_left_behind() {
    let temp = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(temp.path()).unwrap();
    for n in 0..100 {
        journal.append(START, &mut group(n * 5 + 1..n * 5 + 6, START)).unwrap();
    }
    drop(journal);
    let path = temp.path().join("journal/0000000000000001.segment");
    let mut bytes = fs::read(&path).unwrap();
    bytes[3_000] ^= 4;
    fs::write(&path, bytes).unwrap();
    let Err(error) = open(temp.path()) else { panic!("opened") };
    assert!(error.to_string().starts_with("journal/0000000000000001.segment is damaged at byte "), "{error}");

    let disk = store(temp.path());
    let mut events = Events::new();
    let report = salvage(&*disk, &mut |bytes, event| _ = events.insert(event.seq, bytes.to_vec())).unwrap();
    assert_eq!((report.last_seq, report.skipped.len(), events.len()), (500, 1, 495));
    rebuild(&disk, OPTIONS, START, report.last_seq, &mut events.values().cloned()).unwrap();
    drop(disk);
    assert_eq!(open(temp.path()).unwrap().1, events);
    assert!(temp.path().join("journal.damaged-1").is_dir());
}

#[test]
fn one_directory_takes_one_process_at_a_time() {
    let temp = tempfile::tempdir().unwrap();
    let first = StoreDir::open(temp.path()).unwrap();
    let second = StoreDir::open(temp.path()).unwrap_err();
    assert!(matches!(&second, LockError::Held { path } if *path == temp.path()), "{second:?}");
    drop(first);
    let again = StoreDir::open(temp.path()).unwrap();
    drop(again);

    // The same when another process holds it, until that one ends.
    let script = "import fcntl,sys\nf=open(sys.argv[1],'w')\nfcntl.flock(f,fcntl.LOCK_EX)\nprint(1,flush=True)\nsys.stdin.read()";
    let mut child = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(temp.path().join("LOCK"))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("python3 is needed to hold the lock in another process");
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
    let refused = StoreDir::open(temp.path());
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert!(matches!(refused, Err(LockError::Held { .. })), "{refused:?}");
    StoreDir::open(temp.path()).unwrap();
}
