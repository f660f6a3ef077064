//! The page that explains a problem code.

use askama::Template;

use crate::problems::Section;
use crate::view::Shell;

/// One section of docs/problems.md.
#[derive(Template)]
#[template(path = "problem.html")]
pub(crate) struct ProblemPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The section.
    pub(crate) section: &'static Section,
}
