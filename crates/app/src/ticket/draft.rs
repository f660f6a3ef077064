//! What somebody fills in to raise a ticket.

use std::fmt::Display;
use std::str::FromStr;

use domain::ticket::{TicketDescription, TicketPriority, TicketTitle};
use domain::{FieldError, PersonId, SiteId, TicketId};

use crate::Error;

/// A ticket as typed, before anything is known to be right. Empty means not given.
#[derive(Clone, Copy, Debug, Default)]
pub struct DraftText<'a> {
    /// Where it is: an id.
    pub site: &'a str,
    /// What it is about.
    pub title: &'a str,
    /// The whole story.
    pub description: &'a str,
    /// How urgent it is: a label.
    pub priority: &'a str,
    /// Who shall work on it: an id, or nothing.
    pub assignee: &'a str,
}

/// A ticket to be raised, every part of which keeps its rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Its id, made by whoever asks, so that asking twice raises one.
    pub id: TicketId,
    /// Where it is.
    pub site_id: SiteId,
    /// What it is about.
    pub title: TicketTitle,
    /// The whole story.
    pub description: TicketDescription,
    /// How urgent it is.
    pub priority: TicketPriority,
    /// Who shall work on it.
    pub assignee_id: Option<PersonId>,
}

impl Draft {
    /// Reads what was typed.
    ///
    /// # Errors
    /// `invalid-ticket` with every broken field.
    pub fn parse(id: TicketId, text: &DraftText<'_>) -> Result<Self, Error> {
        let mut broken = Vec::new();
        let site_id = read(&mut broken, "/site_id", text.site, "choose a site");
        let title = keep(&mut broken, "/title", TicketTitle::parse(text.title));
        let description = keep(&mut broken, "/description", TicketDescription::parse(text.description));
        let priority = read(&mut broken, "/priority", text.priority, "choose LOW, MEDIUM or HIGH");
        let assignee_id = if text.assignee.trim().is_empty() {
            Some(None)
        } else {
            read(&mut broken, "/assignee_id", text.assignee, "choose a person, or nobody").map(Some)
        };
        match (site_id, title, description, priority, assignee_id) {
            (Some(site_id), Some(title), Some(description), Some(priority), Some(assignee_id)) => {
                Ok(Self { id, site_id, title, description, priority, assignee_id })
            }
            _ => Err(Error::InvalidTicket(broken)),
        }
    }
}

/// Reads a value from its text, or notes what to do instead.
pub(super) fn read<T: FromStr>(
    broken: &mut Vec<FieldError>,
    pointer: &str,
    text: &str,
    advice: &str,
) -> Option<T> {
    let value = text.trim().parse().ok();
    if value.is_none() {
        broken.push(FieldError::new(pointer, advice));
    }
    value
}

fn keep<T, E: Display>(broken: &mut Vec<FieldError>, pointer: &str, parsed: Result<T, E>) -> Option<T> {
    match parsed {
        Ok(value) => Some(value),
        Err(rule) => {
            broken.push(FieldError::new(pointer, rule.to_string()));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_named_at_once() {
        let text =
            DraftText { site: "here", title: " ", description: "", priority: "urgent", assignee: "me" };
        let Err(Error::InvalidTicket(fields)) = Draft::parse(TicketId::generate(), &text) else {
            panic!("five mistakes");
        };
        let pointers: Vec<&str> = fields.iter().map(|field| field.pointer.as_str()).collect();
        assert_eq!(pointers, ["/site_id", "/title", "/priority", "/assignee_id"]);
    }

    #[test]
    fn nobody_need_be_assigned() {
        let site = SiteId::generate().to_string();
        let text = DraftText { site: &site, title: "Leak", description: "", priority: "LOW", assignee: "" };
        assert_eq!(Draft::parse(TicketId::generate(), &text).unwrap().assignee_id, None);
    }
}
