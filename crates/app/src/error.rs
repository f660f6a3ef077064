//! Why a use case refuses.

use std::borrow::Cow;

use domain::ticket::MoveRefused;
use domain::{Capability, Fault, FaultKind, FieldError, TaskId, TicketId};

use crate::{AccountError, password};

/// An error of a use case. Its `Display` is for operators; a client reads [`Fault::public`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused, or was not there.
    #[error("the store failed")]
    Store(#[from] store::Error),
    /// The actor lacks a capability.
    #[error("the actor lacks {0}")]
    Forbidden(Capability),
    /// The ticket does not exist, is another client's, or stands at a site the actor does not see.
    #[error("ticket {0} is not there")]
    TicketNotFound(TicketId),
    /// Somebody else changed the ticket since it was read.
    #[error("ticket {0} was changed by somebody else")]
    TicketStale(TicketId),
    /// The id of a new ticket, or of a comment on one, was used for something else.
    #[error("the id of ticket {0}, or of a comment on it, was used for something else")]
    TicketExists(TicketId),
    /// The rules do not allow the move.
    #[error("the move is not allowed")]
    MoveRefused(#[from] MoveRefused),
    /// What was given for a ticket breaks rules.
    #[error("{} fields of the ticket break rules", .0.len())]
    InvalidTicket(Vec<FieldError>),
    /// What was given to choose tickets breaks rules.
    #[error("{} filters break rules", .0.len())]
    InvalidFilter(Vec<FieldError>),
    /// What was given for a message to publish breaks rules.
    #[error("{} fields of the message break rules", .0.len())]
    InvalidMessage(Vec<FieldError>),
    /// What was given to choose tasks breaks rules.
    #[error("{} filters of tasks break rules", .0.len())]
    InvalidTaskFilter(Vec<FieldError>),
    /// Nothing is known of the task.
    #[error("task {0} is not there")]
    TaskNotFound(TaskId),
    /// The task stands elsewhere than where somebody wanted to act on it.
    #[error("task {0} does not stand where it was acted on")]
    TaskMoved(TaskId),
    /// A live task holds the unique key.
    #[error("a live task holds the unique key")]
    TaskKeyHeld,
    /// There is no such queue.
    #[error("queue {0} is not there")]
    QueueNotFound(String),
    /// There is no such schedule.
    #[error("schedule {0} is not there")]
    ScheduleNotFound(String),
    /// A login name or an address has tried often enough.
    #[error("sign-in is limited for {retry_after_seconds} s")]
    SignInLimited {
        /// Seconds until the window ends.
        retry_after_seconds: u64,
    },
    /// A password could not be hashed.
    #[error("a password could not be hashed")]
    Password(#[from] password::Error),
    /// Something about an account, a handset, a key or a file is refused.
    #[error("an account's request is refused")]
    Account(#[from] AccountError),
}

impl Fault for Error {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Store(error) => error.kind(),
            Self::Forbidden(_) => FaultKind::Forbidden,
            Self::TicketNotFound(_)
            | Self::TaskNotFound(_)
            | Self::QueueNotFound(_)
            | Self::ScheduleNotFound(_) => FaultKind::NotFound,
            Self::TicketStale(_) => FaultKind::Stale,
            Self::TicketExists(_) | Self::TaskMoved(_) | Self::TaskKeyHeld => FaultKind::Conflict,
            Self::MoveRefused(refused) => refused.kind(),
            Self::InvalidTicket(_)
            | Self::InvalidFilter(_)
            | Self::InvalidMessage(_)
            | Self::InvalidTaskFilter(_) => FaultKind::Invalid,
            Self::SignInLimited { .. } => FaultKind::Limited,
            Self::Password(_) => FaultKind::Internal,
            Self::Account(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::Forbidden(_) => "forbidden",
            Self::TicketNotFound(_) => "ticket-not-found",
            Self::TicketStale(_) => "ticket-stale",
            Self::TicketExists(_) => "ticket-exists",
            Self::MoveRefused(refused) => refused.code(),
            Self::InvalidTicket(_) => "invalid-ticket",
            Self::InvalidFilter(_) => "invalid-ticket-filter",
            Self::InvalidMessage(_) => "invalid-message",
            Self::InvalidTaskFilter(_) => "invalid-task-filter",
            Self::TaskNotFound(_) => "task-not-found",
            Self::TaskMoved(_) => "task-moved",
            Self::TaskKeyHeld => "task-key-held",
            Self::QueueNotFound(_) => "queue-not-found",
            Self::ScheduleNotFound(_) => "schedule-not-found",
            Self::SignInLimited { .. } => "sign-in-limited",
            Self::Password(_) => "password-hashing-failed",
            Self::Account(error) => error.code(),
        }
    }

    fn public(&self) -> Cow<'static, str> {
        match self {
            Self::Store(error) => error.public(),
            Self::Forbidden(capability) => format!("This needs the capability {capability}.").into(),
            Self::TicketNotFound(_) => "There is no such ticket.".into(),
            Self::TicketStale(_) => "Somebody else changed the ticket. Read it again, then repeat.".into(),
            Self::TicketExists(_) => "The key of this request was used for something else.".into(),
            Self::MoveRefused(refused) => refused.public(),
            Self::InvalidTicket(_)
            | Self::InvalidFilter(_)
            | Self::InvalidMessage(_)
            | Self::InvalidTaskFilter(_) => "Correct the named fields.".into(),
            Self::TaskNotFound(_) => "Nothing is known of this task.".into(),
            Self::TaskMoved(_) => {
                "The task does not stand where it stood when it was read. Read it again, then decide.".into()
            }
            Self::TaskKeyHeld => "A live task holds the unique key. Wait until it has ended.".into(),
            Self::QueueNotFound(_) => "There is no such queue.".into(),
            Self::ScheduleNotFound(_) => "There is no such schedule.".into(),
            Self::SignInLimited { .. } => "Too many attempts. Wait, then try again.".into(),
            Self::Password(_) => domain::fault::OURS.into(),
            Self::Account(error) => error.public(),
        }
    }

    fn fields(&self) -> &[FieldError] {
        if let Self::Store(error) = self {
            error.fields()
        } else if let Self::Account(error) = self {
            error.fields()
        } else if let Self::InvalidTicket(fields)
        | Self::InvalidFilter(fields)
        | Self::InvalidMessage(fields)
        | Self::InvalidTaskFilter(fields) = self
        {
            fields
        } else {
            &[]
        }
    }

    fn retry_after_seconds(&self) -> Option<u64> {
        if let Self::Store(error) = self {
            error.retry_after_seconds()
        } else if let Self::Account(error) = self {
            error.retry_after_seconds()
        } else if let Self::SignInLimited { retry_after_seconds } = self {
            Some(*retry_after_seconds)
        } else {
            None
        }
    }
}
