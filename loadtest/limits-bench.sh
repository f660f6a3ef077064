#!/usr/bin/env bash
# How long the limits of sign-in and of requests take in PostgreSQL with ten million attempts kept, and the look-up of one of
# 100,000 sessions: p50, p99 and plans.
# Starts a PostgreSQL of its own on 127.0.0.1 and ends it. Needs the server's programs (apt-get install postgresql).
# Usage: limits-bench.sh [ROWS] [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/.."

rows="${1:-10000000}"
seconds="${2:-10}"
programs="${PG_BIN:-$(ls -d /usr/lib/postgresql/*/bin | tail -1)}"
port="${PORT:-18495}"
work="$(mktemp -d)"
as=()
if [ "$(id -u)" = 0 ]; then
    as=(setpriv --reuid=postgres --regid=postgres --init-groups)
    chown postgres "$work"
fi
stop() {
    "${as[@]}" "$programs/pg_ctl" -D "$work/data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap stop EXIT

"${as[@]}" "$programs/initdb" -D "$work/data" -U postgres --auth=trust --no-sync >/dev/null
"${as[@]}" "$programs/pg_ctl" -D "$work/data" -w -l "$work/log" -o "-p $port -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories=$work -c shared_buffers=2GB -c max_wal_size=16GB -c jit=off" start >/dev/null
export PGHOST=127.0.0.1 PGPORT="$port" PGUSER=postgres PGDATABASE=youtility PGOPTIONS="-c client_min_messages=warning"
say() { "$programs/psql" -qAtX -v ON_ERROR_STOP=1 "$@"; }
say -d postgres -c "create database youtility"
say -f migrations/bootstrap/roles.sql
say -c "alter role youtility_owner login; alter role youtility_auth login; grant temporary on database youtility to youtility_auth"
for file in migrations/V*.sql; do PGUSER=youtility_owner say -1 -f "$file" >/dev/null; done

# A tenth of the rows are an attack on one name from one network; the rest are a million names at 200,000 addresses.
say -v rows="$rows" <<'SQL'
insert into auth_rate_limit_attempts (attempt_time, ip_address, username, outcome)
select now() - n * interval '1 second',
       case when n % 10 = 0 then inet '203.0.113.9' else inet '10.0.0.0' + n % 200000 end,
       case when n % 10 = 0 then 'admin' else 'person' || n::bigint * 7919 % 1000000 end,
       'FAILED'
  from generate_series(1, :rows) as n;
insert into sign_in_counter (key, attempts, window_started_at)
select sign_in_login_key('person' || n), 1 + n % 5, now() from generate_series(0, 999999) as n on conflict do nothing;
insert into sign_in_counter (key, attempts, window_started_at)
values (sign_in_login_key('admin'), 5, now()), (sign_in_network_key('203.0.113.9'), 15, now())
on conflict (key) do update set attempts = excluded.attempts, window_started_at = now();

insert into client (client_id, code, name) values (gen_random_uuid(), 'FULL', 'Full Ltd');
insert into client_capability (client_id, capability)
select client_id, unnest(array['WEB', 'TICKETS_READ', 'TICKETS_WRITE', 'ADMIN']) from client;
insert into person (client_id, id, code, name)
select client_id, md5('person' || n)::uuid, 'P' || n, 'Person ' || n from client, generate_series(0, 99999) as n;
insert into person_capability (client_id, person_id, capability)
select client_id, id, unnest(array['WEB', 'TICKETS_READ', 'TICKETS_WRITE']) from person;
insert into session (client_id, id, person_id, token_hash, idle_expires_at, expires_at)
select client_id, gen_random_uuid(), id, sha256(id::text::bytea), now() + interval '1 hour', now() + interval '1 day'
  from person;
vacuum analyze;
SQL
echo "rows: $(say -c 'select count(*) from auth_rate_limit_attempts'), $(say -c \
    "select pg_size_pretty(pg_total_relation_size('auth_rate_limit_attempts'))") with indexes"

# measure NAME CALL [PREPARATION]: percentiles of one session's calls, each with its commit, by the server's clock; and how many
# calls 16 sessions manage in a second. `:n` in the call is a random number up to a million.
measure() {
    local block="${2//:n/n}"
    PGUSER=youtility_auth say -v ON_ERROR_STOP=1 <<SQL > "$work/percentiles"
create temporary table took (us double precision);
do \$\$
declare
    n     integer;
    began timestamptz;
    ends  timestamptz := clock_timestamp() + interval '$seconds s';
begin
    while clock_timestamp() < ends loop
        n := floor(random() * 1000000);
        began := clock_timestamp();
        perform $block;
        commit;
        insert into took values (extract(epoch from clock_timestamp() - began) * 1000000);
    end loop;
end
\$\$;
select format('p50 %s ms, p99 %s ms of %s', round(percentile_cont(0.5) within group (order by us)::numeric / 1000, 3),
              round(percentile_cont(0.99) within group (order by us)::numeric / 1000, 3), count(*))
  from took;
SQL
    printf '\\set n random(0, 999999)\nselect %s;\n' "$2" > "$work/script.sql"
    chmod 755 "$work"
    PGUSER=youtility_auth "$programs/pgbench" -n -M prepared -c 16 -j 2 -T "$seconds" -f "$work/script.sql" > "$work/summary" 2>&1 \
        || { cat "$work/summary"; exit 1; }
    printf '%-66s %s; 16 sessions %s/s\n' "$1" "$(cat "$work/percentiles")" "$(awk '/^tps/ {printf "%d", $3}' "$work/summary")"
}

measure "check_rate_limit, one of a million names and 200,000 addresses" \
    "check_rate_limit(inet '10.0.0.0' + (:n % 200000), 'person' || :n)"
measure "check_rate_limit, the name and address under attack" "check_rate_limit('203.0.113.9', 'admin')"
measure "find_session, one of 100,000, its rights kept or not" \
    "find_session(sha256(md5('person' || :n % 100000)::uuid::text::bytea), interval '1 hour')"
measure "find_session, always the same" \
    "find_session(sha256(md5('person' || 7)::uuid::text::bytea), interval '1 hour')"
measure "reserve_sign_in_attempt, a name with room" \
    "reserve_sign_in_attempt(inet '11.0.0.0' + :n, 'new' || :n || random(), interval '15 minutes', 5, 1000000)"
measure "reserve_sign_in_attempt, the name under attack" \
    "reserve_sign_in_attempt('203.0.113.9', 'admin', interval '15 minutes', 5, 15)"
measure "take_request_tokens, one key of a million" \
    "take_request_tokens(array[decode(md5((:n)::text), 'hex')], '{1000}', '{100}', '{1}')"
measure "take_request_tokens, the same key for all" \
    "take_request_tokens(array[decode(md5('one'), 'hex')], '{1000}', '{100}', '{1}')"
measure "take_request_tokens, 100 keys at once" \
    "take_request_tokens((select array_agg(decode(md5((:n + i)::text), 'hex')) from generate_series(1, 100) as i),
                         array_fill(1000::bigint, array[100]), array_fill(100, array[100]), array_fill(1, array[100]))"

echo
echo "The plans of check_rate_limit's four look-ups:"
PGUSER=postgres say <<'SQL'
load 'auto_explain';
set auto_explain.log_min_duration = 0;
set auto_explain.log_nested_statements = on;
set auto_explain.log_analyze = on;
set auto_explain.log_timing = off;
set client_min_messages = log;
select check_rate_limit('203.0.113.9', 'admin') is not null;
SQL
