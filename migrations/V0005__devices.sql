-- Why: devices, their readings, the rules that turn readings into tickets, and what could not be read.
-- Kind: expand. Locks: share row exclusive on ticket while its two foreign keys are added; the table is new.

create table device (
    client_id            uuid        not null default current_client_id() references client,
    id                   uuid        not null,
    site_id              uuid        not null,
    code                 text        not null,
    name                 text        not null,
    broker_username      text        not null,
    broker_password_hash text        not null,
    enabled              boolean     not null default true,
    last_seen_at         timestamptz,
    created_at           timestamptz not null default now(),
    constraint device_pkey primary key (client_id, id),
    constraint device_code_key unique (client_id, code),
    constraint device_broker_username_key unique (broker_username),
    constraint device_site_fkey foreign key (client_id, site_id) references site (client_id, id),
    constraint device_code_check check (code ~ '^[A-Za-z0-9_-]{1,50}$'),
    constraint device_name_check check (length(name) between 1 and 200),
    constraint device_broker_username_check check (length(broker_username) between 3 and 101),
    constraint device_broker_password_hash_check check (length(broker_password_hash) between 1 and 500)
) with (fillfactor = 80);

-- A threshold on one metric of one device; the person and the group get the ticket.
create table alarm_rule (
    client_id   uuid             not null default current_client_id(),
    id          uuid             not null,
    device_id   uuid             not null,
    metric      text             not null,
    comparison  text             not null,
    threshold   double precision not null,
    priority    text             not null,
    assignee_id uuid,
    group_id    uuid,
    enabled     boolean          not null default true,
    constraint alarm_rule_pkey primary key (client_id, id),
    constraint alarm_rule_device_key unique (client_id, device_id, metric, comparison),
    constraint alarm_rule_device_fkey foreign key (client_id, device_id) references device (client_id, id),
    constraint alarm_rule_assignee_fkey foreign key (client_id, assignee_id) references person (client_id, id),
    constraint alarm_rule_group_fkey foreign key (client_id, group_id) references person_group (client_id, id),
    constraint alarm_rule_metric_check check (metric ~ '^[A-Za-z0-9_-]{1,50}$'),
    constraint alarm_rule_comparison_check check (comparison in ('ABOVE', 'BELOW')),
    constraint alarm_rule_priority_check check (priority in ('LOW', 'MEDIUM', 'HIGH'))
);

-- The message id refuses repeats; the day of measurement is in the key because the table is partitioned by it.
create table telemetry_reading (
    client_id   uuid             not null default current_client_id(),
    device_id   uuid             not null,
    message_id  uuid             not null,
    metric      text             not null,
    value       double precision not null,
    measured_at timestamptz      not null,
    received_at timestamptz      not null,
    constraint telemetry_reading_pkey primary key (client_id, device_id, message_id, metric, measured_at),
    constraint telemetry_reading_device_fkey foreign key (client_id, device_id) references device (client_id, id),
    constraint telemetry_reading_metric_check check (metric ~ '^[A-Za-z0-9_-]{1,50}$')
) partition by range (measured_at);
create table telemetry_reading_default partition of telemetry_reading default;
create index telemetry_reading_measured_idx on telemetry_reading using brin (measured_at) with (autosummarize = on);
select ensure_daily_partitions('telemetry_reading', (now() at time zone 'UTC')::date - 1, 9);

-- Messages whose device clock was off are filed under their arrival, which differs on a repeat: here the message id
-- alone refuses it.
create table telemetry_misdated (
    client_id   uuid        not null default current_client_id(),
    device_id   uuid        not null,
    message_id  uuid        not null,
    sent_at     timestamptz not null,
    received_at timestamptz not null,
    constraint telemetry_misdated_pkey primary key (client_id, device_id, message_id),
    constraint telemetry_misdated_device_fkey foreign key (client_id, device_id) references device (client_id, id)
);
create index telemetry_misdated_received_idx on telemetry_misdated (received_at);

-- The newest value of each metric; readings may arrive out of order.
create table device_latest (
    client_id   uuid             not null default current_client_id(),
    device_id   uuid             not null,
    metric      text             not null,
    value       double precision not null,
    measured_at timestamptz      not null,
    message_id  uuid             not null,
    constraint device_latest_pkey primary key (client_id, device_id, metric),
    constraint device_latest_device_fkey foreign key (client_id, device_id) references device (client_id, id)
) with (fillfactor = 70);

