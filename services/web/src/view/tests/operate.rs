//! The operators' pages with made-up tasks, hostile where a handler or a person could write.

use api::task::{
    Task, TaskAction, TaskAttempt, TaskCount, TaskDeadLetter, TaskLink, TaskOverview, TaskProgress,
    TaskQuery, TaskQueue, TaskRow, TaskSchedule, TaskTenant, TaskWorker, UnknownTaskKind,
};
use app::queue::Choices;
use askama::Template;
use domain::{ClientId, CorrelationId, FieldError, TaskId};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{HOSTILE, at, shell};
use crate::view::Mistakes;
use crate::view::operate::{
    AuditPage, ConfirmPage, DeadLettersPage, OverviewPage, Pager, Question, SchedulesPage, Shown, TaskFilter,
    TaskListPage, TaskPage,
};

fn now() -> Timestamp {
    at("2026-11-24T09:12:00Z")
}

fn ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

fn queue(name: &str, ready: i64, running: i64) -> TaskQueue {
    let count = |number| TaskCount { number, at_least: number >= 10_000 };
    TaskQueue {
        name: name.to_owned(),
        paused: name == "email",
        ready: count(ready),
        delayed: count(running * 3),
        waiting: count(0),
        running: count(running),
        oldest_age_seconds: if ready > 0 { 754.2 } else { 0.0 },
        dead_letters: count(i64::from(name == "email") * 2),
        running_max: (name == "reports").then_some(2),
        rate_max: (name == "email").then_some(100),
        rate_period_seconds: 60.0,
        tenant_running_max: (name == "reports").then_some(1),
        tenant_rate_max: None,
    }
}

fn overview() -> TaskOverview {
    let worker = |name: &str, silent_seconds: f64| TaskWorker {
        name: name.to_owned(),
        draining: name.ends_with('3'),
        queues: ["high_priority", "default", "email", "reports"].map(str::to_owned).to_vec(),
        running: 12,
        buffered: 0,
        started_at: ago(7_500),
        heartbeat_at: ago(2),
        silent_seconds,
    };
    TaskOverview {
        queues: vec![
            queue("default", 10_000, 16),
            queue("email", 1_204, 0),
            queue("high_priority", 0, 0),
            queue("maintenance", 0, 1),
            queue("mqtt", 3, 4),
            queue("reports", 2, 2),
        ],
        workers: vec![worker("worker-a:1", 1.2), worker("worker-b:2", 412.0), worker("worker-c:3", 0.3)],
        unknown_kinds: vec![UnknownTaskKind { kind: HOSTILE.to_owned(), tasks: 3 }],
    }
}

fn tenant() -> TaskTenant {
    TaskTenant {
        id: ClientId::generate(),
        code: Some("NORTHWIND".to_owned()),
        name: Some("Northwind Facilities".to_owned()),
    }
}

fn row(kind: &str, state: &str) -> TaskRow {
    let ended = ["SUCCEEDED", "BURIED", "CANCELLED"].contains(&state);
    TaskRow {
        id: TaskId::generate(),
        kind: kind.to_owned(),
        queue: "email".to_owned(),
        state: state.to_owned(),
        tenant: (kind != "partition.ensure").then(tenant),
        attempts: 2,
        attempts_max: Some(12),
        created_at: ago(400),
        run_at: if state == "DELAYED" { ago(-192) } else { ago(398) },
        started_at: ended.then(|| ago(20)),
        finished_at: ended.then(|| ago(16)),
        cancelled_at: (kind == "report.build").then(|| ago(3)),
        progress: (state == "RUNNING").then(|| TaskProgress {
            done: 340,
            total: 1_200,
            note: HOSTILE.to_owned(),
        }),
    }
}

fn choices() -> Choices {
    Choices {
        queues: ["default", "email"].map(str::to_owned).to_vec(),
        kinds: ["mail.send", "ticket.mail"].map(str::to_owned).to_vec(),
    }
}

fn pager() -> Pager {
    Pager { next: Some("/operate/tasks/live?after=abc".to_owned()), first: None, focus: false }
}

fn list(shown: Shown, rows: Vec<TaskRow>) -> TaskListPage {
    let filter = TaskFilter::of(shown, &TaskQuery::default(), choices());
    TaskListPage {
        shell: shell(),
        shown,
        filter,
        rows,
        pager: pager(),
        mistakes: Mistakes::default(),
        now: now(),
    }
}

fn live() -> Vec<TaskRow> {
    vec![
        row("mail.send", "READY"),
        row("ticket.mail", "RUNNING"),
        row("report.build", "RUNNING"),
        row("mqtt.publish", "DELAYED"),
        row("partition.ensure", "WAITING"),
        row(HOSTILE, "LOST"),
    ]
}

