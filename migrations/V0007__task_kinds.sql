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

-- The bridge is the only sender over MQTT: an engine inside it serves the queue `mqtt`. Arguments of tasks hold ids and
-- what devices are told, never secrets, so it may see all of them.
grant select, insert, update, delete
   on task_queue, task_kind, task, task_dependency, task_attempt, task_history, task_schedule, task_worker,
      task_dead_letter, task_key, task_tenant
   to youtility_bridge;
