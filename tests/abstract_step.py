"""Traces the real training step of a config on as many devices as there are; as a script, of many.

Usage: python abstract_step.py NAME:STAGE ..   prints {NAME:STAGE: parameters or an error}
"""

import importlib
import json
import math
import sys

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from v2a_jax.config import build
from v2a_jax.evaluation.charts import CURVES
from v2a_jax.models.functional import count
from v2a_jax.models.system import System
from v2a_jax.sharding import MeshConfig, batch_sharding, make_mesh, param_shardings
from v2a_jax.training.ema import EmaConfig
from v2a_jax.training.optimizer import OptimizerConfig, make_optimizer, make_schedule
from v2a_jax.training.stages import example_keys, make_stage
from v2a_jax.training.state import abstract_state, state_maker
from v2a_jax.training.step import make_train_step
from v2a_jax.types import Batch
from v2a_jax.watermark.key import Key


def abstract_batch(config: ConfigDict, sharding: jax.sharding.Sharding) -> Batch:
    """Shapes of a batch of the config."""
    model, data, size = config.model, config.data.loader, config.run.batch_size
    frames = round(data.seconds * model.video.fps)
    samples = round(data.seconds * model.codec.sample_rate)
    video = (frames, model.video.size, model.video.size, 3), jnp.uint8
    shapes = dict(
        index=((), jnp.int32),
        audio=((samples, model.codec.channels), jnp.float32),
        video=video,
        degraded=video if data.degrade else None,
        caption=((model.text.length,), jnp.int32),
        transcript=((data.transcript_length,), jnp.int32),
        **{f"has_{m}": ((), jnp.bool_) for m in ("audio", "video", "caption", "transcript")},
    )

    def leaf(shape, dtype):
        return jax.ShapeDtypeStruct((size, *shape), dtype, sharding=sharding)

    return Batch(**{name: given and leaf(*given) for name, given in shapes.items()})


def trace_step(config: ConfigDict) -> int:
    """Traces a step and the held-out functions under the config's mesh; counts the parameters."""
    system = System.from_config(config)
    stage = make_stage(config.stage, config, system)
    mesh = make_mesh(build(MeshConfig, config.mesh))
    settings, ema = build(OptimizerConfig, config.optimizer), build(EmaConfig, config.ema)
    optimizer = make_optimizer(settings, stage, config.run.steps)
    schedule = make_schedule(settings, config.run.steps)
    with jax.set_mesh(mesh):
        state = abstract_state(state_maker(stage, optimizer, ema, config.seed, mesh), mesh)
        parts = {name: getattr(system, name) for name in stage.needs}
        frozen = jax.tree.map(
            lambda leaf, place: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place),
            {name: part.shapes for name, part in parts.items()},
            param_shardings(mesh, {name: part.axes for name, part in parts.items()}),
        )
        if stage.marks:
            everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
            frozen["pattern"] = jax.tree.map(
                lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=everywhere),
                Key(bytes(32)).pattern(),
            )
        batch = abstract_batch(config, batch_sharding(mesh))
        step = make_train_step(
            stage, optimizer, schedule, ema, seed=config.seed, accumulate=config.run.accumulate
        )
        after, metrics = jax.eval_shape(step, state, frozen, batch)
        for heldout in (stage.evaluate, stage.samples):
            jax.eval_shape(
                lambda params, frozen, batch, use=heldout: use(
                    params, frozen, batch, example_keys(0, 0, batch.index)
                ),
                state.params,
                frozen,
                batch,
            )
    assert all(math.prod(metric.shape) == 1 for metric in metrics.values())
    drawn = {key for of, key in CURVES.values() if of == stage.name}
    assert drawn and drawn <= set(metrics), "the report's curve"
    for old, new in zip(jax.tree.leaves(state), jax.tree.leaves(after), strict=True):
        assert (old.shape, old.dtype, old.sharding.spec) == (
            new.shape,
            new.dtype,
            new.sharding.spec,
        )
    return count(state.params)


def main(names: list[str]) -> None:
    """Prints what became of each."""
    results = {}
    for name in names:
        config, stage = name.split(":")
        try:
            traced = trace_step(importlib.import_module(f"configs.{config}").get_config(stage))
        except Exception as error:
            traced = f"{type(error).__name__}: {error}"[:500]
        results[name] = traced
    print(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1:])
