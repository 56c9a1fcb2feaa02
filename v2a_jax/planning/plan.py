"""The plan of one run on one topology: does it fit, what does it exchange, how long is a step."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax

from v2a_jax.config import build
from v2a_jax.planning import flops
from v2a_jax.planning.compiled import Compiled, compile_program
from v2a_jax.planning.program import Program, sampling_program, training_program
from v2a_jax.planning.roofline import Prediction, predict
from v2a_jax.planning.topology import Topology
from v2a_jax.sharding import MeshConfig, make_mesh

ALONE = dict(data=-1, fsdp=1, context=1, tensor=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """What of a config is planned: its stage's training step, or the sampler.

    `encoded` trains on features. `videos` are sampled at once, split over the mesh as a batch is;
    None is the sampler of `v2a sample`: one video, whole on one chip.
    """

    sampler: bool = False
    encoded: bool = False
    videos: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """All that was found; `prediction` is None for what does not fit.

    `examples` are trained on, or videos sampled, in one call.
    """

    task: str
    topology: Topology
    mesh: dict[str, int]
    examples: int
    accumulate: int
    remat: str
    dtype: str
    model_flops: float
    compiled: Compiled
    prediction: Prediction | None


def make_plan(config: Mapping[str, Any], topology: Topology, task: Task) -> Plan:
    """Compiles the task of a config for a topology; UserError for what cannot be compiled."""
    if task.sampler and task.videos is None:
        config, topology = {**config, "mesh": ALONE}, topology.one_chip()
    mesh = make_mesh(build(MeshConfig, config["mesh"]), topology.devices())
    program = _program(config, mesh, task)
    compiled = compile_program(program, topology)
    # What the model asks for: nothing computed again, and no kernel's padding.
    plain = with_fields(config, "model", stack={"remat": "none", "attention": "reference"})
    whole = _program(plain, mesh, task)
    with jax.set_mesh(mesh):
        model_flops = flops.flops_of(whole.function, *whole.arguments).products
    prediction = predict(
        topology.chip,
        topology.device_count,
        model_flops=model_flops,
        executed_flops=compiled.flops.products,
        memory_bytes=compiled.memory_traffic,
        collectives=compiled.collectives,
    )
    return Plan(
        task=program.name,
        topology=topology,
        mesh=dict(mesh.shape),
        examples=program.examples,
        accumulate=1 if task.sampler else config["run"]["accumulate"],
        remat=config["model"]["stack"]["remat"],
        dtype=config["dtype"],
        model_flops=model_flops,
        compiled=compiled,
        prediction=prediction if compiled.fits else None,
    )


def _program(config: Mapping[str, Any], mesh: jax.sharding.Mesh, task: Task) -> Program:
    if task.sampler:
        return sampling_program(config, mesh, task.videos or 1)
    return training_program(config, mesh, encoded=task.encoded)


def with_fields(config: Mapping[str, Any], section: str, **changes: Any) -> dict[str, Any]:
    """A copy of a config in which some fields of a section are others, or have fields that are."""
    before = config[section]
    changed = {
        name: {**before[name], **value} if isinstance(value, Mapping) else value
        for name, value in changes.items()
    }
    return {**config, section: {**before, **changed}}


def to_json(plan: Plan) -> dict[str, Any]:
    """The plan as JSON values; bytes and seconds are of one chip and one step."""
    compiled, prediction = plan.compiled, plan.prediction
    return {
        "task": plan.task,
        "topology": plan.topology.name,
        "chips": plan.topology.chips,
        "mesh": plan.mesh,
        "examples": plan.examples,
        "accumulate": plan.accumulate,
        "remat": plan.remat,
        "dtype": plan.dtype,
        "fits": compiled.fits,
        "missing": compiled.missing,
        "hbm_bytes_per_chip": compiled.hbm,
        "hbm_limit": plan.topology.chip.hbm_bytes,
        "hbm": compiled.held,
        "donated": compiled.donated,
        "state_bytes": compiled.state,
        "aliased_bytes": compiled.aliased,
        "flops_per_step": plan.model_flops,
        "executed_flops_per_step": compiled.flops.products,
        "other_operations_per_step": compiled.flops.others,
        "memory_traffic_bytes": compiled.memory_traffic,
        "collectives": [dataclasses.asdict(one) for one in compiled.collectives],
        "predicted_step_seconds": prediction and prediction.seconds,
        "predicted_mfu": prediction and prediction.mfu,
        "bound_by": prediction and prediction.bound_by,
        "prediction": prediction and dataclasses.asdict(prediction),
        "largest_buffers": [dataclasses.asdict(one) for one in compiled.buffers],
        "compile_seconds": compiled.seconds,
    }
