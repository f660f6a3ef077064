//! Every address, tried by nobody, by somebody without the right, and by another tenant.

use std::collections::BTreeSet;

use domain::{Capability, TicketId};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::harness::{Web, urlencoded};

/// What a caller must have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// Nothing: the address is public.
    Nothing,
    /// To be signed in.
    SignIn,
    /// `TICKETS_READ`.
    Read,
    /// `TICKETS_WRITE`.
    Write,
    /// `OPERATE`.
    Operate,
}

const ROUTES: &[(&str, &str, Needs)] = &[
    ("GET", "/assets/{file}", Needs::Nothing),
    ("GET", "/login", Needs::Nothing),
    ("POST", "/login", Needs::Nothing),
    ("GET", "/problems/{code}", Needs::Nothing),
    ("GET", "/", Needs::SignIn),
    ("POST", "/logout", Needs::SignIn),
    ("GET", "/tickets", Needs::Read),
    ("POST", "/tickets", Needs::Write),
    ("GET", "/tickets/new", Needs::Write),
    ("GET", "/tickets/{id}", Needs::Read),
    ("GET", "/tickets/{id}/cancel", Needs::Write),
    ("POST", "/tickets/{id}/state", Needs::Write),
    ("POST", "/tickets/{id}/comments", Needs::Write),
    ("GET", "/api/v1/openapi.json", Needs::Nothing),
    ("GET", "/api/v1/tickets", Needs::Read),
    ("POST", "/api/v1/tickets", Needs::Write),
    ("GET", "/api/v1/tickets/{id}", Needs::Read),
    ("POST", "/api/v1/tickets/{id}/state", Needs::Write),
    ("POST", "/api/v1/tickets/{id}/comments", Needs::Write),
    ("GET", "/api/v1/people/lookup", Needs::Read),
    ("GET", "/api/v1/sites", Needs::Read),
    ("GET", "/operate/tasks", Needs::Operate),
    ("POST", "/operate/tasks/queues/{queue}/pause", Needs::Operate),
    ("POST", "/operate/tasks/queues/{queue}/resume", Needs::Operate),
    ("GET", "/operate/tasks/live", Needs::Operate),
    ("GET", "/operate/tasks/history", Needs::Operate),
    ("GET", "/operate/tasks/dead-letters", Needs::Operate),
    ("POST", "/operate/tasks/dead-letters/{id}/retry", Needs::Operate),
    ("GET", "/operate/tasks/dead-letters/{id}/discard", Needs::Operate),
    ("POST", "/operate/tasks/dead-letters/{id}/discard", Needs::Operate),
    ("GET", "/operate/tasks/schedules", Needs::Operate),
    ("POST", "/operate/tasks/schedules/pause", Needs::Operate),
    ("POST", "/operate/tasks/schedules/resume", Needs::Operate),
    ("POST", "/operate/tasks/schedules/run", Needs::Operate),
    ("GET", "/operate/tasks/audit", Needs::Operate),
    ("GET", "/operate/tasks/{id}", Needs::Operate),
    ("GET", "/operate/tasks/{id}/cancel", Needs::Operate),
    ("POST", "/operate/tasks/{id}/cancel", Needs::Operate),
    ("POST", "/operate/tasks/{id}/retry", Needs::Operate),
    ("GET", "/api/v1/operate/tasks", Needs::Operate),
    ("GET", "/api/v1/operate/tasks/queues", Needs::Operate),
    ("POST", "/api/v1/operate/tasks/queues/{queue}/pause", Needs::Operate),
    ("POST", "/api/v1/operate/tasks/queues/{queue}/resume", Needs::Operate),
    ("GET", "/api/v1/operate/tasks/dead-letters", Needs::Operate),
    ("POST", "/api/v1/operate/tasks/dead-letters/{id}/retry", Needs::Operate),
    ("POST", "/api/v1/operate/tasks/dead-letters/{id}/discard", Needs::Operate),
    ("GET", "/api/v1/operate/tasks/{id}", Needs::Operate),
    ("POST", "/api/v1/operate/tasks/{id}/cancel", Needs::Operate),
    ("POST", "/api/v1/operate/tasks/{id}/retry", Needs::Operate),
];

/// A well-formed request for a route about a ticket.
async fn try_route(
    web: &Web,
    (method, path): (&str, &str),
    ticket: TicketId,
    who: Option<&api::Identity>,
) -> StatusCode {
    let method: Method = method.parse().unwrap();
    let address = path.replace("{id}", &ticket.to_string()).replace("{queue}", "email");
    let request = web.ask(method.clone(), &address, who);
    let site = domain::SiteId::generate();
    let request = match (method == Method::POST, path) {
        (false, _) => request,
        (true, "/api/v1/tickets") => {
            request.json(&json!({"site_id": site, "title": "Leak", "priority": "LOW"}))
        }
        (true, "/api/v1/tickets/{id}/state") => request.json(&json!({"state": "OPEN", "version": 1})),
        (true, "/api/v1/tickets/{id}/comments") => request.json(&json!({"text": "Seen"})),
        (true, "/tickets/{id}/state") => urlencoded(request, &[("state", "OPEN"), ("version", "1")]),
        (true, "/tickets/{id}/comments") => {
            urlencoded(request, &[("key", TicketId::generate().to_string().as_str()), ("text", "Seen")])
        }
        (true, "/tickets") => {
            let (key, site) = (TicketId::generate().to_string(), site.to_string());
            urlencoded(
                request,
                &[("key", key.as_str()), ("title", "Leak"), ("site_id", &site), ("priority", "LOW")],
            )
        }
        (true, path) if path.starts_with("/operate/tasks/schedules/") => {
            urlencoded(request, &[("name", "ticket-escalate")])
        }
        (true, path) if path.starts_with("/operate/") => urlencoded(request, &[("csrf_token", "dG9rZW4")]),
        (true, _) => urlencoded(request, &[("", "")]),
    };
    request.send().await.unwrap().status()
}

