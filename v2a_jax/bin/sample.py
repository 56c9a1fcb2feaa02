"""`v2a sample --bundle=B --video=IN --out=OUT`: soundtracks, marked, joined with the picture."""

import importlib.metadata
import json
import pathlib
from typing import Any

import numpy as np
from absl import flags

from v2a_jax.bin.main import launch, no_more
from v2a_jax.errors import UserError
from v2a_jax.media.containers import container_for
from v2a_jax.media.files import atomic_output, file_sha256
from v2a_jax.media.mux import mux
from v2a_jax.media.probe import probe
from v2a_jax.media.source import LIMITS, open_source, require_video
from v2a_jax.sampling.generator import Generator, load_generator

BUNDLE = flags.DEFINE_string("bundle", None, "Folder of an exported bundle.")
VIDEO = flags.DEFINE_string("video", None, "The video to put sound on.")
OUT = flags.DEFINE_string("out", None, "The result; its suffix chooses the container.")
PROMPT = flags.DEFINE_string("prompt", None, "A sound to steer towards.")
NEGATIVE = flags.DEFINE_string("negative_prompt", None, "A sound to steer away from.")
TRANSCRIPT = flags.DEFINE_string("transcript", None, "What is said.")
VARIATIONS = flags.DEFINE_integer("variations", 1, "How many soundtracks to make.")
SEED = flags.DEFINE_integer("seed", 0, "Seed of the first variation; the others count up.")
STEPS = flags.DEFINE_integer("steps", None, "Solver steps (default: the bundle's).")
SOLVER = flags.DEFINE_string("solver", None, "euler or heun (default: the bundle's).")
VIDEO_SCALE = flags.DEFINE_float("video_scale", None, "Guidance by the video.")
TEXT_SCALE = flags.DEFINE_float("text_scale", None, "Guidance by the prompts.")
KEY_FILE = flags.DEFINE_string("key_file", None, "Watermark key (default: the user's own).")

PACKAGES = ("v2a-jax", "jax", "flax", "numpy", "av")


def run(argv: list[str]) -> None:
    """Makes the soundtracks and says where they are."""
    no_more(argv)
    if BUNDLE.value is None or VIDEO.value is None or OUT.value is None:
        raise UserError("sample needs --bundle=DIR, --video=FILE and --out=FILE")
    for name, flag in (("prompt", PROMPT), ("negative_prompt", NEGATIVE)):
        if flag.value is not None and not flag.value.strip():
            raise UserError(f"--{name} is empty: leave it out to let the video decide")
    _check_files(VIDEO.value, pathlib.Path(OUT.value))
    generator = load_generator(BUNDLE.value, KEY_FILE.value)
    for path in write_soundtracks(generator, VIDEO.value, pathlib.Path(OUT.value), _wish()):
        print(path)


def _check_files(video: str, out: pathlib.Path) -> None:
    """What is wrong with the files is told before any work is done."""
    probe(video, limits=LIMITS)
    with open_source(video, LIMITS) as source:
        container_for(out, require_video(source, video))
    if not out.parent.is_dir():
        raise UserError(f"cannot write {out}: there is no folder {out.parent}")


def _wish() -> dict[str, Any]:
    return {
        "prompt": PROMPT.value or "",
        "negative_prompt": NEGATIVE.value or "",
        "transcript": TRANSCRIPT.value or "",
        "variations": VARIATIONS.value,
        "seed": SEED.value,
        "steps": STEPS.value,
        "solver": SOLVER.value,
        "video_scale": VIDEO_SCALE.value,
        "text_scale": TEXT_SCALE.value,
    }


def write_soundtracks(
    generator: Generator, video: str, out: pathlib.Path, wish: dict[str, Any]
) -> list[pathlib.Path]:
    """Writes one file a variation (OUT, or OUT-0, OUT-1, ..), each with its manifest beside it."""
    waves = generator.generate(video, **wish)
    digest, paths = file_sha256(video), []
    for index, wave in enumerate(waves):
        path = out if len(waves) == 1 else out.with_name(f"{out.stem}-{index}{out.suffix}")
        mux(video, wave, generator.sample_rate, path)
        manifest = _manifest(generator, video, digest, wave, wish, wish["seed"] + index)
        with atomic_output(path.with_suffix(".json")) as file:
            file.write(json.dumps(manifest, indent=2, sort_keys=True).encode() + b"\n")
        paths.append(path)
    return paths


def _manifest(
    generator: Generator, video: str, digest: str, wave: np.ndarray, wish: dict[str, Any], seed: int
) -> dict[str, Any]:
    """How a soundtrack came about: enough to make it again, and nothing secret."""
    settings = generator.config
    return {
        "source": {"name": pathlib.Path(video).name, "sha256": digest},
        "bundle_sha256": generator.bundle.digest,
        "prompt": wish["prompt"],
        "negative_prompt": wish["negative_prompt"],
        "transcript": wish["transcript"],
        "seed": seed,
        "steps": wish["steps"] or settings.steps,
        "solver": wish["solver"] or settings.solver,
        "video_scale": _first(wish["video_scale"], settings.video_scale),
        "text_scale": _first(wish["text_scale"], settings.text_scale),
        "sample_rate": generator.sample_rate,
        "samples": wave.shape[0],
        "watermark": {"key_id": generator.key.key_id, "payload": generator.payload},
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
    }


def _first(given: float | None, otherwise: float) -> float:
    return otherwise if given is None else given


if __name__ == "__main__":
    launch(run)
