"""`v2a encode --config=FILE:diffusion --workdir=DIR --out=STORE`: clips to features to train from.

The codec, video tokenizer and text encoder that diffusion training would use encode the config's
training clips once and for all; `v2a train --config.data.train=STORE` trains on what they made.
Killed, it goes on when it is called again.
"""

import pathlib

from absl import flags
from ml_collections import config_flags

from configs.base import ENCODE
from data_pipelines.features.make import make_writer
from v2a_jax.bin.main import launch, no_more
from v2a_jax.errors import UserError

CONFIG = config_flags.DEFINE_config_file("config", None, "FILE:diffusion of the run to come.")
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run, with its earlier stages.")
OUT = flags.DEFINE_string("out", None, "New folder for the features.")
SHARD_CLIPS = flags.DEFINE_integer("shard_clips", ENCODE["shard_clips"], "Clips in one shard.")
BATCH = flags.DEFINE_integer("batch", ENCODE["batch"], "Clips that are encoded at once.")


def run(argv: list[str]) -> None:
    """Writes the store that the flags describe, and says where it is."""
    no_more(argv)
    if CONFIG.value is None or WORKDIR.value is None or OUT.value is None:
        raise UserError("encode needs --config=FILE:diffusion, --workdir=DIR and --out=STORE")
    workdir, out = pathlib.Path(WORKDIR.value), pathlib.Path(OUT.value)
    writer = make_writer(CONFIG.value, workdir, shard_clips=SHARD_CLIPS.value, batch=BATCH.value)
    writer.write(out, progress=True)
    print(f"features of {len(writer.source)} clips: {out}")


if __name__ == "__main__":
    launch(run)
