"""`v2a evaluate`: what it writes, and what it says before it makes a sound."""

import dataclasses
import json

import pytest
from tiny_system import FPS, RATE, SECONDS, SIZE, tiny_config

from data_pipelines import records
from data_pipelines.world import WorldConfig, WorldSource

WORLD = dict(
    seed=3,
    split="test",
    clips=20,
    seconds=2 * SECONDS,  # the largest bucket
    fps=FPS,
    size=SIZE,
    sample_rate=RATE,
    classes=("impact", "landscape"),
    offscreen_probability=0.6,
)


@pytest.mark.parametrize(
    ("sweep", "reason"),
    [
        ("guidance_begin:0,2", "guidance_begin=2.0 is not between 0 and 1"),
        ("guidance_rescale:-0.5,1", "guidance_rescale=-0.5 is not between 0 and 1"),
        ("steps:0,4", "steps=0.0 is not between 1"),
        ("best_of:1,65", "best_of=65.0 is not between 1 and 64"),
        ("transcript_scale:1,1e39", "transcript_scale=1e+39 is not a finite number"),
        ("noise:0,2", "severities of noise"),
        ("colour:0,1", "no 'colour'"),
    ],
)
def test_a_sweep_of_what_cannot_be_is_refused_at_once(v2a, tmp_path, sweep, reason):
    options = (f"--bundle={tmp_path}", f"--data={tmp_path}", f"--out={tmp_path / 'out'}")
    code, lines = v2a("evaluate", *options, f"--sweep={sweep}")
    assert code == 2
    assert len(lines) == 1
    assert reason in lines[0]
    assert not (tmp_path / "out").exists()


def test_training_clips_that_are_not_here_are_asked_for_at_once(
    v2a, bundle_folder, tmp_path, key_file
):
    folder = tmp_path / "records"
    config = WorldConfig(**WORLD | dict(clips=1))
    with records.staged(folder) as staging:
        records.fill(staging, WorldSource(config), count=1, shards=1)
    options = (f"--bundle={bundle_folder}", f"--data={folder}", f"--out={tmp_path / 'out'}")
    more = f"--key_file={key_file}", "--train_data=world", "--validation_data=gone"
    code, lines = v2a("evaluate", *options, *more)
    assert code == 2 and len(lines) == 1
    assert "clips for validation are not at 'gone'" in lines[0] and "--validation_data" in lines[0]
    assert not (tmp_path / "out").exists()


def short_worded(clip):
    """In the few words that the tiny system has."""
    seen = "metal" if "impact" in clip.labels else ""
    unseen = "siren" if set(clip.labels) - {"impact"} else ""
    words = f"{seen} {unseen}".strip()
    captions = {"full": words, "short": seen or unseen, "onscreen": seen, "offscreen": unseen}
    return dataclasses.replace(clip, caption=words, captions=captions, negatives=("a ball",))


@pytest.fixture(scope="module")
def held_out(tmp_path_factory):
    """Records of impacts and landscapes, most of them with a sound off screen."""
    config = WorldConfig(**WORLD)
    folder = tmp_path_factory.mktemp("records") / "test"
    with records.staged(folder) as staging:
        records.fill(staging, map(short_worded, WorldSource(config)), count=config.clips, shards=1)
    return folder


@pytest.mark.slow
def test_figures_report_and_sweeps_are_written(v2a, bundle_folder, held_out, key_file, tmp_path):
    out, protocol = tmp_path / "out", tiny_config().evaluation.protocol
    flags = dict(bundle=bundle_folder, data=held_out, train_data=held_out, out=out, clips=16)
    options = [f"--{name}={value}" for name, value in (flags | {"key_file": key_file}).items()]
    sweeps = ["--sweep=guidance_rescale:0,1", "--sweep=noise:0,1"]
    code, lines = v2a("evaluate", *options, *sweeps)
    assert code == 0, lines
    scores = json.loads((out / "scores.json").read_text())
    measured = {"onset_f1_50ms", "wording_onset_f1_50ms_empty", "damaged_onset_kept"}
    said = "\n".join(v2a.output)
    assert all((name in scores) != (f"not measured: {name}" in said) for name in measured)
    assert scores["watermark_detected"]["value"] > 0.5
    settings = json.loads((out / "protocol.json").read_text())["config"]
    assert (settings["clips"], settings["damaged"]) == (16, protocol.damaged)
    for name, values in dict(guidance_rescale=[0, 1], noise=[0, 1]).items():
        swept = json.loads((out / f"sweep_{name}.json").read_text())
        assert swept["values"] == values
        assert {len(line) for line in swept["scores"].values()} == {2}
        assert (out / f"sweep_{name}.png").read_bytes()[:4] == b"\x89PNG"
