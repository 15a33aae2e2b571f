//! What each verb sends, and what it makes of the answer.

use serde_json::{Value, json};

use crate::cli_server::{Answer, Recorded};
use crate::cli_support::{Case, good, run};

#[test]
fn check_leaves_with_0_for_good_and_3_for_revoked() {
    let case = Case::answering(200, good());
    let ran = case.run(&["check", "a"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "not revoked (judged: jti)\n"));
    let revoked = json!({ "revoked": true, "by": "sub", "reason": "lost\u{1b}[2J", "revoked_at": 1_800_000_000, "judged": ["jti", "sub"] });
    let case = Case::answering(200, revoked.clone());
    let ran = case.run(&["check", "a", "--sub", "s"]);
    assert_eq!(ran.code, 3);
    assert_eq!(ran.stdout, "revoked by sub at 2027-01-15T08:00:00Z: lost\\u{1b}[2J (judged: jti, sub)\n");
    let ran = case.run(&["check", "a", "--json"]);
    assert_eq!((ran.code, ran.json()), (3, revoked));
}

#[test]
fn check_sends_what_it_was_given_and_the_admin_key_of_the_same_config() {
    let case = Case::answering(200, good());
    let odd = "../☂ ?&%2e\n";
    let all =
        ["check", odd, "--iss", "i", "--sub", "s", "--sid", "d", "--client-id", "c", "--family", "f", "--iat", "17"];
    assert_eq!(case.run(&all).code, 0);
    assert_eq!(case.run(&["check", "--sub", "s"]).code, 0);
    let [first, second] = &case.server.requests()[..] else { panic!("two requests") };
    assert_eq!((first.method.as_str(), first.uri.as_str()), ("POST", "/check"));
    assert_eq!(first.header("authorization"), "Bearer revokd_admin_key");
    assert_eq!(first.header("content-type"), "application/json");
    assert_eq!(
        first.json(),
        json!({ "jti": odd, "iss": "i", "sub": "s", "sid": "d", "client_id": "c", "family": "f", "iat": 17 })
    );
    assert_eq!(second.json(), json!({ "sub": "s" }));
}

#[test]
fn a_token_comes_from_a_file_or_standard_input() {
    let case = Case::answering(200, good());
    case.write("token.jwt", "a.b.c\n");
    assert_eq!(case.run(&["check", "--token-file", "token.jwt"]).code, 0);
    assert_eq!(run(case.dir.path(), &["check", "--token-file", "-"], &[], "d.e.f").code, 0);
    let sent: Vec<_> = case.server.requests().iter().map(Recorded::json).collect();
    assert_eq!(sent, [json!({ "token": "a.b.c" }), json!({ "token": "d.e.f" })]);
    for (name, text) in [("empty", " \n"), ("huge", &*"x".repeat(70_000))] {
        case.write(name, text);
        let ran = case.run(&["check", "--token-file", name]);
        assert_eq!(ran.code, 1);
        assert!(ran.stderr.contains(name) && !ran.stderr.contains("xxxx"), "{}", ran.stderr);
    }
    assert_eq!(case.run(&["check", "--token-file", "none"]).code, 1);
    assert_eq!(case.server.requests().len(), 2);
}

#[test]
fn a_check_of_a_token_that_cannot_be_verified_says_what_that_may_mean() {
    let case = Case::answering(200, json!({ "revoked": true, "by": "unverifiable", "judged": [] }));
    case.write("token.jwt", "a.b.c\n");
    let ran = case.run(&["check", "--token-file", "token.jwt", "--json"]);
    assert_eq!((ran.code, &ran.json()["by"]), (3, &json!("unverifiable")));
    assert!(ran.stderr.contains("[[issuers]]"), "{}", ran.stderr);
}

#[test]
fn revoke_sends_one_token_and_says_until_when() {
    let case = Case::answering(200, json!({ "seq": 7, "stored": true, "expires_at": 1_800_000_300 }));
    let ran = case.run(&["revoke", "a", "--exp", "1800000000", "--iss", "i", "--sub", "s", "--reason", "r"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "revoked (seq 7); the entry lives until 2027-01-15T08:05:00Z\n"));
    case.write("token.jwt", "a.b.c");
    let ran = case.run(&["revoke", "--token-file", "token.jwt", "--reason", "r", "--json"]);
    assert_eq!(ran.json(), json!({ "seq": 7, "stored": true, "expires_at": 1_800_000_300 }));
    let [first, second] = &case.server.requests()[..] else { panic!("two requests") };
    assert_eq!(first.uri, "/revoke");
    assert_eq!(first.json(), json!({ "jti": "a", "exp": 1_800_000_000, "iss": "i", "sub": "s", "reason": "r" }));
    assert_eq!(second.json(), json!({ "token": "a.b.c", "reason": "r" }));
}

