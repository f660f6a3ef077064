-- What the schema of the queue expects to find, for databases that hold nothing else of the product.
--
-- A partition is made apart and then attached, since `create table … partition of` would wait for everybody who reads the
-- parent, and all who write to it would wait behind that. Attaching waits for those who read the default partition; after a
-- second it gives up (55P03), to be called again.
create or replace function ensure_daily_partitions(parent text, from_day date, days integer) returns integer
    language plpgsql set lock_timeout = '1s' as $$
declare
    day  date;
    made integer := 0;
begin
    if parent not in ('task_attempt', 'task_history') then
        raise exception 'table % is not partitioned by day', parent using errcode = 'invalid_parameter_value';
    end if;
    for day in select generate_series(from_day, from_day + (days - 1), interval '1 day')::date loop
        if to_regclass(format('%I', parent || to_char(day, '"_"YYYYMMDD'))) is null then
            execute format('create table %I (like %I including all)', parent || to_char(day, '"_"YYYYMMDD'), parent);
            execute format('alter table %I attach partition %I for values from (%L) to (%L)',
                           parent, parent || to_char(day, '"_"YYYYMMDD'),
                           day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
            made := made + 1;
        end if;
    end loop;
    return made;
end
$$;

