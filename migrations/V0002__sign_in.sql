-- Why: who may sign in, who is signed in, and how often somebody may try: exact across every replica of auth.
-- Kind: expand. Locks: none, the tables are new.

-- A login names one person of one client; login names are unique over all clients, nobody types a client code.
create table credential (
    client_id     uuid        not null default current_client_id(),
    person_id     uuid        not null,
    login         text        not null,
    login_key     text        not null generated always as (lower(login)) stored,
    password_hash text        not null,
    changed_at    timestamptz not null default now(),
    used_at       timestamptz,
    constraint credential_pkey primary key (client_id, person_id),
    constraint credential_login_key unique (login_key),
    constraint credential_person_fkey foreign key (client_id, person_id) references person (client_id, id),
    constraint credential_login_check check (login ~ '^[A-Za-z0-9@#_.+-]{3,50}$'),
    constraint credential_password_hash_check check (password_hash like '$argon2id$%' and length(password_hash) <= 500)
);

-- Only the hash of a session's token is kept: reading this table signs nobody in.
create table session (
    client_id       uuid        not null default current_client_id(),
    id              uuid        not null,
    person_id       uuid        not null,
    token_hash      bytea       not null,
    created_at      timestamptz not null default now(),
    last_seen_at    timestamptz not null default now(),
    idle_expires_at timestamptz not null,
    expires_at      timestamptz not null,
    revoked_at      timestamptz,
    user_agent      text        not null default '',
    address         inet,
    constraint session_pkey primary key (client_id, id),
    constraint session_token_hash_key unique (token_hash),
    constraint session_person_fkey foreign key (client_id, person_id) references person (client_id, id),
    constraint session_token_hash_check check (length(token_hash) = 32),
    constraint session_user_agent_check check (length(user_agent) <= 500),
    constraint session_expires_check check (idle_expires_at <= expires_at)
) with (fillfactor = 80);
create index session_person_idx on session (client_id, person_id);

-- Tells every listener that a session ended before its time, so that cached identities go.
create function notify_session_revoked() returns trigger
    language plpgsql set search_path = public, pg_temp as $$
begin
    perform pg_notify('session_revoked', old.id::text);
    return null;
end
$$;
create trigger session_revoked after update of revoked_at on session
    for each row when (old.revoked_at is null and new.revoked_at is not null)
    execute function notify_session_revoked();
create trigger session_deleted after delete on session
    for each row when (old.revoked_at is null and least(old.idle_expires_at, old.expires_at) > now())
    execute function notify_session_revoked();

-- A person who is disabled is signed out everywhere.
create function revoke_sessions_of_disabled_person() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update session set revoked_at = now()
     where client_id = new.client_id and person_id = new.id and revoked_at is null;
    return null;
end
$$;
alter function revoke_sessions_of_disabled_person() owner to youtility_definer;
create trigger person_disabled after update of enabled on person
    for each row when (old.enabled and not new.enabled)
    execute function revoke_sessions_of_disabled_person();

-- Unsettled attempts of one window by login name or by network, and the row of those the full window turned away.
-- Logged: a crash must not forget a lockout.
create table sign_in_counter (
    key                text        not null,
    window_started_at  timestamptz not null,
    attempts           integer     not null,
    blocked_attempt_id bigint,
    constraint sign_in_counter_pkey primary key (key),
    constraint sign_in_counter_attempts_check check (attempts >= 0)
) with (fillfactor = 70);

