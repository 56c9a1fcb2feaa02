"""The layers every model is made of: parameters with named axes, and plain functions of arrays.

A layer's parameters carry their logical axes; stacked blocks are run by `lax.scan`. Activations are
computed in the dtype of the weights, normalisation and softmax in float32.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn import initializers
from jax.sharding import PartitionSpec

from v2a_jax.config import require
from v2a_jax.models.attention import KERNELS, attend
from v2a_jax.sharding import RULES, gathered, in_mesh, mesh_size, output_spec, split_of
from v2a_jax.types import Array

REMAT = {
    "none": None,
    "dots": jax.checkpoint_policies.dots_with_no_batch_dims_saveable,
    "full": jax.checkpoint_policies.nothing_saveable,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class StackConfig:
    """How stacked blocks run: what the backward pass recomputes (a key of REMAT), whether the scan
    is unrolled (a quarter faster on CPU, slower to compile), and the kernel of attention (a key of
    KERNELS, or `auto` for the one that fits the devices)."""

    remat: str
    unroll: bool
    attention: str

    def __post_init__(self) -> None:
        require(self.remat in REMAT, f"stack.remat must be one of {', '.join(REMAT)}")
        kernels = ("auto", *KERNELS)
        require(self.attention in kernels, f"stack.attention must be one of {', '.join(kernels)}")


def parameter(rngs: nnx.Rngs, shape: Sequence[int], axes: Sequence, init: Callable) -> nnx.Param:
    """A float32 parameter that knows the logical name of each of its axes."""
    if len(shape) != len(axes):
        raise ValueError(f"shape {tuple(shape)} has axes {tuple(axes)}")
    return nnx.Param(init(rngs.params(), tuple(shape), jnp.float32), axes=tuple(axes))


class Linear(nnx.Module):
    """y = x W + b, contracting the trailing `len(inputs)` dims of x with W[inputs.., outputs..]."""

    def __init__(
        self,
        inputs: Sequence[int],
        outputs: Sequence[int],
        *,
        axes: Sequence[str | None],
        rngs: nnx.Rngs,
        scale: float = 1.0,
    ):
        fan_in = math.prod(inputs)
        init = initializers.normal(scale / math.sqrt(fan_in)) if scale else initializers.zeros
        self.contracted = len(inputs)
        self.kernel = parameter(rngs, (*inputs, *outputs), axes, init)
        self.bias = parameter(rngs, outputs, axes[len(inputs) :], initializers.zeros)

    def __call__(self, x: Array) -> Array:
        w, n = gathered(self.kernel[...], self.kernel.axes), self.contracted
        kept = x.ndim - n
        y = jax.lax.dot_general(
            x.astype(w.dtype),
            w,
            ((tuple(range(kept, x.ndim)), tuple(range(n))), ((), ())),
            out_sharding=output_spec(x, kept, self.kernel.axes[n:]),
        )
        return y + gathered(self.bias[...], self.bias.axes)


class RMSNorm(nnx.Module):
    """x / rms(x) * g over the last axis, in float32."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.scale = parameter(rngs, (width,), (None,), initializers.ones)

    def __call__(self, x: Array) -> Array:
        return (normalize(x) * self.scale[...]).astype(x.dtype)


def normalize(x: Array) -> Array:
    """x / rms(x) over the last axis, computed and returned in float32."""
    x = x.astype(jnp.float32)
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-6)


def modulate(x: Array, shift: Array, scale: Array) -> Array:
    """AdaLN: normalised x, scaled and shifted by the condition."""
    return (normalize(x) * (1 + scale) + shift).astype(x.dtype)


class MLP(nnx.Module):
    """Linear, GELU, Linear, through `hidden` units."""

    def __init__(self, width: int, hidden: int, *, rngs: nnx.Rngs, out: int | None = None):
        self.up = Linear((width,), (hidden,), axes=("embed", "mlp"), rngs=rngs)
        self.down = Linear((hidden,), (out or width,), axes=("mlp", "embed"), rngs=rngs)

    def __call__(self, x: Array) -> Array:
        return self.down(jax.nn.gelu(self.up(x)))


