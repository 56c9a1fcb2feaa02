"""A soundtrack is joined with the picture: not a byte of it changes, and nothing moves."""

import contextlib
import os
import resource
from fractions import Fraction

import av
import numpy as np
import pytest

from v2a_jax.errors import UserError
from v2a_jax.media.containers import output_suffix
from v2a_jax.media.decode import probe, read_audio, read_clip
from v2a_jax.media.files import atomic_output, file_sha256, packet_digest
from v2a_jax.media.mux import mux, write_wav
from v2a_jax.media.source import LIMITS

RATE = 16000
BFRAMES = {"bf": "2"}


def timing(path):
    """(pts, dts) of the video packets, in seconds."""
    with av.open(str(path)) as container:
        found = [p for p in container.demux(video=0) if p.size]
        return [
            [None if t is None else float(t * p.time_base) for t in (p.pts, p.dts)] for p in found
        ]


def check(measure, source, result, *, sample_rate=RATE, channels=1):
    """Muxes bursts with `source` and checks that the result is right in every respect."""
    before = probe(source, limits=LIMITS)
    mux(source, measure.bursts(before.duration, sample_rate, channels), sample_rate, result)
    after = probe(result, limits=LIMITS)
    assert packet_digest(result, limits=LIMITS) == packet_digest(source, limits=LIMITS)
    tick = 0.00051  # Matroska rounds to 1 ms
    for old, new in zip(timing(source), timing(result), strict=True):
        assert new[0] == pytest.approx(old[0], abs=tick)
        assert None in (*old, *new) or new[1] == pytest.approx(old[1], abs=tick)
    assert (after.width, after.height, after.rotation) == (
        before.width,
        before.height,
        before.rotation,
    )
    sound, _ = read_audio(result, sample_rate=RATE, limits=LIMITS)
    assert sound.shape[1] == channels
    assert len(sound) / RATE == pytest.approx(before.duration, abs=0.0214)  # a frame of AAC
    expected = [time for time in measure.times if time < before.duration - 0.05]
    np.testing.assert_allclose(measure.heard(sound, RATE), expected, atol=0.005)
    clip = read_clip(result, fps=25, sample_rate=RATE)
    np.testing.assert_allclose(measure.heard(clip.audio, RATE), expected, atol=0.005)
    with av.open(str(result)) as container:
        assert [len(container.streams.video), len(container.streams.audio)] == [1, 1]


KINDS = [
    ("a.mp4", "out.mp4", dict(video="libx264", codec_options=BFRAMES)),
    ("a.mp4", "out.mkv", dict(video="libx264", codec_options=BFRAMES)),
    ("a.mp4", "out.mov", dict(video="mpeg4", turn=(90, False))),
    ("a.mov", "out.mp4", dict(video="libx264", turn=(180, True), audio=None)),
    ("a.mkv", "out.mp4", dict(video="libx264", codec_options=BFRAMES)),
    ("a.mkv", "out.mkv", dict(video="ffv1", audio="flac")),
    ("a.webm", "out.webm", dict(video="libvpx-vp9", audio="libopus")),
    ("a.webm", "out.mp4", dict(video="libvpx-vp9", audio=None)),
    ("a.avi", "out.mp4", dict(video="mjpeg", audio="pcm_s16le", pix_fmt="yuvj420p")),
    ("a.gif", "out.mov", dict(video="gif", audio=None, pix_fmt="rgb8")),
    ("a.3gp", "out.3gp", dict(video="h263", audio=None, size=(176, 144))),
    ("late.mp4", "out.mp4", dict(video_start=0.6, codec_options=BFRAMES)),
    ("late.mp4", "out.mkv", dict(video_start=0.6)),
    ("vfr.mkv", "out.mp4", dict(video="mpeg4", times=[0, 40, 500, 520, 1000, 1900], audio=None)),
    ("one.mp4", "out.mp4", dict(seconds=0.04, audio=None)),
]


