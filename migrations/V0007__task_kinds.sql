-- Why: enqueuing refuses kinds that nobody knows, and a web process may enqueue before the first worker has started.
-- Kind: expand. Locks: none. Workers bring these rows up to date when they start.

insert into task_kind (name, queue, attempts_max, timeout_ms, backoff_base_ms, backoff_max_ms, description)
values
    ('dead_letter.review', 'maintenance', 20, 120000, 2000, 3600000, 'reports tasks that were given up, and expires old ones'),
    ('heartbeat.sample', 'default', 1, 30000, 2000, 3600000, 'shows that the queue moves, and how fast'),
    ('mail.send', 'email', 12, 60000, 2000, 3600000, 'sends one mail of the outbox'),
    ('mqtt.publish', 'mqtt', 20, 30000, 2000, 3600000, 'publishes one message to the broker'),
    ('partition.ensure', 'maintenance', 20, 120000, 2000, 3600000, 'makes partitions ahead and drops old ones'),
    ('queue.cleanup', 'maintenance', 20, 120000, 2000, 3600000, 'removes what the queue keeps for a time only'),
    ('rate_limit.cleanup', 'maintenance', 20, 120000, 2000, 3600000, 'removes old attempts to sign in'),
    ('select2.cleanup', 'maintenance', 20, 120000, 2000, 3600000, 'removes cached answers that ran out'),
    ('select2.refresh', 'maintenance', 20, 120000, 2000, 3600000, 'refreshes the lists that changed'),
    ('session.cleanup', 'maintenance', 20, 120000, 2000, 3600000, 'removes sessions that have ended'),
    ('ticket.escalate', 'default', 20, 300000, 2000, 3600000, 'hands overdue tickets on'),
    ('ticket.mail', 'email', 12, 60000, 2000, 3600000, 'tells people what happened to a ticket')
on conflict (name) do nothing;

-- The bridge is the only sender over MQTT: an engine inside it serves the queue `mqtt`. It gets what the statements of an engine
-- without schedules need, column by column. Reading and deleting `task` stay as wide as the table: a claim, a verdict and
-- the rescue of expired leases go by id over all queues, and answer whole rows. What runs, for whom and in which
-- queue cannot be changed, the past is only added to, and of dead letters it reads no more than it counts.
grant select, delete,
      update (state, run_at, attempt, crashes, worker_id, lease_until, counted, unique_key, progress, pending, cancelled_at)
   on task to youtility_bridge;
grant select, delete on task_dependency to youtility_bridge;
grant insert on task_attempt, task_history, task_dead_letter to youtility_bridge;
grant select (id, queue, buried_at) on task_dead_letter to youtility_bridge;
grant select on task_queue to youtility_bridge;
grant select, insert, update on task_kind, task_tenant to youtility_bridge;
grant select, insert, update, delete on task_worker to youtility_bridge;