-- Every attempt, also those of nobody: no tenant. What a full window turns away is one row that counts, so that nobody
-- fills the table by trying.
create table auth_rate_limit_attempts (
    id           bigint      not null generated always as identity,
    attempt_time timestamptz not null default clock_timestamp(),
    ip_address   inet        not null,
    username     text        not null,
    outcome      text        not null,
    settled_at   timestamptz,
    times        integer     not null default 1,
    last_time    timestamptz not null default clock_timestamp(),
    constraint auth_rate_limit_attempts_pkey primary key (id),
    constraint auth_rate_limit_attempts_username_check check (length(username) <= 150),
    constraint auth_rate_limit_attempts_outcome_check
        check (outcome in ('RESERVED', 'SUCCEEDED', 'FAILED', 'ABANDONED', 'BLOCKED_USERNAME', 'BLOCKED_IP'))
) with (fillfactor = 90);
create index auth_rate_limit_attempts_time_idx on auth_rate_limit_attempts (attempt_time);
create index auth_rate_limit_attempts_username_idx on auth_rate_limit_attempts (username, attempt_time);
create index auth_rate_limit_attempts_ip_idx on auth_rate_limit_attempts (ip_address, attempt_time);

do $$
declare
    tenant_table text;
begin
    foreach tenant_table in array array['credential', 'session'] loop
        execute format('alter table %I enable row level security', tenant_table);
        execute format('alter table %I force row level security', tenant_table);
        execute format('create policy tenant on %I using (client_id = current_client_id())', tenant_table);
        execute format('create policy definer on %I to youtility_definer using (true)', tenant_table);
    end loop;
end
$$;

grant select on credential to youtility_definer, youtility_auth;
grant update (password_hash, used_at) on credential to youtility_auth;
grant select, delete, update (last_seen_at, idle_expires_at, revoked_at) on session to youtility_definer;
grant select, insert, update (revoked_at) on session to youtility_auth;
grant select, insert, update, delete on sign_in_counter, auth_rate_limit_attempts to youtility_definer;

-- The keys attempts are counted under. One IPv6 customer holds a /64, so that network counts as one address.
create function sign_in_login_key(p_username text) returns text
    language sql immutable parallel safe
    as $$ select 'login:' || lower(left(p_username, 150)) $$;
create function sign_in_network_key(p_ip inet) returns text
    language sql immutable parallel safe
    as $$ select 'network:' || case family(p_ip) when 4 then host(p_ip)
                                                 else host(network(set_masklen(p_ip, 64))) || '/64' end $$;

-- Counts one attempt under a key if the window has room; null when it has none. The upsert's row lock orders callers, and
-- the clock is read after the lock is held.
create function take_sign_in_attempt(p_key text, p_window interval, p_max integer) returns integer
    language sql security definer set search_path = public, pg_temp as $$
        insert into sign_in_counter as counter (key, window_started_at, attempts)
        select p_key, clock_timestamp(), 1
         where p_max > 0
        on conflict (key) do update
           set window_started_at = case when counter.window_started_at + p_window <= clock_timestamp()
                                        then clock_timestamp() else counter.window_started_at end,
               attempts = case when counter.window_started_at + p_window <= clock_timestamp()
                               then 1 else counter.attempts + 1 end,
               blocked_attempt_id = case when counter.window_started_at + p_window > clock_timestamp()
                                         then counter.blocked_attempt_id end
         where counter.window_started_at + p_window <= clock_timestamp() or counter.attempts < p_max
        returning attempts
    $$;
revoke all on function take_sign_in_attempt(text, interval, integer) from public;
alter function take_sign_in_attempt(text, interval, integer) owner to youtility_definer;

-- Seconds until a key's window ends, at least one.
create function seconds_until_sign_in_reset(p_key text, p_window interval) returns integer
    language sql stable security definer set search_path = public, pg_temp as $$
        select coalesce((select greatest(1, ceil(extract(epoch from window_started_at + p_window - clock_timestamp())))
                           from sign_in_counter where key = p_key), 1)::integer
    $$;
revoke all on function seconds_until_sign_in_reset(text, interval) from public;
alter function seconds_until_sign_in_reset(text, interval) owner to youtility_definer;

