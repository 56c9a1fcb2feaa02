"""A stage, data and configuration small enough to train in a blink; as a script, trains them.

Usage: python tiny_stage.py WORKDIR STEPS CHECKPOINT_EVERY [SECONDS_A_STEP]
"""

import dataclasses
import pathlib
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

from v2a_jax.bin.main import launch
from v2a_jax.sharding import MeshConfig, gathered, make_mesh
from v2a_jax.training.checkpoint import CheckpointConfig
from v2a_jax.training.ema import EmaConfig
from v2a_jax.training.loop import RunConfig, TrainConfig, train
from v2a_jax.training.optimizer import OptimizerConfig
from v2a_jax.training.peers import Peers
from v2a_jax.types import Batch

WIDTH, SAMPLES, BATCH, EXAMPLES = 8, 64, 8, 40


class TinyStage:
    """Denoises audio; a critic of its own group and a running mean come along."""

    name = "tiny"
    needs, reads_text, marks = (), False, False

    def __init__(self, width=WIDTH, poison=False):
        self.width, self.poison = width, poison

    def init(self, key):
        a, b, c = jax.random.split(key, 3)
        return {
            "model": {
                "up": {"kernel": jax.random.normal(a, (SAMPLES, self.width)) / 8},
                "down": {"kernel": jax.random.normal(b, (self.width, SAMPLES)) / 8},
                "bias": jnp.zeros((SAMPLES,)),
            },
            "critic": {"kernel": jax.random.normal(c, (SAMPLES, 1)) / 8},
            "mean": jnp.zeros(()),
        }

    def axes(self):
        kernels = {"up": {"kernel": ("embed", None)}, "down": {"kernel": ("embed", None)}}
        return {
            "model": kernels | {"bias": (None,)},
            "critic": {"kernel": (None, None)},
            "mean": (),
        }

    def groups(self, params):
        names = {"model": "model", "critic": "discriminator", "mean": "statistics"}
        return {k: jax.tree.map(lambda _, k=k: names[k], v) for k, v in params.items()}

    def decay_mask(self, params):
        return jax.tree.map_with_path(lambda path, _: path[-1].key == "kernel", params)

    def loss(self, params, frozen, batch, keys):
        clean_BN = batch.audio[..., 0]
        model = params["model"]
        hidden = jnp.tanh((clean_BN + 0.1 * self.noise(keys)) @ weight(model["up"]))
        made = hidden @ weight(model["down"]) + model["bias"] + frozen["offset"]
        error = jnp.mean((made - clean_BN) ** 2)
        critic = jnp.mean((jax.lax.stop_gradient(made) @ params["critic"]["kernel"] - 1) ** 2)
        statistic = (params["mean"] - jnp.mean(clean_BN)) ** 2 / 2
        if self.poison:
            error = error / (batch.audio[0, 0, 0] * 0)
        return error + critic + statistic, {"error": error}

    def noise(self, keys):
        return jax.vmap(lambda key: jax.random.normal(key, (SAMPLES,)))(keys)

    def examples(self, batch):
        return jnp.full((), batch.index.shape[0])

    def tokens(self, batch):
        return SAMPLES

    def evaluate(self, params, frozen, batch, keys):
        return {"error": self.loss(params, frozen, batch, keys)[1]["error"]}

    def samples(self, params, frozen, batch, keys):
        return {"true": batch.audio}


def weight(layer):
    """A layer's kernel, whole."""
    return gathered(layer["kernel"], ("embed", None))


def example(index):
    """Audio that is a function of the example alone."""
    wave = np.random.default_rng(index).normal(size=(SAMPLES, 1)).astype(np.float32)
    return Batch(
        index=np.int32(index),
        audio=wave,
        video=np.zeros((1, 1, 1, 3), np.uint8),
        degraded=None,
        caption=np.zeros(2, np.int32),
        transcript=np.zeros(2, np.int32),
        **{f"has_{name}": np.bool_(True) for name in ("audio", "video", "caption", "transcript")},
    )


@dataclasses.dataclass
class TinyData:
    """Global batches by step, each after a pause of `seconds`."""

    seconds: float = 0.0

    def batches(self, start_step):
        step = start_step
        while True:
            time.sleep(self.seconds)
            rows = [example((step * BATCH + i) % EXAMPLES) for i in range(BATCH)]
            yield jax.tree.map(lambda *leaves: np.stack(leaves), *rows)
            step += 1


def tiny_config(steps=20, every=5, accumulate=1, keep=2):
    """A configuration of the loop."""
    return TrainConfig(
        seed=3,
        run=RunConfig(
            steps=steps,
            batch_size=BATCH,
            accumulate=accumulate,
            log_every=1,
            evaluate_every=10,
            evaluate_batches=1,
            sample_every=1000,
            max_skips=1,
            hang_seconds=60.0,
            compile_seconds=300.0,
            peer_seconds=10.0,
            compile_cache="",
        ),
        checkpoint=CheckpointConfig(every=every, keep=keep),
        optimizer=OptimizerConfig(
            learning_rate=1e-2,
            schedule="constant",
            warmup=4,
            final_fraction=0.1,
            b1=0.9,
            b2=0.95,
            eps=1e-8,
            weight_decay=0.01,
            clip_norm=1.0,
            statistics_rate=0.1,
        ),
        ema=EmaConfig(sigma_rel=(0.1, 0.05)),
    )


def tiny_mesh(**sizes):
    """A mesh of all devices."""
    return make_mesh(MeshConfig(**{"data": -1, "fsdp": 1, "context": 1, "tensor": 1} | sizes))


def tiny_frozen(mesh):
    """An earlier stage's weight."""
    place = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    return {"offset": jax.device_put(np.float32(0.25), place)}


def train_tiny(workdir, config, *, stage=None, data=None, description=None, **more):
    """Trains in `workdir` on one device a batch shard."""
    mesh, stage = tiny_mesh(), stage or TinyStage()
    return train(
        stage,
        config,
        plain=stage,
        description={"model": {"width": WIDTH}} if description is None else description,
        mesh=mesh,
        data=data or TinyData(),
        heldout=TinyData(),
        sample_rate=16000,
        workdir=pathlib.Path(workdir),
        **dict(
            frozen=tiny_frozen(mesh),
            peers=Peers(10.0),
            began=time.time(),
            initial={},
            profiled=range(0),
        )
        | more,
    )


def run(argv):
    """The script."""
    workdir, steps, every, *seconds = argv[1:]
    data = TinyData(float(seconds[0]) if seconds else 0.0)
    train_tiny(workdir, tiny_config(int(steps), int(every)), data=data)


if __name__ == "__main__":
    launch(run, sys.argv)
