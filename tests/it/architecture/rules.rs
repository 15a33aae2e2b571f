//! The house rules, each a function from sources to complaints, and each shown to fire.

use super::source::{Source, block_end, is_word, line_of, words};
use super::tables::{COMMODITIES, COMPOSITION, CORE_ONLY, DOORS, FOUNDATION, OWNERS, SPAWNERS, SYNCERS};

/// Longest file, tests at its end not counted.
const FILE_LINES_MAX: usize = 300;
/// Longest function, signature and braces included.
const FUNCTION_LINES_MAX: usize = 70;

/// A complaint that names file, line and rule.
fn complain(source: &Source, text: &str, at: usize, rule: &str) -> String {
    format!("{}:{}: {rule}", source.path, line_of(text, at))
}

/// The module of the crate's root that a path in `source` at `at` begins with, if it begins with one.
///
/// `crate::x`, and `super::x` where it leads out of the file's own top-level module.
fn root_module(source: &Source, at: usize) -> Vec<String> {
    let mut path = &source.product[at..];
    let mut base = source.module();
    if let Some(rest) = path.strip_prefix("crate::") {
        base.clear();
        path = rest;
    }
    while let Some(rest) = path.strip_prefix("super::") {
        base.pop();
        path = rest;
    }
    if base.is_empty() { heads(path) } else { Vec::new() }
}

/// The first names of a path or of a braced group of paths.
fn heads(path: &str) -> Vec<String> {
    let name = |path: &str| path.trim().chars().take_while(|&c| is_word(c)).collect::<String>();
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let mut depth = 0;
    let branches = group.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth <= 0 && (c == ',' || c == '}')
    });
    let end = block_end(path).unwrap_or(path.len());
    let names = branches.scan(1, |at, branch| {
        let begun = *at;
        *at += branch.len() + 1;
        (begun <= end).then(|| name(branch))
    });
    names.filter(|name| !name.is_empty()).collect()
}

/// Every top-level module that the file names, with the place where it does.
fn uses(source: &Source) -> Vec<(usize, String)> {
    let starts = words(&source.product, "crate").chain(words(&source.product, "super"));
    let starts = starts.filter(|&at| !source.product[..at].ends_with("::"));
    starts.flat_map(|at| root_module(source, at).into_iter().map(move |name| (at, name))).collect()
}

/// Doors know the core; the core knows no door; the foundation knows nothing but itself.
pub(super) fn layers(source: &Source) -> Vec<String> {
    let module = source.module();
    let Some(&own) = module.first() else { return Vec::new() };
    let is = |list: &[&str], name: &str| list.contains(&name);
    let judge = |name: &str| {
        if name == own {
            None
        } else if is(FOUNDATION, own) && !is(FOUNDATION, name) {
            Some("the foundation knows nothing but itself")
        } else if is(CORE_ONLY, own) && (is(DOORS, name) || is(COMPOSITION, name)) {
            Some("the core knows no door")
        } else if is(COMPOSITION, name) && !is(COMPOSITION, own) && own != "cli" {
            Some("nobody but main and cli knows the composition root")
        } else {
            None
        }
    };
    let known =
        uses(source).into_iter().filter_map(|(at, name)| judge(&name).map(|rule| (at, format!("{rule} ({name})"))));
    known.map(|(at, rule)| complain(source, &source.product, at, &rule)).collect()
}

/// Every top-level module has its layer, so that a new one cannot escape the rule above.
pub(super) fn layered(source: &Source) -> Vec<String> {
    let known = |name: &&str| [FOUNDATION, CORE_ONLY, DOORS, COMPOSITION].iter().any(|list| list.contains(name));
    let unknown = source.module().first().copied().filter(|name| !known(name));
    unknown
        .map(|name| format!("{}:1: `{name}` has no layer; give it one in tables.rs", source.path))
        .into_iter()
        .collect()
}

/// One owner per outside crate (promise 14).
pub(super) fn owners(source: &Source) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, places) in OWNERS.iter().filter(|(_, places)| !places.iter().any(|place| source.is_in(place))) {
        for at in words(&source.code, name) {
            if names_crate(source, name, at) {
                complaints.push(complain(
                    source,
                    &source.code,
                    at,
                    &format!("`{name}` belongs to {}", places.join(", ")),
                ));
            }
        }
    }
    complaints
}

/// Whether the word at `at` is the outside crate, not a module or a value of the same name.
fn names_crate(source: &Source, name: &str, at: usize) -> bool {
    let (before, after) = (&source.code[..at], &source.code[at + name.len()..]);
    let shadowed = words(&source.code, name).any(|at| {
        let before = source.code[..at].trim_end();
        before.ends_with("mod") || before.ends_with("crate::") || before.ends_with("revokd::")
    }) || uses(source).iter().any(|(_, module)| module == name);
    let rooted = before.strip_suffix("::").is_some_and(|before| !before.ends_with(|c| is_word(c) || c == '>'));
    let path = after.starts_with("::") && !before.ends_with("::") && !shadowed;
    let import = before.trim_end().ends_with("use") && !shadowed;
    rooted || path || import
}

