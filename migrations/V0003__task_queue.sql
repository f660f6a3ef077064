-- Why: the task queue: what must be done later, by whom it is being done, how it went, and what could not be done.
-- Kind: expand. Locks: none, the tables are new.
--
-- These tables belong to `crates/queue`, which knows no tenant: `tenant` is carried for the handler's sake, and there is
-- no row-level security. Services may insert tasks; only the worker reads arguments.

create table task_queue (
    name        text    not null,
    paused      boolean not null default false,
    running_max integer,
    constraint task_queue_pkey primary key (name),
    constraint task_queue_name_check check (name ~ '^[a-z][a-z0-9_]{0,49}$'),
    constraint task_queue_running_max_check check (running_max > 0)
);
comment on column task_queue.running_max is
    'Running at once over all workers; null is no limit. Claims made at the same moment may pass it by one batch.';

insert into task_queue (name)
values ('high_priority'), ('default'), ('email'), ('reports'), ('mqtt'), ('maintenance');

-- What the workers know how to do, written by them when they start.
create table task_kind (
    name            text        not null,
    queue           text        not null,
    attempts_max    integer     not null,
    timeout_ms      bigint      not null,
    backoff_base_ms bigint      not null,
    backoff_max_ms  bigint      not null,
    uniqueness      text        not null default 'KEY',
    registered_at   timestamptz not null default now(),
    constraint task_kind_pkey primary key (name),
    constraint task_kind_queue_fkey foreign key (queue) references task_queue (name),
    constraint task_kind_name_check check (length(name) between 1 and 100),
    constraint task_kind_attempts_max_check check (attempts_max > 0),
    constraint task_kind_timeout_ms_check check (timeout_ms > 0),
    constraint task_kind_backoff_check check (backoff_base_ms >= 0 and backoff_max_ms >= backoff_base_ms),
    constraint task_kind_uniqueness_check check (uniqueness in ('KEY', 'ARGS'))
);
comment on column task_kind.uniqueness is
    'KEY: a task is unique when it brings a key. ARGS: the arguments of a task without key are its key.';

-- Live tasks only: what is finished leaves in the statement that finishes it. No foreign key to `task_queue`, whose few
-- rows every insert would have to lock; enqueuing refuses unknown names itself.
create table task (
    id           uuid        not null,
    worker_id    uuid,
    tenant       uuid,
    correlation  uuid,
    run_at       timestamptz not null default now(),
    created_at   timestamptz not null default now(),
    lease_until  timestamptz,
    attempt      integer     not null default 0,
    attempts_max integer,
    crashes      integer     not null default 0,
    priority     smallint    not null default 0,
    state        text        not null default 'READY',
    queue        text        not null,
    kind         text        not null,
    unique_key   text,
    traceparent  text,
    args         jsonb       not null default '{}',
    constraint task_pkey primary key (id),
    constraint task_state_check check (state in ('WAITING', 'DELAYED', 'READY', 'RUNNING')),
    constraint task_lease_check
        check ((state = 'RUNNING') = (worker_id is not null) and (worker_id is null) = (lease_until is null)),
    constraint task_attempt_check check (attempt >= 0 and crashes >= 0),
    constraint task_attempts_max_check check (attempts_max > 0),
    constraint task_kind_check check (length(kind) between 1 and 100),
    constraint task_unique_key_check check (length(unique_key) between 1 and 200),
    constraint task_traceparent_check check (length(traceparent) <= 200),
    constraint task_args_check check (pg_column_size(args) <= 262144)
) with (
    -- Every task is inserted, updated once and deleted: the table is small and changes all the time, so it is vacuumed
    -- by count, without pauses, and its pages keep room for the lease's update.
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_scale_factor = 0.0,
    autovacuum_vacuum_insert_threshold = 50000,
    autovacuum_analyze_scale_factor = 0.0,
    autovacuum_analyze_threshold = 20000,
    autovacuum_vacuum_cost_delay = 0
);
create index task_ready_idx on task (queue, priority, run_at, id) where state = 'READY';
create index task_delayed_idx on task (run_at) where state = 'DELAYED';
-- Not on `lease_until`: so a renewal stays within its page.
create index task_running_idx on task (queue) where state = 'RUNNING';
create unique index task_unique_key on task (kind, unique_key) where unique_key is not null;

-- A task in state WAITING waits for others; it becomes ready when its last row here is gone.
create table task_dependency (
    task_id    uuid not null,
    waits_for  uuid not null,
    constraint task_dependency_pkey primary key (task_id, waits_for),
    constraint task_dependency_task_fkey foreign key (task_id) references task (id) on delete cascade,
    constraint task_dependency_itself_check check (task_id <> waits_for)
);
create index task_dependency_waits_for_idx on task_dependency (waits_for);

