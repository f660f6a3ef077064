//! Raising tickets, by program and by form.

use domain::TicketId;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{self, Tenant, Web, location, pointers, urlencoded};

fn leak(tenant: &Tenant) -> Value {
    json!({"site_id": tenant.site, "title": "Leak in the pump room", "priority": "HIGH", "assignee_id": tenant.person})
}

fn form<'a>(key: &'a str, pairs: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let own = [("csrf_token", "dG9rZW4"), ("key", key)];
    own.iter().chain(pairs).copied().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raised_ticket_can_be_read_at_its_location() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let request = web.ask(Method::POST, "/api/v1/tickets", Some(&tenant.somebody())).json(&leak(&tenant));
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    let path = location(&response).to_owned();
    let (_, raised) = harness::json(response).await;
    let (status, read) = web.get(&path, &tenant.somebody()).await;
    assert_eq!((status, &read), (StatusCode::OK, &raised));
    assert_eq!(read["number"], 1);
    assert_eq!(read["state"], "NEW");
    assert_eq!(read["next_states"], json!(["OPEN", "CANCELLED"]));
    assert_eq!(read["assignee_name"], "Asha Patil");
    assert_eq!(read["history"][0]["kind"], "CREATED");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mail_about_a_ticket_continues_the_trace_of_the_request_that_raised_it() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let ben = web.db.person(tenant.client, "ben").email("ben@acme.example.com").await;
    let draft = json!({"site_id": tenant.site, "title": "Leak", "priority": "HIGH", "assignee_id": ben});
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = web.ask(Method::POST, "/api/v1/tickets", Some(&tenant.somebody()));
    let response = request.header("traceparent", trace).json(&draft).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    let carried = format!("select count(*) from task where kind = 'ticket.mail' and traceparent = '{trace}'");
    assert_eq!(web.count(&carried).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn repeating_with_the_same_key_gives_the_same_ticket() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let key = TicketId::generate().to_string();
    let mut answers = Vec::new();
    for _ in 0..3 {
        let request = web
            .ask(Method::POST, "/api/v1/tickets", Some(&tenant.somebody()))
            .header("idempotency-key", &key)
            .json(&leak(&tenant));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        answers.push(harness::json(response).await.1);
    }
    assert_eq!(answers[0]["id"], key);
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(web.count("select count(*) from ticket_event").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_no_uuid_is_refused() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let request = web
        .ask(Method::POST, "/api/v1/tickets", Some(&tenant.somebody()))
        .header("idempotency-key", "again")
        .json(&leak(&tenant));
    let (status, problem) = harness::json(request.send().await.unwrap()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(problem["type"], "/problems/idempotency-key-malformed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_tenants_ticket_reveals_nothing() {
    let web = Web::start().await;
    let (acme, other) = (web.tenant("ACME").await, web.tenant("OTHER").await);
    let key = web.db.ticket(acme.client, acme.site).await.to_string();
    let request = web
        .ask(Method::POST, "/api/v1/tickets", Some(&other.somebody()))
        .header("idempotency-key", &key)
        .json(&leak(&other));
    let (status, raised) = harness::json(request.send().await.unwrap()).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(raised["title"], "Leak in the pump room");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_of_a_request_is_named_at_once() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let body =
        json!({"site_id": tenant.site, "title": " ", "description": "x".repeat(4_001), "priority": "LOW"});
    let (status, problem) = web.post("/api/v1/tickets", &tenant.somebody(), &body).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem["type"], "/problems/invalid-ticket");
    assert_eq!(pointers(&problem), ["/title", "/description"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sites_and_people_of_another_tenant_cannot_be_named() {
    let web = Web::start().await;
    let (acme, other) = (web.tenant("ACME").await, web.tenant("OTHER").await);
    let body =
        json!({"site_id": other.site, "title": "Leak", "priority": "LOW", "assignee_id": other.person});
    let (status, problem) = web.post("/api/v1/tickets", &acme.somebody(), &body).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(pointers(&problem), ["/site_id", "/assignee_id"]);
    assert_eq!(web.count("select count(*) from ticket").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_with_a_typed_name_raises_a_ticket_and_leads_to_it() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let (key, site) = (TicketId::generate().to_string(), tenant.site.to_string());
    let fields = form(
        &key,
        &[
            ("title", "Leak"),
            ("site_id", &site),
            ("priority", "HIGH"),
            ("assignee", "asha patil"),
            ("description", ""),
        ],
    );
    for _ in 0..2 {
        let response = web.submit("/tickets", &tenant.somebody(), &fields).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(location(&response), format!("/tickets/{key}"));
    }
    let (_, ticket) = web.get(&format!("/api/v1/tickets/{key}"), &tenant.somebody()).await;
    assert_eq!(ticket["assignee_id"], tenant.person.to_string());
    assert_eq!(ticket["history"].as_array().unwrap().len(), 1, "sending twice raises once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_form_names_every_mistake_and_keeps_what_was_typed() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let key = TicketId::generate().to_string();
    let long = "x".repeat(4_001);
    let fields = form(
        &key,
        &[
            ("title", ""),
            ("site_id", ""),
            ("priority", ""),
            ("assignee", "zorro <b>"),
            ("description", &long),
        ],
    );
    let response = web.submit("/tickets", &tenant.somebody(), &fields).await;
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let (_, page) = harness::text(response).await;
    assert!(page.contains("5 things to correct"), "{page}");
    for anchor in ["#title", "#site_id", "#priority", "#assignee", "#description"] {
        assert!(page.contains(&format!("<a href=\"{anchor}\">")), "{anchor}");
    }
    assert!(page.contains("value=\"zorro &#60;b&#62;\"") && page.contains(&long) && page.contains(&key));
    assert!(page.contains("name=\"csrf_token\" value=\"dG9rZW4\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ambiguous_name_offers_the_people_and_takes_the_choice() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let namesake = web.db.person(tenant.client, "asha2").name("Asha Patil").await;
    let (key, site, chosen) =
        (TicketId::generate().to_string(), tenant.site.to_string(), namesake.to_string());
    let mut fields = form(
        &key,
        &[
            ("title", "Leak"),
            ("site_id", &site),
            ("priority", "LOW"),
            ("assignee", "Asha Patil"),
            ("assignee_for", ""),
        ],
    );
    let (status, page) = harness::text(web.submit("/tickets", &tenant.somebody(), &fields).await).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains(&format!("type=\"radio\" name=\"assignee_id\" value=\"{chosen}\"")));
    assert!(page.contains("name=\"assignee_for\" value=\"Asha Patil\""), "the choice counts for this text");
    fields.retain(|(name, _)| *name != "assignee_for");
    fields.extend([("assignee_for", "Asha Patil"), ("assignee_id", chosen.as_str())]);
    let response = web.submit("/tickets", &tenant.somebody(), &fields).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    let (_, ticket) = web.get(&format!("/api/v1/tickets/{key}"), &tenant.somebody()).await;
    assert_eq!(ticket["assignee_id"], chosen);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_for_another_text_does_not_count() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let other = web.db.person(tenant.client, "marek").name("Marek Nowak").await.to_string();
    let (key, site) = (TicketId::generate().to_string(), tenant.site.to_string());
    let fields = form(
        &key,
        &[
            ("title", "Leak"),
            ("site_id", &site),
            ("priority", "LOW"),
            ("assignee", "asha"),
            ("assignee_for", "Marek Nowak (marek)"),
            ("assignee_id", &other),
        ],
    );
    assert_eq!(web.submit("/tickets", &tenant.somebody(), &fields).await.status(), StatusCode::SEE_OTHER);
    let (_, ticket) = web.get(&format!("/api/v1/tickets/{key}"), &tenant.somebody()).await;
    assert_eq!(ticket["assignee_id"], tenant.person.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn htmx_is_sent_on_or_gets_the_refused_form_only() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let (key, site) = (TicketId::generate().to_string(), tenant.site.to_string());
    let ask = |title: &'static str| {
        let request = web
            .ask(Method::POST, "/tickets", Some(&tenant.somebody()))
            .header("hx-request", "true")
            .header("hx-request-type", "partial");
        urlencoded(request, &form(&key, &[("title", title), ("site_id", &site), ("priority", "LOW")]))
    };
    let (status, region) = harness::text(ask("").send().await.unwrap()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(region.trim_start().starts_with("<form"), "{region}");
    assert!(region.contains("hx-nonce=\"bm9uY2U\""));
    let response = ask("Leak").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(response.headers()["hx-redirect"], format!("/tickets/{key}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assignee_that_the_database_could_not_read_is_nobody() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let (key, site) = (TicketId::generate().to_string(), tenant.site.to_string());
    let typed = [("title", "Leak"), ("site_id", &site), ("priority", "LOW"), ("assignee", "a\0b")];
    let response = web.submit("/tickets", &tenant.somebody(), &form(&key, &typed)).await;
    let (status, page) = harness::text(response).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("Nobody has this name or code"), "{page}");
}
