//! The OpenAPI document and what the server does.

use std::collections::BTreeSet;

use reqwest::Method;

use crate::harness::{Web, json};

#[tokio::test(flavor = "multi_thread")]
async fn the_document_lists_exactly_the_served_operations() {
    let web = Web::start().await;
    let request = web.ask(Method::GET, "/api/v1/openapi.json", None);
    let (_, document) = json(request.send().await.unwrap()).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let described: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods.map(|method| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
        })
        .collect();
    let served: BTreeSet<(String, String)> = web::ROUTES
        .routes
        .iter()
        .filter(|route| route.path().starts_with("/api/v1/") && route.path() != "/api/v1/openapi.json")
        .map(|route| (route.method().to_owned(), route.path().to_owned()))
        .collect();
    assert_eq!(described, served);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reference_in_the_document_leads_somewhere() {
    let web = Web::start().await;
    let request = web.ask(Method::GET, "/api/v1/openapi.json", None);
    let (_, document) = json(request.send().await.unwrap()).await;
    let text = document.to_string();
    let references: BTreeSet<&str> =
        text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(references.len() >= 4, "{references:?}");
    for reference in references {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
}
