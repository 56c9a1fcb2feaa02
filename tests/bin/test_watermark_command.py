"""`v2a watermark`: `v2a detect` finds what it writes, and nothing but the sound is changed."""

import hashlib
import json
import os
import tracemalloc

import av
import numpy as np
import pytest
import scipy.io.wavfile

from v2a_jax.media.decode import read_audio
from v2a_jax.media.files import packet_digest
from v2a_jax.media.source import LIMITS

RATE = 16000


@pytest.fixture
def video(tmp_path, clip, rattle):
    """The clip of this folder with four seconds of sound."""
    path = tmp_path / "in.mp4"
    with av.open(str(clip)) as source, av.open(str(path), "w") as output:
        picture = output.add_stream_from_template(source.streams.video[0])
        stream = output.add_stream("aac", rate=RATE, layout="stereo")
        wave = np.ascontiguousarray(rattle(4.0, channels=2).T)
        frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="stereo")
        frame.sample_rate = RATE
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = picture
                output.mux(packet)
        output.mux([*stream.encode(frame), *stream.encode(None)])
    return path


@pytest.fixture
def mark(v2a, key_file, tmp_path):
    """mark(file, out name, **flags) -> exit status, lines of stderr; files go to a folder."""
    out = tmp_path / "out"
    out.mkdir()

    def run(file, name="out.wav", **changes):
        given = dict(out=out / name, key_file=key_file) | changes
        flags = [f"--{k}={v}" for k, v in given.items() if v is not None]
        return v2a("watermark", *([] if file is None else [file]), *flags)

    run.out = out
    return run


@pytest.fixture
def detect(v2a, key_file):
    """detect(file) -> what `v2a detect --json` says of it."""

    def run(file):
        status, _ = v2a("detect", "--json", f"--key_file={key_file}", file)
        (line,) = v2a.output
        return json.loads(line) | {"status": status}

    return run


def read(path):
    return read_audio(path, sample_rate=None, limits=LIMITS)


KINDS = ["out.wav", "out.flac", "out.mp3", "out.m4a", "out.aac", "out.ogg", "out.opus", "out.mp4"]


@pytest.mark.parametrize("name", KINDS)
def test_what_is_marked_is_found_in_every_kind_of_file(mark, detect, sound, name, v2a):
    assert mark(sound(), name, payload=4711) == (0, [])
    (line,) = v2a.output
    found = detect(mark.out / name)
    assert found["watermarked"] and found["payload"] == 4711
    assert line == f"{mark.out / name}: key {found['key_id']}, payload 4711"
    assert os.listdir(mark.out) == [name]


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (44100, 2), (48000, 8), (192000, 1)])
@pytest.mark.parametrize("name", ["out.wav", "out.flac"])
def test_rate_channels_and_length_are_kept_to_the_sample(mark, detect, sound, rate, channels, name):
    source = sound(seconds=3.00005, rate=rate, channels=channels)
    assert mark(source, name) == (0, [])
    marked, found = read(mark.out / name)
    assert found == rate and marked.shape == read(source)[0].shape
    assert detect(mark.out / name)["watermarked"]


def test_the_picture_is_copied_and_every_channel_marked(mark, detect, video):
    assert mark(video, "out.mp4") == (0, [])
    result = mark.out / "out.mp4"
    assert packet_digest(result, limits=LIMITS) == packet_digest(video, limits=LIMITS)
    assert abs(len(read(result)[0]) - len(read(video)[0])) <= 1024
    assert detect(result)["watermarked"]
    for channel, one in enumerate(read(result)[0].T):
        scipy.io.wavfile.write(mark.out / f"{channel}.wav", RATE, one)
        assert detect(mark.out / f"{channel}.wav")["watermarked"]


def test_the_sound_of_a_video_alone(mark, detect, video):
    assert mark(video, "out.flac") == (0, [])
    with av.open(str(mark.out / "out.flac")) as container:
        assert not container.streams.video
    assert detect(mark.out / "out.flac")["watermarked"]


def test_the_payload_is_by_default_the_first_bits_of_the_digest(mark, detect, sound):
    source = sound()
    assert mark(source) == (0, [])
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    assert detect(mark.out / "out.wav")["payload"] == int(digest[:4], 16)


def test_silence_stays_digital_silence_and_the_rest_nearly_what_it_was(mark, rattle, tmp_path):
    wave = rattle(4.0, channels=2)
    wave[RATE : 2 * RATE] = 0
    scipy.io.wavfile.write(tmp_path / "in.wav", RATE, wave)
    assert mark(tmp_path / "in.wav") == (0, [])
    marked, _ = read(mark.out / "out.wav")
    assert not marked[RATE + 500 : 2 * RATE - 500].any()
    change = marked - wave
    assert 0.01 < np.linalg.norm(change) / np.linalg.norm(wave) < 0.15


def constant(value, shape=(RATE, 1), dtype=np.float32):
    return lambda wave: np.full(shape, value, dtype)


DEFINED = {
    "silence": constant(0.0),
    "DC": constant(0.5),
    "clipped": np.sign,
    "over full scale": lambda wave: 7 * wave,
    "denormal": constant(1e-40),
    "a sample": constant(0.5, (1, 1)),
    "a sample of 8 channels": constant(0.5, (1, 8)),
    "full scale in 16 bits": constant(-32768, dtype=np.int16),
    "8 bits": lambda wave: (128 + 127 * wave).astype(np.uint8),
}


