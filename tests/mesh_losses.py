"""Losses and gradients on meshes; as a script, on 8 devices, of diffusion or of all stages.

Usage: python mesh_losses.py cases|stages OUT.npz
"""

import dataclasses
import re
import sys
from math import prod

import jax
import numpy as np
from jax.sharding import AbstractMesh, AxisType
from tiny_system import lively, tiny_batch, tiny_config, tiny_stage, tiny_system

from v2a_jax.sharding import MESH_AXES, MeshConfig, batch_sharding, make_mesh, param_shardings
from v2a_jax.training.checkpoint import flatten
from v2a_jax.training.stages import STAGES, example_keys, make_stage
from v2a_jax.training.step import accumulated_gradients
from v2a_jax.types import Conditions, Encoded

ROWS, HEADS, LATENT = 8, 4, 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """A way to compute what one device computes at once; `mesh` is data, fsdp, context, tensor."""

    mesh: tuple[int, int, int, int]
    remat: str = "none"
    unroll: bool = False
    accumulate: int = 1
    latents: int = 16
    attention: str = "auto"

    @property
    def name(self):
        return "-".join(str(value) for value in (*self.mesh, *dataclasses.astuple(self)[1:]))


WHOLE_STAGES = ((1, 8, 1, 1), (2, 1, 2, 2))
CASES = (
    Case(mesh=(8, 1, 1, 1)),
    Case(mesh=(1, 8, 1, 1), remat="dots"),
    Case(mesh=(4, 1, 1, 2), unroll=True),
    Case(mesh=(2, 2, 1, 2), remat="full", accumulate=2),
    Case(mesh=(4, 1, 2, 1), remat="dots", accumulate=2),
    Case(mesh=(2, 1, 2, 2), remat="full", unroll=True, accumulate=4, latents=18),
    Case(mesh=(2, 1, 4, 1), unroll=True, latents=32),
    Case(mesh=(1, 2, 4, 1), accumulate=4, latents=18),
    Case(mesh=(2, 2, 2, 1), attention="splash"),
)


def make(sizes):
    """A mesh of data, fsdp, context and tensor."""
    return make_mesh(MeshConfig(**dict(zip(MESH_AXES, sizes, strict=True))))


def eight(**sizes):
    """A mesh of devices that need not be there."""
    shape = tuple((dict.fromkeys(MESH_AXES, 1) | sizes).values())
    return AbstractMesh(shape, MESH_AXES, axis_types=(AxisType.Explicit,) * len(shape))


def both(stage, params, frozen, batch):
    """Loss, metrics and gradients of a batch at once."""
    keys = example_keys(3, 0, batch.index)
    (loss, metrics), gradient = jax.value_and_grad(stage.loss, has_aux=True)(
        params, frozen, batch, keys
    )
    return {"loss": loss, "metrics": metrics, "gradient": gradient}


def stage_losses(name, sizes):
    """Those of a stage with every term of its loss, by path; sizes None for no mesh at all."""
    config = tiny_config(name)
    config.model.dit.heads = HEADS
    config.codec_loss.update(spectrum=0.5, mel=1.0, stft=0.5, phase=3.0, adversarial=1.0)
    stage, params, frozen = tiny_stage(name, config)

    def run(params, frozen, batch):
        return both(stage, params, frozen, batch)

    if sizes is None:
        return jax.device_get(flatten(jax.jit(run)(params, frozen, tiny_batch())))
    mesh = make(sizes)
    with jax.set_mesh(mesh):
        axes = {part: getattr(stage.system, part).axes for part in frozen}
        given = (
            jax.device_put(params, param_shardings(mesh, stage.axes())),
            jax.device_put(frozen, param_shardings(mesh, axes)),
            jax.device_put(tiny_batch(), batch_sharding(mesh)),
        )
        return jax.device_get(flatten(jax.jit(run)(*given)))


def diffusion(case):
    """The diffusion stage with blocks enough to scan and heads enough to split; its parameters."""
    config = tiny_config("diffusion")
    config.model.codec.latent = LATENT
    config.model.dit.update(heads=HEADS, joint_blocks=2, audio_blocks=2)
    if case is not None:
        config.model.stack.update(remat=case.remat, unroll=case.unroll, attention=case.attention)
    stage = make_stage("diffusion", config, tiny_system(config))
    return stage, lively(jax.eval_shape(stage.init, jax.random.key(0)), 5)


def encoded(stage, latents):
    """Random examples, encoded, of which some lack one modality or another."""
    rng, plain = np.random.default_rng(1), tiny_batch(ROWS)
    c = stage.system.dit_config
    frames = -(-latents // c.semantic_frames) * c.semantic_frames
    shapes = dict(
        sync=(frames, c.video_width),
        semantic=(frames // c.semantic_frames, c.video_width),
        text=(plain.caption.shape[1], c.text_width),
    )
    made = {k: rng.standard_normal((ROWS, *v)).astype("f") for k, v in shapes.items()}
    given = Conditions(
        **made,
        text_mask=plain.caption != 0,
        transcript=plain.transcript,
        use_video=plain.has_video,
        use_text=plain.has_caption,
        use_transcript=plain.has_transcript,
    )
    data = rng.standard_normal((ROWS, latents, c.latent)).astype("f")
    return Encoded(index=plain.index, latents=data, given=given, has_audio=plain.has_audio)


def case_losses(case):
    """Loss and gradients of diffusion in a case by path, and the largest array that is gathered."""
    stage, params = diffusion(case)
    mesh, batch = make(case.mesh), encoded(stage, case.latents)

    def run(params, batch):
        keys = example_keys(3, 0, batch.index)
        gradient, metrics = accumulated_gradients(stage, params, {}, batch, keys, case.accumulate)
        return {"gradient": gradient, "loss": metrics["loss"]}

    with jax.set_mesh(mesh):
        params = jax.device_put(params, param_shardings(mesh, stage.axes()))
        batch = jax.device_put(batch, batch_sharding(mesh))
        compiled = jax.jit(run).lower(params, batch).compile()
        found = jax.device_get(flatten(compiled(params, batch)))
    shapes = re.findall(r"= \w+\[([\d,]+)\]\S* all-gather", compiled.as_text())
    return found | {"gathered": max((prod(map(int, x.split(","))) for x in shapes), default=0)}


def expected_losses(latents):
    """What every case of so many latents must give: no mesh, no remat, the batch at once."""
    stage, params = diffusion(None)
    batch = encoded(stage, latents)
    found = jax.jit(lambda params, batch: both(stage, params, {}, batch))(params, batch)
    del found["metrics"]
    return jax.device_get(flatten(found))


def of_cases():
    """Every case of CASES, and what is expected of those of so many latents."""
    found = {c.name: case_losses(c) for c in CASES}
    found |= {latents: expected_losses(latents) for latents in {c.latents for c in CASES}}
    return {f"{name}:{path}": x for name, leaves in found.items() for path, x in leaves.items()}


def of_stages():
    """Every stage on every mesh of WHOLE_STAGES, and on none."""
    return {
        f"{sizes}:{name}:{path}": x
        for sizes in (None, *WHOLE_STAGES)
        for name in STAGES
        for path, x in stage_losses(name, sizes).items()
    }


if __name__ == "__main__":
    np.savez(sys.argv[2], **{"cases": of_cases, "stages": of_stages}[sys.argv[1]]())
