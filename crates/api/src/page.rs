//! Keyset pages.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Most rows a page may carry.
pub const PAGE_LIMIT_MAX: u16 = 100;

/// Rows of a page when nobody asks for a number.
pub const PAGE_LIMIT_DEFAULT: u16 = 25;

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Pass as `after` to get the following page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
