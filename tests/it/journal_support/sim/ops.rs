//! What the journal asks of the disk in memory.

use std::io;

use revokd::journal::{Disk, DiskFile, Mode};

use super::*;

impl Disk for SimDisk {
    fn names(&self, dir: &str) -> io::Result<Vec<String>> {
        let mut state = self.state();
        if state.begin()? {
            return Err(killed());
        }
        if dir.is_empty() {
            return Ok(state.names.dirs.keys().cloned().collect());
        }
        let id = *state.names.dirs.get(dir).ok_or(io::ErrorKind::NotFound)?;
        Ok(state.names.files.keys().filter(|(dir, _)| *dir == id).map(|(_, name)| name.clone()).collect())
    }

    fn create_dir(&self, dir: &str) -> io::Result<()> {
        let mut state = self.state();
        if state.names.dirs.contains_key(dir) {
            return Ok(());
        }
        state.ids += 1;
        let id = state.ids;
        state.change(None, NameOp::Dir(dir.to_owned(), id))
    }

    fn open(&self, path: &str, mode: Mode) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        let ((dir, name), found) = state.file(path)?;
        let id = match (mode, found) {
            (Mode::Create, None) => {
                let id = state.files.len();
                state.change(Some(dir), NameOp::Put(dir, name, id))?;
                state.files.push(FileState::default());
                id
            }
            (Mode::Create, Some(id)) => {
                if state.begin()? {
                    return Err(killed());
                }
                let file = &mut state.files[id];
                file.now.clear();
                (file.dirty, file.dirty_len) = (Vec::new(), true);
                id
            }
            (_, Some(id)) => {
                if state.begin()? {
                    return Err(killed());
                }
                id
            }
            (_, None) => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(Box::new(SimFile { disk: self.clone(), id }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        if !from.contains('/') {
            let taken = state.names.dirs.get(to).is_some_and(|id| state.names.files.keys().any(|(dir, _)| dir == id));
            assert!(!taken, "{to} is there already");
            assert!(state.names.dirs.contains_key(from), "{from} is not there");
            return state.change(None, NameOp::RenameDir(from.to_owned(), to.to_owned()));
        }
        let ((dir, from), id) = state.file(from)?;
        let id = id.ok_or(io::ErrorKind::NotFound)?;
        let ((to_dir, to_name), _) = state.file(to)?;
        if to_dir != dir {
            return state.change(Some(to_dir), NameOp::Move(dir, from, to_dir, to_name, id));
        }
        let (_, to) = to.split_once('/').unwrap();
        state.change(Some(dir), NameOp::Rename(dir, from, to.to_owned(), id))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut state = self.state();
        if !path.contains('/') {
            return state.change(None, NameOp::RemoveDir(path.to_owned()));
        }
        let ((dir, name), id) = state.file(path)?;
        id.ok_or(io::ErrorKind::NotFound)?;
        state.change(Some(dir), NameOp::Remove(dir, name))
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        let mut state = self.state();
        if state.begin()? {
            return Err(killed());
        }
        let id = if dir.is_empty() { None } else { Some(*state.names.dirs.get(dir).ok_or(io::ErrorKind::NotFound)?) };
        let pending = std::mem::take(&mut state.pending);
        for (parent, op) in pending {
            if parent == id { state.durable.apply(&op) } else { state.pending.push((parent, op)) }
        }
        Ok(())
    }
}

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        let mut state = self.disk.state();
        if state.begin()? {
            return Err(killed());
        }
        Ok(state.files[self.id].now.len() as u64)
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        if state.begin()? {
            return Err(killed());
        }
        let start = usize::try_from(offset).unwrap();
        let bytes = state.files[self.id].now.get(start..start + buf.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.copy_from_slice(bytes);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let start = usize::try_from(offset).unwrap();
        let grows = (offset + bytes.len() as u64).saturating_sub(state.files[self.id].now.len() as u64);
        let room = match state.fault {
            Some(Fault::Full(capacity)) => capacity.saturating_sub(state.used()),
            _ => u64::MAX,
        };
        let (done, result) = match state.begin() {
            Ok(false) if grows <= room => (bytes.len(), Ok(())),
            Ok(false) => {
                state.fired = true;
                (bytes.len() - usize::try_from(grows - room).unwrap(), Err(io::ErrorKind::StorageFull.into()))
            }
            Ok(true) => (bytes.len() / 2, Err(killed())),
            Err(error) if state.dead => (0, Err(error)),
            Err(error) => (bytes.len() / 3, Err(error)),
        };
        state.written += done as u64;
        let file = &mut state.files[self.id];
        if done > 0 {
            if file.now.len() < start + done {
                file.now.resize(start + done, 0);
                file.dirty_len = true;
            }
            file.now[start..start + done].copy_from_slice(&bytes[..done]);
            file.dirty.push(start..start + done);
        }
        result
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        if state.begin()? {
            return Err(killed());
        }
        let len = usize::try_from(len).unwrap();
        let file = &mut state.files[self.id];
        file.dirty_len |= file.now.len() != len;
        file.now.resize(len, 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        if state.begin()? {
            return Err(killed());
        }
        state.syncs += 1;
        let fails = state.fault == Some(Fault::FailSync(state.syncs));
        state.fired |= fails;
        let file = &mut state.files[self.id];
        assert_eq!(file.syncs_failed, 0, "a failed sync was tried again");
        let dirty = std::mem::take(&mut file.dirty);
        if fails {
            file.syncs_failed += 1;
            return Err(io::Error::other("EIO"));
        }
        if std::mem::take(&mut file.dirty_len) {
            file.durable.resize(file.now.len(), 0);
        }
        for range in dirty {
            let end = range.end.min(file.now.len()).min(file.durable.len());
            if range.start < end {
                file.durable[range.start..end].copy_from_slice(&file.now[range.start..end]);
            }
        }
        Ok(())
    }
}
