import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from v2a_jax.watermark import grid
from v2a_jax.watermark.embed import embed
from v2a_jax.watermark.payload import to_bits


def _snr_db(wave, marked):
    return 10 * np.log10((wave**2).sum() / ((marked - wave) ** 2).sum())


def test_window_lengths_and_rows():
    assert [grid.window_length(rate) for rate in (48000, 44100, 24000, 16000)] == [
        1024,
        960,
        512,
        336,
    ]
    for rate in (8000, 16000, 48000):
        covered_F = grid.overlap(rate).sum(0)
        inside = (grid.bin_hz(rate) > 300) & (grid.bin_hz(rate) < 0.4 * rate)
        np.testing.assert_allclose(covered_F[inside & (grid.bin_hz(rate) < 8000)], 1, atol=1e-5)


def test_the_mark_is_there_and_faint(impacts, mark):
    wave = impacts(0, 2)
    marked = mark(wave)
    assert marked.shape == wave.shape and marked.dtype == wave.dtype
    assert 20 < _snr_db(wave, marked) < 32


def test_jit_equals_eager(impacts, mark, key, depth):
    wave = impacts(1, 1)[:4000]
    options = {"sample_rate": 16000, "depth": depth, "offset": 77}
    eager = embed(jnp.asarray(wave), key.pattern(), to_bits(0x1234), **options)
    np.testing.assert_allclose(mark(wave), eager, atol=1e-5)


def test_a_batch_gets_what_each_alone_gets(impacts, mark, key, depth):
    waves = np.stack([impacts(seed, 1) for seed in range(3)])
    payloads, offsets = [1, 2, 65535], np.array([0, 500, 1023])
    bits = np.stack([to_bits(number) for number in payloads])
    together = jax.jit(functools.partial(embed, sample_rate=16000, depth=depth))(
        waves, key.pattern(), bits, offset=offsets
    )
    for one in range(3):
        alone = mark(waves[one], payloads[one], offsets[one])
        np.testing.assert_allclose(together[one], alone, atol=1e-5)


def test_runs_sharded_over_an_explicit_mesh(impacts, mark, key, depth):
    mesh = jax.make_mesh((1, 1), ("data", "fsdp"), axis_types=(AxisType.Explicit,) * 2)
    sharding = NamedSharding(mesh, PartitionSpec("data"))
    waves = jax.device_put(np.stack([impacts(4, 1), impacts(5, 1)]), sharding)
    offsets = jax.device_put(np.array([3, 900]), sharding)
    bits = jax.device_put(np.stack([to_bits(9), to_bits(10)]), sharding)
    with jax.set_mesh(mesh):
        marked = jax.jit(functools.partial(embed, sample_rate=16000, depth=depth))(
            waves, key.pattern(), bits, offset=offsets
        )
    assert jax.typeof(marked).sharding.spec[0] == "data"
    np.testing.assert_allclose(marked[1], mark(impacts(5, 1), 10, 900), atol=1e-5)


def test_the_key_is_an_argument_and_no_constant(key, depth):
    pattern = key.pattern()
    marking = functools.partial(embed, sample_rate=16000, depth=depth)
    closed = jax.make_jaxpr(marking)(np.zeros((16000, 1), np.float32), pattern, to_bits(1))
    shapes = [np.shape(constant) for constant in closed.consts]
    assert all(grid.PERIOD not in shape for shape in shapes)


def test_offset_moves_the_pattern_by_whole_cells(mark):
    """At 48 kHz 16 cells are 64 frames exactly, so a shifted wave gets the shifted mark."""
    rng = np.random.default_rng(0)
    wave = 0.1 * rng.standard_normal((48000, 1)).astype(np.float32)
    whole = mark(wave, offset=10, sample_rate=48000)
    later = mark(wave[16 * 1024 :], offset=26, sample_rate=48000)
    inner = slice(17 * 1024, -2048)
    np.testing.assert_allclose(whole[inner], later[1024:-2048], atol=1e-5)


def test_digital_silence_stays_and_a_click_has_no_echo_before_it(mark):
    assert not mark(np.zeros((16000, 2), np.float32)).any()
    click = np.zeros((16000, 1), np.float32)
    click[8000:8050, 0] = 0.5 * np.sin(np.arange(50))
    changed = np.flatnonzero(mark(click) != click)
    assert changed.min() > 8000 - 16000 * 0.0015
    assert changed.max() < 8050 + 16000 * 0.005


@pytest.mark.parametrize("shape", [(0, 1), (9, 0), (1, 1), (2, 2), (84, 1), (337, 2), (15999, 1)])
def test_any_length_has_a_defined_result(shape, mark):
    wave = np.full(shape, 0.25, np.float32)
    marked = mark(wave)
    assert marked.shape == wave.shape and np.isfinite(marked).all()


def test_a_loud_wave_stays_within_full_scale(mark):
    wave = np.random.default_rng(0).uniform(-1, 1, (16000, 2)).astype(np.float32)
    marked = mark(wave)
    assert np.abs(marked).max() <= 1
    assert _snr_db(wave, marked) > 18


def test_a_loud_tone_is_turned_down_and_not_cut(mark):
    time = np.arange(32000) / 16000
    tone = (0.99 * np.sin(2 * np.pi * 700 * time)).astype(np.float32)[:, None]
    marked = mark(tone)
    assert 0.99 < np.abs(marked).max() <= 1
    level = np.abs(np.fft.rfft(marked[:, 0] * np.hanning(len(marked))))
    harmonic = slice(4200 - 40, 4200 + 40)  # bins of 0.5 Hz about three times the tone
    assert level[harmonic].max() < 1e-3 * level.max()


def test_samples_beyond_full_scale_are_not_pulled_in(mark):
    wave = 3 * np.random.default_rng(0).standard_normal((16000, 1)).astype(np.float32)
    beyond = np.abs(wave) > 2
    assert (np.abs(mark(wave))[beyond] > 1.2).all()


def test_channels_without_rows_in_band_are_left_alone(key, depth):
    wave = jnp.full((300, 1), 0.3)
    marked = embed(wave, key.pattern(), to_bits(3), sample_rate=600, depth=depth)
    np.testing.assert_array_equal(marked, wave)
