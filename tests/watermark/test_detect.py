import dataclasses
import io
import os
import pathlib

import av
import numpy as np
import pytest
from scipy.signal import resample_poly

from v2a_jax.errors import UserError
from v2a_jax.watermark.detect import CLAIM, Detection, detect
from v2a_jax.watermark.key import Key

RATE = 16000
OTHER = Key(bytes(range(32, 64)))


def _aac(wave: np.ndarray, bit_rate: int) -> np.ndarray:
    """The wave after AAC in an mp4, encoded and decoded in memory."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=RATE, layout="mono")
        stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave.T), "fltp", "mono")
        frame.sample_rate = RATE
        container.mux([*stream.encode(frame), *stream.encode(None)])
    file.seek(0)
    with av.open(file) as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    return np.concatenate(frames, axis=1).T


def _found(wave, key, payload=0x1234, rate=RATE):
    found = detect(wave, key, sample_rate=rate)
    return found.watermarked and found.p_value <= CLAIM and found.payload == payload


@pytest.mark.parametrize("seed", range(4))
def test_marked_clips_are_found_also_after_aac(seed, impacts, mark, key):
    wave = impacts(seed, 2)
    marked = mark(wave, offset=251 * seed)
    assert _found(marked, key)
    assert _found(_aac(marked, 64000), key)
    assert _found(_aac(marked, 128000), key)
    assert not detect(wave, key, sample_rate=RATE).watermarked
    assert not detect(marked, OTHER, sample_rate=RATE).watermarked


def test_detection_is_deterministic_and_complete(impacts, mark, key):
    marked = mark(impacts(9, 2), payload=0xA5A5)
    found = detect(marked, key, sample_rate=RATE)
    assert found == detect(marked.copy(), key, sample_rate=RATE)
    assert found.key_id == key.key_id and found.payload == 0xA5A5
    (segment,) = found.segments
    assert segment.start == 0 and segment.end == pytest.approx(2, abs=0.03)
    assert segment.p_value <= CLAIM


@pytest.mark.parametrize("skipped", [1, 137, 5000, 12345])
def test_a_crop_is_found_wherever_it_starts(skipped, impacts, mark, key):
    assert _found(mark(impacts(2, 4))[skipped : skipped + 2 * RATE], key)


@pytest.mark.parametrize("payload", [0, 1, 0x7FFF, 0xFFFF])
def test_every_payload_comes_back(payload, impacts, mark, key):
    assert _found(mark(impacts(3, 2), payload), key, payload)


def test_gain_polarity_and_resampling_leave_it(impacts, mark, key):
    marked = mark(impacts(5, 3))
    assert _found(-0.05 * marked, key)
    assert _found(1e20 * marked.astype(np.float64), key)
    assert _found(resample_poly(marked, 3, 1), key, rate=48000)
    assert _found(resample_poly(marked, 441, 160), key, rate=44100)


@pytest.mark.parametrize("rate", [8000, 24000, 44100, 48000])
def test_other_rates_and_stereo(rate, impacts, mark, key):
    stereo = np.concatenate([impacts(6, 3, rate), impacts(7, 3, rate)], axis=1)
    marked = mark(stereo, sample_rate=rate)
    assert _found(marked, key, rate=rate)
    assert _found(marked.mean(1, keepdims=True), key, rate=rate)
    assert not detect(stereo, key, sample_rate=rate).watermarked


def test_a_clip_longer_than_the_period_of_the_pattern(impacts, mark, key):
    found = detect(mark(impacts(8, 26), offset=1000), key, sample_rate=RATE)
    assert found.payload == 0x1234
    assert found.segments[0].start == 0 and found.segments[-1].end > 25.9


def test_a_marked_piece_in_a_long_file_is_found_where_it_is(impacts, mark, key):
    rng = np.random.default_rng(0)
    quiet = lambda seconds: 0.01 * rng.standard_normal((seconds * RATE, 1))  # noqa: E731
    wave = np.concatenate([quiet(15), mark(impacts(1, 6)), quiet(12)])
    found = detect(wave, key, sample_rate=RATE)
    assert found.watermarked and found.payload == 0x1234
    (segment,) = found.segments
    assert abs(segment.start - 15) < 2.5 and abs(segment.end - 21) < 2.5


def test_the_key_that_marked_is_named_among_several(impacts, mark, key):
    marked = mark(impacts(10, 2))
    alone = detect(marked, key, sample_rate=RATE)
    among = detect(marked, [OTHER, key], sample_rate=RATE)
    assert among.key_id == key.key_id and among.payload == 0x1234
    assert among.p_value == pytest.approx(2 * alone.p_value)


@pytest.mark.parametrize(
    "wave",
    [
        np.zeros((0, 1)),
        np.zeros((1, 1)),
        np.ones((1, 2)),
        np.zeros((RATE, 1)),
        np.zeros((RATE, 0)),
        np.full((2 * RATE, 1), 0.5),
        np.eye(2 * RATE, 1),
        np.ones((100, 1)),
        np.full((RATE, 1), 1e-300),
    ],
    ids=["none", "one", "one stereo", "silence", "no channel", "dc", "click", "short", "denormal"],
)
def test_nothing_is_claimed_where_there_is_nothing(wave, key):
    found = detect(wave, key, sample_rate=RATE)
    assert 0.1 < found.p_value <= 1
    assert not found.watermarked
    assert (found.key_id, found.payload, found.segments) == (None, None, ())


def test_silence_has_p_value_one(key):
    assert detect(np.zeros((2 * RATE, 1)), key, sample_rate=RATE).p_value == 1
    assert detect(np.ones((600, 1)), key, sample_rate=600).p_value == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(bad, key):
    wave = np.zeros((RATE, 1))
    wave[5] = bad
    with pytest.raises(UserError, match="finite"):
        detect(wave, key, sample_rate=RATE)


def test_a_detection_holds_no_secret(impacts, mark, key):
    shown = repr(detect(mark(impacts(11, 2)), key, sample_rate=RATE))
    assert bytes(range(32)).hex()[:8] not in shown
    names = {field.name for field in dataclasses.fields(Detection)}
    assert names == {"watermarked", "p_value", "key_id", "payload", "segments"}


def _recordings() -> list[pathlib.Path]:
    folder = pathlib.Path(os.environ.get("V2A_MEDIA_DIR", "")) / "audio"
    return sorted(folder.glob("shared-assets__*")) if "V2A_MEDIA_DIR" in os.environ else []


@pytest.mark.parametrize("path", _recordings(), ids=lambda path: path.name)
def test_recordings(path, mark, key):
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("fltp", "mono", RATE)
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    wave = np.concatenate([frame.to_ndarray() for frame in frames], axis=1).T[: 4 * RATE]
    assert not detect(wave, key, sample_rate=RATE).watermarked
    assert _found(_aac(mark(wave), 64000), key)
