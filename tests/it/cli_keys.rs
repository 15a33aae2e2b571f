//! `revokd keys`: through the server, and in the data directory itself.

use std::process::Output;

use serde_json::{Value, json};

use crate::cli_server::Answer;
use crate::cli_support::Case;
use crate::real_server::Home;

#[test]
fn create_writes_the_key_and_nothing_else_to_standard_output() {
    let made =
        json!({ "seq": 7, "id": "0123456789ab", "key": "revokd_0123456789ab_secret", "expires_at": 1_800_000_000 });
    let case = Case::answering(200, made.clone());
    let all = [
        "keys",
        "create",
        "--label",
        "ci",
        "--scope",
        "revoke",
        "--scope",
        "check",
        "--iss",
        "i",
        "--client-id",
        "c",
        "--client-id",
        "d",
        "--expires",
        "1800000000",
    ];
    let ran = case.run(&all);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "revokd_0123456789ab_secret\n"));
    assert!(ran.stderr.contains("0123456789ab") && ran.stderr.contains("2027-01-15T08:00:00Z"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
    assert_eq!(
        case.run(&["keys", "create", "--label", "x", "--scope", "admin", "--expires", "+8h", "--json"]).json(),
        made
    );
    let [first, second] = &case.server.requests()[..] else { panic!("two requests") };
    assert_eq!((first.method.as_str(), first.uri.as_str()), ("POST", "/keys"));
    assert_eq!(first.header("authorization"), "Bearer revokd_admin_key");
    let body = json!({ "label": "ci", "scopes": ["revoke", "check"], "issuers": ["i"], "client_ids": ["c", "d"], "expires_at": 1_800_000_000 });
    assert_eq!(first.json(), body);
    assert_eq!(second.json(), json!({ "label": "x", "scopes": ["admin"], "expires_in_s": 28_800 }));
}

#[test]
fn list_prints_a_table_or_one_object_a_line() {
    let key = |id: &str| json!({ "id": id, "seq": 1, "label": "a\u{1b}[2J", "scopes": ["check"], "created_at": 0, "expired": false });
    let keys = [key("0123456789ab"), key("ba9876543210")];
    let case = Case::answering(200, json!({ "keys": keys }));
    let ran = case.run(&["keys", "list"]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (0, 3));
    assert!(ran.stdout.starts_with("ID ") && !ran.stdout.contains('\u{1b}'), "{}", ran.stdout);
    let ran = case.run(&["keys", "list", "--json"]);
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, keys);
}

#[test]
fn revoke_names_the_key_by_its_id_and_quotes_nothing_else() {
    let case = Case::new(|request| {
        assert_eq!(request.method, "DELETE");
        assert!(["/keys/0123456789ab", "/keys/0123456789ab?reason=a%20b"].contains(&request.uri.as_str()));
        Answer::json(200, &json!({ "seq": 9, "id": "0123456789ab" }))
    });
    let ran = case.run(&["keys", "revoke", "0123456789ab"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "key 0123456789ab is refused from now on (seq 9)\n"));
    assert_eq!(case.run(&["keys", "revoke", "0123456789ab", "--reason", "a b"]).code, 0);
    for wrong in ["revokd_0123456789ab_secret", "../keys", "0123456789AB", ""] {
        let ran = case.run(&["keys", "revoke", wrong]);
        assert_eq!(ran.code, 2, "{wrong}");
        assert!(!ran.stderr.contains("secret") && ran.stdout.is_empty(), "{}", ran.stderr);
    }
    assert_eq!(case.server.requests().len(), 2);
    let case = Case::answering(
        404,
        json!({ "type": "about:blank", "title": "t", "status": 404, "detail": "no key has this id" }),
    );
    assert_eq!(case.run(&["keys", "revoke", "0123456789ab"]).code, 4);
}

#[test]
fn wrong_usage_asks_no_server() {
    let case = Case::answering(200, json!({}));
    for arguments in [
        &["keys"][..],
        &["keys", "create"],
        &["keys", "create", "--label", "x"],
        &["keys", "create", "--scope", "check"],
        &["keys", "create", "--label", "x", "--scope", "root"],
        &["keys", "create", "--label", "x", "--scope", "check", "--expires", "soon"],
        &["keys", "revoke"],
    ] {
        assert_eq!(case.run(arguments).code, 2, "{arguments:?}");
    }
    assert!(case.server.requests().is_empty());
}

fn keys(home: &Home, arguments: &[&str]) -> Output {
    home.command("keys").args(arguments).arg("--offline").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn offline_is_the_way_back_in_and_never_beside_a_server() {
    let home = Home::new(&[]);
    let none = keys(&home, &["list"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(!home.path("data").exists(), "a store was made: {}", text(&none.stderr));
    let mut server = home.start().await;
    let beside = keys(&home, &["create", "--label", "x", "--scope", "admin"]);
    assert_eq!((beside.status.code(), text(&beside.stdout).as_str()), (Some(6), ""), "{}", text(&beside.stderr));
    server.stop();
    std::fs::remove_file(home.path("data/admin.key")).unwrap();
    let made = keys(&home, &["create", "--label", "way back in", "--scope", "admin"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let key = text(&made.stdout).trim().to_owned();
    let listed = keys(&home, &["list", "--json"]);
    let listed: Vec<Value> = text(&listed.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((listed.len(), &listed[0]["label"]), (2, &json!("way back in")));
    std::fs::write(home.path("data/admin.key"), &key).unwrap();
    let mut server = home.start().await;
    assert_eq!(server.get("/keys").await.0, 200, "the key does not open the server");
    server.stop();
    let first = listed[1]["id"].as_str().unwrap();
    assert!(keys(&home, &["revoke", first]).status.success());
    assert_eq!(keys(&home, &["revoke", first]).status.code(), Some(4));
    let last = keys(&home, &["revoke", listed[0]["id"].as_str().unwrap()]);
    assert_eq!(last.status.code(), Some(1));
    assert!(text(&last.stderr).contains("create one first"), "{}", text(&last.stderr));
    let wrong = keys(&home, &["create", "--label", "", "--scope", "admin"]);
    assert!(!wrong.status.success() && text(&wrong.stderr).contains("`label`"), "{}", text(&wrong.stderr));
}
