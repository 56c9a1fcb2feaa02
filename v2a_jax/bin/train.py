"""`v2a train --config=configs/demo.py:STAGE --workdir=DIR`: train one stage, or resume it."""

import json
import pathlib
from typing import Any

import jax
from absl import flags
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P
from ml_collections import ConfigDict, config_flags

from data_pipelines.open import make_loader, open_source, provenance, tokenizer_for
from v2a_jax.bin.main import launch, no_more
from v2a_jax.config import build
from v2a_jax.errors import UserError
from v2a_jax.models.system import System
from v2a_jax.sharding import MeshConfig, batch_sharding, make_mesh, param_shardings
from v2a_jax.training.checkpoint import CheckpointConfig
from v2a_jax.training.earlier import load_parts
from v2a_jax.training.ema import EmaConfig
from v2a_jax.training.feed import local_part
from v2a_jax.training.loop import RunConfig, TrainConfig, train
from v2a_jax.training.optimizer import OptimizerConfig
from v2a_jax.training.stages import make_stage
from v2a_jax.watermark.key import load_or_create

CONFIG = config_flags.DEFINE_config_file("config", None, "FILE:STAGE, e.g. configs/demo.py:codec.")
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run; each stage has its own inside.")


def run(argv: list[str]) -> int:
    """Trains the stage that the config names."""
    no_more(argv)
    if CONFIG.value is None or WORKDIR.value is None:
        raise UserError("train needs --config=FILE:STAGE and --workdir=DIR")
    return train_stage(CONFIG.value, pathlib.Path(WORKDIR.value))


def train_stage(config: ConfigDict, workdir: pathlib.Path) -> int:
    """Trains, or resumes, one stage in `workdir`; 0 when done, 1 when asked to stop before."""
    name = config.stage
    system = System.from_config(config)
    stage = make_stage(name, config, system)
    training = build(
        TrainConfig,
        {"seed": config.seed},
        run=build(RunConfig, config.run),
        checkpoint=build(CheckpointConfig, config.checkpoint),
        optimizer=build(OptimizerConfig, config.optimizer),
        ema=build(EmaConfig, config.ema),
    )
    mesh = make_mesh(build(MeshConfig, config.mesh))
    frozen = _frozen(config, workdir, stage.needs, system, mesh)
    if stage.marks:
        frozen["pattern"] = jax.device_put(load_or_create().pattern(), NamedSharding(mesh, P()))
    train_source = open_source(config, "train")
    tokenizer = tokenizer_for(config, workdir, train_source) if stage.reads_text else None
    part, parts = local_part(batch_sharding(mesh), training.run.batch_size)
    data, heldout = (
        make_loader(config, source, tokenizer, part=part, parts=parts)
        for source in (train_source, open_source(config, "validation"))
    )
    finished = train(
        stage,
        training,
        frozen=frozen,
        description={
            **json.loads(config.to_json_best_effort()),
            "provenance": provenance(config, train_source),
        },
        mesh=mesh,
        data=data,
        heldout=heldout,
        sample_rate=system.codec_config.sample_rate,
        workdir=workdir / name,
    )
    return 0 if finished else 1


def _frozen(
    config: ConfigDict, workdir: pathlib.Path, needs: tuple[str, ...], system: System, mesh: Any
) -> dict:
    """The earlier stages' parts that this one needs, on the mesh."""
    earlier = pathlib.Path(config.earlier) if config.earlier else workdir
    parts = load_parts(earlier, needs, system, config.ema.sigma_rel[0])
    axes = {name: getattr(system, name).axes for name in parts}
    return jax.device_put(parts, param_shardings(mesh, axes))


if __name__ == "__main__":
    launch(run)
