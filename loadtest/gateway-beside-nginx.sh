#!/usr/bin/env bash
# The gateway beside nginx, in one run: requests per second, latency, and CPU per request of the proxy's process.
#
# All of them proxy to the same nginx, which answers 1 KiB from memory; one worker each; rounds alternate; medians count.
#   direct        the origin itself
#   nginx         proxies and does nothing else
#   nginx-work    what nginx can do of the gateway's work: auth_request (answers cached), limit_req, the same headers
#   nginx-crs     the same with ModSecurity and the Core Rule Set, when Debian's packages are there
#   gateway       a public route: parsing, routing, correlation id, security headers, metrics; no inspection, no limits
#   gateway-all   a signed-in request: identity from the cache, inspection (block), limits, all headers
# Access logs are off everywhere. Needs: deploy/tools.sh gateway-bench.
# Usage: gateway-beside-nginx.sh [ROUNDS] [SECONDS], with BUILD=no GATEWAY=path for a binary that is there, and
# ONLY='direct nginx gateway' for some of them, PUBLISH=yes for the table in docs/BENCHMARKS.md. Builds what the image
# ships (PROFILE=image).
set -euo pipefail
cd "$(dirname "$0")/.."

rounds="${1:-5}"
seconds="${2:-6}"
profile="${PROFILE:-image}"
work="$PWD/target/beside-nginx"
modules=/usr/lib/nginx/modules
crs=/usr/share/modsecurity-crs/rules
mkdir -p "$work/logs"
for tool in nginx wrk node; do command -v "$tool" >/dev/null || { echo "$tool is missing: deploy/tools.sh gateway-bench" >&2; exit 1; }; done
has_crs=no
[ -f "$modules/ngx_http_modsecurity_module.so" ] && [ -d "$crs" ] && has_crs=yes

[ "${BUILD:-yes}" = no ] || cargo build --profile "$profile" --bin gateway
gateway_binary="${GATEWAY:-target/$profile/gateway}"

body=$(head -c 1024 /dev/zero | tr '\0' x)
token=$(head -c 32 /dev/urandom | base64 -w0 | tr '+/' '-_' | tr -d =)
key=$(head -c 48 /dev/urandom | base64 -w0)

conf() { # name, http block
    cat > "$work/$1.conf" <<CONF
${3:-}
daemon off; worker_processes 1; pid $work/$1.pid; error_log $work/logs/$1.log;
events { worker_connections 2048; }
http {
    access_log off; keepalive_requests 100000000; keepalive_timeout 300s;
    client_body_temp_path $work/1; proxy_temp_path $work/2; fastcgi_temp_path $work/3; uwsgi_temp_path $work/4; scgi_temp_path $work/5;
    $2
}
CONF
}

