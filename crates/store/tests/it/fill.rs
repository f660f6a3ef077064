//! Rows enough that the planner chooses as it would in production.

use testkit::Database;

/// One client with 200 sites, 20,000 people, every tenth in one of 500 groups, 2,000 devices with two rules each, and 20,000 tickets with
/// 60,000 lines of history. Everybody has a session, a known device, a passkey, a handset, and links that ended.
const ROWS: &str = "
    insert into client (client_id, code, name)
    values ('01900000-0000-7000-8000-000000000000', 'FULL', 'Full Ltd');

    insert into site (client_id, id, code, name)
    select client_id, gen_random_uuid(), 'S' || n, 'Site ' || n
      from client, generate_series(1, 200) as n;

    insert into person (client_id, id, code, name, email)
    select client_id, gen_random_uuid(), 'P' || n, 'Person ' || n, 'person' || n || '@example.com'
      from client, generate_series(1, 20000) as n;

    insert into person_group (client_id, id, code, name)
    select client_id, gen_random_uuid(), 'G' || n, 'Group ' || n
      from client, generate_series(1, 500) as n;

    insert into person_group_member (client_id, group_id, person_id)
    select client_id, team.id, someone.id
      from (select client_id, id, row_number() over () as n from person) as someone
      join (select id, row_number() over () as n from person_group) as team on team.n = 1 + someone.n / 10 % 500
     where someone.n % 10 = 0;

    insert into device (client_id, id, site_id, code, name, broker_username, broker_password_hash)
    select client_id, gen_random_uuid(), place.id, 'D' || number, 'Device ' || number, 'FULL.D' || number, '$7$'
      from generate_series(1, 2000) as number
      join (select client_id, id, row_number() over () as n from site) as place on place.n = 1 + number % 200;

    insert into alarm_rule (client_id, id, device_id, metric, comparison, threshold, priority)
    select client_id, gen_random_uuid(), id, metric, 'ABOVE', 70, 'HIGH'
      from device, unnest(array['temperature', 'pressure']) as metric;

    insert into ticket (client_id, id, number, site_id, title, priority, source, assignee_id, correlation_id,
                        created_at, state)
    select place.client_id, gen_random_uuid(), number, place.id, 'Leak ' || number, 'LOW', 'PERSON', someone.id,
           gen_random_uuid(), now() - number * interval '1 minute',
           case when number % 20 = 0 then 'OPEN' else 'CLOSED' end
      from generate_series(1, 20000) as number
      join (select client_id, id, row_number() over () as n from site) as place on place.n = 1 + number % 200
      join (select id, row_number() over () as n from person) as someone on someone.n = 1 + number % 20000;

    insert into ticket_event (client_id, id, ticket_id, kind, detail, correlation_id)
    select client_id, gen_random_uuid(), id, 'COMMENTED', 'A word', correlation_id
      from ticket, generate_series(1, 3);

    insert into ticket_attachment (client_id, id, ticket_id, file_name, media_type, size_bytes, sha256, storage_key)
    select client_id, gen_random_uuid(), id, 'leak.jpg', 'image/jpeg', 1000, sha256(id::text::bytea),
           client_id || '/' || gen_random_uuid()
      from ticket;

    insert into mail (client_id, id, created_at, kind, subject_kind, subject_id, cause_id, part, domain, recipients,
                      subject, text_body, html_body, body_kept, correlation_id)
    select client_id, gen_random_uuid(), now() - number * interval '10 seconds', 'ticket', 'ticket', gen_random_uuid(),
           gen_random_uuid(), 0, 'example.com', '[{}]', 'News', '', '', true, gen_random_uuid()
      from client, generate_series(1, 20000) as number;

    insert into mail_bounce (client_id, email, mail_id, reason, bounced_at, suppressed_until)
    select client_id, 'person' || number || '@example.com', gen_random_uuid(), 'gone', now(), now()
      from client, generate_series(1, 2000) as number;

    insert into mail_turn (client_id, domain, free_at)
    select client_id, 'd' || number || '.example.com', now()
      from client, generate_series(1, 2000) as number;

    insert into mail_domain (domain, free_at)
    select 'd' || number || '.example.com', now()
      from generate_series(1, 2000) as number;

    insert into session (client_id, id, person_id, token_hash, idle_expires_at, expires_at)
    select client_id, gen_random_uuid(), id, sha256(id::text::bytea), now() + interval '1 hour', now() + interval '1 day'
      from person;

    insert into known_device (client_id, id, person_id, token_hash, expires_at)
    select client_id, gen_random_uuid(), id, sha256(id::text::bytea), now() + interval '180 days'
      from person;

    insert into recovery_code (client_id, person_id, code_hash)
    select client_id, id, sha256((id::text || number)::bytea)
      from person, generate_series(1, 10) as number
     where code like '%7';

    insert into passkey (client_id, id, person_id, credential_id, name, public_part)
    select client_id, gen_random_uuid(), id, sha256(id::text::bytea), 'Key', '{}'
      from person;

    insert into account_token (client_id, id, person_id, purpose, token_hash, email, expires_at)
    select client_id, gen_random_uuid(), id, 'RESET', sha256(id::text::bytea), email, now()
      from person;

    insert into sign_in_step (client_id, id, person_id, token_hash, expires_at)
    select client_id, gen_random_uuid(), id, sha256(id::text::bytea), now()
      from person
     where code like '%5';

    insert into handset (client_id, id, person_id, device_key)
    select client_id, gen_random_uuid(), id, code
      from person;

    insert into refresh_token (client_id, id, session_id, token_hash, expires_at)
    select client_id, gen_random_uuid(), id, sha256((id::text || number)::bytea), now()
      from session, generate_series(1, 3) as number;

    insert into api_key (client_id, id, person_id, name, token_hash, hint, created_by, expires_at)
    select client_id, gen_random_uuid(), id, 'Key of ' || code, sha256(id::text::bytea), 'abcd', id, now()
      from person
     where code like '%3';

    insert into api_key_scope (client_id, key_id, capability)
    select client_id, id, capability
      from api_key, unnest(array['WEB', 'REPORT']) as capability;

    insert into client_capability (client_id, capability)
    select client_id, capability
      from client, unnest(array['WEB', 'ADMIN']) as capability;

    insert into person_capability (client_id, person_id, capability)
    select client_id, id, 'WEB'
      from person;

    insert into person_site (client_id, person_id, site_id)
    select person.client_id, person.id, place.id
      from person
      join (select id, row_number() over () as n from site) as place on place.n < 4
     where person.code like '%1';

    insert into group_capability (client_id, group_id, capability)
    select client_id, id, 'WEB'
      from person_group;

    insert into elevation (client_id, id, person_id, session_id, target_client_id, reason, expires_at, ended_at)
    select client_id, gen_random_uuid(), person_id, id, client_id, 'to see why', now(), now()
      from session
     limit 2000;

    insert into security_event (client_id, id, at, kind, correlation_id)
    select client_id, gen_random_uuid(), now() - number * interval '5 seconds', 'sign_in_failed', gen_random_uuid()
      from client, generate_series(1, 20000) as number;

    insert into audit_event (client_id, id, at, action, subject_kind, correlation_id)
    select client_id, gen_random_uuid(), now() - number * interval '5 seconds', 'seen', 'ticket', gen_random_uuid()
      from client, generate_series(1, 2000) as number;

    analyze";

/// Fills a database.
pub(crate) async fn fill(db: &Database) {
    db.admin().await.batch_execute(ROWS).await.unwrap();
}
