"""Learning rates, averages and logs against what their definitions say."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_stage import tiny_config

from v2a_jax.errors import UserError
from v2a_jax.training.ema import gamma_of, init_ema, update_ema
from v2a_jax.training.metrics import MetricsWriter, drop_after, spectrogram_picture
from v2a_jax.training.optimizer import make_schedule


def rates(schedule, warmup=10, steps=110):
    config = dataclasses.replace(tiny_config().optimizer, schedule=schedule, warmup=warmup)
    make = make_schedule(config, steps)
    return np.array([float(make(t)) for t in range(steps)]) / config.learning_rate


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_schedule_rises_linearly_then_never_rises(schedule):
    rate = rates(schedule)
    np.testing.assert_allclose(rate[:10], np.arange(1, 11) / 10, rtol=1e-6)
    assert (np.diff(rate[10:]) <= 1e-7).all()
    np.testing.assert_allclose(rate[10], 1.0, rtol=1e-6)


def test_schedules_reach_their_end():
    np.testing.assert_allclose(rates("constant")[-1], 1.0, rtol=1e-6)
    np.testing.assert_allclose(rates("linear")[60], 0.55, rtol=1e-5)
    np.testing.assert_allclose(rates("cosine")[60], 0.55, rtol=1e-5)
    assert 0.1 < rates("linear")[-1] < 0.12 and 0.1 < rates("cosine")[-1] < 0.101


def test_warmup_may_be_absent_or_longer_than_the_run():
    np.testing.assert_allclose(rates("constant", warmup=0), 1.0, rtol=1e-6)
    assert rates("cosine", warmup=200, steps=20)[-1] == pytest.approx(1.0)


def test_unknown_schedule_is_refused():
    with pytest.raises(UserError, match="'cosin' is not one of: constant, cosine, linear"):
        rates("cosin")


@pytest.mark.parametrize("sigma", [0.02, 0.05, 0.1, 0.2])
def test_average_is_the_power_law_with_the_width_it_is_named_for(sigma):
    """After t steps, weights are proportional to i^gamma; their relative width is sigma."""
    steps, gamma = 400, gamma_of(sigma)
    width = (gamma + 1) ** 0.5 / ((gamma + 2) * (gamma + 3) ** 0.5)
    assert width == pytest.approx(sigma, rel=1e-6)
    values = np.random.default_rng(0).normal(size=steps).astype(np.float32)

    def advance(ema, pair):
        step, value = pair
        return update_ema(ema, {"w": value}, step, (sigma,)), None

    start = init_ema({"w": jnp.float32(7.0)}, (sigma,))
    ema, _ = jax.lax.scan(advance, start, (jnp.arange(1, steps + 1), jnp.asarray(values)))
    decay = (1 - 1 / np.arange(1, steps + 1)) ** (gamma + 1)
    weight = (1 - decay) * np.append(np.cumprod(decay[:0:-1])[::-1], 1.0)
    assert weight.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(ema[f"{sigma:g}"]["w"], weight @ values, atol=1e-4)
    times = np.arange(1, steps + 1) / steps
    spread = np.sqrt(weight @ times**2 - (weight @ times) ** 2)
    assert spread == pytest.approx(sigma, rel=0.05)


def test_log_keeps_each_step_once_after_a_torn_line(tmp_path):
    path = tmp_path / "metrics.jsonl"
    lines = [json.dumps({"step": step, "loss": 1.0}) for step in range(1, 9)]
    path.write_text("\n".join(lines) + '\n{"step": 9, "lo')
    drop_after(path, 6)
    writer = MetricsWriter(tmp_path, 6, 16000)
    writer.scalars("metrics", 7, {"loss": float("nan")})
    writer.samples(7, {"noise": np.random.default_rng(0).normal(size=(2, 4000, 1))})
    writer.close()
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6, 7] and rows[-1]["loss"] is None
    assert list((tmp_path / "tensorboard").iterdir())


def test_spectrogram_of_a_tone_is_brightest_at_its_frequency():
    wave = np.sin(2 * np.pi * 2000 * np.arange(16000) / 16000)
    picture = spectrogram_picture(wave, 16000).astype(int).sum(-1)
    brightest = picture[:, picture.shape[1] // 2].argmax()
    assert (picture.shape[0] - 1 - brightest) * 8000 / (picture.shape[0] - 1) == pytest.approx(2000)
