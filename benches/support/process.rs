//! What the kernel says about a process: memory, processor time; and the size of a directory.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// Clock ticks per second in `/proc`: Linux shows this many to programs on every machine.
const TICKS_PER_S: u64 = 100;

/// Which process to look at.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Process {
    /// The one that asks.
    Own,
    /// Another one, by its id.
    Id(u32),
}

impl Process {
    fn file(self, name: &str) -> String {
        match self {
            Self::Own => format!("/proc/self/{name}"),
            Self::Id(pid) => format!("/proc/{pid}/{name}"),
        }
    }

    /// Memory resident now, bytes.
    ///
    /// # Panics
    /// If the process is gone.
    #[must_use]
    pub(crate) fn resident_bytes(self) -> u64 {
        field_bytes(&self.file("status"), "VmRSS").unwrap_or_else(|| panic!("{self:?} has no resident memory"))
    }

    /// The most memory that was ever resident, or since [`Self::forget_peak`]; bytes.
    ///
    /// # Panics
    /// If the process is gone.
    #[must_use]
    pub(crate) fn peak_bytes(self) -> u64 {
        field_bytes(&self.file("status"), "VmHWM").unwrap_or_else(|| panic!("{self:?} has no resident memory"))
    }

    /// Begins the peak anew from what is resident now.
    ///
    /// # Panics
    /// If the process is gone or another user's.
    pub(crate) fn forget_peak(self) {
        fs::write(self.file("clear_refs"), "5").unwrap_or_else(|error| panic!("{self:?}: {error}"));
    }

    /// Processor time of all its threads so far, in user and kernel mode; steps of 10 ms.
    ///
    /// # Panics
    /// If the process is gone.
    #[must_use]
    pub(crate) fn cpu_time(self) -> Duration {
        let path = self.file("stat");
        let stat = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        // The second field is the name in parentheses and may hold blanks; utime and stime are fields 14 and 15.
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok());
        Duration::from_millis(ticks.sum::<u64>() * 1_000 / TICKS_PER_S)
    }
}

/// A field of a `/proc` file whose value is given in kB; bytes.
#[must_use]
pub(crate) fn field_bytes(path: &str, field: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

/// Bytes that the files under a directory take on disk; 0 for one that does not exist. Files that go away meanwhile
/// are left out.
#[must_use]
pub(crate) fn disk_bytes(directory: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| {
        let metadata = entry.metadata().ok()?;
        Some(if metadata.is_dir() { disk_bytes(&entry.path()) } else { metadata.blocks() * 512 })
    });
    sizes.sum()
}
