//! Pages with which administrators look after people, groups and the security log.

use api::account::SessionRow;
use api::security::SecurityEvent;
use api::site::SiteChoice;
use api::user::{Group, User, UserRow};
use askama::Template;
use domain::Capability;
use serde::Deserialize;
use serde_json::Value;

use crate::people_words;
use crate::view::operate::Pager;
use crate::view::select::FilterChoice;
use crate::view::{Mistakes, Shell};

/// The page `/setup/users`; `as_list` is the region htmx swaps.
#[derive(Template)]
#[template(path = "setup/users.html", blocks = ["list"])]
pub(crate) struct UsersPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The text that is looked for.
    pub(crate) q: String,
    /// The people.
    pub(crate) rows: Vec<UserRow>,
    /// Where the list goes on.
    pub(crate) pager: Pager,
}

impl UsersPage {
    /// The entry of the navigation this page belongs to.
    const SECTION: &'static str = "/setup/users";

    fn summary(&self) -> String {
        self.pager.summary(self.rows.len(), "person", "people")
    }
}

/// The fields of a person as a browser sends them, kept as typed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct UserForm {
    /// What the person is called.
    pub(crate) name: String,
    /// Their code; only of a new person.
    pub(crate) code: String,
    /// Their address.
    pub(crate) email: String,
    /// Their login name; only of a new person.
    pub(crate) login: String,
    /// Checked by the gateway.
    #[serde(rename = "csrf_token")]
    _csrf_token: String,
}

impl UserForm {
    /// What is known of a person.
    pub(crate) fn of(user: &User) -> Self {
        Self { name: user.name.clone(), email: user.email.clone().unwrap_or_default(), ..Self::default() }
    }
}

/// The page `/setup/users/new`.
#[derive(Template)]
#[template(path = "setup/new_user.html")]
pub(crate) struct NewUserPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// What was typed.
    pub(crate) form: UserForm,
    /// Why the last try was refused.
    pub(crate) refusal: Option<String>,
    /// What is wrong with the form.
    pub(crate) mistakes: Mistakes,
}

impl NewUserPage {
    /// The entry of the navigation this page belongs to.
    const SECTION: &'static str = "/setup/users";
}

/// One capability that can be given.
pub(crate) struct CapabilityChoice {
    /// The capability.
    pub(crate) capability: Capability,
    /// What it is called.
    pub(crate) title: &'static str,
    /// What it lets somebody do.
    pub(crate) meaning: &'static str,
    /// Whether it is given.
    pub(crate) given: bool,
    /// Whether a group gives it in any case.
    pub(crate) from_group: bool,
}

impl CapabilityChoice {
    /// The choices of a form: what can be given, and what is given already.
    pub(crate) fn all(grantable: &[Capability], given: &[Capability], in_effect: &[Capability]) -> Vec<Self> {
        let offered = Capability::ALL.iter().filter(|one| grantable.contains(one) || given.contains(one));
        offered
            .map(|one| {
                let (title, meaning) = people_words::capability(*one);
                let given = given.contains(one);
                let from_group = !given && in_effect.contains(one);
                Self { capability: *one, title, meaning, given, from_group }
            })
            .collect()
    }
}

/// The page `/setup/users/{id}`.
#[derive(Template)]
#[template(path = "setup/user.html")]
pub(crate) struct UserPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The person.
    pub(crate) user: User,
    /// Name and address as typed.
    pub(crate) form: UserForm,
    /// What can be given.
    pub(crate) capabilities: Vec<CapabilityChoice>,
    /// The client's groups.
    pub(crate) groups: Vec<Group>,
    /// The client's sites.
    pub(crate) sites: Vec<SiteChoice>,
    /// Where the person is signed in.
    pub(crate) sessions: Vec<SessionRow>,
    /// What was done before the reader came here.
    pub(crate) said: Option<&'static str>,
    /// Why the last try was refused.
    pub(crate) refusal: Option<String>,
    /// What is wrong with a form.
    pub(crate) mistakes: Mistakes,
}

impl UserPage {
    /// The entry of the navigation this page belongs to.
    const SECTION: &'static str = "/setup/users";
}

