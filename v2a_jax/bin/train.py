"""`v2a train --config=configs/demo.py:STAGE --workdir=DIR`: train one stage, or resume it.

Exit status: 0 all steps are done; 1 a signal asked to stop, the state is saved; 2 bad input; 3 the
run hung or lost a process: start it again.
"""

import json
import os
import pathlib
import sys

import jax
from absl import flags
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P
from ml_collections import ConfigDict, config_flags

from configs.hardware import apply, export, parse, recommended
from data_pipelines.features.origin import origin
from data_pipelines.loader import Source, Stream
from data_pipelines.open import (
    has_features,
    loader_config,
    make_feature_loader,
    make_loader,
    open_features,
    open_source,
    provenance,
    tokenizer_for,
)
from v2a_jax import cluster
from v2a_jax.bin.main import launch, no_more
from v2a_jax.config import build
from v2a_jax.errors import UserError
from v2a_jax.models.system import System
from v2a_jax.sharding import MeshConfig, batch_sharding, make_mesh
from v2a_jax.training.checkpoint import CheckpointConfig
from v2a_jax.training.compile_cache import compile_cache
from v2a_jax.training.diffusion_stage import DiffusionStage
from v2a_jax.training.earlier import earlier_parts, on_mesh, placed, weights_sha256
from v2a_jax.training.ema import EmaConfig
from v2a_jax.training.feed import local_part
from v2a_jax.training.goodput import process_began
from v2a_jax.training.loop import RunConfig, TrainConfig, train
from v2a_jax.training.optimizer import OptimizerConfig
from v2a_jax.training.peers import Peers
from v2a_jax.training.profile import profiled
from v2a_jax.training.stages import Stage, make_stage
from v2a_jax.training.warm import begin_with
from v2a_jax.types import Params
from v2a_jax.watermark.key import load_or_create

CONFIG = config_flags.DEFINE_config_file("config", None, "FILE:STAGE, e.g. configs/demo.py:codec.")
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run; each stage has its own inside.")
HARDWARE = flags.DEFINE_string(
    "hardware", None, "KIND:COUNT sets mesh, remat, .. (v5p:64); 2xv5p:64 is of two slices."
)
PROFILE = flags.DEFINE_string("profile_steps", None, "A:B writes a trace of these steps (XProf).")


def run(argv: list[str]) -> int:
    """Trains the stage that the config names."""
    no_more(argv)
    if CONFIG.value is None or WORKDIR.value is None:
        raise UserError("train needs --config=FILE:STAGE and --workdir=DIR")
    config, workdir, steps = CONFIG.value, pathlib.Path(WORKDIR.value), profiled(PROFILE.value)
    if HARDWARE.value is not None:
        suited = recommended(*parse(HARDWARE.value), config)
        apply(config, suited)
        export(suited.flags, os.environ)  # before JAX starts
    cluster.join()
    cache = workdir / config.run.compile_cache if config.run.compile_cache else None
    with Peers(config.run.peer_seconds) as peers, compile_cache(cache):
        return train_stage(config, workdir, peers, steps)


def train_stage(config: ConfigDict, workdir: pathlib.Path, peers: Peers, profiled: range) -> int:
    """Trains, or resumes, one stage in `workdir`; 0 when done, 1 when asked to stop before."""
    name = config.stage
    system = System.from_config(config)
    stage, training = make_stage(name, config, system), _training(config)
    mesh = make_mesh(build(MeshConfig, config.mesh))
    earlier = earlier_parts(config, workdir, stage.needs, system)
    part = local_part(batch_sharding(mesh), training.run.batch_size)
    start = begin_with(config, stage, workdir / name, _say)
    source, data, heldout = _loaders(config, workdir, stage, earlier, part)
    frozen = on_mesh(earlier, system, mesh)
    del earlier  # a second copy, for as long as training lasts
    if stage.marks:
        # One key for all hosts: that of the first.
        pattern = multihost_utils.broadcast_one_to_all(load_or_create().pattern())
        whole = NamedSharding(mesh, P())
        frozen["pattern"] = jax.tree.map(lambda leaf: placed(leaf, whole), pattern)
    finished = train(
        start.of(stage),
        training,
        plain=start.of(_plain(config)),
        frozen=frozen | start.frozen(stage, mesh),
        description={
            **json.loads(config.to_json_best_effort()),
            "provenance": provenance(config, source),
            **start.description,
        },
        mesh=mesh,
        data=data,
        heldout=heldout,
        sample_rate=system.codec_config.sample_rate,
        workdir=workdir / name,
        peers=peers,
        began=process_began(),
        initial=start.initial,
        profiled=profiled,
    )
    return 0 if finished else 1


def _plain(config: ConfigDict) -> Stage:
    """The stage of the config, with nothing computed again and no kernels: as it is counted."""
    plain = config.copy_and_resolve_references()
    plain.model.stack.update(remat="none", attention="reference")
    return make_stage(plain.stage, plain, System.from_config(plain))


def _training(config: ConfigDict) -> TrainConfig:
    """What the loop is told."""
    return build(
        TrainConfig,
        {"seed": config.seed},
        run=build(RunConfig, config.run),
        checkpoint=build(CheckpointConfig, config.checkpoint),
        optimizer=build(OptimizerConfig, config.optimizer),
        ema=build(EmaConfig, config.ema),
    )


def _say(text: str) -> None:
    if jax.process_index() == 0:
        sys.stderr.write(f"v2a: {text}\n")


def _loaders(
    config: ConfigDict,
    workdir: pathlib.Path,
    stage: Stage,
    earlier: Params,
    local: tuple[int, int],
) -> tuple[Source, Stream, Stream]:
    """What is trained on, its loader, and the held-out clips' loader; `local` is this host's part.

    The diffusion stage also trains on features that the same `earlier` weights have made.
    """
    features = isinstance(stage, DiffusionStage) and has_features(config)
    store, source = open_features(config) if features else (None, open_source(config, "train"))
    heldout = open_source(config, "validation")
    tokenizer = tokenizer_for(config, workdir, source) if stage.reads_text else None
    share = dict(zip(("part", "parts"), local, strict=True))
    if features:
        digests = {name: weights_sha256(weights) for name, weights in earlier.items()}
        wanted = origin(loader_config(config), config.model, digests, tokenizer)
        data = make_feature_loader(config, store, source, wanted, **share)
    else:
        data = make_loader(config, source, tokenizer, **share)
    return source, data, make_loader(config, heldout, tokenizer, **share)


if __name__ == "__main__":
    launch(run)
