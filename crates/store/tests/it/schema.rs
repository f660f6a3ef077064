//! Every declared statement against the migrated schema: parameters, columns, nulls, rights and indexes.

use std::collections::BTreeSet;

use store::Describe;
use testkit::Database;
use tokio_postgres::Client;

use crate::fill::fill;
use crate::plan::{self, Explained, Plan};
use crate::shape;

/// Who runs statements: the services, and the owner for what the command line does.
const ROLES: &[&str] =
    &["youtility_auth", "youtility_web", "youtility_worker", "youtility_bridge", "youtility_health", OWNER];
const OWNER: &str = "youtility_owner";

/// Statements that the command line runs as owner, and no service may.
const ONLY_OWNER: &[(&str, &str)] = &[
    ("store::broker::ACCOUNTS", "writing the broker's files"),
    ("store::broker::SET_PASSWORD", "giving a device a password"),
    ("store::broker::USERNAME", "giving a device a password"),
    ("store::client::GRANT", "seeding"),
    ("store::client::INSERT", "seeding"),
    ("store::device::INSERT", "seeding"),
    ("store::device::INSERT_RULE", "seeding"),
    ("store::escalation::INSERT", "seeding"),
    ("store::group::INSERT", "seeding"),
    ("store::group::JOIN", "seeding"),
    ("store::person::ADMIT", "seeding"),
    ("store::person::GRANT", "seeding"),
    ("store::person::INSERT", "seeding"),
    ("store::select2::CLEAR", "cleaning up by hand"),
    ("store::select2::COUNT_DUE", "cleaning up by hand"),
    ("store::select2::LISTS", "cleaning up by hand"),
    ("store::select2::STATS", "cleaning up by hand"),
    ("store::session::COUNT_ENDED", "cleaning up by hand"),
    ("store::sign_in::COUNTERS", "cleaning up by hand"),
    ("store::sign_in::RESET", "cleaning up by hand"),
    ("store::sign_in::SET_CREDENTIAL", "seeding"),
    ("store::site::INSERT", "seeding"),
    ("store::trail::VERIFY", "by hand, as the owner"),
    ("store::trail::HEAD", "by hand, as the owner"),
    ("store::trail::COUNT_WAITING", "by hand, as the owner"),
    ("store::trail::FIRST", "by hand, as the owner"),
    ("store::trail::HASH", "by hand, as the owner"),
    ("store::trail::UNKNOWN", "by hand, as the owner"),
    ("store::user::TAKE_CLIENT", "by hand, as the owner"),
];

/// Functions whose results are not null, except in columns declared as `Option`.
const NEVER_NULL_FUNCTIONS: &[&str] = &[
    "audit_for_operator",
    "clean_up_accounts",
    "clean_up_mail",
    "clean_up_request_rates",
    "clean_up_sign_in_attempts",
    "clean_up_telemetry",
    "cleanup_expired_sessions",
    "cleanup_select2_cache",
    "clients_for_operator",
    "clock_timestamp",
    "drop_daily_partitions",
    "end_elevation",
    "end_secret_mails",
    "ensure_daily_partitions",
    "find_account_token",
    "find_api_key",
    "find_broker_account",
    "find_credential",
    "find_recovery_recipient",
    "find_refresh_token",
    "find_session",
    "find_sign_in_step",
    "forget_guesses",
    "list_client_ids",
    "lookup_people",
    "record_security_events",
    "refresh_select2_materialized_views",
    "reserve_guess",
    "reserve_sign_in_attempt",
    "reset_sign_in_limits",
    "resolve_devices",
    "seal_audit_trail",
    "search_tickets",
    "security_events_of_nobody",
    "settle_sign_in_attempt",
    "take_request_tokens",
    "unlock_person",
    "verify_audit_trail",
];

