//! Every view with made-up content, hostile where a person could type.

mod account;
mod contrast;
mod operate;

use std::collections::BTreeSet;

use api::person::PersonChoice;
use api::site::SiteChoice;
use api::ticket::{Ticket, TicketEvent, TicketQuery, TicketRow};
use askama::Template;
use domain::ticket::{TicketEventKind, TicketPriority, TicketSource, TicketState};
use domain::{Capability, CorrelationId, FieldError, PersonId, SiteId, TicketId};
use jiff::Timestamp;

use super::*;
use crate::problems;

const HOSTILE: &str = "<script>alert('x')</script>\" onclick=\"alert(1)";

fn shell() -> Shell {
    let visitor = Visitor {
        person_name: "Asha Patil".to_owned(),
        client_name: "Northwind Facilities".to_owned(),
        capabilities: Capability::ALL.iter().copied().collect(),
        demo: true,
        looks_into_another: false,
    };
    Shell::new("nonce-1".to_owned(), "token-1".to_owned(), Some(visitor), Zone::named("Asia/Kolkata"))
}

fn nobody() -> Shell {
    Shell::new("nonce-1".to_owned(), "token-1".to_owned(), None, Zone::UTC)
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn sites() -> Vec<SiteChoice> {
    ["Harbour House (HH-01)", "Riverside Campus (RC-02)"]
        .map(|label| SiteChoice { id: SiteId::generate(), label: label.to_owned() })
        .to_vec()
}

fn row(number: i64, title: &str, state: TicketState, priority: TicketPriority) -> TicketRow {
    TicketRow {
        id: TicketId::generate(),
        number,
        title: title.to_owned(),
        state,
        priority,
        site_name: "Riverside Campus".to_owned(),
        assignee_name: (number % 3 != 0).then(|| "Marek Nowak".to_owned()),
        created_at: at("2026-11-24T08:35:00Z"),
    }
}

fn rows() -> Vec<TicketRow> {
    let titles = [
        "Leak in the pump room, water reaches the corridor",
        "temperature of COLD-3 was 9.4, above its limit of 8",
        "Badge reader at the north gate does not open",
        "Lift 2 stops between floors and the alarm button stays dark until somebody presses it twice",
        "Light in stairwell B flickers",
        HOSTILE,
    ];
    titles
        .iter()
        .zip(TicketState::ALL.iter())
        .zip(TicketPriority::ALL.iter().cycle())
        .zip(1i64..)
        .map(|(((title, state), priority), index)| row(130 - index, title, *state, *priority))
        .collect()
}

fn list_page(rows: Vec<TicketRow>, words: Option<&str>) -> TicketListPage {
    let filtered = words.is_some();
    let query = TicketQuery { q: words.map(str::to_owned), ..TicketQuery::default() };
    let filter = ListFilter::of(&query, sites());
    let list = TicketList {
        rows,
        next: Some("/tickets?limit=25&after=abc".to_owned()),
        first: filtered.then(|| "/tickets?limit=25".to_owned()),
        filtered,
        focus: false,
    };
    TicketListPage { shell: shell(), filter, list, mistakes: Mistakes::default() }
}

fn event(kind: TicketEventKind, person: Option<&str>, detail: &str) -> TicketEvent {
    TicketEvent {
        kind,
        person_name: person.map(str::to_owned),
        detail: detail.to_owned(),
        at: at("2026-11-24T09:12:00Z"),
    }
}

fn ticket() -> Ticket {
    Ticket {
        id: TicketId::generate(),
        number: 129,
        site_id: SiteId::generate(),
        site_name: "Riverside Campus".to_owned(),
        title: "Leak in the pump room, water reaches the corridor".to_owned(),
        description: format!("Found on the evening round.\nThe valve behind pump 2 drips; {HOSTILE}"),
        state: TicketState::Open,
        next_states: TicketState::Open.next().to_vec(),
        priority: TicketPriority::High,
        source: TicketSource::Person,
        assignee_id: Some(PersonId::generate()),
        assignee_name: Some("Marek Nowak".to_owned()),
        group_name: Some("Technicians".to_owned()),
        correlation_id: CorrelationId::generate(),
        version: 3,
        created_at: at("2026-11-24T08:35:00Z"),
        updated_at: at("2026-11-24T09:12:00Z"),
        history: vec![
            event(
                TicketEventKind::Created,
                Some("Asha Patil"),
                "Raised with high priority at Riverside Campus",
            ),
            event(TicketEventKind::Assigned, Some("Asha Patil"), "Assigned to Marek Nowak"),
            event(TicketEventKind::Mailed, None, "Mail to Marek Nowak was accepted"),
            event(TicketEventKind::Moved, Some("Marek Nowak"), "From new to open"),
            event(TicketEventKind::Commented, Some("Marek Nowak"), HOSTILE),
        ],
        history_before: None,
    }
}

fn form_page() -> NewTicketPage {
    NewTicketPage {
        shell: shell(),
        form: TicketForm::blank(),
        mistakes: Mistakes::default(),
        sites: sites(),
        candidates: Vec::new(),
    }
}

fn refused_form_page() -> NewTicketPage {
    let mut form = TicketForm::blank();
    HOSTILE.clone_into(&mut form.title);
    HOSTILE.clone_into(&mut form.description);
    "asha".clone_into(&mut form.assignee);
    let mistakes = Mistakes::of_fields(&[
        FieldError::new("/title", "use one line of 1 to 200 characters"),
        FieldError::new("/site_id", "choose a site"),
        FieldError::new("/assignee", "several people match; choose one of them"),
    ]);
    let candidates = ["Asha Patil (asha)", "Asha Rao (asha2)"]
        .map(|label| PersonChoice { id: PersonId::generate(), label: label.to_owned() })
        .to_vec();
    NewTicketPage { form, mistakes, candidates, ..form_page() }
}

/// Name and HTML of every view, and of every region that is swapped alone.
fn every_view() -> Vec<(&'static str, String)> {
    let notice =
        "Somebody changed this ticket while you were reading. It is shown as it stands; decide again.";
    let refused = TicketPage {
        notice: Some(notice.to_owned()),
        comment: HOSTILE.to_owned(),
        mistakes: Mistakes::of_fields(&[FieldError::new("/text", "write 1 to 4,000 characters")]),
        ..TicketPage::plain(shell(), ticket())
    };
    let long = Ticket { history_before: Some(50), ..ticket() };
    let earlier = TicketPage { is_past: true, ..TicketPage::plain(shell(), long) };
    let hostile = Ticket { title: HOSTILE.to_owned(), ..ticket() };
    let problem = ProblemPage { shell: nobody(), section: problems::section("ticket-stale").unwrap() };
    let mut views = vec![
        ("list", list_page(rows(), None).render().unwrap()),
        ("list-region", list_page(rows(), Some(HOSTILE)).as_list().render().unwrap()),
        ("list-filtered-empty", list_page(Vec::new(), Some(HOSTILE)).render().unwrap()),
        ("list-empty", list_page(Vec::new(), None).render().unwrap()),
        ("new", form_page().render().unwrap()),
        ("new-refused", refused_form_page().render().unwrap()),
        ("new-region", refused_form_page().as_form().render().unwrap()),
        ("ticket", TicketPage::plain(shell(), ticket()).render().unwrap()),
        ("ticket-earlier", earlier.render().unwrap()),
        ("cancel", CancelPage { shell: shell(), ticket: hostile }.render().unwrap()),
        ("ticket-refused", refused.render().unwrap()),
        ("ticket-region", refused.as_ticket().render().unwrap()),
        ("problem", problem.render().unwrap()),
    ];
    views.extend(account::every_view());
    views.extend(operate::every_view());
    views
}

#[test]
fn nothing_typed_becomes_markup() {
    for (name, html) in every_view() {
        assert!(!html.contains("<script>"), "{name} lets a script through");
        assert!(!html.contains("\" onclick"), "{name} lets an attribute through");
    }
}

#[test]
fn no_view_holds_inline_script_style_or_handler() {
    for (name, html) in every_view() {
        for word in [
            " style=",
            "<style",
            "javascript:",
            "hx-on",
            "hx-vals=\"js:",
            " onload=",
            " onchange=",
            " onsubmit=",
        ] {
            assert!(!html.contains(word), "{name} holds `{word}`");
        }
        for script in html.split("<script").skip(1) {
            let tag = script.split('>').next().unwrap();
            assert!(tag.contains("src=\"/assets/") && tag.contains("nonce=\"nonce-1\""), "{name}: {tag}");
        }
    }
}

#[test]
fn every_form_that_changes_something_carries_the_csrf_token() {
    for (name, html) in every_view() {
        for form in html.split("<form").skip(1) {
            let form = form.split("</form>").next().unwrap();
            if form.contains("method=\"post\"") {
                assert!(
                    form.contains("name=\"csrf_token\" value=\"token-1\""),
                    "{name} has a form without token"
                );
            }
        }
    }
}

#[test]
fn every_element_htmx_works_on_carries_the_nonce() {
    for (name, html) in every_view() {
        for tag in html.split('<').filter_map(|rest| rest.split('>').next()) {
            if tag.contains(" hx-get=") || tag.contains(" hx-post=") {
                assert!(tag.contains("hx-nonce=\"nonce-1\""), "{name}: <{tag}>");
            }
        }
    }
}

#[test]
fn every_field_has_a_label_and_every_id_is_unique() {
    for (name, html) in every_view() {
        let ids: Vec<&str> = html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let distinct: BTreeSet<&&str> = ids.iter().collect();
        assert_eq!(ids.len(), distinct.len(), "{name} repeats an id: {ids:?}");
        for id in html.split(" for=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(ids.contains(&id), "{name} labels `{id}`, which is not there");
        }
    }
}

#[test]
fn a_refused_form_says_so_first_and_keeps_what_was_typed() {
    let html = refused_form_page().as_form().render().unwrap();
    assert!(html.contains("3 things to correct"));
    assert!(html.contains("href=\"#site_id\""));
    assert!(html.contains("aria-describedby=\"title-hint title-mistake\""));
    assert!(html.contains("value=\"asha\""));
    assert!(html.contains("Asha Rao (asha2)"));
}

#[test]
fn what_cannot_be_undone_is_a_link_to_a_question() {
    let ticket = ticket();
    let (id, html) = (ticket.id, TicketPage::plain(shell(), ticket).render().unwrap());
    assert!(
        html.contains(&format!(
            "<a class=\"button is-grave\" href=\"/tickets/{id}/cancel\">Cancel ticket</a>"
        ))
    );
    assert!(!html.contains("value=\"CANCELLED\""));
}

#[test]
fn demo_data_is_marked() {
    assert!(list_page(rows(), None).render().unwrap().contains("Demo data"));
}
