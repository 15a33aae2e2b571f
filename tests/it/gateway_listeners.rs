//! A listener that stands for a gateway, in the real binary: whoever connects there needs no key, and is nobody else.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::real_server::{Home, now};
use crate::verifier_forging::{HEADER, ISS, SECRET, signed};

/// Sends a request over a Unix socket; gives the head of the answer.
async fn ask(socket: &std::path::Path, path: &str, headers: &str) -> String {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn token(jti: &str) -> String {
    let claims = json!({ "iss": ISS, "jti": jti, "sub": "alice", "iat": now() - 10, "exp": now() + 600 });
    format!("Authorization: Bearer {}\r\n", signed(HEADER, claims.to_string()))
}

#[tokio::test]
async fn whoever_connects_to_its_listener_is_the_gateway() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("gate.sock");
    let listen = format!("unix:{}", socket.display());
    let toml = format!(
        "[[issuers]]\niss = \"{ISS}\"\n[[issuers.keys]]\nkid = \"k\"\nalg = \"HS256\"\nsecret = \"{SECRET}\"\n\
         [[gateways]]\nname = \"gate\"\nlisten = [\"{listen}\"]\nwithout_token = \"pass\"\n"
    );
    let home = Home::with_config(&toml, &[&format!("server.listen=127.0.0.1:0, {listen}")]);
    let mut server = home.start().await;
    let status = async |path, headers: &str| ask(&socket, path, headers).await[9..12].to_owned();
    assert_eq!(status("/auth", "").await, "200", "its profile lets requests without a token pass");
    assert_eq!(status("/auth", &token("a")).await, "200");
    assert_eq!(status("/auth", "X-Api-Key: revokd_0123456789ab_x\r\n").await, "200", "its users' headers are theirs");
    assert_eq!(status("/auth", "Authorization: Basic YTpi\r\n").await, "401");
    server.ok("/revoke", &json!({ "jti": "a", "exp": now() + 600 })).await;
    assert_eq!(status("/auth", &token("a")).await, "401");
    // It is a caller with the scope `check`, and with no other.
    assert_eq!(status("/check/a", "").await, "200");
    assert_eq!(status("/revocations", "").await, "403");
    // On the other listener nobody is it.
    let (code, _) = server.get("/auth").await;
    assert_eq!(code, 401, "the admin key asks by the default profile");
    let refused = server.http.get(format!("{}/auth", server.url)).send().await.unwrap();
    assert_eq!(refused.status(), 503);
    assert_eq!(server.stop().code(), Some(0));
    let told = server.log().lines().any(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["level"] == "ERROR" && line["msg"].as_str().unwrap().starts_with("a gateway is not known")
    });
    assert!(told, "{}", server.log());
}