-- Messages that will never be readings, byte for byte, with the reason. Of any sender, so no tenant.
create table telemetry_dead_letter (
    id             uuid        not null,
    at             timestamptz not null default now(),
    topic          text        not null,
    payload        bytea       not null,
    reason         text        not null,
    sqlstate       text,
    correlation_id uuid        not null,
    constraint telemetry_dead_letter_pkey primary key (id),
    constraint telemetry_dead_letter_topic_check check (length(topic) <= 1000),
    constraint telemetry_dead_letter_reason_check check (length(reason) between 1 and 500),
    constraint telemetry_dead_letter_sqlstate_check check (length(sqlstate) = 5)
);
create index telemetry_dead_letter_topic_idx on telemetry_dead_letter (topic, at);
create index telemetry_dead_letter_at_idx on telemetry_dead_letter (at);

alter table ticket
    add constraint ticket_alarm_rule_fkey foreign key (client_id, alarm_rule_id) references alarm_rule (client_id, id),
    add constraint ticket_device_fkey foreign key (client_id, device_id) references device (client_id, id);

do $$
declare
    tenant_table text;
begin
    foreach tenant_table in array array[
        'device', 'alarm_rule', 'telemetry_reading', 'telemetry_misdated', 'device_latest'
    ] loop
        execute format('alter table %I enable row level security', tenant_table);
        execute format('alter table %I force row level security', tenant_table);
        execute format('create policy tenant on %I using (client_id = current_client_id())', tenant_table);
        execute format('create policy definer on %I to youtility_definer using (true)', tenant_table);
    end loop;
end
$$;

grant select (client_id, id, site_id, code, name, enabled, last_seen_at, created_at) on device
   to youtility_definer, youtility_web, youtility_worker, youtility_bridge;
grant update (last_seen_at) on device to youtility_bridge;
grant select (client_id, id, code, enabled, broker_username, broker_password_hash) on device to youtility_auth;
grant select on alarm_rule to youtility_web, youtility_worker, youtility_bridge;
grant select on telemetry_reading, device_latest to youtility_web, youtility_worker;
grant select, insert on telemetry_reading, telemetry_misdated to youtility_bridge;
grant select, insert, update on device_latest to youtility_bridge;
grant select, insert on telemetry_dead_letter to youtility_bridge;
grant select on telemetry_dead_letter to youtility_worker;
grant select, delete on telemetry_dead_letter, telemetry_misdated to youtility_definer;

-- The devices behind the codes of topics, over every client: enabled devices of active clients, ids only. `position` is
-- the pair's place in the arrays, from 1.
create function resolve_devices(p_client_codes text[], p_device_codes text[])
    returns table ("position" integer, client_id uuid, device_id uuid)
    language sql stable security definer set search_path = public, pg_temp as $$
        select wanted.position::integer, device.client_id, device.id
          from unnest(p_client_codes, p_device_codes) with ordinality as wanted (client_code, device_code, position)
          join client on client.code = wanted.client_code and client.state = 'ACTIVE'
          join device on device.client_id = client.client_id and device.code = wanted.device_code and device.enabled
    $$;
revoke all on function resolve_devices(text[], text[]) from public;
grant execute on function resolve_devices(text[], text[]) to youtility_bridge;
alter function resolve_devices(text[], text[]) owner to youtility_definer;

-- Removes what is kept for a time only, at most `p_limit` each: dead letters and the keys of misdated messages. Answers
-- how many rows went of which there were most; fewer than `p_limit` means that none are left.
create function clean_up_telemetry(p_days integer, p_limit integer) returns bigint
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    oldest_kept timestamptz := now() - make_interval(days => p_days);
    letters     bigint;
    keys        bigint;
begin
    delete from telemetry_dead_letter
     where id in (select id from telemetry_dead_letter where at < oldest_kept limit p_limit);
    get diagnostics letters = row_count;
    delete from telemetry_misdated
     where (client_id, device_id, message_id) in (
               select client_id, device_id, message_id from telemetry_misdated where received_at < oldest_kept limit p_limit);
    get diagnostics keys = row_count;
    return greatest(letters, keys);
end
$$;
revoke all on function clean_up_telemetry(integer, integer) from public;
grant execute on function clean_up_telemetry(integer, integer) to youtility_worker;
alter function clean_up_telemetry(integer, integer) owner to youtility_definer;
