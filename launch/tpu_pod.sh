#!/usr/bin/env bash
# A run on Cloud TPU VMs: one queued resource of one or several slices, the same tree and command on
# all its workers. docs/pod.md goes through it; every command may be given again at any time.
#
#   launch/tpu_pod.sh create   asks for the pod, unless it is there, and waits for it
#   launch/tpu_pod.sh sync     copies tracked files and the watermark key to all workers, and installs
#   launch/tpu_pod.sh run -- COMMAND ..   creates and syncs as needed, runs COMMAND on all workers and
#                              waits; a pod that was taken away is asked for again, and COMMAND,
#                              started again, resumes
#   launch/tpu_pod.sh status   the state of the pod, and of the run on each worker
#   launch/tpu_pod.sh logs     the last lines of each worker
#   launch/tpu_pod.sh stop     SIGTERM to all workers: the run saves and ends
#   launch/tpu_pod.sh delete   gives the pod back
#
# Flags, each also read from the environment as POD_NAME and so on:
#   --name --project --zone     of the queued resource
#   --accelerator --runtime     of each slice, as v5litepod-16 and v2-alpha-tpuv5-lite
#   --slices=1                  more than one is joined over the data-centre network
#   --tier=spot                 on_demand, spot or reserved
#   --key=FILE                  watermark key for the workers (default: that of this user)
#   --nfs=HOST:/SHARE           mounted as /mnt/v2a on all workers: the place for data and workdirs
#   --restarts=10               how often `run` starts again what crashed; what was taken away
#                               doesn't count
#   --poll=30 --lines=50        seconds between two looks; lines of `logs`
#   --dry_run                   prints every command and runs none
set -euo pipefail

fail() {
    printf 'tpu_pod: error: %s\n' "$2" >&2
    exit "$1"
}

say() { printf 'tpu_pod: %s\n' "$*" >&2; }

action=${1:-}
case $action in
    create | sync | run | status | logs | stop | delete) shift ;;
    *) fail 2 "unknown command '$action': create, sync, run, status, logs, stop or delete" ;;
esac

name=${POD_NAME:-} project=${POD_PROJECT:-} zone=${POD_ZONE:-}
accelerator=${POD_ACCELERATOR:-} runtime=${POD_RUNTIME:-}
slices=${POD_SLICES:-1} tier=${POD_TIER:-spot} restarts=${POD_RESTARTS:-10}
nfs=${POD_NFS:-} poll=${POD_POLL:-30} lines=${POD_LINES:-50} dry_run=
key=${POD_KEY:-${V2A_WATERMARK_KEY_FILE:-${XDG_CONFIG_HOME:-$HOME/.config}/v2a/watermark.key}}

while [ $# -gt 0 ] && [ "$1" != -- ]; do
    case $1 in
        --name=* | --project=* | --zone=* | --accelerator=* | --runtime=* | --slices=* | --tier=* | \
            --key=* | --nfs=* | --restarts=* | --poll=* | --lines=*)
            flag=${1%%=*}
            printf -v "${flag#--}" %s "${1#*=}"
            ;;
        --dry_run) dry_run=yes ;;
        *) fail 2 "unknown argument '$1'" ;;
    esac
    shift
done
[ $# -eq 0 ] || shift # the --
command=("$@")

for setting in name project zone; do
    [[ ${!setting} =~ ^[a-z][a-z0-9:.-]*$ ]] ||
        fail 2 "--$setting (or POD_${setting^^}) is '${!setting}': lower-case letters, digits, hyphens"
done
for setting in slices restarts poll lines; do
    [[ ${!setting} =~ ^(0|[1-9][0-9]{0,5})$ ]] || fail 2 "--$setting is '${!setting}', not a whole number"
done
[[ -z $nfs || $nfs =~ ^[a-zA-Z0-9.-]+:/[a-zA-Z0-9_/.-]+$ ]] ||
    fail 2 "--nfs is '$nfs', not HOST:/SHARE"
[ "$slices" -gt 0 ] || fail 2 "--slices is 0: a pod has at least one"
if [[ $action =~ ^(create|run)$ ]]; then
    [[ $accelerator =~ ^v[0-9a-z]+-[0-9]+$ ]] ||
        fail 2 "--accelerator is '$accelerator', not a kind and a size as v5litepod-16"
    [ -n "$runtime" ] || fail 2 "--runtime is needed, as v2-alpha-tpuv5-lite"
fi
if [[ $action =~ ^(run|sync)$ ]]; then
    [ -n "$dry_run" ] || [ -r "$key" ] ||
        fail 2 "no watermark key at $key: every worker needs the same one (--key=FILE)"
fi
case $tier in
    on_demand) tier_flags=() ;;
    spot | reserved) tier_flags=("--$tier") ;;
    *) fail 2 "--tier is '$tier': on_demand, spot or reserved" ;;
