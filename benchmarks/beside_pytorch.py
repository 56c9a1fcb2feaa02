"""Our training step and sampler beside the same model in PyTorch, in turns, on CPU or one GPU.

`python benchmarks/beside_pytorch.py --out=runs/beside_pytorch` needs PyTorch, prints tables and
writes `beside_pytorch.json`. On a GPU both compute in bfloat16.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # leave PyTorch its part of a GPU

import jax
import numpy as np
import ours
import torch
from absl import app, flags
from marking.tables import table
from pytorch import theirs
from rounds import Spread, in_turns, ratio
from shapes import Shape, batch_of, config_of

from v2a_jax.models.functional import count
from v2a_jax.models.system import System
from v2a_jax.planning.flops import flops_of

OUT = flags.DEFINE_string("out", "runs/beside_pytorch", "Folder for the result.")
CHOSEN = flags.DEFINE_multi_enum("section", ["train", "sample"], ["train", "sample"], "What.")
ROUNDS = flags.DEFINE_integer("rounds", 5, "Rounds of training steps.", lower_bound=1)
SAMPLES = flags.DEFINE_integer("samples", 3, "Rounds of samples.", lower_bound=1)
BATCH = flags.DEFINE_integer("batch", 4, "Examples of a training step.", lower_bound=1)
ROWS = flags.DEFINE_multi_integer("variations", None, "Of one clip (default 1; on a GPU 1 and 8).")
WIDTH = flags.DEFINE_integer("width", 448, "Width of the model, in heads of 64.")
JOINT = flags.DEFINE_integer("joint_blocks", 4, "Blocks in which all streams attend together.")
ALONE = flags.DEFINE_integer("audio_blocks", 8, "Blocks of the audio alone.")
REMAT = flags.DEFINE_string("remat", "none", "Of our model.")
UNROLL = flags.DEFINE_bool("unroll", True, "Of our model.")
EAGER = flags.DEFINE_bool("eager", False, "PyTorch without torch.compile.")
PEAK = flags.DEFINE_float("peak", 989e12, "Operations a second of the GPU, for the MFU.")


def shape() -> Shape:
    """The shapes asked for."""
    blocks = dict(joint_blocks=JOINT.value, audio_blocks=ALONE.value)
    return Shape(width=WIDTH.value, heads=WIDTH.value // 64, **blocks)


def train(config: Any, device: str) -> dict[str, Any]:
    """Seconds of a step."""
    batch = batch_of(shape(), BATCH.value)
    here = ours.Training(config, batch)
    weights = _on_host(here.arguments[0].params["dit"])
    there = theirs.Training(config, batch, weights, device, compiled=not EAGER.value)
    sizes = (count(weights), sum(leaf.numel() for leaf in there.model.parameters()))
    return _compared(here, there, ROUNDS.value, here.operations()) | {"parameters": sizes}


def sample(config: Any, device: str, variations: int) -> dict[str, Any]:
    """Seconds of all steps for one clip of 8 s, from noise to latents; the results' difference."""
    one = batch_of(shape(), 1)
    given = jax.tree.map(lambda x: np.repeat(x, variations, axis=0), one.given)
    noise = np.random.default_rng(1).standard_normal((variations, *one.latents.shape[1:]), "f")
    weights = _lively(System.from_config(config).dit.shapes)
    run, placed = ours.sampler(config), jax.device_put((weights, noise, given))
    there = theirs.Sampler(config, weights, device, compiled=not EAGER.value)
    placed_noise = torch.tensor(noise, device=device)
    apart = np.abs(np.asarray(run(*placed)) - there(placed_noise, given).cpu().numpy()).max()
    return _compared(
        lambda: jax.block_until_ready(run(*placed)),
        lambda: there(placed_noise, given),
        SAMPLES.value,
        flops_of(run, *placed).products,
    ) | {"apart": float(apart)}


def _compared(
    here: Callable[[], Any], there: Callable[[], Any], rounds: int, operations: float
) -> dict[str, Any]:
    for work in (here, there):
        work()  # compiles
    seconds = in_turns({"ours": here, "theirs": there}, rounds)
    return {"seconds": seconds, "operations": operations}


def _on_host(params: Any) -> Any:
    return jax.tree.map(np.array, params)


def _lively(shapes: Any) -> Any:
    """Random weights of which no gate is closed, so that both compute something."""
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda s: 0.05 * rng.standard_normal(s.shape, np.float32), shapes)


def rows(found: dict[str, dict[str, Any]], gpu: bool) -> list[tuple]:
    """Of the table."""
    made = []
    for name, result in found.items():
        mine, others = result["seconds"]["ours"], result["seconds"]["theirs"]
        median = Spread.of(mine).median
        rate = result["operations"] / median
        used = f"{rate / PEAK.value:.1%}" if gpu else "–"
        row = (name, Spread.of(mine), Spread.of(others), ratio(others, mine), rate / 1e9, used)
        made.append(row)
    return made


def main(argv: list[str]) -> None:
    """Measures, prints, writes."""
    del argv
    gpu = jax.default_backend() == "gpu" and torch.cuda.is_available()
    device, dtype = ("cuda", "bfloat16") if gpu else ("cpu", "float32")
    config = config_of(shape(), dtype=dtype, remat=REMAT.value, unroll=UNROLL.value)
    found = {}
    if "train" in CHOSEN.value:
        found["train"] = train(config, device)
    for variations in (ROWS.value or ([1, 8] if gpu else [1])) if "sample" in CHOSEN.value else ():
        found[f"sample, {variations} variation(s)"] = sample(config, device, variations)
    header = ("", "ours, s", "PyTorch, s", "PyTorch / ours", "ours, GFLOP/s", "ours, MFU")
    print(f"JAX {jax.__version__}, PyTorch {torch.__version__}, {dtype} on {device}")
    for name, result in found.items():
        facts = {fact: result[fact] for fact in ("parameters", "apart") if fact in result}
        print(f"{name}: {facts}")
    print(table(header, rows(found, gpu)))
    Path(OUT.value).mkdir(parents=True, exist_ok=True)
    Path(OUT.value, "beside_pytorch.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    app.run(main)
