//! A disk in memory that knows what was synced, forgets the rest when told to, and fails on demand.

mod ops;

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use revokd::journal::Disk;

use super::Random;

/// What goes wrong, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The operation of that number fails; those after it work.
    Fail(u64, io::ErrorKind),
    /// The operations of those numbers fail.
    FailAll(u64, u64),
    /// The process dies in the operation of that number: a write is done by half, and nothing works after it.
    Kill(u64),
    /// The disk holds so many bytes.
    Full(u64),
    /// The sync of a file, counted from now, fails; the kernel then calls its pages clean, as Linux does.
    FailSync(u64),
}

#[derive(Debug, Clone, Default)]
struct FileState {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// Written since the last sync, successful or not.
    dirty: Vec<Range<usize>>,
    dirty_len: bool,
    syncs_failed: u64,
}

#[derive(Debug, Clone)]
enum NameOp {
    Dir(String, usize),
    Put(usize, String, usize),
    Remove(usize, String),
    RemoveDir(String),
    Rename(usize, String, String, usize),
    /// Into another directory; durable, as one step, once that one is synced.
    Move(usize, String, usize, String, usize),
    RenameDir(String, String),
}

/// Directory names to ids, and (directory, name) to file ids.
#[derive(Debug, Clone, Default)]
struct Names {
    dirs: BTreeMap<String, usize>,
    files: BTreeMap<(usize, String), usize>,
}

impl Names {
    fn apply(&mut self, op: &NameOp) {
        match op.clone() {
            NameOp::Dir(name, id) => _ = self.dirs.insert(name, id),
            NameOp::Put(dir, name, file) => _ = self.files.insert((dir, name), file),
            NameOp::Remove(dir, name) => _ = self.files.remove(&(dir, name)),
            NameOp::RemoveDir(name) => _ = self.dirs.remove(&name),
            NameOp::Rename(dir, from, to, file) => {
                self.files.remove(&(dir, from));
                self.files.insert((dir, to), file);
            }
            NameOp::Move(from_dir, from, to_dir, to, file) => {
                self.files.remove(&(from_dir, from));
                self.files.insert((to_dir, to), file);
            }
            NameOp::RenameDir(from, to) => {
                if let Some(id) = self.dirs.remove(&from) {
                    self.dirs.insert(to, id);
                }
            }
        }
    }
}

#[derive(Debug, Default)]
struct State {
    names: Names,
    durable: Names,
    /// Name changes since their directory was synced, with that directory; the store itself is `None`.
    pending: Vec<(Option<usize>, NameOp)>,
    files: Vec<FileState>,
    ids: usize,
    ops: u64,
    syncs: u64,
    written: u64,
    fault: Option<Fault>,
    /// Whether the fault has come to pass.
    fired: bool,
    dead: bool,
}

/// A store in memory. Clones are the same disk.
#[derive(Clone, Default)]
pub(crate) struct SimDisk(Arc<Mutex<State>>);

struct SimFile {
    disk: SimDisk,
    id: usize,
}

fn killed() -> io::Error {
    io::Error::other("killed")
}

