-- Why: handsets with tokens that rotate, keys for other programs, accounts of devices at the broker, and one limit for all
-- gateways.
-- Kind: expand. Locks: `session` share row exclusive while its foreign key is checked.

-- The telephone a person works with: one at a time.
create table handset (
    client_id   uuid        not null default current_client_id(),
    id          uuid        not null,
    person_id   uuid        not null,
    device_key  text        not null,
    imei        text,
    model       text        not null default '',
    bound_at    timestamptz not null default now(),
    used_at     timestamptz not null default now(),
    released_at timestamptz,
    constraint handset_pkey primary key (client_id, id),
    constraint handset_person_fkey foreign key (client_id, person_id) references person (client_id, id),
    constraint handset_device_key_check check (length(device_key) between 1 and 200),
    constraint handset_imei_check check (imei ~ '^[0-9A-Za-z-]{8,40}$'),
    constraint handset_model_check check (length(model) <= 200)
);
create unique index handset_bound_key on handset (client_id, person_id) where released_at is null;

alter table session
    add column handset_id uuid,
    add constraint session_handset_fkey foreign key (client_id, handset_id) references handset (client_id, id);

-- Where handsets may be, and which; no row means any.
create table client_network (
    client_id uuid not null default current_client_id() references client,
    network   cidr not null,
    constraint client_network_pkey primary key (client_id, network)
);
create table client_imei (
    client_id uuid not null default current_client_id() references client,
    imei      text not null,
    constraint client_imei_pkey primary key (client_id, imei),
    constraint client_imei_check check (imei ~ '^[0-9A-Za-z-]{8,40}$')
);

-- The tokens of one session, one after the other; a used one that comes again ends the session.
create table refresh_token (
    client_id   uuid        not null default current_client_id(),
    id          uuid        not null,
    session_id  uuid        not null,
    token_hash  bytea       not null,
    created_at  timestamptz not null default now(),
    expires_at  timestamptz not null,
    used_at     timestamptz,
    replaced_by uuid,
    constraint refresh_token_pkey primary key (client_id, id),
    constraint refresh_token_hash_key unique (token_hash),
    constraint refresh_token_session_fkey foreign key (client_id, session_id) references session (client_id, id)
        on delete cascade,
    constraint refresh_token_hash_check check (length(token_hash) = 32)
);
create index refresh_token_session_idx on refresh_token (client_id, session_id);

-- Another program that acts for a person, with no more than the person may and no more than it was given.
create table api_key (
    client_id  uuid        not null default current_client_id(),
    id         uuid        not null,
    person_id  uuid        not null,
    name       text        not null,
    token_hash bytea       not null,
    hint       text        not null,
    networks   cidr[]      not null default '{}',
    created_by uuid        not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at    timestamptz,
    revoked_at timestamptz,
    constraint api_key_pkey primary key (client_id, id),
    constraint api_key_token_hash_key unique (token_hash),
    constraint api_key_name_key unique (client_id, name),
    constraint api_key_person_fkey foreign key (client_id, person_id) references person (client_id, id),
    constraint api_key_creator_fkey foreign key (client_id, created_by) references person (client_id, id),
    constraint api_key_token_hash_check check (length(token_hash) = 32),
    constraint api_key_name_check check (length(name) between 1 and 100),
    constraint api_key_hint_check check (length(hint) = 4),
    constraint api_key_networks_check check (cardinality(networks) <= 50)
);
create table api_key_scope (
    client_id  uuid not null default current_client_id(),
    key_id     uuid not null,
    capability text not null,
    constraint api_key_scope_pkey primary key (client_id, key_id, capability),
    constraint api_key_scope_key_fkey foreign key (client_id, key_id) references api_key (client_id, id),
    constraint api_key_scope_check check (capability in (
        'WEB', 'TICKETS_READ', 'TICKETS_WRITE', 'DEVICES_READ', 'ADMIN', 'OPERATE',
        'MOB', 'PORTLET', 'REPORT', 'NOC', 'SECURITY', 'SUPPORT'))
);
-- A key's id stands where a session's does: who caches identities needs no second word for it.
create trigger api_key_revoked after update of revoked_at on api_key
    for each row when (old.revoked_at is null and new.revoked_at is not null)
    execute function notify_session_revoked();

do $$
declare
    tenant_table text;
begin
    foreach tenant_table in array array[
        'handset', 'client_network', 'client_imei', 'refresh_token', 'api_key', 'api_key_scope'
    ] loop
        execute format('alter table %I enable row level security', tenant_table);
        execute format('alter table %I force row level security', tenant_table);
        execute format('create policy tenant on %I using (client_id = current_client_id())', tenant_table);
        execute format('create policy definer on %I to youtility_definer using (true)', tenant_table);
    end loop;
end
$$;
grant select, insert, update (used_at, released_at, imei, model) on handset to youtility_auth;
grant select, insert, delete on client_network, client_imei to youtility_auth;
grant select, insert, update (used_at, replaced_by) on refresh_token to youtility_auth;
grant select, insert, update (used_at, revoked_at) on api_key to youtility_auth;
grant select, insert on api_key_scope to youtility_auth;
grant update (handset_id) on session to youtility_auth;
grant select on client_network, api_key_scope, handset to youtility_definer;
grant select, update (used_at) on api_key to youtility_definer;
grant select on refresh_token to youtility_definer;
grant select (broker_username, broker_password_hash) on device to youtility_definer;

