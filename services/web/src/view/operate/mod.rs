//! The operators' pages of the task queue.

use api::task::{TaskCount, TaskTenant};

mod audit;
mod confirm;
mod dead_letters;
mod list;
mod overview;
mod schedules;
mod task;

pub(crate) use audit::{AuditPage, detail};
pub(crate) use confirm::{ConfirmPage, Question};
pub(crate) use dead_letters::DeadLettersPage;
pub(crate) use list::{Shown, TaskFilter, TaskListPage};
pub(crate) use overview::OverviewPage;
pub(crate) use schedules::SchedulesPage;
pub(crate) use task::TaskPage;

/// The entry of the navigation these pages belong to.
const SECTION: &str = "/operate/tasks";

/// One of the pages beside each other.
pub(crate) struct Tab {
    /// What it says.
    pub(crate) title: &'static str,
    /// Where it leads.
    pub(crate) href: &'static str,
}

/// The pages beside each other.
pub(crate) const TABS: [Tab; 6] = [
    Tab { title: "Overview", href: "/operate/tasks" },
    Tab { title: "Live", href: "/operate/tasks/live" },
    Tab { title: "History", href: "/operate/tasks/history" },
    Tab { title: "Dead letters", href: "/operate/tasks/dead-letters" },
    Tab { title: "Schedules", href: "/operate/tasks/schedules" },
    Tab { title: "Audit", href: "/operate/tasks/audit" },
];

/// Where a page of a list leads.
#[derive(Default)]
pub(crate) struct Pager {
    /// The following page.
    pub(crate) next: Option<String>,
    /// The first page, when this is another.
    pub(crate) first: Option<String>,
    /// Whether the heading takes the focus: the link that was followed is gone.
    pub(crate) focus: bool,
}

impl Pager {
    /// What a list shows, as a sentence for readers who hear it.
    pub(crate) fn summary(&self, count: usize, one: &str, many: &str) -> String {
        let more = if self.next.is_some() { ", and more follow" } else { "" };
        match count {
            0 => format!("No {many} shown"),
            1 => format!("1 {one} shown{more}"),
            count => format!("{count} {many} shown{more}"),
        }
    }
}

/// The end of an id, by which people tell tasks of one kind apart.
pub(crate) fn short(id: &domain::TaskId) -> String {
    let text = id.to_string();
    text.get(text.len().saturating_sub(8)..).unwrap_or(&text).to_owned()
}

/// How a tenant is called: by its code, by the end of its id when it has none, by nothing when there is none.
fn tenant(tenant: Option<&TaskTenant>) -> String {
    match tenant {
        None => "None".to_owned(),
        Some(tenant) => tenant.code.clone().unwrap_or_else(|| tenant.id.to_string()),
    }
}

/// A count as people read it: `1,234`, or `10,000+` where counting stopped.
pub(crate) fn count(count: &TaskCount) -> String {
    let digits = count.number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if count.at_least {
        text.push('+');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_and_say_when_there_are_more() {
        let shown = |number, at_least| count(&TaskCount { number, at_least });
        assert_eq!(shown(0, false), "0");
        assert_eq!(shown(999, false), "999");
        assert_eq!(shown(1_234_567, false), "1,234,567");
        assert_eq!(shown(10_000, true), "10,000+");
    }
}
