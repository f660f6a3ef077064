-- Why: every mail waits in an outbox: written with what it tells, sent until the relay has answered for each recipient, and
-- kept as a record of what was said to whom.
-- Kind: expand. Locks: none, the tables are new.

-- One row for each MIME message: the recipients of one group who share a domain. Together they are one conversation with
-- the relay, and one domain's limit or trouble does not delay the others. `created_at` is when the cause happened, so the
-- same cause asked for twice meets the same key although the table is partitioned.
create table mail (
    client_id      uuid        not null default current_client_id(),
    id             uuid        not null,
    created_at     timestamptz not null,
    kind           text        not null,
    subject_kind   text        not null,
    subject_id     uuid        not null,
    cause_id       uuid        not null,
    part           smallint    not null,
    domain         text        not null,
    recipients     jsonb       not null,
    subject        text        not null,
    text_body      text        not null,
    html_body      text        not null,
    body_kept      boolean     not null,
    sender         text,
    reply_to       text,
    state          text        not null default 'QUEUED',
    attempts       integer     not null default 0,
    turn_at        timestamptz,
    tried_at       timestamptz,
    sent_at        timestamptz,
    reply_code     smallint,
    reason         text,
    correlation_id uuid        not null,
    constraint mail_pkey primary key (client_id, id, created_at),
    constraint mail_cause_key unique (client_id, cause_id, kind, domain, part, created_at),
    constraint mail_client_fkey foreign key (client_id) references client,
    constraint mail_kind_check check (kind ~ '^[a-z][a-z_]{0,49}$'),
    constraint mail_subject_kind_check check (subject_kind ~ '^[a-z][a-z_]{0,49}$'),
    constraint mail_part_check check (part >= 0),
    constraint mail_domain_check check (length(domain) between 1 and 254),
    constraint mail_recipients_check check (jsonb_array_length(recipients) between 1 and 100),
    constraint mail_subject_check check (length(subject) between 1 and 1000 and subject !~ '[[:cntrl:]]'),
    constraint mail_body_check check (length(text_body) <= 1000000 and length(html_body) <= 2000000),
    constraint mail_state_check check (state in ('QUEUED', 'SENT', 'REFUSED', 'GIVEN_UP')),
    constraint mail_attempts_check check (attempts >= 0),
    constraint mail_reply_code_check check (reply_code between 200 and 599),
    constraint mail_reason_check check (length(reason) between 1 and 500)
) partition by range (created_at);
comment on column mail.recipients is 'Name, address and state of each, as they stand in the message; with the relay''s last answer.';
comment on column mail.body_kept is 'False for a body with a secret in it, such as a link that signs somebody in: it goes when the mail has ended.';
comment on column mail.sender is 'Chosen by the first attempt; each further one says the same.';
comment on column mail.turn_at is 'When the domain''s limit lets it go; null when it has not waited.';
create table mail_default partition of mail default;
-- Secrets that wait for their mail to end.
create index mail_secret_idx on mail (created_at) where not body_kept and state = 'QUEUED';

-- An address that is gone is not mailed again before that time, or before somebody lifts it. Where the relay refused
-- without saying whether because of the address, the days on which it did are counted, and enough of them in a row count
-- as gone.
create table mail_bounce (
    client_id        uuid        not null default current_client_id() references client,
    email            text        not null,
    mail_id          uuid        not null,
    reply_code       smallint,
    reason           text        not null,
    bounced_at       timestamptz not null,
    refusal_days     integer     not null default 0,
    suppressed_until timestamptz,
    constraint mail_bounce_pkey primary key (client_id, email),
    constraint mail_bounce_email_check check (length(email) between 3 and 254),
    constraint mail_bounce_reply_code_check check (reply_code between 200 and 599),
    constraint mail_bounce_refusal_days_check check (refusal_days >= 0),
    constraint mail_bounce_reason_check check (length(reason) between 1 and 500)
);
comment on column mail_bounce.refusal_days is 'Days in a row with a refusal that does not say why, since the last mail that was taken.';
comment on column mail_bounce.suppressed_until is 'Null while days are counted only.';

-- The limit of a domain over all clients and workers, and the turns of each client at it. `free_at` moves on by one interval
-- with each message; a bucket of one period is full when it lies a period back.
create table mail_domain (
    domain  text        not null,
    free_at timestamptz not null,
    constraint mail_domain_pkey primary key (domain)
);
create table mail_turn (
    client_id uuid        not null default current_client_id() references client,
    domain    text        not null,
    free_at   timestamptz not null,
    constraint mail_turn_pkey primary key (client_id, domain)
);

do $$
declare
    tenant_table text;
begin
    foreach tenant_table in array array['mail', 'mail_bounce', 'mail_turn'] loop
        execute format('alter table %I enable row level security', tenant_table);
        execute format('alter table %I force row level security', tenant_table);
        execute format(
            'create policy tenant on %I using (client_id = current_client_id())', tenant_table);
        execute format('create policy definer on %I to youtility_definer using (true)', tenant_table);
    end loop;
