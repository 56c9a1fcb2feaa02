"""A folder of real media, named by V2A_MEDIA_DIR: every file is read, or refused in one line."""

import os
import pathlib

import numpy as np
import pytest

from v2a_jax.errors import UserError
from v2a_jax.media.audio import read_audio
from v2a_jax.media.containers import output_suffix
from v2a_jax.media.decode import read_clip
from v2a_jax.media.files import packet_digest
from v2a_jax.media.mux import mux
from v2a_jax.media.probe import probe
from v2a_jax.media.source import LIMITS

FOLDER = pathlib.Path(os.environ.get("V2A_MEDIA_DIR", "no such folder"))
RATE = 16000
EVENTS = (0.78, 1.59, 2.54, 3.50, 3.80)  # seconds, of each clip of derived/
REFUSED = {  # what the only files that cannot be shown are told
    "derived/audio_only.m4a": "no video",
    "derived/random_bytes.mp4": "not a media file",
    "derived/truncated_no_moov.mp4": "not a media file",
    "derived/zero_bytes.mp4": "0 bytes",
    "hard/media__sample_8bit.wav": "no video",
    "hard/media__sample_ac4.mp4": "no video",
    "hard/media__sample_audio_only.mp4": "no video",
    "hard/media__sample_eac3joc.mp4": "no video",
    "hard/media__sample_opus.mp4": "no video",
}


def files(*folders):
    found = [p for name in folders for p in sorted((FOLDER / name).rglob("*")) if p.is_file()]
    if not found:
        return [pytest.param(None, marks=pytest.mark.skip(reason="V2A_MEDIA_DIR is not set"))]
    return [pytest.param(path, id=path.relative_to(FOLDER).as_posix()) for path in found]


def name_of(path):
    return path.relative_to(FOLDER).as_posix()


@pytest.mark.parametrize("path", files("derived", "hard", "natural"))
def test_every_video_is_a_clip_or_is_refused(path, capfd):
    try:
        clip = read_clip(path, fps=25, sample_rate=RATE, size=48)
    except UserError as error:
        assert name_of(path) in REFUSED
        assert REFUSED[name_of(path)] in str(error)
        assert "\n" not in str(error)
    else:
        assert name_of(path) not in REFUSED
        assert clip.frames.shape == (max(1, round(clip.info.duration * 25)), 48, 48, 3)
        if clip.audio is not None:
            assert len(clip.audio) == len(clip.frames) * RATE // 25
            assert np.isfinite(clip.audio).all()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("path", files("audio"))
def test_every_sound_is_read(path):
    audio, rate = read_audio(path, sample_rate=None, limits=LIMITS)
    assert len(audio) > 0.05 * rate
    assert 0.01 < np.abs(audio).max() < 1.5


def rises(audio, rate):
    """When the sound first rises near each event, in seconds; NaN where it does not."""
    window = rate // 1000
    power = np.convolve((audio**2).max(axis=1), np.ones(window) / window)[window - 1 :]
    found = []
    for event in EVENTS:
        begin, end = round((event - 0.03) * rate), round((event + 0.03) * rate)
        near = np.sqrt(power[begin:end])
        quiet = near[: rate * 15 // 1000].max()
        over = np.flatnonzero(near > max(2 * quiet, 0.3 * near.max(), 0.01))
        found.append((begin + over[0]) / rate if len(over) else np.nan)
    return np.asarray(found)


@pytest.mark.parametrize("path", files("derived"))
def test_the_events_of_derived_clips_survive(path):
    if name_of(path) in REFUSED:
        return
    clip = read_clip(path, fps=25, sample_rate=RATE, size=48)
    if clip.audio is None:
        return
    truth = rises(read_clip(FOLDER / "derived/ffv1_flac.mkv", fps=25, sample_rate=RATE).audio, RATE)
    np.testing.assert_allclose(truth, EVENTS, atol=0.0055)  # given to a hundredth of a second
    found = rises(clip.audio, RATE)
    if path.name == "audio_ends_at_2s.mp4":
        assert np.isnan(found[2:]).all()
        found, truth = found[:2], truth[:2]
    np.testing.assert_allclose(found, truth, atol=0.005)


@pytest.mark.parametrize("path", files("derived", "hard", "natural"))
def test_every_clip_gets_a_soundtrack_without_a_change_of_its_picture(path, tmp_path):
    if name_of(path) in REFUSED:
        with pytest.raises(UserError):
            mux(path, np.zeros((RATE, 1)), RATE, tmp_path / "out.mp4")
        return
    result = tmp_path / f"out{output_suffix(path, limits=LIMITS)}"
    before = probe(path, limits=LIMITS)
    click = np.zeros((round(before.duration * RATE), 1), np.float32)
    middle = len(click) // 2
    burst = 0.5 * np.sin(np.arange(800) * 2 * np.pi / 16)
    click[middle : middle + 800, 0] = burst[: len(click) - middle]
    mux(path, click, RATE, result)
    assert packet_digest(result, limits=LIMITS) == packet_digest(path, limits=LIMITS)
    after = probe(result, limits=LIMITS)
    assert abs(after.start - before.start) < 0.001
    sound, _ = read_audio(result, sample_rate=RATE, limits=LIMITS)
    assert abs(len(sound) - len(click)) <= 1024 * RATE / 16000
    onset = np.flatnonzero(np.abs(sound[:, 0]) > 0.15)[0]
    assert abs(onset - middle) / RATE < 0.005
