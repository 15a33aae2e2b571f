//! One server to a directory and to a port, and what else keeps the real binary from starting, in words.

use std::process::Output;

use crate::real_server::{EACH_SECOND, Home, RealServer};

fn run(home: &Home, verb: &str, more: &[&str]) -> (i32, String) {
    let Output { status, stdout, stderr } = home.command(verb).args(more).output().unwrap();
    assert!(stdout.is_empty() || status.success(), "errors go to standard error");
    (status.code().unwrap(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

/// What it said last: the error, after the log.
fn last_line(said: &str) -> &str {
    said.trim_end().lines().last().unwrap_or_default()
}

async fn serves(server: &RealServer) {
    assert_eq!(server.ok("/check", &serde_json::json!({ "jti": "a" })).await["revoked"], false);
}

#[tokio::test]
async fn a_second_server_on_the_same_directory_is_refused_and_the_first_goes_on() {
    let home = Home::new(&[]);
    let server = home.start().await;
    let (code, said) = run(&home, "serve", &[]);
    assert_eq!(code, 6, "{said}");
    let last = last_line(&said);
    assert!(last.contains("data is held by a running server"), "{last}");
    serves(&server).await;
}

#[tokio::test]
async fn a_server_that_was_killed_leaves_nothing_that_keeps_the_next_one_out() {
    let home = Home::new(&[EACH_SECOND]);
    for _ in 0..2 {
        let mut server = home.start().await;
        serves(&server).await;
        server.kill();
    }
    assert!(home.start().await.stop().success());
}

#[tokio::test]
async fn a_port_in_use_is_named_with_the_systems_reason() {
    let (home, other) = (Home::new(&[]), Home::new(&[]));
    let server = home.start().await;
    let address = server.url.strip_prefix("http://").unwrap();
    let (code, said) = run(&other, "serve", &["--set", &format!("server.listen={address}")]);
    assert_eq!(code, 1, "{said}");
    let last = last_line(&said);
    assert!(last.contains(&format!("cannot listen on {address}")) && last.contains("in use"), "{said}");
    assert!(!other.path("data").exists(), "a server that cannot listen leaves no directory behind");
    serves(&server).await;
}

#[test]
fn a_flag_or_setting_that_does_not_exist_is_named_before_anything_is_touched() {
    let home = Home::new(&[]);
    let (code, said) = run(&home, "serve", &["--lsiten=127.0.0.1:0"]);
    assert!(code == 2 && said.contains("--lsiten"), "{code}: {said}");
    let (code, said) = run(&home, "serve", &["--set", "server.lsiten=127.0.0.1:0"]);
    assert!(code == 1 && said.contains("server.lsiten"), "{code}: {said}");
    let (code, said) = run(&home, "serve", &["--set", "purge.schedule=daily"]);
    assert!(code == 1 && said.contains("purge.schedule"), "{code}: {said}");
    assert!(!home.path("data").exists());
}

#[tokio::test]
async fn verify_of_an_empty_directory_says_so_and_keeps_no_first_start_from_being_one() {
    let home = Home::new(&[]);
    let refused = || {
        let (code, said) = run(&home, "verify", &[]);
        assert!(code == 1 && said.contains("there is no store in "), "{code}: {said}");
        assert!(!said.contains("accept-loss") && !said.contains("not in order"), "{said}");
    };
    refused();
    assert!(!home.path("data").exists(), "verify makes no directory");
    std::fs::create_dir(home.path("data")).unwrap();
    refused();
    assert_eq!(std::fs::read_dir(home.path("data")).unwrap().count(), 0, "verify makes no file");
    serves(&home.start().await).await;
}

#[tokio::test]
async fn verify_is_refused_while_a_server_runs_and_fine_afterwards() {
    let home = Home::new(&[]);
    let mut server = home.start().await;
    let exp = crate::real_server::now() + 3_600;
    server.ok("/revoke", &serde_json::json!({ "jti": "a", "exp": exp })).await;
    let (code, said) = run(&home, "verify", &[]);
    assert!(code == 6 && said.contains("held by a running server"), "{code}: {said}");
    assert!(!said.contains("not in order"), "{said}");
    assert!(server.stop().success());
    let (code, said) = run(&home, "verify", &[]);
    assert!(code == 0 && said.starts_with("in order: "), "{code}: {said}");
    // A copy without a lock file, as of a backup, is as good, and none is made.
    std::fs::remove_file(home.path("data/LOCK")).unwrap();
    let (code, said) = run(&home, "verify", &[]);
    assert!(code == 0 && said.starts_with("in order: "), "{code}: {said}");
    assert!(!home.path("data/LOCK").exists());
}
