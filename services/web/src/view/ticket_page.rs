//! One ticket: facts, moves, history, comment form; and the page that asks before it is cancelled.

use api::ticket::Ticket;
use askama::Template;
use domain::TicketEventId;

use crate::view::{Mistakes, Shell, TicketFiles};
use crate::words::{Step, Worded};

/// The page `/tickets/{id}`; `as_ticket` is the region htmx swaps.
#[derive(Template)]
#[template(path = "tickets/show.html", blocks = ["ticket"])]
pub(crate) struct TicketPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The ticket.
    pub(crate) ticket: Ticket,
    /// Whether the history stops before its latest entry.
    pub(crate) is_past: bool,
    /// Whether the heading takes the focus: the button that moved the ticket is gone.
    pub(crate) moved: bool,
    /// The files at it.
    pub(crate) files: TicketFiles,
    /// Why the last file was not taken.
    pub(crate) file_mistake: Option<String>,
    /// What happened to the last request, when it was refused.
    pub(crate) notice: Option<String>,
    /// Becomes the id of the comment that is typed here.
    pub(crate) key: TicketEventId,
    /// The comment typed before.
    pub(crate) comment: String,
    /// What is wrong with it.
    pub(crate) mistakes: Mistakes,
}

impl TicketPage {
    /// A ticket as it stands, with an empty comment form.
    pub(crate) fn plain(shell: Shell, ticket: Ticket) -> Self {
        let key = TicketEventId::generate();
        Self {
            shell,
            ticket,
            is_past: false,
            moved: false,
            files: TicketFiles::none(),
            file_mistake: None,
            notice: None,
            key,
            comment: String::new(),
            mistakes: Mistakes::default(),
        }
    }

    /// The entry of the navigation this page belongs to.
    const SECTION: &'static str = "/tickets";

    fn steps(&self) -> Vec<Step> {
        self.ticket.next_states.iter().map(|to| Step::between(self.ticket.state, *to)).collect()
    }
}

/// The page `/tickets/{id}/cancel`.
#[derive(Template)]
#[template(path = "tickets/cancel.html")]
pub(crate) struct CancelPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The ticket.
    pub(crate) ticket: Ticket,
}

impl CancelPage {
    /// The entry of the navigation this page belongs to.
    const SECTION: &'static str = "/tickets";
}
