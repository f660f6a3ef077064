-- Why: second factors, recovery by mail, and known devices, so that a stranger cannot lock a person out of their own.
-- Kind: expand. Locks: `session`, `client`, `person`, `auth_rate_limit_attempts` exclusively for a moment, none is rewritten.

-- How a session came to be: what signed in, with how many factors, and when that was last proven.
alter table session
    add column kind              text        not null default 'WEB',
    add column factors           smallint    not null default 1,
    add column authenticated_at  timestamptz not null default now(),
    add column access_expires_at timestamptz,
    add constraint session_kind_check check (kind in ('WEB', 'MOBILE')),
    add constraint session_factors_check check (factors between 1 and 2),
    add constraint session_access_check check ((kind = 'MOBILE') = (access_expires_at is not null));
comment on column session.access_expires_at is 'When the token ends although the session does not; a refresh token gives the next.';
grant update (token_hash, factors, authenticated_at, access_expires_at, last_seen_at, idle_expires_at)
   on session to youtility_auth;

-- A token that was replaced is as dead as one that was revoked: caches forget the session and ask again.
create trigger session_token_replaced after update of token_hash on session
    for each row when (old.token_hash is distinct from new.token_hash and new.revoked_at is null)
    execute function notify_session_revoked();

alter table client
    add column second_factor text not null default 'OPTIONAL',
    add constraint client_second_factor_check check (second_factor in ('OPTIONAL', 'REQUIRED'));
alter table person add column email_verified_at timestamptz;
-- Name and address go into the password rules, the list of sessions and the mails about an account.
grant select on client, person to youtility_auth;
grant update (email_verified_at) on person to youtility_auth;
grant insert (client_id, person_id, login, password_hash), update (login, changed_at) on credential to youtility_auth;

-- The secret is sealed with a key of the settings (XChaCha/AES-GCM, client and person as associated data).
create table totp (
    client_id    uuid        not null default current_client_id(),
    person_id    uuid        not null,
    sealed       bytea       not null,
    key_name     text        not null,
    last_step    bigint      not null default 0,
    created_at   timestamptz not null default now(),
    confirmed_at timestamptz,
    constraint totp_pkey primary key (client_id, person_id),
    constraint totp_person_fkey foreign key (client_id, person_id) references person (client_id, id),
    constraint totp_sealed_check check (length(sealed) between 32 and 200),
    constraint totp_key_name_check check (length(key_name) between 1 and 50)
);
comment on column totp.last_step is 'The time step of the last code taken: none is taken twice.';

-- Codes have 120 random bits, so that one round of SHA-256 hides them.
create table recovery_code (
    client_id uuid  not null default current_client_id(),
    person_id uuid  not null,
    code_hash bytea not null,
    used_at   timestamptz,
    constraint recovery_code_pkey primary key (client_id, person_id, code_hash),
    constraint recovery_code_person_fkey foreign key (client_id, person_id) references person (client_id, id),
    constraint recovery_code_hash_check check (length(code_hash) = 32)
);

create table passkey (
    client_id     uuid        not null default current_client_id(),
    id            uuid        not null,
    person_id     uuid        not null,
    credential_id bytea       not null,
    name          text        not null,
    public_part   jsonb       not null,
    created_at    timestamptz not null default now(),
    used_at       timestamptz,
    constraint passkey_pkey primary key (client_id, id),
    constraint passkey_credential_key unique (credential_id),
    constraint passkey_person_fkey foreign key (client_id, person_id) references person (client_id, id),
    constraint passkey_credential_check check (length(credential_id) between 16 and 1023),
    constraint passkey_name_check check (length(name) between 1 and 100),
    constraint passkey_public_part_check check (pg_column_size(public_part) <= 16384)
);
create index passkey_person_idx on passkey (client_id, person_id);

-- The server's half of a ceremony between two requests; taken once, by deleting it.
create table passkey_ceremony (
    client_id  uuid        not null default current_client_id(),
    id         uuid        not null,
    person_id  uuid        not null,
    purpose    text        not null,
    state      jsonb       not null,
    expires_at timestamptz not null,
    constraint passkey_ceremony_pkey primary key (client_id, id),
    constraint passkey_ceremony_person_fkey foreign key (client_id, person_id) references person (client_id, id),
    constraint passkey_ceremony_purpose_check check (purpose in ('REGISTER', 'SIGN_IN', 'STEP_UP'))
);
create index passkey_ceremony_expires_idx on passkey_ceremony (expires_at);
create index passkey_ceremony_person_idx on passkey_ceremony (client_id, person_id);