@pytest.mark.parametrize(("name", "result", "options"), KINDS)
def test_the_picture_is_copied_and_the_sound_in_place(
    make, measure, tmp_path, name, result, options
):
    check(measure, make(name, **options), tmp_path / result)


@pytest.mark.parametrize("result", ["out.mp4", "out.webm", "out.mkv"])
@pytest.mark.parametrize(("sample_rate", "channels"), [(44100, 2), (48000, 1), (22050, 1)])
def test_any_rate_and_stereo(make, measure, tmp_path, result, sample_rate, channels):
    source = make("a.webm", video="libvpx-vp9", audio=None)
    check(measure, source, tmp_path / result, sample_rate=sample_rate, channels=channels)


def test_what_an_edit_list_cuts_stays_cut_and_in_sync(make, measure, tmp_path):
    """A video whose first ten frames lie before time 0, as phones write trimmed clips."""
    source = make("trimmed.mp4", video_start=-0.4, audio=None, codec_options={"g": "50"})
    info = probe(source, limits=LIMITS)
    assert (info.start, info.duration) == (0.0, pytest.approx(1.6))
    result = tmp_path / "out.mp4"
    mux(source, measure.bursts(1.6, RATE), RATE, result)
    assert packet_digest(result, limits=LIMITS) == packet_digest(source, limits=LIMITS)
    clip = read_clip(result, fps=25, sample_rate=RATE)
    np.testing.assert_array_equal(measure.grey(clip.frames), np.arange(10, 50))
    np.testing.assert_allclose(measure.heard(clip.audio, RATE), measure.times, atol=0.005)


def test_a_soundtrack_is_cut_or_filled_up_to_the_video(make, tmp_path):
    source = make("a.mp4")
    for seconds in (0.5, 3.0):
        mux(source, np.full((round(seconds * RATE), 1), 0.3), RATE, tmp_path / "out.mkv")
        sound, _ = read_audio(tmp_path / "out.mkv", sample_rate=RATE, limits=LIMITS)
        assert len(sound) == 2 * RATE
        assert np.allclose(sound[: round(min(seconds, 2.0) * RATE)], 0.3, atol=1e-4)
        assert not sound[round(seconds * RATE) :].any()


def test_lossless_sound_in_matroska(make, tmp_path):
    wave = np.random.default_rng(0).uniform(-1, 1, (2 * RATE, 2)).astype(np.float32)
    mux(make("a.mp4"), wave, RATE, tmp_path / "out.mkv")
    sound, _ = read_audio(tmp_path / "out.mkv", sample_rate=None, limits=LIMITS)
    np.testing.assert_allclose(sound, wave, atol=2**-23)