#[test]
fn an_exp_from_now_is_made_absolute_and_may_lie_in_the_past() {
    let case = Case::answering(200, json!({ "stored": false, "because": "expired" }));
    let ran = case.run(&["revoke", "a", "--exp", "-5"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "nothing to store: expired\n"));
    case.run(&["revoke", "a", "--exp", "+1h"]);
    let exps: Vec<_> = case.server.requests().iter().map(|request| request.json()["exp"].as_i64().unwrap()).collect();
    let settings = revokd::clock::ClockSettings { step_max_s: 3_600, hold_s: 60 };
    let now = revokd::clock::Clock::system(settings).now().latest.0;
    assert_eq!(exps[0], -5);
    assert!((now + 3_600 - 60..=now + 3_600).contains(&exps[1]));
}

#[test]
fn list_follows_pages_up_to_the_limit() {
    let entry = |seq: u64| json!({ "id": "x", "seq": seq, "kind": "jti", "value": format!("id-{seq}"), "revoked_at": 0, "expires_at": 60 });
    let case = Case::new(move |request| {
        let first: u64 = request.query("after").map_or(2_500, |after| after.parse().unwrap());
        let limit: u64 = request.query("limit").unwrap().parse().unwrap();
        assert!(limit <= 1_000);
        let last = first.saturating_sub(limit);
        let entries: Vec<_> = (last + 1..=first).rev().map(entry).collect();
        let next = (last > 0).then(|| last.to_string());
        Answer::json(200, &json!({ "revocations": entries, "next": next }))
    });
    let ran = case.run(&["list", "--all", "--json"]);
    let seqs: Vec<_> =
        ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].clone()).collect();
    assert_eq!(seqs.len(), 2_500);
    assert_eq!((&seqs[0], &seqs[2_499]), (&json!(2_500), &json!(1)));
    assert_eq!(case.server.requests().len(), 3);
    let ran = case.run(&["list", "--limit", "1500", "--sub", "a b&c", "--iss", "☂", "--kind", "sub"]);
    assert_eq!(ran.stdout.lines().count(), 1_501);
    assert!(ran.stderr.contains("more than 1500"), "{}", ran.stderr);
    let request = &case.server.requests()[3];
    assert_eq!((request.query("sub").unwrap(), request.query("iss").unwrap()), ("a b&c".to_owned(), "☂".to_owned()));
    assert_eq!(request.query("kind").unwrap(), "sub");
    case.run(&["list", "--kind", "family"]);
    assert_eq!(case.server.requests().last().unwrap().query("kind").unwrap(), "family");
}

#[test]
fn list_prints_a_table_that_no_value_can_break() {
    let long = "x".repeat(60);
    let case = Case::answering(
        200,
        json!({ "revocations": [
            { "id": "1", "seq": 12, "kind": "jti", "iss": "https://a", "value": "a\nb", "sub": "alice", "reason": "r",
              "revoked_at": 1_800_000_000, "expires_at": 1_800_003_600 },
            { "id": "2", "seq": 3, "kind": "jti", "value": long, "revoked_at": 1_800_000_000, "expires_at": 1_800_003_600 },
        ]}),
    );
    insta::assert_snapshot!(case.run(&["list"]).stdout);
    let ran = Case::answering(200, json!({ "revocations": [] })).run(&["list"]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (0, 1));
}

#[test]
fn purge_may_vouch_for_the_clock() {
    let case = Case::answering(200, json!({ "buckets": 2, "entries": 30, "segments": 1 }));
    let ran = case.run(&["purge"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "dropped 30 entries in 2 buckets; 1 journal segments\n"));
    assert_eq!(case.run(&["purge", "--trust-clock", "--json"]).json()["entries"], 30);
    let sent: Vec<_> = case.server.requests().iter().map(Recorded::json).collect();
    assert_eq!(sent, [json!({}), json!({ "trust_clock": true })]);
}