-- Whose refresh token it is, used or not: a used one is looked at as well, because it ends the session.
create function find_refresh_token(p_token_hash bytea)
    returns table (client_id uuid, person_id uuid, session_id uuid, id uuid, device_key text, used_at timestamptz,
                   replaced_by uuid, is_live boolean)
    language sql stable security definer set search_path = public, pg_temp as $$
        select token.client_id, session.person_id, session.id, token.id, handset.device_key, token.used_at,
               token.replaced_by,
               token.expires_at > now() and session.expires_at > now() and session.revoked_at is null
               and handset.released_at is null and person.enabled and client.state = 'ACTIVE'
          from refresh_token as token
          join session on session.client_id = token.client_id and session.id = token.session_id
          join handset on handset.client_id = session.client_id and handset.id = session.handset_id
          join person on person.client_id = session.client_id and person.id = session.person_id
          join client on client.client_id = session.client_id
         where token.token_hash = p_token_hash
    $$;
revoke all on function find_refresh_token(bytea) from public;
grant execute on function find_refresh_token(bytea) to youtility_auth;
alter function find_refresh_token(bytea) owner to youtility_definer;

-- The device behind a name at the broker. The codes are its topics: `yt/v1/{client_code}/{device_code}/…`.
create function find_broker_account(p_username text)
    returns table (client_id uuid, client_code text, device_id uuid, device_code text, password_hash text)
    language sql stable security definer set search_path = public, pg_temp as $$
        select client.client_id, client.code, device.id, device.code, device.broker_password_hash
          from device
          join client on client.client_id = device.client_id and client.state = 'ACTIVE'
         where device.broker_username = p_username and device.enabled
    $$;
revoke all on function find_broker_account(text) from public;
grant execute on function find_broker_account(text) to youtility_auth;
alter function find_broker_account(text) owner to youtility_definer;

-- General limits of requests (GCRA): the theoretical arrival time of each key in microseconds. Unlogged: after a crash everybody
-- begins anew, which is no gate to anything; what is, stands in `sign_in_counter`. No index but the key: an update that touches
-- none writes no index.
create unlogged table request_rate (
    key     bytea   not null,
    tat     bigint  not null,
    granted integer not null,
    constraint request_rate_pkey primary key (key),
    constraint request_rate_key_check check (length(key) = 16)
) with (fillfactor = 50);

create function micros() returns bigint
    language sql volatile parallel safe as $$ select (extract(epoch from clock_timestamp()) * 1000000)::bigint $$;

-- Takes up to `p_wanted` tokens of each key: one statement for all who wait, in the order of keys, on the database's clock.
-- `p_intervals` is the time of one token in microseconds, `p_bursts` how many lie there at most. A key that gets none is told
-- when its next one comes; `tat` never moves back, so that may be believed until then.
create function take_request_tokens(p_keys bytea[], p_intervals bigint[], p_bursts integer[], p_wanted integer[])
    returns table (key bytea, granted integer, remaining integer, retry_after_micros bigint)
    language sql volatile security definer set search_path = public, pg_temp as $$
        with wanted as (
            select wanted.key, interval, burst, least(count, burst) as count
              from unnest(p_keys, p_intervals, p_bursts, p_wanted) as wanted (key, interval, burst, count)
        ), taken as (
            insert into request_rate as rate (key, tat, granted)
            select wanted.key, micros() + wanted.count * wanted.interval, wanted.count
              from wanted
             order by wanted.key
            on conflict on constraint request_rate_pkey do update
               set (tat, granted) = (
                   select base + fits * wanted.interval, fits
                     from wanted,
                          lateral (select greatest(rate.tat, micros()) as base, micros() as moment) as at_lock,
                          lateral (select greatest(0, least(wanted.count::bigint,
                                       (wanted.burst * wanted.interval - (base - moment)) / wanted.interval))::integer
                                       as fits) as room
                    where wanted.key = rate.key)
            returning rate.key, rate.tat, rate.granted)
        select taken.key, taken.granted,
               greatest(0, ((wanted.burst * wanted.interval - greatest(taken.tat - micros(), 0)) / wanted.interval))::integer,
               case when taken.granted > 0 then 0
                    else greatest(1, taken.tat + wanted.interval - wanted.burst * wanted.interval - micros()) end
          from taken
          join wanted on wanted.key = taken.key
    $$;
revoke all on function take_request_tokens(bytea[], bigint[], integer[], integer[]) from public;
grant execute on function take_request_tokens(bytea[], bigint[], integer[], integer[]) to youtility_auth;
grant select, insert, update, delete on request_rate to youtility_definer;
alter function take_request_tokens(bytea[], bigint[], integer[], integer[]) owner to youtility_definer;

-- Forgets keys that are as full as new ones, some at a time.
create function clean_up_request_rates(p_limit integer) returns bigint
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    gone bigint;
begin
    delete from request_rate where key in (
        select key from request_rate where tat < micros() limit p_limit for update skip locked);
    get diagnostics gone = row_count;
    return gone;
end
$$;
revoke all on function clean_up_request_rates(integer) from public;
grant execute on function clean_up_request_rates(integer) to youtility_worker;
alter function clean_up_request_rates(integer) owner to youtility_definer;
