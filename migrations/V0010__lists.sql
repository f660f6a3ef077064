-- Why: whole lists for exports and for devices that work without a network, and a cache of answers, both under the names
-- operators know; and that the worker finds the operators, and all addresses an escalation is told to.
-- Kind: expand. Locks: share row exclusive on person and site while their triggers are made, escalation_rule exclusively for a
-- moment; it is small.

-- Answers that are dear to compute, per client, for a time.
create table select2_cache (
    client_id  uuid        not null default current_client_id() references client,
    key        text        not null,
    value      jsonb       not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    constraint select2_cache_pkey primary key (client_id, key),
    constraint select2_cache_key_check check (length(key) between 1 and 200),
    constraint select2_cache_value_check check (pg_column_size(value) <= 1048576)
);
comment on column select2_cache.key is
    'An answer that depends on sites or rights has them in its key: rows are told apart by client only.';
create index select2_cache_created_idx on select2_cache (created_at);
create index select2_cache_expires_idx on select2_cache (expires_at);
alter table select2_cache enable row level security;
alter table select2_cache force row level security;
create policy tenant on select2_cache using (client_id = current_client_id());
create policy definer on select2_cache to youtility_definer using (true);
grant select, insert, update, delete on select2_cache to youtility_web;
grant select, delete on select2_cache to youtility_definer;

-- Removes answers that ran out, or are older than some days.
create function cleanup_select2_cache(days integer default 7) returns json
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    cutoff_time   timestamptz := now() - make_interval(days => days);
    total_before  bigint := (select count(*) from select2_cache);
    deleted_count bigint;
begin
    delete from select2_cache where created_at < cutoff_time or expires_at < now();
    get diagnostics deleted_count = row_count;
    return json_build_object('deleted_count', deleted_count, 'total_before', total_before, 'cutoff_time', cutoff_time,
                             'cleanup_time', now(), 'days_old', days);
end
$$;
revoke all on function cleanup_select2_cache(integer) from public;
grant execute on function cleanup_select2_cache(integer) to youtility_worker;
alter function cleanup_select2_cache(integer) owner to youtility_definer;

-- Everybody of every client, and every place. Materialized views carry no row-level security, so no service reads them: the
-- functions below answer the rows of the transaction's client. They know neither sites nor rights, and hold addresses and
-- disabled people, so no service may call them either: whoever needs them first gives them the sites of the person
-- who asks, as `lookup_people` has them, and then the grant. `mv_asset_dropdown` comes with the assets.
create materialized view mv_people_dropdown as
    select client_id, id, name || ' (' || code || ')' as text, code, email, enabled
      from person;
create unique index mv_people_dropdown_key on mv_people_dropdown (client_id, id);

create materialized view mv_location_dropdown as
    select client_id, id, name || ' (' || code || ')' as text, code
      from site;
create unique index mv_location_dropdown_key on mv_location_dropdown (client_id, id);

-- How old each list is.
create table select2_list (
    name         text        not null,
    refreshed_at timestamptz not null,
    constraint select2_list_pkey primary key (name)
);
insert into select2_list (name, refreshed_at)
values ('mv_people_dropdown', now()), ('mv_location_dropdown', now());

-- Each statement that changes a list's table leaves a mark, which commits with it. Marks are only ever added by writers, so
-- that no writer waits for another, nor for a refresh.
create table select2_change (
    id   bigint generated always as identity,
    list text   not null,
    constraint select2_change_pkey primary key (id),
    constraint select2_change_list_fkey foreign key (list) references select2_list (name)
);
create index select2_change_list_idx on select2_change (list);
grant select, insert on select2_change to youtility_definer;
grant select on select2_list, mv_people_dropdown, mv_location_dropdown to youtility_definer;

create function mark_select2_change() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into select2_change (list) values (tg_argv[0]);
    return null;
end
$$;
revoke all on function mark_select2_change() from public;
alter function mark_select2_change() owner to youtility_definer;

create trigger person_select2_change after insert or update or delete or truncate on person
    for each statement execute function mark_select2_change('mv_people_dropdown');
create trigger site_select2_change after insert or update or delete or truncate on site
    for each statement execute function mark_select2_change('mv_location_dropdown');

-- Refreshes the lists, or only those that changed, while others read them. A mark that is not committed yet stays for the
-- next time. Of two that come together one does the work, and the other answers `success: false`.
create function refresh_select2_materialized_views(p_only_changed boolean default false) returns json
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    refresh_time timestamptz := clock_timestamp();
    refreshed    text[] := '{}';
    list_name    text;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('refresh_select2_materialized_views', 0)) then
        return json_build_object('refreshed_views', refreshed, 'refresh_time', refresh_time, 'success', false);
    end if;
    for list_name in select name from select2_list order by name loop
        delete from select2_change where list = list_name;
        if found or not p_only_changed then
            update select2_list set refreshed_at = clock_timestamp() where name = list_name;
            execute format('refresh materialized view concurrently %I', list_name);
            refreshed := refreshed || list_name;
        end if;
    end loop;
    return json_build_object('refreshed_views', refreshed, 'refresh_time', refresh_time, 'success', true);
end
$$;
revoke all on function refresh_select2_materialized_views(boolean) from public;
grant execute on function refresh_select2_materialized_views(boolean) to youtility_worker;

create function list_people_dropdown()
    returns table (id uuid, text text, code text, email text, enabled boolean, as_of timestamptz)
    language sql stable security definer set search_path = public, pg_temp as $$
        select people.id, people.text, people.code, people.email, people.enabled, select2_list.refreshed_at
          from mv_people_dropdown as people
          join select2_list on select2_list.name = 'mv_people_dropdown'
         where people.client_id = current_client_id()
         order by people.text, people.id
    $$;
revoke all on function list_people_dropdown() from public;
alter function list_people_dropdown() owner to youtility_definer;

create function list_location_dropdown()
    returns table (id uuid, text text, code text, as_of timestamptz)
    language sql stable security definer set search_path = public, pg_temp as $$
        select places.id, places.text, places.code, select2_list.refreshed_at
          from mv_location_dropdown as places
          join select2_list on select2_list.name = 'mv_location_dropdown'
         where places.client_id = current_client_id()
         order by places.text, places.id
    $$;
revoke all on function list_location_dropdown() from public;
alter function list_location_dropdown() owner to youtility_definer;

-- Operators are told by mail what waits for them.
grant select on client_capability, person_capability to youtility_worker;

-- More than one address may be told of an escalation.
alter table escalation_rule
    drop constraint escalation_rule_notify_check,
    add constraint escalation_rule_notify_check
        check (notify ~ '^[^@\s,]+@[^@\s,]+( *, *[^@\s,]+@[^@\s,]+)*$' and length(notify) <= 2000);
comment on column escalation_rule.notify is 'Addresses, separated by commas.';
