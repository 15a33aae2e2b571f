//! The disk of the index is full, for real: a file system of a few mebibytes under the real binary's index. The server
//! answers for what it has acknowledged and is whole again by itself once there is room, without a restart.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::real_server::{Home, RealServer, answer, now};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// Revocations in one request.
const LINES: usize = 500;

/// A server whose index lies on a file system of this size, in a mount namespace of its own.
async fn on_a_small_disk(home: &Home, size: &str) -> RealServer {
    let index = home.path("data/index");
    let script = "mount -t tmpfs -o \"$1\" tmpfs \"$2\" && shift 2 && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh", &format!("size={size}")]).arg(&index);
    command.arg(env!("CARGO_BIN_EXE_revokd")).args(home.arguments("serve"));
    home.spawn_as(command).ready(home).await.unwrap_or_else(|refused| {
        panic!("this test needs root and util-linux, for a mount of its own (unshare --mount): {refused}")
    })
}

/// Makes the file system under a running server as large as `size`.
fn grow(server: &RealServer, index: &Path, size: &str) {
    let mut command = Command::new("nsenter");
    command.args(["--mount", "--target", &server.pid().to_string(), "mount", "-o", &format!("remount,size={size}")]);
    let output = command.arg(index).output().expect("nsenter of util-linux is missing");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Revokes [`LINES`] ids from `from` on; gives whether they were all stored.
async fn revoke(server: &RealServer, from: usize) -> bool {
    let exp = now() + 86_400;
    let line = |n: usize| {
        json!({ "jti": format!("t{n}"), "exp": exp + (i64::try_from(n).unwrap() * 7_919) % 1_000_000 }).to_string()
            + "\n"
    };
    let lines = (from..from + LINES).map(line).collect();
    let (status, said) = answer(server.post_text("/revoke", "application/x-ndjson", lines)).await.unwrap();
    assert!(status == 200 || status == 503, "{status}: {said}");
    status == 200
}

/// The verdicts on all ids below `acknowledged`, of which none may be good; gives how many are known.
async fn known(server: &RealServer, acknowledged: usize) -> usize {
    let mut known = 0;
    for from in (0..acknowledged).step_by(LINES) {
        let ids: Vec<_> = (from..from + LINES).map(|n| format!("t{n}")).collect();
        let (status, said) = server.post("/check", &json!({ "ids": ids })).await.unwrap();
        match status {
            200 => {
                let results = said["results"].as_array().unwrap();
                assert!(
                    results.iter().all(|result| result["revoked"] == true),
                    "one from {from} reads as good: {said}"
                );
                known += LINES;
            }
            503 => {}
            _ => panic!("{status}: {said}"),
        }
    }
    known
}

async fn ready_for_writes(server: &RealServer) -> bool {
    let request = server.http.get(format!("{}/readyz?for=writes&verbose", server.url));
    let response = request.send().await.unwrap();
    let (status, text) = (response.status(), response.text().await.unwrap());
    assert_eq!(text.contains("[i]index the index failed"), status != 200, "{text}");
    status == 200
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_whose_disk_was_full_is_whole_again_by_itself_once_there_is_room() {
    // With the filters on in every mode: without them nothing can be stored while the index has failed.
    let home = Home::new(&["filter.mode=on", "check.read_timeout_ms=30000", "store.cache_bytes=1048576"]);
    assert!(home.start().await.stop().success(), "the journal is not on the small disk");
    let mut server = on_a_small_disk(&home, "4m").await;
    let mut acknowledged = 0;
    let begun = Instant::now();
    while ready_for_writes(&server).await {
        assert!(revoke(&server, acknowledged).await, "{}", server.log());
        acknowledged += LINES;
        assert!(begun.elapsed() < PATIENCE, "{acknowledged} revocations do not fill the disk:\n{}", server.log());
    }
    // Long enough for two tries to rebuild it, which there is no room for either.
    let failed = Instant::now();
    while failed.elapsed() < Duration::from_millis(1_500) {
        if revoke(&server, acknowledged).await {
            acknowledged += LINES;
        }
        known(&server, acknowledged).await;
        assert!(!ready_for_writes(&server).await);
    }
    let rebuilds = server.metric("revokd_index_rebuilds_total").await.unwrap();
    grow(&server, &home.path("data/index"), "256m");
    let begun = Instant::now();
    while !ready_for_writes(&server).await {
        known(&server, acknowledged).await;
        assert!(begun.elapsed() < PATIENCE, "not whole again:\n{}", server.log());
    }
    assert_eq!(server.metric("revokd_index_rebuilds_total").await, Some(rebuilds + 1.0));
    assert!(revoke(&server, acknowledged).await);
    acknowledged += LINES;
    assert_eq!(known(&server, acknowledged).await, acknowledged);
    let strangers = server.ok("/check", &json!({ "ids": ["stranger", "another"] })).await;
    assert!(strangers["results"].as_array().unwrap().iter().all(|result: &Value| result["revoked"] == false));
    assert!(server.stop().success(), "{}", server.log());
}
