//! What happens around every request: see [`watch`].

mod arrival;
mod body;
mod guard;
mod outcome;
mod page_choice;
mod watch;

pub use arrival::{correlation_id, name_route};
pub use page_choice::prefers_page;

pub(crate) use arrival::{Deadline, Exposure};
pub(crate) use guard::Limits;
pub(crate) use watch::watch;
