//! `GET /openapi.json`: generated from the code, and the same set of routes as the table.

use std::collections::BTreeSet;

use revokd::http::{Access, ROUTES};
use serde_json::Value;

use super::test_app::TestApp;

async fn document() -> Value {
    TestApp::new().get("/openapi.json").await.ok()
}

#[tokio::test]
async fn the_description_changes_only_on_purpose() {
    insta::assert_json_snapshot!(document().await);
}

#[tokio::test]
async fn table_and_description_name_the_same_routes_with_the_same_access() {
    let document = document().await;
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let is_open = operation.get("security").is_some_and(|security| *security == serde_json::json!([]));
            described.insert((method.to_uppercase(), path.clone(), is_open));
        }
    }
    let row = |route: &revokd::http::Route| {
        (route.method.to_string(), route.path.replace("{*", "{"), route.access == Access::Open)
    };
    assert_eq!(described, ROUTES.iter().map(row).collect());
    assert_eq!(document["openapi"], "3.1.0");
}

#[tokio::test]
async fn both_answers_of_a_revoke_are_described() {
    let document = document().await;
    let schema = |name: &str| document["components"]["schemas"][name].clone();
    assert_eq!(schema("RevokeAnswer")["oneOf"].as_array().unwrap().len(), 2);
    assert_eq!(schema("StoredAnswer")["required"], serde_json::json!(["seq", "stored", "expires_at"]));
    assert_eq!(schema("NotStoredAnswer")["required"], serde_json::json!(["stored", "because"]));
    let responses = &document["paths"]["/revoke"]["post"]["responses"];
    for status in ["200", "207", "400", "408", "413", "422", "503", "507"] {
        assert!(responses[status]["content"].is_object(), "{status}");
    }
}

#[tokio::test]
async fn no_answer_is_described_that_never_comes() {
    let document = document().await;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let has = |status: &str| operation["responses"].get(status).is_some();
            let reads_a_body = operation.get("requestBody").is_some();
            for status in ["408", "413", "415"] {
                assert_eq!(has(status), reads_a_body, "{method} {path} {status}");
            }
            let may_be_missing = path.ends_with("/{id}") || path.starts_with("/.well-known/");
            assert_eq!(has("404"), may_be_missing, "{method} {path}");
        }
    }
    let purge = &document["paths"]["/purge"]["post"]["requestBody"];
    assert_eq!(purge["required"], false);
    assert!(!purge.to_string().contains("null"), "{purge}");
    let list = document["paths"]["/revocations"]["get"]["parameters"].as_array().unwrap();
    let limit = &list.iter().find(|parameter| parameter["name"] == "limit").unwrap()["schema"];
    assert_eq!((limit["minimum"].as_f64(), limit["maximum"].as_f64()), (Some(1.0), Some(1_000.0)), "{limit}");
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    found.insert(reference.clone());
                }
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(elements) => elements.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = document().await;
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 5);
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
}
