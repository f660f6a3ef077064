-- Why: the task queue in full depth: fair shares among tenants, limits by queue and tenant, keys that outlive their task,
-- workflows, cancellation, progress, results, and who did what by hand.
-- Kind: expand for processes that enqueue: those of the version before go on. Contract for workers: those of the version
-- before are stopped first, since they know neither what waits, nor what is cancelled, nor what is counted, and their
-- claims miss the index that goes. What they left unsaid to waiting tasks is made good by `queue.cleanup`.
-- Locks: `task` and its siblings exclusively while their columns are added; the live table is rewritten, and it is small.

-- A claim changes no indexed column, so it stays within its page (a heap-only update) and costs half. `due` holds for
-- READY and RUNNING alike, and therefore does not change when a task is claimed.
alter table task
    add column due                boolean not null generated always as (state in ('READY', 'RUNNING')) stored,
    add column unique_until_start boolean not null default false,
    add column followed           boolean not null default false,
    add column counted            boolean not null default false,
    add column pending            integer not null default 0,
    add column any_of             boolean not null default false,
    add column parents            uuid[],
    add column cancelled_at       timestamptz,
    add column progress           jsonb,
    add column created_by         text,
    add constraint task_pending_check check (pending >= 0),
    add constraint task_parents_check check (cardinality(parents) between 1 and 1000),
    add constraint task_progress_check check (pg_column_size(progress) <= 4096),
    add constraint task_created_by_check check (length(created_by) between 1 and 200),
    -- More than half of a page is kept free: room for the one version that a claim adds to each row.
    set (fillfactor = 45);
comment on column task.unique_until_start is 'The unique key is given up when the task is claimed.';
comment on column task.followed is 'Other tasks may wait for this one.';
comment on column task.counted is 'Claimed from a queue that limits what runs at once.';
comment on column task.pending is 'For how many others a task in state WAITING waits.';
comment on column task.any_of is 'The first success among those it waits for is enough.';
comment on column task.parents is 'For which tasks it waited; their results may be asked for.';
comment on column task.cancelled_at is 'Since when it is not to be done; whoever holds or claims it ends it as CANCELLED.';

drop index task_ready_idx;
drop index task_delayed_idx;
drop index task_running_idx;
-- Each tenant has its own range, so that shares are taken by turns however long one of them is.
create index task_turn_idx
    on task (queue, coalesce(tenant, '00000000-0000-0000-0000-000000000000'::uuid), priority, run_at, id)
    where due;
create index task_delayed_idx on task (run_at) where not due and pending = 0;
-- Workflows only: what waits is listed and counted without reading the rest.
create index task_waiting_idx on task (queue, id) where pending > 0;
-- What runs in queues with such a limit, and nothing else: other claims do not touch it.
create index task_counted_idx on task (queue, tenant) where counted;

-- Attempts that ended a task are told by its row in `task_history`; `task_attempt` holds the others. One insert less.
alter table task_history
    add column started_at   timestamptz,
    add column error        text,
    add column result       jsonb,
    add column result_until timestamptz,
    add column parents      uuid[],
    add column priority     smallint not null default 0,
    add column created_by   text,
    add constraint task_history_result_check check (pg_column_size(result) <= 1048576);
alter table task_attempt
    drop constraint task_attempt_outcome_check,
    add constraint task_attempt_outcome_check check (outcome in
        ('SUCCEEDED', 'FAILED', 'TIMED_OUT', 'PANICKED', 'SNOOZED', 'CRASHED', 'CANCELLED', 'INTERRUPTED'));
alter table task_history
    add column last_outcome text,
    add constraint task_history_last_outcome_check check (last_outcome in
        ('SUCCEEDED', 'FAILED', 'TIMED_OUT', 'PANICKED', 'CRASHED', 'CANCELLED'));
comment on column task_history.last_outcome is 'How the last attempt ended; null where no attempt ended the task, or `task_attempt` tells it.';
-- Lists look back in stretches of time. A b-tree would cost every finished task a third more.
create index task_history_finished_idx on task_history using brin (finished_at)
    with (autosummarize = on, pages_per_range = 32);
alter table task_dead_letter
    add column parents    uuid[],
    add column created_by text;

-- Every attempt, wherever it is told.
create view task_attempts with (security_invoker = true) as
    select task_id, worker_id, started_at, finished_at, attempt, outcome, error from task_attempt
    union all
    select id, worker_id, started_at, finished_at, attempts, last_outcome, error
      from task_history
     where last_outcome is not null;

-- Each row goes when the other task ends. Without the foreign key: its trigger would run for every finished task and cost
-- more than everything else about it; the statements that take a waiting task away take its rows here as well.
alter table task_dependency
    drop constraint task_dependency_task_fkey,
    add column proceed boolean not null default false;
comment on column task_dependency.proceed is 'Go on even when the other task did not succeed.';

