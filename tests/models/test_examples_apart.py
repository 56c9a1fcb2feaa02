"""No model lets one example of a batch see another."""

import jax
import numpy as np
import pytest
from tiny_system import lively, tiny_batch, tiny_config

from v2a_jax.config import build
from v2a_jax.models.discriminators import DiscriminatorConfig, Discriminators
from v2a_jax.models.functional import Functional

ORDER = np.array([2, 0, 1])


def encode(system, weights, batch):
    return system.codec.apply(weights["codec"], batch.audio, method="encode")


def decode(system, weights, batch):
    z = batch.audio[:, :64].reshape(3, 8, 8)
    return system.codec.apply(weights["codec"], z, method="decode")


def see(system, weights, batch):
    return system.see(weights, batch.video)


def read(system, weights, batch):
    return system.read(weights, batch.caption)


def judge(system, weights, batch):
    config = build(DiscriminatorConfig, tiny_config().model.discriminators)
    judges = Functional(lambda rngs: Discriminators(config, rngs=rngs))
    return judges.apply(lively(judges.shapes), batch.audio)


def denoise(system, weights, batch):
    given = system.conditions(
        weights, batch.video, batch.caption, batch.transcript, batch.has_video
    )
    x = batch.audio[:, : 16 * 8].reshape(3, 16, 8)
    return system.dit.apply(weights["dit"], x, batch.audio[:, 0, 0], given)


@pytest.mark.parametrize("model", [encode, decode, see, read, judge, denoise])
def test_examples_do_not_see_each_other(system, weights, model):
    batch = tiny_batch(3, seed=3)
    run = jax.jit(lambda batch: model(system, weights, batch))
    straight = run(batch)
    mixed = run(jax.tree.map(lambda x: x[ORDER], batch))
    other = run(jax.tree.map(lambda x, y: np.concatenate([x[:1], y[1:]]), batch, tiny_batch(3, 4)))
    for a, b, c in zip(*map(jax.tree.leaves, (straight, mixed, other)), strict=True):
        close = dict(rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(np.asarray(a)[ORDER], b, **close)
        np.testing.assert_allclose(a[0], c[0], **close)
        if a.dtype != bool:
            assert np.abs(np.asarray(a[1], "f") - a[0]).max() > 1e-3
