//! How the journal uses its disk, and how much of the audit it keeps.

/// How the journal uses its disk.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Length after which a segment is sealed and another begun.
    pub segment_bytes: u64,
    /// How far ahead of its frames a segment is filled with zeros.
    pub zero_ahead_bytes: u64,
    /// Whether a journal that is missing may be begun. `false` where the store is known not to be new.
    pub create: bool,
    /// How long and how much the audit keeps.
    pub audit: AuditOptions,
}

impl Options {
    /// For constants, as [`Default`].
    pub const DEFAULT: Self =
        Self { segment_bytes: 64 << 20, zero_ahead_bytes: 1 << 20, create: true, audit: AuditOptions::DEFAULT };
}

impl Default for Options {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Most files of the archive: they are all listed in the manifest, which is written anew at each change.
pub(super) const ARCHIVE_FILES_MAX: usize = 4_096;

/// How long the records of the audit are kept, and how many.
#[derive(Debug, Clone, Copy)]
pub struct AuditOptions {
    /// How long a record outlives what it tells of, seconds.
    pub keep_s: i64,
    /// Length of the archive beyond which its oldest file goes before its time.
    pub bytes_max: u64,
}

impl AuditOptions {
    /// Thirty days, and four gibibytes.
    pub const DEFAULT: Self = Self { keep_s: 30 * 86_400, bytes_max: 4 << 30 };
}