end
$$;

grant select, insert, update on mail, mail_bounce, mail_domain, mail_turn to youtility_worker;
-- Use cases of the web post mail; whether it was posted before is all they read of it.
-- Neither sender nor state are theirs to set.
grant insert (id, part, domain, recipients, created_at, kind, subject_kind, subject_id, cause_id, subject, text_body, html_body,
              body_kept, correlation_id),
      select (client_id, id, created_at, cause_id, kind, domain, part)
   on mail to youtility_web;
grant select, update (suppressed_until, refusal_days) on mail_bounce to youtility_web;

-- Removes what is kept for a time only, over all clients: addresses that are mailed again or have been counted for, and
-- turns of domains that have come a day ago, which is the longest period of a limit; at most `p_limit` of each. Answers
-- how many rows went of which there were most; fewer than `p_limit` means that none are left.
create function clean_up_mail(p_days integer, p_limit integer) returns bigint
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    bounces bigint;
    turns   bigint;
    domains bigint;
begin
    delete from mail_bounce
     where (client_id, email) in (
               select client_id, email
                 from mail_bounce
                where coalesce(suppressed_until, bounced_at) < now() - make_interval(days => p_days)
                limit p_limit
                  for update skip locked);
    get diagnostics bounces = row_count;
    delete from mail_turn
     where (client_id, domain) in (
               select client_id, domain from mail_turn where free_at < now() - interval '1 day' limit p_limit
                  for update skip locked);
    get diagnostics turns = row_count;
    delete from mail_domain
     where domain in (
               select domain from mail_domain where free_at < now() - interval '1 day' limit p_limit
                  for update skip locked);
    get diagnostics domains = row_count;
    return greatest(bounces, turns, domains);
end
$$;
revoke all on function clean_up_mail(integer, integer) from public;
grant execute on function clean_up_mail(integer, integer) to youtility_worker;
alter function clean_up_mail(integer, integer) owner to youtility_definer;
grant select, delete, update (free_at) on mail_turn, mail_domain to youtility_definer;
grant select, delete, update (suppressed_until) on mail_bounce to youtility_definer;

-- Ends mails with a secret that no live task sends any more: it was cancelled, or given up with its worker. Their bodies
-- go. Answers how many, over all clients. The key is the one the outbox gives its tasks.
create function end_secret_mails(p_kind text, p_reason text) returns bigint
    language sql security definer set search_path = public, pg_temp as $$
    with ended as (
        update mail
           set state = 'GIVEN_UP', text_body = '', html_body = '', reason = p_reason
         where not body_kept
           and state = 'QUEUED'
           and not exists (select from task
                            where task.kind = p_kind
                              and task.unique_key = mail.client_id::text || ':' || mail.id::text)
        returning id)
    select count(*) from ended
$$;
revoke all on function end_secret_mails(text, text) from public;
grant execute on function end_secret_mails(text, text) to youtility_worker;
alter function end_secret_mails(text, text) owner to youtility_definer;
grant select (client_id, id, body_kept, state), update (state, text_body, html_body, reason) on mail to youtility_definer;
grant select (kind, unique_key) on task to youtility_definer;

insert into task_kind (name, queue, attempts_max, timeout_ms, backoff_base_ms, backoff_max_ms, description)
values ('mail.send', 'email', 12, 60000, 2000, 3600000, 'sends one mail of the outbox')
on conflict (name) do nothing;

-- `mail` joins the tables that are partitioned by day. And a partition is made apart and then attached: `create table …
-- partition of` waits for everybody who reads the parent, and all who write to it wait behind that. Attaching waits for
-- those who read the default partition; after a second it gives up (55P03), and the next call tries again.
create or replace function ensure_daily_partitions(parent text, from_day date, days integer) returns integer
    language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '1s' as $$
declare
    day            date;
    partition_name text;
    from_time      timestamptz;
    to_time        timestamptz;
    made           integer := 0;
begin
    if parent not in ('audit_event', 'telemetry_reading', 'task_attempt', 'task_history', 'mail') then
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

-- Whoever may call this cannot erase the last days: the audit trail keeps 90, readings as many as devices repeat messages,
-- mail a week. Dropping a partition locks the parent, and so does detaching it where there is a default partition: writers
-- wait for a second at most behind whoever reads, then it gives up (55P03), and the next call tries again. Rows go first,
-- so that the lock is held for the drops only.
create or replace function drop_daily_partitions(parent text, first_kept date) returns integer
    language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '1s' as $$
declare
    days_kept      integer := case parent when 'audit_event' then 90 when 'telemetry_reading' then 31
                                          when 'mail' then 7 else 1 end;
    key_column     name;
    partition_name text;
    dropped        integer := 0;
begin
    if parent not in ('audit_event', 'telemetry_reading', 'task_attempt', 'task_history', 'mail') then
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

select ensure_daily_partitions('mail', (now() at time zone 'UTC')::date - 1, 9);
