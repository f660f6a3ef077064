//! Which tasks an operator wants to see, and where a page of them begins.

use domain::{ClientId, FieldError};
use jiff::Timestamp;
use queue::{Cursor, TaskState};
use uuid::Uuid;

use crate::Error;

/// Rows of a page when nobody asks for a number.
pub const PAGE_LIMIT_DEFAULT: u16 = 25;
/// Most rows of a page.
pub const PAGE_LIMIT_MAX: u16 = 100;
/// Most characters of the name of a queue or kind.
const NAME_CHARACTERS_MAX: usize = 100;

/// How a finished task may have ended.
const OUTCOMES: [&str; 3] = ["SUCCEEDED", "BURIED", "CANCELLED"];

/// Filters as typed. Empty means any.
#[derive(Clone, Copy, Debug, Default)]
pub struct NarrowingText<'a> {
    /// The name of a queue.
    pub queue: &'a str,
    /// The name of a kind.
    pub kind: &'a str,
    /// A state of live tasks, or an outcome of finished ones.
    pub state: &'a str,
    /// A client's id.
    pub tenant: &'a str,
}

/// Which tasks to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Narrowing {
    /// Only this queue.
    pub queue: Option<String>,
    /// Only this kind.
    pub kind: Option<String>,
    /// Only this state; of live tasks.
    pub state: Option<TaskState>,
    /// Only this outcome; of finished tasks.
    pub outcome: Option<String>,
    /// Only for this client.
    pub tenant: Option<ClientId>,
}

impl Narrowing {
    /// Reads filters of live tasks.
    ///
    /// # Errors
    /// `invalid-task-filter` with every broken filter.
    pub fn of_live(text: &NarrowingText<'_>) -> Result<Self, Error> {
        let (narrowing, mut broken) = Self::common(text);
        let state = typed(text.state).map(str::parse::<TaskState>).transpose().unwrap_or_else(|_unknown| {
            broken.push(FieldError::new("/state", "choose WAITING, DELAYED, READY, RUNNING, or any"));
            None
        });
        finish(Self { state, ..narrowing }, broken)
    }

    /// Reads filters of finished tasks.
    ///
    /// # Errors
    /// `invalid-task-filter` with every broken filter.
    pub fn of_finished(text: &NarrowingText<'_>) -> Result<Self, Error> {
        let (narrowing, mut broken) = Self::common(text);
        let outcome = typed(text.state).map(str::to_owned);
        if outcome.as_deref().is_some_and(|outcome| !OUTCOMES.contains(&outcome)) {
            broken.push(FieldError::new("/state", "choose SUCCEEDED, BURIED, CANCELLED, or any"));
        }
        finish(Self { outcome, ..narrowing }, broken)
    }

    /// Reads filters of dead letters, which have no state and are not told apart by tenant.
    ///
    /// # Errors
    /// `invalid-task-filter` with every broken filter.
    pub fn of_dead_letters(text: &NarrowingText<'_>) -> Result<Self, Error> {
        let (narrowing, mut broken) = Self::common(text);
        for (pointer, value) in [("/state", text.state), ("/tenant", text.tenant)] {
            if typed(value).is_some() {
                broken.push(FieldError::new(pointer, "dead letters are narrowed by queue and kind only"));
            }
        }
        finish(narrowing, broken)
    }

    fn common(text: &NarrowingText<'_>) -> (Self, Vec<FieldError>) {
        let mut broken = Vec::new();
        let queue = name(&mut broken, "/queue", text.queue);
        let kind = name(&mut broken, "/kind", text.kind);
        let tenant = typed(text.tenant).map(str::parse).transpose().unwrap_or_else(|_malformed| {
            broken.push(FieldError::new("/tenant", "use the id of a client, or none"));
            None
        });
        (Self { queue, kind, tenant, ..Self::default() }, broken)
    }
}

fn finish(narrowing: Narrowing, broken: Vec<FieldError>) -> Result<Narrowing, Error> {
    if broken.is_empty() { Ok(narrowing) } else { Err(Error::InvalidTaskFilter(broken)) }
}

fn typed(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

fn name(broken: &mut Vec<FieldError>, pointer: &str, text: &str) -> Option<String> {
    let name = typed(text)?;
    if name.chars().count() > NAME_CHARACTERS_MAX || name.contains(char::is_control) {
        broken.push(FieldError::new(pointer, "use a name of at most 100 characters, or none"));
    }
    Some(name.to_owned())
}

/// Where a page of a list begins, and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The last row of the page before.
    pub after: Option<(Timestamp, Uuid)>,
    /// Rows wanted, 1 to [`PAGE_LIMIT_MAX`].
    pub limit: u16,
}

impl Default for Place {
    fn default() -> Self {
        Self { after: None, limit: PAGE_LIMIT_DEFAULT }
    }
}

impl Place {
    pub(super) fn cursor(self) -> Option<Cursor> {
        self.after.map(|(at, id)| Cursor { at, id })
    }

    pub(super) fn rows(self) -> i64 {
        i64::from(self.limit.clamp(1, PAGE_LIMIT_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(outcome: Result<Narrowing, Error>) -> Vec<String> {
        let Err(Error::InvalidTaskFilter(fields)) = outcome else { panic!("{outcome:?}") };
        fields.into_iter().map(|field| field.pointer).collect()
    }

    #[test]
    fn every_filter_that_means_nothing_is_named() {
        let long = "k".repeat(101);
        let text = NarrowingText { queue: "a\u{0}b", kind: &long, state: "LOST", tenant: "ACME" };
        assert_eq!(pointers(Narrowing::of_live(&text)), ["/queue", "/kind", "/tenant", "/state"]);
        assert_eq!(pointers(Narrowing::of_finished(&text)), ["/queue", "/kind", "/tenant", "/state"]);
        let text = NarrowingText { state: "READY", ..NarrowingText::default() };
        assert_eq!(pointers(Narrowing::of_dead_letters(&text)), ["/state"]);
        assert_eq!(pointers(Narrowing::of_finished(&text)), ["/state"]);
    }

    #[test]
    fn empty_filters_narrow_nothing() {
        let text = NarrowingText { queue: " ", ..NarrowingText::default() };
        assert_eq!(Narrowing::of_live(&text).unwrap(), Narrowing::default());
    }
}
