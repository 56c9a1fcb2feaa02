"""A record comes back as it was, and damaged bytes are refused by name."""

import dataclasses
import json

import numpy as np
import pytest

from data_pipelines.schema import ClipRecord, decode, encode
from v2a_jax.errors import UserError
from v2a_jax.types import Event


def clip(**changes):
    rng = np.random.default_rng(0)
    record = ClipRecord(
        video=rng.integers(0, 256, (5, 4, 6, 3), np.uint8),
        fps=12.5,
        audio=rng.standard_normal((40, 2)).astype(np.float32),
        sample_rate=100,
        caption="a café — 犬",
        captions={"full": "a café — 犬", "short": ""},
        negatives=("siren", "rain, wind"),
        transcript="hello you",
        words=(("hello", 0.1, 0.2), ("you", 0.2, 0.35)),
        labels=("speech",),
        events=(Event(time=0.1, end=0.3, kind="speech", f1=110.0, onscreen=False, note=2),),
        meta={"seed": 3, "nested": {"a": [1, 2.5, None]}},
        provenance="test/0",
        curves={"aperture": (100.0, (0.0, 0.25, 1.0))},
        marks={"beats": (0.125, 0.5)},
        phonemes=(("h", 0.1, 0.12), ("ə", 0.12, 0.2)),
    )
    return dataclasses.replace(record, **changes)


@pytest.mark.parametrize("changes", [{}, {"video": None}, {"audio": None}, {"words": ()}])
def test_round_trip(changes):
    record = clip(**changes)
    back = decode(encode(record))
    assert back == record
    for name in ("events", "words", "curves", "marks", "phonemes"):
        assert getattr(back, name) == getattr(record, name)
    for name in ("audio", "video"):
        expected = getattr(record, name)
        if expected is None:
            assert getattr(back, name) is None
        else:
            np.testing.assert_array_equal(getattr(back, name), expected)


def test_equality_sees_every_sample_and_pixel():
    record = clip()
    audio, video = record.audio.copy(), record.video.copy()
    audio[3, 1] += 1e-6
    video[4, 3, 5, 2] ^= 1
    assert record != clip(audio=audio)
    assert record != clip(video=video)
    assert record != clip(audio=None)


def test_every_truncation_is_refused():
    data = encode(clip())
    for length in [*range(0, 200, 7), *range(200, len(data), 97), len(data) - 1]:
        with pytest.raises(UserError):
            decode(data[:length])
    with pytest.raises(UserError, match="expected"):
        decode(data + b"x")


def test_other_version_is_named():
    data = encode(clip())
    changed = data.replace(b'"version": 2', b'"version": 9')
    with pytest.raises(UserError, match="version 9"):
        decode(changed)


def test_what_version_1_stored_is_still_read():
    data = encode(clip())
    length = int.from_bytes(data[4:8], "little")
    header = json.loads(data[8 : 8 + length])
    header["version"] = 1
    for name in ("curves", "marks", "phonemes"):
        del header["record"][name]
    del header["record"]["events"][0]["note"]
    old = json.dumps(header).encode()
    back = decode(data[:4] + len(old).to_bytes(4, "little") + old + data[8 + length :])
    event = dataclasses.replace(clip().events[0], note=-1)
    assert back == clip(curves={}, marks={}, phonemes=(), events=(event,))


@pytest.mark.parametrize("shape", [[-1, 4, 6, 3], [5, 4, 6], [10**9, 4, 6, 3], "abcd", None])
def test_hostile_shapes_are_refused(shape):
    data = encode(clip(audio=None))
    header = json.loads(data[8 : 8 + int.from_bytes(data[4:8], "little")])
    header["shapes"]["video"] = shape
    forged = json.dumps(header).encode()
    body = data[8 + int.from_bytes(data[4:8], "little") :]
    with pytest.raises(UserError):
        decode(data[:4] + len(forged).to_bytes(4, "little") + forged + body)


def test_wrong_dtype_is_refused_when_written():
    with pytest.raises(UserError, match="test/0: audio is float64"):
        encode(clip(audio=np.zeros((4, 1))))
