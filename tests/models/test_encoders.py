"""VideoTokenizer and TextEncoder: how many tokens, and what each of them may know."""

import jax
import numpy as np
import pytest
from tiny_system import tiny_batch

STEP = 8  # frames of a semantic token


@pytest.fixture(scope="module")
def see(system, weights):
    return jax.jit(lambda video: system.see(weights, video))


@pytest.mark.parametrize("frames", [1, 2, STEP, STEP + 1, 3 * STEP - 1])
def test_a_sync_token_a_frame_and_a_semantic_token_for_each_step(system, weights, frames):
    video = jax.ShapeDtypeStruct((2, frames, 32, 32, 3), np.uint8)
    sync, semantic = jax.eval_shape(lambda video: system.see(weights, video), video)
    assert sync.shape == (2, frames, system.video_config.width)
    assert semantic.shape == (2, -(-frames // STEP), system.video_config.width)


def test_semantic_tokens_know_their_own_frames_alone(see):
    video = tiny_batch(1).video[:, : STEP + 1]
    changed = video.copy()
    changed[:, -1] = 255 - changed[:, -1]
    (sync, semantic), (other_sync, other_semantic) = see(video), see(changed)
    np.testing.assert_allclose(semantic[:, 0], other_semantic[:, 0], atol=1e-5)
    assert np.abs(semantic[:, 1] - other_semantic[:, 1]).max() > 1e-2
    assert np.abs(sync[:, -1] - other_sync[:, -1]).max() > 1e-2


def test_a_still_picture_differs_from_one_that_moves(see):
    video = tiny_batch(1).video[:, : STEP + 1]
    still = np.repeat(video[:, -1:], STEP + 1, axis=1)
    assert np.abs(see(video)[0][:, -1] - see(still)[0][:, -1]).max() > 1e-2


def test_padding_is_not_read(system, weights):
    ids = np.array([[5, 9, 7, 0, 0, 0], [3, 0, 0, 0, 0, 0]], np.int32)
    read = jax.jit(lambda ids: system.read(weights, ids))
    summary = jax.jit(lambda ids: system.text.apply(weights["text"], ids, method="summary"))
    long, mask = read(ids)
    short, _ = read(ids[:, :3])
    np.testing.assert_array_equal(mask[:, :3], [[True] * 3, [True, False, False]])
    np.testing.assert_allclose(long[:, :3][mask[:, :3]], short[mask[:, :3]], atol=1e-5)
    np.testing.assert_allclose(summary(ids), summary(ids[:, :3]), atol=1e-5)
    assert np.abs(summary(ids) - summary(ids[:, ::-1])).max() > 1e-2


def test_words_are_read_in_order(system, weights):
    ids = np.array([[5, 9, 7, 2], [7, 9, 5, 2]], np.int32)
    one, other = jax.jit(lambda ids: system.text.apply(weights["text"], ids, method="summary"))(ids)
    assert np.abs(one - other).max() > 1e-2
