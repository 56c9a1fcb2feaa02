"""From a config and a run's folder to the writer of its features."""

import dataclasses
import pathlib
from typing import Any

import jax
from jax.sharding import Mesh
from ml_collections import ConfigDict

from data_pipelines.features import schema
from data_pipelines.features.encoder import ClipEncoder
from data_pipelines.features.origin import origin
from data_pipelines.features.source import FEATURES
from data_pipelines.features.write import StoreWriter
from data_pipelines.loader import Source, stack
from data_pipelines.open import WORLD, loader_config, open_source, provenance, tokenizer_for
from data_pipelines.provenance.allowed import AllowedSource
from data_pipelines.provenance.ledger import ledger_path
from data_pipelines.records import DESCRIPTION, read_description
from data_pipelines.transforms import Example
from data_pipelines.world.source import WORLD_VERSION
from v2a_jax.config import build
from v2a_jax.errors import UserError
from v2a_jax.media.files import file_sha256
from v2a_jax.models.system import System
from v2a_jax.sharding import MeshConfig, make_mesh
from v2a_jax.training.diffusion_stage import DiffusionStage
from v2a_jax.training.earlier import earlier_parts, on_mesh, weights_sha256
from v2a_jax.training.encoding import Encoding
from v2a_jax.training.stages import make_stage
from v2a_jax.types import Batch


def make_writer(
    config: ConfigDict, workdir: pathlib.Path, *, shard_clips: int, batch: int
) -> StoreWriter:
    """What encodes the clips of `config.data.train`, and stores floats as bfloat16.

    UserError when an earlier stage is missing, or the clips may not be read.
    """
    if config.stage != DiffusionStage.name:
        raise UserError(f"encode: stage '{config.stage}' takes no features, but 'diffusion' does")
    mesh = make_mesh(build(MeshConfig, config.mesh))
    _check(shard_clips, batch, mesh)
    system = System.from_config(config)
    stage = make_stage(config.stage, config, system)
    earlier = earlier_parts(config, workdir, stage.needs, system)
    digests = {part: weights_sha256(weights) for part, weights in earlier.items()}
    source = open_source(config, "train")
    tokenizer, settings = tokenizer_for(config, workdir, source), loader_config(config)
    made_by = origin(settings, config.model, digests, tokenizer)
    encoding = Encoding(stage, on_mesh(earlier, system, mesh), mesh, batch)
    encoder = ClipEncoder(
        example=Example(config=settings, encode=tokenizer.encode),
        encode=encoding.encode,
        read=encoding.read,
        size=batch,
        dtype=schema.FLOATS["bfloat16"],
    )
    told = {FEATURES: made_by, "compute_dtype": config.dtype}
    told["shapes"] = _shapes(stage, encoder.row((0, source[0]))[1])
    return StoreWriter(
        source=source,
        encoder=encoder,
        shard_clips=shard_clips,
        told=told | _clips(config, source),
        ledger=_ledger(config, source),
    )


def _check(shard_clips: int, batch: int, mesh: Mesh) -> None:
    rows = mesh.shape["data"] * mesh.shape["fsdp"]
    if shard_clips < 1:
        raise UserError(f"encode: --shard_clips={shard_clips} must be at least 1")
    if batch < 1 or batch % rows:
        raise UserError(f"encode: --batch={batch} must be a multiple of {rows}, for this mesh")


def _shapes(stage: DiffusionStage, example: Batch) -> dict[str, list[int]]:
    """Of each array of an encoded example, without running anything."""
    frozen = {part: getattr(stage.system, part).shapes for part in stage.needs}
    made = jax.eval_shape(stage.encode, frozen, stack([example]))
    arrays = {"latents": made.latents}
    arrays |= {k: getattr(made.given, k) for k in ("sync", "semantic", "text", "transcript")}
    return {name: list(array.shape[1:]) for name, array in arrays.items()}


def _clips(config: ConfigDict, source: Source) -> dict[str, Any]:
    """Which clips are encoded, and what lets them be."""
    told: dict[str, Any] = {"clips": provenance(config, source)}
    place = config.data.train
    if place == WORLD:
        return told | {"world": dataclasses.asdict(source.config) | {"version": WORLD_VERSION}}
    told["clips"]["dataset_sha256"] = file_sha256(pathlib.Path(place, DESCRIPTION))
    described = read_description(place)
    return told | {name: described[name] for name in ("world",) if name in described}


def _ledger(config: ConfigDict, source: Source) -> pathlib.Path | None:
    """The ledger that let the clips be read, where one was asked."""
    if not isinstance(source, AllowedSource):
        return None
    return ledger_path(config.data.ledger or config.data.train)
