-- Why: operators see and steer the task queue of the whole installation: the capability, and the names of the tenants that
-- tasks work for.
-- Kind: expand. Locks: `client_capability` and `person_capability` for a moment; both are small.

alter table client_capability
    drop constraint client_capability_check,
    add constraint client_capability_check
        check (capability in ('WEB', 'TICKETS_READ', 'TICKETS_WRITE', 'DEVICES_READ', 'ADMIN', 'OPERATE'));
alter table person_capability
    drop constraint person_capability_check,
    add constraint person_capability_check
        check (capability in ('WEB', 'TICKETS_READ', 'TICKETS_WRITE', 'DEVICES_READ', 'ADMIN', 'OPERATE'));

-- Code and name of clients, for the transaction's person if that is an operator; nothing for anybody else.
create function clients_for_operator(p_clients uuid[]) returns table (client_id uuid, code text, name text)
    language sql stable security definer set search_path = public, pg_temp as $$
        select client.client_id, client.code, client.name
          from client
         where client.client_id = any (p_clients)
           and exists (
                   select
                     from person_capability
                     join client_capability
                       on client_capability.client_id = person_capability.client_id
                      and client_capability.capability = person_capability.capability
                    where person_capability.client_id = current_client_id()
                      and person_capability.person_id = nullif(current_setting('app.person_id', true), '')::uuid
                      and person_capability.capability = 'OPERATE')
    $$;
revoke all on function clients_for_operator(uuid[]) from public;
grant execute on function clients_for_operator(uuid[]) to youtility_web;
alter function clients_for_operator(uuid[]) owner to youtility_definer;
