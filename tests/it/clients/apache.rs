//! Apache's `mod_auth_openidc` as a resource server: it asks by RFC 7662 over TLS, which is the only way it takes.

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{PATIENCE, scripts, until_good};
use crate::minting::Mint;
use crate::real_server::now;
use crate::tls_server::Secured;

const ISS: &str = "https://issuer.example/";

/// Where Debian keeps Apache and its modules.
const PROGRAM: &str = "/usr/sbin/apache2";
const MODULES: &str = "/usr/lib/apache2/modules";

/// An Apache of our own; killed when dropped. It is one process.
struct Apache {
    child: Child,
    url: String,
    dir: TempDir,
}

impl Apache {
    fn start(secured: &Secured, auth: &str) -> Self {
        for file in [PROGRAM, &format!("{MODULES}/mod_auth_openidc.so")] {
            assert!(Path::new(file).exists(), "{file} is missing: run scripts/test once: it installs Apache");
        }
        let dir = TempDir::new().unwrap();
        // For the user that Apache becomes.
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(dir.path().join("www")).unwrap();
        fs::write(dir.path().join("www/index.txt"), "hello").unwrap();
        let ca = dir.path().join("ca.pem");
        fs::write(&ca, &secured.authority.pem).unwrap();
        // It must be told a port, which another may take meanwhile.
        for _ in 0..5 {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
            let config = config(&dir, secured, auth, &ca, port);
            let mut command = Command::new(PROGRAM);
            command.arg("-X").arg("-f").arg(config).env_clear().stdin(Stdio::null());
            let mut child = command.spawn().unwrap();
            if serves(&mut child, port) {
                return Self { child, url: format!("http://127.0.0.1:{port}/index.txt"), dir };
            }
        }
        panic!("Apache does not start:\n{}", log(&dir));
    }

    /// What it says to a bearer of this token: the status, and the page or how to do better.
    async fn get(&self, secured: &Secured, token: &str) -> (u16, String) {
        let answer = secured.server.http.get(&self.url).bearer_auth(token).send().await.unwrap();
        let status = answer.status().as_u16();
        let challenge = answer.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
        let said = match challenge {
            Some(challenge) => challenge,
            None => answer.text().await.unwrap(),
        };
        (status, said)
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

fn config(dir: &TempDir, secured: &Secured, auth: &str, ca: &Path, port: u16) -> std::path::PathBuf {
    let key = &secured.server.key;
    let mut text = fs::read_to_string(scripts().join("apache.conf")).unwrap();
    for (name, value) in [
        ("@DIR@", dir.path().to_str().unwrap()),
        ("@PORT@", &port.to_string()),
        ("@MODULES@", MODULES),
        ("@CA@", ca.to_str().unwrap()),
        ("@REVOKD_PORT@", &secured.address.port().to_string()),
        ("@AUTH@", auth),
        ("@ID@", key.split('_').nth(1).unwrap()),
        ("@SECRET@", key),
    ] {
        assert!(text.contains(name), "{name}");
        text = text.replace(name, value);
    }
    let path = dir.path().join("apache.conf");
    fs::write(&path, text).unwrap();
    path
}

/// Whether it listens; `false` once it has ended.
fn serves(child: &mut Child, port: u16) -> bool {
    let begun = Instant::now();
    loop {
        let is_open = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if is_open {
            return true;
        }
        assert!(begun.elapsed() < PATIENCE, "Apache does not listen");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn log(dir: &TempDir) -> String {
    fs::read_to_string(dir.path().join("error.log")).unwrap_or_default()
}

fn token(mint: &mut Mint, jti: &str, sub: &str) -> String {
    mint.python("ES256", &json!({ "iss": ISS, "jti": jti, "sub": sub, "iat": now(), "exp": now() + 3_600 }))
}

#[tokio::test]
async fn apache_lets_good_tokens_in_and_revoked_ones_out_at_once() {
    let mut mint = Mint::new();
    let secured = Secured::start(&mint.issuers_toml(ISS).replacen("jwks_file", "clock_skew_s = 0\njwks_file", 1)).await;
    for auth in ["client_secret_basic", "client_secret_post"] {
        let apache = Apache::start(&secured, auth);
        let [one, other] = ["1", "2"].map(|n| token(&mut mint, &format!("{auth}-{n}"), auth));
        for token in [&one, &other] {
            let said = apache.get(&secured, token).await;
            assert_eq!(said, (200, "hello".to_owned()), "{auth}:\n{}", log(&apache.dir));
        }
        secured.server.ok("/revoke", &json!({ "token": one })).await;
        refuses(&apache, &secured, &one).await;
        assert_eq!(apache.get(&secured, &other).await.0, 200, "{auth}: another token of the same subject");

        let logged_out: Value = secured.server.ok("/force-logout", &json!({ "sub": auth })).await;
        refuses(&apache, &secured, &other).await;
        refuses(&apache, &secured, "opaque").await;
        until_good(&logged_out).await;
        let fresh = token(&mut mint, &format!("{auth}-3"), auth);
        assert_eq!(apache.get(&secured, &fresh).await.0, 200, "{auth}: a fresh login");
    }
}

async fn refuses(apache: &Apache, secured: &Secured, token: &str) {
    let (status, challenge) = apache.get(secured, token).await;
    assert_eq!(status, 401, "{challenge}");
    assert!(challenge.starts_with("Bearer error=\"invalid_token\""), "{challenge}");
}

#[tokio::test]
async fn apache_lets_nobody_in_while_revokd_is_gone() {
    let mut mint = Mint::new();
    let mut secured = Secured::start(&mint.issuers_toml(ISS)).await;
    let apache = Apache::start(&secured, "client_secret_basic");
    let good = token(&mut mint, "a", "alice");
    assert_eq!(apache.get(&secured, &good).await.0, 200, "{}", log(&apache.dir));
    secured.server.kill();
    refuses(&apache, &secured, &good).await;
}
