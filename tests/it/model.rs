//! Random histories against a plain map: revokes, extensions, checks, clock moves, purges, restarts, losses and failures
//! of the index.
//!
//! Each case is a list of steps; the seed of all is printed when one fails. `REVOKD_MODEL_CASES` sets how many run, and
//! `REVOKD_MODEL_SEED` runs the same ones again.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use revokd::clock::NumericDate;
use revokd::denylist::{Outcome, WriteError};
use revokd::revocation::{Unavailable, Verdict};

use super::support::{LEEWAY_S, Mode, START, Store, mode};

/// Ids are few, so that histories meet.
const IDS: usize = 12;

#[derive(Debug, Clone)]
enum Step {
    Revoke { id: usize, lifetime_s: i64 },
    RevokeMany { first: usize, lifetime_s: i64 },
    Check { id: usize },
    CheckAll,
    Pass { seconds: i64 },
    Jump { seconds: i64 },
    Purge,
    Refill,
    Settle,
    Restart { down_s: i64 },
    LoseIndex,
    FailIndex,
}

fn step() -> impl Strategy<Value = Step> {
    let lifetime = || prop_oneof![-1_000..0_i64, 0..120_i64, 0..3_600_i64, 0..2_000_000_i64];
    prop_oneof![
        8 => (0..IDS, lifetime()).prop_map(|(id, lifetime_s)| Step::Revoke { id, lifetime_s }),
        2 => (0..IDS, lifetime()).prop_map(|(first, lifetime_s)| Step::RevokeMany { first, lifetime_s }),
        8 => (0..IDS + 4).prop_map(|id| Step::Check { id }),
        2 => Just(Step::CheckAll),
        4 => prop_oneof![0..100_i64, 0..4_000_i64, 0..400_000_i64].prop_map(|seconds| Step::Pass { seconds }),
        1 => prop_oneof![-3_000..3_000_i64, -40_000..40_000_i64, Just(315_360_000)].prop_map(|seconds| Step::Jump { seconds }),
        2 => Just(Step::Purge),
        1 => Just(Step::Refill),
        1 => Just(Step::Settle),
        1 => prop_oneof![0..10_i64, 0..10_000_i64].prop_map(|down_s| Step::Restart { down_s }),
        1 => Just(Step::LoseIndex),
        1 => Just(Step::FailIndex),
    ]
}

/// The plain map: until when each id is revoked.
#[derive(Default)]
struct Model {
    ends: HashMap<usize, NumericDate>,
    /// Entries that had ended when a purge or a start could forget them. A clock that then falls back further than it is
    /// ever believed may find them or not (decision 0003).
    forgotten: HashSet<usize>,
    /// Seconds that have truly passed.
    passed_s: i64,
    /// By how much the wall clock is wrong.
    jumped_s: i64,
    /// A wrong wall clock kept step for so long that it was believed: nothing can be said by true time any more.
    misled: bool,
}

impl Model {
    fn look_at_clock(&mut self, store: &Store) {
        self.misled |= !store.denylist().clock().now().doubted && self.jumped_s.abs() > 3_600;
    }

    /// Notes what a purge or a start may forget now.
    fn forget(&mut self, store: &Store) {
        let forgettable = store.denylist().clock().forgettable();
        self.forgotten.extend(self.ends.iter().filter(|(_, ends)| **ends < forgettable).map(|(id, _)| *id));
    }

    fn check(&mut self, store: &Store, id: usize) {
        if mode() == Mode::PurgeAlways {
            self.forget(store);
        }
        let earliest = store.denylist().clock().now().earliest;
        let ends = self.ends.get(&id).copied();
        let expected = ends.is_some_and(|ends| earliest <= ends);
        let revoked = matches!(once_readable(|| store.try_check(&name(id))), Verdict::Revoked(_));
        if !(expected && self.forgotten.contains(&id)) {
            assert_eq!(revoked, expected, "id {id} at {earliest}, ends {ends:?}");
        }
        // Whatever the wall clock says: what truly has not ended by more than the steps that are believed is revoked.
        let truly = START.plus(self.passed_s);
        if !self.misled && ends.is_some_and(|ends| truly.plus(3_600) <= ends) {
            assert!(expected, "a jump of the clock ended a live entry");
        }
    }

