//! Constraints a client can break, and what each says to the client.
//!
//! The catalogue test fails on a named constraint that stands neither here nor in its list of constraints that only
//! a mistake of ours can break.

use domain::{FaultKind, FieldError};
use tokio_postgres::error::SqlState;

/// How a constraint is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// The key is taken.
    Taken,
    /// The thing referred to does not exist for this client.
    Unknown,
    /// The value breaks a rule.
    Value,
}

/// What a constraint means to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The constraint's name.
    pub constraint: &'static str,
    /// How it is broken.
    pub breach: Breach,
    /// JSON pointer to the field it speaks of; empty when it speaks of the whole.
    pub pointer: &'static str,
    /// What to do, as a sentence.
    pub detail: &'static str,
}

impl Rule {
    pub(crate) fn kind(&self) -> FaultKind {
        match self.breach {
            Breach::Taken => FaultKind::Conflict,
            Breach::Unknown | Breach::Value => FaultKind::Invalid,
        }
    }

    pub(crate) fn code(&self) -> &'static str {
        match self.breach {
            Breach::Taken => "already-exists",
            Breach::Unknown => "unknown-reference",
            Breach::Value => "value-refused",
        }
    }

    pub(crate) fn fields(&self) -> Vec<FieldError> {
        match self.breach {
            Breach::Taken => Vec::new(),
            Breach::Unknown | Breach::Value => vec![FieldError::new(self.pointer, self.detail)],
        }
    }
}

const fn rule(constraint: &'static str, breach: Breach, pointer: &'static str, detail: &'static str) -> Rule {
    Rule { constraint, breach, pointer, detail }
}

const CODE: &str = "use 1 to 50 letters, digits, `-` or `_`";
const NAME: &str = "use 1 to 200 characters";

