-- Creates the roles of Youtility. Safe to repeat. Run by a role that may create roles, connected to the product's
-- database. Passwords and `login` are given afterwards, by `youtility up`, or by the operator.
do $$
declare
    wanted text;
begin
    foreach wanted in array array[
        'youtility_owner', 'youtility_definer', 'youtility_auth', 'youtility_web',
        'youtility_worker', 'youtility_bridge', 'youtility_health'
    ] loop
        if not exists (select from pg_roles where rolname = wanted) then
            begin
                execute format('create role %I nologin nosuperuser nobypassrls', wanted);
            exception when duplicate_object or unique_violation then
                null; -- another bootstrap was faster
            end;
        end if;
    end loop;
end
$$;

-- The owner hands functions over to the definer, and inherits its sight of every client: migrations validate foreign
-- keys over the rows of all and change them. So row-level security binds nobody who works as the owner: that is for
-- migrations and for seeding from the command line, never for a service.
alter role youtility_owner inherit;
grant youtility_definer to youtility_owner;

do $$
begin
    execute format('grant connect, create, temporary on database %I to youtility_owner', current_database());
    execute format('revoke all on database %I from public', current_database());
    execute format(
        'grant connect on database %I to youtility_auth, youtility_web, youtility_worker, youtility_bridge, youtility_health',
        current_database()
    );
end
$$;

alter schema public owner to youtility_owner;
revoke all on schema public from public;
grant usage on schema public
   to youtility_auth, youtility_web, youtility_worker, youtility_bridge, youtility_health;
grant usage, create on schema public to youtility_definer;
