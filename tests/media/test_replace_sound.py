"""A file is written again with other sound: nothing is moved, cut or held in memory."""

import dataclasses
import os
import tracemalloc

import av
import numpy as np
import pytest
import scipy.io.wavfile

from v2a_jax.errors import UserError
from v2a_jax.media.audio import Sound
from v2a_jax.media.decode import iter_audio, open_sound, probe, read_audio
from v2a_jax.media.files import file_sha256, packet_digest
from v2a_jax.media.mux import replace_sound
from v2a_jax.media.source import LIMITS


def rewrite(source, result):
    """Writes `source` again with its own sound."""
    with open_sound(source, limits=LIMITS) as sound:
        replace_sound(source, sound, result)


def read(path, rate=None):
    return read_audio(path, sample_rate=rate, limits=LIMITS)


@pytest.fixture
def noise(tmp_path):
    """noise(rate, channels, seconds) -> a WAV file of 16-bit noise, and its samples."""

    def write(rate=16000, channels=1, seconds=0.5):
        path = tmp_path / "noise.wav"
        shape = round(rate * seconds), channels
        data = np.random.default_rng(0).integers(-20000, 20000, shape).astype(np.int16)
        scipy.io.wavfile.write(path, rate, data)
        return path, data / np.float32(32768)

    return write


@pytest.mark.parametrize("channels", range(1, 9))
@pytest.mark.parametrize("name", ["out.wav", "out.flac", "out.mkv"])
def test_lossless_files_keep_every_sample_of_every_channel(noise, tmp_path, name, channels):
    source, wave = noise(channels=channels)
    rewrite(source, tmp_path / name)
    sound, rate = read(tmp_path / name)
    assert rate == 16000
    np.testing.assert_array_equal(sound, wave)


@pytest.mark.parametrize("rate", [1000, 8000, 11025, 44100, 96000, 192000])
@pytest.mark.parametrize("name", ["out.wav", "out.flac"])
def test_lossless_files_keep_the_rate(noise, tmp_path, name, rate):
    source, wave = noise(rate)
    rewrite(source, tmp_path / name)
    assert read(tmp_path / name)[1] == rate
    np.testing.assert_array_equal(read(tmp_path / name)[0], wave)


LOSSY = {  # the rate in the file for sounds at 44100 and 192000 Hz
    "out.mp3": (44100, 48000),
    "out.m4a": (44100, 96000),
    "out.mp4": (44100, 96000),
    "out.ogg": (48000, 48000),
    "out.opus": (48000, 48000),
    "out.webm": (48000, 48000),
}


@pytest.mark.parametrize("name", LOSSY)
@pytest.mark.parametrize("channels", [1, 2])
def test_lossy_files_keep_length_and_timing(make, measure, tmp_path, name, channels):
    for rate, kept in zip((44100, 192000), LOSSY[name], strict=True):
        source = make("a.wav", video=None, audio="pcm_s16le", rate=rate, channels=channels)
        rewrite(source, tmp_path / name)
        sound, found = read(tmp_path / name)
        assert found == kept
        assert sound.shape[1] == channels
        assert abs(len(sound) - 2 * kept) <= 2
        np.testing.assert_allclose(measure.heard(sound, kept), measure.times, atol=0.003)


def test_bare_aac_is_late_by_no_more_than_a_frame(make, measure, tmp_path):
    rewrite(make("a.wav", video=None, audio="pcm_s16le"), tmp_path / "out.aac")
    sound, rate = read(tmp_path / "out.aac")
    assert rate == 48000 and abs(len(sound) - 2 * rate) <= 2048
    np.testing.assert_allclose(measure.heard(sound, rate), measure.times, atol=0.024)


@pytest.mark.parametrize(("name", "channels"), [("out.mp3", 6), ("out.flac", 9)])
def test_channels_that_a_file_cannot_hold_are_refused(noise, tmp_path, name, channels):
    source, _ = noise(channels=channels)
    with pytest.raises(UserError, match=rf"{channels} channels.*\{name[3:]}"):
        rewrite(source, tmp_path / name)
    assert os.listdir(tmp_path) == ["noise.wav"]


