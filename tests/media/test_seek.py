"""A part of a file is that slice of the whole, and costs what the part costs."""

import numpy as np
import pytest

from v2a_jax.media.decode import iter_audio, iter_frames, read_audio, read_clip
from v2a_jax.media.source import LIMITS, frames_from, require_video

SHORT_GOP = {"g": "10"}


def lively(rate, channels=1, seconds=5.5):
    """Sound that is nowhere like it is elsewhere, and in which encoders hear no noise."""
    time = np.arange(round(seconds * rate)) / rate
    sweeps = [np.sin(2 * np.pi * (base * time + 0.4 * base * time**2)) for base in (100, 230, 310)]
    return np.repeat((0.2 * sum(sweeps))[:, None], channels, axis=1).astype(np.float32)


def write(make, name, rate=48000, seconds=5.5, **options):
    """55 frames at 10 a second, and lively sound."""
    wave = lively(rate, seconds=seconds)
    return make(name, fps=10, seconds=seconds, rate=rate, wave=wave, **options)


KINDS = [
    ("a.mp4", dict(codec_options={"g": "20", "bf": "2"}), 1e-2),
    (
        "open.mp4",
        dict(video="libx265", codec_options={"x265-params": "log-level=none:keyint=12"}),
        1e-2,
    ),
    ("refresh.mp4", dict(codec_options={"x264-params": "keyint=20:intra-refresh=1"}), 1e-2),
    ("b.mp4", dict(video="mpeg4", audio="libmp3lame", codec_options=SHORT_GOP), 1e-2),
    ("c.mov", dict(audio="pcm_s16le", codec_options=SHORT_GOP), 1e-6),
    ("d.mkv", dict(video="ffv1", audio="flac", rate=44100), 1e-6),
    ("e.mkv", dict(audio="libopus", codec_options=SHORT_GOP), 1e-2),
    ("f.webm", dict(video="libvpx-vp9", audio="libopus", codec_options=SHORT_GOP), 1e-2),
    ("g.avi", dict(video="mjpeg", audio="pcm_s16le", pix_fmt="yuvj420p", rate=8000), 1e-6),
    ("h.avi", dict(video="mpeg4", audio="libmp3lame", codec_options={"g": "10", "bf": "2"}), 1e-2),
    ("i.ts", dict(codec_options=SHORT_GOP), 1e-2),
    ("j.flv", dict(rate=44100, codec_options=SHORT_GOP), 1e-2),
    ("k.mpg", dict(video="mpeg2video", audio="mp2", codec_options={"g": "10", "bf": "2"}), 1e-2),
    ("late.mp4", dict(video_start=1.0, audio_start=0.4, codec_options=SHORT_GOP), 1e-2),
    ("trimmed.mp4", dict(video_start=-0.4, codec_options={"g": "20"}), 1e-2),
]
PARTS = [(0.0, 1.0), (2.02, 0.7), (3.48, 0.5), (4.9, None), (5.3, 5.0), (20.0, 1.0)]


@pytest.mark.parametrize(("name", "options", "tolerance"), KINDS, ids=[kind[0] for kind in KINDS])
@pytest.mark.parametrize("channels", [None, 1])
def test_a_part_is_that_slice_of_the_whole(make, name, options, tolerance, channels):
    path = write(make, name, **options)
    whole = read_clip(path, fps=30, sample_rate=16000, channels=channels)
    for start, seconds in PARTS:
        part = read_clip(
            path, fps=30, sample_rate=16000, channels=channels, start=start, seconds=seconds
        )
        end = len(whole.frames) if seconds is None else round((start + seconds) * 30)
        first, last = min(round(start * 30), len(whole.frames)), min(end, len(whole.frames))
        np.testing.assert_array_equal(part.frames, whole.frames[first:last])
        slice_NC = whole.audio[round(first / 30 * 16000) : round(last / 30 * 16000)]
        assert part.audio.shape == slice_NC.shape
        np.testing.assert_allclose(part.audio, slice_NC, atol=tolerance)


@pytest.mark.parametrize("rates", [(48000, 16000), (44100, 48000), (44100, None), (22050, 44100)])
@pytest.mark.parametrize(
    ("name", "codec"), [("a.wav", "pcm_s16le"), ("a.flac", "flac"), ("a.mka", "flac")]
)
def test_sound_is_cut_to_the_sample(make, name, codec, rates):
    path = write(make, name, video=None, audio=codec, rate=rates[0], seconds=12.0)
    whole, rate = read_audio(path, sample_rate=rates[1])
    for start, seconds in [(0.0, 0.5), (3.3, 2.0), (5.7771, 1.0), (11.5, None), (30.0, 1.0)]:
        part, _ = read_audio(path, sample_rate=rates[1], start=start, seconds=seconds)
        end = len(whole) if seconds is None else round((start + seconds) * rate)
        np.testing.assert_allclose(part, whole[round(start * rate) : end], atol=2e-6)


def test_only_what_is_needed_is_decoded(make):
    path = write(make, "a.mp4", codec_options=SHORT_GOP)
    with frames_from(path, lambda opened: require_video(opened, path), 4.5, LIMITS) as found:
        assert 3.9 < next(found[1]).time <= 4.5


def test_streams_can_be_parts(make, measure):
    path = write(make, "a.mp4")
    frames = list(iter_frames(path, fps=10, size=None, start=3.0, seconds=0.4))
    np.testing.assert_array_equal(measure.grey(frames), np.arange(30, 34))
    blocks = list(iter_audio(path, sample_rate=8000, start=1.0, seconds=0.4))
    assert sum(len(block) for block in blocks) == 3200
