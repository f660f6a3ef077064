-- Why: tickets with history and attachments, who gets them when nobody acts; numbering per client without gaps.
-- Kind: expand. Locks: none, the tables are new.

-- The last number given; its row lock orders the writers of one client, so numbers have no gaps.
create table ticket_counter (
    client_id   uuid   not null default current_client_id() references client,
    last_number bigint not null default 0,
    constraint ticket_counter_pkey primary key (client_id)
);

-- `due_from` restarts the time escalation counts: at an escalation, and when work on the ticket begins again.
create table ticket (
    client_id        uuid        not null default current_client_id() references client,
    id               uuid        not null,
    number           bigint      not null,
    site_id          uuid        not null,
    title            text        not null,
    description      text        not null default '',
    state            text        not null default 'NEW',
    priority         text        not null,
    source           text        not null,
    assignee_id      uuid,
    group_id         uuid,
    created_by       uuid,
    alarm_rule_id    uuid,
    device_id        uuid,
    escalation_level integer     not null default 0,
    escalated_at     timestamptz,
    due_from         timestamptz,
    correlation_id   uuid        not null,
    version          bigint      not null default 1,
    created_at       timestamptz not null default now(),
    updated_at       timestamptz not null default now(),
    constraint ticket_pkey primary key (client_id, id),
    constraint ticket_number_key unique (client_id, number),
    constraint ticket_site_fkey foreign key (client_id, site_id) references site (client_id, id),
    constraint ticket_assignee_fkey foreign key (client_id, assignee_id) references person (client_id, id),
    constraint ticket_group_fkey foreign key (client_id, group_id) references person_group (client_id, id),
    constraint ticket_created_by_fkey foreign key (client_id, created_by) references person (client_id, id),
    constraint ticket_title_check check (length(title) between 1 and 200),
    constraint ticket_description_check check (length(description) <= 4000),
    constraint ticket_state_check check (state in ('NEW', 'OPEN', 'ON_HOLD', 'RESOLVED', 'CLOSED', 'CANCELLED')),
    constraint ticket_priority_check check (priority in ('LOW', 'MEDIUM', 'HIGH')),
    constraint ticket_source_check check (source in ('PERSON', 'ALARM'))
);
create index ticket_created_idx on ticket (client_id, created_at desc, id desc);
create index ticket_state_idx on ticket (client_id, state, created_at desc, id desc);
create index ticket_site_idx on ticket (client_id, site_id, created_at desc, id desc);
create index ticket_assignee_idx on ticket (client_id, assignee_id, created_at desc, id desc);
create index ticket_title_idx on ticket using gin (client_id, (' ' || lower(title)) gin_trgm_ops);
create index ticket_escalation_idx on ticket (client_id, coalesce(due_from, created_at))
    where state in ('NEW', 'OPEN');
-- One open ticket per rule: a sensor that keeps shouting raises one ticket.
create unique index ticket_alarm_key on ticket (client_id, alarm_rule_id)
    where alarm_rule_id is not null and state in ('NEW', 'OPEN', 'ON_HOLD');

-- What happened, and who had the ticket at which level afterwards: mail about it goes to them, however late it is sent.
create table ticket_event (
    client_id      uuid        not null default current_client_id(),
    id             uuid        not null,
    ticket_id      uuid        not null,
    kind           text        not null,
    person_id      uuid,
    detail         text        not null,
    cause_id       uuid,
    assignee_id    uuid,
    group_id       uuid,
    level          integer     not null default 0,
    correlation_id uuid        not null,
    at             timestamptz not null default now(),
    constraint ticket_event_pkey primary key (client_id, id),
    constraint ticket_event_ticket_fkey foreign key (client_id, ticket_id) references ticket (client_id, id),
    constraint ticket_event_person_fkey foreign key (client_id, person_id) references person (client_id, id),
    constraint ticket_event_assignee_fkey foreign key (client_id, assignee_id) references person (client_id, id),
    constraint ticket_event_group_fkey foreign key (client_id, group_id) references person_group (client_id, id),
    constraint ticket_event_cause_fkey foreign key (client_id, cause_id) references ticket_event (client_id, id),
    constraint ticket_event_kind_check
        check (kind in ('CREATED', 'MOVED', 'COMMENTED', 'ASSIGNED', 'ESCALATED', 'MAILED')),
    constraint ticket_event_detail_check check (length(detail) between 1 and 8000)
);
create index ticket_event_ticket_idx on ticket_event (client_id, ticket_id, at, id);
-- One event is mailed about once, however often the task that sends it runs.
create unique index ticket_event_mailed_key on ticket_event (client_id, cause_id) where kind = 'MAILED';

