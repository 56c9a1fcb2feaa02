"""What guidance makes of a model's branches: known sums, and what its settings change."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from v2a_jax.diffusion.guidance import Guidance, branches, guided
from v2a_jax.types import Conditions

ROWS, LENGTH, WIDTH = 3, 5, 4


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("f")


def conditions(seed):
    shape = (ROWS, LENGTH, WIDTH)
    yes = jnp.ones(ROWS, bool)
    return Conditions(
        sync=noise(*shape, seed=1),
        semantic=noise(*shape, seed=2),
        text=noise(*shape, seed=seed),
        text_mask=jnp.ones((ROWS, LENGTH), bool),
        transcript=jnp.ones((ROWS, 7), jnp.int32),
        use_video=yes,
        use_text=yes,
        use_transcript=yes,
    )


def model(x, t, given):
    """Anything that mixes its conditions, and not by adding them."""
    seen = jnp.where(given.use_video[:, None, None], given.sync + given.semantic, 0.3)
    read = jnp.where(given.use_text[:, None, None], given.text, -0.2)
    spoken = jnp.where(given.use_transcript, 0.5, 0.0)[:, None, None]
    return jnp.tanh(x + t[:, None, None]) * seen + jnp.sin(read * seen) + spoken * seen


X, T = noise(ROWS, LENGTH, WIDTH, seed=9), jnp.float32(0.3)
PROMPT, OTHER = conditions(3), conditions(4)


def velocity(prompt, negative, video, text, transcript=1.0, *, spoken=True, **settings):
    usual = {"begin": 0.0, "end": 1.0, "rescale": 0.0}
    scales = dict(video=video, text=text, transcript=transcript)
    guidance = Guidance(**{k: jnp.float32(v) for k, v in (scales | usual | settings).items()})
    return guided(model, branches(prompt, negative, spoken=spoken), guidance)(X, T)


def plain(given, **uses):
    uses = {f"use_{name}": jnp.full(ROWS, used) for name, used in uses.items()}
    return model(X, jnp.full(ROWS, T), dataclasses.replace(given, **uses))


def test_without_a_negative_prompt_scales_of_one_are_the_model_itself():
    np.testing.assert_allclose(velocity(PROMPT, None, 1, 1), plain(PROMPT), atol=1e-5)
    mute = velocity(PROMPT, None, 1, 1, spoken=False)
    np.testing.assert_allclose(mute, plain(PROMPT, transcript=False), atol=1e-5)


def test_scales_of_zero_are_the_model_without_conditions():
    blind = plain(PROMPT, video=False, text=False, transcript=False)
    np.testing.assert_allclose(velocity(PROMPT, OTHER, 0, 0, 0), blind, atol=1e-5)


@pytest.mark.parametrize("scale", [0.5, 4.5])
def test_a_negative_prompt_equal_to_the_prompt_cancels_the_text(scale):
    unprompted = plain(PROMPT, text=False, transcript=False)
    made = velocity(PROMPT, PROMPT, 1, scale, spoken=False)
    np.testing.assert_allclose(made, unprompted, atol=1e-5)


def test_a_negative_prompt_that_is_nothing_is_none():
    nothing = dataclasses.replace(OTHER, use_text=jnp.zeros(ROWS, bool))
    made = velocity(PROMPT, nothing, 2, 3, 4)
    np.testing.assert_allclose(made, velocity(PROMPT, None, 2, 3, 4), atol=1e-5)


def test_swapping_prompt_and_negative_turns_the_text_around():
    middle = velocity(PROMPT, OTHER, 2, 0, 0)
    there, back = velocity(PROMPT, OTHER, 2, 3, 0), velocity(OTHER, PROMPT, 2, 3, 0)
    assert np.abs(there - middle).max() > 0.1
    both = velocity(PROMPT, PROMPT, 2, 3, 0)
    np.testing.assert_allclose(there + back - middle, both, atol=1e-4)


def test_guidance_is_linear_in_its_scales():
    def made(*scales):
        return velocity(PROMPT, OTHER, *scales)

    origin = made(0, 0, 0)
    by = [made(*np.eye(3)[k]) - origin for k in range(3)]
    whole = origin + 2.5 * by[0] + 4 * by[1] + 1.5 * by[2]
    np.testing.assert_allclose(made(2.5, 4, 1.5), whole, atol=1e-4)
    assert all(np.abs(each).max() > 0.05 for each in by)


@pytest.mark.parametrize("interval", [(0.0, 0.29), (0.31, 1.0)])
def test_outside_the_interval_the_scales_are_one(interval):
    begin, end = interval
    outside = velocity(PROMPT, OTHER, 3, 4, 2, begin=begin, end=end)
    np.testing.assert_allclose(outside, velocity(PROMPT, OTHER, 1, 1, 1), atol=1e-5)
    inside = velocity(PROMPT, OTHER, 3, 4, 2, begin=0.29, end=0.31)
    np.testing.assert_allclose(inside, velocity(PROMPT, OTHER, 3, 4, 2), atol=1e-5)


def test_rescaling_gives_each_row_the_deviation_of_the_unguided_velocity():
    def deviations(x):
        return np.std(np.asarray(x), axis=(1, 2))

    guided_, unguided = velocity(PROMPT, None, 4, 5, 3), plain(PROMPT)
    assert (deviations(guided_) > 1.3 * deviations(unguided)).all()
    whole, half = (velocity(PROMPT, None, 4, 5, 3, rescale=share) for share in (1.0, 0.5))
    np.testing.assert_allclose(deviations(whole), deviations(unguided), rtol=1e-4)
    np.testing.assert_allclose(half, (guided_ + whole) / 2, atol=1e-4)
