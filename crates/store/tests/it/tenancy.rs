//! Tenancy and least rights, over the whole catalogue: what the next migration forgets is found here.

use testkit::Database;

/// The roles services connect as.
const SERVICES: &[&str] =
    &["youtility_auth", "youtility_web", "youtility_worker", "youtility_bridge", "youtility_health"];

/// Tables of no tenant, with the reason.
const WITHOUT_TENANT: &[(&str, &str)] = &[
    ("auth_rate_limit_attempts", "attempts with login names that may be nobody's"),
    ("mail_domain", "the limit of a mail domain holds over all tenants"),
    ("mv_location_dropdown", "knows no row-level security; functions answer the rows of one tenant"),
    ("mv_people_dropdown", "knows no row-level security; functions answer the rows of one tenant"),
    ("refinery_schema_history", "the schema's own history"),
    ("request_rate", "keys of limits are hashes, made before anybody is known"),
    ("select2_change", "which list changed, of whichever tenant"),
    ("select2_list", "how old the lists of all tenants are"),
    ("sign_in_counter", "attempts are limited before anybody is known"),
    ("task", "the queue knows no tenants; a task carries one as a value"),
    ("task_action", "the queue knows no tenants"),
    ("task_attempt", "the queue knows no tenants"),
    ("task_dead_letter", "the queue knows no tenants"),
    ("task_dependency", "the queue knows no tenants"),
    ("task_history", "the queue knows no tenants"),
    ("task_key", "the queue knows no tenants"),
    ("task_kind", "the queue's settings"),
    ("task_queue", "the queue's settings"),
    ("task_schedule", "the queue's settings"),
    ("task_tenant", "the queue's counters"),
    ("task_worker", "the queue's processes"),
    ("telemetry_dead_letter", "messages of senders that may be nobody's"),
];

/// The tenant tables: those with a column `client_id`, partitions aside.
const TENANT_TABLES: &str = "
    tenant_table as (
        select relation.oid, relation.relname, relation.relrowsecurity, relation.relforcerowsecurity, attnum
          from pg_class as relation
          join pg_attribute on attrelid = relation.oid and attname = 'client_id'
         where relation.relnamespace = 'public'::regnamespace
           and relation.relkind in ('r', 'p') and not relation.relispartition)";

/// Runs a statement that lists what is wrong, one text a row.
async fn listed(db: &Database, sql: &str) -> Vec<String> {
    let rows = db.admin().await.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn list_tenant_tables(db: &Database, which: &str) -> Vec<String> {
    listed(db, &format!("with {TENANT_TABLES} select relname::text from tenant_table where {which}")).await
}

#[tokio::test]
async fn every_tenant_table_forces_row_level_security() {
    let db = Database::create().await;
    assert!(list_tenant_tables(&db, "true").await.len() > 15);
    let bare = list_tenant_tables(&db, "not (relrowsecurity and relforcerowsecurity)").await;
    assert_eq!(bare, Vec::<String>::new(), "row-level security is not enabled and forced");
    let without_policy = list_tenant_tables(
        &db,
        "not exists (select from pg_policy
                      where polrelid = tenant_table.oid and polname = 'tenant' and polroles = '{0}' and polpermissive
                        and polcmd = '*' and pg_get_expr(polqual, polrelid) like '(client_id = %client_id%')",
    )
    .await;
    assert_eq!(without_policy, Vec::<String>::new(), "no policy `tenant`");
}