-- A password was right and a second factor is owed: not a session, and good for nothing else.
create table sign_in_step (
    client_id  uuid        not null default current_client_id(),
    id         uuid        not null,
    person_id  uuid        not null,
    token_hash bytea       not null,
    remember   boolean     not null default false,
    expires_at timestamptz not null,
    constraint sign_in_step_pkey primary key (client_id, id),
    constraint sign_in_step_token_hash_key unique (token_hash),
    constraint sign_in_step_person_fkey foreign key (client_id, person_id) references person (client_id, id),
    constraint sign_in_step_token_hash_check check (length(token_hash) = 32)
);
create index sign_in_step_expires_idx on sign_in_step (expires_at);
create index sign_in_step_person_idx on sign_in_step (client_id, person_id);

-- What a mailed link carries: shown once, used once.
create table account_token (
    client_id  uuid        not null default current_client_id(),
    id         uuid        not null,
    person_id  uuid        not null,
    purpose    text        not null,
    token_hash bytea       not null,
    email      text        not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at    timestamptz,
    constraint account_token_pkey primary key (client_id, id),
    constraint account_token_hash_key unique (token_hash),
    constraint account_token_person_fkey foreign key (client_id, person_id) references person (client_id, id),
    constraint account_token_purpose_check check (purpose in ('RESET', 'VERIFY', 'INVITE')),
    constraint account_token_hash_check check (length(token_hash) = 32)
);
create index account_token_person_idx on account_token (client_id, person_id, purpose);
create index account_token_expires_idx on account_token (expires_at);

-- A browser somebody signed in with before: its attempts are counted apart from those of strangers.
create table known_device (
    client_id  uuid        not null default current_client_id(),
    id         uuid        not null,
    person_id  uuid        not null,
    token_hash bytea       not null,
    user_agent text        not null default '',
    created_at timestamptz not null default now(),
    used_at    timestamptz not null default now(),
    expires_at timestamptz not null,
    constraint known_device_pkey primary key (client_id, id),
    constraint known_device_token_hash_key unique (token_hash),
    constraint known_device_person_fkey foreign key (client_id, person_id) references person (client_id, id),
    constraint known_device_token_hash_check check (length(token_hash) = 32),
    constraint known_device_user_agent_check check (length(user_agent) <= 500)
);
create index known_device_person_idx on known_device (client_id, person_id);
create index known_device_expires_idx on known_device (expires_at);

do $$
declare
    tenant_table text;
begin
    foreach tenant_table in array array[
        'totp', 'recovery_code', 'passkey', 'passkey_ceremony', 'sign_in_step', 'account_token', 'known_device'
    ] loop
        execute format('alter table %I enable row level security', tenant_table);
        execute format('alter table %I force row level security', tenant_table);
        execute format('create policy tenant on %I using (client_id = current_client_id())', tenant_table);
        execute format('create policy definer on %I to youtility_definer using (true)', tenant_table);
        execute format('grant select, insert, update, delete on %I to youtility_auth', tenant_table);
    end loop;
end
$$;
grant select, delete on passkey_ceremony, sign_in_step, account_token, known_device to youtility_definer;
grant select (client_id, person_id, confirmed_at) on totp to youtility_definer;
grant select (client_id, person_id) on passkey to youtility_definer;
-- The worker writes the mail of a link, and with it the link: see `account.mail`.
grant select, insert on account_token to youtility_worker;

-- Under which key an attempt was counted; null for those before this migration.
alter table auth_rate_limit_attempts add column login_key text;

-- As before, but an attempt from a device the person signed in with before is counted under that device.
drop function reserve_sign_in_attempt(inet, text, interval, integer, integer);
create function reserve_sign_in_attempt(
    p_ip inet, p_username text, p_window interval, p_username_max integer, p_ip_max integer,
    p_device_hash bytea default null,
    out attempt_id bigint, out is_granted boolean, out blocked_by text, out retry_after_seconds integer
)
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    counted_key text := coalesce(
        (select 'device:' || encode(known_device.token_hash, 'hex')
           from known_device
           join credential on credential.client_id = known_device.client_id
                          and credential.person_id = known_device.person_id
                          and credential.login_key = lower(p_username)
          where known_device.token_hash = p_device_hash
            and known_device.expires_at > now()),
        sign_in_login_key(p_username));
    network_key text := sign_in_network_key(p_ip);
    full_key    text;
