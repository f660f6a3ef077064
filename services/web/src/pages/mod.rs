//! The pages. Each works without JavaScript; htmx saves the reader a reload.

pub(crate) mod home;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod operate;
pub(crate) mod problem;
pub(crate) mod tickets;