#[tokio::test]
async fn only_the_definer_sees_more_than_one_tenant() {
    let db = Database::create().await;
    let sql = "select polrelid::regclass || ': ' || polname
                 from pg_policy
                where not (polname = 'tenant' and polroles = '{0}')
                  and not (polname = 'definer' and polroles = array['youtility_definer'::regrole::oid])";
    assert_eq!(listed(&db, sql).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_tenant_leads_every_primary_key() {
    let db = Database::create().await;
    let wrong = list_tenant_tables(
        &db,
        "not exists (select from pg_constraint where conrelid = tenant_table.oid and contype = 'p' and conkey[1] = attnum)",
    )
    .await;
    assert_eq!(wrong, Vec::<String>::new());
}

#[tokio::test]
async fn foreign_keys_between_tenant_tables_carry_the_tenant() {
    let db = Database::create().await;
    let sql = format!(
        "with {TENANT_TABLES}
         select conname::text
           from pg_constraint
           join tenant_table as near on near.oid = conrelid
           join tenant_table as far on far.oid = confrelid
          where contype = 'f' and conparentid = 0
            and not exists (select from unnest(conkey, confkey) as pair (near_key, far_key)
                             where near_key = near.attnum and far_key = far.attnum)"
    );
    assert_eq!(listed(&db, &sql).await, Vec::<String>::new());
}

#[tokio::test]
async fn tables_without_a_tenant_are_known() {
    let db = Database::create().await;
    let sql = format!(
        "with {TENANT_TABLES}
         select relname::text
           from pg_class
          where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'm', 'f') and not relispartition
            and oid not in (select oid from tenant_table)
          order by relname"
    );
    let known: Vec<&str> = WITHOUT_TENANT.iter().map(|(table, _reason)| *table).collect();
    assert_eq!(listed(&db, &sql).await, known);
}

#[tokio::test]
async fn services_are_not_superusers_and_own_nothing() {
    let db = Database::create().await;
    let sql = "select rolname::text
                 from pg_roles
                where rolname like 'youtility%'
                  and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication)";
    assert_eq!(listed(&db, sql).await, Vec::<String>::new());
    let roles = SERVICES.join("', '");
    let owned = format!(
        "select relname::text from pg_class where relowner::regrole::text in ('{roles}')
          union all
         select proname::text from pg_proc where proowner::regrole::text in ('{roles}')
          union all
         select member::regrole::text from pg_auth_members where member::regrole::text in ('{roles}')"
    );
    assert_eq!(listed(&db, &owned).await, Vec::<String>::new());
}

#[tokio::test]
async fn only_auth_reads_what_proves_somebody() {
    let db = Database::create().await;
    for (table, column) in [
        ("credential", "password_hash"),
        ("device", "broker_password_hash"),
        ("totp", "sealed"),
        ("recovery_code", "code_hash"),
        ("passkey", "public_part"),
        ("refresh_token", "token_hash"),
        ("api_key", "token_hash"),
    ] {
        let sql = format!(
            "select role
               from unnest('{{{}}}'::text[]) as role
              where has_column_privilege(role, '{table}', '{column}', 'select')",
            SERVICES.join(",")
        );
        assert_eq!(listed(&db, &sql).await, ["youtility_auth"], "{table}.{column}");
    }
}

#[tokio::test]
async fn partitions_are_reached_through_their_parents_only() {
    let db = Database::create().await;
    let sql = format!(
        "select relname || ': ' || role
           from pg_class, unnest('{{{}}}'::text[]) as role
          where relispartition and relkind in ('r', 'p')
            and has_table_privilege(role, oid, 'select, insert, update, delete, truncate')",
        SERVICES.join(",")
    );
    assert_eq!(listed(&db, &sql).await, Vec::<String>::new());
}

#[tokio::test]
async fn no_service_may_change_the_schema_or_the_tenants() {
    let db = Database::create().await;
    let sql = format!(
        "select role || ' may ' || what
           from unnest('{{{}}}'::text[]) as role,
                lateral (values ('create in the schema', has_schema_privilege(role, 'public', 'create')),
                                ('change tenants', has_table_privilege(role, 'client', 'insert, update, delete')),
                                ('truncate', has_table_privilege(role, 'ticket', 'truncate'))) as right_to (what, given)
          where given",
        SERVICES.join(",")
    );
    assert_eq!(listed(&db, &sql).await, Vec::<String>::new());
}

#[tokio::test]
async fn functions_of_the_definer_are_closed_and_fix_their_search_path() {
    let db = Database::create().await;
    let sql = "select proname::text
                 from pg_proc
                where pronamespace = 'public'::regnamespace and prosecdef
                  and (proconfig is null
                       or not 'search_path=public, pg_temp' = any (proconfig)
                       or (prorettype <> 'trigger'::regtype and has_function_privilege('public', oid, 'execute')))";
    assert_eq!(listed(&db, sql).await, Vec::<String>::new());
}
