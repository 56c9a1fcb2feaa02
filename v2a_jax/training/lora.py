"""Low-rank tuning (Hu et al. 2021, "LoRA"): the weights of a stage stay, small factors are trained.

W' = W + (alpha / rank) A B,   A [inputs.., rank] random at first,   B [rank, outputs..] zero

A stacked layer's kernel has a pair of factors for each layer.
"""

import dataclasses
import fnmatch
import math
from collections.abc import Iterable, Mapping, Sequence

import jax
import jax.numpy as jnp

from v2a_jax.config import require
from v2a_jax.errors import UserError
from v2a_jax.models.functional import flatten
from v2a_jax.sharding import in_mesh
from v2a_jax.training.stages import Stage
from v2a_jax.types import Array, Batch, Encoded, Params

BASE = "base"  # where the frozen tree has the weights that are tuned
KERNEL, LAYERS = "kernel", "layers"


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoraConfig:
    """`rank` of the factors, or 0 to train the weights themselves; `alpha / rank` is their weight.

    `leaves` are patterns (fnmatch) of the kernels that get factors, such as `dit/alone/*/kernel`.
    """

    rank: int
    alpha: float
    leaves: tuple[str, ...]

    def __post_init__(self) -> None:
        require(self.rank >= 0, f"lora.rank={self.rank} must be at least 0")
        require(self.alpha > 0, f"lora.alpha={self.alpha} must be more than 0")

    @property
    def scale(self) -> float:
        """What the product of two factors is multiplied by."""
        return self.alpha / self.rank


@dataclasses.dataclass(frozen=True)
class Factors:
    """Shapes and logical axes of a kernel's two factors."""

    shapes: dict[str, tuple[int, ...]]
    axes: dict[str, tuple[str | None, ...]]
    fan_in: int

    @classmethod
    def of(cls, shape: tuple[int, ...], axes: tuple, outputs: int, rank: int) -> "Factors":
        """Those of a kernel [layers?, inputs.., outputs..]."""
        lead, cut = int(axes[0] == LAYERS), len(shape) - outputs
        return cls(
            shapes={"a": (*shape[:cut], rank), "b": (*shape[:lead], rank, *shape[cut:])},
            axes={"a": (*axes[:cut], None), "b": (*axes[:lead], None, *axes[cut:])},
            fan_in=math.prod(shape[lead:cut]),
        )


class LoraStage:
    """A stage whose parameters are factors of another's, which is frozen["base"].

    The parameters are {name of a kernel: {"a", "b"}}.
    """

    def __init__(self, stage: Stage, config: LoraConfig):
        """UserError names a pattern of `config.leaves` that no kernel of the stage matches."""
        self.stage, self.config = stage, config
        self.name, self.needs = stage.name, stage.needs
        self.reads_text, self.marks = stage.reads_text, stage.marks
        shapes = flatten(jax.eval_shape(stage.init, jax.random.key(0)))
        axes = jax.tree.leaves(stage.axes(), is_leaf=lambda x: isinstance(x, tuple))
        axes = dict(zip(shapes, axes, strict=True))
        self._factors = {
            name: Factors.of(shapes[name].shape, axes[name], _outputs(name, axes), config.rank)
            for name in _chosen(shapes, config.leaves)
        }

    def init(self, key: Array) -> Params:
        """The first factors random, the second ones zero: at first, the base as it is."""
        made = {}
        for i, (name, factors) in enumerate(self._factors.items()):
            a = jax.random.normal(jax.random.fold_in(key, i), factors.shapes["a"])
            b = jnp.zeros(factors.shapes["b"])
            made[name] = {"a": a / math.sqrt(factors.fan_in), "b": b}
        return made

    def axes(self) -> Params:
        """Those of the kernels; the rank is whole everywhere."""
        return {name: factors.axes for name, factors in self._factors.items()}

    def groups(self, params: Params) -> Params:
        """All in `model`."""
        return jax.tree.map(lambda _: "model", params)

    def decay_mask(self, params: Params) -> Params:
        """All decay, towards the base."""
        return jax.tree.map(lambda _: True, params)

    def loss(
        self, params: Params, frozen: Params, batch: Batch | Encoded, keys: Array
    ) -> tuple[Array, dict[str, Array]]:
        """The stage's, with the tuned weights."""
        return self.stage.loss(*self._tuned(params, frozen), batch, keys)

    def examples(self, batch: Batch | Encoded) -> Array:
        """The stage's."""
        return self.stage.examples(batch)

    def tokens(self, batch: Batch | Encoded) -> int:
        """The stage's."""
        return self.stage.tokens(batch)

    def evaluate(
        self, params: Params, frozen: Params, batch: Batch | Encoded, keys: Array
    ) -> dict[str, Array]:
        """The stage's, with the tuned weights."""
        return self.stage.evaluate(*self._tuned(params, frozen), batch, keys)

    def samples(
        self, params: Params, frozen: Params, batch: Batch, keys: Array
    ) -> dict[str, Array]:
        """The stage's, with the tuned weights."""
        return self.stage.samples(*self._tuned(params, frozen), batch, keys)

    def _tuned(self, params: Params, frozen: Params) -> tuple[Params, Params]:
        others = {name: part for name, part in frozen.items() if name != BASE}
        return tuned(frozen[BASE], params, self.config.scale), others


def tuned(base: Params, factors: Params, scale: float) -> Params:
    """The weights of `base`, each kernel that has factors with their product added."""
    weights, pairs = flatten(base), flatten(factors)
    for name in dict.fromkeys(path.rpartition("/")[0] for path in pairs):
        product = _product(weights[name], pairs[f"{name}/a"], pairs[f"{name}/b"])
        weights[name] = weights[name] + scale * product
    return jax.tree.unflatten(jax.tree.structure(base), list(weights.values()))


def _product(kernel: Array, a: Array, b: Array) -> Array:
    """A B as the kernel lies: [layers?, inputs.., outputs..]."""
    lead = tuple(range(a.ndim + b.ndim - kernel.ndim - 2))
    dimensions = (((a.ndim - 1,), (len(lead),)), (lead, lead))
    split = jax.typeof(kernel).sharding.spec if in_mesh() else None
    return jax.lax.dot_general(a, b, dimensions, out_sharding=split)


def _chosen(names: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """Kernels that match one of the patterns; UserError for a pattern without any."""
    kernels = [name for name in names if name.rpartition("/")[2] == KERNEL]
    for pattern in patterns:
        if not fnmatch.filter(kernels, pattern):
            raise UserError(f"lora.leaves: no kernel of this stage matches '{pattern}'")
    chosen = {name for pattern in patterns for name in fnmatch.filter(kernels, pattern)}
    require(bool(chosen), "lora.leaves must name the kernels to tune")
    return [name for name in kernels if name in chosen]


def _outputs(name: str, axes: Mapping[str, tuple]) -> int:
    """How many of a kernel's dimensions are outputs: those that the bias beside it has."""
    bias = axes.get(f"{name.removesuffix(KERNEL)}bias", (None,))
    return len(bias) - int(bias[0] == LAYERS)
