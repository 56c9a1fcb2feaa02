"""Real programs compiled for TPU slices that are not here."""

import concurrent.futures
import importlib
import itertools
import os
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import NamedSharding, PartitionSpec
from tiny_system import tiny_config

from v2a_jax.planning.compiled import compile_program
from v2a_jax.planning.hlo import parse
from v2a_jax.planning.plan import Task, make_plan, to_json
from v2a_jax.planning.program import Program
from v2a_jax.planning.topology import CHIPS, GIB, Topology
from v2a_jax.sharding import MeshConfig, make_mesh

pytest.importorskip("libtpu", reason="libtpu is not installed: pip install 'v2a-jax[plan]'")
pytestmark = pytest.mark.tpu
ROOT = pathlib.Path(__file__).parents[2]
ALONE = MeshConfig(data=-1, fsdp=1, context=1, tensor=1)


def tiny(stage, **mesh):
    """With short Fourier transforms, for this compiler spends a minute on one of 640 points."""
    config = tiny_config(stage)
    config.model.codec.update(window=64, hop=16, stride=40)
    config.codec_loss.update(windows=(64,), bands=(8,))
    config.run.batch_size = 16
    config.mesh.update(mesh)
    return config.to_dict()


def small(batch, **mesh):
    config = importlib.import_module("configs.small").get_config("diffusion")
    config.run.batch_size = batch
    config.mesh.update(mesh)
    return config.to_dict()


STEPS = {
    "small on v5e": (small(128), "v5e:4x4", 1),
    "small on v5p, weights split": (small(64, fsdp=2), "v5p:2x2x1", 1),
    "small on two slices of v6e, heads split": (small(64, tensor=2), "v6e:2x2", 2),
    "perception": (tiny("perception", fsdp=4), "v5p:2x2x1", 1),
    "codec": (tiny("codec"), "v6e:4x4", 1),
}
SAMPLERS = {
    "sampler": (tiny("diffusion"), "v5e:4x4", Task(sampler=True)),
    "sampler, split": (
        tiny("diffusion", fsdp=2, tensor=2),
        "v5e:2x2",
        Task(sampler=True, videos=8),
    ),
}


@pytest.fixture(scope="module")
def plans():
    """name -> the plan of one of STEPS or SAMPLERS; each is compiled once, several at a time."""
    wanted = {
        # Encoded: the frozen parts are compiled with the sampler, and with the other stages.
        name: (config, Topology.parse(shape, slices), Task(encoded=config["stage"] == "diffusion"))
        for name, (config, shape, slices) in STEPS.items()
    } | {
        name: (config, Topology.parse(shape), task)
        for name, (config, shape, task) in SAMPLERS.items()
    }
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        running = {name: pool.submit(make_plan, *given) for name, given in wanted.items()}
        yield lambda name: running[name].result()


@pytest.mark.parametrize("name", STEPS)
def test_a_step_fits_is_donated_and_exchanges_what_it_must(plans, name):
    config, _, slices = STEPS[name]
    told = to_json(plans(name))
    assert told["fits"] and told["donated"]
    assert told["hbm_bytes_per_chip"] == sum(told["hbm"].values()) < told["hbm_limit"]
    assert 0 < told["flops_per_step"] <= told["executed_flops_per_step"]
    found = {(one["kind"], one["network"]) for one in told["collectives"]}
    assert {network for _, network in found} == ({"ici", "dcn"} if slices > 1 else {"ici"})
    assert config["mesh"]["fsdp"] == 1 or ("all-gather", "ici") in found
    # Every chip takes part in averaging the gradients of what it holds of the parameters.
    reduced = [one for one in told["collectives"] if "reduce" in one["kind"]]
    assert sum(one["payload"] for one in reduced) >= 0.9 * told["hbm"]["parameters"]


