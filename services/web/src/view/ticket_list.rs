//! The ticket list: filters, table, pager.

use api::site::SiteChoice;
use api::ticket::{TicketQuery, TicketRow};
use askama::Template;
use domain::ticket::{TicketPriority, TicketState};

use crate::view::select::{FilterChoice, choice, sizes};
use crate::view::{Mistakes, Shell};
use crate::words::Worded;

/// The page `/tickets`; `as_list` is the region htmx swaps.
#[derive(Template)]
#[template(path = "tickets/list.html", blocks = ["list"])]
pub(crate) struct TicketListPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// What the filters hold.
    pub(crate) filter: ListFilter,
    /// The rows.
    pub(crate) list: TicketList,
    /// What is wrong with the filters.
    pub(crate) mistakes: Mistakes,
}

impl TicketListPage {
    /// The entry of the navigation this page belongs to.
    const SECTION: &'static str = "/tickets";
}

/// One page of rows.
#[derive(Default)]
pub(crate) struct TicketList {
    /// The rows.
    pub(crate) rows: Vec<TicketRow>,
    /// The following page.
    pub(crate) next: Option<String>,
    /// The first page, when this is another.
    pub(crate) first: Option<String>,
    /// Whether a filter is set.
    pub(crate) filtered: bool,
    /// Whether the heading takes the focus: the link that was followed is gone.
    pub(crate) focus: bool,
}

impl TicketList {
    /// What is shown, as a sentence for readers who hear it.
    pub(crate) fn summary(&self) -> String {
        let more = if self.next.is_some() { ", and more follow" } else { "" };
        match self.rows.len() {
            0 => "No tickets shown".to_owned(),
            1 => format!("1 ticket shown{more}"),
            count => format!("{count} tickets shown{more}"),
        }
    }
}

/// The filters as the form shows them.
pub(crate) struct ListFilter {
    /// Words of the title.
    pub(crate) words: String,
    state: String,
    priority: String,
    site: String,
    limit: u16,
    sites: Vec<SiteChoice>,
}

impl ListFilter {
    /// What a query holds, beside the sites one can choose.
    pub(crate) fn of(query: &TicketQuery, sites: Vec<SiteChoice>) -> Self {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        Self {
            words: text(&query.q),
            state: text(&query.state),
            priority: text(&query.priority),
            site: text(&query.site),
            limit: query.limit.unwrap_or(app::ticket::PAGE_LIMIT_DEFAULT),
            sites,
        }
    }

    /// The selects.
    pub(crate) fn choices(&self) -> Vec<FilterChoice> {
        let states = TicketState::ALL.iter().map(|state| (state.to_string(), state.caption()));
        let priorities =
            TicketPriority::ALL.iter().rev().map(|priority| (priority.to_string(), priority.caption()));
        let sites = self.sites.iter().map(|site| (site.id.to_string(), site.label.clone()));
        vec![
            choice("state", "State", "Any state", states, &self.state),
            choice("priority", "Priority", "Any priority", priorities, &self.priority),
            choice("site", "Site", "All sites", sites, &self.site),
            sizes(self.limit),
        ]
    }
}
