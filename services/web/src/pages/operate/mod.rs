//! Pages of the task queue, for operators.

pub(crate) mod audit;
pub(crate) mod dead_letters;
pub(crate) mod list;
pub(crate) mod overview;
pub(crate) mod schedules;
pub(crate) mod task;

use serde::Deserialize;

use crate::view::operate::Pager;

/// The fields of a button that needs no more than its address says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ButtonForm {
    #[serde(default, rename = "csrf_token")]
    _csrf_token: String,
}

/// Where a list goes on, when its address has a cursor or not.
pub(super) fn pager(next: Option<String>, first: Option<String>, htmx: &crate::frame::Htmx) -> Pager {
    Pager { next, first, focus: htmx.region && htmx.source.starts_with("a#") }
}