def test_tags_are_kept_whatever_their_bytes(make, tmp_path):
    source = make("a.mkv", audio=None, metadata={"title": "Über"})
    broken = b"\xff\xfe\xfd\xfcr"
    source.write_bytes(source.read_bytes().replace("Über".encode(), broken))
    mux(source, np.zeros((RATE, 1)), RATE, tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv"), metadata_errors="surrogateescape") as container:
        assert container.metadata["title"] == broken.decode(errors="surrogateescape")


def test_pixels_stay_square_or_the_container_is_refused(make, tmp_path):
    source = make("wide.mp4", video="libvpx-vp9", audio=None, aspect=Fraction(4, 3), size=(60, 48))
    mux(source, np.zeros((RATE, 1)), RATE, tmp_path / "out.mp4")
    assert probe(tmp_path / "out.mp4", limits=LIMITS).width == 80
    with pytest.raises(UserError, match="works ends in .mp4"):
        mux(source, np.zeros((RATE, 1)), RATE, tmp_path / "out.webm")


def test_a_container_that_cannot_hold_the_video_is_refused_by_name(make, tmp_path):
    source = make("a.mp4")
    with pytest.raises(UserError, match=r"\.webm cannot hold this h264 video.*\.mp4.*\.mkv"):
        mux(source, np.zeros((RATE, 1)), RATE, tmp_path / "out.webm")
    with pytest.raises(UserError, match=r"unknown kind.*\.mp4"):
        mux(source, np.zeros((RATE, 1)), RATE, tmp_path / "out.xyz")
    assert os.listdir(tmp_path) == ["a.mp4"]


@pytest.mark.parametrize(
    ("name", "options", "suffix"),
    [
        ("a.mp4", {}, ".mp4"),
        ("a.mkv", {}, ".mkv"),
        ("a.avi", dict(video="mjpeg", audio=None, pix_fmt="yuvj420p"), ".mp4"),
        ("a.gif", dict(video="gif", audio=None, pix_fmt="rgb8"), ".mov"),
        ("a.webm", dict(video="libvpx", audio=None), ".webm"),
        ("a.mkv", dict(video="libvpx", audio=None), ".mkv"),
    ],
)
def test_a_suffix_is_suggested_that_works(make, measure, tmp_path, name, options, suffix):
    source = make(name, **options)
    assert output_suffix(source, limits=LIMITS) == suffix
    check(measure, source, tmp_path / f"out{suffix}")


def test_a_file_never_replaces_its_own_source(make):
    source = make("a.mp4")
    before = file_sha256(source)
    with pytest.raises(UserError, match="the source itself"):
        mux(source, np.zeros((RATE, 1)), RATE, source)
    assert file_sha256(source) == before


@pytest.mark.parametrize("audio", [np.zeros(RATE), np.zeros((RATE, 9)), np.full((RATE, 1), np.nan)])
def test_audio_that_is_none_is_refused(make, tmp_path, audio):
    with pytest.raises(UserError, match="audio"):
        mux(make("a.mp4"), audio, RATE, tmp_path / "out.mp4")
    assert os.listdir(tmp_path) == ["a.mp4"]


@contextlib.contextmanager
def full_disk(size):
    """From `size` bytes on, the system refuses to let a file grow: pytest's own log included, so
    the limit must end before a result is reported."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [0, 100, 3000, 20000])
@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_a_full_disk_leaves_what_was_there(make, measure, tmp_path, name, size):
    source, result = make("a.mp4"), tmp_path / name
    result.write_bytes(b"from before")
    noise = np.random.default_rng(0).uniform(-1, 1, (2 * RATE, 1))
    with full_disk(size), pytest.raises(UserError, match="cannot write"):
        mux(source, noise, RATE, result)
    assert result.read_bytes() == b"from before"
    assert sorted(os.listdir(tmp_path)) == sorted(["a.mp4", name])


def test_a_missing_folder_is_one_line(make, tmp_path):
    with pytest.raises(UserError, match="No such file"):
        mux(make("a.mp4"), np.zeros((RATE, 1)), RATE, tmp_path / "none" / "out.mp4")


def test_an_interrupted_write_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), atomic_output(tmp_path / "file") as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("bits", "tolerance"), [(32, 0.0), (16, 0.6 / 32767)])
def test_wav_files_read_back(tmp_path, bits, tolerance):
    wave = np.random.default_rng(0).uniform(-1, 1, (RATE, 2)).astype(np.float32)
    write_wav(tmp_path / "a.wav", wave, RATE, bits=bits)
    write_wav(tmp_path / "b.wav", wave, RATE, bits=bits)
    sound, rate = read_audio(tmp_path / "a.wav", sample_rate=None, limits=LIMITS)
    assert rate == RATE
    np.testing.assert_allclose(sound * (32768 / 32767 if bits == 16 else 1), wave, atol=tolerance)
    assert file_sha256(tmp_path / "a.wav") == file_sha256(tmp_path / "b.wav")


def test_the_packet_digest_sees_a_single_bit(make):
    path = make("a.mkv", video="ffv1", audio=None)
    before = packet_digest(path, limits=LIMITS)
    with av.open(str(path)) as container:
        packet = bytes([p for p in container.demux(video=0) if p.size][20])
    changed = bytes([packet[0]]) + bytes([packet[1] ^ 1]) + packet[2:]
    path.write_bytes(path.read_bytes().replace(packet, changed))
    assert packet_digest(path, limits=LIMITS) != before
