//! Tickets: states, allowed moves, priority, title.

use std::borrow::Cow;

use jiff::Timestamp;

use crate::fault::{Fault, FaultKind};
use crate::id::{
    AlarmRuleId, ClientId, CorrelationId, DeviceId, GroupId, PersonId, SiteId, TicketEventId, TicketId,
};
use crate::text::is_prose;
use crate::{text_enum, text_value};

text_enum! {
    /// Where a ticket stands.
    TicketState {
        /// Raised, nobody has looked.
        New = "NEW",
        /// Somebody works on it.
        Open = "OPEN",
        /// Waits for something outside; escalation pauses.
        OnHold = "ON_HOLD",
        /// Done, to be confirmed.
        Resolved = "RESOLVED",
        /// Confirmed. The end.
        Closed = "CLOSED",
        /// Called off. The end.
        Cancelled = "CANCELLED",
    }
}

text_enum! {
    /// How urgent a ticket is.
    TicketPriority {
        /// When there is time.
        Low = "LOW",
        /// In turn.
        Medium = "MEDIUM",
        /// Before the others.
        High = "HIGH",
    }
}

text_enum! {
    /// What raised a ticket.
    TicketSource {
        /// A person.
        Person = "PERSON",
        /// An alarm rule.
        Alarm = "ALARM",
    }
}

text_enum! {
    /// What happened to a ticket.
    TicketEventKind {
        /// It was raised.
        Created = "CREATED",
        /// It moved to another state.
        Moved = "MOVED",
        /// Somebody said something.
        Commented = "COMMENTED",
        /// It went to somebody else.
        Assigned = "ASSIGNED",
        /// Nobody acted in time.
        Escalated = "ESCALATED",
        /// Mail about it was accepted by the mail server.
        Mailed = "MAILED",
    }
}

fn is_title(text: &str) -> bool {
    is_prose(text, 200) && !text.contains(['\n', '\r'])
}

fn is_description(text: &str) -> bool {
    text.is_empty() || is_prose(text, 4000)
}

fn is_comment(text: &str) -> bool {
    is_prose(text, 4000)
}

text_value! {
    /// What somebody says about a ticket.
    TicketComment, is_comment, "use 1 to 4,000 characters"
}

text_value! {
    /// What a ticket is about, in one line.
    TicketTitle, is_title, "use one line of 1 to 200 characters"
}

text_value! {
    /// The whole story; may be empty.
    TicketDescription, is_description, "use at most 4,000 characters"
}

/// A ticket as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The tenant.
    pub client_id: ClientId,
    /// Its id.
    pub id: TicketId,
    /// Number within the client, without gaps.
    pub number: i64,
    /// Where it is.
    pub site_id: SiteId,
    /// What it is about.
    pub title: TicketTitle,
    /// The whole story.
    pub description: TicketDescription,
    /// Where it stands.
    pub state: TicketState,
    /// How urgent it is.
    pub priority: TicketPriority,
    /// What raised it.
    pub source: TicketSource,
    /// Who works on it.
    pub assignee_id: Option<PersonId>,
    /// Which group works on it.
    pub group_id: Option<GroupId>,
    /// Who raised it; nobody when an alarm did.
    pub created_by: Option<PersonId>,
    /// The rule that raised it.
    pub alarm_rule_id: Option<AlarmRuleId>,
    /// The device whose reading raised it.
    pub device_id: Option<DeviceId>,
    /// How often it was escalated.
    pub escalation_level: i32,
    /// What started it.
    pub correlation_id: CorrelationId,
    /// Counts changes; a writer names the one it read.
    pub version: i64,
    /// When it was raised.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A ticket to be raised, with the first entry of its history; the store gives it its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTicket {
    /// Its id, made by whoever asks, so that asking twice raises one.
    pub id: TicketId,
    /// The id of its first history entry.
    pub event_id: TicketEventId,
    /// Where it is.
    pub site_id: SiteId,
    /// What it is about.
    pub title: TicketTitle,
    /// The whole story.
    pub description: TicketDescription,
    /// How urgent it is.
    pub priority: TicketPriority,
    /// What raised it.
    pub source: TicketSource,
    /// Who shall work on it.
    pub assignee_id: Option<PersonId>,
    /// Which group shall work on it.
    pub group_id: Option<GroupId>,
    /// Who raised it; nobody when an alarm did.
    pub created_by: Option<PersonId>,
    /// The rule that raised it.
    pub alarm_rule_id: Option<AlarmRuleId>,
    /// The device whose reading raised it.
    pub device_id: Option<DeviceId>,
    /// What started it.
    pub correlation_id: CorrelationId,
    /// The first sentence of its history.
    pub detail: String,
    /// When it is raised.
    pub created_at: Timestamp,
}

/// A move the rules do not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a ticket that is {from} cannot become {to}")]
pub struct MoveRefused {
    /// The present state.
    pub from: TicketState,
    /// The wanted state.
    pub to: TicketState,
}

impl Fault for MoveRefused {
    fn kind(&self) -> FaultKind {
        FaultKind::Conflict
    }

    fn code(&self) -> &'static str {
        "ticket-move-refused"
    }

    fn public(&self) -> Cow<'static, str> {
        self.to_string().into()
    }
}

impl TicketState {
    /// Whether nothing more can happen.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Closed | Self::Cancelled)
    }

    /// The states a ticket may go to from here.
    pub const fn next(self) -> &'static [Self] {
        match self {
            Self::New => &[Self::Open, Self::Cancelled],
            Self::Open => &[Self::OnHold, Self::Resolved, Self::Cancelled],
            Self::OnHold => &[Self::Open, Self::Resolved, Self::Cancelled],
            Self::Resolved => &[Self::Closed, Self::Open],
            Self::Closed | Self::Cancelled => &[],
        }
    }

    /// Decides a move.
    pub fn move_to(self, to: Self) -> Result<Self, MoveRefused> {
        if self.next().contains(&to) { Ok(to) } else { Err(MoveRefused { from: self, to }) }
    }

    /// Whether escalation counts time in this state.
    pub const fn escalates(self) -> bool {
        matches!(self, Self::New | Self::Open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_resolved_ticket_can_be_reopened_or_closed_only() {
        assert_eq!(TicketState::Resolved.next(), [TicketState::Closed, TicketState::Open]);
    }

    #[test]
    fn a_title_is_one_line() {
        assert!(
            TicketTitle::parse("  Leak in pump room ")
                .is_ok_and(|title| title.as_str() == "Leak in pump room")
        );
        assert!(TicketTitle::parse("two\nlines").is_err());
        assert!(TicketTitle::parse("   ").is_err());
        assert!(TicketTitle::parse(&"x".repeat(201)).is_err());
    }

    proptest! {
        #[test]
        fn no_sequence_of_moves_leaves_a_terminal_state(wanted in proptest::collection::vec(0usize..6, 0..40)) {
            let mut state = TicketState::New;
            for index in wanted {
                let before = state;
                if let Ok(after) = state.move_to(TicketState::ALL[index]) {
                    prop_assert!(!before.is_terminal());
                    prop_assert_ne!(before, after);
                    state = after;
                }
            }
        }
    }
}