/// Every constraint a client can break.
pub const RULES: &[Rule] = &[
    rule("client_code_key", Breach::Taken, "/code", "A client with this code exists."),
    rule("client_code_check", Breach::Value, "/code", CODE),
    rule("client_name_check", Breach::Value, "/name", NAME),
    rule("site_code_key", Breach::Taken, "/code", "A site with this code exists."),
    rule("site_code_check", Breach::Value, "/code", CODE),
    rule("site_name_check", Breach::Value, "/name", NAME),
    rule("person_code_key", Breach::Taken, "/code", "A person with this code exists."),
    rule("person_code_check", Breach::Value, "/code", CODE),
    rule("person_name_check", Breach::Value, "/name", "use 1 to 120 characters"),
    rule("person_email_check", Breach::Value, "/email", "use a mail address of at most 254 characters"),
    rule("person_group_code_key", Breach::Taken, "/code", "A group with this code exists."),
    rule("person_group_code_check", Breach::Value, "/code", CODE),
    rule("person_group_name_check", Breach::Value, "/name", NAME),
    rule("person_site_person_fkey", Breach::Unknown, "/person_id", "name a person of your client"),
    rule("person_site_site_fkey", Breach::Unknown, "/site_id", "name a site of your client"),
    rule("person_group_member_group_fkey", Breach::Unknown, "/group_id", "name a group of your client"),
    rule("person_group_member_person_fkey", Breach::Unknown, "/person_id", "name a person of your client"),
    rule("credential_login_key", Breach::Taken, "/login", "Somebody has this login name."),
    rule(
        "credential_login_check",
        Breach::Value,
        "/login",
        "use 3 to 50 letters, digits or any of - _ @ # . +",
    ),
    rule("credential_person_fkey", Breach::Unknown, "/person_id", "name a person of your client"),
    rule("api_key_name_key", Breach::Taken, "/name", "A key with this name exists."),
    rule("api_key_name_check", Breach::Value, "/name", "use 1 to 100 characters"),
    rule("api_key_networks_check", Breach::Value, "/networks", "name at most 50 networks"),
    rule("api_key_person_fkey", Breach::Unknown, "/person_id", "name a person of your client"),
    rule("passkey_name_check", Breach::Value, "/name", "use 1 to 100 characters"),
    rule("passkey_credential_key", Breach::Taken, "", "This passkey is at an account already."),
    rule(
        "passkey_credential_check",
        Breach::Value,
        "/credential",
        "use a passkey with an id of 16 to 1,023 bytes",
    ),
    rule("passkey_public_part_check", Breach::Value, "/credential", "use a passkey of at most 16 KiB"),
    rule("handset_bound_key", Breach::Taken, "/device_id", "The person works with another handset."),
    rule("group_capability_group_fkey", Breach::Unknown, "/group_id", "name a group of your client"),
    rule("elevation_reason_check", Breach::Value, "/reason", "use 10 to 500 characters"),
    rule("elevation_expires_check", Breach::Value, "/minutes", "use 1 to 60 minutes"),
    rule("device_code_key", Breach::Taken, "/code", "A device with this code exists."),
    rule("device_code_check", Breach::Value, "/code", CODE),
    rule("device_name_check", Breach::Value, "/name", NAME),
    rule("device_site_fkey", Breach::Unknown, "/site_id", "name a site of your client"),
    rule("device_broker_username_key", Breach::Taken, "/code", "A device with this broker name exists."),
    rule("alarm_rule_device_key", Breach::Taken, "/metric", "The device has such a rule for this metric."),
    rule("alarm_rule_device_fkey", Breach::Unknown, "/device_id", "name a device of your client"),
    rule("alarm_rule_assignee_fkey", Breach::Unknown, "/assignee_id", "name a person of your client"),
    rule("alarm_rule_group_fkey", Breach::Unknown, "/group_id", "name a group of your client"),
    rule("alarm_rule_metric_check", Breach::Value, "/metric", CODE),
    rule("escalation_rule_level_key", Breach::Taken, "/level", "There is a rule for this level."),
    rule("escalation_rule_level_check", Breach::Value, "/level", "use 1 to 10"),
    rule("escalation_rule_after_minutes_check", Breach::Value, "/after_minutes", "use 1 to 525,600 minutes"),
    rule("escalation_rule_site_fkey", Breach::Unknown, "/site_id", "name a site of your client"),
    rule("escalation_rule_person_fkey", Breach::Unknown, "/person_id", "name a person of your client"),
    rule("escalation_rule_group_fkey", Breach::Unknown, "/group_id", "name a group of your client"),
    rule(
        "escalation_rule_notify_check",
        Breach::Value,
        "/notify",
        "use mail addresses separated by commas, 2,000 characters at most",
    ),
    rule("ticket_site_fkey", Breach::Unknown, "/site_id", "name a site of your client"),
    rule("ticket_assignee_fkey", Breach::Unknown, "/assignee_id", "name a person of your client"),
    rule("ticket_group_fkey", Breach::Unknown, "/group_id", "name a group of your client"),
    rule("ticket_title_check", Breach::Value, "/title", "use one line of 1 to 200 characters"),
    rule("ticket_description_check", Breach::Value, "/description", "use at most 4,000 characters"),
    rule("ticket_alarm_key", Breach::Taken, "", "The alarm rule has an open ticket."),
    rule("ticket_event_detail_check", Breach::Value, "/detail", "use 1 to 8,000 characters"),
    rule("ticket_attachment_size_check", Breach::Value, "/size_bytes", "attach at most 500 MiB"),
];

/// The rule a statement broke, when a client can break it.
pub(crate) fn broken_by(error: &tokio_postgres::Error) -> Option<&'static Rule> {
    let broken = error.as_db_error()?;
    let is_constraint = [
        SqlState::UNIQUE_VIOLATION,
        SqlState::FOREIGN_KEY_VIOLATION,
        SqlState::CHECK_VIOLATION,
        SqlState::EXCLUSION_VIOLATION,
    ]
    .contains(broken.code());
    let name = broken.constraint().filter(|_| is_constraint)?;
    RULES.iter().find(|rule| rule.constraint == name)
}
