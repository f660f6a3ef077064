//! Every address of the table, tried by nobody, without the right, with what has ended, and from another tenant or site.

use std::collections::BTreeSet;

use api::Identity;
use domain::account::SessionKind;
use domain::{Capability, ElevationId, TicketId};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::json;
use service::permission::{Needs, Route};

use crate::harness::{Tenant, Web, urlencoded};

/// Every address.
fn routes() -> &'static [Route] {
    web::ROUTES.routes
}

/// A request for an address whose object is a ticket, or nothing at all.
fn request(web: &Web, route: &Route, ticket: TicketId, who: Option<&Identity>) -> RequestBuilder {
    let method: Method = route.method().parse().unwrap();
    let address = route.path().replace("{id}", &ticket.to_string()).replace("{queue}", "email");
    let address = address.replace(['{', '}'], "");
    with_body(web.ask(method, &address, who), route)
}

/// A body the address takes, so that only the right or the object can be what is missing.
fn with_body(request: RequestBuilder, route: &Route) -> RequestBuilder {
    let (key, site) = (TicketId::generate().to_string(), domain::SiteId::generate().to_string());
    match (route.method(), route.path()) {
        ("GET", _) => request,
        (_, "/api/v1/tickets") => request.json(&json!({"site_id": site, "title": "Leak", "priority": "LOW"})),
        (_, "/api/v1/tickets/{id}/state") => request.json(&json!({"state": "OPEN", "version": 1})),
        (_, "/api/v1/tickets/{id}/comments") => request.json(&json!({"text": "Seen"})),
        (_, "/tickets/{id}/state") => urlencoded(request, &[("state", "OPEN"), ("version", "1")]),
        (_, "/tickets/{id}/comments") => urlencoded(request, &[("key", key.as_str()), ("text", "Seen")]),
        (_, "/tickets") => {
            let leak = [("key", key.as_str()), ("title", "Leak"), ("site_id", &site), ("priority", "LOW")];
            urlencoded(request, &leak)
        }
        (_, path) if path.starts_with("/operate/tasks/schedules/") => {
            urlencoded(request, &[("name", "ticket-escalate")])
        }
        (_, path) if path.starts_with("/api/") => request.json(&json!({})),
        (_, _) => urlencoded(request, &[("csrf_token", "dG9rZW4")]),
    }
}

/// What an address answers to somebody.
async fn try_route(web: &Web, route: &Route, ticket: TicketId, who: Option<&Identity>) -> StatusCode {
    request(web, route, ticket, who).send().await.unwrap().status()
}

/// What an address answers to somebody, as a code.
async fn code_of(web: &Web, route: &Route, ticket: TicketId, who: &Identity) -> String {
    let answer = request(web, route, ticket, Some(who)).header("accept", "application/json");
    let problem: api::Problem = answer.send().await.unwrap().json().await.unwrap();
    problem.r#type.replace("/problems/", "")
}

/// A running web with a tenant and a ticket of theirs.
struct Ground {
    web: Web,
    tenant: Tenant,
    ticket: TicketId,
}

impl Ground {
    async fn lay() -> Self {
        let web = Web::start().await;
        let tenant = web.tenant("ACME").await;
        let ticket = web.db.ticket(tenant.client, tenant.site).await;
        Self { web, tenant, ticket }
    }

    /// Whatever was tried, nothing came of it.
    async fn is_untouched(&self) {
        for (sql, expected) in [
            ("select count(*) from ticket", 1),
            ("select count(*) from ticket_event", 0),
            ("select count(*) from task_action", 0),
            ("select count(*) from task_queue where paused", 0),
        ] {
            assert_eq!(self.web.count(sql).await, expected, "{sql}");
        }
    }
}

/// The person with everything but one capability.
fn without(tenant: &Tenant, missing: Capability) -> Identity {
    let rest: Vec<Capability> =
        Capability::ALL.iter().copied().filter(|capability| *capability != missing).collect();
    tenant.with(&rest)
}

/// The capabilities an address asks for.
fn asked(needs: Needs) -> Vec<Capability> {
    match needs {
        Needs::Nothing | Needs::InternalKey | Needs::BrokerKey | Needs::AnySignIn | Needs::OwnAccount => {
            vec![]
        }
        Needs::Page => vec![Capability::Web],
        Needs::PageFor(capability) => vec![Capability::Web, capability],
        Needs::Call(capability) => vec![capability],
    }
}

