//! TLS on the real binary: who may do what by the certificate of a connection.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};

use crate::certificates::{Authority, Certified};
use crate::real_server::{Home, RealServer, answer, now};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Rows for the certificates of the tests below.
const CLIENTS: &str = "\
[[tls.clients]]
san = \"dns:gateway.internal\"
scopes = [\"check\"]
[[tls.clients]]
san = \"uri:spiffe://cluster/auth\"
scopes = [\"revoke\", \"check\"]
[[tls.clients]]
san = \"dns:admin.internal\"
scopes = [\"admin\"]
";

/// A server that listens with and without TLS, on ports of its own.
pub(crate) struct Secured {
    pub(crate) authority: Authority,
    pub(crate) home: Home,
    pub(crate) server: RealServer,
    /// Where it listens with TLS.
    pub(crate) address: SocketAddr,
}

impl Secured {
    /// With rows of `[[tls.clients]]`, if there are any.
    pub(crate) async fn start(rows: &str) -> Self {
        let authority = Authority::new("ours");
        let home = home(&authority, rows);
        let server = home.start().await;
        let log = server.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut addresses = lines.filter_map(|line| line["address"].as_str()?.strip_prefix("tls://").map(str::parse));
        let address = addresses.next().expect("no TLS listener").unwrap();
        Self { authority, home, server, address }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    /// A client that trusts the server, with a certificate if there is one.
    pub(crate) fn client(&self, certificate: Option<&Certified>) -> reqwest::Client {
        let ca = reqwest::Certificate::from_pem(self.authority.pem.as_bytes()).unwrap();
        let client = reqwest::Client::builder().tls_certs_only([ca]).no_proxy().resolve("localhost", self.address);
        let client = certificate.into_iter().fold(client, |client, own| client.identity(own.identity()));
        client.build().unwrap()
    }

    /// A client with a certificate of this name.
    fn client_of(&self, san: &str) -> reqwest::Client {
        self.client(Some(&self.authority.client(&[san])))
    }

    /// Waits until `reached` is true.
    pub(crate) async fn until(&self, what: &str, mut reached: impl AsyncFnMut() -> bool) {
        let begun = Instant::now();
        while !reached().await {
            assert!(begun.elapsed() < PATIENCE, "{what}:\n{}", self.server.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// A config that names the authority's files.
pub(crate) fn home(authority: &Authority, rows: &str) -> Home {
    let (certificate, key) = authority.write("server", &authority.server(&["localhost"]));
    let (certificate, key) = (certificate.display(), key.display());
    let ca = if rows.is_empty() { String::new() } else { authority.write_ca().display().to_string() };
    let toml =
        format!("[tls]\ncertificate_file = \"{certificate}\"\nkey_file = \"{key}\"\nclient_ca_file = \"{ca}\"\n{rows}");
    Home::with_config(&toml, &["server.listen=127.0.0.1:0, tls://127.0.0.1:0"])
}

async fn get(client: &reqwest::Client, url: &str, headers: &[(&str, &str)]) -> u16 {
    let request = headers.iter().fold(client.get(url), |request, (name, value)| request.header(*name, *value));
    answer(request).await.unwrap().0
}

#[tokio::test]
async fn a_client_may_do_what_the_row_of_its_certificate_says_and_no_more() {
    let secured = Secured::start(CLIENTS).await;
    let [gateway, auth, admin, stranger] =
        ["dns:gateway.internal", "uri:spiffe://cluster/auth", "dns:admin.internal", "dns:stranger.internal"]
            .map(|san| secured.client_of(san));
    let nobody = secured.client(None);
    let (check, list) = (secured.url("/check/a"), secured.url("/revocations"));
    for (client, may_check, may_list) in
        [(&gateway, 200, 403), (&auth, 200, 403), (&admin, 403, 200), (&stranger, 401, 401), (&nobody, 401, 401)]
    {
        assert_eq!(get(client, &check, &[]).await, may_check);
        assert_eq!(get(client, &list, &[]).await, may_list);
        assert_eq!(get(client, &secured.url("/livez"), &[]).await, 200);
    }
    let body = json!({ "jti": "a", "exp": now() + 600 });
    for (client, status) in [(&gateway, 403), (&stranger, 401), (&auth, 200)] {
        assert_eq!(answer(client.post(secured.url("/revoke")).json(&body)).await.unwrap().0, status);
    }
    secured
        .until("the access log says who", async || secured.server.log().contains("cert:uri:spiffe://cluster/auth"))
        .await;
    let (status, said) = answer(gateway.get(&check)).await.unwrap();
    assert_eq!((status, &said["revoked"]), (200, &json!(true)));
}

#[tokio::test]
async fn a_key_that_is_sent_wins_over_the_certificate_and_a_users_token_does_not() {
    let secured = Secured::start(CLIENTS).await;
    let gateway = secured.client_of("dns:gateway.internal");
    let nobody = secured.client(None);
    let (check, list) = (secured.url("/check/a"), secured.url("/revocations"));
    let (key, wrong) = (secured.server.key.as_str(), format!("revokd_0123456789ab_{}", "A".repeat(43)));
    let (bearer, wrong_bearer) = (format!("Bearer {key}"), format!("Bearer {wrong}"));
    let users = "Bearer eyJhbGciOiJIUzI1NiJ9.eyJqdGkiOiJ4In0.c2ln";
    let authorization = AUTHORIZATION.as_str();
    for (client, url, headers, status) in [
        (&gateway, &list, &[("x-api-key", key)][..], 200),
        (&gateway, &check, &[("x-api-key", &wrong)], 401),
        (&gateway, &check, &[("x-api-key", "")], 401),
        (&gateway, &list, &[(authorization, &bearer)], 200),
        (&gateway, &check, &[(authorization, &wrong_bearer)], 401),
        (&gateway, &check, &[(authorization, users)], 200),
        (&gateway, &check, &[(authorization, "Basic dXNlcjpwYXNz")], 200),
        (&gateway, &list, &[(authorization, users)], 403),
        (&nobody, &check, &[(authorization, users)], 401),
        (&nobody, &list, &[("x-api-key", key)], 200),
    ] {
        assert_eq!(get(client, url, headers).await, status, "{url} {headers:?}");
    }
    // A certificate is that of its connection: the other listener has none.
    assert_eq!(get(&gateway, &format!("{}/check/a", secured.server.url), &[]).await, 401);
}