impl State {
    /// Counts an operation; says whether it is to be done by half before the process dies.
    fn begin(&mut self) -> io::Result<bool> {
        if self.dead {
            return Err(killed());
        }
        self.ops += 1;
        match self.fault {
            Some(Fault::Fail(at, kind)) if at == self.ops => {
                self.fired = true;
                Err(kind.into())
            }
            Some(Fault::FailAll(from, to)) if (from..=to).contains(&self.ops) => {
                self.fired = true;
                Err(io::Error::other("EIO"))
            }
            Some(Fault::Kill(at)) if at == self.ops => {
                self.fired = true;
                self.dead = true;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn change(&mut self, parent: Option<usize>, op: NameOp) -> io::Result<()> {
        if self.begin()? {
            return Err(killed());
        }
        self.names.apply(&op);
        self.pending.push((parent, op));
        Ok(())
    }

    fn file(&self, path: &str) -> io::Result<((usize, String), Option<usize>)> {
        let (dir, name) = path.split_once('/').ok_or(io::ErrorKind::InvalidInput)?;
        let dir = *self.names.dirs.get(dir).ok_or(io::ErrorKind::NotFound)?;
        let key = (dir, name.to_owned());
        let id = self.names.files.get(&key).copied();
        Ok((key, id))
    }

    fn used(&self) -> u64 {
        self.names.files.values().map(|id| self.files[*id].now.len() as u64).sum()
    }
}

impl SimDisk {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn arc(&self) -> Arc<dyn Disk> {
        Arc::new(self.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Lets something go wrong from now on.
    pub(crate) fn plan(&self, fault: Fault) {
        let mut state = self.state();
        (state.ops, state.syncs, state.written, state.fired, state.fault) = (0, 0, 0, false, Some(fault));
    }

    /// A new process, unless the old one was killed and the test has not noticed yet.
    pub(crate) fn restart_unless_killed(&self) {
        let mut state = self.state();
        if !state.dead {
            state.files.iter_mut().for_each(|file| file.syncs_failed = 0);
        }
    }

    /// Lets nothing go wrong from now on; a killed process is started again. Says whether the fault came to pass.
    pub(crate) fn heal(&self) -> bool {
        let mut state = self.state();
        (state.fault, state.dead) = (None, false);
        state.fired
    }

    /// A new process: it may sync what the old one failed to.
    pub(crate) fn restart(&self) {
        self.heal();
        self.state().files.iter_mut().for_each(|file| file.syncs_failed = 0);
    }

    /// How many syncs of files there were since the last plan.
    pub(crate) fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// How many bytes were written since the last plan.
    pub(crate) fn written(&self) -> u64 {
        self.state().written
    }

    /// How many operations there were since the last plan.
    pub(crate) fn operations(&self) -> u64 {
        self.state().ops
    }

    /// Paths of all files, sorted.
    pub(crate) fn paths(&self) -> Vec<String> {
        let state = self.state();
        let name_of = |dir| state.names.dirs.iter().find(|(_, id)| **id == dir).map(|(name, _)| name.clone());
        let mut paths: Vec<_> =
            state.names.files.keys().filter_map(|(dir, name)| Some(format!("{}/{name}", name_of(*dir)?))).collect();
        paths.sort();
        paths
    }

    /// Paths of the segments of the journal, sorted.
    pub(crate) fn segments(&self) -> Vec<String> {
        self.paths().into_iter().filter(|path| path.starts_with("journal/") && path.ends_with(".segment")).collect()
    }

    pub(crate) fn bytes(&self, path: &str) -> Vec<u8> {
        let state = self.state();
        let id = state.file(path).unwrap().1.unwrap();
        state.files[id].now.clone()
    }

    /// Puts a file in place, as rot or an operator would: behind the journal's back, and durable.
    pub(crate) fn put(&self, path: &str, bytes: &[u8]) {
        let mut state = self.state();
        let (key, _) = state.file(path).unwrap();
        let id = state.files.len();
        state.files.push(FileState { now: bytes.to_vec(), durable: bytes.to_vec(), ..FileState::default() });
        state.names.files.insert(key.clone(), id);
        state.durable.files.insert(key, id);
    }

    pub(crate) fn delete(&self, path: &str) {
        let mut state = self.state();
        let (key, _) = state.file(path).unwrap();
        state.names.files.remove(&key);
        state.durable.files.remove(&key);
    }

    /// A copy that lives on its own.
    pub(crate) fn copy(&self) -> Self {
        let state = self.state();
        Self(Arc::new(Mutex::new(State {
            names: state.names.clone(),
            durable: state.durable.clone(),
            pending: state.pending.clone(),
            files: state.files.clone(),
            ids: state.ids,
            ..State::default()
        })))
    }

    /// The disk after a loss of power: of what was not synced, any part may be there. Sectors of 512 bytes are whole.
    pub(crate) fn after_power_loss(&self, seed: u64) -> Self {
        let state = self.state();
        let mut random = Random(seed);
        let mut names = state.durable.clone();
        for (_, op) in &state.pending {
            if random.coin() {
                names.apply(op);
            }
        }
        let files = state.files.iter().map(|file| file.after_power_loss(&mut random)).collect();
        Self(Arc::new(Mutex::new(State { durable: names.clone(), names, files, ids: state.ids, ..State::default() })))
    }
}

impl FileState {
    fn after_power_loss(&self, random: &mut Random) -> Self {
        let mut bytes = self.durable.clone();
        if self.dirty_len && random.coin() {
            bytes.resize(self.now.len(), 0);
        }
        for range in &self.dirty {
            for sector in range.start / 512..range.end.div_ceil(512) {
                let (start, end) = (range.start.max(sector * 512), range.end.min(sector * 512 + 512));
                let end = end.min(bytes.len()).min(self.now.len());
                if start < end && random.coin() {
                    bytes[start..end].copy_from_slice(&self.now[start..end]);
                }
            }
        }
        Self { now: bytes.clone(), durable: bytes, ..Self::default() }
    }
}