def test_the_sampler_is_whole_on_a_chip_or_split_over_the_slice(plans):
    alone, split = (to_json(plans(name)) for name in SAMPLERS)
    assert alone["fits"] and split["fits"]
    assert (alone["chips"], alone["examples"], alone["collectives"]) == (1, 1, [])
    assert (split["chips"], split["examples"]) == (4, 8)
    assert {one["kind"] for one in split["collectives"]} >= {"all-gather"}
    assert split["flops_per_step"] == pytest.approx(8 * alone["flops_per_step"], rel=1e-3)
    # Split over two of the mesh's axes, a chip has a share of the weights.
    assert split["hbm"]["parameters"] < 0.7 * alone["hbm"]["parameters"]


@pytest.mark.parametrize("name", ["v5e:4x4", "v5p:2x2x4", "v5p:8x8x8", "v6e:4x8", "tpu7x:2x2x1"])
def test_every_mesh_of_powers_of_two_can_be_laid_on_a_slice(name):
    devices = Topology.parse(name).devices()
    sizes = [2**k for k in range(5)]
    for fsdp, context, tensor in itertools.product(sizes, sizes[:3], sizes[:3]):
        if len(devices) % (fsdp * context * tensor) == 0:
            chosen = MeshConfig(data=-1, fsdp=fsdp, context=context, tensor=tensor)
            assert set(make_mesh(chosen, devices).devices.flat) == set(devices)


def simple(name, function, shape):
    """A program of one array, whole on one chip."""
    topology = Topology.parse(name)
    mesh = make_mesh(ALONE, topology.devices())
    everywhere = NamedSharding(mesh, PartitionSpec())
    x = jax.ShapeDtypeStruct(shape, jnp.float32, sharding=everywhere)
    program = Program(
        name="simple",
        examples=1,
        function=jax.jit(function),
        arguments=(x,),
        held={"x": x},
        donated=(),
        mesh=mesh,
    )
    return program, topology


ROWS = 300_000


def product_of_pairs(x):
    """The pairs are needed at once: nothing may be fused with what makes them."""
    return jax.lax.optimization_barrier(x @ x.T) @ x


@pytest.mark.parametrize("kind", CHIPS)
def test_a_chip_has_the_memory_that_the_compiler_says(kind):
    one = "x".join("1" * CHIPS[kind].dimensions)
    program, topology = simple(f"{kind}:{one}", product_of_pairs, (ROWS, 1024))
    compiled = compile_program(program, topology)
    assert not compiled.fits
    limit = CHIPS[kind].hbm_bytes / GIB
    assert f"exceeds available HBM ({limit:.2f}G)" in compiled.missing
    assert compiled.hbm > ROWS**2 * 2  # kept in 16 bits
    assert compiled.buffers[0].what == f"float32[{ROWS},{ROWS}]"
    assert compiled.buffers[0].bytes == ROWS**2 * 4


def test_what_holds_too_much_is_not_even_compiled():
    program, topology = simple("v5e:1x1", lambda x: x + 1, (1 << 20, 1 << 13))
    compiled = compile_program(program, topology)
    assert "what is held between steps alone" in compiled.missing
    assert compiled.hbm == 1 << 35


def test_a_loop_of_a_tpu_is_counted_with_its_turns():
    def loop(x):
        return jax.lax.scan(lambda x, _: (jnp.tanh(x @ x), None), x, None, length=37)[0]

    program, _ = simple("v5e:1x1", loop, (512, 512))
    with jax.set_mesh(program.mesh):
        text = program.function.lower(*program.arguments).compile().as_text()
    assert 37 in parse(text).runs().values()


def test_two_processes_plan_at_the_same_time():
    script = (
        "from v2a_jax.planning.topology import Topology;"
        "print(len(Topology.parse('v5e:2x2').devices()), flush=True); input()"
    )
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": path}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    # Each holds its libtpu until both have answered.
    answers = [process.stdout.readline().strip() for process in both]
    for process in both:
        process.communicate("\n")
    assert answers == ["4", "4"]
    assert [process.returncode for process in both] == [0, 0]
