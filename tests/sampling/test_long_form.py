import itertools

import numpy as np
import pytest

from v2a_jax.errors import UserError
from v2a_jax.sampling.long_form import GRID_SECONDS, cut_windows, join, plan_windows
from v2a_jax.watermark.grid import CELL_SECONDS

BUCKETS, OVERLAP, RATE, FPS = (0.64, 1.28), 0.32, 16000, 25
DURATIONS = [0.04, 0.6, 0.64, 0.65, 1.28, 1.29, 1.32, 2.24, 2.25, 7.777, 60.0]


@pytest.mark.parametrize("duration", DURATIONS)
def test_windows_cover_the_video_and_none_is_superfluous(duration):
    plan = plan_windows(duration, BUCKETS, OVERLAP)
    end = plan.seconds + plan.stride * (plan.count - 1)
    assert end >= duration - 1e-6
    assert plan.count == 1 or end - plan.stride < duration
    assert plan.count == 1 or plan.overlap >= OVERLAP - 1e-9


@pytest.mark.parametrize("overlap", [0.3, 0.32, 0.5, 0.7])
def test_windows_start_on_whole_frames_latents_and_cells(overlap):
    plan = plan_windows(9.0, (2.0,), overlap)
    for unit in (1 / 25, 640 / 16000, CELL_SECONDS, GRID_SECONDS):
        np.testing.assert_allclose(plan.stride / unit, round(plan.stride / unit), atol=1e-6)


@pytest.mark.parametrize("overlap", [0.0, 1.0, 1.28, 5.0, -1.0])
def test_an_overlap_that_cannot_be_cut_is_refused(overlap):
    with pytest.raises(UserError, match="sampler.overlap"):
        plan_windows(9.0, BUCKETS, overlap)


@pytest.mark.parametrize("duration", DURATIONS)
@pytest.mark.parametrize("there", [1, 0.5, 1.1])
def test_windows_see_the_frames_of_their_time_and_the_last_one_is_held(duration, there):
    plan = plan_windows(duration, BUCKETS, OVERLAP)
    count = max(1, round(duration * FPS * there))
    frames = (np.full((1, 1, 3), k % 251, np.uint8) for k in range(count))
    for index, window in enumerate(cut_windows(frames, plan, FPS)):
        first = round(plan.stride * index * FPS)
        expected = np.minimum(first + np.arange(round(plan.seconds * FPS)), count - 1) % 251
        np.testing.assert_array_equal(window.frames[:, 0, 0, 0], expected)
    assert index == plan.count - 1


def test_no_more_than_a_window_is_held_and_frames_are_read_when_needed():
    read, plan = 0, plan_windows(60.0, BUCKETS, OVERLAP)

    def frames():
        nonlocal read
        for k in range(1500):
            read = k + 1
            yield np.full((1, 1, 3), k % 251, np.uint8)

    for index, _ in enumerate(cut_windows(frames(), plan, FPS)):
        assert read == min(round((plan.stride * index + plan.seconds) * FPS), 1500)


def test_a_video_without_frames_is_refused():
    with pytest.raises(UserError, match="no frames"):
        list(cut_windows(iter(()), plan_windows(1.0, BUCKETS, OVERLAP), FPS))


def joined(plan, wave_of, samples, boundaries="even", frames=None):
    """The windows of a film, and the sound joined of wave_of(window) [V,N,C]."""
    frames = np.zeros((round(plan.duration * FPS), 8, 8, 3), np.uint8) if frames is None else frames
    windows = list(cut_windows(frames, plan, FPS, boundaries))
    blocks = join(((window, wave_of(window)) for window in windows), RATE, samples)
    return windows, np.concatenate(list(blocks), axis=1)


@pytest.mark.parametrize("duration", DURATIONS)
def test_joining_windows_of_one_sound_gives_the_sound(duration):
    plan = plan_windows(duration, BUCKETS, OVERLAP)
    samples = round(duration * RATE)
    end = round((plan.stride * (plan.count - 1) + plan.seconds) * RATE)
    sound = np.random.default_rng(0).standard_normal((2, end, 1)).astype("f")

    def part(window):
        return sound[:, round(window.start * RATE) :][:, : round(plan.seconds * RATE)]

    windows, made = joined(plan, part, samples)
    assert made.shape == (2, samples, 1) and len(windows) == plan.count
    np.testing.assert_allclose(made, sound[:, :samples], atol=1e-6)


def test_a_difference_between_neighbours_is_faded_within_the_overlap():
    plan = plan_windows(2.0, BUCKETS, OVERLAP)
    size = round(plan.seconds * RATE)
    _, made = joined(plan, lambda window: np.full((1, size, 1), float(window.start > 0)), 32000)
    made = made[0, :, 0]
    rising = np.flatnonzero((made > 0) & (made < 1))
    assert (np.diff(made) >= 0).all() and 0 < len(rising) <= round(0.008 * RATE)
    middle = round((plan.stride + plan.overlap / 2) * RATE)
    assert abs(rising.mean() - middle) < 2


LONG = plan_windows(30.0, (4.0,), 0.96)


def film(shots):
    """Frames that change colour at the given frame numbers, for 30 s."""
    picture = np.zeros((round(30 * FPS), 8, 8, 3), np.uint8)
    for index, k in enumerate(shots):
        picture[k:] = 60 + 90 * (index % 3)
    return picture


@pytest.mark.parametrize("shots", [(60,), (61, 150, 190, 333, 620), tuple(range(40, 750, 40))])
def test_windows_change_over_at_shots(shots):
    sound = np.random.default_rng(0).standard_normal((1, 40 * RATE, 1)).astype("f")

    def part(window):
        return sound[:, round(window.start * RATE) :][:, : 4 * RATE]

    windows, made = joined(LONG, part, 30 * RATE, "shots", film(shots))
    np.testing.assert_allclose(made, sound[:, : 30 * RATE], atol=1e-6)
    times = np.array(shots) / FPS
    for window, following in itertools.pairwise(windows):
        assert following.start == pytest.approx(window.start + window.step)
        assert following.heard == window.cut
        assert following.start < window.cut < following.start + LONG.overlap
        units = following.start / GRID_SECONDS
        assert abs(units - round(units)) < 1e-6
        late = (times > window.start + 0.7 * 4) & (times < window.start + LONG.stride)
        if late.any():
            assert np.abs(times - window.cut).min() < 1e-6
    assert windows[-1].step is None and windows[-1].cut == 30.0


def test_a_film_without_shots_is_cut_evenly():
    for boundaries in ("even", "shots"):
        windows = list(cut_windows(film(()), LONG, FPS, boundaries))
        np.testing.assert_allclose([w.start for w in windows], LONG.stride * np.arange(LONG.count))