begin
    -- Looks first and takes then: only callers who still find room queue for the rows.
    if is_sign_in_full(counted_key, p_window, p_username_max) then
        blocked_by := 'USERNAME';
    elsif is_sign_in_full(network_key, p_window, p_ip_max) then
        blocked_by := 'IP';
    elsif take_sign_in_attempt(counted_key, p_window, p_username_max) is null then
        blocked_by := 'USERNAME';
    elsif take_sign_in_attempt(network_key, p_window, p_ip_max) is null then
        blocked_by := 'IP';
        update sign_in_counter set attempts = greatest(attempts - 1, 0) where key = counted_key;
    end if;
    is_granted := blocked_by is null;
    if is_granted then
        retry_after_seconds := 0;
        insert into auth_rate_limit_attempts (ip_address, username, outcome, login_key)
        values (p_ip, left(p_username, 150), 'RESERVED', counted_key)
        returning id into attempt_id;
    else
        full_key := case blocked_by when 'USERNAME' then counted_key else network_key end;
        retry_after_seconds := seconds_until_sign_in_reset(full_key, p_window);
        attempt_id := record_blocked_sign_in(full_key, p_ip, p_username, 'BLOCKED_' || blocked_by);
    end if;
end
$$;
revoke all on function reserve_sign_in_attempt(inet, text, interval, integer, integer, bytea) from public;
grant execute on function reserve_sign_in_attempt(inet, text, interval, integer, integer, bytea) to youtility_auth;
alter function reserve_sign_in_attempt(inet, text, interval, integer, integer, bytea) owner to youtility_definer;

-- As before, under the key the attempt was counted under.
create or replace function settle_sign_in_attempt(p_attempt_id bigint, p_outcome text) returns boolean
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    settled     auth_rate_limit_attempts;
    counted_key text;
begin
    update auth_rate_limit_attempts
       set outcome = p_outcome, settled_at = clock_timestamp()
     where id = p_attempt_id and outcome = 'RESERVED'
    returning * into settled;
    if not found then
        return false;
    end if;
    counted_key := coalesce(settled.login_key, sign_in_login_key(settled.username));
    if p_outcome = 'SUCCEEDED' then
        delete from sign_in_counter where key = counted_key;
    elsif p_outcome = 'ABANDONED' then
        update sign_in_counter set attempts = greatest(attempts - 1, 0)
         where key = counted_key and window_started_at <= settled.attempt_time;
    end if;
    if p_outcome in ('SUCCEEDED', 'ABANDONED') then
        update sign_in_counter set attempts = greatest(attempts - 1, 0)
         where key = sign_in_network_key(settled.ip_address) and window_started_at <= settled.attempt_time;
    end if;
    return true;
end
$$;

-- As before; the last attempt comes off the end of an index, however many there are. `between` and the order by both columns leave
-- the planner no other index: the one of times alone looks good for a frequent name, and walks past everybody else's attempts.
create or replace function check_rate_limit(
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
        'last_attempt', greatest(
            (select last_time from auth_rate_limit_attempts
              where username between lower(p_username) and lower(p_username)
              order by username desc, attempt_time desc limit 1),
            (select last_time from auth_rate_limit_attempts
              where ip_address between p_ip and p_ip
              order by ip_address desc, attempt_time desc limit 1)),
        'block_reason', block_reason,
        'time_until_reset', case block_reason
            when 'username' then seconds_until_sign_in_reset(sign_in_login_key(p_username), p_time_window)
            when 'ip' then seconds_until_sign_in_reset(sign_in_network_key(p_ip), p_time_window)
            else 0 end);
end
$$;

-- The same counter for what is not a password: codes, links, refresh tokens, keys, brokers. Kinds keep it off the counters of
-- sign-in. Exact when each call commits on its own.
create function reserve_guess(
    p_kind text, p_subject text, p_window interval, p_max integer,
    out is_granted boolean, out retry_after_seconds integer
)
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    guess_key text := p_kind || ':' || left(p_subject, 150);
begin
    if p_kind not in ('factor', 'reset', 'link', 'refresh', 'key', 'broker', 'step-up') then
        raise exception 'no such kind of guess: %', p_kind using errcode = 'invalid_parameter_value';
    end if;
    is_granted := not is_sign_in_full(guess_key, p_window, p_max)
                  and take_sign_in_attempt(guess_key, p_window, p_max) is not null;
    retry_after_seconds := case when is_granted then 0 else seconds_until_sign_in_reset(guess_key, p_window) end;
end
$$;
revoke all on function reserve_guess(text, text, interval, integer) from public;
grant execute on function reserve_guess(text, text, interval, integer) to youtility_auth;
alter function reserve_guess(text, text, interval, integer) owner to youtility_definer;

create function forget_guesses(p_kind text, p_subject text) returns boolean
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if p_kind not in ('factor', 'refresh', 'key', 'broker', 'step-up') then
        raise exception 'guesses of this kind are not forgotten: %', p_kind using errcode = 'invalid_parameter_value';
    end if;
    delete from sign_in_counter where key = p_kind || ':' || left(p_subject, 150);
    return found;
