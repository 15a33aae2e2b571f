//! A gRPC client that is not ours and has no `.proto` file: what reflection says of Envoy's messages must be what they are.

use serde_json::json;

use super::{Program, key};
use crate::minting::Mint;
use crate::real_server::{Home, now};

const ISS: &str = "https://issuer.example/";

#[tokio::test]
async fn a_client_that_learns_all_by_reflection_is_answered() {
    let mut mint = Mint::new();
    let home = Home::with_config(&mint.issuers_toml(ISS), &[]);
    let server = home.start().await;
    let key = key(&server, &["check"]).await;
    let mut program = Program::python("envoy.py", &[("REVOKD", server.url.trim_start_matches("http://"))]);

    let services = program.ask(&json!({ "do": "services" }));
    assert_eq!(services, json!(["envoy.service.auth.v3.Authorization", "grpc.health.v1.Health"]));
    assert_eq!(program.ask(&json!({ "do": "health" })), json!(["SERVING", "SERVING", "SERVING"]));

    let claims = json!({ "iss": ISS, "jti": "a", "sub": "alice", "iat": now(), "exp": now() + 3_600 });
    let token = mint.python("ES256", &claims);
    let check = |key: &str, token: &str| json!({ "do": "check", "key": key, "headers": { "authorization": format!("Bearer {token}") } });
    let passed = program.ask(&check(&key, &token));
    assert_eq!((&passed["code"], &passed["status"]), (&json!("OK"), &json!({})), "{passed}");
    let headers = passed["okResponse"]["headers"].as_array().unwrap();
    let subject = json!({
        "header": { "key": "x-auth-subject", "value": "alice" }, "appendAction": "OVERWRITE_IF_EXISTS_OR_ADD",
    });
    assert!(headers.contains(&subject), "{passed}");
    assert_eq!(passed["okResponse"]["headersToRemove"], json!(["x-auth-client-id"]));
    // Nothing that is answered lacks a name.
    assert_eq!(passed.as_object().unwrap().len(), 3);

    server.ok("/revoke", &json!({ "token": token })).await;
    let refused = program.ask(&check(&key, &token));
    assert_eq!(refused["status"], json!({ "code": 16 }));
    let challenge = json!({ "key": "www-authenticate", "value": "Bearer error=\"invalid_token\"" });
    assert_eq!(refused["deniedResponse"]["status"], json!({ "code": "Unauthorized" }));
    assert_eq!(refused["deniedResponse"]["headers"][0]["header"], challenge);
    // Its own word for a token counts for nothing here.
    let vouched = program.ask(&json!({ "do": "check", "key": key, "payload": claims }));
    assert_eq!(vouched["status"], json!({ "code": 16 }), "{vouched}");
    assert_eq!(program.ask(&check("revokd_0123456789ab_x", &token)), json!({ "code": "UNAVAILABLE" }));
}
