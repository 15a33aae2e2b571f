//! What `--accept-loss` has saved, in words for whoever has to make up for the rest.

use crate::denylist::Salvaged;

/// Says what was skipped, what was saved, and what that means.
pub(super) fn report(saved: &Salvaged) {
    for skipped in &saved.skipped.skipped {
        tracing::warn!(
            file = skipped.file,
            offset = skipped.offset,
            bytes = skipped.bytes,
            why = skipped.what,
            "this part of the journal cannot be read and is left out; the file is kept in journal.damaged-<n>/"
        );
    }
    for issuer in &saved.namings {
        tracing::warn!(
            issuer = issuer.as_str(),
            "no record is left of the claims that this issuer's tokens are known by: those that are configured now are taken. If they were \
             changed since the damage, stop, take the change back, put journal.damaged-<n>/ back as journal/, and start again"
        );
    }
    tracing::warn!(
        from_journal = saved.from_journal,
        from_index = saved.from_index,
        from_archive = saved.from_archive,
        skipped = saved.skipped.skipped.len(),
        "all that the journal, the index and the audit's archive still held is journaled again. If a revocation was in neither, its token is \
         accepted again from now on: hold your own records against `revokd list`, and revoke again what is missing"
    );
}
