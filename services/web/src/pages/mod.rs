//! The pages. Each works without JavaScript, passkeys apart; htmx saves the reader a reload.

pub(crate) mod account;
pub(crate) mod factor;
pub(crate) mod home;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod operate;
pub(crate) mod problem;
pub(crate) mod recovery;
pub(crate) mod setup;
pub(crate) mod step_up;
pub(crate) mod tickets;
