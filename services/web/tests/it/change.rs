//! Moving and commenting tickets.

use domain::{TicketEventId, TicketId};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{self, Tenant, Web, location, urlencoded};

async fn ticket(web: &Web) -> (Tenant, TicketId) {
    let tenant = web.tenant("ACME").await;
    let ticket = web.db.ticket(tenant.client, tenant.site).created_by(tenant.person).await;
    (tenant, ticket)
}

fn kinds(ticket: &Value) -> Vec<&str> {
    ticket["history"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_gives_the_next_version_and_a_line_of_history() {
    let web = Web::start().await;
    let (tenant, id) = ticket(&web).await;
    let path = format!("/api/v1/tickets/{id}/state");
    let (status, moved) = web.post(&path, &tenant.somebody(), &json!({"state": "OPEN", "version": 1})).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!((&moved["state"], &moved["version"]), (&json!("OPEN"), &json!(2)));
    assert_eq!(moved["next_states"], json!(["ON_HOLD", "RESOLVED", "CANCELLED"]));
    assert_eq!(kinds(&moved), ["MOVED"]);
    assert_eq!(moved["history"][0]["person_name"], "Asha Patil");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_version_is_a_412_and_a_forbidden_move_a_409() {
    let web = Web::start().await;
    let (tenant, id) = ticket(&web).await;
    let path = format!("/api/v1/tickets/{id}/state");
    let (status, problem) =
        web.post(&path, &tenant.somebody(), &json!({"state": "OPEN", "version": 7})).await;
    assert_eq!(status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(problem["type"], "/problems/ticket-stale");
    let (status, problem) =
        web.post(&path, &tenant.somebody(), &json!({"state": "CLOSED", "version": 1})).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(problem["type"], "/problems/ticket-move-refused");
    assert_eq!(web.count("select count(*) from ticket_event").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_moves_the_ticket_and_shows_it() {
    let web = Web::start().await;
    let (tenant, id) = ticket(&web).await;
    let fields = [("csrf_token", "dG9rZW4"), ("version", "1"), ("state", "OPEN")];
    let response = web.submit(&format!("/tickets/{id}/state"), &tenant.somebody(), &fields).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(location(&response), format!("/tickets/{id}"));
    let (_, page) = web.page(&format!("/tickets/{id}"), &tenant.somebody()).await;
    assert!(page.contains("Resolve") && page.contains("Moved from new to open."), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_of_an_outdated_page_shows_the_ticket_as_it_stands() {
    let web = Web::start().await;
    let (tenant, id) = ticket(&web).await;
    let path = format!("/tickets/{id}/state");
    let fields = [("version", "1"), ("state", "OPEN")];
    web.submit(&path, &tenant.somebody(), &fields).await;
    let (status, page) = harness::text(web.submit(&path, &tenant.somebody(), &fields).await).await;
    assert_eq!(status, StatusCode::PRECONDITION_FAILED);
    assert!(page.contains("id=\"notice\" role=\"alert\"") && page.contains("name=\"version\" value=\"2\""));
    let fields = [("version", "2"), ("state", "CLOSED")];
    let request = web
        .ask(Method::POST, &path, Some(&tenant.somebody()))
        .header("hx-request", "true")
        .header("hx-request-type", "partial");
    let (status, region) = harness::text(urlencoded(request, &fields).send().await.unwrap()).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(region.trim_start().starts_with("<article id=\"ticket\""), "{region}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_sent_twice_is_said_once() {
    let web = Web::start().await;
    let (tenant, id) = ticket(&web).await;
    let key = TicketEventId::generate().to_string();
    for _ in 0..2 {
        let request = web
            .ask(Method::POST, &format!("/api/v1/tickets/{id}/comments"), Some(&tenant.somebody()))
            .header("idempotency-key", &key)
            .json(&json!({"text": "The valve is closed."}));
        let (status, ticket) = harness::json(request.send().await.unwrap()).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(kinds(&ticket), ["COMMENTED"]);
        assert_eq!(ticket["history"][0]["detail"], "The valve is closed.");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_not_taken_for_another_comment() {
    let web = Web::start().await;
    let (tenant, id) = ticket(&web).await;
    let key = TicketEventId::generate().to_string();
    let say = async |text: &str| {
        let request = web
            .ask(Method::POST, &format!("/api/v1/tickets/{id}/comments"), Some(&tenant.somebody()))
            .header("idempotency-key", &key)
            .json(&json!({"text": text}));
        harness::json(request.send().await.unwrap()).await
    };
    assert_eq!(say("The valve is closed.").await.0, StatusCode::OK);
    let (status, problem) = say("The valve is open.").await;
    assert_eq!((status, &problem["type"]), (StatusCode::CONFLICT, &json!("/problems/ticket-exists")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_comment_stays_in_its_form() {
    let web = Web::start().await;
    let (tenant, id) = ticket(&web).await;
    let (key, long) = (TicketEventId::generate().to_string(), "y".repeat(4_001));
    let path = format!("/tickets/{id}/comments");
    let fields = [("key", key.as_str()), ("text", long.as_str())];
    let (status, page) = harness::text(web.submit(&path, &tenant.somebody(), &fields).await).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains(&long) && page.contains("aria-describedby=\"text-hint text-mistake\""));
    let fields = [("key", key.as_str()), ("text", "Short.")];
    let response = web.submit(&path, &tenant.somebody(), &fields).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_only_read_sees_no_forms() {
    let web = Web::start().await;
    let (tenant, id) = ticket(&web).await;
    let reader = tenant.with(&[domain::Capability::Web, domain::Capability::TicketsRead]);
    let (_, page) = web.page(&format!("/tickets/{id}"), &reader).await;
    assert!(!page.contains("Add comment") && !page.contains("Start work"));
    let (_, list) = web.page("/tickets", &reader).await;
    assert!(!list.contains("New ticket"));
}

#[tokio::test(flavor = "multi_thread")]
async fn times_stand_in_the_zone_of_the_client() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let id = web.db.ticket(tenant.client, tenant.site).created_at("2030-01-31T20:05:00Z").await;
    let who = api::Identity { time_zone: "Asia/Kolkata".to_owned(), demo: true, ..tenant.somebody() };
    let (_, page) = web.page(&format!("/tickets/{id}"), &who).await;
    assert!(page.contains("datetime=\"2030-01-31T20:05:00Z\">1 Feb 2030, 01:35</time>"), "{page}");
    assert!(page.contains("Demo data"));
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_is_asked_first_and_happens_without_scripts() {
    let web = Web::start().await;
    let (tenant, id) = ticket(&web).await;
    let (status, asked) = web.page(&format!("/tickets/{id}/cancel"), &tenant.somebody()).await;
    assert_eq!(status, StatusCode::OK);
    assert!(asked.contains("cannot be undone") && asked.contains("name=\"version\" value=\"1\""), "{asked}");
    assert_eq!(web.count("select count(*) from ticket where state = 'NEW'").await, 1);
    let fields = [("csrf_token", "dG9rZW4"), ("version", "1"), ("state", "CANCELLED")];
    let response = web.submit(&format!("/tickets/{id}/state"), &tenant.somebody(), &fields).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(web.count("select count(*) from ticket where state = 'CANCELLED'").await, 1);
    let (status, again) = web.page(&format!("/tickets/{id}/cancel"), &tenant.somebody()).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(again.contains("id=\"notice\" role=\"alert\"") && !again.contains("/cancel"), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_is_read_from_its_end_a_page_at_a_time() {
    let web = Web::start().await;
    let (tenant, id) = ticket(&web).await;
    let entries = format!(
        "insert into ticket_event (client_id, id, ticket_id, kind, detail, correlation_id, at)
         select client_id, gen_random_uuid(), id, 'COMMENTED', 'Remark ' || n || '.', gen_random_uuid(),
                timestamptz '2030-01-01' + n * interval '1 minute'
           from ticket, generate_series(1, 120) as n where id = '{id}'"
    );
    web.db.admin().await.batch_execute(&entries).await.unwrap();
    let (mut seen, mut query) = (Vec::new(), String::new());
    loop {
        let (_, page) = web.get(&format!("/api/v1/tickets/{id}{query}"), &tenant.somebody()).await;
        let part = page["history"].as_array().unwrap();
        assert!(part.len() <= 50, "{}", part.len());
        seen.splice(0..0, part.iter().map(|event| event["detail"].as_str().unwrap().to_owned()));
        match page["history_before"].as_u64() {
            Some(place) => query = format!("?before={place}"),
            None => break,
        }
    }
    let all: Vec<String> = (1..=120).map(|number| format!("Remark {number}.")).collect();
    assert_eq!(seen, all);
    let (_, latest) = web.page(&format!("/tickets/{id}"), &tenant.somebody()).await;
    assert!(latest.contains("Remark 120.") && !latest.contains("Remark 70."));
    assert!(latest.contains("?before=70#history") && !latest.contains("Latest entries"));
    let (_, first) = web.page(&format!("/tickets/{id}?before=20"), &tenant.somebody()).await;
    assert!(first.contains("Remark 20.") && !first.contains("Remark 21."));
    assert!(!first.contains("Earlier entries") && first.contains("Latest entries"));
}
