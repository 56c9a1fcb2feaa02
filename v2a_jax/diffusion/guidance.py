"""Guidance with separate scales for video, text and transcript, negative prompts, and its limits.

    v = v(0) + g_V [v(V) - v(0)] + g_T [v(V,T) - v(V,N)] + g_S [v(V,T,S) - v(V,T)]

V video, T prompt, N negative prompt (nothing when there is none), S what is said, 0 nothing at all.
The negative prompt takes the place of the empty prompt in the text term alone: what T and N share
cancels, what N adds is pushed away. With N empty and all scales 1 this is v(V,T,S). (Compositional
guidance, Liu et al. 2022; InstructPix2Pix, Brooks et al. 2023.)

Outside an interval of times the scales are 1 (Kynkäänniemi et al. 2024); `rescale` takes v back so
far to the deviation of v(V,T,S), which large scales exceed (Lin et al. 2023).
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp

from v2a_jax.sharding import repeat_rows, reshape_rows
from v2a_jax.types import Array, Conditions


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Guidance:
    """float32[] each: scales, first and last time (0..1) at which they hold, and `rescale` 0..1."""

    video: Array
    text: Array
    transcript: Array
    begin: Array
    end: Array
    rescale: Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Branches:
    """Sets of conditions of each row, one after another: `given` [K B,..], its K `names` static."""

    given: Conditions
    names: tuple[str, ...] = dataclasses.field(metadata=dict(static=True))


def branches(prompt: Conditions, negative: Conditions | None, *, spoken: bool) -> Branches:
    """The sets that differ: four, less one without a negative prompt, and one more with speech.

    A row's branches are beside each other, for they stay on the device that has the row.
    """
    off = jnp.zeros_like(prompt.use_video)
    mute = dataclasses.replace(prompt, use_transcript=off)
    sets = {
        "nothing": dataclasses.replace(mute, use_video=off, use_text=off),
        "seen": dataclasses.replace(mute, use_text=off),
        "prompted": mute,
    }
    if negative is not None:
        sets["opposed"] = dataclasses.replace(negative, use_transcript=off)
    if spoken:
        sets["spoken"] = prompt

    def beside(*parts: Array) -> Array:
        rows, *rest = parts[0].shape
        return reshape_rows(jnp.stack(parts, axis=1), (len(sets) * rows, *rest))

    return Branches(given=jax.tree.map(beside, *sets.values()), names=tuple(sets))


def guided(
    model: Callable[[Array, Array, Conditions], Array], given: Branches, guidance: Guidance
) -> Callable[[Array, Array], Array]:
    """velocity(x, t) of one batch from a model that sees all of its branches at once."""

    def velocity(x_BTL: Array, t: Array) -> Array:
        batch, *rest = x_BTL.shape
        count = len(given.names)
        repeated = repeat_rows(x_BTL, count)
        times = jnp.full_like(repeated[:, 0, 0], t)
        made = reshape_rows(model(repeated, times, given.given), (batch, count, *rest))
        by_name = dict(zip(given.names, jnp.unstack(made, axis=1), strict=True))
        return _combined(by_name, guidance, t)

    return velocity


def _combined(v: dict[str, Array], guidance: Guidance, t: Array) -> Array:
    inside = (guidance.begin <= t) & (t <= guidance.end)

    def scale(of: Array) -> Array:
        return jnp.where(inside, of, 1.0)

    total = v["nothing"] + scale(guidance.video) * (v["seen"] - v["nothing"])
    total += scale(guidance.text) * (v["prompted"] - v.get("opposed", v["seen"]))
    plain = v["prompted"]
    if "spoken" in v:
        plain = v["spoken"]
        total += scale(guidance.transcript) * (plain - v["prompted"])
    ratio = _deviation(plain) / jnp.maximum(_deviation(total), 1e-6)
    return total * (1 + guidance.rescale * (ratio - 1))


def _deviation(x_BTL: Array) -> Array:
    """Standard deviation of each row: [B,1,1]."""
    return jnp.std(x_BTL, axis=(1, 2), keepdims=True)
