"""`v2a detect`: what it says of files, in words, in JSON and by its exit status."""

import json
import os
import re
import tracemalloc

import av
import numpy as np
import pytest
import scipy.io.wavfile
import soxr

from configs.base import get_config
from v2a_jax.config import build
from v2a_jax.watermark.key import Key
from v2a_jax.watermark.mask import DepthConfig
from v2a_jax.watermark.stream import mark

RATE = 16000
DEPTH = build(DepthConfig, get_config().watermark)
OURS, OTHER = bytes(range(32)), b"\x5a" * 32


@pytest.fixture
def files(tmp_path, rattle):
    """files(name, wave) writes a sound; by default four seconds that are marked with 42."""

    def write(name="marked.wav", wave=None):
        path = tmp_path / name
        scipy.io.wavfile.write(path, RATE, files.marked(4) if wave is None else wave)
        return path

    def marked(seconds, secret=OURS, payload=42):
        options = {"sample_rate": RATE, "depth": DEPTH, "offset": 300}
        return mark(rattle(seconds), Key(secret), payload, **options)

    files = write
    files.marked = marked
    files.plain = rattle
    return files


@pytest.fixture
def detect(v2a, key_file, tmp_path):
    """detect(*arguments) -> exit status, lines of stdout and of stderr."""
    other = tmp_path / "other.key"
    other.write_text(OTHER.hex())
    other.chmod(0o600)

    def run(*arguments, keys=(key_file,)):
        status, errors = v2a("detect", *(f"--key_file={key}" for key in keys), *arguments)
        return status, v2a.output, errors

    run.keys = (other, key_file)
    return run


def test_exit_status_says_whether_all_are_marked_and_could_be_read(detect, files):
    marked, plain = files(), files("plain.wav", files.plain(2))
    status, (line,), errors = detect(marked)
    assert status == 0 and not errors
    key_id = Key(OURS).key_id
    numbers = r"[0-9.e-]+"
    expected = rf"marked \(key {key_id}, payload 42, p = {numbers}\): 0\.\d\d-[34]\.\d\d s \(p = "
    assert re.match(rf"{re.escape(str(marked))}: {expected}{numbers}\)$", line)
    status, lines, _ = detect(marked, plain)
    assert status == 1 and len(lines) == 2
    assert re.match(rf"{re.escape(str(plain))}: no mark found \(p = {numbers}\)$", lines[1])
    status, lines, errors = detect("none.wav", plain, marked)
    assert status == 2 and len(lines) == 2
    assert len(errors) == 1 and "none.wav" in errors[0]


def test_json_is_an_object_a_line_with_the_promised_fields(detect, files):
    _, lines, _ = detect("--json", files(), files("plain.wav", files.plain(2)))
    marked, plain = map(json.loads, lines)
    for record in (marked, plain):
        assert list(record) == ["file", "watermarked", "p_value", "key_id", "payload", "segments"]
    assert marked["watermarked"] and marked["payload"] == 42
    names = {"start", "end", "p_value", "key_id", "payload", "tempo", "pitch"}
    assert set(marked["segments"][0]) == names
    assert not plain["watermarked"] and 1e-6 < plain["p_value"] <= 1
    assert (plain["key_id"], plain["payload"], plain["segments"]) == (None, None, [])


def test_a_marked_piece_is_named_by_its_seconds(detect, files):
    wave = np.concatenate([files.plain(9), files.marked(6), files.plain(7)])
    status, (line,), _ = detect("--json", files("piece.wav", wave))
    (segment,) = json.loads(line)["segments"]
    assert status == 0
    assert (segment["start"], segment["end"]) == pytest.approx((9, 15), abs=0.5)


