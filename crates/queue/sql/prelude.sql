-- What the schema of the queue expects to find, for databases that hold nothing else of the product.
create or replace function ensure_daily_partitions(parent text, from_day date, days integer) returns integer
    language plpgsql as $$
declare
    day  date;
    made integer := 0;
begin
    if parent not in ('task_attempt', 'task_history') then
        raise exception 'table % is not partitioned by day', parent using errcode = 'invalid_parameter_value';
    end if;
    for day in select generate_series(from_day, from_day + (days - 1), interval '1 day')::date loop
        if to_regclass(format('%I', parent || to_char(day, '"_"YYYYMMDD'))) is null then
            execute format('create table %I partition of %I for values from (%L) to (%L)',
                           parent || to_char(day, '"_"YYYYMMDD'), parent,
                           day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
            made := made + 1;
        end if;
    end loop;
    return made;
end
$$;

