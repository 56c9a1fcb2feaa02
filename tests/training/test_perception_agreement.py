"""Agreement is what the perception stage was trained for: its contrasts, seen from one clip."""

import dataclasses

import jax
import numpy as np
import pytest
from tiny_system import tiny_batch, tiny_config, tiny_stage

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def judged():
    """Terms of two clips of which the first alone has a picture, and what judges their sounds."""
    config = tiny_config("perception")
    config.perception_loss.every = 1
    stage, params, frozen = tiny_stage("perception", config)
    seen = dict(has_video=np.array([True, False]), degraded=None)
    batch, system = dataclasses.replace(tiny_batch(2), **seen), stage.system
    keys = jax.random.split(jax.random.key(0), 2)
    terms = jax.jit(stage.loss)(params, frozen, batch, keys)[1]
    latents = system.hear(frozen["codec"], batch.audio, "float32")
    sync, _ = system.see(params, batch.video)
    shown = np.full(2, batch.video.shape[1], np.int32)

    def agreement(heard, captions):
        return jax.jit(system.agreement)(params, latents[heard], sync, shown, captions)

    return terms, agreement, batch.caption


def test_agreement_in_time_is_the_contrast_within_a_clip(judged):
    terms, agreement, captions = judged
    in_time = agreement(np.array([0, 1]), np.zeros_like(captions))
    np.testing.assert_allclose(in_time[0], -terms["contrast"], rtol=1e-4)
    assert np.abs(agreement(np.array([1, 0]), np.zeros_like(captions)) - in_time).min() > 1e-3


def test_agreement_with_a_prompt_is_the_logit_of_captions_and_clips(judged):
    terms, agreement, captions = judged
    own, other = np.array([0, 1]), np.array([1, 0])
    straight, crossed = (
        agreement(heard, captions) - agreement(heard, np.zeros_like(captions))
        for heard in (own, other)
    )
    logits = np.array([[straight[0], crossed[0]], [crossed[1], straight[1]]])
    by_row, by_column = (jax.nn.log_softmax(logits, axis=axis) for axis in (0, 1))
    words = -(np.trace(by_row) + np.trace(by_column)) / 4
    np.testing.assert_allclose(words, terms["words"], rtol=1e-3)
