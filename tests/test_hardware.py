"""Recommendations: they fit the devices, the model and the batch, and their flags exist."""

import importlib
import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from configs import hardware, sizes
from configs.hardware import (
    DEVICES,
    FEW,
    FROZEN_BYTES,
    REMATS,
    STATE_BYTES,
    apply,
    parse,
    recommended,
)
from v2a_jax.config import build
from v2a_jax.errors import UserError
from v2a_jax.models.attention import SPLASH_KEYS
from v2a_jax.models.functional import count
from v2a_jax.models.layers import StackConfig
from v2a_jax.models.system import System
from v2a_jax.sharding import MeshConfig
from v2a_jax.training.stages import STAGES, make_stage

CHIPS = ("v4:64", "v5e:256", "v5p:64", "v6e:256", "2xtpu7x:64", "a100:64", "h100:8", "h200:16")


def config(name, stage="diffusion"):
    return importlib.import_module(f"configs.{name}").get_config(stage)


def arithmetic(chosen):
    """How many parameters a stage trains, and holds frozen."""
    return tuple(
        sum(sizes.parameters(chosen, part) for part in table[chosen.stage])
        for table in (sizes.TRAINED, sizes.FROZEN)
    )


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("small", "perception"),
        ("large", "codec"),
        *(
            pytest.param(name, stage, marks=pytest.mark.slow)
            for name, stage in [("large", "perception"), ("small", "codec"), ("xl", "diffusion")]
        ),
    ],
)
def test_parameters_are_counted_within_two_percent(name, stage):
    chosen = config(name, stage)
    made = make_stage(stage, chosen, System.from_config(chosen))
    trained = count(jax.eval_shape(made.init, jax.random.key(0)))
    frozen = count({part: getattr(made.system, part).shapes for part in made.needs})
    assert arithmetic(chosen) == pytest.approx((trained, frozen), rel=0.02)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("spec", CHIPS)
@pytest.mark.parametrize("name", ["small", "large", "xl"])
def test_a_recommendation_is_a_config_that_spreads_batch_and_heads(name, spec, stage):
    chosen, (kind, devices, slices) = config(name, stage), parse(spec)
    made = recommended(kind, devices, slices, chosen)
    apply(chosen, made)
    assert made.settings.keys() == made.reasons.keys() and all(made.reasons.values())
    mesh = build(MeshConfig, chosen.mesh)
    assert mesh.data * mesh.fsdp * mesh.context * mesh.tensor == devices
    assert chosen.run.batch_size % (mesh.data * mesh.fsdp * chosen.run.accumulate) == 0
    assert chosen.model.dit.heads % (mesh.context * mesh.tensor) == 0
    assert build(StackConfig, chosen.model.stack).remat in REMATS
    assert mesh.data % slices == 0
    trained, frozen = arithmetic(chosen)
    memory = DEVICES[kind].memory * hardware.GIB
    held = STATE_BYTES * trained + FROZEN_BYTES * frozen
    assert held / (mesh.fsdp * mesh.tensor) < 0.8 * memory
    # Of all models, for the frozen ones are split alike.
    for section in chosen.model.values():
        assert all(section[key] % mesh.fsdp == 0 for key in section if "width" in key)
        assert all(section[key] % mesh.tensor == 0 for key in section if "heads" in key)


def test_the_plain_attention_is_reckoned_with_where_it_is_used():
    assert FEW == SPLASH_KEYS


def test_what_is_frozen_and_what_is_compared_counts():
    trained, _ = arithmetic(config("large"))
    made = recommended("v5p", 64, 1, config("large"))
    assert float(made.reasons["mesh.fsdp"].split()[0]) > STATE_BYTES * trained / hardware.GIB
    chosen = config("large", "codec")
    alone = sizes.ends(chosen)
    chosen.codec_loss.adversarial = 0.0
    assert 0 < sizes.ends(chosen) < alone
    seen = config("large", "perception")
    once = sizes.ends(seen)
    seen.run.batch_size *= 2  # every frame is contrasted with all of the batch
    assert sizes.ends(seen) > once


def test_less_memory_means_more_to_recompute_and_to_split():
    roomy, tight = (recommended(kind, 64, 1, config("xl")).settings for kind in ("v5p", "v6e"))
    assert tight["mesh.fsdp"] > roomy["mesh.fsdp"]
    order = REMATS
    assert order.index(tight["model.stack.remat"]) >= order.index(roomy["model.stack.remat"])
    large = config("large")
    large.run.batch_size = 4096
    assert recommended("v5e", 16, 1, large).settings["run.accumulate"] > 1


def test_a_long_clip_is_split_in_time_and_a_short_one_by_heads():
    long = config("large")
    long.run.batch_size, long.data.loader.seconds = 8, 240.0
    made = recommended("v5p", 16, 1, long).settings
    assert (made["mesh.context"], made["mesh.tensor"]) == (2, 1)
    long.data.loader.seconds = 8.0
    made = recommended("v5p", 16, 1, long).settings
    assert (made["mesh.context"], made["mesh.tensor"]) == (1, 2)


@pytest.mark.parametrize(
    "spec, name, said",
    [
        ("v9:8", "small", "unknown device 'v9'"),
        ("v5p", "small", "not KIND:COUNT"),
        ("v5p:x", "small", "not KIND:COUNT"),
        ("0xv5p:8", "small", "not KIND:COUNT"),
        ("v5p:64x2", "small", "not KIND:COUNT"),
        ("v5p:0", "small", "not a number of devices"),
        ("v5p:7", "small", "do not spread over 7 device"),
        ("cpu:1", "xl", "do not fit a device of kind cpu"),
    ],
)
def test_what_cannot_be_recommended_is_refused(spec, name, said):
    with pytest.raises(UserError, match=said):
        recommended(*parse(spec), config(name))


def test_slices_share_the_data_axis():
    assert parse("2xv5p:512") == ("v5p", 1024, 2)
    made = recommended(*parse("2xv5p:512"), config("xl"))
    assert made.settings["mesh.data"] % 2 == 0
    assert "data_parallel" in made.flags["LIBTPU_INIT_ARGS"]
    with pytest.raises(UserError, match="3 slice"):
        recommended("v5p", 64, 3, config("xl"))


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


@pytest.mark.tpu
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