fn ended() -> Vec<TaskRow> {
    vec![
        row("mail.send", "SUCCEEDED"),
        row("ticket.mail", "BURIED"),
        row("partition.ensure", "CANCELLED"),
        row(HOSTILE, "SUCCEEDED"),
    ]
}

fn letter(kind: &str, reason: &str) -> TaskDeadLetter {
    TaskDeadLetter {
        id: TaskId::generate(),
        kind: kind.to_owned(),
        queue: "email".to_owned(),
        reason: reason.to_owned(),
        error: Some(format!("the relay refused the message: 550 5.1.1 no such user: {HOSTILE}")),
        attempts: 12,
        tenant: Some(tenant()),
        created_at: ago(90_000),
        buried_at: ago(120),
    }
}

fn dead_letters(rows: Vec<TaskDeadLetter>, query: &TaskQuery) -> DeadLettersPage {
    DeadLettersPage {
        shell: shell(),
        filter: TaskFilter::of(Shown::DeadLetters, query, choices()),
        rows,
        pager: Pager::default(),
        mistakes: Mistakes::default(),
        now: now(),
    }
}

fn action(action: &str) -> TaskAction {
    let on_queue = action == "PAUSED";
    TaskAction {
        at: ago(60),
        actor: format!("person:{} Asha {HOSTILE}", domain::PersonId::generate()),
        action: action.to_owned(),
        task_id: (!on_queue).then(TaskId::generate),
        queue: Some("email".to_owned()),
        detail: json!({ "reason": HOSTILE, "running_max": null }),
    }
}

/// A task that failed twice and was given up.
pub(super) fn task() -> Task {
    let attempt = |number: i32, outcome: &str| TaskAttempt {
        number,
        worker: Some("worker-a:1".to_owned()),
        started_at: (outcome != "CRASHED").then(|| ago(500 - i64::from(number) * 100)),
        finished_at: Some(ago(496 - i64::from(number) * 100)),
        outcome: outcome.to_owned(),
        error: Some(format!("the relay did not answer: connection refused: {HOSTILE}")),
    };
    let link = |kind: Option<&str>| TaskLink {
        id: TaskId::generate(),
        kind: kind.map(str::to_owned),
        state: kind.map(|_| "SUCCEEDED".to_owned()),
    };
    let row = row("ticket.mail", "BURIED");
    Task {
        dead_letter: Some(TaskDeadLetter { id: row.id, ..letter("ticket.mail", "EXHAUSTED") }),
        row,
        crashes: 1,
        priority: 0,
        args: json!({ "ticket_id": "0198c0de-0000-7000-8000-000000000001", "to": [HOSTILE], "version": 3 }),
        result: Some(json!({ "sent": 2 })),
        unique_key: Some("ticket:0198c0de".to_owned()),
        correlation_id: Some(CorrelationId::generate()),
        created_by: Some("web".to_owned()),
        tries: vec![attempt(1, "FAILED"), attempt(2, "CRASHED"), attempt(3, "TIMED_OUT")],
        parents: vec![link(Some("report.build")), link(None)],
        children: vec![link(Some("report.record"))],
        actions: vec![action("RETRIED"), action("UNHEARD_OF")],
    }
}

/// A task that runs.
pub(super) fn running() -> Task {
    Task { row: row("ticket.mail", "RUNNING"), dead_letter: None, result: None, ..task() }
}

fn schedules() -> SchedulesPage {
    let schedule = |name: &str, paused| TaskSchedule {
        name: name.to_owned(),
        cron: "*/5 * * * *".to_owned(),
        time_zone: "UTC".to_owned(),
        kind: "ticket.escalate".to_owned(),
        queue: "default".to_owned(),
        paused,
        catch_up: "LATEST".to_owned(),
        last_tick: ago(140),
        next_tick: (name != HOSTILE).then(|| ago(-160)),
    };
    let rows =
        vec![schedule("ticket.escalate", false), schedule("session.cleanup", true), schedule(HOSTILE, false)];
    SchedulesPage { shell: shell(), rows, now: now(), done: Some(HOSTILE.to_owned()), refused: None }
}

