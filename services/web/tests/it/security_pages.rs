//! The security log on a page and over the API.

use domain::ClientId;
use reqwest::StatusCode;

use crate::harness::{Web, pointers};

/// Writes events of a client, a second apart, the latest a minute ago.
async fn write(web: &Web, client: Option<ClientId>, kind: &str, count: u32) {
    let client = client.map_or_else(|| uuid::Uuid::nil().to_string(), |client| client.to_string());
    let sql = format!(
        "insert into security_event (client_id, id, at, kind, login, address, correlation_id)
         select '{client}', gen_random_uuid(), now() - interval '1 minute' - n * interval '1 second', '{kind}',
                '<b>{kind}-' || n, '203.0.113.9', gen_random_uuid()
           from generate_series(1, {count}) as n"
    );
    web.db.admin().await.batch_execute(&sql).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_read_once_over_the_pages_of_the_log() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    write(&web, Some(tenant.client), "sign_in_failed", 120).await;
    let mut path = "/api/v1/security-events".to_owned();
    let mut seen = Vec::new();
    loop {
        let (status, page) = web.get(&path, &tenant.somebody()).await;
        assert_eq!(status, StatusCode::OK);
        seen.extend(
            page["items"].as_array().unwrap().iter().map(|row| row["login"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/security-events?before={next}");
    }
    let expected: Vec<String> = (1..=120).map(|number| format!("<b>sign_in_failed-{number}")).collect();
    assert_eq!(seen, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_one_kind_on_request_and_no_markup_of_others() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    write(&web, Some(tenant.client), "sign_in_failed", 3).await;
    write(&web, Some(tenant.client), "signed_out", 2).await;
    let (status, page) = web.page("/setup/security", &tenant.somebody()).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("5 events shown") && !page.contains("<b>"));
    let (_, page) = web.page("/setup/security?kind=signed_out", &tenant.somebody()).await;
    assert!(page.contains("2 events shown") && page.contains("value=\"signed_out\" selected"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_means_nothing_is_named() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    for (query, pointer) in [("kind=nonsense", "/kind"), ("before=nonsense", "/before")] {
        let (status, problem) =
            web.get(&format!("/api/v1/security-events?{query}"), &tenant.somebody()).await;
        assert_eq!((status, pointers(&problem)), (StatusCode::UNPROCESSABLE_ENTITY, vec![pointer]));
        let (status, page) = web.page(&format!("/setup/security?{query}"), &tenant.somebody()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.contains("id=\"mistakes\""));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_sees_its_own_events_and_an_operator_those_of_nobody() {
    let web = Web::start().await;
    let (acme, other) = (web.tenant("ACME").await, web.tenant("OTHER").await);
    write(&web, Some(other.client), "factor_failed", 2).await;
    write(&web, None, "rate_limited", 3).await;
    let (_, page) = web.page("/setup/security", &acme.somebody()).await;
    assert!(!page.contains("factor_failed-") && !page.contains("rate_limited-"));
    let (status, page) = web.page("/operate/security", &acme.somebody()).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("rate_limited-3") && !page.contains("factor_failed-"));
    let (_, list) = web.get("/api/v1/operate/security-events", &acme.somebody()).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 3);
}
