"""One process of a tiny run on real clips, told by the environment which of how many it is.

Usage: python pod_run.py WORKDIR STEPS CHECKPOINT_EVERY OPTIONS   where OPTIONS are JSON:
seconds (a step), fault ("fail", "hang", "poison" or "storage"), at (its step), who (its process),
and run, fields of the run's configuration. Each process writes what it read to
WORKDIR/rows-K.jsonl.
"""

import dataclasses
import errno
import hashlib
import json
import os
import pathlib
import sys
import threading
import time

import jax
import jax.numpy as jnp
import numpy as np
from orbax.checkpoint._src.serialization import serialization
from tiny_loader import FORM, LOADER
from tiny_stage import BATCH, SAMPLES, TinyStage, tiny_config, tiny_frozen, tiny_mesh

from data_pipelines.loader import Loader
from data_pipelines.world.config import WorldConfig
from data_pipelines.world.source import WorldSource
from v2a_jax import cluster
from v2a_jax.bin.main import launch
from v2a_jax.errors import UserError
from v2a_jax.sharding import batch_sharding
from v2a_jax.training.checkpoint import checksum
from v2a_jax.training.feed import local_part
from v2a_jax.training.goodput import process_began
from v2a_jax.training.loop import train
from v2a_jax.training.peers import Peers

WORLD = WorldConfig(
    seed=0,
    split="train",
    clips=20,
    seconds=0.64,
    classes=("bounce",),
    offscreen_probability=0.0,
    **FORM,
)


class Noted(TinyStage):
    """Its metrics also tell checksums of all words that it computes with, each in two halves."""

    def loss(self, params, frozen, batch, keys):
        loss, metrics = super().loss(params, frozen, batch, keys)
        words = {
            "example": batch.index,
            "crop": batch.audio,
            "keys": jax.random.key_data(keys),
            "noise": self.noise(keys),
        }
        for name, values in words.items():
            total = checksum(values)
            for half, part in (("high", total >> 16), ("low", total & 0xFFFF)):
                metrics[f"{name}_{half}"] = part.astype(jnp.float32)  # exact
        return loss, metrics


class Rows:
    """This host's rows, written down as they are read; a fault strikes at its step."""

    def __init__(self, loader, log, *, seconds=0.0, fault=None, at=0, who=0):
        self.loader, self.log, self.seconds = loader, log, seconds
        self.fault = fault if jax.process_index() == who else None
        self.at = at

    def batches(self, start_step):
        for step, batch in enumerate(self.loader.batches(start_step), start_step + 1):
            time.sleep(self.seconds)
            batch = dataclasses.replace(batch, audio=np.array(batch.audio[:, :SAMPLES]))
            if step == self.at:
                self.strike(batch)
            crops = [hashlib.sha256(wave.tobytes()).hexdigest()[:12] for wave in batch.audio]
            line = {"step": step, "index": batch.index.tolist(), "crop": crops}
            with open(self.log, "a") as log:
                log.write(json.dumps(line) + "\n")
            yield batch

    def strike(self, batch):
        if self.fault == "fail":
            raise UserError("record 7 is damaged")
        if self.fault == "hang":
            threading.Event().wait()
        if self.fault == "poison":
            batch.audio[0, 0] = np.nan
        if self.fault == "storage":
            serialization.async_serialize_from_host = fails


async def fails(*args, **more):
    """A write to storage that does not work."""
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def run(argv):
    """The script."""
    workdir, steps, every, options = argv[1:]
    workdir, options = pathlib.Path(workdir), json.loads(options)
    config = tiny_config(int(steps), int(every))
    config = dataclasses.replace(
        config, run=dataclasses.replace(config.run, **options.pop("run", {}))
    )
    cluster.join()
    with Peers(config.run.peer_seconds) as peers:
        mesh = tiny_mesh()
        share = dict(
            zip(("part", "parts"), local_part(batch_sharding(mesh), BATCH), strict=True),
        )
        loader = Loader(
            WorldSource(WORLD), LOADER, encode=lambda _: [], batch_size=BATCH, seed=5, **share
        )
        rows = Rows(loader, workdir / f"rows-{jax.process_index()}.jsonl", **options)
        finished = train(
            Noted(),
            config,
            plain=TinyStage(),
            frozen=tiny_frozen(mesh),
            description={},
            mesh=mesh,
            data=rows,
            heldout=Rows(loader, "/dev/null"),
            sample_rate=16000,
            workdir=workdir,
            peers=peers,
            began=process_began(),
            initial={},
            profiled=range(0),
        )
    return 0 if finished else 1


if __name__ == "__main__":
    launch(run, sys.argv)
