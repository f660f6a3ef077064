-- Why: tenants, places, people, groups, capabilities and the audit trail: the ground everything else refers to.
-- Kind: expand. Locks: none, the tables are new.

create extension if not exists pg_trgm;
create extension if not exists btree_gin;

-- The tenant of the running transaction; nothing outside one.
create function current_client_id() returns uuid
    language sql stable parallel safe
    as $$ select nullif(current_setting('app.client_id', true), '')::uuid $$;

create table client (
    client_id   uuid        not null,
    code        text        not null,
    name        text        not null,
    time_zone   text        not null default 'UTC',
    state       text        not null default 'ACTIVE',
    demo        boolean     not null default false,
    created_at  timestamptz not null default now(),
    constraint client_pkey primary key (client_id),
    constraint client_code_key unique (code),
    constraint client_code_check check (code ~ '^[A-Za-z0-9_-]{1,50}$'),
    constraint client_name_check check (length(name) between 1 and 200),
    constraint client_state_check check (state in ('ACTIVE', 'STOPPED'))
);

create table site (
    client_id   uuid        not null default current_client_id() references client,
    id          uuid        not null,
    code        text        not null,
    name        text        not null,
    created_at  timestamptz not null default now(),
    constraint site_pkey primary key (client_id, id),
    constraint site_code_key unique (client_id, code),
    constraint site_code_check check (code ~ '^[A-Za-z0-9_-]{1,50}$'),
    constraint site_name_check check (length(name) between 1 and 200)
);

create table person (
    client_id   uuid        not null default current_client_id() references client,
    id          uuid        not null,
    code        text        not null,
    name        text        not null,
    email       text,
    all_sites   boolean     not null default false,
    enabled     boolean     not null default true,
    created_at  timestamptz not null default now(),
    search_text text        not null generated always as (' ' || lower(name) || ' ' || lower(code)) stored,
    constraint person_pkey primary key (client_id, id),
    constraint person_code_key unique (client_id, code),
    constraint person_code_check check (code ~ '^[A-Za-z0-9_-]{1,50}$'),
    constraint person_name_check check (length(name) between 1 and 120),
    constraint person_email_check check (email ~ '^[^@\s]+@[^@\s]+$' and length(email) <= 254)
);
create index person_search_idx on person using gin (client_id, search_text gin_trgm_ops);
create index person_name_idx on person (client_id, name, id);

create table person_site (
    client_id   uuid not null default current_client_id(),
    person_id   uuid not null,
    site_id     uuid not null,
    constraint person_site_pkey primary key (client_id, person_id, site_id),
    constraint person_site_person_fkey foreign key (client_id, person_id) references person (client_id, id),
    constraint person_site_site_fkey foreign key (client_id, site_id) references site (client_id, id)
);

create table person_group (
    client_id   uuid        not null default current_client_id() references client,
    id          uuid        not null,
    code        text        not null,
    name        text        not null,
    created_at  timestamptz not null default now(),
    constraint person_group_pkey primary key (client_id, id),
    constraint person_group_code_key unique (client_id, code),
    constraint person_group_code_check check (code ~ '^[A-Za-z0-9_-]{1,50}$'),
    constraint person_group_name_check check (length(name) between 1 and 200)
);

create table person_group_member (
    client_id   uuid not null default current_client_id(),
    group_id    uuid not null,
    person_id   uuid not null,
    constraint person_group_member_pkey primary key (client_id, group_id, person_id),
    constraint person_group_member_group_fkey foreign key (client_id, group_id) references person_group (client_id, id),
    constraint person_group_member_person_fkey foreign key (client_id, person_id) references person (client_id, id)
);

-- What a client has bought, and what a person of it may do; effective is the intersection.
create table client_capability (
    client_id   uuid not null default current_client_id() references client,
    capability  text not null,
    constraint client_capability_pkey primary key (client_id, capability),
    constraint client_capability_check
        check (capability in ('WEB', 'TICKETS_READ', 'TICKETS_WRITE', 'DEVICES_READ', 'ADMIN'))
);

