//! What the system calls of the real binary show: each acknowledgement comes after an `fdatasync` of the journal that
//! began after its request arrived, and what arrives together shares one (promise 1).

use std::process::Command;

use serde_json::json;

use crate::real_server::{Home, RealServer, answer, now};

mod trace;

use trace::Trace;

/// Requests at a time in the burst.
const BURST: usize = 64;

/// Lines of the request for many: more than a sync for each would be seen.
const LINES: u64 = 200;

/// A server under strace, whose trace is written to `trace` in its home.
async fn traced(home: &Home) -> RealServer {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-s", "700", "-e", "signal=none", "-o"]).arg(home.path("trace"));
    strace.args(["-e", "trace=execve,fdatasync,pwrite64,read,recvfrom,recvmsg,write,writev,sendto,sendmsg"]);
    strace.arg("--").arg(env!("CARGO_BIN_EXE_revokd")).args(home.arguments("serve"));
    let found = Command::new("strace").arg("--version").output();
    assert!(found.is_ok(), "strace is missing: run scripts/test once: it installs strace");
    home.spawn_as(strace).ready(home).await.unwrap_or_else(|refused| panic!("{refused}"))
}

/// Revokes [`LINES`] ids in one request, whose id is `name`.
async fn revoke_many(server: &RealServer, name: &str) {
    let line = |n| json!({ "jti": format!("{name}-{n}"), "exp": now() + 3_600 }).to_string() + "\n";
    let lines = (0..LINES).map(line).collect();
    let request = server.post_text("/revoke", "application/x-ndjson", lines).header("x-request-id", name);
    let (status, said) = answer(request).await.unwrap();
    assert_eq!((status, said["accepted"].as_u64()), (200, Some(LINES)), "{said}");
}

/// Revokes `jti` with its name as the request's id.
async fn revoke(server: &RealServer, jti: &str) {
    let body = json!({ "jti": jti, "exp": now() + 3_600 }).to_string();
    let request = server.post_text("/revoke", "application/json", body).header("x-request-id", jti);
    let (status, said) = answer(request).await.unwrap();
    assert_eq!((status, said["stored"].as_bool()), (200, Some(true)), "{said}");
}

/// Stops the traced server, which is not the process that was started: that is strace, and it ends with it.
fn stopped(home: &Home, server: &mut RealServer) -> Trace {
    let path = home.path("trace");
    let pid = Trace::read(&path).first_pid();
    assert!(server.stop_by(pid).success(), "{}", server.log());
    Trace::read(&path)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledgement_comes_after_a_sync_that_began_after_its_request() {
    let home = Home::new(&["purge.schedule=off"]);
    let mut server = traced(&home).await;
    let one_by_one: Vec<_> = (0..10).map(|n| format!("single-{n}")).collect();
    for jti in &one_by_one {
        revoke(&server, jti).await;
    }
    let together: Vec<_> = (0..BURST).map(|n| format!("burst-{n}")).collect();
    let mut burst = tokio::task::JoinSet::new();
    let server_of_all = std::sync::Arc::new(server);
    for jti in together.clone() {
        let server = server_of_all.clone();
        burst.spawn(async move { revoke(&server, &jti).await });
    }
    burst.join_all().await;
    server = std::sync::Arc::into_inner(server_of_all).unwrap();
    revoke_many(&server, "many").await;
    let trace = stopped(&home, &mut server);

    for jti in one_by_one.iter().chain(&together).chain([&"many".to_owned()]) {
        let (asked, answered) = (trace.request(jti), trace.answer(jti));
        let syncs = trace.syncs_within(asked, answered);
        assert!(syncs >= 1, "{jti} was acknowledged without a sync:\n{}", trace.lines(asked, answered));
    }
    for (before, after) in one_by_one.iter().zip(&one_by_one[1..]) {
        let syncs = trace.syncs_within(trace.answer(before), trace.answer(after));
        assert!(syncs <= 2, "{syncs} syncs for one revocation: its own, and at most one of the clock's");
    }
    let first = together.iter().map(|jti| trace.request(jti)).min().unwrap();
    let (syncs, groups) = (trace.syncs_within(first, trace.len()), trace.groups_within(first, trace.len()));
    // One may belong to a frame that was written just before: the clock's.
    assert!(syncs <= groups + 1, "{syncs} syncs for {groups} groups");
    let syncs = trace.syncs_within(trace.request("many"), trace.answer("many"));
    assert!(syncs < 10, "{syncs} syncs for {LINES} revocations in one request: they are not grouped");
}