@pytest.mark.parametrize("case", DEFINED)
def test_odd_sounds_are_marked_as_far_as_they_can_be_and_never_claimed_before(
    mark, detect, rattle, tmp_path, case
):
    scipy.io.wavfile.write(tmp_path / "in.wav", RATE, DEFINED[case](rattle(1.0)))
    assert detect(tmp_path / "in.wav")["status"] == 1
    assert mark(tmp_path / "in.wav") == (0, [])
    before, after = read(tmp_path / "in.wav")[0], read(mark.out / "out.wav")[0]
    assert after.shape == before.shape
    assert np.abs(after).max() <= max(1, np.abs(before).max())
    if case in ("silence", "denormal"):
        np.testing.assert_allclose(after, before, rtol=0, atol=1e-37)


def test_a_level_beyond_all_reckoning_is_refused(mark, rattle, tmp_path):
    scipy.io.wavfile.write(tmp_path / "in.wav", RATE, 1e30 * rattle(1.0))
    status, lines = mark(tmp_path / "in.wav")
    assert status == 2 and len(lines) == 1 and "beyond" in lines[0]
    assert not os.listdir(mark.out)


def test_a_result_of_an_odd_name_is_told_in_one_line(mark, v2a, sound):
    assert mark(sound(), "two\nlines \udcff.wav") == (0, [])
    assert len(v2a.output) == 1


BAD_FLAGS = {
    "no --out": dict(out=None),
    "empty --out": dict(out=""),
    "no suffix": dict(out="out"),
    "unknown suffix": dict(out="out.txt"),
    "no folder": dict(out="/nonexistent/out.wav"),
    "a folder": dict(out="folder.wav"),
    "not writable": dict(out="/proc/out.wav"),
    "payload too large": dict(payload=1 << 16),
    "payload negative": dict(payload=-1),
    "payload no number": dict(payload="many"),
    "no key": dict(key_file="/dev/null"),
    "a folder for a key": dict(key_file="/"),
    "unknown flag": dict(strength=3),
}


@pytest.mark.parametrize("case", BAD_FLAGS)
def test_bad_flags_end_with_one_line_and_leave_nothing(mark, sound, case, tmp_path, monkeypatch):
    source = sound()
    (tmp_path / "folder.wav").mkdir()
    monkeypatch.chdir(tmp_path)
    before = sorted(os.listdir(tmp_path))
    status, lines = mark(source, **BAD_FLAGS[case])
    assert status == 2 and len(lines) == 1, lines
    assert len(lines[0]) < 400
    assert sorted(os.listdir(tmp_path)) == before and not os.listdir(mark.out)


BAD_FILES = {
    "missing.wav": None,
    "empty.wav": b"",
    "text.wav": b"These are only words.\n" * 50,
    "zeros.mp3": bytes(5000),
    "random.mp4": np.random.default_rng(0).bytes(5000),
}


@pytest.mark.parametrize(
    "name", [*BAD_FILES, "folder.wav", "mute.mp4", "header.wav", "nan.wav", "cut.mp4", "pipe.wav"]
)
@pytest.mark.parametrize("command", ["watermark", "detect"])
def test_what_holds_no_sound_ends_with_one_line_that_names_it(
    mark, v2a, key_file, sound, rattle, clip, video, tmp_path, name, command
):
    path = tmp_path / name
    if name == "folder.wav":
        path.mkdir()
    elif name == "pipe.wav":
        os.mkfifo(path)
    elif name == "mute.mp4":
        path.write_bytes(clip.read_bytes())
    elif name == "cut.mp4":
        path.write_bytes(video.read_bytes()[:3000])
    elif name == "header.wav":
        path.write_bytes(sound().read_bytes()[:58])
    elif name == "nan.wav":
        scipy.io.wavfile.write(path, RATE, np.append(rattle(3), np.float32([[np.nan]]), axis=0))
    elif BAD_FILES[name] is not None:
        path.write_bytes(BAD_FILES[name])
    run = (
        mark
        if command == "watermark"
        else lambda file: v2a("detect", f"--key_file={key_file}", file)
    )
    status, lines = run(path)
    assert status == 2 and len(lines) == 1, lines
    assert name in lines[0] and not v2a.output
    assert not os.listdir(mark.out)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_one_line(mark, sound):
    source = sound()
    source.chmod(0)
    status, lines = mark(source)
    assert status == 2 and "permission denied" in lines[0]


def test_no_file_or_two_files_are_refused(mark, v2a, sound):
    assert mark(None)[0] == 2
    source = sound()
    status, lines = v2a("watermark", source, source, f"--out={mark.out / 'out.wav'}")
    assert status == 2 and len(lines) == 1


def test_a_file_is_not_overwritten_by_its_mark(mark, sound):
    source = sound()
    before = source.read_bytes()
    status, lines = mark(source, out=source)
    assert status == 2 and "the source itself" in lines[0]
    assert source.read_bytes() == before


def test_more_channels_than_the_file_can_hold_are_one_line(mark, sound):
    status, lines = mark(sound(channels=6), "out.mp3")
    assert status == 2 and "6 channels" in lines[0] and ".mp3" in lines[0]
    assert not os.listdir(mark.out)


def test_the_rest_of_a_cut_off_file_is_marked(mark, detect, sound):
    source = sound()
    source.write_bytes(source.read_bytes()[:-60000])
    assert mark(source) == (0, [])
    assert len(read(mark.out / "out.wav")[0]) == 4 * RATE - 15000
    assert detect(mark.out / "out.wav")["watermarked"]


def test_a_key_is_made_on_first_use(mark, sound, tmp_path, v2a):
    assert mark(sound(), key_file=tmp_path / "new" / "own.key") == (0, [])
    assert (tmp_path / "new" / "own.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new" / "own.key").read_text().strip() not in "".join(v2a.output)


def test_memory_does_not_grow_with_the_length(mark, sound):
    peaks = []
    for seconds in (20, 20, 80):
        source = sound(seconds=seconds)
        tracemalloc.start()
        assert mark(source) == (0, [])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < peaks[1] + 60 * RATE * 4 / 10
