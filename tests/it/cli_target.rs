//! How a verb finds its server and its key, and what it says when it does not.

use std::fs;

use serde_json::json;
use tempfile::TempDir;

use crate::cli_server::{Answer, Server};
use crate::cli_support::{Case, good, nobody, run};

#[test]
fn a_server_that_is_not_there_is_unavailable_and_the_error_says_how_to_start_it() {
    let dir = TempDir::new().unwrap();
    let address = nobody();
    let ran = run(dir.path(), &["check", "a", "--url", &format!("http://{address}")], &[], "");
    assert_eq!(ran.code, 7);
    assert!(ran.stderr.contains(&address) && ran.stderr.contains("`revokd serve`"), "{}", ran.stderr);
    let ran = run(dir.path(), &["check", "a", "--url", "unix:/nowhere/r.sock"], &[], "");
    assert!(ran.code == 7 && ran.stderr.contains("unix:/nowhere/r.sock"), "{}", ran.stderr);
    let ran = run(dir.path(), &["check", "a", "--url", "nowhere"], &[], "");
    assert!(ran.code == 2 && ran.stderr.contains("http://host:port"), "{}", ran.stderr);
}

#[test]
fn a_server_that_is_silent_is_unavailable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let dir = TempDir::new().unwrap();
    let ran = run(dir.path(), &["check", "a", "--url", &url, "--timeout-s", "1"], &[], "");
    assert!(ran.code == 7 && ran.stderr.contains("did not answer in time"), "{ran:?}");
}

#[test]
fn without_a_key_the_server_is_asked_all_the_same_and_its_401_explained() {
    let case = Case::answering(401, json!({ "type": "about:blank", "title": "t", "status": 401, "detail": "no key" }));
    fs::remove_file(case.path("data/admin.key")).unwrap();
    let ran = case.run(&["check", "a"]);
    assert_eq!(ran.code, 5);
    for part in ["no API key was found", "REVOKD_API_KEY", "data/admin.key is missing", "revokd serve"] {
        assert!(ran.stderr.contains(part), "{part} in {}", ran.stderr);
    }
    assert!(case.server.requests()[0].headers.get("authorization").is_none());
}

#[test]
fn an_admin_key_that_cannot_be_read_is_named() {
    let case = Case::answering(200, good());
    fs::remove_file(case.path("data/admin.key")).unwrap();
    fs::create_dir(case.path("data/admin.key")).unwrap();
    let ran = case.run(&["check", "a"]);
    assert!(ran.code == 5 && ran.stderr.contains("data/admin.key"), "{}", ran.stderr);
    assert!(case.server.requests().is_empty());
    let ran = run(case.dir.path(), &["check", "a"], &[("REVOKD_API_KEY", "two\nlines")], "");
    assert!(ran.code == 5 && ran.stderr.contains("REVOKD_API_KEY holds is no API key"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("lines"));
}

#[test]
fn the_environment_names_server_and_key_before_the_config_does() {
    let case = Case::answering(200, good());
    let url = format!("http://{}", case.server.address);
    let elsewhere = TempDir::new().unwrap();
    // Somebody else's config.toml must not keep a client from its server.
    fs::write(elsewhere.path().join("config.toml"), "baseURL = 'https://blog.example'\n").unwrap();
    fs::write(elsewhere.path().join("key"), "from_file\n").unwrap();
    let url = ("REVOKD_URL", url.as_str());
    let key = ("REVOKD_API_KEY", "from_variable");
    let key_file = ("REVOKD_API_KEY_FILE", "key");
    for environment in [[url, key], [url, key_file]] {
        let ran = run(elsewhere.path(), &["check", "a"], &environment, "");
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    let keys: Vec<_> = case.server.requests().iter().map(|request| request.header("authorization")).collect();
    assert_eq!(keys, ["Bearer from_variable", "Bearer from_file"]);
    assert_eq!(run(elsewhere.path(), &["check", "a"], &[url, key, key_file], "").code, 2);
    let ran = run(elsewhere.path(), &["check", "a"], &[url, ("REVOKD_API_KEY_FILE", "none")], "");
    assert!(ran.code == 1 && ran.stderr.contains("none (REVOKD_API_KEY_FILE)"), "{}", ran.stderr);
    let ran = run(elsewhere.path(), &["check", "a"], &[url], "");
    assert!(ran.code == 1 && ran.stderr.contains("unknown key `baseURL`"), "{}", ran.stderr);
    assert_eq!(case.server.requests().len(), 2);
}

#[test]
fn a_unix_socket_is_a_server_too() {
    let dir = TempDir::new().unwrap();
    let socket = dir.path().join("r.sock");
    let server = Server::start_on_socket(&socket, |_| Answer::json(200, &good()));
    fs::write(dir.path().join("config.toml"), format!("[server]\nlisten = \"unix:{}\"\n", socket.display())).unwrap();
    let ran = run(dir.path(), &["check", "a"], &[], "");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(server.requests()[0].uri, "/check");
}

#[test]
fn a_key_does_not_go_where_a_redirect_or_a_proxy_says() {
    let thief = Server::start(|_| Answer::json(200, &good()));
    let thief_url = format!("http://{}", thief.address);
    let case = Case::new({
        let location = thief_url.clone();
        move |_| Answer::redirect(&location)
    });
    let proxies = [("HTTP_PROXY", thief_url.as_str()), ("http_proxy", &thief_url), ("ALL_PROXY", &thief_url)];
    assert_eq!(run(case.dir.path(), &["check", "a"], &proxies, "").code, 1);
    assert_eq!(case.server.requests().len(), 1);
    assert!(thief.requests().is_empty());
}