@pytest.mark.parametrize("name", ["out.m4a", "out.opus"])
@pytest.mark.parametrize("channels", range(3, 9))
def test_lossy_files_of_many_channels(noise, tmp_path, name, channels):
    source, _ = noise(rate=48000, channels=channels)
    rewrite(source, tmp_path / name)
    assert read(tmp_path / name)[0].shape == (24000, channels)


VIDEOS = {
    "plain": ("a.mp4", "out.mp4", {}),
    "into another container": ("a.mp4", "out.mkv", dict(channels=2, codec_options={"bf": "2"})),
    "late": ("a.mp4", "out.mp4", dict(audio_start=0.25, audio_seconds=1.75)),
    "late in Matroska": ("a.mkv", "out.mkv", dict(audio_start=0.25, audio_seconds=1.75)),
    "ends early": ("a.mp4", "out.mp4", dict(audio_seconds=1.6)),
    "ends late": ("a.mkv", "out.mp4", dict(audio_seconds=3.0)),
    "before the picture": ("a.mkv", "out.mp4", dict(video_start=0.6, audio_seconds=2.6)),
    "WebM": ("a.webm", "out.webm", dict(video="libvpx-vp9", audio="libopus")),
    "transport stream": ("a.ts", "out.mp4", dict(video="mpeg2video")),
}


@pytest.mark.parametrize("case", VIDEOS)
def test_the_picture_is_copied_and_the_sound_stays_where_it_was(make, measure, tmp_path, case):
    name, result, options = VIDEOS[case]
    source, result = make(name, **options), tmp_path / result
    rewrite(source, result)
    assert packet_digest(result, limits=LIMITS) == packet_digest(source, limits=LIMITS)
    before, after = probe(source, limits=LIMITS), probe(result, limits=LIMITS)
    assert (after.start, after.duration) == pytest.approx((before.start, before.duration), abs=1e-3)
    old, new = read(source, 16000)[0], read(result, 16000)[0]
    assert new.shape[1] == old.shape[1]
    assert abs(len(new) - len(old)) <= 0.022 * 16000  # a frame of AAC
    np.testing.assert_allclose(measure.heard(new, 16000), measure.times, atol=0.005)
    with open_sound(source, limits=LIMITS) as one, open_sound(result, limits=LIMITS) as other:
        assert other.start == pytest.approx(one.start, abs=0.025)


def test_the_sound_of_a_video_alone(make, measure, tmp_path):
    rewrite(make("a.mp4", channels=2), tmp_path / "out.flac")
    with av.open(str(tmp_path / "out.flac")) as container:
        assert not container.streams.video
    sound, rate = read(tmp_path / "out.flac")
    np.testing.assert_allclose(measure.heard(sound, rate), measure.times, atol=0.005)


@pytest.mark.parametrize("name", ["out.flac", "out.mp3", "out.opus", "out.m4a"])
def test_tags_are_kept(make, tmp_path, name):
    source = make("a.ogg", video=None, audio="libopus", metadata={"title": "Über"})
    rewrite(source, tmp_path / name)
    with av.open(str(tmp_path / name)) as container:
        found = {**container.metadata, **container.streams.audio[0].metadata}
    assert "Über" in found.values()


@pytest.mark.parametrize("link", [None, os.symlink, os.link])
def test_a_file_never_replaces_its_own_source(noise, tmp_path, link):
    source, _ = noise()
    result = source
    if link is not None:
        result = tmp_path / "other.wav"
        link(source, result)
    before = file_sha256(source)
    with pytest.raises(UserError, match="the source itself"):
        rewrite(source, result)
    assert file_sha256(source) == before


@pytest.mark.parametrize("name", ["out", "out.txt", "out.avi", "out.wav.gz", ""])
def test_an_unknown_suffix_is_told_with_those_that_work(noise, tmp_path, name):
    with pytest.raises(UserError, match=r"unknown kind.*\.wav.*\.mp4"):
        rewrite(noise()[0], tmp_path / name)