-- Files of a ticket: the description only; bytes live in object storage.
create table ticket_attachment (
    client_id    uuid        not null default current_client_id(),
    id           uuid        not null,
    ticket_id    uuid        not null,
    file_name    text        not null,
    media_type   text        not null,
    size_bytes   bigint      not null,
    sha256       bytea       not null,
    storage_key  text        not null,
    created_by   uuid,
    created_at   timestamptz not null default now(),
    constraint ticket_attachment_pkey primary key (client_id, id),
    constraint ticket_attachment_ticket_fkey foreign key (client_id, ticket_id) references ticket (client_id, id),
    constraint ticket_attachment_person_fkey foreign key (client_id, created_by) references person (client_id, id),
    constraint ticket_attachment_size_check check (size_bytes between 1 and 524288000),
    constraint ticket_attachment_sha256_check check (length(sha256) = 32)
);
create index ticket_attachment_ticket_idx on ticket_attachment (client_id, ticket_id);

-- Who gets a ticket when nobody acts in time. A site's rule goes before the client's (site_id null).
create table escalation_rule (
    client_id     uuid    not null default current_client_id() references client,
    id            uuid    not null,
    site_id       uuid,
    priority      text    not null,
    level         integer not null,
    after_minutes integer not null,
    person_id     uuid,
    group_id      uuid,
    notify        text,
    constraint escalation_rule_pkey primary key (client_id, id),
    constraint escalation_rule_level_key unique nulls not distinct (client_id, site_id, priority, level),
    constraint escalation_rule_site_fkey foreign key (client_id, site_id) references site (client_id, id),
    constraint escalation_rule_person_fkey foreign key (client_id, person_id) references person (client_id, id),
    constraint escalation_rule_group_fkey foreign key (client_id, group_id) references person_group (client_id, id),
    constraint escalation_rule_priority_check check (priority in ('LOW', 'MEDIUM', 'HIGH')),
    constraint escalation_rule_level_check check (level between 1 and 10),
    constraint escalation_rule_after_minutes_check check (after_minutes between 1 and 525600),
    constraint escalation_rule_notify_check check (notify ~ '^[^@\s]+@[^@\s]+$' and length(notify) <= 254)
);

do $$
declare
    tenant_table text;
begin
    foreach tenant_table in array array[
        'ticket_counter', 'ticket', 'ticket_event', 'ticket_attachment', 'escalation_rule'
    ] loop
        execute format('alter table %I enable row level security', tenant_table);
        execute format('alter table %I force row level security', tenant_table);
        execute format(
            'create policy tenant on %I using (client_id = current_client_id())', tenant_table);
        execute format('create policy definer on %I to youtility_definer using (true)', tenant_table);
    end loop;
end
$$;

grant select on ticket to youtility_definer;
grant select, insert, update on ticket_counter, ticket to youtility_web, youtility_worker, youtility_bridge;
grant select, insert on ticket_event to youtility_web, youtility_worker, youtility_bridge;
grant select, insert on ticket_attachment to youtility_web;
grant select on ticket_attachment to youtility_worker;
grant select on escalation_rule to youtility_web, youtility_worker;

-- One page of the running transaction's tickets by words of the title, newest first: ids only, because LIKE reaches no
-- index under row-level security. Null filters mean any; rows come after (p_before, p_before_id).
create function search_tickets(
    p_query text, p_sites uuid[], p_state text, p_priority text, p_site_id uuid,
    p_before timestamptz, p_before_id uuid, p_limit integer
) returns setof uuid
    language plpgsql stable security definer
    set search_path = public, pg_temp set plan_cache_mode = force_custom_plan as $$
declare
    patterns text[] := like_patterns(p_query);
begin
    return query
        select ticket.id
          from ticket
         where ticket.client_id = current_client_id()
           and (' ' || lower(ticket.title)) like coalesce(patterns[1], '%')
           and (' ' || lower(ticket.title)) like coalesce(patterns[2], patterns[1], '%')
           and (' ' || lower(ticket.title)) like all (patterns)
           and (p_sites is null or ticket.site_id = any (p_sites))
           and (p_state is null or ticket.state = p_state)
           and (p_priority is null or ticket.priority = p_priority)
           and (p_site_id is null or ticket.site_id = p_site_id)
           and (ticket.created_at, ticket.id) < (p_before, p_before_id)
         order by ticket.created_at desc, ticket.id desc
         limit least(p_limit, 101);
end
$$;
revoke all on function search_tickets(text, uuid[], text, text, uuid, timestamptz, uuid, integer) from public;
grant execute on function search_tickets(text, uuid[], text, text, uuid, timestamptz, uuid, integer) to youtility_web;
alter function search_tickets(text, uuid[], text, text, uuid, timestamptz, uuid, integer) owner to youtility_definer;
