//! Envoy, by `ext_authz` over HTTP and over gRPC.

mod grpc;
mod jwt;

use std::path::Path;
use std::process::Command;

use super::process::{Gateway, packages};
use super::wire::Protocol;

static ENVOY: Gateway = Gateway { files: &["envoy/envoy.yaml"], own_ports: &[], command: by_http, ..CLOSED };

/// What all have in common: a client is told 503 when nobody can say.
const CLOSED: Gateway = Gateway {
    files: &[],
    own_ports: &[],
    command: by_http,
    status_down: 503,
    status_slow: 503,
    has_retry_after: false,
};

fn by_http(_: &Path, _: Protocol) -> Command {
    command("envoy.yaml")
}

fn command(file: &str) -> Command {
    let mut command = Command::new(packages().join("envoy/_bin/envoy"));
    // Without hot restart, for which all Envoys of a machine share memory.
    command.args(["-c", file, "--disable-hot-restart", "--concurrency", "2", "-l", "warning"]).env_clear();
    command
}

stands_every_trial!(ENVOY);
tells_revokd_by_http!(ENVOY);