esac
if [ "$action" = run ]; then
    [ ${#command[@]} -gt 0 ] || fail 2 "run needs '-- COMMAND ..'"
else
    [ ${#command[@]} -eq 0 ] || fail 2 "$action takes no command"
fi
[ -n "$dry_run" ] || command -v gcloud >/dev/null || fail 2 "gcloud is not installed"

root=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
place=("--project=$project" "--zone=$zone" --quiet)

# Runs a command; with --dry_run, prints it.
act() {
    if [ -z "$dry_run" ]; then
        "$@"
        return
    fi
    local word line=
    for word; do
        word=${word//$scratch/\$SCRATCH}
        word=${word//$root/\$ROOT}
        [[ $word =~ ^[[:alnum:]_./:=,\$-]+$ ]] || word=${word@Q}
        line+=" $word"
    done
    printf '%s\n' "${line# }"
}

queued() { act gcloud compute tpus queued-resources "$1" "$name" "${@:2}" "${place[@]}"; }

# A command line on every worker of every slice; the first exit status that isn't 0.
everywhere() { queued ssh --node=all --worker=all "--command=$1"; }

# Tries five times: networks fail, and machines that have just come up don't answer yet.
patiently() {
    local tries
    for tries in 1 2 3 4 5; do
        if "$@"; then return; fi
        [ "$tries" -eq 5 ] || sleep "$poll"
    done
    return 1
}

# Sets `state`; a dry run takes the pod to be as `expected`.
expected=ACTIVE
look() {
    if [ -n "$dry_run" ]; then state=$expected; fi
    patiently describe || fail 1 "describe: $(tail -n 1 "$scratch/error")"
}

describe() {
    if [ -n "$dry_run" ]; then
        queued describe "--format=value(state.state)"
    elif ! state=$(queued describe "--format=value(state.state)" 2>"$scratch/error"); then
        state=NONE
        grep -q NOT_FOUND "$scratch/error"
    fi
}

request() {
    local nodes=("--node-id=$name")
    [ "$slices" -eq 1 ] || nodes=("--node-count=$slices" "--node-prefix=$name")
    say "asking for $slices x $accelerator ($tier)"
    queued create "--accelerator-type=$accelerator" "--runtime-version=$runtime" "${nodes[@]}" \
        "${tier_flags[@]}" --async 2>"$scratch/error" ||
        fail 1 "create: $(tail -n 1 "$scratch/error")"
    expected=ACTIVE
}

remove() { queued delete --force || fail 1 "the pod could not be deleted"; }

# Waits until the pod is there. What a preemption or an older failure has left is asked for anew;
# a request of ours that fails is not, since it would fail again.
ensure() {
    local asked='' seen=''
    while look && [ "$state" != ACTIVE ]; do
        [ "$state" = "$seen" ] || say "the pod is $state"
        seen=$state
        case $state in
            NONE) request && asked=yes ;;
            FAILED)
                [ -z "$asked" ] || fail 1 "the request for the pod failed: $(reason)"
                remove
                ;;
            SUSPENDED) remove ;;
        esac
        [ -n "$dry_run" ] || sleep "$poll"
    done
}

reason() { queued describe "--format=value(state.failedData.error.message)" 2>&1 | tail -n 1; }

sync() {
    local failed="sync: a worker does not answer, or its disk is full"
    act git -C "$root" ls-files -z >"$scratch/files"
    [ -z "$dry_run" ] || cat "$scratch/files"
    act tar -C "$root" --null -T "$scratch/files" -czf "$scratch/v2a.tar.gz"
    patiently everywhere "install -d -m 0700 v2a .config .config/v2a && rm -f v2a/.synced" || fail 1 "$failed"
    patiently copy "$scratch/v2a.tar.gz" v2a/v2a.tar.gz || fail 1 "$failed"
    patiently copy "$key" .config/v2a/watermark.key || fail 1 "$failed"
    patiently everywhere "chmod 600 .config/v2a/watermark.key && cd v2a && tar -xzf v2a.tar.gz" ||
        fail 1 "$failed"
    patiently everywhere "cd v2a && launch/worker.sh install && touch .synced" ||
        fail 1 "sync: the installation failed on a worker"
}

copy() {
    act gcloud compute tpus queued-resources scp "$1" "$name:$2" --node=all --worker=all \
        "${place[@]}"
}

# Follows the run. 0: done; 1: stopped on request; 2: refused; 3: crashed; 4: the pod was taken away.
follow() {
    local silent=0
    while look && [ "$state" = ACTIVE ]; do
        if everywhere "v2a/launch/worker.sh state" >"$scratch/states"; then
            silent=0
            if [ -n "$dry_run" ]; then cat "$scratch/states" && return; fi
            if grep -q '^stopped' "$scratch/states"; then return 1; fi
            # v2a's bad input; the shell's command that isn't there.
            if grep -Eq '^ended (2|126|127)$' "$scratch/states"; then return 2; fi
            if grep -q '^ended [1-9]' "$scratch/states"; then crashed || return; fi
            if ! grep -qv '^ended 0$' "$scratch/states"; then return 0; fi
        else
            silent=$((silent + 1))
            if [ $silent -eq 5 ]; then
                look
                [ "$state" != ACTIVE ] || fail 1 "a worker does not answer; the run may be going on"
            fi
        fi
        sleep "$poll"
    done
    say "the pod is $state"
    return 4
}

# A worker has crashed, or has saved itself since its machine is being taken away: a moment shows.
crashed() {
    sleep "$poll"
    look
    if [ "$state" != ACTIVE ]; then say "the pod is $state" && return 4; fi
    say "workers:" "$(sort "$scratch/states" | uniq -c | tr -s '\n ' ' ')"
    everywhere "v2a/launch/worker.sh stop" >"$scratch/states" || true
    return 3
}

run() {
    local crashes=0 outcome=4 line
    local known="V2A_ACCELERATOR=$accelerator V2A_SLICES=$slices"
    printf -v line '%q ' "${command[@]}"
    while [ $outcome -ge 3 ]; do
        ensure
        everywhere "test -f v2a/.synced" || sync
        [ -z "$nfs" ] || patiently everywhere "v2a/launch/worker.sh mount $nfs" ||
            fail 1 "$nfs could not be mounted on a worker"
        patiently everywhere "$known v2a/launch/worker.sh start ${line% }" ||
            fail 1 "a worker could not be started"
        outcome=0
        follow || outcome=$?
        if [ $outcome -eq 3 ]; then
            crashes=$((crashes + 1))
            [ $crashes -le "$restarts" ] || fail 1 "crashed $crashes times: see 'tpu_pod.sh logs'"
            say "starting again"
        fi
    done
    case $outcome in
        0) say "done" ;;
        1) fail 1 "the run was stopped; 'tpu_pod.sh run' goes on with it" ;;
        2) fail 2 "a worker refused its command: see 'tpu_pod.sh logs'" ;;
    esac
}

named="| sed \"s/^/\$HOSTNAME /\"" # whose line it is
here() {
    look
    [ "$state" = ACTIVE ] || fail 1 "the pod is $state"
}

case $action in
    create) expected=NONE && ensure && say "the pod is ACTIVE" ;;
    sync) here && sync ;;
    run) run ;;
    status)
        look
        [ -n "$dry_run" ] || printf 'pod %s\n' "$state"
        if [ "$state" = ACTIVE ]; then everywhere "v2a/launch/worker.sh state $named"; fi
        ;;
    logs) here && everywhere "v2a/launch/worker.sh log $lines $named" ;;
    stop) here && everywhere "v2a/launch/worker.sh stop" ;;
    delete)
        look
        if [ "$state" = NONE ]; then say "there is nothing to delete"; else remove; fi
        ;;
esac
