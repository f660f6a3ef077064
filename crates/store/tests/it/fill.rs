//! Rows enough that the planner chooses as it would in production.

use testkit::Database;

/// One client with 200 sites, 20,000 people, every tenth in one of 500 groups, 2,000 devices with two rules each, and 20,000 tickets with
/// 60,000 lines of history.
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

    analyze";

/// Fills a database.
pub(crate) async fn fill(db: &Database) {
    db.admin().await.batch_execute(ROWS).await.unwrap();
}