-- Every attempt, by the day it ended.
create table task_attempt (
    task_id     uuid        not null,
    worker_id   uuid        not null,
    started_at  timestamptz,
    finished_at timestamptz not null,
    attempt     integer     not null,
    outcome     text        not null,
    error       text,
    constraint task_attempt_pkey primary key (task_id, finished_at),
    constraint task_attempt_outcome_check
        check (outcome in ('SUCCEEDED', 'FAILED', 'TIMED_OUT', 'PANICKED', 'SNOOZED', 'CRASHED'))
) partition by range (finished_at);
comment on column task_attempt.started_at is 'Null after a crash: whether the worker had begun is not known.';
create table task_attempt_default partition of task_attempt default;

-- Every finished task, by the day it ended.
create table task_history (
    id          uuid        not null,
    worker_id   uuid,
    tenant      uuid,
    correlation uuid,
    created_at  timestamptz not null,
    run_at      timestamptz not null,
    finished_at timestamptz not null,
    attempts    integer     not null,
    queue       text        not null,
    kind        text        not null,
    outcome     text        not null,
    args        jsonb       not null,
    constraint task_history_pkey primary key (id, finished_at),
    constraint task_history_outcome_check check (outcome in ('SUCCEEDED', 'BURIED', 'CANCELLED'))
) partition by range (finished_at);
create table task_history_default partition of task_history default;

select ensure_daily_partitions(parent, (now() at time zone 'UTC')::date, 4)
  from unnest(array['task_attempt', 'task_history']) as parent;

-- One row per schedule; `last_tick` moves forward only, so each tick is enqueued once whoever comes first.
create table task_schedule (
    name       text        not null,
    cron       text        not null,
    time_zone  text        not null,
    kind       text        not null,
    queue      text        not null,
    last_tick  timestamptz not null default now(),
    next_tick  timestamptz,
    constraint task_schedule_pkey primary key (name),
    constraint task_schedule_queue_fkey foreign key (queue) references task_queue (name),
    constraint task_schedule_name_check check (length(name) between 1 and 100),
    constraint task_schedule_cron_check check (length(cron) between 1 and 200)
);

create table task_worker (
    id           uuid        not null,
    name         text        not null,
    state        text        not null,
    queues       text[]      not null,
    running      integer     not null,
    buffered     integer     not null,
    started_at   timestamptz not null default now(),
    heartbeat_at timestamptz not null default now(),
    constraint task_worker_pkey primary key (id),
    constraint task_worker_state_check check (state in ('WORKING', 'DRAINING')),
    constraint task_worker_name_check check (length(name) <= 200)
) with (fillfactor = 50);

-- What was given up, kept whole until a person retries or discards it.
create table task_dead_letter (
    id           uuid        not null,
    tenant       uuid,
    correlation  uuid,
    created_at   timestamptz not null,
    buried_at    timestamptz not null,
    attempts     integer     not null,
    attempts_max integer,
    crashes      integer     not null,
    priority     smallint    not null,
    queue        text        not null,
    kind         text        not null,
    reason       text        not null,
    error        text,
    unique_key   text,
    traceparent  text,
    args         jsonb       not null,
    constraint task_dead_letter_pkey primary key (id),
    constraint task_dead_letter_reason_check check (reason in ('EXHAUSTED', 'PERMANENT', 'CRASHED'))
);
create index task_dead_letter_buried_idx on task_dead_letter (buried_at, id);

-- Roles may be absent where the queue is used without the rest of the product.
do $$
declare
    writer text;
begin
    foreach writer in array array['youtility_auth', 'youtility_web', 'youtility_bridge', 'youtility_worker'] loop
        continue when not exists (select from pg_roles where rolname = writer);
        execute format('grant insert on task to %I', writer);
        execute format('grant select (id, queue, kind, unique_key) on task to %I', writer);
        execute format('grant select (name) on task_queue to %I', writer);
        execute format('grant select (name, uniqueness) on task_kind to %I', writer);
    end loop;
    if exists (select from pg_roles where rolname = 'youtility_worker') then
        grant select, insert, update, delete
           on task_queue, task_kind, task, task_dependency, task_attempt, task_history, task_schedule, task_worker,
              task_dead_letter
           to youtility_worker;
    end if;
    if exists (select from pg_roles where rolname = 'youtility_health') then
        grant select on task_queue, task_kind, task_schedule, task_worker to youtility_health;
        grant select (id, queue, kind, state, priority, run_at, created_at, lease_until, attempt, crashes)
           on task to youtility_health;
        grant select (id, queue, kind, reason, buried_at) on task_dead_letter to youtility_health;
    end if;
end
$$;
