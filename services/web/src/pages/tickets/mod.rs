//! Pages of tickets.

pub(crate) mod assignee;
pub(crate) mod cancel;
pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod files;
pub(crate) mod list;
pub(crate) mod show;
