-- Why: rights that groups give, kept ready and forgotten when they change; help across tenants that ends by itself and is
-- seen; security events; and a chain over both trails that shows what was taken out or changed.
-- Kind: expand. Locks: `client_capability`, `person_capability` exclusively for a moment, both are small; triggers on `person`,
-- `client` and `audit_event`.

alter table client_capability
    drop constraint client_capability_check,
    add constraint client_capability_check
        check (capability in ('WEB', 'TICKETS_READ', 'TICKETS_WRITE', 'DEVICES_READ', 'ADMIN', 'OPERATE',
                              'MOB', 'PORTLET', 'REPORT', 'NOC', 'SECURITY', 'SUPPORT'));
alter table person_capability
    drop constraint person_capability_check,
    add constraint person_capability_check
        check (capability in ('WEB', 'TICKETS_READ', 'TICKETS_WRITE', 'DEVICES_READ', 'ADMIN', 'OPERATE',
                              'MOB', 'PORTLET', 'REPORT', 'NOC', 'SECURITY', 'SUPPORT'));
comment on column person_capability.capability is
    '`OPERATE` and `SUPPORT` reach every client, so no client hands them out: only whoever owns the schema writes them.';

create table group_capability (
    client_id  uuid not null default current_client_id(),
    group_id   uuid not null,
    capability text not null,
    constraint group_capability_pkey primary key (client_id, group_id, capability),
    constraint group_capability_group_fkey foreign key (client_id, group_id) references person_group (client_id, id),
    constraint group_capability_check
        check (capability in ('WEB', 'TICKETS_READ', 'TICKETS_WRITE', 'DEVICES_READ', 'ADMIN', 'OPERATE',
                              'MOB', 'PORTLET', 'REPORT', 'NOC', 'SECURITY', 'SUPPORT'))
);

-- What somebody may do and where, ready to be read; gone as soon as anything changes that it follows from.
create unlogged table capability_cache (
    client_id    uuid        not null default current_client_id(),
    person_id    uuid        not null,
    capabilities text[]      not null,
    site_ids     uuid[],
    made_at      timestamptz not null default now(),
    constraint capability_cache_pkey primary key (client_id, person_id)
);
comment on column capability_cache.site_ids is 'Null means every site.';

-- Somebody of the home client looks into another one, for a while.
create table elevation (
    client_id        uuid        not null default current_client_id() references client,
    id               uuid        not null,
    person_id        uuid        not null,
    session_id       uuid        not null,
    target_client_id uuid        not null,
    reason           text        not null,
    began_at         timestamptz not null default now(),
    expires_at       timestamptz not null,
    ended_at         timestamptz,
    constraint elevation_pkey primary key (client_id, id),
    constraint elevation_person_fkey foreign key (client_id, person_id) references person (client_id, id),
    constraint elevation_reason_check check (length(reason) between 10 and 500),
    constraint elevation_expires_check check (expires_at <= began_at + interval '1 hour')
);
create unique index elevation_session_key on elevation (client_id, session_id) where ended_at is null;

-- What was tried at the door. The client of what nobody is known for is the nil UUID: no tenant sees it, operators do.
create table security_event (
    client_id      uuid        not null default coalesce(current_client_id(), '00000000-0000-0000-0000-000000000000'),
    id             uuid        not null,
    at             timestamptz not null default now(),
    kind           text        not null,
    person_id      uuid,
    session_id     uuid,
    login          text,
    address        inet,
    route          text,
    times          integer     not null default 1,
    correlation_id uuid        not null,
    detail         jsonb       not null default '{}',
    constraint security_event_pkey primary key (client_id, id, at),
    constraint security_event_kind_check check (kind ~ '^[a-z][a-z_]{0,49}$'),
    constraint security_event_login_check check (length(login) <= 150),
    constraint security_event_route_check check (length(route) <= 200),
    constraint security_event_times_check check (times > 0),
    constraint security_event_detail_check check (pg_column_size(detail) <= 8192)
) partition by range (at);
create table security_event_default partition of security_event default;
create index security_event_at_idx on security_event (client_id, at desc, id desc);

