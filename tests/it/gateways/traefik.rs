//! Traefik, by `forwardAuth`.

use std::path::Path;
use std::process::Command;

use super::process::Gateway;
use super::wire::Protocol;
use crate::minting::tool;

static TRAEFIK: Gateway = Gateway {
    files: &["traefik/traefik.yaml", "traefik/dynamic.yaml"],
    own_ports: &[8001],
    command,
    status_down: 502,
    status_slow: 504,
    has_retry_after: false,
};

fn command(_: &Path, _: Protocol) -> Command {
    let mut command = Command::new(tool("gateways/bin/traefik"));
    command.arg("--configFile=traefik.yaml").env_clear();
    command
}

stands_every_trial!(TRAEFIK);
tells_revokd_by_http!(TRAEFIK);
