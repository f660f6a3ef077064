//! Lists that are read page by page.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::Error;

/// How many rows one page holds at most, whatever was asked for.
pub const ROWS_PER_PAGE_MAX: i64 = 500;

/// Marks where a page ended: the next one goes on behind it, whatever has come or gone in the meantime.
///
/// Its text, `{time}_{id}`, fits into an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Cursor {
    /// The time by which the list is ordered.
    pub at: Timestamp,
    /// Tells rows of the same time apart.
    pub id: Uuid,
}

impl Cursor {
    pub(crate) fn parts(after: Option<Self>) -> (Option<Timestamp>, Option<Uuid>) {
        (after.map(|cursor| cursor.at), after.map(|cursor| cursor.id))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.at, self.id)
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parse = || {
            let (at, id) = text.split_once('_')?;
            Some(Self { at: at.parse().ok()?, id: id.parse().ok()? })
        };
        parse().ok_or(Error::Cursor)
    }
}

/// Holds one page of a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page<T> {
    /// The rows, in the list's order.
    pub rows: Vec<T>,
    /// Where the next page goes on; none when this is the last.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// The number of rows that a caller gets who asks for so many.
    pub(crate) fn clamp(limit: i64) -> i64 {
        limit.clamp(1, ROWS_PER_PAGE_MAX)
    }

    /// Makes a page of at most `limit` rows; one row more was asked for, to see whether there is a next page.
    pub(crate) fn of(
        rows: &[Row],
        limit: i64,
        read: impl Fn(&Row) -> Result<T, Error>,
        cursor: impl Fn(&T) -> Cursor,
    ) -> Result<Self, Error> {
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let shown = rows.iter().take(most).map(read).collect::<Result<Vec<_>, _>>()?;
        let next = if rows.len() > most { shown.last().map(cursor) } else { None };
        Ok(Self { rows: shown, next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let cursor = Cursor { at: "2030-01-02T03:04:05.678901Z".parse().unwrap(), id: Uuid::from_u128(7) };
        assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
        for wrong in ["", "_", "2030-01-02T03:04:05Z", "yesterday_00000000-0000-0000-0000-000000000007"] {
            assert!(matches!(wrong.parse::<Cursor>(), Err(Error::Cursor)), "{wrong}");
        }
    }
}
