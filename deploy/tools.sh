#!/bin/sh
# Installs what is missing for building (`build`), running (`run`), testing (`test`), the queue benchmark (`bench`) or the
# gateway's (`gateway-bench`) on Debian.
# Says what it installs; as anybody but root it says what to ask an administrator for.
set -eu

wanted="${1:-build}"
missing=""

need() { # program package
    command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || missing="$missing $2"
}

need cc build-essential
need node nodejs
need npm npm
if [ "$wanted" = run ] || [ "$wanted" = test ]; then
    need mosquitto mosquitto
fi
if [ "$wanted" = test ]; then
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null 2>&1 || missing="$missing postgresql"
    need mosquitto_pub mosquitto-clients
    need psql postgresql-client
    need openssl openssl
    python3 -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"
    need chromium chromium
fi
if [ "$wanted" = bench ]; then
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
    need redis-server redis-server
    python3 -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"
fi
if [ "$wanted" = gateway-bench ]; then
    need nginx nginx-light
    need wrk wrk
    need pgrep procps
    [ -f /usr/lib/nginx/modules/ngx_http_modsecurity_module.so ] || missing="$missing libnginx-mod-http-modsecurity"
    [ -d /usr/share/modsecurity-crs/rules ] || missing="$missing modsecurity-crs"
fi
# As a normal user PostgreSQL comes from npm when it is missing; as root from Debian.
if [ "$wanted" = run ] && [ "$(id -u)" = 0 ]; then
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null 2>&1 || missing="$missing postgresql"
fi

if ! command -v cargo >/dev/null 2>&1; then
    echo "Rust is missing: install it from https://rustup.rs, then run the command again." >&2
    exit 1
fi
[ -z "$missing" ] && exit 0

if [ "$(id -u)" != 0 ]; then
    echo "These packages are missing:$missing" >&2
    echo "Ask for them, then run the command again:  sudo apt-get install$missing" >&2
    exit 1
fi
echo "Installing with apt-get:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null
echo "Installed."