create table person_capability (
    client_id   uuid not null default current_client_id(),
    person_id   uuid not null,
    capability  text not null,
    constraint person_capability_pkey primary key (client_id, person_id, capability),
    constraint person_capability_person_fkey foreign key (client_id, person_id) references person (client_id, id),
    constraint person_capability_check
        check (capability in ('WEB', 'TICKETS_READ', 'TICKETS_WRITE', 'DEVICES_READ', 'ADMIN'))
);

create table audit_event (
    client_id      uuid        not null default current_client_id(),
    id             uuid        not null,
    at             timestamptz not null default now(),
    person_id      uuid,
    action         text        not null,
    subject_kind   text        not null,
    subject_id     uuid,
    correlation_id uuid        not null,
    detail         jsonb       not null default '{}',
    constraint audit_event_pkey primary key (client_id, id, at),
    constraint audit_event_client_fkey foreign key (client_id) references client
) partition by range (at);
create table audit_event_default partition of audit_event default;
create index audit_event_at_idx on audit_event (client_id, at desc);

-- Makes the partition of a day whose rows already lie in the default partition: they move.
create function move_rows_into_partition(parent text, partition_name text, from_time timestamptz, to_time timestamptz)
    returns void
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    key_column name := (
        select attname
          from pg_partitioned_table
          join pg_attribute on attrelid = partrelid and attnum = partattrs[0]
         where partrelid = to_regclass(format('%I', parent)));
begin
    execute format('lock table %I in access exclusive mode', parent || '_default');
    if to_regclass(format('%I', partition_name)) is not null then
        return; -- another worker was faster
    end if;
    execute format('create table %I (like %I including defaults including constraints)', partition_name, parent);
    execute format('with moved as (delete from %I where %I >= %L and %I < %L returning *)
                    insert into %I select * from moved',
                   parent || '_default', key_column, from_time, key_column, to_time, partition_name);
    execute format('alter table %I attach partition %I for values from (%L) to (%L)',
                   parent, partition_name, from_time, to_time);
end
$$;
revoke all on function move_rows_into_partition(text, text, timestamptz, timestamptz) from public;

-- Creates the partitions of a table for the days from `from_day` on, `days` of them, named <table>_yyyymmdd.
create function ensure_daily_partitions(parent text, from_day date, days integer) returns integer
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    day            date;
    partition_name text;
    from_time      timestamptz;
    to_time        timestamptz;
    made           integer := 0;
begin
    if parent not in ('audit_event', 'telemetry_reading', 'task_attempt', 'task_history') then
        raise exception 'table % is not partitioned by day', parent using errcode = 'invalid_parameter_value';
    end if;
    for day in select generate_series(from_day, from_day + (days - 1), interval '1 day')::date loop
        partition_name := parent || to_char(day, '"_"YYYYMMDD');
        from_time := day::timestamp at time zone 'UTC';
        to_time := (day + 1)::timestamp at time zone 'UTC';
        if to_regclass(format('%I', partition_name)) is null then
            begin
                execute format('create table %I partition of %I for values from (%L) to (%L)',
                               partition_name, parent, from_time, to_time);
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
revoke all on function ensure_daily_partitions(text, date, integer) from public;
grant execute on function ensure_daily_partitions(text, date, integer) to youtility_worker;

-- Drops the partitions of days before `first_kept`: retention without a delete. Rows that lie in the default partition go
-- as well. Whoever may call this cannot erase the last days: the audit trail keeps 90, readings as many as devices repeat
-- messages.
create function drop_daily_partitions(parent text, first_kept date) returns integer
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    days_kept      integer := case parent when 'audit_event' then 90 when 'telemetry_reading' then 31 else 1 end;
    key_column     name;
    partition_name text;
    dropped        integer := 0;
begin
    if parent not in ('audit_event', 'telemetry_reading', 'task_attempt', 'task_history') then
        raise exception 'table % is not partitioned by day', parent using errcode = 'invalid_parameter_value';
    end if;
    if first_kept > (now() at time zone 'UTC')::date - days_kept then
        raise exception 'table % keeps % days', parent, days_kept using errcode = 'invalid_parameter_value';
    end if;
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
    select attname into key_column
      from pg_partitioned_table
      join pg_attribute on attrelid = partrelid and attnum = partattrs[0]
     where partrelid = to_regclass(format('%I', parent));
    execute format('delete from %I where %I < %L',
                   parent || '_default', key_column, first_kept::timestamp at time zone 'UTC');
    return dropped;
