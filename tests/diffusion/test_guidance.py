import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from v2a_jax.diffusion.guidance import branches, guided
from v2a_jax.types import Conditions

ROWS, LENGTH, WIDTH = 3, 5, 4


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("f")


def conditions(seed, text=True):
    shape = (ROWS, LENGTH, WIDTH)
    yes = jnp.ones(ROWS, bool)
    return Conditions(
        sync=noise(*shape, seed=1),
        semantic=noise(*shape, seed=2),
        text=noise(*shape, seed=seed),
        text_mask=jnp.ones((ROWS, LENGTH), bool),
        transcript=jnp.ones((ROWS, 7), jnp.int32),
        use_video=yes,
        use_text=yes & text,
        use_transcript=yes,
    )


def model(x, t, given):
    """Anything that mixes its conditions, and not by adding them."""
    seen = jnp.where(given.use_video[:, None, None], given.sync + given.semantic, 0.3)
    read = jnp.where(given.use_text[:, None, None], given.text, -0.2)
    spoken = jnp.where(given.use_transcript, 0.5, 0.0)[:, None, None]
    return jnp.tanh(x + t[:, None, None]) * seen + jnp.sin(read * seen) + spoken * seen


X, T = noise(ROWS, LENGTH, WIDTH, seed=9), jnp.float32(0.3)
PROMPT, OTHER, NONE = conditions(3), conditions(4), conditions(5, text=False)


def velocity(prompt, negative, video, text):
    return guided(model, branches(prompt, negative), video, text)(X, T)


def plain(given):
    return model(X, jnp.full(ROWS, T), given)


def test_without_a_negative_prompt_scales_of_one_are_the_model_itself():
    np.testing.assert_allclose(velocity(PROMPT, NONE, 1.0, 1.0), plain(PROMPT), atol=1e-5)


def test_scales_of_zero_are_the_model_without_conditions():
    off = jnp.zeros(ROWS, bool)
    blind = dataclasses.replace(PROMPT, use_video=off, use_text=off, use_transcript=off)
    np.testing.assert_allclose(velocity(PROMPT, OTHER, 0.0, 0.0), plain(blind), atol=1e-5)


@pytest.mark.parametrize("scale", [0.5, 4.5])
def test_a_negative_prompt_equal_to_the_prompt_cancels_the_text(scale):
    unprompted = dataclasses.replace(PROMPT, use_text=jnp.zeros(ROWS, bool))
    np.testing.assert_allclose(velocity(PROMPT, PROMPT, 1.0, scale), plain(unprompted), atol=1e-5)


def test_swapping_prompt_and_negative_turns_the_text_around():
    middle = velocity(PROMPT, OTHER, 2.0, 0.0)
    there, back = velocity(PROMPT, OTHER, 2.0, 3.0), velocity(OTHER, PROMPT, 2.0, 3.0)
    assert np.abs(there - middle).max() > 0.1
    np.testing.assert_allclose(there + back - middle, velocity(PROMPT, PROMPT, 2.0, 3.0), atol=1e-4)


def test_guidance_is_linear_in_its_scales():
    corners = {(a, b): velocity(PROMPT, OTHER, a, b) for a in (0.0, 1.0) for b in (0.0, 1.0)}
    origin = corners[0.0, 0.0]
    by_video, by_text = corners[1.0, 0.0] - origin, corners[0.0, 1.0] - origin
    np.testing.assert_allclose(corners[1.0, 1.0], origin + by_video + by_text, atol=1e-5)
    made = velocity(PROMPT, OTHER, 2.5, 4.0)
    np.testing.assert_allclose(made, origin + 2.5 * by_video + 4 * by_text, atol=1e-4)
