//! Envoy, by `ext_authz` over HTTP.

use std::path::Path;
use std::process::Command;

use super::process::{Gateway, packages};
use super::wire::Protocol;

static ENVOY: Gateway = Gateway {
    files: &["envoy/envoy.yaml"],
    own_ports: &[],
    command,
    status_down: 503,
    status_slow: 503,
    has_retry_after: false,
};

fn command(_: &Path, _: Protocol) -> Command {
    let mut command = Command::new(packages().join("envoy/_bin/envoy"));
    // Without hot restart, for which all Envoys of a machine share memory.
    command.args(["-c", "envoy.yaml", "--disable-hot-restart", "--concurrency", "2", "-l", "warning"]).env_clear();
    command
}

stands_every_trial!(ENVOY);
