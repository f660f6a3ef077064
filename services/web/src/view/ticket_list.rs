//! The ticket list: filters, table, pager.

use api::site::SiteChoice;
use api::ticket::{TicketQuery, TicketRow};
use askama::Template;
use domain::ticket::{TicketPriority, TicketState};

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

/// One select of the filter form.
pub(crate) struct FilterChoice {
    /// Its name in the URL.
    pub(crate) name: &'static str,
    /// What it says.
    pub(crate) label: &'static str,
    /// What can be chosen.
    pub(crate) options: Vec<FilterOption>,
}

/// One option of a select.
pub(crate) struct FilterOption {
    /// Its value in the URL.
    pub(crate) value: String,
    /// What it says.
    pub(crate) label: String,
    /// Whether it is chosen.
    pub(crate) chosen: bool,
}

/// Row counts a reader can choose.
const PAGE_SIZES: [u16; 3] = [25, 50, 100];

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
            self.sizes(),
        ]
    }

    fn sizes(&self) -> FilterChoice {
        let mut sizes = PAGE_SIZES.to_vec();
        if !sizes.contains(&self.limit) {
            sizes.push(self.limit);
            sizes.sort_unstable();
        }
        let options = sizes
            .into_iter()
            .map(|size| FilterOption {
                value: size.to_string(),
                label: size.to_string(),
                chosen: size == self.limit,
            })
            .collect();
        FilterChoice { name: "limit", label: "Rows", options }
    }
}

fn choice(
    name: &'static str,
    label: &'static str,
    any: &str,
    values: impl Iterator<Item = (String, String)>,
    chosen: &str,
) -> FilterChoice {
    let first = FilterOption { value: String::new(), label: any.to_owned(), chosen: chosen.is_empty() };
    let rest = values.map(|(value, label)| FilterOption { chosen: value == chosen, value, label });
    FilterChoice { name, label, options: std::iter::once(first).chain(rest).collect() }
}