-- Whether a key's window is full, without a lock: a flood of blocked callers must not queue for the counter's row.
create function is_sign_in_full(p_key text, p_window interval, p_max integer) returns boolean
    language sql stable security definer set search_path = public, pg_temp as $$
        select exists (select from sign_in_counter
                        where key = p_key
                          and attempts >= p_max
                          and window_started_at + p_window > clock_timestamp())
    $$;
revoke all on function is_sign_in_full(text, interval, integer) from public;
alter function is_sign_in_full(text, interval, integer) owner to youtility_definer;

-- Records that a full window turned somebody away: its first time makes a row, which counts the others.
create function record_blocked_sign_in(p_key text, p_ip inet, p_username text, p_outcome text) returns bigint
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    row_id bigint;
begin
    -- A crash may forget that somebody was blocked, never that somebody tried.
    perform set_config('synchronous_commit', 'off', true);
    select blocked_attempt_id into row_id from sign_in_counter where key = p_key;
    if row_id is null then
        -- The counter's lock lets one of many make the row.
        select blocked_attempt_id into row_id from sign_in_counter where key = p_key for update;
    end if;
    if row_id is null then
        insert into auth_rate_limit_attempts (ip_address, username, outcome)
        values (p_ip, left(p_username, 150), p_outcome)
        returning id into row_id;
        update sign_in_counter set blocked_attempt_id = row_id where key = p_key;
    else
        update auth_rate_limit_attempts set times = times + 1, last_time = clock_timestamp() where id = row_id;
    end if;
    return row_id;
end
$$;
revoke all on function record_blocked_sign_in(text, inet, text, text) from public;
alter function record_blocked_sign_in(text, inet, text, text) owner to youtility_definer;

-- Reserves one attempt before a password is looked at: the login name first, then the network. Exact under concurrency
-- and over replicas when each call commits on its own. A blocked call neither counts nor moves the end of the window.
create function reserve_sign_in_attempt(
    p_ip inet, p_username text, p_window interval, p_username_max integer, p_ip_max integer,
    out attempt_id bigint, out is_granted boolean, out blocked_by text, out retry_after_seconds integer
)
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    login_key   text := sign_in_login_key(p_username);
    network_key text := sign_in_network_key(p_ip);
    full_key    text;
begin
    -- Looks first and takes then: only callers who still find room queue for the rows.
    if is_sign_in_full(login_key, p_window, p_username_max) then
        blocked_by := 'USERNAME';
    elsif is_sign_in_full(network_key, p_window, p_ip_max) then
        blocked_by := 'IP';
    elsif take_sign_in_attempt(login_key, p_window, p_username_max) is null then
        blocked_by := 'USERNAME';
    elsif take_sign_in_attempt(network_key, p_window, p_ip_max) is null then
        blocked_by := 'IP';
        update sign_in_counter set attempts = greatest(attempts - 1, 0) where key = login_key;
    end if;
    is_granted := blocked_by is null;
    if is_granted then
        retry_after_seconds := 0;
        insert into auth_rate_limit_attempts (ip_address, username, outcome)
        values (p_ip, left(p_username, 150), 'RESERVED')
        returning id into attempt_id;
    else
        full_key := case blocked_by when 'USERNAME' then login_key else network_key end;
        retry_after_seconds := seconds_until_sign_in_reset(full_key, p_window);
        attempt_id := record_blocked_sign_in(full_key, p_ip, p_username, 'BLOCKED_' || blocked_by);
    end if;
end
$$;
revoke all on function reserve_sign_in_attempt(inet, text, interval, integer, integer) from public;
grant execute on function reserve_sign_in_attempt(inet, text, interval, integer, integer) to youtility_auth;
alter function reserve_sign_in_attempt(inet, text, interval, integer, integer) owner to youtility_definer;