-- Rows of both trails that wait to be sealed. Marks are only ever added by writers, so that no writer waits for another.
create table audit_mark (
    client_id uuid        not null,
    id        bigint      not null generated always as identity,
    trail     text        not null,
    event_id  uuid        not null,
    event_at  timestamptz not null,
    constraint audit_mark_pkey primary key (client_id, id),
    constraint audit_mark_trail_check check (trail in ('AUDIT', 'SECURITY'))
);

-- The end of each client's chain.
create table audit_chain (
    client_id uuid   not null,
    seq       bigint not null,
    hash      bytea  not null,
    constraint audit_chain_pkey primary key (client_id)
);
create table audit_seal (
    client_id uuid        not null,
    seq       bigint      not null,
    sealed_at timestamptz not null,
    trail     text        not null,
    event_id  uuid        not null,
    event_at  timestamptz not null,
    hash      bytea       not null,
    constraint audit_seal_pkey primary key (client_id, seq, sealed_at),
    constraint audit_seal_trail_check check (trail in ('AUDIT', 'SECURITY')),
    constraint audit_seal_hash_check check (length(hash) = 32)
) partition by range (sealed_at);
create table audit_seal_default partition of audit_seal default;
create index audit_seal_event_idx on audit_seal (client_id, event_id);

create or replace function ensure_daily_partitions(parent text, from_day date, days integer) returns integer
    language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '1s' as $$
declare
    day            date;
    partition_name text;
    from_time      timestamptz;
    to_time        timestamptz;
    made           integer := 0;
begin
    if parent not in ('audit_event', 'telemetry_reading', 'task_attempt', 'task_history', 'mail', 'security_event',
                      'audit_seal') then
        raise exception 'table % is not partitioned by day', parent using errcode = 'invalid_parameter_value';
    end if;
    for day in select generate_series(from_day, from_day + (days - 1), interval '1 day')::date loop
        partition_name := parent || to_char(day, '"_"YYYYMMDD');
        from_time := day::timestamp at time zone 'UTC';
        to_time := (day + 1)::timestamp at time zone 'UTC';
        if to_regclass(format('%I', partition_name)) is null then
            begin
                execute format('create table %I (like %I including all)', partition_name, parent);
                execute format('alter table %I attach partition %I for values from (%L) to (%L)',
                               parent, partition_name, from_time, to_time);
                made := made + 1;
            exception
                when duplicate_table then
                    null;
                when check_violation then
                    perform move_rows_into_partition(parent, partition_name, from_time, to_time);
                    made := made + 1;
            end;
        end if;
    end loop;
    return made;
end
$$;

create or replace function drop_daily_partitions(parent text, first_kept date) returns integer
    language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '1s' as $$
declare
    days_kept      integer := case when parent in ('audit_event', 'security_event', 'audit_seal') then 90 when parent = 'telemetry_reading' then 31
                                          when parent = 'mail' then 7 else 1 end;
    key_column     name;
    partition_name text;
    dropped        integer := 0;
begin
    if parent not in ('audit_event', 'telemetry_reading', 'task_attempt', 'task_history', 'mail', 'security_event',
                      'audit_seal') then
        raise exception 'table % is not partitioned by day', parent using errcode = 'invalid_parameter_value';
    end if;
    if first_kept > (now() at time zone 'UTC')::date - days_kept then
        raise exception 'table % keeps % days', parent, days_kept using errcode = 'invalid_parameter_value';
    end if;
    select attname into key_column
      from pg_partitioned_table
      join pg_attribute on attrelid = partrelid and attnum = partattrs[0]
     where partrelid = to_regclass(format('%I', parent));
    execute format('delete from %I where %I < %L',
                   parent || '_default', key_column, first_kept::timestamp at time zone 'UTC');
    for partition_name in
        select child.relname
          from pg_inherits
          join pg_class as child on child.oid = pg_inherits.inhrelid
         where pg_inherits.inhparent = to_regclass(format('%I', parent))
           and child.relname ~ ('^' || parent || '_[0-9]{8}$')
           and right(child.relname, 8) < to_char(first_kept, 'YYYYMMDD')
         order by child.relname
    loop
        execute format('drop table %I', partition_name);
        dropped := dropped + 1;
    end loop;
    return dropped;
