//! The command line as a whole: help, usage, exit codes.

use std::process::{Command, Stdio};

use clap::CommandFactory;
use serde_json::json;
use tempfile::TempDir;

use crate::cli_server::Answer;
use crate::cli_support::{Case, good, run};

#[test]
fn help_of_every_verb() {
    let mut command = revokd::cli::Cli::command().term_width(100);
    command.build();
    let mut pages = vec![command.render_long_help().to_string()];
    for verb in command.get_subcommands_mut() {
        pages.push(verb.render_long_help().to_string());
        pages.extend(verb.get_subcommands_mut().map(|verb| verb.render_long_help().to_string()));
    }
    insta::assert_snapshot!(pages.join("\n=====\n"));
}

#[test]
fn no_documented_revoke_has_an_exp_that_gets_too_far_or_too_near_with_time() {
    let mut command = revokd::cli::Cli::command();
    let help = command.find_subcommand_mut("revoke").unwrap().render_long_help().to_string();
    for (name, text) in [("help", &*help), ("API.md", include_str!("../../docs/API.md"))] {
        for before in ["--exp ", "\"exp\":"] {
            let mut values = text.split(before).skip(1);
            let fixed = values.find(|value| value.starts_with(|first: char| first.is_ascii_digit()));
            assert!(fixed.is_none(), "{name}: {fixed:?}");
        }
    }
}

#[test]
fn contradicting_or_missing_arguments_are_wrong_usage() {
    let case = Case::answering(200, good());
    for arguments in [
        &["check"][..],
        &["check", "a", "--token-file", "f"],
        &["check", "--iss", "i"],
        &["revoke"],
        &["revoke", "a"],
        &["revoke", "--exp", "1"],
        &["revoke", "a", "--exp", "soon"],
        &["revoke", "--file", "f", "--token-file", "t"],
        &["revoke", "a", "--exp", "1", "--file", "f"],
        &["revoke", "--from-line", "2", "--token-file", "t"],
        &["revoke", "--file", "f", "--exp", "+1h"],
        &["revoke", "--token-file", "t", "--exp", "+1h"],
        &["revoke", "--file", "f", "--iss", "i"],
        &["list", "--limit", "0"],
        &["list", "--all", "--limit", "5"],
        &["list", "--kind", "user"],
        &["logout"],
        &["logout", "s"],
        &["logout", "--sub", "a", "--sid", "b"],
        &["logout", "--all", "--client-id", "c"],
        &["logout", "--sub", "a", "--yes"],
        &["logout", "--sub", "a", "--before", "soon"],
        &["logout", "--all"],
        &["restore"],
        &["restore", "AAAAAAAAAAAAAAAAAAAAAA"],
        &["restore", "../keys", "--reason", "r"],
        &["restore", "AAAAAAAAAAAAAAAAAAAAAA", "--reason", "r", "--seq", "x"],
        &[],
    ] {
        let ran = case.run(arguments);
        assert_eq!(ran.code, 2, "{arguments:?} {ran:?}");
        assert!(ran.stdout.is_empty());
    }
    assert!(case.server.requests().is_empty());
}

#[test]
fn a_flag_of_one_way_to_revoke_is_no_flag_of_another_and_says_so() {
    let case = Case::answering(200, good());
    for way in ["--file", "--token-file"] {
        for flag in ["--exp", "--iss", "--sub"] {
            let ran = case.run(&["revoke", way, "f", flag, "1"]);
            assert!(ran.stderr.contains("cannot be used with"), "{way} {flag}: {}", ran.stderr);
        }
    }
    let said = case.run(&["revoke"]).stderr;
    assert!(said.contains("JTI") && said.contains("--token-file") && said.contains("--file"), "{said}");
}

#[test]
fn each_kind_of_refusal_has_its_exit_code_and_next_step() {
    for (status, code, next) in [
        (400, 1, ""),
        (401, 5, "data/admin.key is not one of this server's"),
        (403, 5, "data/admin.key may not do this"),
        (404, 4, ""),
        (409, 6, ""),
        (412, 6, ""),
        (413, 1, ""),
        (422, 1, ""),
        (429, 7, "try again later"),
        (500, 1, ""),
        (503, 7, "try again later"),
        (507, 1, ""),
    ] {
        let problem = json!({ "type": "about:blank", "title": "t", "status": status, "detail": "`jti` is\u{7} bad" });
        let ran = Case::answering(status, problem).run(&["check", "a"]);
        assert_eq!(ran.code, code, "{status}");
        assert!(ran.stdout.is_empty());
        assert!(ran.stderr.starts_with("revokd: `jti` is\\u{7} bad"), "{}", ran.stderr);
        assert!(ran.stderr.contains(next), "{}", ran.stderr);
    }
    let ran = Case::new(|_| Answer::text(302, "go away")).run(&["check", "a"]);
    assert!(ran.code == 1 && ran.stderr.contains("302") && ran.stderr.contains("redirect"), "{}", ran.stderr);
    for body in ["<html>", "{}", ""] {
        let ran = Case::new(move |_| Answer::text(200, body)).run(&["check", "a"]);
        assert!(ran.code == 1 && ran.stderr.contains("is not revokd"), "{}", ran.stderr);
    }
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_revokd"))
        .args(["completions", "bash"])
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn completions_name_the_verbs() {
    let dir = TempDir::new().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let ran = run(dir.path(), &["completions", shell], &[], "");
        assert!(ran.code == 0 && ran.stdout.contains("revoke") && ran.stdout.contains("token-file"), "{shell}");
    }
}