    fn revoked(&mut self, store: &Store, id: usize, exp: NumericDate, outcome: &Outcome) {
        let now = store.denylist().clock().now();
        match outcome {
            Outcome::Expired => assert!(exp.plus(LEEWAY_S) < now.earliest),
            Outcome::Stored { ends_at, .. } => {
                let live = self.ends.get(&id).copied().filter(|ends| now.earliest <= *ends);
                let ends = live.map_or(exp.plus(LEEWAY_S), |ends| ends.max(exp.plus(LEEWAY_S)));
                if self.forgotten.remove(&id) {
                    assert!(*ends_at >= exp.plus(LEEWAY_S) && *ends_at <= ends);
                } else {
                    assert_eq!(*ends_at, ends, "the furthest end ever recorded is kept");
                }
                self.ends.insert(id, *ends_at);
            }
            Outcome::Refused(refusal) => panic!("refused: {refusal}"),
        }
    }
}

fn name(id: usize) -> String {
    format!("token-{id}")
}

/// What `ask` gives once the index can be read; until then it must say that it cannot.
fn once_readable<T, E: Into<WriteError>>(ask: impl Fn() -> Result<T, E>) -> T {
    loop {
        match ask().map_err(Into::into) {
            Ok(given) => return given,
            Err(error) => assert_eq!(error, WriteError::Unavailable(Unavailable::Index)),
        }
        std::thread::yield_now();
    }
}

fn run(steps: &[Step]) {
    let mut store = Store::new();
    let mut model = Model::default();
    for step in steps {
        match *step {
            Step::Revoke { id, lifetime_s } => {
                let exp = store.denylist().clock().now().latest.plus(lifetime_s);
                let outcome = once_readable(|| store.try_revoke(&name(id), exp));
                model.revoked(&store, id, exp, &outcome);
            }
            Step::RevokeMany { first, lifetime_s } => {
                let exp = store.denylist().clock().now().latest.plus(lifetime_s);
                let ids: Vec<_> = (0..5).map(|n| (first + n / 2) % IDS).collect();
                let requests = || ids.iter().map(|id| super::support::request(&name(*id), exp)).collect();
                let outcomes = once_readable(|| store.try_revoke_all(requests()));
                for (id, outcome) in ids.iter().zip(&outcomes) {
                    model.revoked(&store, *id, exp, outcome);
                }
            }
            Step::Check { id } => model.check(&store, id),
            Step::CheckAll => (0..IDS + 4).for_each(|id| model.check(&store, id)),
            Step::Pass { seconds } => {
                store.time.pass(seconds);
                model.passed_s += seconds;
            }
            Step::Jump { seconds } => {
                store.time.jump(seconds);
                model.jumped_s += seconds;
            }
            Step::Purge => {
                model.forget(&store);
                store.purge();
            }
            Step::Refill => store.denylist().refill(),
            Step::Settle => store.settle(),
            Step::Restart { down_s } => {
                store.stop();
                store.time.pass(down_s);
                store.time.reboot();
                model.passed_s += down_s;
                store.start().unwrap();
                model.forget(&store);
            }
            Step::LoseIndex => {
                store.stop();
                std::fs::remove_dir_all(store.index_path()).unwrap();
                store.start().unwrap();
                model.forget(&store);
            }
            // Found out by whoever comes next, and mended beside what comes after.
            Step::FailIndex => _ = store.damage_index(),
        }
        model.look_at_clock(&store);
    }
    (0..IDS + 4).for_each(|id| model.check(&store, id));
}

/// Runs a share of the cases, all from one seed, which is printed when a case fails.
fn random_histories(shard: u8) {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let cases = number("REVOKD_MODEL_CASES").unwrap_or(2_000) / u64::from(SHARDS);
    let seed = number("REVOKD_MODEL_SEED").unwrap_or_else(|| {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).unwrap();
        u64::from_le_bytes(bytes)
    });
    let mut bytes = [shard; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases: u32::try_from(cases.max(1)).unwrap(),
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let result = runner.run(&proptest::collection::vec(step(), 1..60), |steps| {
        run(&steps);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}\nagain with REVOKD_MODEL_SEED={seed}");
    }
}

/// Shards run beside each other.
const SHARDS: u8 = 4;

#[test]
fn any_history_gives_the_verdicts_of_a_plain_map_1() {
    random_histories(1);
}

#[test]
fn any_history_gives_the_verdicts_of_a_plain_map_2() {
    random_histories(2);
}

#[test]
fn any_history_gives_the_verdicts_of_a_plain_map_3() {
    random_histories(3);
}

#[test]
fn any_history_gives_the_verdicts_of_a_plain_map_4() {
    random_histories(4);
}