/// Every dependency is owned, or named as one that is used everywhere.
pub(super) fn dependencies(manifest: &str) -> Vec<String> {
    let section = manifest.split("\n[").find_map(|section| section.strip_prefix("dependencies]"));
    let names =
        section.unwrap_or_default().lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name.trim());
    let names = names.filter(|name| !name.starts_with('#')).map(|name| name.replace('-', "_"));
    let known = |name: &String| OWNERS.iter().any(|(owned, _)| owned == name) || COMMODITIES.contains(&name.as_str());
    names.filter(|name| !known(name)).map(|name| format!("Cargo.toml: `{name}` has no owner in tables.rs")).collect()
}

/// Only the journal makes bytes durable.
pub(super) fn syncing(source: &Source) -> Vec<String> {
    if SYNCERS.iter().any(|place| source.is_in(place)) {
        return Vec::new();
    }
    let calls = ["sync_data", "sync_all", "fdatasync", "fsync", "syncfs"];
    let found = calls.iter().flat_map(|call| words(&source.product, call));
    found.map(|at| complain(source, &source.product, at, "only the journal syncs")).collect()
}

/// Only the composition root and the listener start tasks and threads that outlive the call.
pub(super) fn spawning(source: &Source) -> Vec<String> {
    let calls = ["spawn", "spawn_blocking", "spawn_local", "spawn_on", "spawn_scoped"];
    let found = calls.iter().flat_map(|call| words(&source.product, call).map(move |at| (*call, at)));
    let allowed = |call: &str| SPAWNERS.iter().any(|(allowed, place)| *allowed == call && source.is_in(place));
    let called = |call: &str, at: usize| {
        let (before, after) = (&source.product[..at], &source.product[at + call.len()..]);
        // `Command::spawn()` takes nothing; a task or a thread takes what it runs. Scoped threads end with their call.
        after.starts_with('(') && !after.starts_with("()") && !before.ends_with("fn ") && !before.ends_with("scope.")
    };
    let found = found.filter(|&(call, at)| called(call, at) && !allowed(call));
    found.map(|(call, at)| complain(source, &source.product, at, &format!("`{call}` is for {SPAWNERS:?}"))).collect()
}

/// Only `clock.rs` reads the time of day.
pub(super) fn time(source: &Source) -> Vec<String> {
    let calls = ["SystemTime::now", "UNIX_EPOCH", "clock_gettime", "Utc::now", "Local::now"];
    let found = calls.iter().filter(|_| source.path != "src/clock.rs").flat_map(|call| words(&source.product, call));
    found.map(|at| complain(source, &source.product, at, "only clock.rs reads the time")).collect()
}

/// Every file says what it is for, and no `mod.rs` hides what it is.
pub(super) fn opening(source: &Source) -> Vec<String> {
    let mut complaints = Vec::new();
    if !source.text.starts_with("//! ") {
        complaints.push(complain(source, &source.text, 0, "the file does not open with `//!`"));
    }
    if source.path.ends_with("/mod.rs") {
        complaints.push(complain(source, &source.text, 0, "`name.rs` and `name/`, no `mod.rs`"));
    }
    complaints
}

/// Files and functions stay within their budgets.
pub(super) fn budgets(source: &Source) -> Vec<String> {
    let lines = source.product.trim_end().lines().count();
    let long =
        (lines > FILE_LINES_MAX).then(|| format!("{}: {lines} lines; the limit is {FILE_LINES_MAX}", source.path));
    let functions = words(&source.code, "fn").filter_map(|at| {
        let body = &source.code[at..];
        let lines = line_of(body, block_end(body)?);
        let rule = format!("a function of {lines} lines; the limit is {FUNCTION_LINES_MAX}");
        (lines > FUNCTION_LINES_MAX).then(|| complain(source, &source.code, at, &rule))
    });
    long.into_iter().chain(functions).collect()
}

/// No test is switched off.
pub(super) fn ignored_tests(source: &Source) -> Vec<String> {
    let found = source.code.match_indices("#[ignore");
    found.map(|(at, _)| complain(source, &source.code, at, "no test is switched off")).collect()
}

/// One word per thing: it is a denylist, in code, in comments and in the docs.
pub(super) fn vocabulary(source: &Source) -> Vec<String> {
    // Put together, so that this file does not hold it.
    let word = ["black", "list"].concat();
    let text = source.text.to_lowercase();
    text.match_indices(&word).map(|(at, _)| complain(source, &text, at, "say denylist")).collect()
}
