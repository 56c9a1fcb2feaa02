"""How fast a run is: tokens and the model's own operations a second, and their share of the peak.

MFU = operations of a step / (seconds of a step x devices x peak)   (Chowdhery et al. 2022, "PaLM")

Operations are those of matrix products in the loss and its gradient, without what is computed again
to save memory. A step's time is that of steps and of waiting for data, by the ledger: nothing waits
for a device here. Evaluation, checkpoints and compilation are not in it.
"""

import dataclasses

import jax

from v2a_jax.planning.flops import flops_of
from v2a_jax.planning.topology import CHIPS
from v2a_jax.training.goodput import Ledger
from v2a_jax.training.stages import Stage, example_keys
from v2a_jax.types import Batch, Encoded, Params

# FLOP/s of dense bf16 matrix products by the beginning of a device's kind; GPUs by NVIDIA's data
# sheets. What is not listed, as CPUs, has no MFU.
PEAKS = {
    "TPU v5 lite": CHIPS["v5e"].flops,
    "TPU v5": CHIPS["v5p"].flops,
    "TPU v6 lite": CHIPS["v6e"].flops,
    "TPU7x": CHIPS["tpu7x"].flops,
    "NVIDIA A100": 312e12,
    "NVIDIA H100 PCIe": 756e12,
    "NVIDIA H100": 989e12,
    "NVIDIA H200": 989e12,
}


def peak_of(kind: str) -> float | None:
    """FLOP/s of a device of this kind at most; None when that is not known."""
    return next((flops for name, flops in PEAKS.items() if kind.startswith(name)), None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Work:
    """What one step takes of all devices together; `peak` is FLOP/s of all of them."""

    tokens: int
    flops: float
    peak: float | None


def work_of(
    stage: Stage, params: Params, frozen: Params, batch: Batch | Encoded, accumulate: int
) -> Work:
    """The work of a step on this batch; only its shape counts. Call it with the mesh set.

    `stage` should recompute nothing and have no kernels, whose padding would be counted.
    """
    gradient = jax.value_and_grad(stage.loss, has_aux=True)

    def microbatch(params: Params, frozen: Params, part: Batch | Encoded) -> object:
        return gradient(params, frozen, part, example_keys(0, 0, part.index))

    part = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(
            (x.shape[0] // accumulate, *x.shape[1:]), x.dtype, sharding=x.sharding
        ),
        batch,
    )
    peak = peak_of(jax.devices()[0].device_kind)
    return Work(
        tokens=stage.tokens(batch) * batch.index.shape[0],
        flops=accumulate * flops_of(microbatch, params, frozen, part).products,
        peak=peak and peak * jax.device_count(),
    )


class Speedometer:
    """Rates between one look and the next; none before it is started."""

    def __init__(self, ledger: Ledger):
        self._ledger, self._work = ledger, None
        self._step, self._seconds = 0, 0.0

    def start(self, work: Work, step: int) -> None:
        """From the end of this step on, each step is so much work."""
        self._work, self._step, self._seconds = work, step, self._ledger.working()

    def rates(self, step: int) -> dict[str, float]:
        """By name, a second, of the steps since the last look until `step`; empty without one."""
        work, steps, now = self._work, step - self._step, self._ledger.working()
        if work is None or steps < 1 or now <= self._seconds:
            return {}
        rate = steps / (now - self._seconds)
        self._step, self._seconds = step, now
        rates = {"tokens": rate * work.tokens, "flops": rate * work.flops}
        return rates | ({"mfu": rates["flops"] / work.peak} if work.peak else {})


def shown(rates: dict[str, float]) -> str:
    """The rates in a few words."""
    words = [f"{rates['tokens']:,.0f} tokens/s", f"{rates['flops'] / 1e12:.3g} TFLOP/s"]
    return ", ".join(words + ([f"MFU {rates['mfu']:.1%}"] if "mfu" in rates else []))
