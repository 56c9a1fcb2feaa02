"""`v2a world`: makes clips of the procedural world.

v2a world --out=data/train --clips=4000 --classes=impact,bounce
"""

import os

from absl import flags

from configs.base import WORLD
from data_pipelines.world import WorldConfig
from data_pipelines.world.write import write_world
from v2a_jax.bin.main import launch, no_more
from v2a_jax.errors import UserError

_OUT = flags.DEFINE_string("out", None, "new folder for the records")
_CLIPS = flags.DEFINE_integer("clips", None, "how many clips")
_CLASSES = flags.DEFINE_list(
    "classes", list(WORLD["classes"]), "scenes to draw from, equally often"
)
_SPLIT = flags.DEFINE_string(
    "split",
    "train",
    "train, val or test: no clip is in two of them; ood: factors outside the range of all others; "
    "conflict: captions name another material than is seen and heard",
)
_SEED = flags.DEFINE_integer("seed", WORLD["seed"], "another seed gives other clips")
_SECONDS = flags.DEFINE_float("seconds", WORLD["seconds"], "length of a clip")
_FPS = flags.DEFINE_integer("fps", WORLD["fps"], "frames a second")
_SIZE = flags.DEFINE_integer("size", WORLD["size"], "width and height in pixels")
_SAMPLE_RATE = flags.DEFINE_integer("sample_rate", WORLD["sample_rate"], "of the audio, in Hz")
_OFFSCREEN = flags.DEFINE_float(
    "offscreen_probability",
    WORLD["offscreen_probability"],
    "chance that a clip has a sound nothing visible makes",
)
_SHARDS = flags.DEFINE_integer("shards", 8, "files to spread the records over")
_WORKERS = flags.DEFINE_integer("workers", os.cpu_count(), "processes that render")
_MP4 = flags.DEFINE_bool("mp4", False, "also write each clip as MP4, and events.json")
_TFDS = flags.DEFINE_bool("tfds", False, "also write the records as a TFDS dataset")


def run(argv: list[str]) -> None:
    """Writes the dataset the flags describe."""
    no_more(argv)
    if _OUT.value is None or _CLIPS.value is None:
        raise UserError("world needs --out=DIR and --clips=N")
    config = WorldConfig(
        seed=_SEED.value,
        split=_SPLIT.value,
        clips=_CLIPS.value,
        seconds=_SECONDS.value,
        fps=_FPS.value,
        size=_SIZE.value,
        sample_rate=_SAMPLE_RATE.value,
        classes=tuple(_CLASSES.value),
        offscreen_probability=_OFFSCREEN.value,
    )
    write_world(
        config,
        _OUT.value,
        shards=_SHARDS.value,
        workers=_WORKERS.value,
        mp4=_MP4.value,
        tfds=_TFDS.value,
        progress=True,
    )


if __name__ == "__main__":
    launch(run)
