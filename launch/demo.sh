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
# Programs compiled once, however small, serve every later command.
export JAX_COMPILATION_CACHE_DIR=$out/cache JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0

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

stage() { # NAME FOLDER ..: trains on the folder's clips
    v2a train --config=$config:"$1" --workdir="$out" --config.data.train="$2" \
        --config.data.validation="$data/val" "${@:3}"
}
stage codec "$data/train" "$@"
stage perception "$data/train" "$@"
# What the two make of a clip does not change any more: it is made once, not in every epoch.
[ -d "$out/features" ] || v2a encode --config=$config:diffusion --workdir="$out" \
    --config.data.train="$data/train" --out="$out/features"
stage diffusion "$out/features" "$@"
v2a export --workdir="$out" --out="$out/bundle"
v2a evaluate --bundle="$out/bundle" --data="$data/test" --train_data="$data/train" \
    --validation_data="$data/val" --workdir="$out" --out="$out"

# Soundtracks for playable clips whose own sound is dropped, and proof that each one is marked.
[ -d "$out/silent" ] || v2a world --out="$out/silent" --split=test --clips=4 --classes=$classes \
    --seconds=6 --size=64 --mp4
v2a sample --bundle="$out/bundle" --video="$out/silent" --out="$out/soundtracks"
[ -z "$video" ] || v2a sample --bundle="$out/bundle" --video="$video" \
    --out="$out/soundtracks/$(basename "${video%.*}").mp4"
v2a detect "$out"/soundtracks/*.mp4

printf '\nreport       %s\nscores       %s\nbundle       %s\n' \
    "$out/report.html" "$out/scores.json" "$out/bundle"
printf 'soundtrack   %s\n' "$out"/soundtracks/*.mp4
