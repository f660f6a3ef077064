//! The sign-in page.

use askama::Template;

use crate::view::Shell;

/// Asks for login name and password.
#[derive(Template)]
#[template(path = "login.html")]
pub(crate) struct LoginPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The local path to go to afterwards.
    pub(crate) next: String,
    /// The login name typed before.
    pub(crate) login: String,
    /// Why the last try was refused.
    pub(crate) refusal: Option<String>,
}