#[test]
fn the_table_below_covers_every_route() {
    let source = include_str!("../../src/routes.rs");
    let served: BTreeSet<(String, String)> = source
        .split("web::resource(\"")
        .skip(1)
        .flat_map(|text| {
            let path = text.split('"').next().unwrap().to_owned();
            let methods = [(".get(", "GET"), (".post(", "POST")];
            let used = methods.into_iter().filter(|(call, _)| text.contains(call));
            used.map(|(_, method)| (method.to_owned(), path.clone())).collect::<Vec<_>>()
        })
        .collect();
    let tried = ROUTES.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(served, tried);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_past_public_addresses() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let ticket = web.db.ticket(tenant.client, tenant.site).await;
    for (method, path, _) in ROUTES.iter().filter(|(_, _, needs)| *needs != Needs::Nothing) {
        let status = try_route(&web, (method, path), ticket, None).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_capability_is_a_403() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let ticket = web.db.ticket(tenant.client, tenant.site).await;
    let without_read = tenant.with(&[Capability::Web, Capability::TicketsWrite]);
    let without_write = tenant.with(&[Capability::Web, Capability::TicketsRead]);
    let without_operate: Vec<Capability> =
        Capability::ALL.iter().copied().filter(|capability| *capability != Capability::Operate).collect();
    let without_operate = tenant.with(&without_operate);
    for (method, path, needs) in ROUTES {
        let who = match needs {
            Needs::Nothing | Needs::SignIn => continue,
            Needs::Read => &without_read,
            Needs::Write => &without_write,
            Needs::Operate => &without_operate,
        };
        let status = try_route(&web, (method, path), ticket, Some(who)).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}");
    }
    assert_eq!(web.count("select count(*) from ticket").await, 1);
    assert_eq!(web.count("select count(*) from ticket_event").await, 0);
    assert_eq!(web.count("select count(*) from task_action").await, 0);
    assert_eq!(web.count("select count(*) from task_queue where paused").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lacks_web_may_use_no_page_and_still_the_api() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let ticket = web.db.ticket(tenant.client, tenant.site).await;
    let without_web = tenant.with(&[Capability::TicketsRead, Capability::TicketsWrite, Capability::Operate]);
    let is_page = |path: &str| path == "/" || path.starts_with("/tickets") || path.starts_with("/operate");
    for (method, path, _) in ROUTES.iter().filter(|(_, path, _)| is_page(path)) {
        let status = try_route(&web, (method, path), ticket, Some(&without_web)).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}");
    }
    assert_eq!(web.count("select count(*) from ticket_event").await, 0);
    let (status, list) = web.get("/api/v1/tickets", &without_web).await;
    assert_eq!((status, list["items"].as_array().unwrap().len()), (StatusCode::OK, 1));
    let (status, _queues) = web.get("/api/v1/operate/tasks/queues", &without_web).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_ticket_is_not_there() {
    let web = Web::start().await;
    let (acme, other) = (web.tenant("ACME").await, web.tenant("OTHER").await);
    let ticket = web.db.ticket(acme.client, acme.site).title("Secret of ACME").await;
    for (method, path, _) in ROUTES.iter().filter(|(_, path, _)| path.contains("/tickets/{id}")) {
        let status = try_route(&web, (method, path), ticket, Some(&other.somebody())).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{method} {path}");
    }
    let (_, list) = web.get("/api/v1/tickets", &other.somebody()).await;
    assert_eq!(list, json!({"items": []}));
    let (_, page) = web.page("/tickets", &other.somebody()).await;
    assert!(!page.contains("Secret of ACME"));
    assert_eq!(web.count("select count(*) from ticket_event").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_at_a_site_out_of_scope_is_not_there() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let annex = web.db.site(tenant.client, "ANNEX").await;
    let ticket = web.db.ticket(tenant.client, tenant.site).await;
    let elsewhere = tenant.at(&[annex]);
    for (method, path, _) in ROUTES.iter().filter(|(_, path, _)| path.contains("/tickets/{id}")) {
        let status = try_route(&web, (method, path), ticket, Some(&elsewhere)).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{method} {path}");
    }
    let (_, list) = web.get("/api/v1/tickets", &elsewhere).await;
    assert_eq!(list, json!({"items": []}));
    let (_, sites) = web.get("/api/v1/sites", &elsewhere).await;
    assert_eq!(sites["items"].as_array().unwrap().len(), 1);
}
