import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_system import tiny_batch

from v2a_jax.models.audio_dit import linear_weights, stretch

ROWS, LENGTH = 2, 16
ALL = jnp.ones(ROWS, bool)


@pytest.fixture(scope="module")
def given(system, weights):
    """Conditions of which all are used; the captions end in padding."""
    batch = tiny_batch(ROWS, seed=1)
    caption = batch.caption.copy()
    caption[:, 3:] = 0
    caption[:, :3] = [[7, 8, 9], [4, 5, 6]]
    spoken = np.array([[9, 8, 7, 0, 0, 0, 0, 0], [5, 6, 0, 0, 0, 0, 0, 0]], np.int32)
    return jax.jit(system.conditions)(weights, batch.video, caption, spoken, ALL)


@pytest.fixture(scope="module")
def velocity(system, weights):
    """velocity(conditions) of fixed noise at fixed times."""
    x = np.random.default_rng(0).standard_normal((ROWS, LENGTH, 8)).astype("f")
    run = jax.jit(lambda given: system.dit.apply(weights["dit"], x, jnp.array([0.2, 0.7]), given))
    return lambda given, **changes: np.asarray(run(dataclasses.replace(given, **changes)))


def test_tokens_beyond_the_mask_are_not_seen(given, velocity):
    text = jnp.where(given.text_mask[..., None], given.text, 1e3)
    np.testing.assert_allclose(velocity(given, text=text), velocity(given), atol=1e-5)


def test_more_padding_changes_nothing(given, velocity):
    pad = lambda x: jnp.pad(x, ((0, 0), (0, 5)) + ((0, 0),) * (x.ndim - 2))  # noqa: E731
    longer = {name: pad(getattr(given, name)) for name in ("text", "text_mask", "transcript")}
    np.testing.assert_allclose(velocity(given, **longer), velocity(given), atol=1e-5)


@pytest.mark.parametrize(
    "use, fields",
    [
        ("use_video", ("sync", "semantic")),
        ("use_text", ("text",)),
        ("use_transcript", ("transcript",)),
    ],
)
def test_a_condition_counts_where_it_is_used_and_nowhere_else(given, velocity, use, fields):
    for field in fields:
        other = {field: getattr(given, field)[::-1]}
        first = {use: jnp.array([True, False])}
        moved = np.abs(velocity(given, **first) - velocity(given, **first, **other)).max((1, 2))
        assert moved[0] > 1e-4, field
        np.testing.assert_allclose(moved[1], 0, atol=1e-6, err_msg=field)


def test_a_dropped_caption_may_have_any_mask(given, velocity):
    off = {"use_text": ~ALL}
    shorter = given.text_mask.at[:, 1:].set(False)
    a, b = velocity(given, **off), velocity(given, **off, text_mask=shorter)
    np.testing.assert_allclose(a, b, atol=1e-6)


def test_the_sync_token_of_a_time_speaks_to_the_latents_of_that_time(given, velocity):
    moved = np.abs(velocity(given, sync=given.sync.at[:, 3].add(3.0)) - velocity(given)).max((0, 2))
    assert moved.argmax() in (2, 3)  # latents at 2.5 and 3.5 frames


def test_latents_are_told_apart_by_time(system, weights, given):
    same = jnp.ones((ROWS, LENGTH, 8))
    made = jax.jit(lambda x: system.dit.apply(weights["dit"], x, jnp.array([0.5, 0.5]), given))(
        same
    )
    assert np.abs(made[:, 1:] - made[:, :-1]).max() > 1e-3


@pytest.mark.parametrize("rate", [25.0, 12.5, 31.25])
def test_interpolation_keeps_constants_and_straight_lines(rate):
    frames, seconds = 20, np.linspace(0, 19 / rate, 57)
    weights = np.asarray(linear_weights(seconds, frames, rate))
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(weights @ (np.arange(frames) / rate), seconds, atol=1e-5)
    outside = np.asarray(linear_weights(np.array([-1.0, 99.0]), frames, rate))
    np.testing.assert_allclose(outside, np.eye(frames)[[0, -1]], atol=1e-6)


@pytest.mark.parametrize("size", [0, 1, 3, 7, 16])
def test_stretching_keeps_every_id_in_order_and_fills_the_rest(size):
    ids = np.zeros((1, 16), np.int32)
    ids[0, :size] = np.arange(size) + 2
    spread = np.asarray(stretch(ids, 16))[0]
    assert spread[spread != 0].tolist() == ids[0, :size].tolist()
    places = np.flatnonzero(spread)
    if size > 1:
        gaps = np.diff(places)
        assert gaps.max() - gaps.min() <= 1 and places[0] == 0