def test_several_keys_are_told_apart(detect, files):
    path = files("two.wav", np.concatenate([files.marked(8), files.marked(6, OTHER, 7)]))
    status, (line,), _ = detect("--json", path, keys=detect.keys)
    found = [(one["key_id"], one["payload"]) for one in json.loads(line)["segments"]]
    assert status == 0
    assert found == [(Key(OURS).key_id, 42), (Key(OTHER).key_id, 7)]
    _, (line,), _ = detect(path, keys=detect.keys)
    assert line.count("payload 42") == line.count("payload 7") == 1
    assert Key(OTHER).key_id in line


def test_speed_is_told_where_it_was_changed(detect, files):
    faster = soxr.resample(files.marked(8), 1.05 * RATE, RATE)
    status, (line,), _ = detect(files("fast.wav", faster))
    assert status == 0
    assert re.search(r"tempo x 1\.0[45]\d, pitch x 1\.0[3456]\d\)$", line)


@pytest.mark.parametrize("name", ["two\nlines.wav", "odd\udcff.wav", "tab\t.wav"])
def test_a_file_is_a_line_whatever_its_name(detect, files, name):
    path = files("plain.wav", np.zeros((RATE, 1), np.float32)).with_name(name)
    os.rename(path.with_name("plain.wav"), path)
    status, lines, errors = detect(path)
    assert status == 1 and len(lines) == 1 and not errors
    status, (line,), _ = detect("--json", path)
    assert json.loads(line)["file"] == str(path)
    path.unlink()
    status, lines, errors = detect(path)
    assert status == 2 and not lines and len(errors) == 1


def test_sound_is_taken_as_it_streams(detect, files, monkeypatch):
    """The detector is handed an iterator of short blocks, never the whole."""
    from v2a_jax.watermark import detect as module

    real, seen = module.detect_blocks, []

    def spy(blocks, keys, **options):
        assert iter(blocks) is blocks
        return real((seen.append(len(block)) or block for block in blocks), keys, **options)

    monkeypatch.setattr(module, "detect_blocks", spy)
    assert detect(files("long.wav", np.tile(files.plain(10), (2, 1))))[0] == 1
    assert sum(seen) == 20 * RATE and max(seen) <= 8 * RATE


@pytest.fixture
def tracks(tmp_path):
    """tracks(waves) writes a file with a track of sound for each float32[N,1]."""

    def write(*waves):
        path = tmp_path / "tracks.mkv"
        with av.open(str(path), "w") as file:
            streams = [file.add_stream("pcm_s16le", rate=RATE, layout="mono") for _ in waves]
            for stream, wave in zip(streams, waves, strict=True):
                samples = (wave.T * 32767).astype(np.int16)
                frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
                frame.sample_rate = RATE
                file.mux([*stream.encode(frame), *stream.encode(None)])
        return path

    return write


def test_every_track_is_heard(detect, files, tracks):
    path = tracks(files.plain(4), files.marked(4), files.plain(4))
    status, (line,), errors = detect(path)
    assert status == 0 and not errors and "track 2 marked" in line
    (line,) = detect("--json", path)[1]
    assert json.loads(line)["track"] == 2 and json.loads(line)["payload"] == 42
    alone = json.loads(detect("--json", tracks(files.marked(4)))[1][0])
    assert "track" not in alone
    assert json.loads(line)["p_value"] == pytest.approx(3 * alone["p_value"])


def test_no_track_is_marked(detect, files, tracks):
    status, (line,), errors = detect(tracks(files.plain(2), files.plain(3)))
    assert status == 1 and not errors and "no mark found" in line


def test_no_file_and_no_key_are_errors_of_one_line(detect, files, tmp_path):
    for arguments, keys in (((), (detect.keys[1],)), ((files(),), (tmp_path / "none.key",))):
        status, lines, errors = detect(*arguments, keys=keys)
        assert status == 2 and not lines and len(errors) == 1


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length(detect, files):
    """Chapters are let go: four minutes that are searched in vain take no more than one."""
    peaks = []
    for repeats in (2, 8):
        path = files("long.wav", np.tile(files.plain(30), (repeats, 1)))
        tracemalloc.start()
        assert detect(path)[0] == 1
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]
