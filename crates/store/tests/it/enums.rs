//! Enums stored as text: the check constraint and the Rust enum know the same labels.

use std::collections::BTreeSet;

use domain::Capability;
use domain::account::{CeremonyPurpose, SecondFactorRule, TokenPurpose};
use domain::mail::MailState;
use domain::telemetry::Comparison;
use domain::text::TextEnum;
use domain::ticket::{TicketEventKind, TicketPriority, TicketSource, TicketState};
use testkit::Database;

/// Which enum a check constraint stands for.
pub(crate) const ENUMS: &[(&str, &[&str])] = &[
    ("account_token_purpose_check", TokenPurpose::LABELS),
    ("alarm_rule_comparison_check", Comparison::LABELS),
    ("alarm_rule_priority_check", TicketPriority::LABELS),
    ("api_key_scope_check", Capability::LABELS),
    ("client_capability_check", Capability::LABELS),
    ("client_second_factor_check", SecondFactorRule::LABELS),
    ("escalation_rule_priority_check", TicketPriority::LABELS),
    ("group_capability_check", Capability::LABELS),
    ("mail_state_check", MailState::LABELS),
    ("passkey_ceremony_purpose_check", CeremonyPurpose::LABELS),
    ("person_capability_check", Capability::LABELS),
    // A key's sessions are not stored.
    ("session_kind_check", &["WEB", "MOBILE"]),
    ("ticket_event_kind_check", TicketEventKind::LABELS),
    ("ticket_priority_check", TicketPriority::LABELS),
    ("ticket_source_check", TicketSource::LABELS),
    ("ticket_state_check", TicketState::LABELS),
];

/// Lists of words that no Rust code reads, with the reason.
pub(crate) const ONLY_IN_SQL: &[(&str, &str)] = &[
    ("audit_mark_trail_check", "written and read by the functions that seal the trails"),
    ("audit_seal_trail_check", "written and read by the functions that seal the trails"),
    (
        "auth_rate_limit_attempts_outcome_check",
        "read by the functions of sign-in only; Rust names three of them",
    ),
    ("client_state_check", "compared in SQL only; nothing in Rust shows a stopped client"),
];

#[tokio::test]
async fn labels_of_checks_and_of_enums_are_the_same() {
    let db = Database::create().await;
    let sql = "select conname, pg_get_constraintdef(oid)
                 from pg_constraint
                where contype = 'c' and connamespace = 'public'::regnamespace and coninhcount = 0
                order by conname";
    let mut met = BTreeSet::new();
    for row in db.admin().await.query(sql, &[]).await.unwrap() {
        let (name, definition): (String, String) = (row.get(0), row.get(1));
        if !definition.contains("= ANY (") || name.starts_with("task_") {
            continue;
        }
        met.insert(name.clone());
        let labels: BTreeSet<&str> = definition.split('\'').skip(1).step_by(2).collect();
        match ENUMS.iter().find(|(constraint, _)| *constraint == name) {
            Some((_, expected)) => assert_eq!(labels, expected.iter().copied().collect(), "{name}"),
            None => assert!(ONLY_IN_SQL.iter().any(|(known, _)| *known == name), "{name} has no enum"),
        }
    }
    for (constraint, _) in ENUMS {
        assert!(met.contains(*constraint), "{constraint} does not exist");
    }
}
