"""What the watermark withstands, how it sounds, how sure it is, how fast: tables and pictures.

`python benchmarks/watermark.py --out=runs/watermark` writes results.json, results.md and PNGs.
Real recordings are used as well where V2A_MEDIA_DIR names a folder of them.
"""

import dataclasses
import json
import sys
from pathlib import Path

from absl import app, flags
from marking import clips
from marking.marked import Settings
from marking.ours import DepthConfig
from marking.sections import SECTIONS, Result, Run
from marking.tables import verdicts

from configs.base import get_config
from v2a_jax.config import build

OUT = flags.DEFINE_string("out", "runs/watermark", "Folder for the results.")
CLIPS = flags.DEFINE_integer("clips", 100, "How many clips.", lower_bound=1)
SECONDS = flags.DEFINE_float("seconds", 8.0, "Length of a clip.", lower_bound=6.0)
RATES = flags.DEFINE_list("rates", ["48000", "44100", "16000"], "Sample rates in Hz.")
STRENGTH = flags.DEFINE_float("strength", None, "Depth of the mark in dB; else the config's.")
BUNDLE = flags.DEFINE_string("bundle", None, "Bundle whose neural codec is one of the attacks.")
CHOSEN = flags.DEFINE_list("sections", list(SECTIONS), "What to measure.")
ONLY = flags.DEFINE_string("only", "", "Regular expression of the attacks to make; else all.")
PAIRS = flags.DEFINE_integer("pairs", 100_000, "Pairs of a key and an unmarked segment.")
JOBS = flags.DEFINE_integer("jobs", 2, "Processes.", lower_bound=1)
flags.register_validator(
    "sections", lambda chosen: set(chosen) <= set(SECTIONS), f"one of {', '.join(SECTIONS)}"
)
INTRODUCTION = """# The watermark, measured

{clips} clips of {seconds:g} s ({real} of them recordings), strength {strength:g} dB. A clip counts
as found where p ≤ 1e-6, apart from whether its payload was read right; what is not found has no
payload, and its bits are undecided, not wrong. Brackets hold Wilson's interval of 95 %. A target on
several attacks is met where the worst of them meets it.
"""


def main(argv: list[str]) -> None:
    """Measures the chosen sections, and writes after each what is known so far."""
    del argv
    run = _run()
    run.out.mkdir(parents=True, exist_ok=True)
    results: dict[str, Result] = {}
    for name in CHOSEN.value:
        results[name] = SECTIONS[name](run)
        _write(run, results)
    sys.stdout.write((run.out / "results.md").read_text(encoding="utf-8"))


def _run() -> Run:
    depth = dict(get_config().watermark)
    if STRENGTH.value is not None:
        depth["strength_db"] = STRENGTH.value
    return Run(
        settings=Settings(
            seconds=SECONDS.value,
            depth=build(DepthConfig, depth),
            bundle=BUNDLE.value,
            only=ONLY.value,
        ),
        clips=clips.choose(CLIPS.value, SECONDS.value),
        rates=[int(rate) for rate in RATES.value],
        pairs=PAIRS.value,
        jobs=JOBS.value,
        out=Path(OUT.value),
    )


def _write(run: Run, results: dict[str, Result]) -> None:
    rows = {name: part for result in results.values() for name, part in result.rows.items()}
    facts = dataclasses.asdict(run.settings) | {"rates": run.rates}
    (run.out / "results.json").write_text(json.dumps({"settings": facts, **rows}))
    introduction = INTRODUCTION.format(
        clips=len(run.clips),
        real=sum(clip.kind not in clips.MADE for clip in run.clips),
        seconds=run.settings.seconds,
        strength=run.settings.depth.strength_db,
    )
    judged = [verdict for result in results.values() for verdict in result.verdicts]
    parts = [introduction, "## Targets", verdicts(judged)]
    for name, result in results.items():
        parts += [f"## {name.capitalize()}", result.text]
    (run.out / "results.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    app.run(main)
