//! The same in the data directory itself, while no server holds it: by the same door of the core, and as durable.

use super::super::exit::{Exit, Failure};
use crate::app;
use crate::config::Loaded;
use crate::denylist::{Denylist, KeyEndRequest, KeyOutcome, WriteError};
use crate::event::{Origin, Source};
use crate::revocation::Reason;
use crate::wire::{KeyAnswer, KeyBody, KeyEntries, KeyEntry, KeyRevokedAnswer};

/// Nobody but the directory's owner can be told from whoever does this.
const ORIGIN: Origin<'static> = Origin { source: Source::Cli, ..Origin::INTERNAL };

pub(super) fn create(loaded: &Loaded, body: &KeyBody) -> anyhow::Result<KeyAnswer> {
    app::offline(loaded, async |denylist: &Denylist| {
        let new = body.make(denylist.issuers(), denylist.clock().now().latest)?;
        let (id, expires_at) = (new.record.id.as_ref().to_owned(), new.record.expires_at.map(|end| end.0));
        let seq = done(denylist.create_key(new.record, ORIGIN).await)?;
        Ok(KeyAnswer { seq, id, key: new.text, expires_at })
    })?
}

pub(super) fn list(loaded: &Loaded) -> anyhow::Result<KeyEntries> {
    Ok(app::offline(loaded, async |denylist: &Denylist| {
        let now = denylist.clock().now().latest;
        KeyEntries { keys: denylist.keys().list().into_iter().map(|key| KeyEntry::of(key, now)).collect() }
    })?)
}

pub(super) fn revoke(loaded: &Loaded, id: &str, reason: Option<&str>) -> anyhow::Result<KeyRevokedAnswer> {
    let reason = reason.map(Reason::parse).transpose()?.map(Reason::into_owned);
    app::offline(loaded, async |denylist: &Denylist| {
        let request = KeyEndRequest { id: id.to_owned(), reason };
        let seq = done(denylist.revoke_key(request, ORIGIN).await)?;
        Ok(KeyRevokedAnswer { seq, id: id.to_owned() })
    })?
}

fn done(outcome: Result<KeyOutcome, WriteError>) -> anyhow::Result<u64> {
    match outcome? {
        KeyOutcome::Done { seq } => Ok(seq),
        KeyOutcome::NotFound => Err(Failure::new(Exit::NotFound, "no key has this id").into()),
        KeyOutcome::Refused(refusal) => Err(Failure::new(Exit::Error, refusal.to_string()).into()),
    }
}
