//! The pages as types: one struct per template, filled by the handlers.

mod login;
mod mistakes;
pub(crate) mod operate;
mod problem;
mod select;
mod shell;
mod ticket_form;
mod ticket_list;
mod ticket_page;
mod zone;

pub(crate) use login::LoginPage;
pub(crate) use mistakes::Mistakes;
pub(crate) use problem::ProblemPage;
pub(crate) use shell::{Shell, Visitor};
pub(crate) use ticket_form::{NewTicketPage, TicketForm};
pub(crate) use ticket_list::{ListFilter, TicketList, TicketListPage};
pub(crate) use ticket_page::{CancelPage, TicketPage};
pub(crate) use zone::Zone;

#[cfg(test)]
mod tests;
