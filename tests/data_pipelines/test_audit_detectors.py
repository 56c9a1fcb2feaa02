"""Each detector on pictures and sounds that have exactly its fault, by a known amount."""

import numpy as np
import pytest
import soxr

from configs.base import AUDIT
from data_pipelines.audit import alignment, content, picture, sound
from data_pipelines.world import WorldConfig, WorldSource

RATE = 16000


def world(**changes):
    values = {
        "seed": 0,
        "split": "train",
        "clips": 12,
        "seconds": 4.0,
        "fps": 25,
        "size": 32,
        "sample_rate": RATE,
        "classes": ("impact",),
        "offscreen_probability": 0.0,
    }
    return WorldSource(WorldConfig(**(values | changes)))


@pytest.fixture
def noise():
    """noise(seconds, level): float32[N,1] of white noise."""

    def make(seconds, level=0.1):
        rng = np.random.default_rng(0)
        return (level * rng.standard_normal((round(seconds * RATE), 1))).astype(np.float32)

    return make


def moving(frames, size=48):
    """A white square that goes to the right, uint8[F,H,W,3]."""
    video = np.full((frames, size, size, 3), 60, np.uint8)
    for k in range(frames):
        video[k, 10:20, k % size : k % size + 8] = 250
    return video


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_share_of_still_frames_is_the_one_that_was_made(share):
    video = moving(41)
    stopped = round(share * 40)
    if stopped:
        video[41 - stopped :] = video[40 - stopped]
    assert picture.still_share(picture.small_grey(video), 2) == pytest.approx(share)


def test_coding_noise_on_a_still_is_no_motion_but_slow_change_is():
    rng = np.random.default_rng(0)
    noisy = np.clip(90 + 1 * rng.standard_normal((30, 96, 96, 3)), 0, 255).astype(np.uint8)
    assert picture.still_share(picture.small_grey(noisy), 2) == 1.0
    dawn = np.repeat(np.arange(100, dtype=np.uint8), 96 * 96 * 3).reshape(100, 96, 96, 3)
    assert 0.5 < picture.still_share(picture.small_grey(dawn), 2) < 0.7, "one step of three each"


@pytest.mark.parametrize("shape", [(16, 16), (33, 70), (480, 270)])
def test_pictures_of_any_size_become_small_ones(shape):
    grey = picture.small_grey(np.full((2, *shape, 3), 77, np.uint8))
    np.testing.assert_array_equal(grey, np.full((2, 32, 32), 77, np.float32))


def test_the_share_of_black_frames_is_the_one_that_was_made():
    video = moving(40)
    video[30:] = 12
    assert picture.black_share(picture.small_grey(video), 20) == 0.25


def test_the_share_of_silence_is_the_one_that_was_made(noise):
    audio = noise(4.0)
    audio[RATE:] = 1e-5
    assert sound.silent_share(audio, RATE, -60.0) == pytest.approx(0.75)
    both = np.concatenate([audio, noise(4.0)], axis=1)
    assert sound.silent_share(both, RATE, -60.0) == 0.0, "one channel is heard"
    assert sound.silent_share(audio[:10], RATE, -60.0) == 0.0


def test_levels_are_those_of_a_sine():
    sine = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)[:, None]
    assert sound.level(sine) == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.01)
    assert sound.level(np.zeros((5, 1))) == -200.0


def test_the_share_of_clipped_samples_is_the_one_that_was_made(noise):
    audio = np.clip(noise(1.0, 0.2), -0.9, 0.9)
    assert sound.clipped_share(audio) == 0.0
    audio[100:260], audio[500:502] = 1.0, -1.0
    assert sound.clipped_share(audio) == 160 / RATE, "two samples alone are a peak"


def test_clipping_outlives_resampling_and_normal_peaks_are_none():
    record = world()[0]
    loud = record.audio / np.abs(record.audio).max()
    assert sound.clipped_share(loud) < AUDIT["clipped_share"]
    clipped = soxr.resample(np.clip(soxr.resample(40 * loud, RATE, 48000), -1, 1), 48000, RATE)
    assert sound.clipped_share(clipped) > AUDIT["clipped_share"]


def test_the_constant_part_is_the_one_that_was_added(noise):
    assert sound.constant_part(noise(2.0) - np.float32(0.03)) == pytest.approx(0.03, abs=2e-3)


