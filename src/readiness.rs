//! Whether the server may serve: named conditions that must all hold, one set for checks and a larger one for writes.
//!
//! Every part holds its own condition up to date; `/readyz` and the gates in front of checks and writes only read.
//! Nothing holds until somebody has said so (promise 10).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What must hold before requests are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Condition {
    /// The journal is verified and replayed.
    Journal = 1,
    /// The index is proven equal to the journal.
    Index = 1 << 1,
    /// The filters hold every live entry.
    Filter = 1 << 2,
    /// The server is not stopping.
    Running = 1 << 3,
    /// The journal takes writes.
    Writable = 1 << 4,
}

impl Condition {
    /// Every condition, in the order in which they come to hold.
    pub const ALL: [Self; 5] = [Self::Journal, Self::Index, Self::Filter, Self::Running, Self::Writable];

    /// The name in `/readyz?verbose`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::Index => "index",
            Self::Filter => "filter",
            Self::Running => "running",
            Self::Writable => "writable",
        }
    }
}

/// What somebody wants to know readiness for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// `/readyz`: verdicts can be given.
    Checks,
    /// `/readyz?for=writes`: changes can be made.
    Writes,
}

impl Purpose {
    /// The label of the purpose in metrics and in the query of `/readyz`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Checks => "checks",
            Self::Writes => "writes",
        }
    }

    const fn needs(self, condition: Condition) -> bool {
        match self {
            Self::Checks => !matches!(condition, Condition::Writable),
            Self::Writes => true,
        }
    }

    const fn mask(self) -> u8 {
        let mut mask = 0;
        let mut i = 0;
        while i < Condition::ALL.len() {
            if self.needs(Condition::ALL[i]) {
                mask |= Condition::ALL[i] as u8;
            }
            i += 1;
        }
        mask
    }
}

/// The conditions of one server. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// A bit for each condition that holds.
    holding: AtomicU8,
    /// A bit for each condition that has ever held.
    held: AtomicU8,
    notes: Mutex<BTreeMap<&'static str, String>>,
}

impl Readiness {
    /// A server of which nothing is known to hold yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says whether `condition` holds.
    pub fn set(&self, condition: Condition, holds: bool) {
        if holds {
            self.inner.held.fetch_or(condition as u8, Ordering::Relaxed);
            self.inner.holding.fetch_or(condition as u8, Ordering::Release);
        } else {
            self.inner.holding.fetch_and(!(condition as u8), Ordering::Release);
        }
    }

    /// Whether everything holds that `purpose` needs. One atomic read.
    #[must_use]
    pub fn is_ready_for(&self, purpose: Purpose) -> bool {
        let mask = purpose.mask();
        self.inner.holding.load(Ordering::Acquire) & mask == mask
    }

    /// Whether `condition` has held, and holds no longer.
    #[must_use]
    pub fn has_ceased(&self, condition: Condition) -> bool {
        let bit = condition as u8;
        self.inner.held.load(Ordering::Relaxed) & bit != 0 && self.inner.holding.load(Ordering::Acquire) & bit == 0
    }

    /// The conditions that `purpose` still lacks.
    pub fn missing_for(&self, purpose: Purpose) -> impl Iterator<Item = Condition> {
        let holding = self.inner.holding.load(Ordering::Acquire);
        Condition::ALL.into_iter().filter(move |condition| purpose.needs(*condition) && holding & *condition as u8 == 0)
    }

    /// Puts a remark that decides nothing (a doubted clock, the age of the last purge) into the verbose listing, in
    /// place of the one before of the same name. The text must hold no id (promise 12).
    pub fn note(&self, name: &'static str, text: impl Into<String>) {
        self.notes().insert(name, text.into());
    }

    /// Takes the remark of that name back.
    pub fn clear_note(&self, name: &'static str) {
        self.notes().remove(name);
    }

    /// The body of `/readyz?verbose`: a line per condition and remark, in the manner of Kubernetes.
    #[must_use]
    pub fn verbose(&self, purpose: Purpose) -> String {
        let holding = self.inner.holding.load(Ordering::Acquire);
        let held = self.inner.held.load(Ordering::Relaxed);
        let mut text = String::new();
        for condition in Condition::ALL.into_iter().filter(|condition| purpose.needs(*condition)) {
            let (sign, state) = match (holding & condition as u8, held & condition as u8) {
                (0, 0) => ('-', "not yet"),
                (0, _) => ('-', "no longer"),
                _ => ('+', "ok"),
            };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "[{sign}]{} {state}", condition.name());
        }
        for (name, note) in self.notes().iter() {
            let _ = writeln!(text, "[i]{name} {note}");
        }
        let mask = purpose.mask();
        let verdict = if holding & mask == mask { "ready" } else { "not ready" };
        let _ = writeln!(text, "{verdict} for {}", purpose.as_str());
        text
    }

    fn notes(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.inner.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_but(missing: &[Condition]) -> Readiness {
        let readiness = Readiness::new();
        for condition in Condition::ALL {
            readiness.set(condition, !missing.contains(&condition));
        }
        readiness
    }

    #[test]
    fn nothing_holds_until_somebody_has_said_so() {
        let readiness = Readiness::new();
        assert!(!readiness.is_ready_for(Purpose::Checks) && !readiness.is_ready_for(Purpose::Writes));
        assert_eq!(readiness.missing_for(Purpose::Writes).collect::<Vec<_>>(), Condition::ALL);
    }

    #[test]
    fn every_condition_alone_can_refuse_what_needs_it() {
        for condition in Condition::ALL {
            let readiness = all_but(&[condition]);
            assert_eq!(readiness.is_ready_for(Purpose::Checks), condition == Condition::Writable, "{condition:?}");
            assert!(!readiness.is_ready_for(Purpose::Writes), "{condition:?}");
            readiness.set(condition, true);
            assert!(readiness.is_ready_for(Purpose::Checks) && readiness.is_ready_for(Purpose::Writes));
        }
    }

    #[test]
    fn a_node_that_cannot_write_goes_on_checking() {
        let readiness = all_but(&[Condition::Writable]);
        assert!(readiness.is_ready_for(Purpose::Checks));
        assert_eq!(readiness.missing_for(Purpose::Writes).collect::<Vec<_>>(), [Condition::Writable]);
    }

    #[test]
    fn the_verbose_listing_names_every_condition_and_remark() {
        let readiness = all_but(&[Condition::Filter]);
        readiness.note("clock", "doubted");
        readiness.note("clock", "doubted since the start");
        readiness.note("purge", "gone");
        readiness.clear_note("purge");
        assert_eq!(
            readiness.verbose(Purpose::Checks),
            "[+]journal ok\n[+]index ok\n[-]filter not yet\n[+]running ok\n[i]clock doubted since the start\n\
             not ready for checks\n"
        );
        readiness.set(Condition::Filter, true);
        readiness.set(Condition::Running, false);
        assert!(readiness.verbose(Purpose::Checks).contains("[+]filter ok\n[-]running no longer\n"));
        readiness.set(Condition::Running, true);
        assert!(
            readiness
                .verbose(Purpose::Writes)
                .ends_with("[+]writable ok\n[i]clock doubted since the start\nready for writes\n")
        );
    }
}