-- Tells the tasks that wait for `ended` how it went, and wakes the engines for those that became ready. Called by the
-- statements that end tasks. A waiting task counts down, so that two that end at the same moment both count. One that is
-- not to be done any more becomes ready too: whoever claims it ends it without running it, and so on downstream.
-- The tasks are locked before their rows in `task_dependency`, and in the order of their ids, as cancelling does.
create function task_follow(ended uuid[], succeeded boolean) returns void
    language sql as $$
    with child as materialized (
        select id, pending, any_of
          from task
         where id = any (array(select task_id from task_dependency where waits_for = any (ended)))
         order by id
           for update
    ), edge as (
        delete from task_dependency
         where waits_for = any (ended) and (select count(*) from child) >= 0
        returning task_id, proceed
    ), told as (
        select task_id, count(*)::integer as edges, bool_or(not succeeded and not proceed) as failed
          from edge
         group by task_id
    ), judged as (
        select child.id, told.edges,
               case when child.any_of then not told.failed else not told.failed and child.pending <= told.edges end as open,
               told.failed and (not child.any_of or child.pending <= told.edges) as lost
          from told
          join child on child.id = told.task_id
    ), released as (
        update task
           set pending = case when judged.open or judged.lost then 0 else task.pending - judged.edges end,
               state = case when judged.lost then 'READY'
                            when not judged.open then 'WAITING'
                            when task.run_at > clock_timestamp() then 'DELAYED'
                            else 'READY' end,
               cancelled_at = case when judged.lost then clock_timestamp() else task.cancelled_at end
          from judged
         where task.id = judged.id and task.state = 'WAITING'
        returning task.queue, task.state
    )
    select pg_notify('queue_ready', string_agg(distinct queue, ','))
      from released
     where state <> 'WAITING'
    having count(*) > 0
$$;

-- Keys that hold for a time, whatever becomes of the task: a request repeated, or once per period.
create table task_key (
    kind       text        not null,
    key        text        not null,
    task_id    uuid        not null,
    expires_at timestamptz not null,
    constraint task_key_pkey primary key (kind, key),
    constraint task_key_key_check check (length(key) between 1 and 200)
);
create index task_key_expires_idx on task_key (expires_at);

-- Limits of a queue over all workers, and of each tenant within it. Rates are buckets: `rate_max` starts each `rate_period_ms`.
alter table task_queue
    add column rate_max          integer,
    add column rate_period_ms    bigint  not null default 60000,
    add column tenant_running_max integer,
    add column tenant_rate_max   integer,
    add column limited           boolean not null generated always as
        (running_max is not null or rate_max is not null or tenant_running_max is not null or tenant_rate_max is not null)
        stored,
    add constraint task_queue_rate_check check (rate_max > 0 and rate_period_ms > 0),
    add constraint task_queue_tenant_check check (tenant_running_max > 0 and tenant_rate_max > 0);
comment on column task_queue.running_max is 'Running at once over all workers; null is no limit.';
comment on column task_queue.rate_max is 'Started in each period over all workers; null is no limit.';

create table task_tenant (
    queue       text             not null,
    tenant      uuid             not null,
    tokens      double precision not null default 0,
    refilled_at timestamptz      not null default '1970-01-01 00:00:00+00',
    constraint task_tenant_pkey primary key (queue, tenant),
    constraint task_tenant_queue_fkey foreign key (queue) references task_queue (name)
);
comment on table task_tenant is 'What is left in buckets of rates; the queue''s own has the id of ones. Without a row it is full.';

alter table task_kind
    add column description text,
    add column result_ms   bigint;
comment on column task_kind.result_ms is 'How long what the handler answers is kept; null keeps nothing.';

alter table task_schedule
    add column catch_up   text        not null default 'LATEST',
    add column paused     boolean     not null default false,
    add column args       jsonb       not null default '{}',
    add column tenant     uuid,
    add column seen_at    timestamptz not null default now(),
    add constraint task_schedule_catch_up_check check (catch_up in ('NONE', 'LATEST', 'ALL'));
comment on column task_schedule.seen_at is 'When an engine that knows the schedule last watched it, to a minute or two.';

alter table task_worker
    add column draining boolean not null default false;
comment on column task_worker.draining is 'Somebody asked it to claim no more; it sees so at its next heartbeat.';

-- What people did to tasks and queues.
create table task_action (
    id      uuid        not null,
    at      timestamptz not null default now(),
    actor   text        not null,
    action  text        not null,
    task_id uuid,
    queue   text,
    detail  jsonb       not null default '{}',
    constraint task_action_pkey primary key (id),
    constraint task_action_actor_check check (length(actor) between 1 and 200),
    constraint task_action_action_check check (action in
        ('CANCELLED', 'RETRIED', 'DISCARDED', 'PAUSED', 'RESUMED', 'LIMITED', 'DRAINED', 'SCHEDULE_PAUSED',
         'SCHEDULE_RESUMED', 'SCHEDULE_TICKED'))
);
create index task_action_at_idx on task_action (at, id);
create index task_action_task_idx on task_action (task_id) where task_id is not null;