def rotate(x_BTNH: Array, seconds_T: Array, longest: float = 60.0, shortest: float = 0.08) -> Array:
    """Rotary positions from seconds: periods from `shortest` to `longest`, geometrically spaced."""
    half = x_BTNH.shape[-1] // 2
    periods = shortest * (longest / shortest) ** (jnp.arange(half) / max(1, half - 1))
    angle_TH = 2 * jnp.pi * seconds_T[:, None] / periods
    cos, sin = jnp.cos(angle_TH)[:, None], jnp.sin(angle_TH)[:, None]
    a, b = jnp.split(x_BTNH.astype(jnp.float32), 2, axis=-1)
    return jnp.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1).astype(x_BTNH.dtype)


class QKV(nnx.Module):
    """Queries, keys and values with QK-norm; rotated when the tokens have times."""

    def __init__(self, width: int, heads: int, *, rngs: nnx.Rngs):
        head = width // heads
        self.project = Linear(
            (width,), (3, heads, head), axes=("embed", None, "heads", None), rngs=rngs
        )
        self.q_norm = RMSNorm(head, rngs=rngs)
        self.k_norm = RMSNorm(head, rngs=rngs)

    def __call__(self, x_BTD: Array, seconds_T: Array | None) -> tuple[Array, Array, Array]:
        q, k, v = jnp.unstack(self.project(x_BTD), axis=2)
        q, k = self.q_norm(q), self.k_norm(k)
        if seconds_T is not None:
            q, k = rotate(q, seconds_T), rotate(k, seconds_T)
        return q, k, v


