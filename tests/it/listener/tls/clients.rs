//! Who a client is by its certificate, and that nothing else counts.

use std::time::Duration;

use revokd::tls::ClientAuth;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::super::patient;
use super::{Secured, Shaken};
use crate::certificates::Authority;

#[tokio::test]
async fn a_client_is_known_by_a_name_of_its_certificate_and_by_nothing_else() {
    let rows = &["dns:gateway.internal", "uri:spiffe://cluster/auth", "dns:b.internal"];
    let secured = Secured::with_clients(patient(), Some(ClientAuth::Optional), rows).await;
    let ours = &secured.authority;
    for (sans, caller) in [
        (&["dns:gateway.internal"][..], "cert:dns:gateway.internal"),
        (&["dns:GATEWAY.internal", "dns:other.internal"], "cert:dns:gateway.internal"),
        (&["uri:spiffe://cluster/auth"], "cert:uri:spiffe://cluster/auth"),
        (&["uri:spiffe://cluster/other"], ""),
        (&["dns:*.internal"], ""),
        (&["dns:gateway.internal", "dns:b.internal"], ""),
    ] {
        assert_eq!(secured.known_as(Some(&ours.client(sans))).await, caller, "{sans:?}");
    }
    assert_eq!(secured.known_as(None).await, "");
    let server = &secured.server;
    for (result, count) in [("known", 3.0), ("unknown", 2.0), ("ambiguous", 1.0)] {
        server.until_metric(&format!("revokd_tls_client_certificates_total{{result=\"{result}\"}}"), count).await;
    }
}

#[tokio::test]
async fn a_certificate_that_proves_nothing_ends_the_handshake_also_where_none_is_required() {
    for client_auth in [ClientAuth::Optional, ClientAuth::Required] {
        let rows = &["dns:gateway.internal"];
        let secured = Secured::with_clients(patient(), Some(client_auth), rows).await;
        // An authority of the same name, which has nothing but the name in common with ours.
        let forged = Authority::new("ours").client(rows);
        let expired = secured.authority.expired_client(rows);
        let for_servers = secured.authority.server(&["gateway.internal"]);
        for wrong in [&forged, &expired, &for_servers] {
            assert!(secured.is_refused(Some(wrong)).await);
        }
        assert_eq!(secured.is_refused(None).await, client_auth == ClientAuth::Required);
        let refused = if client_auth == ClientAuth::Required { 4.0 } else { 3.0 };
        secured.server.until_metric("revokd_tls_handshakes_total{result=\"certificate\"}", refused).await;
        let good = secured.authority.client(rows);
        assert_eq!(secured.known_as(Some(&good)).await, "cert:dns:gateway.internal");
    }
}

#[tokio::test]
async fn where_clients_are_judged_no_session_is_resumed() {
    let rows = &["dns:gateway.internal"];
    let secured = Secured::with_clients(patient(), Some(ClientAuth::Optional), rows).await;
    let client = secured.authority.client(rows);
    let connector = TlsConnector::from(secured.authority.trusting(Some(&client), &[]));
    for _ in 0..2 {
        let stream = TcpStream::connect(secured.server.address).await.unwrap();
        let shaken = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
        let mut shaken = Shaken(shaken);
        assert_eq!(shaken.ask("/caller").await.unwrap(), "cert:dns:gateway.internal");
        assert_eq!(shaken.0.get_ref().1.handshake_kind(), Some(rustls::HandshakeKind::Full));
    }
}

/// reqwest, as services use it.
#[tokio::test]
async fn reqwest_is_served_with_and_without_a_certificate() {
    let rows = &["dns:gateway.internal"];
    let secured = Secured::with_clients(patient(), Some(ClientAuth::Optional), rows).await;
    let ca = reqwest::Certificate::from_pem(secured.authority.pem.as_bytes()).unwrap();
    let url = format!("https://localhost:{}/caller", secured.server.address.port());
    let builder = || {
        let builder =
            reqwest::Client::builder().tls_certs_only([ca.clone()]).no_proxy().timeout(Duration::from_secs(10));
        builder.resolve("localhost", secured.server.address)
    };
    let anonymous = builder().build().unwrap();
    assert_eq!(anonymous.get(&url).send().await.unwrap().text().await.unwrap(), "");
    let known = builder().identity(secured.authority.client(rows).identity()).build().unwrap();
    assert_eq!(known.get(&url).send().await.unwrap().text().await.unwrap(), "cert:dns:gateway.internal");
}