/// Columns that are not null although the catalogue cannot say so, with the reason.
const NEVER_NULL: &[(&str, &str)] = &[
    ("store::mail::NEWS is_mailed", "exists (…)"),
    ("store::mail::RECIPIENTS is_outside", "constants"),
    ("store::mail::RECIPIENTS email", "lower (…) of a column the filter wants not null"),
    ("store::operator::RECIPIENTS email", "lower (…) of a column the filter wants not null"),
    ("store::operator::RECIPIENTS is_outside", "a constant"),
    ("store::outbox::COUNT_DOMAIN 1", "a column of the row just written"),
    ("store::outbox::LEFT_UNTIL_TURN 1", "coalesce (…)"),
    ("store::outbox::RESERVE is_due", "compares a column of the row just written"),
    ("store::outbox::RESERVE turn_at", "a column of the row just written, less a constant"),
    ("store::select2::LISTS changed", "exists (…)"),
    ("store::site::EXISTS 1", "exists (…)"),
    ("store::account_token::ADDRESSEE email", "a column the filter wants not null"),
    ("store::api_key::LIST capabilities", "array (…)"),
    ("store::elevation::BEGIN 1", "a column the filter wants not null"),
    ("store::handset::TERMS is_imei_allowed", "exists (…)"),
    ("store::handset::TERMS is_network_allowed", "exists (…)"),
    ("store::trail::HEAD hash", "encode (…) of a column that is not null"),
    ("store::user::GET capabilities", "array (…)"),
    ("store::user::GET effective_capabilities", "array (…)"),
    ("store::user::GET groups", "array (…)"),
    ("store::user::GET has_second_factor", "exists (…)"),
    ("store::user::GET sites", "array (…)"),
    ("store::user::GROUPS capabilities", "array (…)"),
    ("store::user::GROUPS members", "count (…)"),
    ("store::trail::HASH 1", "encode (…) of a column that is not null"),
    ("store::trail::UNKNOWN 1", "a column of the key of both trails"),
];

/// Statements that read more of a table than they return, with the reason.
const WITHOUT_INDEX: &[(&str, &str)] = &[
    (
        "store::escalation::OVERDUE every row of the client in ticket",
        "the partial index of open tickets, oldest first; how old is too old stands in the rule",
    ),
    ("store::handset::CLEAR_IMEIS every row of the client in client_imei", "all of them go"),
    ("store::handset::CLEAR_NETWORKS every row of the client in client_network", "all of them go"),
    ("store::handset::IMEIS every row of the client in client_imei", "all of them are shown"),
    ("store::handset::NETWORKS every row of the client in client_network", "all of them are shown"),
    ("store::outbox::BOUNCES every row of the client in mail_bounce", "by hand; the latest of them"),
    ("store::select2::CLEAR every row of the client in client", "by hand, as the owner, over all clients"),
    ("store::select2::COUNT_DUE every row of the client in select2_cache", "by hand, as the owner"),
    ("store::select2::STATS every row of the client in client", "by hand, as the owner, over all clients"),
    ("store::session::COUNT_ENDED every row of the client in session", "by hand, as the owner"),
    (
        "store::site::LIST every row of the client in site",
        "the sites of a client are few, and most are shown",
    ),
    (
        "store::api_key::COUNT_LIVE every row of the client in api_key",
        "a client has few keys, and the limit is on them",
    ),
    ("store::broker::ACCOUNTS every row of the client in client", "by hand, as the owner, over all clients"),
    (
        "store::handset::TERMS every row of the client in client_network",
        "a client has few networks, and all are compared",
    ),
    ("store::user::GET every row of the client in client_capability", "a client has at most a dozen"),
];

/// Checks statements as the schema test does.
pub(crate) struct Checker {
    admin: Client,
    by_role: Vec<(&'static str, Client)>,
}

impl Checker {
    pub(crate) async fn new(db: &Database) -> Self {
        fill(db).await;
        let mut by_role = Vec::new();
        for role in ROLES {
            let client = db.admin().await;
            plan::plan_as(&client, role).await;
            by_role.push((*role, client));
        }
        Self { admin: db.admin().await, by_role }
    }

