//! Icons and styles of states and priorities beside the words `domain` has for them; what events and moves are called.

use domain::ticket::{TicketEventKind, TicketPriority, TicketSource, TicketState};

/// Label, icon and style of a value; the label alone says everything.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    /// Names the style, such as `on_hold`.
    pub(crate) key: &'static str,
    /// Names the icon in `templates/icons.html`.
    pub(crate) icon: &'static str,
    /// What a reader sees.
    pub(crate) label: String,
}

/// Puts label, icon and style together.
pub(crate) fn words(key: &'static str, icon: &'static str, label: impl Into<String>) -> Words {
    Words { key, icon, label: label.into() }
}

/// A value a page shows in words.
pub(crate) trait Worded: Copy {
    /// Its words.
    fn words(self) -> Words;
}

impl Worded for TicketState {
    fn words(self) -> Words {
        let (key, icon) = match self {
            Self::New => ("new", "state-new"),
            Self::Open => ("open", "state-open"),
            Self::OnHold => ("on_hold", "state-on_hold"),
            Self::Resolved => ("resolved", "state-resolved"),
            Self::Closed => ("closed", "state-closed"),
            Self::Cancelled => ("cancelled", "state-cancelled"),
        };
        words(key, icon, self.caption())
    }
}

impl Worded for TicketPriority {
    fn words(self) -> Words {
        let (key, icon) = match self {
            Self::Low => ("low", "priority-low"),
            Self::Medium => ("medium", "priority-medium"),
            Self::High => ("high", "priority-high"),
        };
        words(key, icon, self.caption())
    }
}

impl Worded for TicketSource {
    fn words(self) -> Words {
        match self {
            Self::Person => words("person", "event-assigned", "A person"),
            Self::Alarm => words("alarm", "alert", "An alarm rule"),
        }
    }
}

impl Worded for TicketEventKind {
    fn words(self) -> Words {
        match self {
            Self::Created => words("created", "plus", "raised the ticket"),
            Self::Moved => words("moved", "event-moved", "moved the ticket"),
            Self::Commented => words("commented", "event-commented", "commented"),
            Self::Assigned => words("assigned", "event-assigned", "assigned the ticket"),
            Self::Escalated => words("escalated", "event-escalated", "escalated the ticket"),
            Self::Mailed => words("mailed", "event-mailed", "sent mail"),
        }
    }
}

/// A button that moves a ticket, or the link to the page that asks first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Where the ticket goes.
    pub(crate) to: TicketState,
    /// What the button says.
    pub(crate) label: &'static str,
    /// How the button looks, beside `button`.
    pub(crate) class: &'static str,
    /// Whether the reader is asked first, because nothing leads back.
    pub(crate) asks: bool,
}

impl Step {
    /// The button from one state to another.
    pub(crate) fn between(from: TicketState, to: TicketState) -> Self {
        let (label, class) = match (from, to) {
            (TicketState::New, TicketState::Open) => ("Start work", " is-primary"),
            (TicketState::OnHold, TicketState::Open) => ("Resume work", " is-primary"),
            (_, TicketState::Open) => ("Reopen", ""),
            (_, TicketState::OnHold) => ("Put on hold", ""),
            (TicketState::Open, TicketState::Resolved) => ("Resolve", " is-primary"),
            (_, TicketState::Resolved) => ("Resolve", ""),
            (_, TicketState::Closed) => ("Close", " is-primary"),
            (_, TicketState::Cancelled) => ("Cancel ticket", " is-grave"),
            (_, TicketState::New) => ("Make new again", ""),
        };
        Self { to, label, class, asks: to == TicketState::Cancelled }
    }
}
