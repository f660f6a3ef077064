//! Every named constraint is mapped to words for the client, or known to be beyond a client's reach.

use std::collections::BTreeSet;

use testkit::Database;

use crate::enums::{ENUMS, ONLY_IN_SQL};

/// Constraints that only a mistake of ours can break, by reason.
const BEYOND_CLIENTS: &[(&str, &[&str])] = &[
    (
        "written by seeding, as owner",
        &["device_broker_password_hash_check", "client_imei_check", "device_broker_username_check"],
    ),
    (
        "made by auth, from what it has just read or made",
        &[
            "account_token_hash_check",
            "account_token_hash_key",
            "account_token_person_fkey",
            "api_key_creator_fkey",
            "api_key_hint_check",
            "api_key_scope_key_fkey",
            "api_key_token_hash_check",
            "api_key_token_hash_key",
            "auth_rate_limit_attempts_username_check",
            "credential_password_hash_check",
            "elevation_person_fkey",
            "elevation_session_key",
            "handset_device_key_check",
            "handset_imei_check",
            "handset_model_check",
            "handset_person_fkey",
            "known_device_person_fkey",
            "known_device_token_hash_check",
            "known_device_token_hash_key",
            "known_device_user_agent_check",
            "passkey_ceremony_person_fkey",
            "passkey_person_fkey",
            "person_capability_person_fkey",
            "recovery_code_hash_check",
            "recovery_code_person_fkey",
            "refresh_token_hash_check",
            "refresh_token_hash_key",
            "refresh_token_session_fkey",
            "request_rate_key_check",
            "session_access_check",
            "session_expires_check",
            "session_factors_check",
            "session_handset_fkey",
            "session_person_fkey",
            "session_token_hash_check",
            "session_token_hash_key",
            "session_user_agent_check",
            "sign_in_counter_attempts_check",
            "sign_in_step_person_fkey",
            "sign_in_step_token_hash_check",
            "sign_in_step_token_hash_key",
            "totp_key_name_check",
            "totp_person_fkey",
            "totp_sealed_check",
        ],
    ),
    (
        "events are cut and merged before they are written; seals are made by the function that seals",
        &[
            "audit_seal_hash_check",
            "security_event_detail_check",
            "security_event_kind_check",
            "security_event_login_check",
            "security_event_route_check",
            "security_event_times_check",
        ],
    ),
    (
        "devices are resolved and readings parsed before they are written; a message that still breaks one becomes a \
         dead letter",
        &[
            "device_latest_device_fkey",
            "telemetry_dead_letter_reason_check",
            "telemetry_dead_letter_sqlstate_check",
            "telemetry_dead_letter_topic_check",
            "telemetry_misdated_device_fkey",
            "telemetry_reading_device_fkey",
            "telemetry_reading_metric_check",
        ],
    ),
    (
        "mail is posted by use cases, which split, cut and clean what they are given",
        &[
            "mail_attempts_check",
            "mail_body_check",
            "mail_bounce_email_check",
            "mail_bounce_reason_check",
            "mail_bounce_refusal_days_check",
            "mail_bounce_reply_code_check",
            "mail_cause_key",
            "mail_domain_check",
            "mail_kind_check",
            "mail_part_check",
            "mail_reason_check",
            "mail_recipients_check",
            "mail_reply_code_check",
            "mail_subject_check",
            "mail_subject_kind_check",
        ],
    ),
    (
        "the cache's keys and answers are made by the use cases that keep them",
        &["select2_cache_key_check", "select2_cache_value_check"],
    ),
    (
        "written by triggers and refreshes only",
        &["mv_location_dropdown_key", "mv_people_dropdown_key", "select2_change_list_fkey"],
    ),
    (
        "ids, numbers, names and keys the use case has just read or made",
        &[
            "ticket_alarm_rule_fkey",
            "ticket_attachment_file_name_check",
            "ticket_attachment_media_type_check",
            "ticket_attachment_person_fkey",
            "ticket_attachment_sha256_check",
            "ticket_attachment_storage_key_check",
            "ticket_attachment_ticket_fkey",
            "ticket_created_by_fkey",
            "ticket_device_fkey",
            "ticket_event_assignee_fkey",
            "ticket_event_cause_fkey",
            "ticket_event_group_fkey",
            "ticket_event_mailed_key",
            "ticket_event_person_fkey",
            "ticket_event_ticket_fkey",
            "ticket_number_key",
        ],
    ),
];

/// Named constraints and unique indexes; not the queue's, not those to `client`, which row-level security guards first.
const CONSTRAINTS: &str = "
    select conname::text
      from pg_constraint
      join pg_class on pg_class.oid = conrelid
     where connamespace = 'public'::regnamespace and contype in ('c', 'u', 'f', 'x') and coninhcount = 0
       and confrelid is distinct from 'client'::regclass
       and relname !~ '^task(_|$)'
     union all
    select index.relname::text
      from pg_index
      join pg_class as index on index.oid = indexrelid
      join pg_class on pg_class.oid = indrelid
     where pg_class.relnamespace = 'public'::regnamespace and indisunique and not index.relispartition
       and pg_class.relname !~ '^task(_|$)'
       and not exists (select from pg_constraint where conindid = indexrelid)";

#[tokio::test]
async fn every_constraint_has_words_or_a_reason() {
    let db = Database::create().await;
    let rows = db.admin().await.query(CONSTRAINTS, &[]).await.unwrap();
    let existing: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    let mapped: BTreeSet<&str> = store::RULES.iter().map(|rule| rule.constraint).collect();
    assert_eq!(mapped.len(), store::RULES.len(), "a constraint is mapped twice");
    let ours: BTreeSet<&str> =
        BEYOND_CLIENTS.iter().flat_map(|(_reason, names)| names.iter().copied()).collect();
    let enums: BTreeSet<&str> =
        ENUMS.iter().map(|(name, _)| *name).chain(ONLY_IN_SQL.iter().map(|(name, _)| *name)).collect();
    let known: BTreeSet<&str> = mapped.union(&ours).copied().chain(enums).collect();
    let unknown: Vec<&String> = existing.iter().filter(|name| !known.contains(name.as_str())).collect();
    assert!(
        unknown.is_empty(),
        "map these in constraints.rs, or say why no client can break them: {unknown:#?}"
    );
    let gone: Vec<&&str> = known.iter().filter(|name| !existing.contains(**name)).collect();
    assert!(gone.is_empty(), "these constraints do not exist: {gone:#?}");
    let both: Vec<&&str> = mapped.intersection(&ours).collect();
    assert!(both.is_empty(), "these are listed as mapped and as beyond clients: {both:#?}");
}