end
$$;
revoke all on function drop_daily_partitions(text, date) from public;
grant execute on function drop_daily_partitions(text, date) to youtility_worker;

select ensure_daily_partitions('audit_event', (now() at time zone 'UTC')::date - 1, 9);

-- Row-level security: the tenant of `app.client_id`, and the definer's functions.
do $$
declare
    tenant_table text;
begin
    foreach tenant_table in array array[
        'client', 'site', 'person', 'person_site', 'person_group', 'person_group_member',
        'client_capability', 'person_capability', 'audit_event'
    ] loop
        execute format('alter table %I enable row level security', tenant_table);
        execute format('alter table %I force row level security', tenant_table);
        execute format(
            'create policy tenant on %I using (client_id = current_client_id())', tenant_table);
        execute format('create policy definer on %I to youtility_definer using (true)', tenant_table);
    end loop;
end
$$;

grant select on client, site, person, person_site, person_group, person_group_member,
                client_capability, person_capability to youtility_definer;
grant select on client, site, person, person_site, person_group, person_group_member
   to youtility_web, youtility_worker, youtility_bridge;
grant insert on audit_event to youtility_auth, youtility_web, youtility_worker, youtility_bridge;
grant select on audit_event to youtility_web;

-- Every client, for work that goes tenant by tenant. Ids only.
create function list_client_ids() returns setof uuid
    language sql stable security definer set search_path = public, pg_temp
    as $$ select client_id from client where state = 'ACTIVE' order by client_id $$;
revoke all on function list_client_ids() from public;
grant execute on function list_client_ids() to youtility_worker;
alter function list_client_ids() owner to youtility_definer;

-- `LIKE` patterns of the words somebody typed, at most eight; words of one or two letters match word beginnings.
create function like_patterns(p_query text) returns text[]
    language sql immutable parallel safe as $$
        select coalesce(array_agg(pattern order by length(pattern) desc), '{}')
          from (select case when length(word) < 3 then '% ' || escaped || '%' else '%' || escaped || '%' end as pattern
                  from regexp_split_to_table(lower(p_query), '\s+') as word,
                       lateral (select regexp_replace(word, '([\\%_])', '\\\1', 'g') as escaped) as quoted
                 where word <> ''
                 limit 8) as patterns
    $$;

-- Enabled people of the running transaction's tenant whom somebody with these sites may see (null: every site), by the
-- words typed: every word must occur. Two branches because the empty query is served by the order of names.
create function lookup_people(p_query text, p_sites uuid[], p_limit integer)
    returns table (id uuid, name text, code text)
    language plpgsql stable security definer
    set search_path = public, pg_temp set plan_cache_mode = force_custom_plan as $$
declare
    patterns text[] := like_patterns(p_query);
begin
    if cardinality(patterns) = 0 then
        return query
            select person.id, person.name, person.code
              from person
             where person.client_id = current_client_id()
               and person.enabled
               and (p_sites is null or person.all_sites or exists (
                        select from person_site
                         where person_site.client_id = person.client_id
                           and person_site.person_id = person.id
                           and person_site.site_id = any (p_sites)))
             order by person.name, person.id
             limit least(p_limit, 100);
    else
        return query
            select person.id, person.name, person.code
              from person
             where person.client_id = current_client_id()
               and person.enabled
               and person.search_text like patterns[1]
               and person.search_text like coalesce(patterns[2], patterns[1])
               and person.search_text like all (patterns)
               and (p_sites is null or person.all_sites or exists (
                        select from person_site
                         where person_site.client_id = person.client_id
                           and person_site.person_id = person.id
                           and person_site.site_id = any (p_sites)))
             order by person.name, person.id
             limit least(p_limit, 100);
    end if;
end
$$;
revoke all on function lookup_people(text, uuid[], integer) from public;
grant execute on function lookup_people(text, uuid[], integer) to youtility_web;
alter function lookup_people(text, uuid[], integer) owner to youtility_definer;
