"""Whatever is wrong with a file is one clear line, and nothing else is written anywhere."""

import dataclasses
import os

import av
import pytest

from v2a_jax.errors import UserError
from v2a_jax.media.decode import read_audio, read_clip
from v2a_jax.media.source import LIMITS


def refusal(path, **options):
    with pytest.raises(UserError) as caught:
        read_clip(path, fps=25, sample_rate=16000, **options)
    line = str(caught.value)
    assert "\n" not in line and str(path) in line
    return line


def test_a_missing_file(tmp_path):
    assert "no such file" in refusal(tmp_path / "none.mp4")


def test_a_folder(tmp_path):
    assert "directory" in refusal(tmp_path)


def test_an_empty_file(tmp_path):
    (tmp_path / "empty.mp4").touch()
    assert "0 bytes" in refusal(tmp_path / "empty.mp4")


def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "regular file" in refusal(tmp_path / "pipe.mp4")


@pytest.mark.parametrize("name", ["text.mp4", "text.txt", "text.mkv", "text.gif"])
def test_text_is_not_media(tmp_path, name):
    (tmp_path / name).write_text("There is no picture in here.\n" * 200)
    assert "not a media file" in refusal(tmp_path / name)


def test_noise_is_not_media(tmp_path):
    (tmp_path / "noise.mp4").write_bytes(os.urandom(4096))
    refusal(tmp_path / "noise.mp4")


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{}'\n",
    ],
)
def test_a_list_of_other_files_is_not_followed(make, tmp_path, playlist):
    inner = make("inner.ts")
    (tmp_path / "list.m3u8").write_text(playlist.format(inner.name))
    assert "not a media file" in refusal(tmp_path / "list.m3u8")


def test_a_protocol_in_a_name_is_only_a_name(make):
    path = make("inner.ts")
    assert "no such file" in refusal(f"concat:{path}|{path}")


def test_audio_alone_is_no_video(make):
    assert "no video" in refusal(make("sound.m4a", video=None))


def test_video_alone_has_no_audio(make):
    path = make("mute.mp4", audio=None)
    with pytest.raises(UserError, match="no audio"):
        read_audio(path, sample_rate=None, limits=LIMITS)


def test_a_header_without_frames(make):
    path = make("a.mkv", audio=None)
    with av.open(str(path)) as container:
        first = next(p for p in container.demux(video=0) if p.size)
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(bytes(first)) + first.size // 4])
    refusal(path)


def test_a_file_cut_before_its_index(make):
    path = make("a.mp4")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "not a media file" in refusal(path)


@pytest.mark.parametrize(
    ("limit", "value"),
    [
        ("max_bytes", 1000),
        ("max_pixels", 64 * 48 - 1),
        ("max_frames", 49),
        ("max_seconds", 1.9),
        ("max_decoded_bytes", 50 * 64 * 48 * 3 - 1),
    ],
)
def test_each_limit_is_kept(make, limit, value):
    path = make("a.mp4")
    assert "limit" in refusal(path, limits=dataclasses.replace(LIMITS, **{limit: value}))
    exact = dataclasses.replace(LIMITS, **{limit: value + (1 if limit != "max_bytes" else 10**6)})
    assert len(read_clip(path, fps=25, sample_rate=16000, limits=exact).frames) == 50


@pytest.mark.parametrize(("limit", "value"), [("max_seconds", 1.5), ("max_decoded_bytes", 60000)])
def test_limits_hold_for_audio_files(make, limit, value):
    path = make("a.m4a", video=None)
    with pytest.raises(UserError, match="limit"):
        read_audio(path, sample_rate=16000, limits=dataclasses.replace(LIMITS, **{limit: value}))


def test_a_far_away_audio_packet_is_not_filled_up_to(make):
    path = make("far.mkv", video="ffv1", audio="flac", audio_start=100_000.0)
    with pytest.raises(UserError, match="limit"):
        read_audio(path, sample_rate=16000, limits=LIMITS)


def test_damage_makes_no_noise(make, capfd):
    path = make("a.mkv")
    content = bytearray(path.read_bytes())
    content[2000:6000:7] = bytes(len(content[2000:6000:7]))
    path.write_bytes(content)
    try:
        read_clip(path, fps=25, sample_rate=16000)
    except UserError as error:
        assert "\n" not in str(error)
    assert capfd.readouterr() == ("", "")
