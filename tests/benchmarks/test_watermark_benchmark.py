"""`benchmarks/watermark.py` measures, judges, and writes what it found."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

COMMAND = pathlib.Path(__file__).parents[2] / "benchmarks" / "watermark.py"


def _run(*options):
    environment = {name: value for name, value in os.environ.items() if name != "V2A_MEDIA_DIR"}
    command = [sys.executable, str(COMMAND), *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_sections_are_measured_and_written(tmp_path):
    done = _run(
        f"--out={tmp_path}",
        "--clips=3",
        "--rates=16000",
        "--only=none|MP3 128|music",
        "--sections=attacks,mixes,audibility,calibration,segments",
        "--pairs=100",
    )
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert done.stdout == text
    for words in ("| MP3 128 | 100 ", "music, 0 dB", "noise-to-mask ratio, median", "1 s marked"):
        assert words in text
    results = json.loads((tmp_path / "results.json").read_text())
    assert {row["attack"] for row in results["attacks"]} == {"none", "MP3 128"}
    assert sum(len(row["log10_p"]) for row in results["calibration"]) == 100
    assert {path.name for path in tmp_path.glob("*.png")} == {
        "attacks.png",
        "mixes.png",
        "calibration.png",
    }


@pytest.mark.slow
@pytest.mark.parametrize("bad", ["--sections=attack", "--clips=0", "--seconds=2"])
def test_bad_options_are_refused(bad, tmp_path):
    done = _run(f"--out={tmp_path / 'none'}", bad)
    assert done.returncode != 0 and "Traceback" not in done.stderr
    assert not (tmp_path / "none").exists()