#[test]
fn no_address_stands_in_the_table_twice_and_few_are_for_everybody() {
    let all: BTreeSet<(&str, &str)> = routes().iter().map(|route| (route.method(), route.path())).collect();
    assert_eq!(all.len(), routes().len());
    let open: BTreeSet<&str> =
        routes().iter().filter(|route| route.needs() == Needs::Nothing).map(Route::path).collect();
    let known = [
        "/api/v1/openapi.json",
        "/assets/{file}",
        "/forgot",
        "/login",
        "/login/factor",
        "/problems/{code}",
        "/reset",
        "/reset/{token}",
        "/verify",
        "/verify/{token}",
    ];
    let surprising: Vec<&str> = open.difference(&BTreeSet::from(known)).copied().collect();
    assert_eq!(surprising, Vec::<&str>::new());
}

#[test]
fn what_changes_something_is_no_get() {
    for route in routes().iter().filter(|route| route.method() == "GET") {
        let last = route.path().rsplit('/').next().unwrap();
        assert!(!["state", "comments", "pause", "resume", "retry", "run", "end", "remove"].contains(&last));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_past_public_addresses() {
    let ground = Ground::lay().await;
    for route in routes().iter().filter(|route| route.needs() != Needs::Nothing) {
        let status = try_route(&ground.web, route, ground.ticket, None).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{route:?}");
    }
    ground.is_untouched().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_that_has_ended_is_nobodys() {
    let ground = Ground::lay().await;
    let now = ground.tenant.somebody();
    let ended = Identity { iat: now.iat - 60, exp: now.exp - 70, ..now };
    for route in routes().iter().filter(|route| route.needs() != Needs::Nothing) {
        let status = try_route(&ground.web, route, ground.ticket, Some(&ended)).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{route:?}");
    }
    ground.is_untouched().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_signed_by_a_stranger_is_nobodys() {
    let ground = Ground::lay().await;
    let stranger = testkit::identity::Signer::generate();
    for route in routes().iter().filter(|route| route.needs() != Needs::Nothing) {
        let (name, forged) = stranger.header(&ground.tenant.somebody());
        let forged = request(&ground.web, route, ground.ticket, None).header(name, forged);
        assert_eq!(forged.send().await.unwrap().status(), StatusCode::UNAUTHORIZED, "{route:?}");
    }
    ground.is_untouched().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_missing_capability_is_a_403_that_names_it() {
    let ground = Ground::lay().await;
    let mut tried = 0;
    for route in routes() {
        for missing in asked(route.needs()) {
            let who = without(&ground.tenant, missing);
            let answer = request(&ground.web, route, ground.ticket, Some(&who));
            let answer = answer.header("accept", "application/json").send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{route:?} without {missing}");
            let problem: api::Problem = answer.json().await.unwrap();
            assert_eq!(problem.detail, format!("This needs the capability {missing}."), "{route:?}");
            tried += 1;
        }
    }
    assert!(tried > 60, "{tried}");
    ground.is_untouched().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_needs_no_pages_right_and_a_key_without_the_scope_gets_a_403() {
    let ground = Ground::lay().await;
    let key =
        |capabilities: &[Capability]| Identity { kind: SessionKind::Key, ..ground.tenant.with(capabilities) };
    let scoped = key(&[Capability::TicketsRead]);
    for route in routes() {
        let expected = match (route.needs(), route.method()) {
            (Needs::Call(Capability::TicketsRead), "GET") => None,
            (Needs::Call(_) | Needs::Page | Needs::PageFor(_), _) => Some("forbidden"),
            (Needs::OwnAccount, _) => Some("person-required"),
            (Needs::Nothing | Needs::InternalKey | Needs::BrokerKey | Needs::AnySignIn, _) => continue,
        };
        if let Some(code) = expected {
            assert_eq!(code_of(&ground.web, route, ground.ticket, &scoped).await, code);
            continue;
        }
        let status = try_route(&ground.web, route, ground.ticket, Some(&scoped)).await;
        // The id is a ticket's: whoever may read gets as far as not finding a file of that id.
        let is_about_a_file = route.path().starts_with("/api/v1/attachments/");
        let got_in = if is_about_a_file { status == StatusCode::NOT_FOUND } else { status.is_success() };
        assert!(got_in, "{status}: {route:?}");
    }
    ground.is_untouched().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_looks_into_another_client_changes_nothing() {
    let ground = Ground::lay().await;
    let visitor = Identity { elevation_id: Some(ElevationId::generate()), ..ground.tenant.somebody() };
    let mut tried = 0;
    for route in routes() {
        let refused = match route.needs() {
            Needs::OwnAccount => true,
            Needs::Page | Needs::PageFor(_) | Needs::Call(_) => route.method() != "GET",
            Needs::Nothing | Needs::InternalKey | Needs::BrokerKey | Needs::AnySignIn => false,
        };
        if refused {
            let code = code_of(&ground.web, route, ground.ticket, &visitor).await;
            assert_eq!(code, "elevation-reads-only", "{route:?}");
            tried += 1;
        }
    }
    assert!(tried > 20, "{tried}");
    ground.is_untouched().await;
    let (status, list) = ground.web.get("/api/v1/tickets", &visitor).await;
    assert_eq!((status, list["items"].as_array().unwrap().len()), (StatusCode::OK, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_owes_a_second_factor_is_led_to_it_and_gets_nothing_else() {
    let ground = Ground::lay().await;
    let owing = Identity { owes_factor: true, ..ground.tenant.with(&[]) };
    for route in routes().iter().filter(|route| !asked(route.needs()).is_empty()) {
        if let Needs::Call(_) = route.needs() {
            let code = code_of(&ground.web, route, ground.ticket, &owing).await;
            assert_eq!(code, "second-factor-owed", "{route:?}");
        } else {
            let answer = request(&ground.web, route, ground.ticket, Some(&owing)).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{route:?}");
            assert_eq!(answer.headers()["location"], "/account", "{route:?}");
        }
    }
    ground.is_untouched().await;
}

/// Addresses about one ticket.
fn of_tickets() -> impl Iterator<Item = &'static Route> {
    routes().iter().filter(|route| route.path().contains("/tickets/{id}"))
}

#[test]
fn each_parameter_of_an_address_is_known_to_name_something_of_a_tenant_or_of_nobody() {
    // Tickets are tried below; people, groups, sessions and passkeys are auth's and tried there; tasks, queues and
    // dead letters are of the installation; files have a test of their own.
    let beginnings = [
        "/tickets/{id}",
        "/api/v1/tickets/{id}",
        "/account/",
        "/setup/users/{id}",
        "/setup/groups/{id}",
        "/reset/{token}",
        "/verify/{token}",
        "/operate/tasks/",
        "/api/v1/operate/",
        "/assets/{file}",
        "/problems/{code}",
        "/files/{id}",
        "/api/v1/attachments/{id}",
    ];
    for route in routes().iter().filter(|route| route.path().contains('{')) {
        let is_known = beginnings.iter().any(|beginning| route.path().starts_with(beginning));
        assert!(is_known, "say what {} names, and who tries it from another tenant", route.path());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_ticket_is_not_there() {
    let ground = Ground::lay().await;
    let other = ground.web.tenant("OTHER").await.somebody();
    for route in of_tickets() {
        let status = try_route(&ground.web, route, ground.ticket, Some(&other)).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{route:?}");
    }
    let (_, list) = ground.web.get("/api/v1/tickets", &other).await;
    assert_eq!(list, json!({"items": []}));
    let (_, page) = ground.web.page("/tickets", &other).await;
    assert!(!page.contains(&ground.ticket.to_string()));
    ground.is_untouched().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_at_a_site_out_of_scope_is_not_there() {
    let ground = Ground::lay().await;
    let annex = ground.web.db.site(ground.tenant.client, "ANNEX").await;
    let elsewhere = ground.tenant.at(&[annex]);
    for route in of_tickets() {
        let status = try_route(&ground.web, route, ground.ticket, Some(&elsewhere)).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{route:?}");
    }
    let (_, list) = ground.web.get("/api/v1/tickets", &elsewhere).await;
    assert_eq!(list, json!({"items": []}));
    let (_, sites) = ground.web.get("/api/v1/sites", &elsewhere).await;
    assert_eq!(sites["items"].as_array().unwrap().len(), 1);
    ground.is_untouched().await;
}