/// Name and HTML of every view of operators, and of every region that is swapped alone.
pub(super) fn every_view() -> Vec<(&'static str, String)> {
    let overview_page = || OverviewPage { shell: shell(), overview: overview(), now: now(), done: None };
    let nothing = TaskOverview { queues: Vec::new(), workers: Vec::new(), unknown_kinds: Vec::new() };
    let only = TaskQuery { tenant: Some(HOSTILE.to_owned()), ..TaskQuery::default() };
    let narrowed = TaskListPage {
        filter: TaskFilter::of(Shown::Live, &only, choices()),
        ..list(Shown::Live, Vec::new())
    };
    let mistaken = TaskListPage {
        mistakes: Mistakes::of_fields(&[FieldError::new("/state", "choose one")]),
        ..list(Shown::Live, Vec::new())
    };
    let refused = TaskPage { notice: Some(HOSTILE.to_owned()), ..TaskPage::plain(shell(), running(), now()) };
    let asked = |question| ConfirmPage { shell: shell(), task: task(), question };
    let letters =
        vec![letter("ticket.mail", "EXHAUSTED"), letter(HOSTILE, "PERMANENT"), letter("a", "CRASHED")];
    let audit = |rows| AuditPage { shell: shell(), rows, pager: pager(), mistakes: Mistakes::default() };
    let actions = ["PAUSED", "CANCELLED", "DISCARDED", "SCHEDULE_TICKED", "UNHEARD_OF"].map(action).to_vec();
    vec![
        ("operate-overview", overview_page().render().unwrap()),
        ("operate-overview-region", overview_page().as_overview().render().unwrap()),
        ("operate-overview-empty", OverviewPage { overview: nothing, ..overview_page() }.render().unwrap()),
        ("operate-live", list(Shown::Live, live()).render().unwrap()),
        ("operate-live-region", list(Shown::Live, live()).as_list().render().unwrap()),
        ("operate-live-empty", list(Shown::Live, Vec::new()).render().unwrap()),
        ("operate-live-narrowed", narrowed.render().unwrap()),
        ("operate-live-mistaken", mistaken.render().unwrap()),
        ("operate-history", list(Shown::History, ended()).render().unwrap()),
        ("operate-history-empty", list(Shown::History, Vec::new()).render().unwrap()),
        ("operate-dead-letters", dead_letters(letters, &TaskQuery::default()).render().unwrap()),
        ("operate-dead-letters-empty", dead_letters(Vec::new(), &TaskQuery::default()).render().unwrap()),
        ("operate-schedules", schedules().render().unwrap()),
        ("operate-schedules-region", schedules().as_list().render().unwrap()),
        ("operate-audit", audit(actions).render().unwrap()),
        ("operate-audit-empty", audit(Vec::new()).render().unwrap()),
        ("operate-task", TaskPage::plain(shell(), task(), now()).render().unwrap()),
        ("operate-task-running", TaskPage::plain(shell(), running(), now()).render().unwrap()),
        ("operate-task-refused", refused.as_task().render().unwrap()),
        ("operate-cancel", asked(Question::Cancel).render().unwrap()),
        ("operate-discard", asked(Question::Discard).render().unwrap()),
    ]
}

#[test]
fn a_dead_letter_is_retried_by_a_button_and_discarded_through_a_question() {
    let task = task();
    let (id, html) = (task.row.id, TaskPage::plain(shell(), task, now()).render().unwrap());
    assert!(html.contains(&format!("action=\"/operate/tasks/dead-letters/{id}/retry\"")));
    assert!(html.contains(&format!("href=\"/operate/tasks/dead-letters/{id}/discard\"")));
    assert!(!html.contains(&format!("action=\"/operate/tasks/dead-letters/{id}/discard\"")));
    assert!(!html.contains("Cancel task") && html.contains("data-final"));
}

#[test]
fn a_task_that_was_told_to_stop_is_not_told_again() {
    let mut task = running();
    let html = TaskPage::plain(shell(), task.clone(), now()).render().unwrap();
    assert!(html.contains("Cancel task") && html.contains("Running") && html.contains("<yt-refresh"));
    task.row.cancelled_at = Some(ago(1));
    let html = TaskPage::plain(shell(), task, now()).render().unwrap();
    assert!(!html.contains("Cancel task") && html.contains("Stopping"));
}

#[test]
fn states_are_told_in_words() {
    let html = list(Shown::Live, live()).render().unwrap();
    for word in ["Ready", "Running", "Stopping", "Delayed", "Waits for others", "LOST", "in 3 min 12 s"] {
        assert!(html.contains(word), "{word}");
    }
    let html =
        OverviewPage { shell: shell(), overview: overview(), now: now(), done: None }.render().unwrap();
    for word in [
        "10,000+",
        "12 min 34 s",
        "Paused",
        "Active",
        "Silent",
        "Draining",
        "At most 100 per minute",
        "At most 2 at once, 1 at once per tenant",
    ] {
        assert!(html.contains(word), "{word}");
    }
}
