//! Caddy, by `forward_auth`.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::process::Gateway;
use super::wire::Protocol;
use crate::minting::tool;

static CADDY: Gateway = Gateway {
    files: &["caddy/Caddyfile"],
    own_ports: &[],
    command,
    status_down: 502,
    status_slow: 504,
    has_retry_after: false,
};

/// The file is a site of a config; this one has no other, no admin port, and HTTP/2 without TLS too.
fn command(dir: &Path, _: Protocol) -> Command {
    let config = "{\n\tadmin off\n\tservers {\n\t\tprotocols h1 h2c\n\t}\n}\nimport Caddyfile\n";
    fs::write(dir.join("caddy.conf"), config).unwrap();
    let mut command = Command::new(tool("gateways/bin/caddy"));
    command.args(["run", "--adapter", "caddyfile", "--config", "caddy.conf"]).env_clear();
    command.env("HOME", dir);
    command
}

stands_every_trial!(CADDY);
tells_revokd_by_http!(CADDY);
