//! Lists of live entries, newest first.

use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use super::bucket::Bucket;
use super::state::State;
use crate::clock::NumericDate;
use crate::event::{Change, Event, Seq};
use crate::index::IndexError;
use crate::keys::Bounds;
use crate::revocation::{Cutoff, Revocation, Target, Unavailable};
use crate::token::{ClientId, Issuer, Key, Selector, Subject};

/// Entries that one page looks at, at the most. One whose filter matches little ends earlier, after half of the time that a
/// read may take: late, it would be no page at all, and the list never come to its end.
const LOOKED_AT_MAX: usize = 20_000;

/// Entries between two looks at the time.
const LOOKED_AT_A_TURN: usize = 64;

/// What a list is limited to.
#[derive(Debug, Clone, Default)]
pub struct ListFilter {
    /// Entries of this issuer only; needed for `sub`.
    pub issuer: Option<Issuer<'static>>,
    /// Entries of this subject of `issuer` only: revocations of its tokens, and cutoffs on it.
    pub sub: Option<Subject<'static>>,
    /// Entries that name this selector only.
    pub kind: Option<Selector>,
    /// Entries within these bounds only.
    pub bounds: Bounds,
}

impl ListFilter {
    fn lets_through(&self, entry: &Entry) -> bool {
        self.issuer.as_ref().is_none_or(|issuer| issuer == entry.issuer())
            && self.kind.is_none_or(|kind| kind == entry.selector())
            && self.bounds.allow(entry.issuer(), entry.client_id())
    }
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// One token is revoked.
    Revocation(Revocation<'static>),
    /// Every token of a target is revoked that was issued up to an instant.
    Cutoff(Cutoff<'static>),
}

impl Entry {
    /// Whose tokens it is about.
    #[must_use]
    pub const fn issuer(&self) -> &Issuer<'static> {
        match self {
            Self::Revocation(revocation) => &revocation.issuer,
            Self::Cutoff(cutoff) => &cutoff.issuer,
        }
    }

    /// The client that it is about, where it is about one: of a revoked token nobody keeps whose it was.
    #[must_use]
    pub const fn client_id(&self) -> Option<&ClientId<'static>> {
        match self {
            Self::Cutoff(Cutoff { target: Target::ClientId(client_id), .. }) => Some(client_id),
            Self::Cutoff(_) | Self::Revocation(_) => None,
        }
    }

    /// The selector that it names.
    #[must_use]
    pub const fn selector(&self) -> Selector {
        match self {
            Self::Revocation(_) => Selector::Jti,
            Self::Cutoff(cutoff) => cutoff.target.selector(),
        }
    }
}

/// One live entry, as listings show it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// What the denylist knows it by; base64url of it is the `id` on the wire.
    pub key: Key,
    /// Place in the history.
    pub seq: Seq,
    /// What it says.
    pub entry: Entry,
    /// When it was made.
    pub revoked_at: NumericDate,
    /// Until when it lives.
    pub ends_at: NumericDate,
}

/// One page of a list, newest first.
#[derive(Debug, Clone)]
pub struct Page {
    /// The entries.
    pub entries: Vec<Listed>,
    /// Where the next page goes on: entries with a `seq` below this one.
    pub next: Option<Seq>,
}

/// Listing entries of one bucket, newest first, overlay and tree together.
type Newest = std::iter::Peekable<Box<dyn Iterator<Item = Result<(Seq, Key), IndexError>>>>;

/// The live entry of `key`.
pub(super) fn entry(state: &State, key: &Key) -> Result<Option<Listed>, Unavailable> {
    match state.buckets.latest(key, state.settings.filter_on)? {
        Some(found) => shown(state, key, found.seq),
        None => Ok(None),
    }
}

/// One page.
pub(super) fn page(state: &State, filter: &ListFilter, before: Option<Seq>, limit: usize) -> Result<Page, Unavailable> {
    let subject = match (&filter.issuer, &filter.sub) {
        (Some(issuer), Some(sub)) => Some(Key::new(Selector::Sub, issuer, sub.as_str())),
        _ => None,
    };
    let until = Instant::now() + Duration::from_millis(state.settings.read_timeout_ms) / 2;
    let before = before.unwrap_or(Seq::MAX);
    let all = state.buckets.all();
    let mut sources = Vec::with_capacity(all.buckets.len());
    match filter.kind {
        // Found in memory, however many revocations of tokens lie between them.
        Some(kind) if kind != Selector::Jti && subject.is_none() => sources.push(newest_cutoffs(state, kind, before)?),
        _ => {
            for bucket in &all.buckets {
                sources.push(newest(bucket, subject.as_ref(), before)?);
            }
        }
    }
    let mut merge = Merge::over(sources)?;
    let mut page = Page { entries: Vec::new(), next: None };
    let mut looked_at = 0_usize;
    let mut last = Seq::MAX;
    while let Some((seq, key)) = merge.next()? {
        let is_turn = looked_at > 0 && looked_at.is_multiple_of(LOOKED_AT_A_TURN);
        let is_full = page.entries.len() == limit || looked_at == LOOKED_AT_MAX;
        if is_full || is_turn && Instant::now() >= until {
            page.next = Some(last);
            break;
        }
        looked_at += 1;
        last = seq;
        if let Some(listed) = shown(state, &key, seq)?.filter(|listed| filter.lets_through(&listed.entry)) {
            page.entries.push(listed);
        }
    }
    Ok(page)
}

