//! The operators' pages: what they show of the queue, and what their buttons do.

use api::Identity;
use domain::{Capability, TaskId};
use reqwest::{Method, StatusCode};

use crate::harness::{Tenant, Web, location, text, urlencoded};

const CSRF: [(&str, &str); 1] = [("csrf_token", "dG9rZW4")];

/// An operator who sees no ticket.
pub(crate) fn operator(tenant: &Tenant) -> Identity {
    tenant.with(&[Capability::Web, Capability::Operate])
}

/// Runs statements as the superuser.
pub(crate) async fn run(web: &Web, sql: &str) {
    web.db.admin().await.batch_execute(sql).await.unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
}

/// A live task of a kind in queue `email`.
pub(crate) async fn live(web: &Web, state: &str, more: &str) -> TaskId {
    let id = TaskId::generate();
    let columns = "id, queue, kind, state, run_at, args";
    let at = if state == "DELAYED" { "now() + interval '1 day'" } else { "now()" };
    let values = format!("'{id}', 'email', 'ticket.mail', '{state}', {at}, '{{\"ticket\": 7}}'");
    run(web, &format!("insert into task ({columns}) values ({values})")).await;
    if !more.is_empty() {
        run(web, &format!("update task set {more} where id = '{id}'")).await;
    }
    id
}

/// A task that was given up after three attempts, with its history.
pub(crate) async fn dead_letter(web: &Web, tenant: &Tenant, error: &str) -> TaskId {
    let id = TaskId::generate();
    let client = tenant.client;
    run(
        web,
        &format!(
            "insert into task_dead_letter (id, tenant, created_at, buried_at, attempts, crashes, priority, queue, kind,
                                           reason, error, unique_key, args)
             values ('{id}', '{client}', now() - interval '1 hour', now(), 3, 0, 0, 'email', 'ticket.mail', 'EXHAUSTED',
                     $${error}$$, 'ticket:7', '{{\"ticket\": 7}}');
             insert into task_history (id, tenant, created_at, run_at, started_at, finished_at, attempts, queue, kind,
                                       outcome, last_outcome, error, args)
             values ('{id}', '{client}', now() - interval '1 hour', now() - interval '1 hour',
                     now() - interval '4250 milliseconds', now(), 3, 'email', 'ticket.mail', 'BURIED', 'FAILED',
                     $${error}$$, '{{\"ticket\": 7}}');
             insert into task_attempt (task_id, worker_id, started_at, finished_at, attempt, outcome, error)
             values ('{id}', gen_random_uuid(), now() - interval '30 minutes',
                     now() - interval '29 minutes', 1, 'TIMED_OUT', 'the relay was slow'),
                    ('{id}', gen_random_uuid(), null, now() - interval '20 minutes', 2, 'CRASHED', null)"
        ),
    )
    .await;
    id
}

