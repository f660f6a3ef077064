//! Style sheets, scripts, and what pages say about them.

use reqwest::{Method, StatusCode};

use crate::harness::{Web, text};

#[tokio::test(flavor = "multi_thread")]
async fn everything_a_page_links_is_served_for_ever_and_compressed() {
    let web = Web::start().await;
    let (_, page) = text(web.ask(Method::GET, "/login", None).send().await.unwrap()).await;
    let links: Vec<&str> =
        page.split("\"/assets/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(links.len(), 3, "{links:?}");
    for name in links {
        let ask =
            || web.ask(Method::GET, &format!("/assets/{name}"), None).header("accept-encoding", "gzip, br");
        let response = ask().send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{name}");
        assert_eq!(response.headers()["cache-control"], "public, max-age=31536000, immutable");
        assert_eq!(response.headers()["content-encoding"], "br");
        let tag = response.headers()["etag"].clone();
        let again = ask().header("if-none-match", tag).send().await.unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sheet_of_error_pages_has_a_plain_name_and_a_short_life() {
    let web = Web::start().await;
    let response = web.ask(Method::GET, "/assets/error.css", None).send().await.unwrap();
    assert_eq!(response.headers()["cache-control"], "public, max-age=300");
    assert_eq!(response.headers()["content-type"], "text/css; charset=utf-8");
    assert!(response.headers().get("content-encoding").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_else_is_served() {
    let web = Web::start().await;
    for name in ["manifest.json", "error.css.br", "..%2fCargo.toml", "nothing.js", "x"] {
        let response = web.ask(Method::GET, &format!("/assets/{name}"), None).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_problem_code_has_a_page_and_an_unknown_one_has_none() {
    let web = Web::start().await;
    let known = web.ask(Method::GET, "/problems/ticket-stale", None).header("accept", "text/html");
    let (status, page) = text(known.send().await.unwrap()).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("<strong>Meaning.</strong>") && page.contains("<strong>Operator.</strong>"));
    let unknown = web.ask(Method::GET, "/problems/no-such-thing", None).header("accept", "text/html");
    let (status, page) = text(unknown.send().await.unwrap()).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(page.contains("/assets/error.css"));
}
