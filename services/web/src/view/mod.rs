//! The pages as types: one struct per template, filled by the handlers.

pub(crate) mod account;
mod mistakes;
pub(crate) mod operate;
mod problem;
mod qr;
mod select;
pub(crate) mod setup;
mod shell;
mod sign_in;
mod ticket_files;
mod ticket_form;
mod ticket_list;
mod ticket_page;
mod zone;

pub(crate) use mistakes::Mistakes;
pub(crate) use problem::ProblemPage;
pub(crate) use select::choice;
pub(crate) use shell::{Shell, Visitor};
pub(crate) use sign_in::{
    FactorPage, ForgotPage, LoginPage, ResetPage, StepUpPage, VerifyPage, Way, factor_path,
};
pub(crate) use ticket_files::TicketFiles;
pub(crate) use ticket_form::{NewTicketPage, TicketForm};
pub(crate) use ticket_list::{ListFilter, TicketList, TicketListPage};
pub(crate) use ticket_page::{CancelPage, TicketPage};
pub(crate) use zone::Zone;

#[cfg(test)]
mod tests;
