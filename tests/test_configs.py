"""Every config, whole: its models can be built, its steps traced on the mesh it asks for."""

import importlib
import json
import os
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest
from abstract_step import abstract_batch, trace_step
from tiny_system import tiny_config

from v2a_jax.config import build
from v2a_jax.errors import UserError
from v2a_jax.models.functional import count
from v2a_jax.models.system import System
from v2a_jax.sampling.sampler import SamplerConfig
from v2a_jax.sharding import MeshConfig, batch_sharding, make_mesh
from v2a_jax.training.checkpoint import Checkpoints
from v2a_jax.training.loop import TrainConfig, begin
from v2a_jax.training.stages import STAGES, make_stage

NAMES = ("demo", "world", "small", "large", "xl")
SIZES = {"small": 150e6, "large": 1e9, "xl": 13e9}
HERE = pathlib.Path(__file__).parent


def config(name, stage="diffusion"):
    return importlib.import_module(f"configs.{name}").get_config(stage)


@pytest.mark.parametrize("name", SIZES)
def test_the_diffusion_transformer_has_the_size_its_name_promises(name):
    system = System.from_config(config(name))
    np.testing.assert_allclose(count(system.dit.shapes), SIZES[name], rtol=0.1)


@pytest.mark.parametrize("name", NAMES)
def test_stages_agree_on_the_models_and_windows_on_the_clock(name):
    models = [config(name, stage).model.to_dict() for stage in STAGES]
    assert models[0] == models[1] == models[2]
    chosen = config(name)
    sampler = build(SamplerConfig, chosen.sampler)
    rate = System.from_config(chosen).codec_config.latent_rate
    for bucket in sampler.buckets:
        for ticks in (bucket * rate, bucket * chosen.model.video.fps):
            assert ticks == round(ticks)


@pytest.fixture(scope="module")
def traced():
    """What became of tracing steps on eight devices: parameters, or an error."""
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
        "PYTHONPATH": f"{HERE.parent}:{HERE}",
    }
    names = [f"{name}:{stage}" for name in NAMES for stage in STAGES]
    script = [sys.executable, str(HERE / "abstract_step.py"), *names]
    done = subprocess.run(script, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", NAMES)
def test_a_step_can_be_traced_on_eight_devices(traced, name, stage):
    assert isinstance(traced[f"{name}:{stage}"], int), traced[f"{name}:{stage}"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_tiny_step_can_be_traced_on_one_device(stage):
    assert trace_step(tiny_config(stage)) > 1000


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_small_takes_a_training_step(stage, tmp_path):
    chosen = config("small", stage)
    chosen.run.batch_size = 1
    chosen.data.loader.seconds = 2.0
    system = System.from_config(chosen)
    made = make_stage(stage, chosen, system)
    mesh = make_mesh(build(MeshConfig, chosen.mesh))
    rng = np.random.default_rng(0)
    with jax.set_mesh(mesh), Checkpoints(tmp_path, 1) as checkpoints:
        state, step = begin(made, training(chosen), mesh, checkpoints)
        frozen = {part: getattr(system, part).init(jax.random.key(0)) for part in made.needs}
        place = batch_sharding(mesh)

        def fill(leaf):
            values = rng.integers(0, 200, leaf.shape) if leaf.dtype != np.float32 else None
            values = rng.uniform(-0.5, 0.5, leaf.shape) if values is None else values
            return jax.device_put(values.astype(leaf.dtype), place)

        batch = jax.tree.map(fill, abstract_batch(chosen, place))
        state, metrics = step(state, frozen, batch)
    assert int(state.step) == 1
    assert all(np.isfinite(value) for value in metrics.values()), metrics
    assert float(metrics["grad_norm"]) > 0


def training(chosen):
    """The loop's part of a config."""
    sections = {name: chosen[name] for name in ("run", "checkpoint", "optimizer", "ema")}
    types = {field.name: field.type for field in TrainConfig.__dataclass_fields__.values()}
    built = {name: build(types[name], section) for name, section in sections.items()}
    return TrainConfig(seed=chosen.seed, **built)


def test_a_section_has_every_field_and_no_other():
    given = dict(data=1, fsdp=1, context=1, tensor=1)
    assert build(MeshConfig, given) == MeshConfig(**given)
    with pytest.raises(UserError, match=r"missing \['tensor'\], unknown \['tensors'\]"):
        build(MeshConfig, dict(data=1, fsdp=1, context=1, tensors=1))
    assert build(SamplerConfig, {**tiny_config().sampler, "buckets": [1.0, 2.0]}).buckets == (1, 2)
