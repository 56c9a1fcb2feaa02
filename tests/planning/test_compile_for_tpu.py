"""Real steps compiled for TPU slices that are not here."""

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

pytest.importorskip("libtpu")
pytestmark = pytest.mark.tpu
ROOT = pathlib.Path(__file__).parents[2]
ALONE = MeshConfig(data=-1, fsdp=1, context=1, tensor=1)


def tiny(stage, **mesh):
    config = tiny_config(stage)
    config.run.batch_size = 16
    config.mesh.update(mesh)
    return config.to_dict()


@pytest.mark.parametrize(
    ("stage", "name", "slices", "mesh"),
    [
        ("diffusion", "v5e:2x2", 2, dict(fsdp=2, tensor=2)),
        ("perception", "v5p:2x2x1", 1, dict(fsdp=4)),
        ("codec", "v6e:4x4", 1, {}),
    ],
)
def test_a_step_compiles_and_is_accounted_for(stage, name, slices, mesh):
    topology = Topology.parse(name, slices)
    plan = make_plan(tiny(stage, **mesh), topology, Task())
    told = to_json(plan)
    assert told["fits"] and told["donated"]
    assert told["hbm_bytes_per_chip"] == sum(told["hbm"].values()) < told["hbm_limit"]
    assert 0 < told["flops_per_step"] <= told["executed_flops_per_step"]
    networks = {one["network"] for one in told["collectives"]}
    assert networks == ({"ici", "dcn"} if slices > 1 else {"ici"})
    # Every chip takes part in averaging the gradients of what it holds of the parameters.
    reduced = [one for one in told["collectives"] if "reduce" in one["kind"]]
    assert sum(one["payload"] for one in reduced) >= 0.9 * told["hbm"]["parameters"]


def test_the_sampler_compiles_for_one_chip():
    plan = make_plan(tiny("diffusion", fsdp=2), Topology.parse("v5e:4x4"), Task(sampler=True))
    assert plan.compiled.fits
    assert (plan.topology.chips, plan.compiled.collectives) == (1, ())


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


@pytest.mark.parametrize("kind", CHIPS)
def test_a_chip_has_the_memory_that_the_compiler_says(kind):
    one = "x".join("1" * CHIPS[kind].dimensions)
    program, topology = simple(f"{kind}:{one}", lambda x: jnp.sort(x @ x.T) @ x, (150_000, 4096))
    compiled = compile_program(program, topology)
    assert not compiled.fits
    limit = CHIPS[kind].hbm_bytes / GIB
    assert f"exceeds available HBM ({limit:.2f}G)" in compiled.missing
    assert compiled.hbm > 150_000**2 * 4
    assert compiled.buffers[0].what == "float32[150000,150000]"
    assert compiled.buffers[0].bytes == 150_000**2 * 4


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
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
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
