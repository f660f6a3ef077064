//! What was found in a request.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many findings a verdict lists; the score counts all of them.
pub const FINDINGS_MAX: usize = 16;

/// The kind of attack a finding points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Text that would change the meaning of an SQL statement.
    SqlInjection,
    /// Text that would run as script in a browser.
    CrossSiteScripting,
    /// A file or address outside what the application serves.
    PathTraversal,
    /// Text that would run as a command of the operating system.
    CommandInjection,
    /// Text that a template, expression or look-up engine would evaluate.
    TemplateInjection,
    /// A request that breaks the rules of its own format.
    Protocol,
}

impl Class {
    pub(crate) const COUNT: usize = 6;

    pub(crate) fn index(self) -> usize {
        match self {
            Self::SqlInjection => 0,
            Self::CrossSiteScripting => 1,
            Self::PathTraversal => 2,
            Self::CommandInjection => 3,
            Self::TemplateInjection => 4,
            Self::Protocol => 5,
        }
    }

    /// Returns the name used in settings and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SqlInjection => "sql-injection",
            Self::CrossSiteScripting => "cross-site-scripting",
            Self::PathTraversal => "path-traversal",
            Self::CommandInjection => "command-injection",
            Self::TemplateInjection => "template-injection",
            Self::Protocol => "protocol",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The part of a request in which a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The path of the target.
    Path,
    /// A parameter of the query.
    Query,
    /// A header.
    Header,
    /// A cookie.
    Cookie,
    /// A field of a form.
    Form,
    /// A value in a JSON body, named by its pointer.
    Json,
    /// A text field of a multipart body.
    Multipart,
    /// The file name of a part of a multipart body.
    FileName,
    /// A body as a whole.
    Body,
}

impl Place {
    /// Returns the name used in settings and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Cookie => "cookie",
            Self::Form => "form",
            Self::Json => "json",
            Self::Multipart => "multipart",
            Self::FileName => "file-name",
            Self::Body => "body",
        }
    }
}

/// Where something was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Location {
    /// The part of the request.
    pub place: Place,
    /// The name of the field, escaped and cut for logs; the pointer in JSON; empty for the path and a whole body.
    pub name: String,
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() {
            return formatter.write_str(self.place.as_str());
        }
        write!(formatter, "{}:{}", self.place.as_str(), self.name)
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it points to.
    pub class: Class,
    /// Where it stands.
    pub location: Location,
    /// The rule that fits: a stable name for logs and settings.
    pub rule: &'static str,
    /// What it adds to the score of its value and class.
    pub score: u16,
    /// The first bytes of the value, escaped for logs: never the whole of what was sent.
    pub excerpt: String,
}

/// What to do with the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Pass it on.
    #[default]
    Pass,
    /// Pass it on and log a security event: in `monitor` it reached the threshold.
    Report,
    /// Refuse it and log a security event.
    Block,
}

/// The outcome of an inspection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// What to do.
    pub action: Action,
    /// The highest score of any value in any class.
    pub score: u16,
    /// The findings, at most [`FINDINGS_MAX`]; there may be some below the threshold.
    pub findings: Vec<Finding>,
    /// The work done, in bytes read by all stages together: a figure for metrics that grows linearly with the request.
    pub work: u64,
}

impl Verdict {
    /// Returns the finding that weighs most: the reason to log.
    pub fn worst(&self) -> Option<&Finding> {
        self.findings.iter().max_by_key(|finding| finding.score)
    }

    /// Says whether the body is merely not what its content type says. The caller may answer 400 instead of 403.
    pub fn is_only_malformed(&self) -> bool {
        self.action == Action::Block
            && self
                .findings
                .iter()
                .all(|finding| crate::protocol::is_syntax(finding.rule) || finding.score == 0)
    }

    /// Adds what was found in another part of the same request.
    pub fn merge(&mut self, other: Self) {
        self.action = self.action.max(other.action);
        self.score = self.score.max(other.score);
        self.work += other.work;
        self.findings.extend(other.findings);
        self.findings.truncate(FINDINGS_MAX);
    }
}
