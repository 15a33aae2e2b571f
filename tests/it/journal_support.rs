//! What the journal's tests share: events, and a disk in memory that knows what was synced and fails on demand.

mod sim;

use std::collections::BTreeMap;
use std::ops::Range;

use revokd::clock::NumericDate;
use revokd::event::{Change, Event, Origin, Seq};
use revokd::journal::{Group, Journal, JournalError, Options, Recovery};
use revokd::revocation::Revocation;
use revokd::token::{Issuer, Jti};

pub(crate) use sim::{Fault, SimDisk};

/// When the tests begin.
pub(crate) const START: NumericDate = NumericDate(1_800_000_000);

/// A journal small enough to rotate often.
pub(crate) const SMALL: Options = Options { segment_bytes: 2_048, zero_ahead_bytes: 512, ..Options::DEFAULT };

/// A revocation recorded at `at` that lives for `lifetime_s`.
pub(crate) fn event(seq: Seq, at: NumericDate, lifetime_s: i64) -> Event<'static> {
    let ends_at = at.plus(lifetime_s);
    Event {
        seq,
        recorded_at: at,
        ends_at,
        origin: Origin::INTERNAL,
        change: Change::Revoked(Revocation {
            issuer: Issuer::NAMELESS,
            jti: Jti::parse(format!("token-{seq:08}")).unwrap(),
            sub: None,
            exp: ends_at,
            reason: None,
        }),
    }
}

/// A group of `seqs`, recorded at `at`; each tenth event lives 30 days, the others 15 minutes.
pub(crate) fn group(seqs: Range<Seq>, at: NumericDate) -> Group {
    let mut group = Group::new();
    for seq in seqs {
        group.push(&event(seq, at, lifetime_s(seq))).unwrap();
    }
    group
}

/// How long the event `seq` of [`group`] lives.
pub(crate) fn lifetime_s(seq: Seq) -> i64 {
    if seq.is_multiple_of(10) { 30 * 86_400 } else { 900 }
}

/// The events of a journal, by seq.
pub(crate) type Events = BTreeMap<Seq, Vec<u8>>;

/// Opens the journal on `disk` and reads all of it.
pub(crate) fn open(disk: &SimDisk, options: Options) -> Result<(Journal, Recovery, Events), JournalError> {
    let mut events = Events::new();
    let (journal, recovery) = Journal::open(disk.arc(), options, &mut |bytes, event| {
        assert_eq!(Event::decode(bytes).unwrap(), *event);
        assert!(events.insert(event.seq, bytes.to_vec()).is_none(), "event {} came twice", event.seq);
    })?;
    assert_eq!(recovery.events, events.len() as u64);
    Ok((journal, recovery, events))
}

/// `SplitMix64`: the seed is all there is to print.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }
}