-- Says how a reserved attempt ended: SUCCEEDED forgets the login name's failures and gives the network its one back,
-- ABANDONED (no password was compared) gives both their one back, FAILED stays counted. Repeating it changes nothing.
create function settle_sign_in_attempt(p_attempt_id bigint, p_outcome text) returns boolean
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    settled auth_rate_limit_attempts;
begin
    update auth_rate_limit_attempts
       set outcome = p_outcome, settled_at = clock_timestamp()
     where id = p_attempt_id and outcome = 'RESERVED'
    returning * into settled;
    if not found then
        return false;
    end if;
    if p_outcome = 'SUCCEEDED' then
        delete from sign_in_counter where key = sign_in_login_key(settled.username);
    elsif p_outcome = 'ABANDONED' then
        update sign_in_counter set attempts = greatest(attempts - 1, 0)
         where key = sign_in_login_key(settled.username) and window_started_at <= settled.attempt_time;
    end if;
    if p_outcome in ('SUCCEEDED', 'ABANDONED') then
        update sign_in_counter set attempts = greatest(attempts - 1, 0)
         where key = sign_in_network_key(settled.ip_address) and window_started_at <= settled.attempt_time;
    end if;
    return true;
end
$$;
revoke all on function settle_sign_in_attempt(bigint, text) from public;
grant execute on function settle_sign_in_attempt(bigint, text) to youtility_auth;
alter function settle_sign_in_attempt(bigint, text) owner to youtility_definer;

-- What a reservation would answer, without counting: for operators and tests.
create function check_rate_limit(
    p_ip inet, p_username varchar,
    p_time_window interval default interval '15 minutes', p_max_attempts integer default 5
) returns json
    language plpgsql stable security definer set search_path = public, pg_temp as $$
declare
    username_attempts integer := coalesce((
        select attempts from sign_in_counter
         where key = sign_in_login_key(p_username) and window_started_at + p_time_window > clock_timestamp()), 0);
    ip_attempts integer := coalesce((
        select attempts from sign_in_counter
         where key = sign_in_network_key(p_ip) and window_started_at + p_time_window > clock_timestamp()), 0);
    block_reason text := case when username_attempts >= p_max_attempts then 'username'
                              when ip_attempts >= 3 * p_max_attempts then 'ip' end;
begin
    return json_build_object(
        'is_blocked', block_reason is not null,
        'ip_attempts', ip_attempts,
        'username_attempts', username_attempts,
        'max_attempts', p_max_attempts,
        'time_window', p_time_window::text,
        'last_attempt', (select greatest(
            (select max(last_time) from auth_rate_limit_attempts where username = p_username),
            (select max(last_time) from auth_rate_limit_attempts where ip_address = p_ip))),
        'block_reason', block_reason,
        'time_until_reset', case block_reason
            when 'username' then seconds_until_sign_in_reset(sign_in_login_key(p_username), p_time_window)
            when 'ip' then seconds_until_sign_in_reset(sign_in_network_key(p_ip), p_time_window)
            else 0 end);
end
$$;
revoke all on function check_rate_limit(inet, varchar, interval, integer) from public;
grant execute on function check_rate_limit(inet, varchar, interval, integer) to youtility_auth, youtility_worker;
alter function check_rate_limit(inet, varchar, interval, integer) owner to youtility_definer;

-- Forgets attempts: of a login name, of a network, or (both null) of everybody. For operators.
create function reset_sign_in_limits(p_ip inet, p_username text) returns integer
    language sql security definer set search_path = public, pg_temp as $$
        with gone as (
            delete from sign_in_counter
             where (p_ip is null and p_username is null)
                or key in (sign_in_network_key(p_ip), sign_in_login_key(p_username))
            returning key)
        select count(*)::integer from gone
    $$;
revoke all on function reset_sign_in_limits(inet, text) from public;
alter function reset_sign_in_limits(inet, text) owner to youtility_definer;

-- The person behind a login name, if the person and the client may sign in.
create function find_credential(p_login_key text)
    returns table (client_id uuid, person_id uuid, password_hash text)
    language sql stable security definer set search_path = public, pg_temp as $$
        select credential.client_id, credential.person_id, credential.password_hash
          from credential
          join client on client.client_id = credential.client_id
          join person on person.client_id = credential.client_id and person.id = credential.person_id
         where credential.login_key = p_login_key
           and client.state = 'ACTIVE'
           and person.enabled
    $$;
