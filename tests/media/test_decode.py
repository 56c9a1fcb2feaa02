"""Clips read from many kinds of files keep their pictures and their sounds in place."""

from fractions import Fraction

import av
import numpy as np
import pytest

from v2a_jax.media.decode import iter_frames, probe, read_audio, read_clip
from v2a_jax.media.source import LIMITS

BFRAMES = {"bf": "2"}
KINDS = [
    ("a.mp4", dict(video="libx264", audio="aac")),
    ("b.mp4", dict(video="mpeg4", audio="libmp3lame")),
    ("c.mov", dict(video="libx264", audio="pcm_s16le", codec_options=BFRAMES)),
    ("d.mkv", dict(video="ffv1", audio="flac", rate=44100)),
    ("e.mkv", dict(video="mpeg4", audio="libopus", codec_options=BFRAMES)),
    ("f.webm", dict(video="libvpx-vp9", audio="libopus", channels=2)),
    ("g.avi", dict(video="mjpeg", audio="pcm_s16le", pix_fmt="yuvj420p", rate=8000)),
    ("i.ts", dict(video="libx264", audio="aac")),
    ("j.flv", dict(video="libx264", audio="aac", rate=44100)),
    ("k.mp4", dict(video="libx265", audio="aac", codec_options={"x265-params": "log-level=none"})),
]


@pytest.mark.parametrize(("name", "options"), KINDS, ids=[name for name, _ in KINDS])
def test_pictures_and_sounds_are_where_they_were_put(make, measure, name, options):
    clip = read_clip(make(name, **options), fps=25, sample_rate=16000)
    assert clip.frames.shape == (50, 48, 64, 3)
    assert clip.audio.shape == (32000, options.get("channels", 1))
    assert clip.audio.dtype == np.float32
    np.testing.assert_array_equal(measure.grey(clip.frames), np.arange(50))
    np.testing.assert_allclose(measure.heard(clip.audio, 16000), measure.times, atol=0.005)


def test_reordered_frames_come_in_the_order_they_are_shown_in(make, measure):
    # AVI knows decoding times only.
    path = make("b.avi", video="mpeg4", audio=None, codec_options=BFRAMES)
    found = measure.grey(read_clip(path, fps=25, sample_rate=16000).frames)
    np.testing.assert_array_equal(found, np.arange(50))


@pytest.mark.parametrize("fps", [6, 12.5, 24, 30, 60])
def test_each_picture_is_the_nearest_in_time(make, measure, fps):
    path = make("a.mp4", audio=None)
    found = measure.grey(read_clip(path, fps=fps, sample_rate=16000).frames)
    assert len(found) == round(2.0 * fps)
    distance = np.abs(found / 25 - np.arange(len(found)) / fps)
    nearest = np.abs(np.arange(50)[None] / 25 - np.arange(len(found))[:, None] / fps).min(axis=1)
    np.testing.assert_allclose(distance, nearest, atol=1e-9)


def test_a_variable_frame_rate_keeps_its_times(make, measure):
    times = [0, 40, 80, 500, 520, 1000, 1900]
    path = make("vfr.mkv", video="ffv1", audio=None, times=times, seconds=2.0)
    found = measure.grey(read_clip(path, fps=50, sample_rate=16000).frames)
    at = np.asarray(times)[found] / 1000
    expected = [min(abs(time / 1000 - k / 50) for time in times) for k in range(len(found))]
    np.testing.assert_allclose(np.abs(at - np.arange(len(found)) / 50), expected, atol=1e-9)


def test_frames_one_by_one_are_those_of_the_clip(make):
    path = make("a.mp4", size=(70, 50))
    whole = read_clip(path, fps=10, sample_rate=16000, size=32).frames
    single = list(iter_frames(path, fps=10, size=32, limits=LIMITS))
    assert whole.shape == (20, 32, 32, 3)
    np.testing.assert_array_equal(whole, single)


RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
TURNS = [  # degrees anticlockwise, mirrored left to right; then corners as shown
    (0, False, [[RED, GREEN], [BLUE, WHITE]]),
    (90, False, [[GREEN, WHITE], [RED, BLUE]]),
    (180, False, [[WHITE, BLUE], [GREEN, RED]]),
    (-90, False, [[BLUE, RED], [WHITE, GREEN]]),
    (0, True, [[GREEN, RED], [WHITE, BLUE]]),
    (90, True, [[WHITE, GREEN], [BLUE, RED]]),
]


