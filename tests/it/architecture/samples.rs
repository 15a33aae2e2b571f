//! Every rule fires on a sample that breaks it, and keeps quiet on one that does not.

use super::rules;
use super::source::Source;

/// The lines that `rule` complains about in a file of this path and text.
fn lines(rule: fn(&Source) -> Vec<String>, path: &str, text: &str) -> Vec<String> {
    let complaints = rule(&Source::new(path, text));
    complaints.iter().map(|complaint| complaint.split(':').nth(1).unwrap().trim().to_owned()).collect()
}

/// Asserts that `rule` finds nothing in `good` and complains once about `bad`.
fn fires(rule: fn(&Source) -> Vec<String>, path: &str, good: &str, bad: &str) {
    assert_eq!(rule(&Source::new(path, good)), Vec::<String>::new(), "{good}");
    assert_eq!(rule(&Source::new(path, bad)).len(), 1, "{bad}");
}

#[test]
fn layers_fire() {
    let core = "src/denylist/writer.rs";
    fires(rules::layers, core, "use crate::token::Key;", "use crate::http::error::Problem;");
    fires(rules::layers, core, "use super::filter::Filter;", "use super::super::cli::Args;");
    fires(rules::layers, core, "// crate::http", "fn f() { crate::jobs::start(); }");
    fires(rules::layers, core, "use crate::{token::{Key, Jti}, journal};", "use crate::{token::{Key, Jti}, wire};");
    fires(rules::layers, core, "#[cfg(test)]\nmod tests { use crate::wire::X; }", "use crate::app::App;");
    fires(rules::layers, "src/token.rs", "use crate::clock::Clock;", "use crate::denylist::Denylist;");
    fires(rules::layers, "src/http/check.rs", "use crate::denylist::Denylist;", "use crate::app::App;");
    assert_eq!(lines(rules::layers, "src/cli/serve.rs", "use crate::app::App;"), Vec::<String>::new());
}

#[test]
fn layered_fires() {
    assert_eq!(lines(rules::layered, "src/cli/serve.rs", ""), Vec::<String>::new());
    assert_eq!(lines(rules::layered, "src/blob/store.rs", ""), ["1"]);
}

#[test]
fn owners_fire() {
    let other = "src/http/check.rs";
    fires(rules::owners, other, "// sled::Db", "fn f(db: &sled::Db) {}");
    fires(rules::owners, other, "use crate::index::Index;", "use sled;");
    fires(rules::owners, other, "let sled = 1;", "use jsonwebtoken::{decode, Header};");
    fires(
        rules::owners,
        other,
        "use crate::metrics;\nfn f() { metrics::count(); }",
        "fn f() { metrics::counter!(1); }",
    );
    fires(rules::owners, other, "use crate::{metrics};", "use crate::metrics;\nfn f() { ::metrics::counter!(1); }");
    fires(rules::owners, other, "let x = <T as Y>::metrics::<Z>();", "let x = tracing_subscriber::fmt();");
    assert_eq!(lines(rules::owners, "src/index/layout.rs", "use sled::Tree;"), Vec::<String>::new());
}

#[test]
fn dependencies_fire() {
    let manifest = "[package]\nname = \"x\"\n\n[dependencies]\nsled = \"1\"\n# why\nnew-crate = \"1\"\n\n[dev-dependencies]\nmio = \"1\"\n";
    assert_eq!(rules::dependencies(manifest), ["Cargo.toml: `new_crate` has no owner in tables.rs"]);
}

#[test]
fn syncing_fires() {
    fires(rules::syncing, "src/index.rs", "fn f() { db.flush() }", "fn f() { file.sync_data() }");
    assert_eq!(lines(rules::syncing, "src/journal/frame.rs", "fn f() { file.sync_all() }"), Vec::<String>::new());
}

#[test]
fn spawning_fires() {
    let door = "src/http/check.rs";
    fires(rules::spawning, door, "Command::new(a).spawn()?;", "tokio::spawn(work);");
    fires(rules::spawning, door, "thread::scope(|scope| scope.spawn(work));", "tracker.spawn(work);");
    fires(rules::spawning, door, "fn spawn(x: u8) {}", "std::thread::Builder::new().spawn(work)?;");
    fires(rules::spawning, door, "respawn(work);", "tokio::task::spawn_blocking(move || read());");
    fires(rules::spawning, "src/denylist/reads.rs", "tokio::task::spawn_blocking(read);", "tokio::spawn(read);");
    fires(rules::spawning, "src/telemetry/writer.rs", "scope.spawn(work);", "tokio::task::spawn_blocking(work);");
}

#[test]
fn time_fires() {
    fires(rules::time, "src/http.rs", "let at = Instant::now();", "let at = std::time::SystemTime::now();");
}

#[test]
fn opening_fires() {
    fires(rules::opening, "src/http.rs", "//! The door.\n", "// The door.\n");
    assert_eq!(lines(rules::opening, "src/http/mod.rs", "//! The door.\n"), ["1"]);
}

#[test]
fn budgets_fire() {
    let function = |lines: usize| format!("fn f() {{\n{}}}\n", "x();\n".repeat(lines - 2));
    fires(rules::budgets, "src/http.rs", &function(70), &function(71));
    let file =
        |lines: usize| format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", "use a;\n".repeat(lines), "use b;\n".repeat(90));
    fires(rules::budgets, "src/http.rs", &file(300), &file(301));
}

#[test]
fn ignored_tests_fire() {
    fires(rules::ignored_tests, "tests/it/x.rs", "// #[ignore]", "#[test]\n#[ignore = \"slow\"]\nfn f() {}");
}

#[test]
fn vocabulary_fires() {
    fires(rules::vocabulary, "README.md", "a denylist", &format!("a {}List", "Black"));
}

#[test]
fn complaints_name_the_line() {
    assert_eq!(lines(rules::time, "src/a.rs", "//! A.\n\nfn f() {\n    SystemTime::now()\n}\n"), ["4"]);
}
