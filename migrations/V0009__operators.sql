-- Why: operators see and steer the task queue of the whole installation: the capability, the names of the tenants that tasks
-- work for, and a line in the trail of the tenant whose task somebody else acted upon.
-- Kind: expand. Locks: `client_capability` and `person_capability` for a moment; both are small. `task_action` is new.

alter table client_capability
    drop constraint client_capability_check,
    add constraint client_capability_check
        check (capability in ('WEB', 'TICKETS_READ', 'TICKETS_WRITE', 'DEVICES_READ', 'ADMIN', 'OPERATE'));
alter table person_capability
    drop constraint person_capability_check,
    add constraint person_capability_check
        check (capability in ('WEB', 'TICKETS_READ', 'TICKETS_WRITE', 'DEVICES_READ', 'ADMIN', 'OPERATE'));
comment on column person_capability.capability is
    '`OPERATE` reaches every client, so no client hands it out: only whoever owns the schema writes it.';

-- The demo's passwords are known to everybody, so its operator is one only where nobody else's data is.
create function operates(p_client uuid) returns boolean
    language sql stable security definer set search_path = public, pg_temp as $$
        select exists (select
                         from client
                        where client.client_id = p_client
                          and client.state = 'ACTIVE'
                          and (not client.demo
                               or not exists (select from client as other where other.state = 'ACTIVE' and not other.demo)))
    $$;
revoke all on function operates(uuid) from public;
alter function operates(uuid) owner to youtility_definer;

-- Whether the transaction's person is an operator, and still may be.
create function is_operator() returns boolean
    language sql stable security definer set search_path = public, pg_temp as $$
        select exists (select
                         from person
                         join person_capability on person_capability.client_id = person.client_id
                                               and person_capability.person_id = person.id
                                               and person_capability.capability = 'OPERATE'
                         join client_capability on client_capability.client_id = person.client_id
                                               and client_capability.capability = 'OPERATE'
                        where person.client_id = current_client_id()
                          and person.id = nullif(current_setting('app.person_id', true), '')::uuid
                          and person.enabled
                          and operates(person.client_id))
    $$;
revoke all on function is_operator() from public;
alter function is_operator() owner to youtility_definer;

-- Code and name of clients, for the transaction's person if that is an operator; nothing for anybody else.
create function clients_for_operator(p_clients uuid[]) returns table (client_id uuid, code text, name text)
    language sql stable security definer set search_path = public, pg_temp as $$
        select client.client_id, client.code, client.name
          from client
         where client.client_id = any (p_clients)
           and is_operator()
    $$;
revoke all on function clients_for_operator(uuid[]) from public;
grant execute on function clients_for_operator(uuid[]) to youtility_web;
alter function clients_for_operator(uuid[]) owner to youtility_definer;

-- What an operator did to a task of another client, in that client's trail; answers whether there is a line. The queue's
-- own list must have it from the same transaction and person: nothing can be told that was not done.
create function audit_for_operator(p_client uuid, p_id uuid, p_action text, p_task uuid, p_kind text, p_queue text)
    returns boolean
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into audit_event (client_id, id, person_id, action, subject_kind, subject_id, correlation_id, detail)
    select client.client_id, p_id, current_setting('app.person_id')::uuid, p_action, 'task', p_task,
           current_setting('app.correlation_id')::uuid,
           jsonb_build_object('kind', p_kind, 'queue', p_queue, 'operator_client', current_client_id())
      from client
     where client.client_id = p_client
       and client.client_id <> current_client_id()
       and p_action in ('task_cancelled', 'task_run_now', 'task_retried', 'task_discarded', 'schedule_ticked')
       and is_operator()
       and exists (select
                     from task_action
                    where task_action.task_id = p_task
                      and task_action.at = now()
                      and starts_with(task_action.actor, 'person:' || current_setting('app.person_id') || ' '));
    return found;
end
$$;
revoke all on function audit_for_operator(uuid, uuid, text, uuid, text, text) from public;
grant execute on function audit_for_operator(uuid, uuid, text, uuid, text, text) to youtility_web;
alter function audit_for_operator(uuid, uuid, text, uuid, text, text) owner to youtility_definer;
grant insert on audit_event to youtility_definer;
grant select (task_id, at, actor) on task_action to youtility_definer;

-- What comes through a page carries the name of the person whose transaction it is, and nobody else's.
create function refuse_foreign_actor() returns trigger
    language plpgsql set search_path = public, pg_temp as $$
begin
    if not starts_with(new.actor, 'person:' || coalesce(current_setting('app.person_id', true), '') || ' ') then
        raise exception 'an action names the person of its transaction' using errcode = 'insufficient_privilege';
    end if;
    return new;
end
$$;
revoke all on function refuse_foreign_actor() from public;
create trigger task_action_actor before insert on task_action
    for each row when (current_user = 'youtility_web') execute function refuse_foreign_actor();

-- As before, but for `OPERATE`, which a session of the demo has only where there is nothing but the demo.
create or replace function find_session(p_token_hash bytea, p_idle interval)
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
                        and (person_capability.capability <> 'OPERATE' or operates(person_capability.client_id))
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
