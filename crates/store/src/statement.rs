//! Typed statements: SQL with its name, its parameters and its row, declared in one place.

use std::fmt;
use std::marker::PhantomData;

use crate::params::{Parameter, Params};
use crate::row::{Column, FromRow};

/// One statement with the types of its parameters and of its rows. Declared with `queries!` only.
pub struct Statement<P, R> {
    name: &'static str,
    sql: &'static str,
    types: PhantomData<fn(P) -> R>,
}

impl<P, R> Statement<P, R> {
    /// Names a statement; `queries!` writes the calls.
    #[doc(hidden)]
    pub const fn new(name: &'static str, sql: &'static str) -> Self {
        Self { name, sql, types: PhantomData }
    }

    /// The name, such as `store::ticket::GET`: metric label, first line of the SQL.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The SQL as sent.
    pub const fn sql(&self) -> &'static str {
        self.sql
    }
}

impl<P, R> fmt::Debug for Statement<P, R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Statement").field(&self.name).finish()
    }
}

/// A statement as the schema test sees it.
pub trait Describe: Sync {
    /// The name, such as `store::ticket::GET`.
    fn name(&self) -> &'static str;

    /// The SQL as sent.
    fn sql(&self) -> &'static str;

    /// The declared parameters.
    fn parameters(&self) -> Vec<Parameter>;

    /// The columns of the declared row.
    fn columns(&self) -> Vec<Column>;
}

impl<P: Params, R: FromRow> Describe for Statement<P, R> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn sql(&self) -> &'static str {
        self.sql
    }

    fn parameters(&self) -> Vec<Parameter> {
        P::describe()
    }

    fn columns(&self) -> Vec<Column> {
        R::columns()
    }
}

/// Declares the statements of a module, once per module; `lib.rs` lists the module in `all_statements`.
///
/// The types in front are the parameters, `$1` first, as owned types: `String`, `Vec<SiteId>`, `Option<PersonId>`.
/// Callers pass them, references to them, or `&str` for `String`. After the arrow stands what one row becomes.
///
/// ```ignore
/// queries! {
///     /// One ticket.
///     GET: (TicketId,) => Ticket = "
///         select client_id, id, title
///           from ticket
///          where id = $1";
/// }
/// ```
#[macro_export]
macro_rules! queries {
    ($($(#[$doc:meta])* $name:ident: $params:ty => $row:ty = $sql:literal;)+) => {
        $(
            $(#[$doc])*
            pub(crate) static $name: $crate::Statement<$params, $row> = $crate::Statement::new(
                concat!(module_path!(), "::", stringify!($name)),
                concat!("-- ", module_path!(), "::", stringify!($name), "\n", $sql),
            );
        )+

        /// Every statement of this module, for the schema test.
        pub(crate) static STATEMENTS: &[&dyn $crate::Describe] = &[$(&$name),+];
    };
}
