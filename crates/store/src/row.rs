//! Rows: from columns to values, with a shape the schema test compares with the database.

use postgres_types::{FromSql, Type};
use tokio_postgres::Row;

/// One column a row type reads.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name, where the row reads by name.
    pub name: Option<&'static str>,
    /// The Rust type, for messages.
    pub rust: &'static str,
    /// Whether the Rust type takes a PostgreSQL type.
    pub accepts: fn(&Type) -> bool,
    /// Whether the Rust type takes `null`.
    pub nullable: bool,
}

impl Column {
    /// Describes a column of a Rust type.
    pub fn of<T: for<'a> FromSql<'a>>(name: Option<&'static str>) -> Self {
        Self {
            name,
            rust: std::any::type_name::<T>(),
            accepts: <T as FromSql<'_>>::accepts,
            nullable: <T as FromSql<'_>>::from_sql_null(&Type::UNKNOWN).is_ok(),
        }
    }

    /// Describes the column a field is read from; the getter only tells the field's type.
    pub fn of_field<S, T: for<'a> FromSql<'a>>(name: &'static str, _field: fn(&S) -> &T) -> Self {
        Self::of::<T>(Some(name))
    }
}

/// A value read from one row: a tuple or scalar by position, a struct declared with `row!` by name.
pub trait FromRow: Sized {
    /// The columns it reads.
    fn columns() -> Vec<Column>;

    /// Reads it.
    fn from_row(row: &Row) -> Result<Self, tokio_postgres::Error>;
}

impl FromRow for () {
    fn columns() -> Vec<Column> {
        Vec::new()
    }

    fn from_row(_row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(())
    }
}

macro_rules! tuple_rows {
    ($(($($column:ident $index:tt),+))+) => {$(
        impl<$($column: for<'a> FromSql<'a>),+> FromRow for ($($column,)+) {
            fn columns() -> Vec<Column> {
                vec![$(Column::of::<$column>(None)),+]
            }

            fn from_row(row: &Row) -> Result<Self, tokio_postgres::Error> {
                Ok(($(row.try_get::<_, $column>($index)?,)+))
            }
        }
    )+};
}

tuple_rows! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
}

macro_rules! scalar_rows {
    ($($scalar:ty),+ $(,)?) => {$(
        impl FromRow for $scalar {
            fn columns() -> Vec<Column> {
                vec![Column::of::<$scalar>(None)]
            }

            fn from_row(row: &Row) -> Result<Self, tokio_postgres::Error> {
                row.try_get::<_, $scalar>(0)
            }
        }
    )+};
}

scalar_rows! {
    bool, i16, i32, i64, f64, String, Vec<u8>, uuid::Uuid, jiff::Timestamp, serde_json::Value,
    domain::ClientId, domain::SiteId, domain::PersonId, domain::GroupId, domain::SessionId, domain::TicketId,
    domain::TicketEventId, domain::DeviceId, domain::MessageId, domain::AlarmRuleId, domain::AuditEventId,
    domain::CorrelationId, domain::MailId, domain::Capability,
}

/// Makes a struct readable from a row: each field from the column of its name.
///
/// ```ignore
/// row! { domain::ticket::Ticket { client_id, id, number, title } }
/// ```
#[macro_export]
macro_rules! row {
    ($row:ty { $($field:ident),+ $(,)? }) => {
        impl $crate::FromRow for $row {
            fn columns() -> Vec<$crate::Column> {
                vec![$($crate::Column::of_field(stringify!($field), |row: &$row| &row.$field)),+]
            }

            fn from_row(row: &$crate::tokio_postgres::Row) -> Result<Self, $crate::tokio_postgres::Error> {
                Ok(Self { $($field: row.try_get(stringify!($field))?),+ })
            }
        }
    };
}