end
$$;
select ensure_daily_partitions(parent, (now() at time zone 'UTC')::date - 1, 9)
  from unnest(array['security_event', 'audit_seal']) as parent;

do $$
declare
    tenant_table text;
begin
    foreach tenant_table in array array[
        'group_capability', 'capability_cache', 'elevation', 'security_event', 'audit_mark', 'audit_chain', 'audit_seal'
    ] loop
        execute format('alter table %I enable row level security', tenant_table);
        execute format('alter table %I force row level security', tenant_table);
        execute format('create policy tenant on %I using (client_id = current_client_id())', tenant_table);
        execute format('create policy definer on %I to youtility_definer using (true)', tenant_table);
    end loop;
end
$$;
grant select on group_capability to youtility_definer, youtility_web;
grant select, insert, update, delete on capability_cache to youtility_definer;
grant select, insert, update (ended_at) on elevation to youtility_definer;
grant select on elevation to youtility_auth;
grant insert, select on security_event to youtility_definer;
grant select on security_event to youtility_web;
grant select on audit_event to youtility_definer;
grant select, insert, delete on audit_mark to youtility_definer;
grant select, insert, update on audit_chain to youtility_definer;
grant select, insert on audit_seal to youtility_definer;
-- People, groups and rights are changed by auth alone.
grant insert, update on person to youtility_auth;
grant select, insert, delete on person_site, person_capability, group_capability, person_group_member to youtility_auth;
grant select on client_capability, person_group, site to youtility_auth;

-- No service gives what reaches every client.
create function refuse_reserved_capability() returns trigger
    language plpgsql set search_path = public, pg_temp as $$
begin
    raise exception 'no client hands this capability out' using errcode = 'insufficient_privilege';
end
$$;
revoke all on function refuse_reserved_capability() from public;
create trigger person_capability_reserved before insert or update on person_capability
    for each row when (new.capability in ('OPERATE', 'SUPPORT') and current_user = 'youtility_auth')
    execute function refuse_reserved_capability();
-- A group hands nothing out that reaches every client, whoever writes it.
create trigger group_capability_reserved before insert or update on group_capability
    for each row when (new.capability in ('OPERATE', 'SUPPORT')) execute function refuse_reserved_capability();

-- Writers hold this lock together until they commit; who fills the cache must have it alone. So nothing is kept that a change
-- under way would make untrue, and writers never wait for each other.
create function enter_rights_change() returns trigger
    language plpgsql set search_path = public, pg_temp as $$
begin
    perform pg_advisory_xact_lock_shared(7016501002);
    return null;
end
$$;
create function forget_rights() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    changed uuid;
begin
    for changed in select distinct client_id from touched loop
        delete from capability_cache where client_id = changed;
        perform pg_notify('rights_changed', changed::text);
    end loop;
    return null;
end
$$;
revoke all on function enter_rights_change(), forget_rights() from public;
grant execute on function enter_rights_change() to youtility_auth, youtility_web, youtility_worker;
alter function forget_rights() owner to youtility_definer;
do $$
declare
    source text;
    event  text;
    rows   text;
