//! The real binary takes over renewed certificates, and goes on with the old ones where the new are broken.

use std::fs;
use std::process::Output;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::certificates::{Authority, replace};
use crate::real_server::{Home, RealServer};
use crate::tls_server::{Secured, home};

const SUCCESSFUL: &str = "revokd_config_last_reload_successful";
const IN_FORCE: &str = "the certificate files were read again and are in force";
const REFUSED: &str = "the certificate files cannot be used";

async fn connect(secured: &Secured) -> TlsStream<TcpStream> {
    let connector = TlsConnector::from(secured.authority.trusting(None, &["http/1.1"]));
    let stream = TcpStream::connect(secured.address).await.unwrap();
    connector.connect("localhost".try_into().unwrap(), stream).await.unwrap()
}

fn leaf(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

/// One request over a connection that stays open.
async fn is_live(stream: &mut TlsStream<TcpStream>) -> bool {
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    head.starts_with(b"HTTP/1.1 200 ")
}

async fn verbose(server: &RealServer) -> String {
    server.http.get(format!("{}/readyz?verbose", server.url)).send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn sighup_puts_a_renewed_certificate_in_force_and_connections_go_on() {
    let secured = Secured::start("").await;
    let ours = &secured.authority;
    let mut open = connect(&secured).await;
    assert!(is_live(&mut open).await);
    let before = leaf(&open);
    assert_eq!(leaf(&connect(&secured).await), before);
    let expiry = "revokd_tls_certificate_expiry_timestamp_seconds";
    assert!(secured.server.metric(expiry).await.unwrap() > 4e9);

    let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2090, 1, 1);
    let renewed = ours.sign(&params);
    ours.write("server", &renewed);
    secured.server.hang_up();
    secured.until("taken over", async || secured.server.log().contains(IN_FORCE)).await;
    assert_eq!(leaf(&connect(&secured).await), renewed.certificate.to_vec());
    assert_ne!(before, renewed.certificate.to_vec());
    assert!(is_live(&mut open).await, "the connection from before goes on");
    assert_eq!(secured.server.metric(SUCCESSFUL).await, Some(1.0));
    assert_eq!(secured.server.metric(expiry).await, Some(3_786_912_000.0));

    // What has ended is no better than what was there, but it is what the operator wants.
    (params.not_before, params.not_after) = (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2021, 1, 1));
    ours.write("server", &ours.sign(&params));
    secured.server.hang_up();
    secured.until("warned", async || secured.server.log().contains("the certificate in force has ended")).await;
    assert_eq!(secured.server.metric(expiry).await, Some(1_609_459_200.0));
}

#[tokio::test]
async fn a_broken_file_keeps_what_was_in_force_and_says_so_until_it_is_mended() {
    let secured = Secured::start("").await;
    let ours = &secured.authority;
    let before = leaf(&connect(&secured).await);
    let key_file = ours.path("server.key");
    let key = fs::read_to_string(&key_file).unwrap();
    replace(&key_file, &ours.server(&["localhost"]).key_pem());
    secured.server.hang_up();
    secured.until("refused", async || secured.server.metric(SUCCESSFUL).await == Some(0.0)).await;
    assert_eq!(leaf(&connect(&secured).await), before);
    let said = verbose(&secured.server).await;
    assert!(said.contains("[i]tls ") && said.contains("`tls.key_file`") && said.contains("ready for checks"), "{said}");
    secured.until("said", async || secured.server.log().contains(REFUSED)).await;
    let log = secured.server.log();
    let line = log.lines().find(|line| line.contains(REFUSED)).unwrap();
    assert!(line.contains("\"ERROR\"") && line.contains("server.key"), "{line}");
    // Mended, with the same bytes as before.
    replace(&key_file, &key);
    secured.server.hang_up();
    secured.until("mended", async || secured.server.metric(SUCCESSFUL).await == Some(1.0)).await;
    assert!(!verbose(&secured.server).await.contains("[i]tls "));
}

#[tokio::test]
async fn sighup_does_not_end_a_server_without_tls() {
    let home = Home::new(&[]);
    let mut server = home.start().await;
    server.hang_up();
    while !server.log().contains("nothing to read again") {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(server.metric(SUCCESSFUL).await, Some(1.0));
    assert!(server.metric("revokd_config_last_reload_success_timestamp_seconds").await.unwrap() > 1e9);
    assert!(server.stop().success());
}

#[test]
fn files_that_cannot_be_used_are_named_by_start_and_config_check_before_anything_is_touched() {
    let authority = Authority::new("ours");
    let foreign = authority.server(&["localhost"]).key_pem();
    let rows = "[[tls.clients]]\nsan = \"dns:a\"\nscopes = [\"check\"]\n";
    let home = home(&authority, rows);
    let run = |verb: &[&str]| {
        let mut command = home.command(verb[0]);
        let Output { status, stdout, stderr } = command.args(&verb[1..]).output().unwrap();
        (status.code().unwrap(), String::from_utf8([stdout, stderr].concat()).unwrap())
    };
    let (code, said) = run(&["config", "check"]);
    assert_eq!(code, 0, "{said}");
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    for (file, text, key, fault) in [
        ("server.pem", None, "tls.certificate_file", "No such file"),
        ("server.pem", Some("no PEM"), "tls.certificate_file", "no certificate"),
        (
            "server.pem",
            Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            "tls.certificate_file",
            "use it",
        ),
        ("server.pem", Some(authority.pem.as_str()), "tls.key_file", "does not belong"),
        ("server.key", Some(""), "tls.key_file", "no private key"),
        ("server.key", Some(encrypted), "tls.key_file", "encrypted"),
        ("server.key", Some(foreign.as_str()), "tls.key_file", "does not belong"),
        ("ca.pem", Some(""), "tls.client_ca_file", "no certificate"),
    ] {
        let path = authority.path(file);
        let before = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        if let Some(text) = text {
            fs::write(&path, text).unwrap();
        }
        for verb in [&["config", "check"][..], &["config", "check", "--json"], &["serve"]] {
            let (code, said) = run(verb);
            assert_eq!(code, 1, "{file} {said}");
            for part in [key, fault, file_of(key)] {
                assert!(said.contains(part), "{part} in {verb:?}: {said}");
            }
            assert!(!said.contains("PRIVATE KEY-----"), "{said}");
        }
        fs::write(&path, before).unwrap();
    }
    assert!(!home.path("data").exists());
}

/// The file that a key names in these tests.
fn file_of(key: &str) -> &str {
    match key {
        "tls.certificate_file" => "server.pem",
        "tls.key_file" => "server.key",
        _ => "ca.pem",
    }
}
