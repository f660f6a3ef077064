//! The form that raises a ticket.

use api::person::PersonChoice;
use api::site::SiteChoice;
use askama::Template;
use domain::TicketId;
use domain::ticket::TicketPriority;
use serde::Deserialize;

use crate::view::{Mistakes, Shell};
use crate::words::Worded;

/// The page `/tickets/new`; `as_form` is what a refused form is swapped for.
#[derive(Template)]
#[template(path = "tickets/new.html", blocks = ["form"])]
pub(crate) struct NewTicketPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// What was typed.
    pub(crate) form: TicketForm,
    /// What is wrong with it.
    pub(crate) mistakes: Mistakes,
    /// Where a ticket can be.
    pub(crate) sites: Vec<SiteChoice>,
    /// People the typed assignee may mean, when several do.
    pub(crate) candidates: Vec<PersonChoice>,
}

impl NewTicketPage {
    /// The entry of the navigation this page belongs to.
    const SECTION: &'static str = "/tickets";
}

/// The fields as a browser sends them; kept as typed, so that a refused form loses nothing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TicketForm {
    /// Becomes the ticket's id, so that sending twice raises one ticket.
    pub(crate) key: TicketId,
    #[serde(default)]
    pub(crate) title: String,
    #[serde(default)]
    pub(crate) site_id: String,
    #[serde(default)]
    pub(crate) priority: String,
    /// The typed name or code.
    #[serde(default)]
    pub(crate) assignee: String,
    /// The chosen person, believed only while `assignee_for` is what stands in `assignee`.
    #[serde(default)]
    pub(crate) assignee_id: String,
    #[serde(default)]
    pub(crate) assignee_for: String,
    #[serde(default)]
    pub(crate) description: String,
    /// Checked by the gateway.
    #[serde(default, rename = "csrf_token")]
    _csrf_token: String,
}

impl TicketForm {
    /// An empty form with a new key.
    pub(crate) fn blank() -> Self {
        Self {
            key: TicketId::generate(),
            title: String::new(),
            site_id: String::new(),
            priority: TicketPriority::Medium.to_string(),
            assignee: String::new(),
            assignee_id: String::new(),
            assignee_for: String::new(),
            description: String::new(),
            _csrf_token: String::new(),
        }
    }
}
