"""Recommendations: they fit the devices, the model and the batch, and their flags exist."""

import functools
import importlib
import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from configs import hardware
from configs.hardware import DEVICES, KEPT, STATE_BYTES, apply, parse, recommended
from v2a_jax.config import build
from v2a_jax.errors import UserError
from v2a_jax.models.functional import count
from v2a_jax.models.layers import StackConfig
from v2a_jax.models.system import System
from v2a_jax.sharding import MeshConfig

CHIPS = ("v4:64", "v5e:256", "v5p:64", "v6e:256", "a100:64", "h100:8", "h200:16")


def config(name, stage="diffusion"):
    return importlib.import_module(f"configs.{name}").get_config(stage)


@functools.cache
def parameters(name):
    return count(System.from_config(config(name)).dit.shapes)


@pytest.mark.parametrize("stage", ["codec", "diffusion"])
@pytest.mark.parametrize("spec", CHIPS)
@pytest.mark.parametrize("name", ["small", "large", "xl"])
def test_a_recommendation_is_a_config_that_spreads_batch_and_heads(name, spec, stage):
    chosen, (kind, devices) = config(name, stage), parse(spec)
    made = recommended(kind, devices, chosen)
    apply(chosen, made)
    assert made.settings.keys() == made.reasons.keys() and all(made.reasons.values())
    mesh = build(MeshConfig, chosen.mesh)
    assert mesh.data * mesh.fsdp * mesh.context * mesh.tensor == devices
    assert chosen.run.batch_size % (mesh.data * mesh.fsdp * chosen.run.accumulate) == 0
    assert chosen.model.dit.heads % (mesh.context * mesh.tensor) == 0
    assert build(StackConfig, chosen.model.stack).remat in KEPT
    if stage == "diffusion":
        state = STATE_BYTES * parameters(name)
        memory = DEVICES[kind].memory * hardware.GIB
        assert state / (mesh.fsdp * mesh.tensor) < 0.8 * memory


def test_less_memory_means_more_to_recompute_and_to_split():
    roomy, tight = (recommended(kind, 64, config("xl")).settings for kind in ("v5p", "v6e"))
    assert tight["mesh.fsdp"] > roomy["mesh.fsdp"]
    order = list(KEPT)
    assert order.index(tight["model.stack.remat"]) >= order.index(roomy["model.stack.remat"])
    large = config("large")
    large.run.batch_size = 4096
    assert recommended("v5e", 16, large).settings["run.accumulate"] > 1


def test_a_long_clip_is_split_in_time_and_a_short_one_by_heads():
    long = config("large")
    long.run.batch_size, long.data.loader.seconds = 8, 240.0
    made = recommended("v5p", 16, long).settings
    assert (made["mesh.context"], made["mesh.tensor"]) == (2, 1)
    long.data.loader.seconds = 8.0
    made = recommended("v5p", 16, long).settings
    assert (made["mesh.context"], made["mesh.tensor"]) == (1, 2)


@pytest.mark.parametrize(
    "spec, name, said",
    [
        ("v9:8", "small", "unknown device 'v9'"),
        ("v5p", "small", "not KIND:COUNT"),
        ("v5p:x", "small", "not KIND:COUNT"),
        ("v5p:0", "small", "not a number of devices"),
        ("v5p:7", "small", "do not spread over 7 device"),
        ("cpu:1", "xl", "do not fit a device of kind cpu"),
    ],
)
def test_what_cannot_be_recommended_is_refused(spec, name, said):
    with pytest.raises(UserError, match=said):
        recommended(*parse(spec), config(name))


def test_slices_share_the_data_axis():
    made = recommended("v5p", 1024, config("xl"), slices=2)
    assert made.settings["mesh.data"] % 2 == 0
    assert "data_parallel" in made.flags["LIBTPU_INIT_ARGS"]
    with pytest.raises(UserError, match="3 slice"):
        recommended("v5p", 64, config("xl"), slices=3)


def test_flags_already_there_come_last_and_win():
    environment = {"LIBTPU_INIT_ARGS": "--mine=1"}
    hardware.export(hardware.compiler_flags("v6e"), environment)
    assert environment == {"LIBTPU_INIT_ARGS": f"{hardware.VMEM[0]} --mine=1"}
    hardware.export(hardware.compiler_flags("v5p"), environment)
    hardware.export(hardware.compiler_flags("h200"), environment)
    assert environment["XLA_FLAGS"] == " ".join(hardware.HIDING)
    assert environment["LIBTPU_INIT_ARGS"].endswith("--mine=1")


@pytest.mark.slow
def test_the_compiler_for_gpus_knows_the_flags():
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": " ".join(hardware.HIDING)}
    code = "import jax; jax.devices()"
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    environment["XLA_FLAGS"] += " --xla_gpu_no_such_flag=true"
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode


@pytest.mark.slow
def test_the_compiler_for_tpus_knows_the_flags(monkeypatch):
    pytest.importorskip("libtpu")
    monkeypatch.setenv("TPU_SKIP_MDS_QUERY", "1")
    topologies = importlib.import_module("jax.experimental.topologies")
    devices = topologies.get_topology_desc(platform="tpu", topology_name="v6e:2x2").devices
    flags = [flag.removeprefix("--").split("=") for flag in hardware.SLICES + hardware.VMEM]
    place = jax.sharding.SingleDeviceSharding(devices[0])
    x = jax.ShapeDtypeStruct((8, 128), np.float32, sharding=place)
    lowered = jax.jit(lambda x: x + 1).lower(x)
    lowered.compile(dict(flags))
    with pytest.raises(jax.errors.JaxRuntimeError, match="no_such_flag"):
        lowered.compile({"xla_tpu_no_such_flag": "true"})
