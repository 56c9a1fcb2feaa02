#!/usr/bin/env bash
# N processes of one run on this machine, with the environment that v2a_jax/cluster.py reads: what
# starts here starts on a pod. Each line of output begins with its process's number. The first
# process to fail ends the others, and its exit status is this script's; SIGTERM and Ctrl-C ask all
# of them to save and stop.
#
#   launch/local_pod.sh 2 -- v2a train --config=configs/demo.py:codec --workdir=runs/pair
#
# V2A_COORDINATOR  host:port where they meet (default: a free port of this machine)
# V2A_KILL_SECONDS  how long the others have to end once one has failed (default 20)
set -euo pipefail

refuse() {
    printf 'local_pod: error: %s\n' "$1" >&2
    exit 2
}

[[ ${1:-} =~ ^[1-9][0-9]{0,3}$ ]] || refuse "usage: local_pod.sh N -- COMMAND .., N from 1 to 9999"
[ "${2:-}" = -- ] && [ $# -gt 2 ] || refuse "a command is needed after '$1 --'"
[[ ${V2A_KILL_SECONDS:=20} =~ ^[0-9]+$ ]] || refuse "V2A_KILL_SECONDS=$V2A_KILL_SECONDS is not a number"
command -v "$3" >/dev/null || refuse "no command '$3'"
processes=$1
shift 2

if [ -z "${V2A_COORDINATOR:-}" ]; then
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("localhost", 0)); print(s.getsockname()[1])')
    V2A_COORDINATOR=localhost:$port
fi
export V2A_COORDINATOR V2A_PROCESSES=$processes

# Signals must not end what numbers the lines before the processes have said their last.
numbered() {
    trap '' INT TERM
    exec sed -u "s/^/[$1] /"
}

tell() {
    kill -s "$1" "${running[@]}" 2>/dev/null || true
}

running=()
# Processes in the background ignore Ctrl-C, hence TERM, which asks for a checkpoint as well.
trap 'told=yes; tell TERM' INT TERM
for ((process = 0; process < processes; process++)); do
    V2A_PROCESS=$process "$@" > >(numbered $process) 2> >(numbered $process >&2) &
    running+=($!)
done
[ -z "${told:-}" ] || tell TERM # those that have just begun

# Asked for in turn, since `wait -n` forgets a process that ends while another's end is handled.
first=0
while [ ${#running[@]} -gt 0 ]; do
    left=()
    for process in "${running[@]}"; do
        if kill -0 "$process" 2>/dev/null; then
            left+=("$process")
            continue
        fi
        status=0
        wait "$process" || status=$?
        [ $first -ne 0 ] || first=$status
    done
    running=("${left[@]}")
    if [ $first -ne 0 ] && [ -z "${deadline:-}" ]; then
        # Whoever was told is saving: a second signal would end it.
        [ -n "${told:-}" ] || tell TERM
        deadline=$((SECONDS + V2A_KILL_SECONDS))
    fi
    # One that waits for its lost partner hears nothing.
    [ "${deadline:-$SECONDS}" -ge $SECONDS ] || tell KILL
    sleep 0.1 || true # Ctrl-C ends it
done
exit $first
