//! nginx, by `auth_request`.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::process::Gateway;
use super::wire::Protocol;
use crate::minting::tool;

static NGINX: Gateway = Gateway {
    files: &["nginx/revokd.conf"],
    own_ports: &[],
    command,
    status_down: 503,
    status_slow: 503,
    has_retry_after: true,
};

/// The file is for an http block, as Debian's own config has one; this one has nothing else, and writes nothing elsewhere.
fn command(dir: &Path, protocol: Protocol) -> Command {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary.map(|name| format!("    {name}_temp_path {name};\n")).concat();
    let config = format!(
        "daemon off;\nmaster_process off;\npid pid;\nerror_log stderr;\nevents {{}}\n\
         http {{\n    access_log off;\n{temporary}    include revokd.conf;\n}}\n"
    );
    fs::write(dir.join("nginx.conf"), config).unwrap();
    if protocol == Protocol::Http2 {
        // In its address, where users say it too. Without TLS such a port speaks nothing else.
        let text = fs::read_to_string(dir.join("revokd.conf")).unwrap();
        let (before, listen) = text.split_once("listen ").unwrap();
        let spoken = listen.replacen(';', " http2;", 1);
        fs::write(dir.join("revokd.conf"), format!("{before}listen {spoken}")).unwrap();
    }
    let mut command = Command::new(tool("gateways-nginx/usr/sbin/nginx"));
    command.arg("-p").arg(dir).arg("-c").arg(dir.join("nginx.conf")).args(["-e", "stderr"]).env_clear();
    command
}

stands_every_trial!(NGINX);
tells_revokd_by_http!(NGINX);