#[test]
fn logout_sends_whom_and_says_from_when_on_a_login_works() {
    let answer = json!({
        "seq": 7, "id": "abc", "issued_before": 1_800_000_000, "good_from": 1_800_000_003, "expires_at": 1_802_678_703,
    });
    let case = Case::answering(200, answer.clone());
    let ran = case.run(&["logout", "--sub", "☂", "--iss", "i", "--reason", "r", "--before", "1800000000"]);
    let expected = "logged out (seq 7, id abc): revoked are tokens issued up to 2027-01-15T08:00:00Z; a login from \
        2027-01-15T08:00:03Z on works; the entry lives until 2027-02-15T08:05:03Z\n";
    assert_eq!((ran.code, ran.stdout.as_str()), (0, expected));
    assert_eq!(case.run(&["logout", "--sid=-s", "--json"]).json(), answer);
    case.run(&["logout", "--client-id", "c", "--before", "-1h"]);
    case.run(&["logout", "--all", "--yes"]);
    let sent: Vec<_> = case.server.requests().iter().map(Recorded::json).collect();
    assert!(
        case.server.requests().iter().all(|request| (&*request.method, &*request.uri) == ("POST", "/force-logout"))
    );
    assert_eq!(sent[0], json!({ "sub": "☂", "iss": "i", "reason": "r", "issued_before": 1_800_000_000 }));
    assert_eq!(sent[1], json!({ "sid": "-s" }));
    let settings = revokd::clock::ClockSettings { step_max_s: 3_600, hold_s: 60 };
    let now = revokd::clock::Clock::system(settings).now().latest.0;
    assert!((now - 3_660..=now - 3_600).contains(&sent[2]["issued_before"].as_i64().unwrap()));
    assert_eq!(sent[3], json!({ "all": true }));
}

#[test]
fn a_script_logs_everybody_out_only_if_it_says_so_and_a_dry_run_needs_no_yes() {
    let says = "Would revoke every token of everybody";
    let case = Case::answering(
        200,
        json!({
            "dry_run": true, "issued_before": 0, "good_from": 3, "expires_at": 9, "checks": 5, "checks_without_claim": 2,
            "checks_without_iat": 0, "says": says,
        }),
    );
    let ran = case.run(&["logout", "--all", "--iss", "https://a"]);
    assert!(ran.code == 2 && ran.stderr.contains("everybody of https://a") && ran.stderr.contains("--yes"), "{ran:?}");
    assert!(case.server.requests().is_empty());
    let ran = case.run(&["logout", "--all", "--dry-run"]);
    assert_eq!((ran.code, ran.stdout), (0, format!("{says}\n")));
    assert_eq!(case.run(&["logout", "--sub", "a", "--dry-run", "--json"]).json()["checks_without_claim"], 2);
    let sent: Vec<_> = case.server.requests().iter().map(Recorded::json).collect();
    assert_eq!(sent, [json!({ "all": true, "dry_run": true }), json!({ "sub": "a", "dry_run": true })]);
}

#[test]
fn restore_takes_back_what_it_has_looked_at() {
    let entry = |seq: u64| {
        json!({
            "id": "-x", "seq": seq, "kind": "sub", "value": "alice", "revoked_at": 0, "expires_at": 60,
        })
    };
    let case = Case::new(move |request| match request.method.as_str() {
        "GET" => Answer::json(200, &entry(12)),
        _ if request.header("if-match") == "12" => {
            Answer::json(200, &json!({ "seq": 15, "id": "-x", "still_matching": [entry(9)] }))
        }
        _ => Answer::json(412, &json!({ "type": "", "title": "", "status": 412, "detail": "it has moved" })),
    });
    let ran = case.run(&["restore", "-x", "--reason", "a b&c+d%"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.starts_with("restored (seq 15); still in force for the same tokens, 1:\nID"), "{}", ran.stdout);
    assert!(ran.stdout.contains("alice"));
    let [shown, deleted] = &case.server.requests()[..] else { panic!("two requests") };
    assert_eq!((shown.method.as_str(), shown.uri.as_str()), ("GET", "/revocations/-x"));
    assert_eq!((deleted.method.as_str(), deleted.query("reason").as_deref()), ("DELETE", Some("a b&c+d%")));
    assert_eq!(deleted.uri, "/revocations/-x?reason=a%20b%26c%2Bd%25", "a bare `+` would be refused");
    let ran = case.run(&["restore", "--seq", "11", "--reason", "r", "--", "-x"]);
    assert!(ran.code == 6 && ran.stderr.contains("it has moved"), "{ran:?}");
    assert_eq!(case.server.requests().len(), 3, "with --seq nothing is looked up");
    assert_eq!(case.run(&["restore", "-x", "--seq", "12", "--reason", "r", "--json"]).json()["seq"], 15);
    let case =
        Case::answering(404, json!({ "type": "", "title": "", "status": 404, "detail": "no live entry has this id" }));
    let ran = case.run(&["restore", "AAAA", "--reason", "r"]);
    assert!(ran.code == 4 && ran.stderr.contains("no live entry"), "{ran:?}");
    let last = json!({ "seq": 2, "id": "AAAA", "still_matching": [] });
    let ran = Case::answering(200, last).run(&["restore", "AAAA", "--seq", "1", "--reason", "r"]);
    assert_eq!(ran.stdout, "restored (seq 2); no other logout matches\n");
}