@pytest.mark.parametrize("rate", [4000, 8000, 11025])
@pytest.mark.parametrize("bits", [None, 16])
def test_the_bandwidth_is_that_of_the_rate_it_came_from(noise, rate, bits):
    audio = soxr.resample(soxr.resample(noise(3.0), RATE, rate), rate, RATE)
    if bits:
        audio = np.round(audio * 32768) / 32768
    assert sound.bandwidth(audio, RATE) == pytest.approx(rate / RATE, abs=0.05)
    assert sound.bandwidth(noise(3.0), RATE) == 1.0


def test_dull_sounds_in_a_room_have_their_whole_band():
    clips = world(clips=24, classes=("impact", "bounce"))
    assert min(sound.bandwidth(clip.audio, RATE) for clip in clips) > AUDIT["bandwidth"]


def shifted(audio, seconds):
    """The sound later by `seconds`, with silence where nothing is left."""
    moved, count = np.roll(audio, round(seconds * RATE), axis=0), round(abs(seconds) * RATE)
    if seconds > 0:
        moved[:count] = 0
    elif count:
        moved[-count:] = 0
    return moved


def told(clip, seconds=0.0):
    moved = picture.motion(picture.small_grey(clip.video))
    return alignment.offset(moved, clip.fps, shifted(clip.audio, seconds), clip.sample_rate)


@pytest.mark.parametrize("seconds", [-0.5, -0.25, 0.0, 0.3, 0.6])
def test_the_offset_of_impacts_is_the_one_that_was_made(seconds):
    found = [told(clip, seconds) for clip in world(seconds=8.0)]
    sure = [lag for lag, confidence in found if confidence >= AUDIT["offset_confidence"]]
    assert len(sure) >= 8
    np.testing.assert_allclose(sure, seconds, atol=0.08)


def test_no_offset_is_confidently_told_of_clips_that_have_none():
    unseen = world(clips=24, classes=("impact", "bounce"), offscreen_probability=1.0)
    for clip in unseen:
        lag, confidence = told(clip)
        assert confidence < AUDIT["offset_confidence"] or abs(lag) < AUDIT["offset_seconds"]


def test_the_sound_of_another_clip_has_no_confident_offset():
    clips = list(world(clips=16, classes=("bounce", "impact")))
    motions = [picture.motion(picture.small_grey(clip.video)) for clip in clips]
    sure = 0
    for k, clip in enumerate(clips):
        other = motions[(k + 1) % len(clips)]
        sure += alignment.offset(other, 25.0, clip.audio, RATE)[1] >= AUDIT["offset_confidence"]
    assert sure <= len(clips) // 4


def test_nothing_that_moves_or_sounds_has_no_offset(noise):
    assert alignment.offset(np.zeros(75, np.float32), 25.0, noise(3.0), RATE)[1] == 0.0
    assert alignment.offset(np.ones(75, np.float32), 25.0, np.zeros((3 * RATE, 1)), RATE)[1] == 0.0
    assert alignment.offset(np.zeros(2, np.float32), 25.0, noise(0.02), RATE)[1] == 0.0


def tune():
    """Held notes with partials."""
    time = np.arange(RATE // 2) / RATE
    notes = [
        sum(np.sin(2 * np.pi * 220 * 2 ** (step / 12) * h * time) / h for h in range(1, 6))
        for step in (0, 4, 7, 12, 7, 4)
    ]
    return (0.1 * np.concatenate(notes)).astype(np.float32)


def babble():
    """A voice: pulses whose pitch goes up and down four times a second, with pauses."""
    time = np.arange(3 * RATE) / RATE
    pitch = 120 * 2 ** (0.4 * np.sin(2 * np.pi * 3.3 * time))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    wave = sum(np.cos(h * phase) / h for h in range(1, 20))
    return (0.05 * wave * (np.sin(2 * np.pi * 2 * time) > -0.3)).astype(np.float32)


def test_tunes_are_music_voices_are_speech_and_noise_is_neither(noise):
    shares = {
        name: content.speech_and_music(wave, RATE)
        for name, wave in (("tune", tune()), ("babble", babble()), ("noise", noise(3.0)[:, 0]))
    }
    assert shares["tune"][1] > 0.9 and shares["tune"][0] < 0.05
    assert shares["babble"][0] > content.SPEECH and shares["babble"][1] < content.MUSIC
    assert max(shares["noise"]) < 0.1
    assert content.speech_and_music(np.zeros(RATE, np.float32), RATE) == (0.0, 0.0)
    assert content.speech_and_music(np.ones(5, np.float32), RATE) == (0.0, 0.0)
