//! The house rules as tests: layers, one owner per outside crate, budgets, words. What they allow is in `tables.rs`.
//!
//! The rules read source text, not compiler output: cheap, exact enough for code that rustfmt has formatted, and each
//! one is shown in `samples.rs` to fire.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rules;
mod samples;
mod source;
mod tables;

use source::{Source, files};

/// Fails with every complaint of `rule` about `sources`.
fn assert_kept(sources: &[Source], rule: fn(&Source) -> Vec<String>) {
    let complaints: Vec<_> = sources.iter().flat_map(rule).collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

fn product() -> Vec<Source> {
    files("src", &[".rs"])
}

fn all_rust() -> Vec<Source> {
    ["src", "tests", "benches"].iter().flat_map(|place| files(place, &[".rs"])).collect()
}

#[test]
fn the_scan_sees_the_tree() {
    let seen = all_rust();
    for path in ["src/lib.rs", "src/event/codec.rs", "tests/it/main.rs", file!()] {
        assert!(seen.iter().any(|source| source.path == path), "{path}");
    }
}

#[test]
fn doors_know_the_core_and_the_core_knows_no_door() {
    assert_kept(&product(), rules::layers);
}

#[test]
fn every_module_has_a_layer() {
    assert_kept(&product(), rules::layered);
}

#[test]
fn every_outside_crate_has_one_owner() {
    assert_kept(&product(), rules::owners);
}

#[test]
fn every_dependency_is_accounted_for() {
    let manifest = &files("Cargo.toml", &[".toml"])[0].text;
    assert_eq!(rules::dependencies(manifest), Vec::<String>::new());
}

#[test]
fn only_the_journal_syncs() {
    assert_kept(&product(), rules::syncing);
}

#[test]
fn only_app_and_listener_spawn() {
    assert_kept(&product(), rules::spawning);
}

#[test]
fn only_the_clock_reads_the_time() {
    assert_kept(&product(), rules::time);
}

#[test]
fn every_file_says_what_it_is_for() {
    assert_kept(&all_rust(), rules::opening);
}

#[test]
fn files_and_functions_stay_small() {
    assert_kept(&all_rust(), rules::budgets);
}

#[test]
fn no_test_is_switched_off() {
    assert_kept(&all_rust(), rules::ignored_tests);
}

#[test]
fn it_is_called_a_denylist_everywhere() {
    let places = ["src", "tests", "benches", "docs", "scripts", "config.toml", "README.md", "CHANGELOG.md"];
    let texts = [".rs", ".md", ".toml", ".sh", ".py", ".js", ".json"];
    assert_kept(&places.iter().flat_map(|place| files(place, &texts)).collect::<Vec<_>>(), rules::vocabulary);
}