def merge_heads(width: int, heads: int, *, rngs: nnx.Rngs) -> Linear:
    """The projection from attended heads back to the stream's width."""
    axes = ("heads", None, "embed")
    return Linear((heads, width // heads), (width,), axes=axes, rngs=rngs)


class Block(nnx.Module):
    """Pre-norm transformer block: attention, then MLP."""

    def __init__(self, width: int, heads: int, *, attention: str, rngs: nnx.Rngs):
        self.attention = attention
        self.norm1, self.norm2 = RMSNorm(width, rngs=rngs), RMSNorm(width, rngs=rngs)
        self.qkv = QKV(width, heads, rngs=rngs)
        self.out = merge_heads(width, heads, rngs=rngs)
        self.mlp = MLP(width, 4 * width, rngs=rngs)

    def __call__(self, x_BTD: Array, seconds_T: Array | None, mask_BT: Array | None) -> Array:
        qkv = self.qkv(self.norm1(x_BTD), seconds_T)
        x_BTD = x_BTD + self.out(attend(*qkv, mask_BT, self.attention))
        return x_BTD + self.mlp(self.norm2(x_BTD))


class ConvNeXt(nnx.Module):
    """Depthwise convolution over `kernel` tokens, then a pointwise MLP, added to the input.

    The convolution is a sum of shifted products: on CPU much faster than a grouped convolution, and
    the same everywhere.
    """

    def __init__(self, width: int, kernel: int, *, rngs: nnx.Rngs):
        init = initializers.normal(1 / math.sqrt(kernel))
        self.taps = parameter(rngs, (kernel, width), (None, None), init)
        self.norm = RMSNorm(width, rngs=rngs)
        self.mlp = MLP(width, 3 * width, rngs=rngs)
        self.gain = parameter(rngs, (width,), (None,), initializers.constant(0.2))

    def __call__(self, x_BTD: Array) -> Array:
        return x_BTD + self.gain[...] * self.mlp(self.norm(depthwise(x_BTD, self.taps[...])))


def depthwise(x_BTD: Array, taps_KD: Array) -> Array:
    """Each channel convolved with its own odd-length taps, zeros beyond the ends.

    Devices that hold neighbouring pieces of the time exchange their edges.
    """
    halo = taps_KD.shape[0] // 2
    if mesh_size("context") == 1 or split_of(x_BTD)[1] != RULES["time"]:
        return _shifted(jnp.pad(x_BTD, ((0, 0), (halo, halo), (0, 0))), taps_KD)
    split = PartitionSpec(*split_of(x_BTD))
    return jax.shard_map(
        lambda x, taps: _shifted(_with_edges(x, halo), taps),
        in_specs=(split, PartitionSpec()),
        out_specs=split,
    )(x_BTD, taps_KD)


def _shifted(padded_BTD: Array, taps_KD: Array) -> Array:
    """The sum of shifted products, shorter than what it is given by all taps but one."""
    kernel = taps_KD.shape[0]
    length = padded_BTD.shape[1] - kernel + 1
    return sum(padded_BTD[:, k : k + length] * taps_KD[k] for k in range(kernel))


def _with_edges(x_BTD: Array, halo: int) -> Array:
    """A device's piece of the time between `halo` tokens of its neighbours', zeros at the ends."""
    axis, count = RULES["time"], mesh_size(RULES["time"])
    require(
        x_BTD.shape[1] >= halo,
        f"mesh.context={count} leaves {x_BTD.shape[1]} latent(s) of a clip to a device, fewer than "
        f"the {halo} that a convolution needs of its neighbours",
    )
    later = [(i, i + 1) for i in range(count - 1)]
    before = jax.lax.ppermute(x_BTD[:, x_BTD.shape[1] - halo :], axis, later)
    after = jax.lax.ppermute(x_BTD[:, :halo], axis, [(b, a) for a, b in later])
    return jnp.concatenate([before, x_BTD, after], axis=1)


class Stack(nnx.Module):
    """`count` blocks of one shape, parameters stacked along a leading `layers` axis, scanned."""

    def __init__(
        self,
        make: Callable[[nnx.Rngs], nnx.Module],
        count: int,
        *,
        config: StackConfig,
        rngs: nnx.Rngs,
    ):
        graph, state = nnx.split(nnx.eval_shape(lambda: make(nnx.Rngs(0))))

        def initial(key: Array) -> dict:
            return nnx.to_pure_dict(nnx.state(make(nnx.Rngs(key))))

        values = jax.vmap(initial)(jax.random.split(rngs.params(), count))
        nnx.replace_by_pure_dict(state, values)
        for _, leaf in nnx.to_flat_state(state):
            leaf.set_metadata("axes", ("layers", *leaf.axes))
        self.blocks = nnx.merge(graph, state)
        self.count, self.config = count, config

    def __call__(self, carry: Array, *args: Array) -> Array:
        graph, state = nnx.split(self.blocks)

        def step(carry: Array, layer: nnx.State) -> tuple[Array, None]:
            for _, leaf in nnx.to_flat_state(layer):
                leaf.set_metadata("axes", leaf.axes[1:])
            return nnx.merge(graph, layer)(carry, *args), None

        policy = REMAT[self.config.remat]
        if policy is not None:
            step = jax.checkpoint(step, policy=policy, prevent_cse=False)
        unroll = self.count if self.config.unroll else 1
        return jax.lax.scan(step, carry, state, unroll=unroll)[0]


def embedding_lookup(table_VD: Array, ids_BL: Array) -> Array:
    """Rows of an embedding table."""
    if not in_mesh():
        return table_VD[ids_BL]
    rows = (*jax.typeof(ids_BL).sharding.spec, None)
    return table_VD.at[ids_BL].get(out_sharding=jax.sharding.PartitionSpec(*rows))


def fourier(x_B: Array, width: int, longest: float = 1e4) -> Array:
    """Sines and cosines of x_B (scaled by 1000) at geometrically spaced frequencies: [B, width]."""
    frequencies = jnp.exp(-math.log(longest) * jnp.arange(width // 2) / (width // 2))
    angles = 1000.0 * x_B[:, None] * frequencies
    return jnp.concatenate([jnp.cos(angles), jnp.sin(angles)], axis=-1)
