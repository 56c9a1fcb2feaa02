"""Guidance with separate scales for video and text, and negative prompts.

    v = v(0, 0) + g_video [v(V, 0) - v(0, 0)] + g_text [v(V, T) - v(V, N)]

V video, T prompt, N negative prompt (nothing when empty), 0 absent; the transcript goes with the
video-conditioned branches. The negative prompt takes the place of the empty prompt in the text term
alone: what T and N share cancels, what N adds is pushed away. With N = 0 and both scales 1 this is
v(V, T). (Compositional guidance, Liu et al. 2022; InstructPix2Pix, Brooks et al. 2023.)
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from v2a_jax.sharding import repeat_rows, reshape_rows
from v2a_jax.types import Array, Conditions

BRANCHES = 4


def branches(prompt: Conditions, negative: Conditions) -> Conditions:
    """The four sets of conditions of each row, one after another: [B,..] to [4 B,..].

    A row's branches are beside each other, for they stay on the device that has the row.
    """
    off = jnp.zeros_like(prompt.use_video)
    nothing = _with(prompt, use_video=off, use_text=off, use_transcript=off)
    unprompted = _with(prompt, use_text=off)
    sets = (nothing, unprompted, prompt, negative)

    def beside(*parts: Array) -> Array:
        rows, *rest = parts[0].shape
        return reshape_rows(jnp.stack(parts, axis=1), (BRANCHES * rows, *rest))

    return jax.tree.map(beside, *sets)


def _with(given: Conditions, **changes: Array) -> Conditions:
    fields = {name: getattr(given, name) for name in given.__dataclass_fields__}
    return Conditions(**{**fields, **changes})


def guided(
    model: Callable[[Array, Array, Conditions], Array],
    given: Conditions,
    video_scale: Array,
    text_scale: Array,
) -> Callable[[Array, Array], Array]:
    """velocity(x, t) of one batch from a model that sees its four `branches` at once."""

    def velocity(x_BTL: Array, t: Array) -> Array:
        batch, *rest = x_BTL.shape
        repeated = repeat_rows(x_BTL, BRANCHES)
        times = jnp.full_like(repeated[:, 0, 0], t)
        made = reshape_rows(model(repeated, times, given), (batch, BRANCHES, *rest))
        v_0, v_V, v_VT, v_VN = jnp.unstack(made, axis=1)
        return v_0 + video_scale * (v_V - v_0) + text_scale * (v_VT - v_VN)

    return velocity
