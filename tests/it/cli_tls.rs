//! Verbs find a server that speaks TLS, and trust nobody else.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use tempfile::TempDir;

use crate::cli_support::{Ran, run};
use crate::tls_server::Secured;

/// A config of this machine whose server listens on nothing but TLS, and `revokd check a` with it.
fn check(secured: &Secured, listen: SocketAddr, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    let dir = TempDir::new().unwrap();
    let config = format!(
        "[server]\nlisten = \"tls://{listen}\"\n[store]\npath = \"{}\"\n[tls]\ncertificate_file = \"{}\"\n\
         key_file = \"{}\"\n",
        secured.home.path("data").display(),
        secured.authority.path("server.pem").display(),
        secured.authority.path("server.key").display()
    );
    fs::write(dir.path().join("config.toml"), config).unwrap();
    let arguments = ["check", "a"].iter().chain(arguments).copied().collect::<Vec<_>>();
    run(dir.path(), &arguments, environment, "")
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verb_calls_its_own_server_by_a_name_of_its_certificate() {
    let secured = Secured::start("").await;
    let (ca, key) = (secured.authority.write_ca(), secured.server.key.clone());
    // The certificate is for localhost, and the config says 127.0.0.1.
    let ran = check(&secured, secured.address, &["--ca-file", text(&ca)], &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ran = check(&secured, secured.address, &[], &[("REVOKD_CA_FILE", text(&ca))]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let by_url = secured.url("");
    let environment = [("REVOKD_URL", by_url.as_str()), ("REVOKD_CA_FILE", text(&ca)), ("REVOKD_API_KEY", &key)];
    let ran = check(&secured, secured.address, &[], &environment);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_signed_itself_is_trusted_by_its_own_machine() {
    let secured = Secured::start("").await;
    let own = rcgen::generate_simple_self_signed(["revokd.example".to_owned()]).unwrap();
    fs::write(secured.authority.path("server.key"), own.signing_key.serialize_pem()).unwrap();
    fs::write(secured.authority.path("server.pem"), own.cert.pem()).unwrap();
    secured.server.hang_up();
    secured.until("renewed", async || secured.server.log().contains("read again and are in force")).await;
    let ran = check(&secured, secured.address, &[], &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_nobody_vouches_for_gets_no_key_and_the_error_says_what_to_do() {
    let secured = Secured::start("").await;
    let other = crate::certificates::Authority::new("other");
    let other_ca = other.write_ca();
    for environment in [&[][..], &[("REVOKD_CA_FILE", text(&other_ca))]] {
        let ran = check(&secured, secured.address, &[], environment);
        assert_eq!(ran.code, 7, "{}", ran.stderr);
        for part in ["https://localhost", "certificate", "--ca-file", "REVOKD_CA_FILE"] {
            assert!(ran.stderr.contains(part), "{part} in {}", ran.stderr);
        }
    }
    let ran = check(&secured, secured.address, &["--ca-file", "nowhere.pem"], &[]);
    assert!(ran.code == 2 && ran.stderr.contains("cannot trust nowhere.pem"), "{ran:?}");
    fs::write(other.path("empty.pem"), "").unwrap();
    let ran = check(&secured, secured.address, &["--ca-file", text(&other.path("empty.pem"))], &[]);
    assert!(ran.code == 2 && ran.stderr.contains("no certificate"), "{ran:?}");
    assert_eq!(secured.server.metric("revokd_auth_failures_total{reason=\"unknown\"}").await, Some(0.0));
}