    /// Everything that is wrong with a statement.
    pub(crate) async fn findings(&self, declared: &dyn Describe) -> Vec<String> {
        let prepared = match self.admin.prepare(declared.sql()).await {
            Ok(prepared) => prepared,
            Err(error) => {
                let said =
                    error.as_db_error().map_or_else(|| error.to_string(), |said| said.message().to_owned());
                return vec![format!("does not prepare: {said}")];
            }
        };
        let mut findings = shape::findings(declared, &prepared);
        let mut plan_of_any = None;
        let mut services = 0;
        for (role, client) in &self.by_role {
            if *role == OWNER && services > 0 {
                continue;
            }
            if let Explained::As(plan) = plan::explain(client, declared.sql(), prepared.params().len()).await
            {
                if *role != OWNER {
                    findings.extend(without_index(declared, role, &plan));
                    services += 1;
                }
                plan_of_any = Some(plan);
            }
        }
        match plan_of_any {
            Some(plan) => findings.extend(self.nulls(declared, &prepared, &plan).await),
            None => findings.push("nobody may run it".to_owned()),
        }
        if services == 0 && !is_listed(ONLY_OWNER, declared.name()) {
            findings.push("no service's role may run it".to_owned());
        }
        findings
    }

    /// Columns read as never null that may be.
    async fn nulls(
        &self,
        declared: &dyn Describe,
        prepared: &tokio_postgres::Statement,
        plan: &Plan,
    ) -> Vec<String> {
        let mut optional = plan.optional_relations();
        if !optional.is_empty() {
            optional.extend(plan.subqueries());
        }
        let mut findings = Vec::new();
        for (index, column) in declared.columns().iter().enumerate().filter(|(_, column)| !column.nullable) {
            let Some(found) = shape::position(column, index, prepared) else { continue };
            let label = shape::label(column, found);
            let in_table = shape::never_null_in_table(&self.admin, &prepared.columns()[found]).await;
            let expression = plan.output(found);
            let sure = if in_table {
                !is_of(expression, &optional)
            } else {
                cannot_be_null(expression) || NEVER_NULL_FUNCTIONS.contains(&plan.function(found))
            };
            if !sure && !is_listed(NEVER_NULL, &format!("{} {label}", declared.name())) {
                findings.push(format!("column {label} may be null ({expression}), read as {}", column.rust));
            }
        }
        findings
    }
}

/// Whether an output column belongs to one of the relations.
fn is_of(expression: &str, relations: &BTreeSet<String>) -> bool {
    expression.rsplit_once('.').is_some_and(|(relation, _)| relations.contains(relation))
}

/// Whether an expression has a value whatever its inputs are.
fn cannot_be_null(expression: &str) -> bool {
    let bare = expression.trim_matches(['(', ')']);
    ["COALESCE(", "count(", "EXISTS(", "ARRAY(", "now("].iter().any(|start| bare.starts_with(start))
        || ["IS NULL", "IS NOT NULL"].iter().any(|end| bare.ends_with(end))
}

fn without_index(declared: &dyn Describe, role: &str, plan: &Plan) -> Vec<String> {
    let listed = |table: &String| is_listed(WITHOUT_INDEX, &format!("{} {table}", declared.name()));
    let unserved = plan.unserved();
    unserved.iter().filter(|table| !listed(table)).map(|table| format!("reads as {role}: {table}")).collect()
}

fn is_listed(list: &[(&str, &str)], entry: &str) -> bool {
    list.iter().any(|(known, _reason)| *known == entry)
}

#[tokio::test]
async fn every_statement_fits_the_schema() {
    let db = Database::create().await;
    let checker = Checker::new(&db).await;
    let mut findings = Vec::new();
    for statement in store::all_statements() {
        let found = checker.findings(statement).await;
        findings.extend(found.iter().map(|what| format!("{}: {what}", statement.name())));
    }
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

#[test]
fn names_of_statements_are_unique_and_every_module_is_listed() {
    let statements = store::all_statements();
    let names: BTreeSet<&str> = statements.iter().map(|statement| statement.name()).collect();
    assert_eq!(names.len(), statements.len());
    let listed: BTreeSet<String> =
        names.iter().map(|name| name.split("::").nth(1).unwrap().to_owned()).collect();
    let sources = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap();
    let with_queries: BTreeSet<String> = sources
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file() && path.file_stem().unwrap() != "statement")
        .filter(|path| std::fs::read_to_string(path).unwrap().contains("queries! {"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(listed, with_queries);
}
