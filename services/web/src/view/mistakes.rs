//! Broken fields of a form: the summary above it and the words beside each field.

use domain::FieldError;

/// One broken field.
#[derive(Clone, Debug)]
pub(crate) struct Mistake {
    /// The field's id on the page.
    pub(crate) anchor: String,
    /// Label and what is wrong.
    pub(crate) sentence: String,
    detail: String,
}

/// Everything that is wrong with a form.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// Turns pointers of the contract into fields of a form; `/assignee_id` is typed into `assignee`.
    pub(crate) fn of_fields(errors: &[FieldError]) -> Self {
        Self(errors.iter().map(mistake).collect())
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in the order of the form.
    pub(crate) fn all(&self) -> &[Mistake] {
        &self.0
    }

    /// What is wrong with one field.
    pub(crate) fn of(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|mistake| mistake.anchor == field).map(|mistake| mistake.detail.as_str())
    }

    /// The heading of the summary.
    pub(crate) fn heading(&self) -> String {
        match self.0.len() {
            1 => "One thing to correct".to_owned(),
            count => format!("{count} things to correct"),
        }
    }
}

fn mistake(error: &FieldError) -> Mistake {
    let (anchor, label) = match error.pointer.trim_start_matches('/') {
        "site_id" => ("site_id", "Site"),
        "title" => ("title", "Title"),
        "priority" => ("priority", "Priority"),
        "assignee_id" | "assignee" => ("assignee", "Assignee"),
        "description" => ("description", "Description"),
        "text" => ("text", "Comment"),
        "state" => ("state", "State"),
        "site" => ("site", "Site"),
        "q" => ("q", "Words in the title"),
        "limit" => ("limit", "Rows"),
        "queue" => ("queue", "Queue"),
        "kind" => ("kind", "Kind"),
        "tenant" => ("tenant", "Tenant"),
        "password" => ("password", "New password"),
        "new" => ("new", "New password"),
        "current" => ("current", "Current password"),
        "name" => ("name", "Name"),
        "code" => ("code", "Code"),
        "email" => ("email", "E-mail"),
        "login" => ("login", "Login name"),
        "client_code" => ("client_code", "Code of the client"),
        "reason" => ("reason", "Why"),
        "minutes" => ("minutes", "For how long"),
        other => (other, "Form"),
    };
    Mistake {
        anchor: anchor.to_owned(),
        sentence: format!("{label}: {}", error.detail),
        detail: capitalised(&error.detail),
    }
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