-- Who enqueued, cancelled, retried or discarded what.
create view task_audit with (security_invoker = true) as
    select at, actor, action, task_id, queue, detail from task_action
    union all
    select created_at, created_by, 'ENQUEUED', id, queue, jsonb_build_object('kind', kind)
      from (
           select created_at, created_by, id, queue, kind from task
           union all
           select created_at, created_by, id, queue, kind from task_history
           union all
           select created_at, created_by, id, queue, kind from task_dead_letter as letter
            where not exists (select from task_history where task_history.id = letter.id)
           ) as enqueued
     where created_by is not null;

-- Counts the live tasks of each queue by state and kind, up to a limit, and the dead letters. Every part reads an index from its
-- head and stops at the limit, whatever the planner believes of a table that has just been filled: a long backlog costs
-- what a short one does.
create function task_counts(counted_max bigint)
    returns table (queue text, state text, kind text, tasks bigint, oldest timestamptz)
    language sql stable
    set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set jit = off as $$
    with due as (
        select task_queue.name as queue, head.state, head.kind, head.run_at
          from task_queue
         cross join lateral (
               select task.state, task.kind, task.run_at
                 from task
                where task.queue = task_queue.name and task.due
                order by task.queue, coalesce(task.tenant, '00000000-0000-0000-0000-000000000000'::uuid), task.priority,
                         task.run_at, task.id
                limit counted_max + 1
               ) as head
    ), later as (
        select task.queue from task where not task.due and task.pending = 0 order by task.run_at limit counted_max + 1
    ), waiting as (
        select task.queue from task where task.pending > 0 order by task.queue, task.id limit counted_max + 1
    ), letters as (
        select letter.queue
          from task_dead_letter as letter
         order by letter.buried_at desc, letter.id desc
         limit counted_max + 1
    )
    select due.queue, due.state, due.kind, count(*), min(due.run_at) from due group by due.queue, due.state, due.kind
    union all
    select later.queue, 'DELAYED', null, count(*), null from later group by later.queue
    union all
    select waiting.queue, 'WAITING', null, count(*), null from waiting group by waiting.queue
    union all
    select letters.queue, 'BURIED', null, count(*), null from letters group by letters.queue
$$;

do $$
declare
    writer text;
begin
    foreach writer in array array['youtility_auth', 'youtility_web', 'youtility_bridge', 'youtility_worker'] loop
        continue when not exists (select from pg_roles where rolname = writer);
        -- What enqueuing reads and marks: the parents of a workflow, and who holds a key.
        execute format('grant select (followed, state, due, tenant, priority, run_at) on task to %I', writer);
        execute format('grant update (followed) on task to %I', writer);
        execute format('grant insert on task_dependency to %I', writer);
        -- A key whose time is over is replaced in place.
        execute format('grant select, insert, update (task_id, expires_at) on task_key to %I', writer);
        execute format('grant select (id, outcome) on task_history to %I', writer);
    end loop;
    if exists (select from pg_roles where rolname = 'youtility_worker') then
        grant select, insert, update, delete on task_tenant to youtility_worker;
        -- What people did is written once; it goes when its time is over, and nobody changes it.
        grant select, insert, delete on task_action to youtility_worker;
        grant delete on task_key to youtility_worker;
        grant select on task_attempts, task_audit to youtility_worker;
    end if;
    -- Operators steer the queue through the web's pages; the use cases check who is one. The columns are those that cancelling,
    -- retrying, discarding, pausing and ticking by hand write, with the tasks that follow: arguments, tenants and kinds of
    -- tasks and schedules cannot be changed from there, nor how finished tasks are remembered.
    if exists (select from pg_roles where rolname = 'youtility_web') then
        grant select on task, task_queue, task_kind, task_schedule, task_worker, task_attempt, task_history,
                        task_dead_letter, task_dependency, task_tenant, task_action, task_attempts, task_audit
           to youtility_web;
        grant insert (id, tenant, correlation, created_at, run_at, finished_at, attempts, priority, queue, kind, outcome,
                      args, parents, created_by)
           on task_history to youtility_web;
        grant insert (id, actor, action, task_id, queue, detail) on task_action to youtility_web;
        grant update (state, run_at, cancelled_at, pending), delete on task to youtility_web;
        grant delete on task_dead_letter, task_dependency to youtility_web;
        grant update (paused) on task_queue to youtility_web;
        grant update (paused, last_tick) on task_schedule to youtility_web;
    end if;
    if exists (select from pg_roles where rolname = 'youtility_health') then
        grant select (due, tenant, pending) on task to youtility_health;
        grant select on task_tenant to youtility_health;
    end if;
end
$$;
