//! Which tickets somebody wants to see.

use std::str::FromStr;

use domain::ticket::{TicketPriority, TicketState};
use domain::{FieldError, SiteId, TicketId};
use jiff::Timestamp;

use super::draft::read;
use crate::Error;

/// Rows of a page when nobody asks for a number.
pub const PAGE_LIMIT_DEFAULT: u16 = 25;
/// Most rows of a page.
pub const PAGE_LIMIT_MAX: u16 = 100;
/// Most characters of the words of a search.
const WORDS_CHARACTERS_MAX: usize = 200;

/// Filters as typed. Empty means any.
#[derive(Clone, Copy, Debug, Default)]
pub struct FilterText<'a> {
    /// A state's label.
    pub state: &'a str,
    /// A priority's label.
    pub priority: &'a str,
    /// A site's id.
    pub site: &'a str,
    /// Words of the title.
    pub words: &'a str,
}

/// Which tickets to list, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Only this state.
    pub state: Option<TicketState>,
    /// Only this priority.
    pub priority: Option<TicketPriority>,
    /// Only this site.
    pub site_id: Option<SiteId>,
    /// Only titles with these words.
    pub words: Option<String>,
    /// Only tickets behind this one.
    pub after: Option<(Timestamp, TicketId)>,
    /// Rows wanted, 1 to [`PAGE_LIMIT_MAX`].
    pub limit: u16,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            state: None,
            priority: None,
            site_id: None,
            words: None,
            after: None,
            limit: PAGE_LIMIT_DEFAULT,
        }
    }
}

impl Filter {
    /// Reads filters as typed; the first page of the default size.
    ///
    /// # Errors
    /// `invalid-ticket-filter` with every broken filter.
    pub fn parse(text: &FilterText<'_>) -> Result<Self, Error> {
        let mut broken = Vec::new();
        let filter = Self {
            state: any_or(&mut broken, "/state", text.state, "choose a state, or any"),
            priority: any_or(&mut broken, "/priority", text.priority, "choose LOW, MEDIUM, HIGH, or any"),
            site_id: any_or(&mut broken, "/site", text.site, "choose a site, or any"),
            words: Some(text.words.trim()).filter(|words| !words.is_empty()).map(str::to_owned),
            ..Self::default()
        };
        if text.words.chars().count() > WORDS_CHARACTERS_MAX {
            broken.push(FieldError::new("/q", "use at most 200 characters"));
        }
        if broken.is_empty() { Ok(filter) } else { Err(Error::InvalidFilter(broken)) }
    }
}

fn any_or<T: FromStr>(broken: &mut Vec<FieldError>, pointer: &str, text: &str, advice: &str) -> Option<T> {
    if text.trim().is_empty() { None } else { read(broken, pointer, text, advice) }
}