conf origin "server { listen 127.0.0.1:18481;
    location = /identity { add_header X-Identity \"$(printf 'i%.0s' $(seq 1 600))\"; return 204; }
    location / { default_type text/plain; return 200 \"$body\"; } }"
upstream='upstream origin { server 127.0.0.1:18481; keepalive 128; keepalive_requests 100000000; }'
proxy='proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection "";'
conf nginx "$upstream server { listen 127.0.0.1:18482; location / { $proxy } }"
work_locations="
    location = /_identity { internal; $proxy proxy_method GET; rewrite ^ /identity break; proxy_pass_request_body off;
        proxy_set_header Content-Length \"\"; proxy_cache identities; proxy_cache_key \$http_cookie; proxy_cache_valid 204 30s; }
    location / { auth_request /_identity; auth_request_set \$identity \$upstream_http_x_identity;
        limit_req zone=per_address burst=1000000 nodelay;
        $proxy proxy_set_header X-Identity \$identity; proxy_set_header X-Correlation-Id \$request_id;
        proxy_set_header X-Client-Address \$remote_addr; proxy_set_header X-Nonce \$request_id; proxy_set_header Host origin;
        add_header Strict-Transport-Security 'max-age=63072000; includeSubDomains' always;
        add_header X-Content-Type-Options nosniff always; add_header X-Frame-Options DENY always;
        add_header Referrer-Policy same-origin always; add_header Cache-Control no-store always;
        add_header Permissions-Policy 'camera=(self), geolocation=(self), microphone=(), payment=(), usb=()' always;
        add_header Cross-Origin-Opener-Policy same-origin always; add_header Cross-Origin-Resource-Policy same-origin always;
        add_header X-Correlation-Id \$request_id always;
        add_header Content-Security-Policy \"default-src 'none'; script-src 'nonce-\$request_id'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; worker-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types htmx\" always; }"
zones="proxy_cache_path $work/cache keys_zone=identities:10m; limit_req_zone \$binary_remote_addr zone=per_address:10m rate=100000r/s;"
conf nginx-work "$zones $upstream server { listen 127.0.0.1:18485; $work_locations }"
if [ "$has_crs" = yes ]; then
    printf 'Include /etc/nginx/modsecurity.conf\nSecRuleEngine On\nSecAuditEngine Off\nInclude /etc/modsecurity/crs/crs-setup.conf\nInclude %s/*.conf\n' "$crs" > "$work/modsecurity.conf"
    conf nginx-crs "$zones $upstream server { listen 127.0.0.1:18486; modsecurity on; modsecurity_rules_file $work/modsecurity.conf; $work_locations }" \
        "load_module $modules/ngx_http_modsecurity_module.so;"
    sed -i "s#$work/cache#$work/cache-crs#" "$work/nginx-crs.conf"
fi

settings() { # name, port, admin port, rest
    cat > "$work/$1.toml" <<TOML
[process]
environment = "development"
log_filter = "error"
admin_bind = "127.0.0.1:$3"
drain_delay_ms = 0
[http]
bind = "127.0.0.1:$2"
workers = 1
[upstreams]
web = "http://127.0.0.1:18481"
auth = "http://127.0.0.1:18480"
[trust]
internal_key = "$key"
[csrf]
secret = "$key"
$4
TOML
}
settings gateway 18483 18493 '[inspection]
mode = "off"
[[routes]]
prefix = "/"
upstream = "web"
access = "public"'
settings gateway-all 18487 18497 '[rates.classes.page]
per_minute = 60000000
burst = 1000000'

pids=()
start() { "$@" >> "$work/logs/processes.log" 2>&1 & pids+=($!); started=$!; }
trap 'kill "${pids[@]}" 2>/dev/null; wait 2>/dev/null' EXIT
declare -A pid port
port=([direct]=18481 [nginx]=18482 [nginx-work]=18485 [nginx-crs]=18486 [gateway]=18483 [gateway-all]=18487)
start node loadtest/stub-auth.mjs 18480
start nginx -c "$work/origin.conf" -p "$work"; pid[direct]=$started
names=(direct nginx nginx-work gateway gateway-all)
[ "$has_crs" = yes ] && names=(direct nginx nginx-work nginx-crs gateway gateway-all)
[ -z "${ONLY:-}" ] || read -r -a names <<< "$ONLY"
for name in "${names[@]}"; do
    case "$name" in
        nginx*) start nginx -c "$work/$name.conf" -p "$work" ;;
        gateway*) start "$gateway_binary" --config "$work/$name.toml" serve ;;
        *) continue ;;
    esac
    pid[$name]=$started
done
await() { for _ in $(seq 1 200); do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 0.1; done; echo "nobody listens on $1; see $work/logs" >&2; exit 1; }
await 18480
for name in "${names[@]}"; do await "${port[$name]}"; done

ticks() { # user and system time of a process and its children, in clock ticks
    local sum=0 pid
    for pid in "$1" $(pgrep -P "$1" || true); do
        sum=$((sum + $(awk '{print $14 + $15}' "/proc/$pid/stat")))
    done
    echo "$sum"
}

load() { # name, connections, seconds
    wrk --threads 1 --connections "$2" --duration "${3}s" --timeout 30s --latency \
        -H 'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' -H 'Accept-Language: en-GB,en;q=0.7' \
        -H 'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' \
        -H "Cookie: __Host-session=$token; theme=dark" "http://127.0.0.1:${port[$1]}/tickets?state=OPEN&page=2"
}

measure() { # name, connections
    local before after out requests
    before=$(ticks "${pid[$1]}")
    out=$(load "$1" "$2" "$seconds")
    after=$(ticks "${pid[$1]}")
    requests=$(awk '/requests in/ {print $1}' <<< "$out")
    if grep -qE 'Non-2xx|Socket errors' <<< "$out"; then echo "$1 answered errors: $out" >&2; exit 1; fi
    awk -v name="$1" -v connections="$2" -v requests="$requests" -v seconds="$seconds" -v ticks="$((after - before))" \
        -v hz="$(getconf CLK_TCK)" -v p50="$(awk '/ 50%/ {print $2}' <<< "$out")" -v p99="$(awk '/ 99%/ {print $2}' <<< "$out")" '
        function us(text) { if (text ~ /us$/) return text + 0; if (text ~ /ms$/) return text * 1000; return text * 1e6 }
        BEGIN {printf "%s %d %.0f %.0f %.0f %.1f\n", name, connections, requests / seconds, us(p50), us(p99), ticks / hz / requests * 1e6}' \
        | tee -a "$work/figures"
}

: > "$work/figures"
for name in "${names[@]}"; do load "$name" 16 2 >/dev/null; done
for _ in $(seq 1 "$rounds"); do
    for connections in 1 64; do
        for name in "${names[@]}"; do measure "$name" "$connections"; done
    done
done

median() { # name, connections, column
    awk -v name="$1" -v c="$2" -v column="$3" '$1 == name && $2 == c {print $column}' "$work/figures" | sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'
}
{
    echo "| | requests/s, c=64 | p50 / p99, c=64 | CPU per request, c=64 | requests/s, c=1 | p50 / p99, c=1 | added p50, c=1 |"
    echo "|---|---|---|---|---|---|---|"
    for name in "${names[@]}"; do
        awk -v name="$name" -v r="$(median "$name" 64 3)" -v a="$(median "$name" 64 4)" -v b="$(median "$name" 64 5)" -v cpu="$(median "$name" 64 6)" \
            -v r1="$(median "$name" 1 3)" -v a1="$(median "$name" 1 4)" -v b1="$(median "$name" 1 5)" -v base="$(median direct 1 4)" \
            'BEGIN {printf "| %s | %d | %.2f / %.2f ms | %.1f µs | %d | %d / %d µs | %d µs |\n", name, r, a / 1000, b / 1000, cpu, r1, a1, b1, a1 - base}'
    done
    ratio() { [ -n "$(median "$2" 64 3)" ] && [ -n "$(median "$3" 64 3)" ] || return 0; awk -v what="$1" -v a="$(median "$2" 64 3)" -v b="$(median "$3" 64 3)" -v ca="$(median "$2" 64 6)" -v cb="$(median "$3" 64 6)" \
        'BEGIN {printf "%s: requests/s %.2f, CPU per request %.2f\n", what, a / b, ca / cb}'; }
    echo
    ratio "gateway / nginx" gateway nginx
    ratio "gateway-all / nginx" gateway-all nginx
    ratio "gateway-all / nginx-work" gateway-all nginx-work
    if [ "$has_crs" = yes ]; then ratio "gateway-all / nginx-crs" gateway-all nginx-crs; fi
} | tee "$work/report.md"
if [ "${PUBLISH:-no}" = yes ]; then
    awk -v report="$work/report.md" '
        /^<!-- \/bench-gateway/ {inside = 0}
        !inside {print}
        /^<!-- bench-gateway/ {inside = 1; while ((getline line < report) > 0) print line}' docs/BENCHMARKS.md > "$work/BENCHMARKS.md"
    cp "$work/BENCHMARKS.md" docs/BENCHMARKS.md
fi
