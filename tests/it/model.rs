//! Random histories against a plain map: revokes, extensions, force-logouts, restores, checks of every kind, clock moves,
//! purges, restarts, losses and failures of the index.
//!
//! Each case is a list of steps; the seed of all is printed when one fails. `REVOKD_MODEL_CASES` sets how many run, and
//! `REVOKD_MODEL_SEED` runs the same ones again.

mod plain;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use revokd::denylist::{Proof, WriteError};
use revokd::revocation::Unavailable;

use super::support::{Store, request};
use plain::{Bearer, Model, Whom, name};

/// Ids are few, so that histories meet.
const IDS: usize = 12;

#[derive(Debug, Clone)]
enum Step {
    Revoke { id: usize, lifetime_s: i64 },
    RevokeMany { first: usize, lifetime_s: i64 },
    RevokeVerified { id: usize, ago_s: i64, lifetime_s: i64 },
    LogOut { whom: Whom, ago_s: Option<i64> },
    Restore { id: usize },
    RestoreCutoff { which: usize },
    Check { bearer: Bearer },
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

fn whom() -> impl Strategy<Value = Whom> {
    prop_oneof![
        3 => (1..4_usize).prop_map(Whom::Sub),
        2 => (1..3_usize).prop_map(Whom::Sid),
        1 => (1..3_usize).prop_map(Whom::ClientId),
        2 => (1..3_usize).prop_map(Whom::Family),
        1 => Just(Whom::All),
    ]
}

fn bearer() -> impl Strategy<Value = Bearer> {
    let iat = prop_oneof![-10..10_i64, -5_000..100_i64, -3_000_000..100_i64];
    let value = || 0..3_usize;
    (proptest::option::of(0..IDS + 4), 0..4_usize, value(), value(), value(), proptest::option::of(iat))
        .prop_map(|(id, sub, sid, client_id, family, iat_s)| Bearer { id, sub, sid, client_id, family, iat_s })
}

/// Every id alone, every value alone, and all at once.
fn check_all(store: &Store, model: &mut Model) {
    let nothing = Bearer { id: None, sub: 0, sid: 0, client_id: 0, family: 0, iat_s: None };
    (0..IDS + 4).for_each(|id| model.check(store, &Bearer { id: Some(id), ..nothing }));
    for iat_s in [None, Some(-2), Some(-4_000)] {
        for value in 0..4 {
            model.check(store, &Bearer { sub: value, iat_s, ..nothing });
            model.check(store, &Bearer { sid: value, iat_s, ..nothing });
            model.check(store, &Bearer { client_id: value, iat_s, ..nothing });
            model.check(store, &Bearer { family: value, iat_s, ..nothing });
            let (sub, sid, client_id, family) = (value, value, value, value);
            model.check(store, &Bearer { id: Some(value), sub, sid, client_id, family, iat_s });
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let lifetime = || prop_oneof![-1_000..0_i64, 0..120_i64, 0..3_600_i64, 0..2_000_000_i64];
    prop_oneof![
        8 => (0..IDS, lifetime()).prop_map(|(id, lifetime_s)| Step::Revoke { id, lifetime_s }),
        2 => (0..IDS, lifetime()).prop_map(|(first, lifetime_s)| Step::RevokeMany { first, lifetime_s }),
        1 => (0..IDS, 0..10_000_000_i64, prop_oneof![0..5_000_000_i64, 0..316_000_000_i64])
            .prop_map(|(id, ago_s, lifetime_s)| Step::RevokeVerified { id, ago_s, lifetime_s }),
        4 => (whom(), proptest::option::of(prop_oneof![0..5_i64, 0..4_000_i64, 0..3_000_000_i64]))
            .prop_map(|(whom, ago_s)| Step::LogOut { whom, ago_s }),
        3 => (0..IDS).prop_map(|id| Step::Restore { id }),
        3 => (0..64_usize).prop_map(|which| Step::RestoreCutoff { which }),
        12 => bearer().prop_map(|bearer| Step::Check { bearer }),
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
                model.revoked(&store, id, exp, None, &outcome);
            }
            Step::RevokeVerified { id, ago_s, lifetime_s } => {
                let iat = store.denylist().clock().now().latest.plus(-ago_s);
                let mut request = request(&name(id), iat.plus(lifetime_s));
                request.proof = Proof::Verified { iat: Some(iat) };
                let outcomes = once_readable(|| store.try_revoke_all(vec![request.clone()]));
                model.revoked(&store, id, iat.plus(lifetime_s), Some(iat), &outcomes[0]);
            }
            Step::LogOut { whom, ago_s } => {
                let at = ago_s.map(|ago_s| store.denylist().clock().now().latest.plus(-ago_s));
                let outcome = once_readable(|| store.try_log_out(whom.target(), at));
                model.logged_out(&store, whom, at, &outcome);
            }
            Step::Restore { id } => model.restore(&store, id),
            Step::RestoreCutoff { which } => model.restore_cutoff(&store, which),
            Step::RevokeMany { first, lifetime_s } => {
                let exp = store.denylist().clock().now().latest.plus(lifetime_s);
                let ids: Vec<_> = (0..5).map(|n| (first + n / 2) % IDS).collect();
                let requests = || ids.iter().map(|id| request(&name(*id), exp)).collect();
                let outcomes = once_readable(|| store.try_revoke_all(requests()));
                for (id, outcome) in ids.iter().zip(&outcomes) {
                    model.revoked(&store, *id, exp, None, outcome);
                }
            }
            Step::Check { bearer } => model.check(&store, &bearer),
            Step::CheckAll => check_all(&store, &mut model),
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
    check_all(&store, &mut model);
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
