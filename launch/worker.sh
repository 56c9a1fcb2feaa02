#!/usr/bin/env bash
# One worker's part of a run, called over ssh by tpu_pod.sh: the run goes on when the connection is
# lost, and what has become of it is kept in files beside this tree.
#
#   launch/worker.sh install            what the tree needs, in .venv
#   launch/worker.sh mount HOST:/SHARE  an NFS share as /mnt/v2a, unless it is there
#   launch/worker.sh start COMMAND ..   in the background, unless it is running; with the compiler
#                                       flags of V2A_ACCELERATOR in V2A_SLICES slices
#   launch/worker.sh state              "running", "stopped", "ended STATUS" or "idle"
#   launch/worker.sh stop               SIGTERM, then waits V2A_STOP_SECONDS=300 for the checkpoint
#   launch/worker.sh log LINES          the last lines of its output
set -euo pipefail

cd "$(dirname "$0")/.."
run=$PWD/.run
mkdir -p "$run"

install() { # uv, because the images' own Python is older than 3.11
    python3 -m pip install --quiet --user uv
    PATH=$HOME/.local/bin:$PATH
    [ -d .venv ] || uv venv --quiet --python 3.11 .venv
    uv pip install --quiet --requirement requirements.lock 'jax[tpu]'
    uv pip install --quiet --no-deps --no-build-isolation --editable .
}

share() {
    if mountpoint --quiet /mnt/v2a; then
        return
    fi
    sudo apt-get install --quiet --yes nfs-common >/dev/null
    sudo mkdir -p /mnt/v2a
    sudo mount -t nfs "$1" /mnt/v2a
    sudo chmod a+rwxt /mnt/v2a # a fresh share belongs to root
}

running() {
    # By its name as well: after a restart of the machine another process may have its number.
    [ -f "$run/pid" ] && [ ! -f "$run/status" ] &&
        grep -qs worker.sh "/proc/$(<"$run/pid")/cmdline"
}

start() {
    if running; then
        return
    fi
    rm -f "$run/status" "$run/stopped"
    PATH=$PWD/.venv/bin:$PATH
    if [ -n "${V2A_ACCELERATOR:-}" ]; then
        local flags
        flags=$(python3 launch/xla_flags.py "$V2A_ACCELERATOR" "${V2A_SLICES:-1}")
        eval "$flags"
    fi
    # A session of its own: neither the end of ssh nor its signals reach it.
    setsid nohup "$PWD/launch/worker.sh" keep "$@" >>"$run/log" 2>&1 </dev/null &
    echo $! >"$run/pid"
}

keep() {
    signalled='' command=''
    trap 'signalled=yes; [ -z "$command" ] || kill -s TERM "$command" 2>/dev/null || true' TERM
    "$@" &
    command=$!
    # One that came too early has not been passed on.
    [ -z "$signalled" ] || kill -s TERM "$command" 2>/dev/null || true
    while :; do # a signal interrupts `wait`
        status=0
        wait "$command" || status=$?
        if [ -z "$signalled" ] || ! kill -0 "$command" 2>/dev/null; then break; fi
        signalled=
    done
    echo "$status" >"$run/status.new"
    mv "$run/status.new" "$run/status"
}

state() {
    if running; then
        echo running
    elif [ -f "$run/stopped" ]; then
        echo stopped
    elif [ -f "$run/status" ]; then
        echo "ended $(<"$run/status")"
    elif [ -f "$run/pid" ]; then
        echo "ended 137" # killed before it could write its status, as by a restart of the machine
    else
        echo idle
    fi
}

stop() {
    if running; then
        touch "$run/stopped"
        kill -s TERM "$(<"$run/pid")"
    fi
    local deadline=$((SECONDS + ${V2A_STOP_SECONDS:-300}))
    while running && [ $SECONDS -lt $deadline ]; do sleep 0.2; done
    if running; then # one that waits for a lost partner hears nothing
        kill -s KILL -- "-$(<"$run/pid")"
        echo 137 >"$run/status"
    fi
    state
}

case $1 in
    install) install ;;
    mount) share "$2" ;;
    start) start "${@:2}" ;;
    keep) keep "${@:2}" ;;
    state) state ;;
    stop) stop ;;
    log) if [ -f "$run/log" ]; then tail -n "$2" "$run/log"; fi ;;
esac
