"""The commands, from the raw files of a corpus to a trained step and a bundle's model card."""

import json
import os
import pathlib
import subprocess
import sys

import pytest
from corpora import CORPORA

from data_pipelines.provenance import ledger

pytestmark = pytest.mark.slow

TESTS = pathlib.Path(__file__).parents[1]
FORM = ["--seconds=0.64", "--min_seconds=0.2", "--size=32", "--require=audio", "--workers=1"]


def v2a(command, *arguments):
    """Exit status and the last line of stderr."""
    paths = os.pathsep.join(map(str, (TESTS, TESTS.parent)))
    ended = subprocess.run(
        [sys.executable, "-m", f"v2a_jax.bin.{command}", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": paths, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    return ended.returncode, ended.stderr.splitlines()[-1] if ended.stderr else ""


@pytest.fixture
def prepare(corpus, tmp_path):
    """prepare(name, *flags): the folder of records."""

    def run(name, *flags):
        data = tmp_path / "data"
        asked = [f"--source={name}", f"--input={corpus(name)}", f"--out={data}", *FORM, *flags]
        status, line = v2a("prepare", *asked)
        assert status == 0, line
        return data

    return run


@pytest.fixture
def train(tmp_path):
    """train(stage, data, *flags): exit status and last line of one step."""

    def run(stage, data, *flags):
        clips = [f"--config.data.{split}={data}" for split in ("train", "validation")]
        config = [f"--config={TESTS / 'tiny_demo.py'}:{stage}", "--config.run.steps=1"]
        return v2a("train", f"--workdir={tmp_path / 'run'}", *config, *clips, *flags)

    return run


@pytest.mark.parametrize("name", CORPORA)
def test_from_raw_files_to_a_trained_step(prepare, train, tmp_path, name):
    data = prepare(name)
    status, line = train("codec", data)
    assert status == 0, line
    told = json.loads((tmp_path / "run" / "codec" / "config.json").read_text())["provenance"]
    assert told["ledger_sha256"] == ledger.digest(data / ledger.LEDGER)
    assert sum(told["licences"].values()) == told["records"] >= 2


def test_a_run_is_refused_what_its_policy_does_not_allow(prepare, train, tmp_path):
    status, line = train("codec", prepare("ave"), "--config.data.policy=commercial")
    assert status == 2 and "policy 'commercial' leaves no record" in line
    assert not (tmp_path / "run").exists()


def test_withdrawing_between_two_starts_of_a_run(prepare, train, tmp_path):
    data = prepare("folder")
    assert train("codec", data)[0] == 0
    assert v2a("ledger", "withdraw", data, "folder/a.mp4", "--reason=asked for")[0] == 0
    # The two files are copies: with one, all of these bytes are withdrawn.
    status, line = train("codec", data, "--config.run.steps=2")
    assert status == 2 and "withdrawn" in line
    assert v2a("ledger", "verify", data)[0] == 0


def test_the_bundle_tells_what_it_was_trained_on(prepare, train, tmp_path):
    data, bundle = prepare("folder"), tmp_path / "bundle"
    for stage in ("codec", "perception", "diffusion"):
        status, line = train(stage, data)
        assert status == 0, line
    assert v2a("export", f"--workdir={tmp_path / 'run'}", f"--out={bundle}")[0] == 0
    digest = ledger.digest(data / ledger.LEDGER)
    card = (bundle / "MODEL_CARD.md").read_text()
    assert card.count(f"ledger {digest}") == 3 and "under CC-BY-4.0" in card
    stages = json.loads((bundle / "provenance.json").read_text())["stages"]
    assert {stage["provenance"]["ledger_sha256"] for stage in stages.values()} == {digest}
