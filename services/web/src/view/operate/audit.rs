//! Who did what to the queue by hand.

use api::task::TaskAction;
use askama::Template;
use serde_json::Value;

use super::{Pager, SECTION, TABS};
use crate::view::{Mistakes, Shell};

/// The page `/operate/tasks/audit`; `as_list` is the region htmx swaps.
#[derive(Template)]
#[template(path = "operate/audit.html", blocks = ["list"])]
pub(crate) struct AuditPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The rows, the latest first.
    pub(crate) rows: Vec<TaskAction>,
    /// Where the list goes on.
    pub(crate) pager: Pager,
    /// What is wrong with the query.
    pub(crate) mistakes: Mistakes,
}

impl AuditPage {
    /// The entry of the navigation this page belongs to.
    const SECTION: &'static str = SECTION;
    const TAB: &'static str = "/operate/tasks/audit";

    fn summary(&self) -> String {
        self.pager.summary(self.rows.len(), "action", "actions")
    }
}

/// What else an action says, as `name value` pairs; labels read as words.
pub(crate) fn detail(action: &TaskAction) -> String {
    let Some(pairs) = action.detail.as_object() else { return String::new() };
    let plain = |value: &Value| match value {
        Value::String(label) if label.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') => {
            label.to_ascii_lowercase().replace('_', " ")
        }
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    };
    let said: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{} {}", name.replace('_', " "), plain(value))).collect();
    said.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn details_read_as_words() {
        let action = TaskAction {
            at: "2030-01-01T00:00:00Z".parse().unwrap(),
            actor: "cli:root".to_owned(),
            action: "LIMITED".to_owned(),
            task_id: None,
            queue: Some("email".to_owned()),
            detail: json!({ "kind": "mail.send", "rate_max": null, "reason": "TIMED_OUT", "running_max": 3 }),
        };
        assert_eq!(detail(&action), "kind mail.send, rate max none, reason timed out, running max 3");
    }
}
