//! The OpenAPI document and what auth serves.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::stage::{Auth, Ground};

const PATH: &str = "/api/v1/accounts/openapi.json";

async fn document(auth: &Auth) -> Value {
    auth.request("GET", PATH).send().await.unwrap().json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_lists_exactly_the_served_operations() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let document = document(&auth).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    let described: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods.map(|method| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
        })
        .collect();
    let served: BTreeSet<(String, String)> = auth::ROUTES
        .routes
        .iter()
        .filter(|route| route.path().starts_with("/api/v1/") && route.path() != PATH)
        .map(|route| (route.method().to_owned(), route.path().to_owned()))
        .collect();
    assert_eq!(described, served);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reference_leads_somewhere_and_every_body_has_a_schema() {
    let ground = Ground::lay().await;
    let auth = Auth::on(&ground).await;
    let document = document(&auth).await;
    let text = document.to_string();
    let references: BTreeSet<&str> =
        text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(references.len() >= 30, "{references:?}");
    for reference in references {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
    let add = &document["paths"]["/api/v1/users"]["post"];
    let body = &add["requestBody"]["content"]["application/json"]["schema"]["$ref"];
    assert_eq!(body, "#/components/schemas/AddUser");
    assert_eq!(add["description"], "Needs `ADMIN`.");
    assert_eq!(document["components"]["schemas"]["AddUser"]["additionalProperties"], false);
}