/// Actor and action of everything that was done by hand, the first first.
async fn actions(web: &Web) -> Vec<(String, String)> {
    let sql = "select actor, action from task_action order by at, id";
    let rows = web.db.admin().await.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// What the audit trail of a client says of the queue, the first first.
async fn trail(web: &Web, tenant: &Tenant) -> Vec<String> {
    let sql = format!(
        "select action || ' ' || subject_kind || ' ' || coalesce(subject_id::text, detail::text)
           from audit_event
          where client_id = '{}' and person_id = '{}'
          order by at, id",
        tenant.client, tenant.person
    );
    let rows = web.db.admin().await.query(&sql, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// How the queue names the operator of a tenant.
fn signature(tenant: &Tenant) -> String {
    format!("person:{} Asha Patil", tenant.person)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_begins_at_the_queue_and_nobody_else_sees_it_in_the_navigation() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let request = web.ask(Method::GET, "/", Some(&operator(&tenant)));
    assert_eq!(location(&request.send().await.unwrap()), "/operate/tasks");
    let (status, page) = web.page("/operate/tasks", &operator(&tenant)).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("aria-current=\"page\"") && !page.contains("href=\"/tickets\""));
    let helpdesk = tenant.with(&[Capability::Web, Capability::TicketsRead]);
    let (_, tickets) = web.page("/tickets", &helpdesk).await;
    assert!(!tickets.contains("/operate/tasks"));
    let request = web.ask(Method::GET, "/", Some(&helpdesk));
    assert_eq!(location(&request.send().await.unwrap()), "/tickets");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_counts_by_state_and_shows_limits_and_workers() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    live(&web, "READY", "run_at = now() - interval '192 seconds'").await;
    live(&web, "DELAYED", "").await;
    dead_letter(&web, &tenant, "no").await;
    run(
        &web,
        "update task_queue set running_max = 4, rate_max = 100 where name = 'email';
         insert into task_worker (id, name, state, queues, running, buffered, heartbeat_at)
         values (gen_random_uuid(), 'worker-a', 'WORKING', '{email}', 3, 0, now()),
                (gen_random_uuid(), 'worker-b', 'WORKING', '{email}', 0, 0, now() - interval '10 minutes')",
    )
    .await;
    let (status, page) = web.page("/operate/tasks", &operator(&tenant)).await;
    assert_eq!(status, StatusCode::OK);
    let row = page.split("id=\"queue-email\"").nth(1).unwrap().split("</tr>").next().unwrap();
    assert!(row.contains("At most 4 at once, 100 per minute"), "{row}");
    assert!(row.contains("3 min 12 s") || row.contains("3 min 13 s"), "{row}");
    assert!(row.contains("/operate/tasks/dead-letters?queue=email\">1</a>"), "{row}");
    assert!(page.contains("worker-a") && page.contains("Working") && page.contains("Silent"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_is_paused_and_goes_on_and_both_trails_name_the_person() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let who = operator(&tenant);
    for (verb, paused) in [("pause", 1), ("pause", 1), ("resume", 0)] {
        let path = format!("/operate/tasks/queues/email/{verb}");
        let response = web.submit(&path, &who, &CSRF).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(location(&response), "/operate/tasks");
        assert_eq!(web.count("select count(*) from task_queue where paused").await, paused);
    }
    let who = signature(&tenant);
    assert_eq!(actions(&web).await, [(who.clone(), "PAUSED".to_owned()), (who, "RESUMED".to_owned())]);
    let said =
        ["queue_paused task_queue {\"queue\": \"email\"}", "queue_resumed task_queue {\"queue\": \"email\"}"];
    assert_eq!(trail(&web, &tenant).await, said);
}

#[tokio::test(flavor = "multi_thread")]
async fn htmx_gets_the_region_and_what_to_say_and_a_refresh_says_nothing() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let who = operator(&tenant);
    let ask = |method, path: &str| {
        web.ask(method, path, Some(&who)).header("hx-request", "true").header("hx-request-type", "partial")
    };
    let paused = urlencoded(ask(Method::POST, "/operate/tasks/queues/mqtt/pause"), &CSRF);
    let (status, region) = text(paused.send().await.unwrap()).await;
    assert_eq!(status, StatusCode::OK);
    assert!(region.trim_start().starts_with("<div class=\"stack\" id=\"overview\""), "{region}");
    assert!(region.contains("data-announce=\"Queue mqtt is paused.\""));
    let (_, refreshed) = text(ask(Method::GET, "/operate/tasks").send().await.unwrap()).await;
    assert!(refreshed.contains("Paused") && !refreshed.contains("data-announce"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_queue_task_or_schedule_is_not_found() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let who = operator(&tenant);
    let id = TaskId::generate();
    for path in [
        "/operate/tasks/queues/nothing/pause".to_owned(),
        format!("/operate/tasks/{id}/cancel"),
        format!("/operate/tasks/{id}/retry"),
        format!("/operate/tasks/dead-letters/{id}/retry"),
        format!("/operate/tasks/dead-letters/{id}/discard"),
    ] {
        assert_eq!(web.submit(&path, &who, &CSRF).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let named = [("name", "nothing")];
    for verb in ["pause", "resume", "run"] {
        let response = web.submit(&format!("/operate/tasks/schedules/{verb}"), &who, &named).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{verb}");
    }
    assert_eq!(actions(&web).await, []);
    assert_eq!(trail(&web, &tenant).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_of_every_tenant_are_listed_with_its_code_and_can_be_narrowed() {
    let web = Web::start().await;
    let (acme, other) = (web.tenant("ACME").await, web.tenant("OTHER").await);
    live(&web, "READY", &format!("tenant = '{}'", acme.client)).await;
    let theirs = live(&web, "READY", &format!("tenant = '{}'", other.client)).await;
    live(&web, "DELAYED", "queue = 'reports', kind = 'report.build'").await;
    let (status, page) = web.page("/operate/tasks/live", &operator(&acme)).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains(">ACME<") && page.contains(">OTHER<") && page.contains("3 tasks shown"), "{page}");
    let query = format!("?queue=email&state=READY&tenant={}", other.client);
    let (_, page) = web.page(&format!("/operate/tasks/live{query}"), &operator(&acme)).await;
    assert!(page.contains("1 task shown") && page.contains(&format!("/operate/tasks/{theirs}")));
    assert!(page.contains("Show all tenants") && page.contains("<option value=\"READY\" selected>"));
    let (_, page) = web.page("/operate/tasks/live?queue=nothing", &operator(&acme)).await;
    assert!(page.contains("Nothing matches these filters"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_is_no_operator_in_the_database_gets_no_names_of_tenants() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    live(&web, "READY", &format!("tenant = '{}'", tenant.client)).await;
    run(&web, "delete from person_capability where capability = 'OPERATE'").await;
    let (_, page) = web.page("/operate/tasks/live", &operator(&tenant)).await;
    assert!(!page.contains(">ACME<") && page.contains(&tenant.client.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_tasks_name_every_filter_that_means_nothing() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    for (path, mistakes) in [
        ("/operate/tasks/live?state=LOST&tenant=x&after=!&limit=0", "4 things to correct"),
        ("/operate/tasks/history?state=READY", "One thing to correct"),
        ("/operate/tasks/dead-letters?state=READY", "One thing to correct"),
        ("/operate/tasks/audit?after=!", "One thing to correct"),
    ] {
        let (status, page) = web.page(path, &operator(&tenant)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
        assert!(page.contains(mistakes), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_shows_arguments_attempts_errors_and_tenant_as_text() {
    let web = Web::start().await;
    let (acme, other) = (web.tenant("ACME").await, web.tenant("OTHER").await);
    let id = dead_letter(&web, &other, "refused: <script>alert(1)</script>").await;
    let (status, page) = web.page(&format!("/operate/tasks/{id}"), &operator(&acme)).await;
    assert_eq!(status, StatusCode::OK);
    for words in [
        "ticket.mail",
        "No attempts left",
        "&#60;script&#62;alert(1)&#60;/script&#62;",
        "OTHER Ltd",
        "&#34;ticket&#34;: 7",
        "Attempt 1",
        "Timed out",
        "the relay was slow",
        "took 1 min",
        "Worker died",
        "Attempt 3",
        "took 4.2 s",
        "ticket:7",
    ] {
        assert!(page.contains(words), "{words}\n{page}");
    }
    assert!(!page.contains("<script>alert"));
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_is_asked_first_and_happens_once() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let (id, who) = (live(&web, "DELAYED", "").await, operator(&tenant));
    let path = format!("/operate/tasks/{id}/cancel");
    let (status, asked) = web.page(&path, &who).await;
    assert_eq!(status, StatusCode::OK);
    assert!(asked.contains("This cannot be undone.") && asked.contains(&format!("action=\"{path}\"")));
    assert_eq!(web.count("select count(*) from task").await, 1);
    let response = web.submit(&path, &who, &CSRF).await;
    assert_eq!(location(&response), format!("/operate/tasks/{id}"));
    assert_eq!(web.count("select count(*) from task").await, 0);
    let (status, page) = web.page(&format!("/operate/tasks/{id}"), &who).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("Cancelled") && page.contains("Asha Patil") && page.contains("cancelled the task"));
    let (status, page) = text(web.submit(&path, &who, &CSRF).await).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(page.contains("id=\"notice\" role=\"alert\""));
    assert_eq!(web.page(&path, &who).await.0, StatusCode::CONFLICT, "the question is idle");
    assert_eq!(actions(&web).await, [(signature(&tenant), "CANCELLED".to_owned())]);
    assert_eq!(trail(&web, &tenant).await, [format!("task_cancelled task {id}")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_task_is_told_to_stop() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let more = "state = 'RUNNING', worker_id = gen_random_uuid(), lease_until = now() + interval '1 minute', attempt = 1";
    let (id, who) = (live(&web, "READY", more).await, operator(&tenant));
    let response = web.submit(&format!("/operate/tasks/{id}/cancel"), &who, &CSRF).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(web.count("select count(*) from task where cancelled_at is not null").await, 1);
    let (_, page) = web.page(&format!("/operate/tasks/{id}"), &who).await;
    assert!(page.contains("Stopping") && !page.contains("Cancel task"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delayed_task_is_made_ready_and_a_ready_one_stays_as_it_is() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let (id, who) = (live(&web, "DELAYED", "").await, operator(&tenant));
    let path = format!("/operate/tasks/{id}/retry");
    assert_eq!(web.submit(&path, &who, &CSRF).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(web.count("select count(*) from task where state = 'READY'").await, 1);
    let (status, page) = text(web.submit(&path, &who, &CSRF).await).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(page.contains("does not stand where it stood"));
    assert_eq!(trail(&web, &tenant).await, [format!("task_run_now task {id}")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_retried_unless_a_live_task_holds_its_key() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let (id, who) = (dead_letter(&web, &tenant, "no").await, operator(&tenant));
    let holder = live(&web, "READY", "unique_key = 'ticket:7'").await;
    let path = format!("/operate/tasks/dead-letters/{id}/retry");
    let (status, page) = text(web.submit(&path, &who, &CSRF).await).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(page.contains("A live task holds the unique key."), "{page}");
    assert_eq!(web.count("select count(*) from task_dead_letter").await, 1);
    assert_eq!(actions(&web).await, []);
    assert_eq!(trail(&web, &tenant).await, Vec::<String>::new());
    run(&web, &format!("delete from task where id = '{holder}'")).await;
    let response = web.submit(&path, &who, &CSRF).await;
    assert_eq!(location(&response), format!("/operate/tasks/{id}"));
    assert_eq!(web.count("select count(*) from task where state = 'READY' and attempt = 0").await, 1);
    assert_eq!(web.count("select count(*) from task_dead_letter").await, 0);
    assert_eq!(trail(&web, &tenant).await, [format!("task_retried task {id}")]);
    assert_eq!(web.submit(&path, &who, &CSRF).await.status(), StatusCode::CONFLICT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_discarded_after_a_question_and_its_history_stays() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let (id, who) = (dead_letter(&web, &tenant, "no").await, operator(&tenant));
    let path = format!("/operate/tasks/dead-letters/{id}/discard");
    let (status, asked) = web.page(&path, &who).await;
    assert_eq!(status, StatusCode::OK);
    assert!(asked.contains("Discard ticket.mail?"));
    assert_eq!(web.count("select count(*) from task_dead_letter").await, 1);
    let response = web.submit(&path, &who, &CSRF).await;
    assert_eq!(location(&response), "/operate/tasks/dead-letters");
    let (_, list) = web.page("/operate/tasks/dead-letters", &who).await;
    assert!(list.contains("No dead letters"));
    let (status, page) = web.page(&format!("/operate/tasks/{id}"), &who).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("discarded the task") && !page.contains("Retry"));
    assert_eq!(trail(&web, &tenant).await, [format!("task_discarded task {id}")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_is_paused_resumed_and_run_once_at_a_time() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let who = operator(&tenant);
    run(
        &web,
        "insert into task_schedule (name, cron, time_zone, kind, queue, next_tick)
         values ('nightly', '20 2 * * *', 'Asia/Kolkata', 'ticket.escalate', 'default', now() + interval '1 hour')",
    )
    .await;
    let named = [("name", "nightly"), ("csrf_token", "dG9rZW4")];
    let (_, page) = web.page("/operate/tasks/schedules", &who).await;
    assert!(
        page.contains("20 2 * * *") && page.contains("Asia/Kolkata") && page.contains("in 59 min"),
        "{page}"
    );
    web.submit("/operate/tasks/schedules/pause", &who, &named).await;
    let (_, page) = web.page("/operate/tasks/schedules", &who).await;
    assert!(page.contains("when resumed") && page.contains("Paused"));
    web.submit("/operate/tasks/schedules/resume", &who, &named).await;
    let response = web.submit("/operate/tasks/schedules/run", &who, &named).await;
    assert_eq!(location(&response), "/operate/tasks/schedules");
    assert_eq!(web.count("select count(*) from task where kind = 'ticket.escalate'").await, 1);
    let (status, page) = text(web.submit("/operate/tasks/schedules/run", &who, &named).await).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(page.contains("id=\"notice\" role=\"alert\"") && page.contains("nightly"));
    let detail = "task_schedule {\"schedule\": \"nightly\"}";
    let said =
        ["schedule_paused", "schedule_resumed", "schedule_ticked"].map(|what| format!("{what} {detail}"));
    assert_eq!(trail(&web, &tenant).await, said);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_who_did_what_is_read_page_by_page_the_latest_first() {
    let web = Web::start().await;
    let tenant = web.tenant("ACME").await;
    let who = operator(&tenant);
    for verb in ["pause", "resume", "pause"] {
        web.submit(&format!("/operate/tasks/queues/email/{verb}"), &who, &CSRF).await;
    }
    let (mut seen, mut path) = (Vec::new(), "/operate/tasks/audit?limit=1".to_owned());
    loop {
        let (status, page) = web.page(&path, &who).await;
        assert_eq!(status, StatusCode::OK);
        seen.push(if page.contains("paused the queue") { "paused" } else { "resumed" });
        assert!(page.contains("Asha Patil"));
        let next = page.split("rel=\"next\" href=\"").nth(1).and_then(|rest| rest.split('"').next());
        match next {
            Some(next) => path = next.replace("&#38;", "&"),
            None => break,
        }
    }
    assert_eq!(seen, ["paused", "resumed", "paused"]);
}