/// The live ones of the cutoffs on `targets`, newest first, `limit` at the most; and whether there are more.
pub(super) fn standing(state: &State, targets: &[Key], limit: usize) -> Result<(Vec<Listed>, bool), Unavailable> {
    let earliest = state.clock.now().earliest;
    let mut standing: Vec<_> = {
        let register = state.cutoffs.register()?;
        let all = targets.iter().flat_map(|target| register.of_target(target));
        all.filter(|cutoff| cutoff.is_live(earliest)).cloned().collect()
    };
    standing.sort_unstable_by_key(|cutoff| std::cmp::Reverse(cutoff.seq));
    let more = standing.len() > limit;
    let listed = standing.iter().take(limit).map(|cutoff| {
        let event = Event::decode(&cutoff.raw).map_err(|_| Unavailable::Index)?;
        listed(&cutoff.id, &event).ok_or(Unavailable::Index)
    });
    Ok((listed.collect::<Result<_, _>>()?, more))
}

/// The entry that the event `seq` of `key` made, if it is still the one in force.
fn shown(state: &State, key: &Key, seq: Seq) -> Result<Option<Listed>, Unavailable> {
    let Some(raw) = state.buckets.raw_latest(key, state.settings.filter_on)? else { return Ok(None) };
    let event = Event::decode(&raw).map_err(|_| Unavailable::Index)?;
    let in_force = event.seq == seq && state.clock.now().earliest <= event.ends_at;
    Ok(if in_force { listed(key, &event) } else { None })
}

/// The entry that an event makes, if it makes one rather than takes it back.
fn listed(key: &Key, event: &Event<'_>) -> Option<Listed> {
    let (entry, revoked_at) = match event.change.clone() {
        Change::Revoked(revocation) => (Entry::Revocation(revocation.into_owned()), event.recorded_at),
        Change::Cutoff(record) => (Entry::Cutoff(record.cutoff.into_owned()), record.revoked_at),
        _ => return None,
    };
    Some(Listed { key: *key, seq: event.seq, entry, revoked_at, ends_at: event.ends_at })
}

/// The cutoffs that name `kind`, as many as one page may look at.
fn newest_cutoffs(state: &State, kind: Selector, before: Seq) -> Result<Newest, Unavailable> {
    let newest: Vec<_> = state.cutoffs.register()?.newest(kind, before).take(LOOKED_AT_MAX + 1).map(Ok).collect();
    let all: Box<dyn Iterator<Item = _>> = Box::new(newest.into_iter());
    Ok(all.peekable())
}

fn newest(bucket: &Bucket, subject: Option<&Key>, before: Seq) -> Result<Newest, Unavailable> {
    // Overlay before tree: what is drained in between is then in both, so the tree is read below the overlay only.
    let mut overlaid = Vec::new();
    let mut lowest = before;
    for raw in bucket.overlay()? {
        let event = Event::decode(&raw).map_err(|_| Unavailable::Index)?;
        let Some((key, _)) = event.entry() else { continue };
        lowest = lowest.min(event.seq);
        if event.seq < before && subject.is_none_or(|subject| event.subject() == Some(*subject)) {
            overlaid.push((event.seq, key));
        }
    }
    overlaid.sort_unstable_by_key(|(seq, _)| std::cmp::Reverse(*seq));
    let tree = bucket.tree().map_err(|error| bucket.unreadable(&error))?;
    let all: Box<dyn Iterator<Item = _>> = Box::new(overlaid.into_iter().map(Ok).chain(tree.newest(subject, lowest)));
    Ok(all.peekable())
}

/// Merges descending sources by `seq`.
struct Merge {
    sources: Vec<Newest>,
    /// Next `seq` of each source that has one.
    heads: BinaryHeap<(Seq, usize)>,
}

impl Merge {
    fn over(sources: Vec<Newest>) -> Result<Self, Unavailable> {
        let mut merge = Self { heads: BinaryHeap::with_capacity(sources.len()), sources };
        for source in 0..merge.sources.len() {
            merge.push_head(source)?;
        }
        Ok(merge)
    }

    fn push_head(&mut self, source: usize) -> Result<(), Unavailable> {
        match self.sources[source].peek() {
            Some(Ok((seq, _))) => self.heads.push((*seq, source)),
            Some(Err(_)) => return Err(Unavailable::Index),
            None => {}
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<(Seq, Key)>, Unavailable> {
        let Some((_, source)) = self.heads.pop() else { return Ok(None) };
        let next = self.sources[source].next().transpose().map_err(|_| Unavailable::Index)?;
        self.push_head(source)?;
        Ok(next)
    }
}
