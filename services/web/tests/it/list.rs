//! The list, as page and as API.

use domain::ticket::{TicketPriority, TicketState};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::harness::{Web, pointers, text};

fn titles(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|row| row["title"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_each_other_without_gap_or_repeat() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    for number in 0..7 {
        let at = format!("2030-01-01T00:00:0{}Z", number / 2);
        web.db.ticket(tenant.client, tenant.site).title(&format!("T{number}")).created_at(&at).await;
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let (status, page) = web.get(&format!("/api/v1/tickets?limit=3{after}"), &tenant.somebody()).await;
        assert_eq!(status, StatusCode::OK);
        seen.extend(titles(&page).into_iter().map(str::to_owned));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    let mut sorted = seen.clone();
    sorted.sort();
    assert_eq!(sorted, ["T0", "T1", "T2", "T3", "T4", "T5", "T6"]);
    assert_eq!(seen[0].as_bytes()[1] / 2, b'6' / 2, "the newest comes first");
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_combine_and_agree_between_page_and_api() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let annex = web.db.site(tenant.client, "ANNEX").await;
    let open = TicketState::Open;
    web.db
        .ticket(tenant.client, tenant.site)
        .title("Pump leaks")
        .state(open)
        .priority(TicketPriority::High)
        .await;
    web.db.ticket(tenant.client, tenant.site).title("Pump hums").state(open).await;
    web.db
        .ticket(tenant.client, annex)
        .title("Pump leaks too")
        .state(open)
        .priority(TicketPriority::High)
        .await;
    let query = format!("?state=OPEN&priority=HIGH&site={}&q=leak", tenant.site);
    let (_, list) = web.get(&format!("/api/v1/tickets{query}"), &tenant.somebody()).await;
    assert_eq!(titles(&list), ["Pump leaks"]);
    let (status, page) = web.page(&format!("/tickets{query}"), &tenant.somebody()).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("Pump leaks") && !page.contains("Pump hums") && !page.contains("Pump leaks too"));
    assert!(page.contains("<option value=\"OPEN\" selected>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_unknown_filter_value_is_named() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let query = "?state=LOST&priority=9&site=x&after=!&limit=101";
    let (status, problem) = web.get(&format!("/api/v1/tickets{query}"), &tenant.somebody()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem["type"], "/problems/invalid-ticket-filter");
    assert_eq!(pointers(&problem), ["/state", "/priority", "/site", "/after", "/limit"]);
    let (status, page) = web.page(&format!("/tickets{query}"), &tenant.somebody()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("5 things to correct"));
    let (status, problem) = web.get("/api/v1/tickets?colour=red", &tenant.somebody()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(problem["type"], "/problems/malformed-query");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_list_says_why_and_what_next() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let (_, empty) = web.page("/tickets", &tenant.somebody()).await;
    assert!(empty.contains("No tickets yet") && empty.contains("Raise the first ticket"));
    let (_, narrowed) = web.page("/tickets?state=OPEN", &tenant.somebody()).await;
    assert!(narrowed.contains("Nothing matches these filters") && narrowed.contains("Clear the filters"));
}

#[tokio::test(flavor = "multi_thread")]
async fn htmx_gets_the_region_and_its_address_only() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    web.db.ticket(tenant.client, tenant.site).await;
    let request = web
        .ask(Method::GET, "/tickets?q=&state=&limit=25", Some(&tenant.somebody()))
        .header("accept", "text/html")
        .header("hx-request", "true")
        .header("hx-request-type", "partial");
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["hx-push-url"], "/tickets");
    assert_eq!(response.headers()["vary"], "HX-Request, HX-Request-Type");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let (_, region) = text(response).await;
    assert!(region.trim_start().starts_with("<section id=\"list\""), "{region}");
    assert!(!region.contains("<html"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_never_counts_the_whole_list() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    for _ in 0..3 {
        web.db.ticket(tenant.client, tenant.site).await;
    }
    let (_, page) = web.page("/tickets?limit=2", &tenant.somebody()).await;
    assert!(page.contains("2 tickets shown, and more follow"));
    assert!(page.contains("limit=2") && page.contains("rel=\"next\""));
    assert!(!page.contains("of 3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_title_stays_text() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let ticket =
        web.db.ticket(tenant.client, tenant.site).title("<script>alert(1)</script>\" onclick=\"x").await;
    for path in ["/tickets".to_owned(), format!("/tickets/{ticket}")] {
        let (status, page) = web.page(&path, &tenant.somebody()).await;
        assert_eq!(status, StatusCode::OK);
        assert!(page.contains("&#60;script&#62;"), "{path}");
        assert!(!page.contains("<script>") && !page.contains("\" onclick"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn words_and_cursors_that_the_database_could_not_read_are_mistakes_of_the_query() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    // The time of this cursor lies 200,000 years before PostgreSQL's first.
    let query = "?q=a%00b&after=gAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let (status, problem) = web.get(&format!("/api/v1/tickets{query}"), &tenant.somebody()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(pointers(&problem), ["/q", "/after"]);
}
