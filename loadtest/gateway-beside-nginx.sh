#!/usr/bin/env bash
# The gateway proxying a 1 KiB answer, beside nginx doing the same, in one run: requests per second and CPU per request.
# Both proxy to the same nginx that answers from memory; rounds alternate, the medians and their ratio are printed.
# Needs nginx and wrk (apt-get install nginx-light wrk). Usage: gateway-beside-nginx.sh [ROUNDS] [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/.."

rounds="${1:-5}"
seconds="${2:-8}"
connections="${CONNECTIONS:-32}"
profile="${PROFILE:-release}"
work="$PWD/target/beside-nginx"
mkdir -p "$work/logs"
for tool in nginx wrk; do command -v "$tool" >/dev/null || { echo "$tool is missing: apt-get install nginx-light wrk" >&2; exit 1; }; done

cargo build --profile "$profile" --bin gateway
body=$(head -c 1024 /dev/zero | tr '\0' x)
cat > "$work/nginx.conf" <<CONF
daemon off; worker_processes 1; pid $work/nginx.pid; error_log $work/logs/error.log;
events { worker_connections 2048; }
http {
    access_log off; keepalive_requests 1000000;
    client_body_temp_path $work/1; proxy_temp_path $work/2; fastcgi_temp_path $work/3; uwsgi_temp_path $work/4; scgi_temp_path $work/5;
    server { listen 127.0.0.1:18481; location / { default_type text/plain; return 200 "$body"; } }
}
CONF
sed -e "s#$work/nginx.pid#$work/proxy.pid#" -e "s#logs/error[.]log#logs/proxy-error.log#" \
    -e 's#server { listen.*#upstream origin { server 127.0.0.1:18481; keepalive 64; } server { listen 127.0.0.1:18482; location / { proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; } }#' \
    "$work/nginx.conf" > "$work/proxy.conf"
key=$(head -c 48 /dev/urandom | base64 -w0)
cat > "$work/gateway.toml" <<TOML
[process]
environment = "development"
log_filter = "error"
admin_bind = "127.0.0.1:18484"
drain_delay_ms = 0
[http]
bind = "127.0.0.1:18483"
workers = 1
[upstreams]
web = "http://127.0.0.1:18481"
[trust]
internal_key = "$key"
[csrf]
secret = "$key"
TOML

nginx -c "$work/nginx.conf" -p "$work" & origin=$!
nginx -c "$work/proxy.conf" -p "$work" & proxy=$!
"target/$profile/gateway" --config "$work/gateway.toml" serve > "$work/gateway.log" 2>&1 & gateway=$!
trap 'kill $origin $proxy $gateway 2>/dev/null; wait 2>/dev/null' EXIT
for port in 18481 18482 18483; do
    for _ in $(seq 1 100); do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break; sleep 0.1; done
done

ticks() { # user and system time of a process and its children, in clock ticks
    local sum=0 pid
    for pid in "$1" $(pgrep -P "$1" || true); do
        sum=$((sum + $(awk '{print $14 + $15}' "/proc/$pid/stat")))
    done
    echo "$sum"
}

measure() { # name, port, pid
    local before after out requests
    before=$(ticks "$3")
    out=$(wrk --threads 1 --connections "$connections" --duration "${seconds}s" --latency "http://127.0.0.1:$2/assets/one-kib")
    after=$(ticks "$3")
    requests=$(awk '/requests in/ {print $1}' <<< "$out")
    grep -q 'Non-2xx' <<< "$out" && { echo "$1 answered errors: $out" >&2; exit 1; }
    awk -v name="$1" -v requests="$requests" -v seconds="$seconds" -v ticks="$((after - before))" -v hz="$(getconf CLK_TCK)" \
        -v p50="$(awk '/50%/ {print $2}' <<< "$out")" -v p99="$(awk '/99%/ {print $2}' <<< "$out")" \
        'BEGIN {printf "%-8s %9.0f requests/s  %6.1f us CPU/request  p50 %s  p99 %s\n", name, requests / seconds, ticks / hz / requests * 1e6, p50, p99}' | tee -a "$work/figures"
}

: > "$work/figures"
wrk --threads 1 --connections "$connections" --duration 2s "http://127.0.0.1:18483/assets/one-kib" >/dev/null
wrk --threads 1 --connections "$connections" --duration 2s "http://127.0.0.1:18482/assets/one-kib" >/dev/null
for _ in $(seq 1 "$rounds"); do
    measure nginx 18482 "$proxy"
    measure gateway 18483 "$gateway"
done
median() { awk -v name="$1" -v column="$2" '$1 == name {print $column}' "$work/figures" | sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
awk -v nr="$(median nginx 2)" -v gr="$(median gateway 2)" -v nc="$(median nginx 4)" -v gc="$(median gateway 4)" \
    'BEGIN {printf "medians: requests/s gateway %d, nginx %d, ratio %.2f; CPU per request gateway %.1f us, nginx %.1f us, ratio %.2f\n", gr, nr, gr / nr, gc, nc, gc / nc}'
