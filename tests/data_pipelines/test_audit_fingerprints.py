"""Copies are found after what is done to media, and different clips are no copies."""

import io

import av
import numpy as np
import pytest
from PIL import Image

from configs.base import AUDIT
from data_pipelines.audit.fingerprint import (
    Fingerprint,
    fingerprint,
    picture_distance,
    sound_distance,
)
from data_pipelines.audit.neighbours import similar_pairs
from data_pipelines.audit.picture import small_grey
from data_pipelines.world import WorldConfig, WorldSource
from data_pipelines.world.degrade import degrade

RATE, CLIPS = 16000, 60


@pytest.fixture(scope="module")
def world():
    """Clips of which no two are alike."""
    config = WorldConfig(
        seed=1,
        split="train",
        clips=CLIPS,
        seconds=3.0,
        fps=25,
        size=48,
        sample_rate=RATE,
        classes=("impact", "bounce"),
        offscreen_probability=0.5,
    )
    return list(WorldSource(config))


@pytest.fixture(scope="module")
def prints(world):
    return [of(clip.video, clip.audio) for clip in world]


def of(video, audio):
    return fingerprint(None if video is None else small_grey(video), audio, RATE)


def noisy(audio):
    rng = np.random.default_rng(0)
    level = np.sqrt(np.mean(audio**2)) * 10 ** (-30 / 20)
    return (audio + level * rng.standard_normal(audio.shape)).astype(np.float32)


def coded(codec, container):
    """Through a coder and back, with the delay that it adds."""

    def change(audio):
        file = io.BytesIO()
        with av.open(file, "w", format=container) as output:
            stream = output.add_stream(codec, rate=RATE, layout="mono")
            stream.bit_rate = 48_000
            wave = np.ascontiguousarray(audio.T)
            frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = RATE, 0
            output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        file.seek(0)
        with av.open(file) as opened:
            parts = [frame.to_ndarray() for frame in opened.decode(audio=0)]
        return np.concatenate(parts, axis=1).T.astype(np.float32)

    return change


SOUNDS = {
    "quieter": lambda audio: audio * np.float32(0.2),
    "noise at 30 dB": noisy,
    "late by 0.1 s": lambda audio: np.roll(audio, RATE // 10, axis=0),
    "aac": coded("aac", "adts"),
    "mp3": coded("libmp3lame", "mp3"),
}


def damaged(kind, severity):
    return lambda video: degrade(video, kind, severity, np.random.default_rng(0))


def scaled(size):
    return lambda video: np.stack([np.asarray(Image.fromarray(k).resize(size)) for k in video])


PICTURES = {
    "jpeg": damaged("jpeg", 0.6),
    "blur": damaged("blur", 0.5),
    "low resolution": damaged("low_resolution", 0.5),
    "dropped frames": damaged("frame_drop", 0.5),
    "noise": damaged("noise", 0.1),
    "smaller": scaled((32, 32)),
    "larger": scaled((120, 90)),
}


@pytest.mark.parametrize("name", SOUNDS)
def test_a_sound_is_known_again(world, prints, name):
    changed = [of(None, SOUNDS[name](clip.audio)) for clip in world[:20]]
    pairs = zip(prints, changed, strict=False)
    distances = [one for one in (sound_distance(*pair) for pair in pairs) if one is not None]
    assert len(distances) >= 17
    assert np.mean(np.array(distances) <= AUDIT["sound_bits"]) >= 0.9


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_known_again(world, prints, name):
    changed = [of(PICTURES[name](clip.video), None) for clip in world[:20]]
    distances = [picture_distance(*pair) for pair in zip(prints, changed, strict=False)]
    assert np.mean(np.array(distances) <= AUDIT["picture_bits"]) >= 0.95


def test_different_clips_are_no_copies(prints):
    for first in range(CLIPS):
        for second in range(first):
            pair = prints[first], prints[second]
            apart = sound_distance(*pair), picture_distance(*pair)
            limits = AUDIT["sound_bits"], AUDIT["picture_bits"]
            told = [
                (one, limit) for one, limit in zip(apart, limits, strict=True) if one is not None
            ]
            strict = 0.5 if len(told) == 1 else 1.0
            assert any(one > strict * limit for one, limit in told), (first, second, apart)


def test_silence_and_black_have_no_fingerprint():
    nothing = of(np.full((20, 32, 32, 3), 8, np.uint8), np.full((2 * RATE, 1), 1e-5, np.float32))
    assert not (len(nothing.pictures) or len(nothing.words) or len(nothing.codes()))
    assert picture_distance(nothing, nothing) is None and sound_distance(nothing, nothing) is None
    assert len(of(None, np.ones((100, 1), np.float32)).words) == 0, "too short"


def test_a_fingerprint_survives_json(prints):
    again = Fingerprint.from_json(prints[0].to_json())
    for name, array in vars(prints[0]).items():
        np.testing.assert_array_equal(getattr(again, name), array)
    assert sum(array.nbytes for array in vars(again).values()) < 1500


def test_pairs_with_few_unlike_bits_are_found_among_many():
    rng = np.random.default_rng(0)
    codes = rng.integers(2**64, size=(4000, 8), dtype=np.uint64)
    for copy, bits in zip(range(0, 400, 2), 50 * [0, 2, 4, 6], strict=True):
        flips = [rng.choice(64, bits, replace=False) for _ in range(8)]
        masks = [sum(1 << int(bit) for bit in some) for some in flips]
        codes[copy + 1] = codes[copy] ^ np.array(masks, np.uint64)
    pairs = similar_pairs(codes.ravel(), np.repeat(np.arange(4000), 8))
    found = set(map(tuple, pairs.tolist()))
    planted = {(copy, copy + 1) for copy in range(0, 400, 2)}
    assert len(planted & found) >= 199
    assert len(found - planted) < 4000, "far fewer than the eight million that there are"
    assert (pairs[:, 0] < pairs[:, 1]).all() and len(found) == len(pairs)


def test_a_code_that_all_have_costs_little():
    codes = np.zeros(20_000, np.uint64)
    assert len(similar_pairs(codes, np.arange(20_000))) < 20_000 * 13
    assert similar_pairs(codes[:0], np.arange(0)).shape == (0, 2)
    assert similar_pairs(codes[:1], np.arange(1)).shape == (0, 2)
