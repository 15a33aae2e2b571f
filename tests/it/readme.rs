//! What `README.md` says is so.

use std::path::Path;
use std::process::Command;

const README: &str = include_str!("../../README.md");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn its_transcripts_are_what_happens() {
    let mut check = Command::new("python3");
    check.arg("scripts/transcript").arg("--check").current_dir(root());
    let ran = check.env("REVOKD_BIN", env!("CARGO_BIN_EXE_revokd")).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn its_exit_codes_are_those_of_the_help() {
    let ran = Command::new(env!("CARGO_BIN_EXE_revokd")).arg("--help").env_clear().output().unwrap();
    let help = String::from_utf8(ran.stdout).unwrap();
    let (_, codes) = help.split_once("Exit codes:\n").unwrap();
    let rows: Vec<_> = README.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")).collect();
    for code in codes.lines() {
        let (number, meaning) = code.trim().split_once("  ").unwrap();
        let row = rows.iter().find_map(|row| row.strip_prefix(number)?.strip_prefix(" | "));
        assert_eq!(row.map(|row| row.replace('`', "")).as_deref(), Some(meaning), "exit code {number}");
    }
}

#[test]
fn what_it_links_to_is_there() {
    let links: Vec<_> = README.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(links.len() > 5);
    for link in links {
        assert!(root().join(link).exists(), "{link}");
    }
}
