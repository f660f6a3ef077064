# Starts and stops a system for a measurement; sourced by the scripts here.

start_system() { # home, folder of the programs, more options of `youtility up`
    local home="$1" programs="$2"
    shift 2
    mkdir -p "$home"
    : > "$home/up.log"
    "$programs/youtility" up --home "$home" "$@" >> "$home/up.log" 2>&1 &
    system=$!
    for _ in $(seq 1 1200); do
        grep -q 'Youtility runs at' "$home/up.log" && return 0
        kill -0 "$system" 2>/dev/null || { cat "$home/up.log" >&2; return 1; }
        sleep 0.1
    done
    echo "the system did not start; read $home/up.log" >&2
    return 1
}

stop_system() {
    kill -TERM "$system" 2>/dev/null || true
    wait "$system" 2>/dev/null || true
}