@pytest.mark.parametrize(("degrees", "mirrored", "corners"), TURNS)
def test_the_picture_is_shown_upright(make, degrees, mirrored, corners):
    path = make(
        "turned.mp4", audio=None, size=(96, 64), pattern=True, seconds=0.2, turn=(degrees, mirrored)
    )
    clip = read_clip(path, fps=25, sample_rate=16000)
    upright = degrees % 180 == 0
    assert clip.frames.shape[1:3] == ((64, 96) if upright else (96, 64))
    assert (clip.info.width, clip.info.height) == ((96, 64) if upright else (64, 96))
    if not mirrored:
        assert clip.info.rotation == -degrees % 360
    height, width = clip.frames.shape[1:3]
    quarter = clip.frames[0][height // 4 :: height // 2, width // 4 :: width // 2]
    np.testing.assert_allclose(quarter.astype(int), corners, atol=24)


def test_pixels_become_square(make):
    path = make("wide.mp4", audio=None, size=(60, 48), aspect=Fraction(4, 3), seconds=0.2)
    assert read_clip(path, fps=25, sample_rate=16000).frames.shape[1:3] == (48, 80)


def test_the_centre_of_a_wide_picture_is_kept(make):
    path = make("wide.mkv", video="ffv1", audio=None, size=(128, 64), pattern=True, seconds=0.2)
    picture = read_clip(path, fps=25, sample_rate=16000, size=32).frames[0].astype(int)
    assert picture.shape == (32, 32, 3)
    corners = [[RED, GREEN], [BLUE, WHITE]]
    np.testing.assert_allclose(picture[8::16, 8::16], corners, atol=24)


def test_odd_sizes_are_kept(make):
    path = make("odd.mkv", video="ffv1", audio=None, size=(61, 47), pix_fmt="yuv444p")
    assert read_clip(path, fps=25, sample_rate=16000).frames.shape == (50, 47, 61, 3)


@pytest.mark.parametrize("name", ["late.mp4", "late.mkv", "late.ts"])
def test_audio_that_starts_late_is_led_in_by_silence(make, measure, name):
    path = make(name, audio_start=0.25, audio_seconds=1.75)
    audio = read_clip(path, fps=25, sample_rate=16000).audio
    assert len(audio) == 32000
    np.testing.assert_allclose(measure.heard(audio, 16000), measure.times, atol=0.005)


@pytest.mark.parametrize("name", ["early.mp4", "early.mkv", "early.ts"])
def test_audio_before_the_first_picture_is_cut(make, measure, name):
    path = make(name, video_start=0.6, audio_seconds=2.6)
    clip = read_clip(path, fps=25, sample_rate=16000)
    assert (len(clip.frames), len(clip.audio)) == (50, 32000)
    np.testing.assert_array_equal(measure.grey(clip.frames), np.arange(50))
    np.testing.assert_allclose(measure.heard(clip.audio, 16000), measure.times, atol=0.005)


def test_audio_that_ends_early_is_filled_up(make):
    audio = read_clip(make("a.mp4", audio_seconds=1.0), fps=25, sample_rate=16000).audio
    assert audio.shape == (32000, 1)
    assert np.abs(audio[8000:13000]).max() > 0.2
    assert not audio[16000:].any()


def test_lost_audio_packets_do_not_move_what_follows(make, measure):
    path = make("gap.mkv", video="ffv1", audio="flac", drop_audio=range(4, 7))
    audio = read_clip(path, fps=25, sample_rate=16000).audio
    np.testing.assert_allclose(measure.heard(audio, 16000), measure.times, atol=0.005)


def test_a_single_picture_is_a_clip(make):
    clip = read_clip(make("one.mp4", audio=None, seconds=0.04), fps=25, sample_rate=16000)
    assert clip.frames.shape == (1, 48, 64, 3)
    assert clip.audio is None


@pytest.mark.parametrize("name", ["a.mkv", "a.ts"])
def test_what_is_left_of_a_cut_off_file_is_read(make, measure, name):
    path = make(name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    clip = read_clip(path, fps=25, sample_rate=16000)
    assert 20 < len(clip.frames) < 50
    assert (measure.grey(clip.frames)[:15] == np.arange(15)).all()


def test_damage_in_the_middle_costs_only_the_frames_it_hits(make, measure):
    path = make("a.mkv", video="mjpeg", pix_fmt="yuvj420p", size=(160, 128))
    with av.open(str(path)) as container:
        packet = [p for p in container.demux(video=0) if p.size][20]
    damaged = path.read_bytes().replace(bytes(packet), bytes(packet.size))
    path.write_bytes(damaged)
    found = measure.grey(read_clip(path, fps=25, sample_rate=16000).frames)
    assert len(found) == 50
    np.testing.assert_array_equal(np.delete(found, 20), np.delete(np.arange(50), 20))


@pytest.mark.parametrize("codec", ["aac", "libmp3lame", "libopus", "flac", "pcm_s16le"])
@pytest.mark.parametrize("sample_rate", [16000, 48000, None])
def test_audio_files_start_at_their_first_sample(make, measure, codec, sample_rate):
    path = make("sound.mkv", video=None, audio=codec, channels=2)
    audio, rate = read_audio(path, sample_rate=sample_rate, limits=LIMITS)
    assert rate == (sample_rate or 48000)
    assert abs(len(audio) - 2 * rate) <= 0.03 * rate
    np.testing.assert_allclose(measure.heard(audio, rate), measure.times, atol=0.005)


def test_probe_tells_what_is_in_the_file(make):
    info = probe(make("a.mp4", channels=2, rate=44100, video_start=0.4), limits=LIMITS)
    assert (info.codec, info.frames, info.width, info.height) == ("h264", 50, 64, 48)
    assert (info.has_audio, info.audio_rate, info.audio_channels) == (True, 44100, 2)
    assert info.start == pytest.approx(0.4, abs=1e-3)
    assert info.duration == pytest.approx(2.0, abs=1e-3)
    assert info.rate == pytest.approx(25, abs=0.01)