begin
    foreach source in array array[
        'client_capability', 'person_capability', 'group_capability', 'person_group_member', 'person_site', 'person', 'client'
    ] loop
        execute format('create trigger %I before insert or update or delete on %I
                            for each statement execute function enter_rights_change()', source || '_rights_enter', source);
        foreach event in array array['insert', 'update', 'delete'] loop
            rows := case event when 'delete' then 'old' else 'new' end;
            execute format('create trigger %I after %s on %I referencing %s table as touched
                                for each statement execute function forget_rights()',
                           source || '_rights_' || event, event, source, rows);
        end loop;
    end loop;
end
$$;

-- What a person may do and where: what the client has, given to the person or to a group of theirs. `OPERATE` and `SUPPORT`
-- come from the person alone, and in the demo only where there is nothing but the demo.
create function effective_rights(p_client uuid, p_person uuid, out capabilities text[], out site_ids uuid[])
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    may_keep boolean;
begin
    select cache.capabilities, cache.site_ids into capabilities, site_ids
      from capability_cache as cache
     where cache.client_id = p_client and cache.person_id = p_person and cache.made_at > now() - interval '5 minutes';
    if not found then
        -- A snapshot older than the lock could keep what was true before a change.
        may_keep := current_setting('transaction_isolation') = 'read committed'
                    and not pg_is_in_recovery() and pg_try_advisory_xact_lock(7016501002);
        select array(
                   select given.capability
                     from (select person_capability.capability
                             from person_capability
                            where person_capability.client_id = p_client and person_capability.person_id = p_person
                            union
                           select group_capability.capability
                             from person_group_member
                             join group_capability on group_capability.client_id = person_group_member.client_id
                                                  and group_capability.group_id = person_group_member.group_id
                            where person_group_member.client_id = p_client and person_group_member.person_id = p_person)
                          as given
                     join client_capability on client_capability.client_id = p_client
                                           and client_capability.capability = given.capability
                    order by given.capability),
               case when not person.all_sites
                    then array(select person_site.site_id
                                 from person_site
                                where person_site.client_id = p_client and person_site.person_id = p_person) end
          into capabilities, site_ids
          from person
         where person.client_id = p_client and person.id = p_person;
        if may_keep and capabilities is not null then
            insert into capability_cache (client_id, person_id, capabilities, site_ids)
            values (p_client, p_person, effective_rights.capabilities, effective_rights.site_ids)
            on conflict (client_id, person_id) do update
               set capabilities = excluded.capabilities, site_ids = excluded.site_ids, made_at = now();
        end if;
    end if;
    if capabilities && array['OPERATE', 'SUPPORT'] and not operates(p_client) then
        capabilities := array_remove(array_remove(capabilities, 'OPERATE'), 'SUPPORT');
    end if;
end
$$;
revoke all on function effective_rights(uuid, uuid) from public;
alter function effective_rights(uuid, uuid) owner to youtility_definer;

-- As before, with how the person signed in, and with the client somebody looks into for a while: there they read, and nothing
-- else. Who owes a second factor and has none may do nothing but set one up. A token that needs another is nobody's. Only browsers are signed out
-- for being idle: a handset's session moves on when its token is refreshed.
drop function find_session(bytea, interval);
create function find_session(p_token_hash bytea, p_idle interval)
    returns table (
        session_id uuid, client_id uuid, client_name text, time_zone text, demo boolean, person_id uuid,
        person_name text, capabilities text[], site_ids uuid[], expires_at timestamptz,
        kind text, factors smallint, authenticated_at timestamptz, owes_factor boolean, elevation_id uuid,
        networks text[], home_client_id uuid)
    language plpgsql security definer set search_path = public, pg_temp as $$
#variable_conflict use_column
begin
    update session
       set last_seen_at = now(),
           idle_expires_at = case when session.kind = 'WEB' then least(now() + p_idle, session.expires_at)
                                  else session.idle_expires_at end
     where session.token_hash = p_token_hash
       and session.revoked_at is null
       and session.idle_expires_at > now()
       and session.last_seen_at < now() - interval '1 minute';
    return query
        select session.id, shown.client_id, shown.name, shown.time_zone, shown.demo, person.id, person.name,
               case when owing.owes then '{}'::text[]
                    when elevation.id is not null
                    then array(select client_capability.capability
                                 from client_capability
                                where client_capability.client_id = elevation.target_client_id
                                  and client_capability.capability in ('WEB', 'TICKETS_READ', 'DEVICES_READ', 'REPORT',
                                                                       'SECURITY')
                                order by client_capability.capability)
                    else rights.capabilities end,
               case when elevation.id is null then rights.site_ids end,
               least(session.idle_expires_at, session.expires_at, session.access_expires_at, elevation.expires_at),
               session.kind, session.factors, session.authenticated_at, owing.owes, elevation.id,
               case when session.kind = 'MOBILE'
                    then array(select client_network.network::text from client_network
                                where client_network.client_id = session.client_id)
                    else '{}'::text[] end,
               session.client_id
          from session
          join person on person.client_id = session.client_id and person.id = session.person_id
          join client as home on home.client_id = session.client_id
         cross join lateral effective_rights(session.client_id, session.person_id) as rights
          left join elevation on elevation.client_id = session.client_id and elevation.session_id = session.id
                             and elevation.ended_at is null and elevation.expires_at > now()
                             and 'SUPPORT' = any (rights.capabilities)
                             and exists (select from client where client.client_id = elevation.target_client_id
                                                              and client.state = 'ACTIVE')
          join client as shown on shown.client_id = coalesce(elevation.target_client_id, session.client_id)
         cross join lateral (select session.factors < 2
                                    and home.second_factor = 'REQUIRED' as owes) as owing
         where session.token_hash = p_token_hash
           and session.revoked_at is null
           and session.idle_expires_at > now()
           and (session.access_expires_at is null or session.access_expires_at > now())
           and person.enabled
           and home.state = 'ACTIVE';
end
$$;
revoke all on function find_session(bytea, interval) from public;
grant execute on function find_session(bytea, interval) to youtility_auth;
alter function find_session(bytea, interval) owner to youtility_definer;

-- The same for a key of another program: what its person may do, and of that what the key was given.
create function find_api_key(p_token_hash bytea)
    returns table (
        session_id uuid, client_id uuid, client_name text, time_zone text, demo boolean, person_id uuid,
        person_name text, capabilities text[], site_ids uuid[], expires_at timestamptz,
        kind text, factors smallint, authenticated_at timestamptz, owes_factor boolean, elevation_id uuid,
        networks text[], home_client_id uuid)
    language plpgsql security definer set search_path = public, pg_temp as $$
#variable_conflict use_column
begin
    update api_key
       set used_at = now()
     where api_key.token_hash = p_token_hash and (api_key.used_at is null or api_key.used_at < now() - interval '1 minute');
    return query
        select api_key.id, client.client_id, client.name, client.time_zone, client.demo, person.id, person.name,
               array(select granted.capability
                       from unnest(rights.capabilities) as granted (capability)
                       join api_key_scope on api_key_scope.client_id = api_key.client_id and api_key_scope.key_id = api_key.id
                                         and api_key_scope.capability = granted.capability
                      order by granted.capability),
               rights.site_ids, api_key.expires_at, 'KEY', 1::smallint, api_key.created_at, false, null::uuid,
               api_key.networks::text[], api_key.client_id
          from api_key
          join person on person.client_id = api_key.client_id and person.id = api_key.person_id and person.enabled
          join person as maker on maker.client_id = api_key.client_id and maker.id = api_key.created_by and maker.enabled
          join client on client.client_id = api_key.client_id and client.state = 'ACTIVE'
         cross join lateral effective_rights(api_key.client_id, api_key.person_id) as rights
         where api_key.token_hash = p_token_hash and api_key.revoked_at is null and api_key.expires_at > now();
end
$$;
revoke all on function find_api_key(bytea) from public;
grant execute on function find_api_key(bytea) to youtility_auth;
alter function find_api_key(bytea) owner to youtility_definer;

-- Lets the transaction's person look into another client for some minutes; null when they may not, or there is none. Both
-- clients' trails have a line of it.
create function begin_elevation(
    p_id uuid, p_session uuid, p_code text, p_reason text, p_minutes integer, p_line_here uuid, p_line_there uuid
) returns uuid
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    caller uuid := nullif(current_setting('app.person_id', true), '')::uuid;
    target uuid := (select client_id from client where code = p_code and state = 'ACTIVE');
begin
    if target is null or target = current_client_id()
       or not coalesce('SUPPORT' = any ((effective_rights(current_client_id(), caller)).capabilities), false)
       or not exists (select from session
                       where session.client_id = current_client_id() and session.id = p_session
                         and session.person_id = caller and session.revoked_at is null and session.factors = 2) then
        return null;
    end if;
    update elevation set ended_at = now()
     where client_id = current_client_id() and session_id = p_session and ended_at is null;
    insert into elevation (id, person_id, session_id, target_client_id, reason, expires_at)
    values (p_id, caller, p_session, target, p_reason, now() + make_interval(mins => p_minutes));
    insert into audit_event (client_id, id, person_id, action, subject_kind, subject_id, correlation_id, detail)
    select line.client_id, line.id, caller, 'elevation_begun', 'elevation', p_id,
           current_setting('app.correlation_id')::uuid,
           jsonb_build_object('reason', p_reason, 'minutes', p_minutes, 'home_client', current_client_id(),
                              'target_client', target)
      from (values (current_client_id(), p_line_here), (target, p_line_there)) as line (client_id, id);
    perform pg_notify('session_revoked', p_session::text);
    return target;
end
$$;
revoke all on function begin_elevation(uuid, uuid, text, text, integer, uuid, uuid) from public;
grant execute on function begin_elevation(uuid, uuid, text, text, integer, uuid, uuid) to youtility_auth;
alter function begin_elevation(uuid, uuid, text, text, integer, uuid, uuid) owner to youtility_definer;

create function end_elevation(p_session uuid, p_line_here uuid, p_line_there uuid) returns boolean
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    ended elevation;
begin
    update elevation set ended_at = now()
     where client_id = current_client_id() and session_id = p_session and ended_at is null
       and person_id = nullif(current_setting('app.person_id', true), '')::uuid
    returning * into ended;
    if not found then
        return false;
    end if;
    insert into audit_event (client_id, id, person_id, action, subject_kind, subject_id, correlation_id)
    select line.client_id, line.id, ended.person_id, 'elevation_ended', 'elevation', ended.id,
           current_setting('app.correlation_id')::uuid
      from (values (ended.client_id, p_line_here), (ended.target_client_id, p_line_there)) as line (client_id, id);
    perform pg_notify('session_revoked', p_session::text);
    return true;
end
$$;
revoke all on function end_elevation(uuid, uuid, uuid) from public;
grant execute on function end_elevation(uuid, uuid, uuid) to youtility_auth;
alter function end_elevation(uuid, uuid, uuid) owner to youtility_definer;

-- Forgets what is counted against a person of the transaction's client: wrong passwords, from wherever, and wrong proofs.
create function unlock_person(p_person uuid) returns integer
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    gone integer;
begin
    delete from sign_in_counter where key in (
        select sign_in_login_key(login_key)
          from credential where client_id = current_client_id() and person_id = p_person
         union all
        select 'device:' || encode(token_hash, 'hex')
          from known_device where client_id = current_client_id() and person_id = p_person
         union all
        select kind || ':' || id
          from person, unnest(array['factor', 'step-up', 'step-up:password']) as kind
         where client_id = current_client_id() and id = p_person);
    get diagnostics gone = row_count;
    return gone;
end
$$;
revoke all on function unlock_person(uuid) from public;
grant execute on function unlock_person(uuid) to youtility_auth;
alter function unlock_person(uuid) owner to youtility_definer;

-- Writes security events of the transaction's client, or of nobody's; `p_events` is an array of objects with the columns' names.
create function record_security_events(p_events jsonb) returns bigint
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    written bigint;
begin
    insert into security_event (id, at, kind, person_id, session_id, login, address, route, times, correlation_id, detail)
    select event.id, least(coalesce(event.at, now()), now()), event.kind, event.person_id, event.session_id,
           left(event.login, 150), event.address, left(event.route, 200), coalesce(event.times, 1),
           event.correlation_id, coalesce(event.detail, '{}')
      from jsonb_to_recordset(p_events) as event (
               id uuid, at timestamptz, kind text, person_id uuid, session_id uuid, login text, address inet, route text,
               times integer, correlation_id uuid, detail jsonb)
        on conflict do nothing; -- whoever heard no answer sends them again
    get diagnostics written = row_count;
    return written;
end
$$;
revoke all on function record_security_events(jsonb) from public;
grant execute on function record_security_events(jsonb) to youtility_auth;
alter function record_security_events(jsonb) owner to youtility_definer;

-- Events of nobody, for operators.
create function security_events_of_nobody(p_before timestamptz, p_limit integer) returns setof security_event
    language sql stable security definer set search_path = public, pg_temp as $$
        select *
          from security_event
         where client_id = '00000000-0000-0000-0000-000000000000'
           and at < p_before
           and is_operator()
         order by at desc, id desc
         limit least(p_limit, 200)
    $$;
revoke all on function security_events_of_nobody(timestamptz, integer) from public;
grant execute on function security_events_of_nobody(timestamptz, integer) to youtility_web;
alter function security_events_of_nobody(timestamptz, integer) owner to youtility_definer;

create function mark_for_sealing() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into audit_mark (client_id, trail, event_id, event_at) values (new.client_id, tg_argv[0], new.id, new.at);
    return null;
end
$$;
revoke all on function mark_for_sealing() from public;
alter function mark_for_sealing() owner to youtility_definer;
create trigger audit_event_mark after insert on audit_event
    for each row execute function mark_for_sealing('AUDIT');
create trigger security_event_mark after insert on security_event
    for each row execute function mark_for_sealing('SECURITY');

-- Nobody changes or removes a line; retention drops whole days.
create function refuse_change() returns trigger
    language plpgsql set search_path = public, pg_temp as $$
begin
    raise exception 'table % is only ever added to', tg_table_name using errcode = 'insufficient_privilege';
end
$$;
revoke all on function refuse_change() from public;
create trigger audit_event_append_only before update on audit_event for each row execute function refuse_change();
create trigger security_event_append_only before update on security_event for each row execute function refuse_change();
create trigger audit_seal_append_only before update on audit_seal for each row execute function refuse_change();

-- What is sealed of a line, the same in every time zone and for every reader. Null when the line is gone.
create function trail_line(p_client uuid, p_trail text, p_id uuid, p_at timestamptz) returns bytea
    language sql stable security definer set search_path = public, pg_temp as $$
        select convert_to(line::text, 'UTF8')
          from (select jsonb_build_object(
                           'client', client_id, 'id', id, 'at', (extract(epoch from at) * 1000000)::bigint,
                           'person', person_id, 'action', action, 'subject_kind', subject_kind, 'subject', subject_id,
                           'correlation', correlation_id, 'detail', detail) as line
                  from audit_event
                 where p_trail = 'AUDIT' and client_id = p_client and id = p_id and at = p_at
                 union all
                select jsonb_build_object(
                           'client', client_id, 'id', id, 'at', (extract(epoch from at) * 1000000)::bigint,
                           'person', person_id, 'kind', kind, 'session', session_id, 'login', login,
                           'address', host(address), 'route', route, 'times', times, 'correlation', correlation_id,
                           'detail', detail)
                  from security_event
                 where p_trail = 'SECURITY' and client_id = p_client and id = p_id and at = p_at) as lines
    $$;
revoke all on function trail_line(uuid, text, uuid, timestamptz) from public;
alter function trail_line(uuid, text, uuid, timestamptz) owner to youtility_definer;

-- Seals at most `p_limit` lines, client by client, in the order their marks were made; answers how many.
create function seal_audit_trail(p_limit integer) returns bigint
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    mark   audit_mark;
    link   audit_chain;
    sealed bigint := 0;
begin
    if not pg_try_advisory_xact_lock(7016501003) then
        return 0; -- another worker seals
    end if;
    for mark in select * from audit_mark order by client_id, id limit p_limit loop
        if link.client_id is distinct from mark.client_id then
            select * into link from audit_chain where client_id = mark.client_id;
            if not found then
                insert into audit_chain (client_id, seq, hash)
                values (mark.client_id, 0, sha256(convert_to(mark.client_id::text, 'UTF8')))
                returning * into link;
            end if;
        end if;
        link.seq := link.seq + 1;
        link.hash := sha256(link.hash || coalesce(trail_line(mark.client_id, mark.trail, mark.event_id, mark.event_at), ''));
        insert into audit_seal (client_id, seq, sealed_at, trail, event_id, event_at, hash)
        values (mark.client_id, link.seq, clock_timestamp(), mark.trail, mark.event_id, mark.event_at, link.hash);
        delete from audit_mark where client_id = mark.client_id and id = mark.id;
        update audit_chain set seq = link.seq, hash = link.hash where client_id = mark.client_id;
        sealed := sealed + 1;
    end loop;
    return sealed;
end
$$;
revoke all on function seal_audit_trail(integer) from public;
grant execute on function seal_audit_trail(integer) to youtility_worker;
alter function seal_audit_trail(integer) owner to youtility_definer;

-- Follows the chain of the transaction's client through at most `p_limit` seals after `p_after`: each that does not follow from
-- the one before it and its line, with the reason. Where older days were dropped the chain is believed from its first seal, and
-- an old line is believed to have gone when its whole day has.
create function verify_audit_trail(p_after bigint, p_limit integer)
    returns table (seq bigint, event_id uuid, problem text)
    language sql stable security definer set search_path = public, pg_temp as $$
        with chain as (
            select seal.seq, seal.trail, seal.event_id, seal.event_at, seal.hash,
                   trail_line(current_client_id(), seal.trail, seal.event_id, seal.event_at) as line,
                   lag(seal.seq) over in_turn as seq_before, lag(seal.hash) over in_turn as hash_before
              from (select * from audit_seal where client_id = current_client_id() and audit_seal.seq >= p_after
                     order by audit_seal.seq limit p_limit + 1) as seal
            window in_turn as (order by seal.seq)
        ), judged as (
            select chain.seq, chain.event_id,
                   case when chain.seq_before is not null and chain.seq <> chain.seq_before + 1 then 'seals are missing'
                        when chain.line is null and chain.event_at < now() - interval '90 days'
                             and to_regclass(case chain.trail when 'AUDIT' then 'audit_event_' else 'security_event_' end
                                             || to_char(chain.event_at at time zone 'UTC', 'YYYYMMDD')) is null then null
                        when chain.line is null then 'the line is missing'
                        when chain.seq_before is null and chain.seq > 1 then null
                        when chain.hash <> sha256(coalesce(chain.hash_before,
                                                           sha256(convert_to(current_client_id()::text, 'UTF8')))
                                                  || chain.line)
                        then 'the line was changed' end as problem
              from chain)
        select judged.seq, judged.event_id, judged.problem from judged where judged.problem is not null
         union all
        select audit_chain.seq, null, 'the end of the chain is missing'
          from audit_chain
         where audit_chain.client_id = current_client_id()
           and not exists (select from audit_seal where audit_seal.client_id = audit_chain.client_id
                                                    and audit_seal.seq = audit_chain.seq
                                                    and audit_seal.hash = audit_chain.hash)
         order by 1
    $$;
revoke all on function verify_audit_trail(bigint, integer) from public;
alter function verify_audit_trail(bigint, integer) owner to youtility_definer;

insert into task_kind (name, queue, attempts_max, timeout_ms, backoff_base_ms, backoff_max_ms, description)
values ('audit.seal', 'maintenance', 20, 120000, 2000, 3600000, 'adds new lines of the trails to their chain')
on conflict (name) do nothing;