/// The page `/setup/groups`.
#[derive(Template)]
#[template(path = "setup/groups.html")]
pub(crate) struct GroupsPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The groups.
    pub(crate) groups: Vec<Group>,
}

impl GroupsPage {
    /// The entry of the navigation this page belongs to.
    const SECTION: &'static str = "/setup/groups";

    fn gives(group: &Group) -> String {
        if group.capabilities.is_empty() {
            return "Nothing".to_owned();
        }
        let titles = group.capabilities.iter().map(|one| people_words::capability(*one).0);
        titles.collect::<Vec<_>>().join(", ")
    }
}

/// The page `/setup/groups/{id}`.
#[derive(Template)]
#[template(path = "setup/group.html")]
pub(crate) struct GroupPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The group.
    pub(crate) group: Group,
    /// What can be given.
    pub(crate) capabilities: Vec<CapabilityChoice>,
    /// What was done before the reader came here.
    pub(crate) said: Option<&'static str>,
    /// Why the last try was refused.
    pub(crate) refusal: Option<String>,
}

impl GroupPage {
    /// The entry of the navigation this page belongs to.
    const SECTION: &'static str = "/setup/groups";

    fn people(&self) -> String {
        match self.group.members {
            1 => "1 person".to_owned(),
            count => format!("{count} people"),
        }
    }
}

/// The pages `/setup/security` and `/operate/security`; `as_list` is the region htmx swaps.
#[derive(Template)]
#[template(path = "setup/security.html", blocks = ["list"])]
pub(crate) struct SecurityPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// Which of the two it is.
    pub(crate) path: &'static str,
    /// Whether the reader has both.
    pub(crate) tabs: bool,
    /// The select of kinds.
    pub(crate) kinds: FilterChoice,
    /// The events, the latest first.
    pub(crate) rows: Vec<SecurityEvent>,
    /// Where the list goes on.
    pub(crate) pager: Pager,
    /// What is wrong with the query.
    pub(crate) mistakes: Mistakes,
}

impl SecurityPage {
    /// The entry of the navigation this page belongs to.
    const SECTION: &'static str = Self::OURS;
    /// The log of the reader's own client.
    pub(crate) const OURS: &'static str = "/setup/security";
    /// The log of what nobody is known for.
    pub(crate) const OF_NOBODY: &'static str = "/operate/security";

    fn summary(&self) -> String {
        self.pager.summary(self.rows.len(), "event", "events")
    }

    fn is_filtered(&self) -> bool {
        self.kinds.options.first().is_some_and(|any| !any.chosen)
    }

    /// The person, or the login name somebody used.
    fn who(event: &SecurityEvent) -> Option<&str> {
        event.person_name.as_deref().or(event.login.as_deref())
    }

    /// The route and whatever else is known, in words.
    fn detail(event: &SecurityEvent) -> String {
        let route = event.route.iter().map(|route| format!("at {route}"));
        let pairs = event.detail.as_object().into_iter().flatten();
        // An id says nothing to a reader; the trail has it.
        let pairs = pairs.filter(|(name, _)| !name.ends_with("_id"));
        let pairs = pairs.map(|(name, value)| format!("{} {}", name.replace('_', " "), plain(value)));
        route.chain(pairs).collect::<Vec<_>>().join(", ")
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(label) if label.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') => {
            label.replace('_', " ")
        }
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        Value::Array(parts) => parts.iter().map(plain).collect::<Vec<_>>().join(" and "),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

/// The fields of the form, kept as typed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SupportForm {
    /// The client to look into.
    pub(crate) client_code: String,
    /// Why.
    pub(crate) reason: String,
    /// For how long.
    pub(crate) minutes: String,
    /// Checked by the gateway.
    #[serde(rename = "csrf_token")]
    _csrf_token: String,
}

/// The page `/support`.
#[derive(Template)]
#[template(path = "setup/support.html")]
pub(crate) struct SupportPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// What was typed.
    pub(crate) form: SupportForm,
    /// Why the last try was refused.
    pub(crate) refusal: Option<String>,
    /// What is wrong with the form.
    pub(crate) mistakes: Mistakes,
}

impl SupportPage {
    /// The entry of the navigation this page belongs to.
    const SECTION: &'static str = "/support";
    /// How long it can be.
    const MINUTES: [u8; 3] = [15, 30, 60];
}
