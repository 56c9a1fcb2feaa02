"""`v2a plan --config=FILE:STAGE --topology=v5p:4x4x4`: the run's program for a TPU slice not here.

Compiles the very training step that `v2a train` would run, or with --sampler the sampler, and says
what it takes of each chip's memory, what the chips exchange, and a prediction of its time.
"""

import functools
import json
import pathlib

import jax
from absl import flags
from ml_collections import config_flags

from v2a_jax.bin.main import launch, no_more
from v2a_jax.errors import UserError
from v2a_jax.planning import report
from v2a_jax.planning.page import page
from v2a_jax.planning.plan import Plan, Task, make_plan, to_json
from v2a_jax.planning.search import Candidate, Planner, remedies, search
from v2a_jax.planning.topology import Topology

CONFIG = config_flags.DEFINE_config_file("config", None, "FILE:STAGE, e.g. configs/large.py.")
TOPOLOGY = flags.DEFINE_string("topology", None, "Slice: v5e:4x4, v5p:8x8x8, v6e:16x16, ..")
SLICES = flags.DEFINE_integer("slices", 1, "Such slices, joined by the data centre's network.")
SAMPLER = flags.DEFINE_bool("sampler", False, "Plan the sampler, not the training step.")
VIDEOS = flags.DEFINE_integer(
    "videos", None, "Videos sampled at once over the slice; by default one, whole on one chip."
)
ENCODED = flags.DEFINE_bool("encoded", False, "Train on features that `v2a encode` has made.")
SEARCH = flags.DEFINE_bool("search", False, "Try batches, remat policies and meshes; a table.")
JSON = flags.DEFINE_string("json", None, "File for the plan as JSON.")
HTML = flags.DEFINE_string("html", None, "File for the plan as a page.")


def run(argv: list[str]) -> int:
    """Prints the plan, and writes what is asked for; 1 when the run does not fit."""
    no_more(argv)
    if CONFIG.value is None or TOPOLOGY.value is None:
        raise UserError("plan needs --config=FILE:STAGE and --topology=KIND:SHAPE")
    if SAMPLER.value and (SEARCH.value or ENCODED.value):
        raise UserError("--search and --encoded are for training steps, not for --sampler")
    if VIDEOS.value is not None and (VIDEOS.value < 1 or not SAMPLER.value):
        raise UserError("--videos counts those that --sampler takes at once: at least 1")
    jax.config.update("jax_platforms", "cpu")  # whatever this machine has is not what is planned
    topology = Topology.parse(TOPOLOGY.value, SLICES.value)
    config = CONFIG.value.to_dict()
    task = Task(sampler=SAMPLER.value, encoded=ENCODED.value, videos=VIDEOS.value)

    @functools.cache
    def plan(candidate: Candidate) -> Plan:
        return make_plan(candidate.applied(config), topology, task)

    first = Candidate.of(config)
    made = make_plan(config, topology, task)
    print("\n".join(report.text(made)), flush=True)
    found = _search(first, topology, plan) if SEARCH.value else []
    settled = made.compiled.fits or SAMPLER.value or SEARCH.value
    fitting = [] if settled else _remedies(first, topology, plan)
    told = to_json(made) | {
        "search": [to_json(one) for _, one in found],
        "would_fit": [report.flags_of(one) for one in fitting],
    }
    _write(JSON.value, json.dumps(told, indent=1) + "\n")
    _write(HTML.value, page(told))
    return 0 if made.compiled.fits else 1


def _search(first: Candidate, topology: Topology, plan: Planner) -> list[tuple[Candidate, Plan]]:
    found = search(first, topology.device_count, plan, functools.partial(print, flush=True))
    print("\n".join(report.table(found)))
    if found and found[0][1].compiled.fits:
        print(f"fastest for each example: {report.flags_of(found[0][0])}")
    return found


def _remedies(first: Candidate, topology: Topology, plan: Planner) -> list[Candidate]:
    print("what would fit:", flush=True)
    fitting = remedies(first, topology.device_count, plan, functools.partial(print, flush=True))
    for candidate in fitting:
        print(f"  {report.flags_of(candidate)}")
    if not fitting:
        print("  nothing that was tried: take more chips")
    return fitting


def _write(path: str | None, text: str) -> None:
    if path is not None:
        pathlib.Path(path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    launch(run)
