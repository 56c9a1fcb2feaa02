import json
import sys

import numpy as np
import pytest
from absl import flags

from v2a_jax.bin import detect as command
from v2a_jax.bin.main import launch
from v2a_jax.errors import UserError


@pytest.fixture
def v2a_detect(tmp_path, monkeypatch, impacts, mark):
    """v2a_detect(*arguments) -> exit status, with sounds in place of files."""
    key_file = tmp_path / "a.key"
    key_file.write_text(bytes(range(32)).hex() + "\n")
    key_file.chmod(0o600)
    other_file = tmp_path / "b.key"
    other_file.write_text("5a" * 32)
    other_file.chmod(0o600)
    sounds = {
        "marked.mp4": mark(impacts(20, 2), payload=42),
        "plain.mp4": impacts(21, 2),
        "nan.wav": np.full((16000, 1), np.nan),
    }

    def read(path, *, sample_rate, limits):
        if path not in sounds:
            raise UserError("no audio stream")
        return sounds[path], 16000

    def run(*arguments, keys=(key_file,)):
        flags.FLAGS.unparse_flags()
        for name in ("json", "key_file"):
            flags.FLAGS[name].unparse()
        given = [f"--key_file={path}" for path in keys]
        with pytest.raises(SystemExit) as ended:
            launch(command.run, ["v2a detect", *given, *arguments])
        return ended.value.code

    monkeypatch.setattr(command, "read_audio", read)
    run.keys = (other_file, key_file)
    yield run
    for name in ("json", "key_file"):
        flags.FLAGS[name].unparse()
    flags.FLAGS(sys.argv[:1])


def test_exit_status_says_whether_all_are_marked(v2a_detect, capsys):
    assert v2a_detect("marked.mp4") == 0
    assert "payload 42" in capsys.readouterr().out
    assert v2a_detect("marked.mp4", "plain.mp4") == 1
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_json_is_an_object_a_line_with_the_promised_fields(v2a_detect, capsys):
    v2a_detect("--json", "marked.mp4", "plain.mp4")
    marked, plain = map(json.loads, capsys.readouterr().out.splitlines())
    for record in (marked, plain):
        assert list(record) == ["file", "watermarked", "p_value", "key_id", "payload", "segments"]
    assert marked["watermarked"] and marked["payload"] == 42
    assert set(marked["segments"][0]) == {"start", "end", "p_value"}
    assert plain["payload"] is None and plain["segments"] == []


def test_a_file_that_cannot_be_read_does_not_stop_the_others(v2a_detect, capsys):
    assert v2a_detect("missing.mp4", "nan.wav", "marked.mp4") == 2
    output = capsys.readouterr()
    assert [line.split(": ")[2] for line in output.err.splitlines()] == ["missing.mp4", "nan.wav"]
    assert len(output.out.splitlines()) == 1


def test_several_keys(v2a_detect, capsys):
    assert v2a_detect("--json", "marked.mp4", keys=v2a_detect.keys) == 0
    assert json.loads(capsys.readouterr().out)["payload"] == 42


def test_no_file_and_no_key_are_errors_of_one_line(v2a_detect, capsys, tmp_path):
    assert v2a_detect() == 2
    assert v2a_detect("marked.mp4", keys=(tmp_path / "none.key",)) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2