end
$$;
revoke all on function forget_guesses(text, text) from public;
grant execute on function forget_guesses(text, text) to youtility_auth;
alter function forget_guesses(text, text) owner to youtility_definer;

-- As before, with the second factors the person has and whether the client demands one.
drop function find_credential(text);
create function find_credential(p_login_key text)
    returns table (client_id uuid, person_id uuid, password_hash text, has_totp boolean, passkeys integer,
                   second_factor_required boolean)
    language sql stable security definer set search_path = public, pg_temp as $$
        select credential.client_id, credential.person_id, credential.password_hash,
               exists (select from totp where totp.client_id = credential.client_id
                                          and totp.person_id = credential.person_id and totp.confirmed_at is not null),
               (select count(*)::integer from passkey where passkey.client_id = credential.client_id
                                                        and passkey.person_id = credential.person_id),
               client.second_factor = 'REQUIRED'
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

-- Whose unfinished sign-in a token is.
create function find_sign_in_step(p_token_hash bytea) returns table (client_id uuid, person_id uuid, id uuid, remember boolean)
    language sql stable security definer set search_path = public, pg_temp as $$
        select step.client_id, step.person_id, step.id, step.remember
          from sign_in_step as step
          join client on client.client_id = step.client_id and client.state = 'ACTIVE'
          join person on person.client_id = step.client_id and person.id = step.person_id and person.enabled
         where step.token_hash = p_token_hash and step.expires_at > now()
    $$;
revoke all on function find_sign_in_step(bytea) from public;
grant execute on function find_sign_in_step(bytea) to youtility_auth;
alter function find_sign_in_step(bytea) owner to youtility_definer;

-- Whose mailed link a token is, as long as it was not used.
create function find_account_token(p_token_hash bytea, p_purposes text[])
    returns table (client_id uuid, person_id uuid, id uuid, purpose text, email text)
    language sql stable security definer set search_path = public, pg_temp as $$
        select token.client_id, token.person_id, token.id, token.purpose, token.email
          from account_token as token
          join client on client.client_id = token.client_id and client.state = 'ACTIVE'
          join person on person.client_id = token.client_id and person.id = token.person_id and person.enabled
         where token.token_hash = p_token_hash and token.used_at is null and token.expires_at > now()
           and token.purpose = any (p_purposes)
    $$;
revoke all on function find_account_token(bytea, text[]) from public;
grant execute on function find_account_token(bytea, text[]) to youtility_auth;
alter function find_account_token(bytea, text[]) owner to youtility_definer;

-- Whom a login name stands for, for the task that answers "I forgot my password" out of anybody's sight.
create function find_recovery_recipient(p_login_key text) returns table (client_id uuid, person_id uuid)
    language sql stable security definer set search_path = public, pg_temp as $$
        select found.client_id, found.person_id
          from find_credential(p_login_key) as found
          join person on person.client_id = found.client_id and person.id = found.person_id and person.email is not null
    $$;
revoke all on function find_recovery_recipient(text) from public;
grant execute on function find_recovery_recipient(text) to youtility_worker;
alter function find_recovery_recipient(text) owner to youtility_definer;

-- Removes what accounts keep for a time only, at most `p_limit` of each.
create function clean_up_accounts(p_days integer, p_limit integer) returns bigint
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    most bigint := 0;
    gone bigint;
begin
    delete from sign_in_step where (client_id, id) in (
        select client_id, id from sign_in_step where expires_at < now() limit p_limit);
    get diagnostics gone = row_count;
    most := greatest(most, gone);
    delete from passkey_ceremony where (client_id, id) in (
        select client_id, id from passkey_ceremony where expires_at < now() limit p_limit);
    get diagnostics gone = row_count;
    most := greatest(most, gone);
    delete from known_device where (client_id, id) in (
        select client_id, id from known_device where expires_at < now() limit p_limit);
    get diagnostics gone = row_count;
    most := greatest(most, gone);
    delete from account_token where (client_id, id) in (
        select client_id, id from account_token where expires_at < now() - make_interval(days => p_days) limit p_limit);
    get diagnostics gone = row_count;
    return greatest(most, gone);
end
$$;
revoke all on function clean_up_accounts(integer, integer) from public;
grant execute on function clean_up_accounts(integer, integer) to youtility_worker;
alter function clean_up_accounts(integer, integer) owner to youtility_definer;

insert into task_kind (name, queue, attempts_max, timeout_ms, backoff_base_ms, backoff_max_ms, description)
values ('account.mail', 'email', 12, 60000, 2000, 3600000, 'mails a link, or word of a change, to whom an account belongs'),
       ('account.cleanup', 'maintenance', 20, 120000, 2000, 3600000, 'removes unfinished sign-ins, links and devices that ran out')
on conflict (name) do nothing;