revoke all on function find_credential(text) from public;
grant execute on function find_credential(text) to youtility_auth;
alter function find_credential(text) owner to youtility_definer;

-- Everything an identity says, for the token of a live session, in one round trip. What the person may do is what the
-- client has and the person was given. The idle limit moves at most once a minute.
create function find_session(p_token_hash bytea, p_idle interval)
    returns table (
        session_id uuid, client_id uuid, client_name text, time_zone text, demo boolean, person_id uuid,
        person_name text, capabilities text[], site_ids uuid[], expires_at timestamptz)
    language plpgsql security definer set search_path = public, pg_temp as $$
#variable_conflict use_column
begin
    update session
       set last_seen_at = now(), idle_expires_at = least(now() + p_idle, session.expires_at)
     where session.token_hash = p_token_hash
       and session.revoked_at is null
       and session.idle_expires_at > now()
       and session.last_seen_at < now() - interval '1 minute';
    return query
        select session.id, client.client_id, client.name, client.time_zone, client.demo, person.id, person.name,
               array(select person_capability.capability
                       from person_capability
                       join client_capability using (client_id, capability)
                      where person_capability.client_id = person.client_id
                        and person_capability.person_id = person.id
                      order by person_capability.capability),
               case when not person.all_sites
                    then array(select person_site.site_id
                                 from person_site
                                where person_site.client_id = person.client_id
                                  and person_site.person_id = person.id) end,
               least(session.idle_expires_at, session.expires_at)
          from session
          join person on person.client_id = session.client_id and person.id = session.person_id
          join client on client.client_id = session.client_id
         where session.token_hash = p_token_hash
           and session.revoked_at is null
           and session.idle_expires_at > now()
           and person.enabled
           and client.state = 'ACTIVE';
end
$$;
revoke all on function find_session(bytea, interval) from public;
grant execute on function find_session(bytea, interval) to youtility_auth;
alter function find_session(bytea, interval) owner to youtility_definer;

-- Removes sessions that ended: expired, or revoked a day ago.
create function cleanup_expired_sessions() returns json
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    total_before  bigint := (select count(*) from session);
    deleted_count bigint;
begin
    delete from session
     where expires_at < now() or idle_expires_at < now() or revoked_at < now() - interval '1 day';
    get diagnostics deleted_count = row_count;
    return json_build_object('deleted_count', deleted_count, 'total_before', total_before,
                             'total_after', total_before - deleted_count, 'cleanup_time', now());
end
$$;
revoke all on function cleanup_expired_sessions() from public;
grant execute on function cleanup_expired_sessions() to youtility_worker;
alter function cleanup_expired_sessions() owner to youtility_definer;

-- Removes at most `p_limit` attempts older than some days, and as many counters nobody touched for as long; answers how
-- many rows went. Fewer than `p_limit` means that none are left.
create function clean_up_sign_in_attempts(p_days integer, p_limit integer) returns bigint
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    oldest_kept timestamptz := now() - make_interval(days => p_days);
    attempts    bigint;
    counters    bigint;
begin
    delete from auth_rate_limit_attempts
     where id in (select id from auth_rate_limit_attempts where attempt_time < oldest_kept limit p_limit);
    get diagnostics attempts = row_count;
    delete from sign_in_counter
     where key in (select key from sign_in_counter where window_started_at < oldest_kept limit p_limit);
    get diagnostics counters = row_count;
    return greatest(attempts, counters);
end
$$;
revoke all on function clean_up_sign_in_attempts(integer, integer) from public;
grant execute on function clean_up_sign_in_attempts(integer, integer) to youtility_worker;
alter function clean_up_sign_in_attempts(integer, integer) owner to youtility_definer;
