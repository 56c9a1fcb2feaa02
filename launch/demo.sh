#!/usr/bin/env bash
# First what the released bundle makes of silent clips; then the whole path on one machine: clips of
# the procedural world, three stages from random weights, a bundle, its scores, and soundtracks.
# `make demo` calls it; run it again after an interruption and it goes on where it was. A third
# argument and those after it go to every `v2a train` (as --config.run.steps=20).
set -euo pipefail

out=$1
video=${2:-}
shift $(($# < 2 ? $# : 2))
config=configs/demo.py
seconds=2
classes=impact,bounce,landscape
data=$out/data
released=$out/released
# Programs compiled once serve every later command.
export JAX_COMPILATION_CACHE_DIR=$out/cache
# Two CPU devices, half a batch each: small operations are not split over cores otherwise.
export XLA_FLAGS="${XLA_FLAGS:-} --xla_force_host_platform_device_count=2"

# Heard at once: clips that no training has seen, one of each class, and one that is told its words.
[ -d "$released/silent" ] || v2a world --out="$released/silent" --split=test --clips=6 \
    --classes=impact,bounce,scrape,rain,engine,music --seconds=4 --size=64 --mp4
[ -d "$released/spoken" ] || v2a world --out="$released/spoken" --split=test --clips=1 \
    --classes=speech --seconds=4 --size=64 --mp4
words='import json, sys
print(*(word for word, *_ in json.load(open(sys.argv[1]))["clip-000000.mp4"]["words"]))'
v2a sample --bundle=bundles/world --video="$released/silent" --out="$released/soundtracks"
v2a sample --bundle=bundles/world --video="$released/spoken/clip-000000.mp4" \
    --out="$released/soundtracks/spoken.mp4" \
    --transcript="$(python -c "$words" "$released/spoken/events.json")"
v2a detect "$released"/soundtracks/*.mp4
printf '\nheard from the released bundle: %s\n\n' "$released/soundtracks"

# Clips: train, validation and test are disjoint by construction.
for split in train:2400 val:200 test:100; do
    name=${split%:*}
    [ -d "$data/$name" ] || v2a world --out="$data/$name" --split="$name" --clips="${split#*:}" \
        --classes=$classes --seconds=$seconds --size=64
done

sources=(--config.data.train="$data/train" --config.data.validation="$data/val")
for stage in codec perception diffusion; do
    v2a train --config=$config:$stage --workdir="$out" "${sources[@]}" "$@"
done
v2a export --workdir="$out" --out="$out/bundle"
v2a evaluate --bundle="$out/bundle" --data="$data/test" --train_data="$data/train" \
    --validation_data="$data/val" --workdir="$out" --out="$out"

# Soundtracks for playable clips whose own sound is dropped, and proof that each one is marked.
[ -d "$out/silent" ] || v2a world --out="$out/silent" --split=test --clips=4 --classes=$classes \
    --seconds=6 --size=64 --mp4
mkdir -p "$out/soundtracks"
made=()
for clip in "$out"/silent/*.mp4 ${video:+"$video"}; do
    name=$(basename "${clip%.*}")
    result=$out/soundtracks/$name.mp4
    v2a sample --bundle="$out/bundle" --video="$clip" --out="$result"
    made+=("$result")
done
v2a detect "${made[@]}"

printf '\nreport       %s\nscores       %s\nbundle       %s\n' \
    "$out/report.html" "$out/scores.json" "$out/bundle"
printf 'soundtrack   %s\n' "${made[@]}"
