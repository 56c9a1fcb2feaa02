"""Tokens a second and memory of a training step as clip, batch, width and devices grow.

`python benchmarks/scaling.py --out=runs/scaling` measures each point in a process of its own,
prints a table and writes `scaling.json` and `scaling.png`. Devices are simulated: they share this
machine's cores, so that more of them can't be faster; what they show is what splitting costs.
"""

import dataclasses
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import matplotlib.pyplot as plt
from absl import app, flags
from marking.tables import table
from ours import Training
from rounds import Spread, in_turns
from shapes import Shape, batch_of, config_of

OUT = flags.DEFINE_string("out", "runs/scaling", "Folder for the result.")
ROUNDS = flags.DEFINE_integer("rounds", 5, "Steps that are timed.", lower_bound=1)
POINT = flags.DEFINE_string("point", None, "Measure this one point, JSON, and print it.")
SMALL = Shape(heads=8, joint_blocks=1, audio_blocks=2)
USUAL = {"seconds": 8, "batch": 8, "width": 128, "devices": 1}
GROWING = {
    "seconds": (4, 8, 16),
    "batch": (4, 8, 16),
    "width": (64, 128, 256),
    "devices": (1, 2, 4),
}
MESHES = ("data", "fsdp", "context")
MIB = 2**20


def shape_of(seconds: int, width: int) -> Shape:
    """A small model for clips of this length: tokens in proportion to the time."""
    tokens = dict(latents=250 * seconds // 8, seen=64 * seconds // 8)
    return dataclasses.replace(SMALL, seconds=float(seconds), width=width, **tokens)


def measure(point: dict[str, Any]) -> dict[str, Any]:
    """Seconds of steps, tokens of one, and bytes: the program's on a device, the process's."""
    shape = shape_of(point["seconds"], point["width"])
    config = config_of(shape, dtype="float32", remat="none", unroll=False)
    with config.unlocked():
        config.mesh = {"data": 1, "fsdp": 1, "context": 1, "tensor": 1}
        config.mesh[point["mesh"]] = point["devices"]
    work = Training(config, batch_of(shape, point["batch"]))
    with jax.set_mesh(work.mesh):
        work.function = work.function.lower(*work.arguments).compile()
    used = work.function.memory_analysis()
    work()
    return {
        "seconds_of_step": in_turns({"step": work}, ROUNDS.value)["step"],
        "tokens": point["batch"] * (shape.latents + shape.seen + shape.read),
        "arguments": used.argument_size_in_bytes,
        "temporary": used.temp_size_in_bytes,
        "resident": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }


def every() -> list[dict[str, Any]]:
    """All points; what is the same point in several rows is measured once."""
    known: dict[str, dict[str, Any]] = {}
    found = []
    for row, point in points():
        # One device is not split, whatever the axis.
        key = json.dumps({**point, "mesh": "" if point["devices"] == 1 else point["mesh"]})
        if key not in known:
            known[key] = apart(point)
        found.append({"row": row, **point, **known[key]})
    return found


def apart(point: dict[str, Any]) -> dict[str, Any]:
    """`measure` in a process that has so many devices."""
    devices = f"--xla_force_host_platform_device_count={point['devices']}"
    options = f"{os.environ.get('XLA_FLAGS', '')} {devices}"
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": options}
    wanted = [sys.executable, __file__, f"--point={json.dumps(point)}", f"--rounds={ROUNDS.value}"]
    made = subprocess.run(wanted, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(made.stdout.splitlines()[-1])


def points() -> list[tuple[str, dict[str, Any]]]:
    """Each quantity grows while the others are as usual; devices split each axis of the mesh."""
    made: list[tuple[str, dict[str, Any]]] = []
    for name, values in GROWING.items():
        meshes = MESHES if name == "devices" else MESHES[:1]
        for mesh in meshes:
            row = f"devices, {mesh}" if name == "devices" else name
            made += [(row, {**USUAL, "mesh": mesh, name: value}) for value in values]
    return made


def rate(point: dict[str, Any]) -> Spread:
    """Tokens a second."""
    return Spread.of([point["tokens"] / seconds for seconds in point["seconds_of_step"]])


def rows(found: list[dict[str, Any]]) -> list[tuple]:
    """Of the table."""
    return [
        (
            point["row"],
            point[point["row"].split(",")[0]],
            rate(point),
            *(f"{point[name] / MIB:.0f}" for name in ("arguments", "temporary", "resident")),
        )
        for point in found
    ]


def draw(found: list[dict[str, Any]], path: Path) -> None:
    """Above tokens a second, below memory, for each quantity that grows."""
    figure, grid = plt.subplots(
        2, len(GROWING), figsize=(11, 4.5), sharex="col", sharey="row", layout="constrained"
    )
    for name, (above, below) in zip(GROWING, grid.T, strict=True):
        for row in dict.fromkeys(p["row"] for p in found if p["row"].split(",")[0] == name):
            line = [point for point in found if point["row"] == row]
            xs = [point[name] for point in line]
            above.plot(xs, [rate(point).median for point in line], "o-", label=row)
            held = [(point["arguments"] + point["temporary"]) / MIB for point in line]
            below.plot(xs, held, "o-", label=row)
        above.set_xscale("log", base=2)
        above.set_ylim(bottom=0)
        below.set(xlabel=name, xticks=xs, xticklabels=xs, yscale="log")
    grid[0, -1].legend(fontsize="small")
    grid[0, 0].set_ylabel("tokens/s")
    grid[1, 0].set_ylabel("MiB a device")
    figure.savefig(path, dpi=100)


def main(argv: list[str]) -> None:
    """Measures, prints, writes."""
    del argv
    if POINT.value is not None:
        print(json.dumps(measure(json.loads(POINT.value))))
        return
    found = every()
    folder = Path(OUT.value)
    folder.mkdir(parents=True, exist_ok=True)
    header = ("", "", "tokens/s", "held, MiB a device", "made, MiB a device", "process, MiB")
    print(table(header, rows(found)))
    draw(found, folder / "scaling.png")
    (folder / "scaling.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    app.run(main)