def test_a_picture_that_a_container_cannot_hold_is_refused(make, tmp_path):
    with pytest.raises(UserError, match=r"\.webm cannot hold this h264 video"):
        rewrite(make("a.mp4"), tmp_path / "out.webm")


@pytest.mark.parametrize("name", ["out.wav", "out.mp3", "out.mp4"])
def test_a_failure_midway_leaves_what_was_there(make, tmp_path, name):
    def failing():
        yield np.zeros((48000, 1), np.float32)
        raise UserError("no more of this")

    source, result = make("a.mp4"), tmp_path / name
    result.write_bytes(b"from before")
    sound = Sound(blocks=failing(), rate=48000, channels=1, layout=None, start=0.0)
    with pytest.raises(UserError, match="no more of this"):
        replace_sound(source, sound, result)
    assert result.read_bytes() == b"from before"
    assert sorted(os.listdir(tmp_path)) == ["a.mp4", name]


@pytest.mark.parametrize("name", ["out.wav", "out.flac", "out.opus", "out.mp4"])
def test_a_long_sound_is_never_whole_in_memory(make, tmp_path, name):
    """Two minutes of stereo, 46 MB: blocks are taken one by one, and let go."""
    taken = []

    def blocks():
        for _ in range(120):
            taken.append(tracemalloc.get_traced_memory()[0])
            yield np.zeros((48000, 2), np.float32)

    source = make("a.mp4")
    sound = Sound(blocks=blocks(), rate=48000, channels=2, layout=None, start=0.0)
    tracemalloc.start()
    try:
        replace_sound(source, sound, tmp_path / name)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(taken) == 120
    assert peak < 10e6 and taken[-1] < taken[10] + 1e6
    with open_sound(tmp_path / name, limits=LIMITS) as written:
        lengths = [len(block) for block in written.blocks]
    assert abs(sum(lengths) - 120 * 48000) <= 1024
    assert max(lengths) <= 4 * 48000


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channels", [1, 2])
def test_samples_that_are_no_numbers_are_refused_by_name(tmp_path, bad, channels):
    wave = np.zeros((30000, channels), np.float32)
    wave[20000, -1] = bad
    scipy.io.wavfile.write(tmp_path / "bad.wav", 16000, wave)
    for rate in (16000, 8000):
        with pytest.raises(UserError, match=r"bad\.wav.* not finite"):
            read(tmp_path / "bad.wav", rate)
    with pytest.raises(UserError, match=r"bad\.wav.* not finite"):
        rewrite(tmp_path / "bad.wav", tmp_path / "out.wav")
    assert os.listdir(tmp_path) == ["bad.wav"]


def test_a_sound_without_samples_is_refused(tmp_path):
    scipy.io.wavfile.write(tmp_path / "none.wav", 16000, np.zeros((0, 1), np.int16))
    for attempt in (
        lambda path: list(iter_audio(path, sample_rate=16000, limits=LIMITS)),
        lambda path: open_sound(path, limits=LIMITS).__enter__(),
    ):
        with pytest.raises(UserError, match=r"none\.wav: none of its audio"):
            attempt(tmp_path / "none.wav")


def test_a_single_sample_and_a_cut_off_file_are_kept_as_they_are(noise, tmp_path):
    source, wave = noise(seconds=1 / 16000)
    rewrite(source, tmp_path / "out.wav")
    np.testing.assert_array_equal(read(tmp_path / "out.wav")[0], wave)
    source, wave = noise()
    source.write_bytes(source.read_bytes()[:-5000])
    rewrite(source, tmp_path / "out.wav")
    np.testing.assert_array_equal(read(tmp_path / "out.wav")[0], wave[:-2500])


def test_the_blocks_may_be_of_any_size(noise, tmp_path):
    source, wave = noise()
    sizes = np.random.default_rng(0).integers(0, 900, 40)
    with open_sound(source, limits=LIMITS) as sound:
        blocks = np.split(wave, np.minimum(np.cumsum(sizes), len(wave)))
        replace_sound(source, dataclasses.replace(sound, blocks=blocks), tmp_path / "out.flac")
    np.testing.assert_array_equal(read(tmp_path / "out.flac")[0], wave)
