import json
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[2]
TINY = f"--config={ROOT}/tests/tiny_demo.py:diffusion"
SLICE = "--topology=v5e:2x2"
BAD = {
    "no config": ([SLICE], "needs --config"),
    "no topology": ([TINY], "needs --config=FILE:STAGE and --topology"),
    "no such stage": ([f"--config={ROOT}/configs/small.py:words", SLICE], "unknown stage 'words'"),
    "no such field": ([TINY, SLICE, "--config.model.dit.wings=2"], "wings"),
    "no such kind of chip": ([TINY, "--topology=v3:4x4"], "kind 'v3' is not one of"),
    "no such slice": ([TINY, "--topology=v5p:4x4"], "has 3 sizes"),
    "no shape": ([TINY, "--topology=v5e"], "KIND:SHAPE"),
    "no slices": ([TINY, SLICE, "--slices=0"], "--slices=0"),
    "a search of samplers": ([TINY, SLICE, "--sampler", "--search"], "not for --sampler"),
    "videos to train on": ([TINY, SLICE, "--videos=3"], "--videos counts"),
    "no videos": ([TINY, SLICE, "--sampler", "--videos=0"], "at least 1"),
    "a word too many": ([TINY, SLICE, "now"], "unexpected argument 'now'"),
}
WITH_LIBTPU = {
    "a mesh of other sizes": ([TINY, SLICE, "--config.mesh.fsdp=3"], "does not fit 4 device"),
    "an odd batch": ([TINY, SLICE, "--config.run.batch_size=6"], "batch of 6 does not divide"),
    "an odd microbatch": (
        [TINY, SLICE, "--config.run.batch_size=8", "--config.run.accumulate=4"],
        "4 microbatch(es)",
    ),
    "videos that do not divide": (
        [TINY, SLICE, "--sampler", "--videos=6"],
        "6 video(s) at once do not divide over the 4 batch shards",
    ),
    "no such stage's features": (
        [f"--config={ROOT}/tests/tiny_demo.py:codec", SLICE, "--encoded"],
        "only stage diffusion has features",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_status_2(v2a, case):
    arguments, expected = BAD[case]
    status, lines = v2a("plan", *arguments)
    assert (status, len(lines)) == (2, 1)
    assert expected in lines[0]


@pytest.fixture
def libtpu():
    """The compiler; what needs it is left out where it is not installed."""
    pytest.importorskip("libtpu", reason="libtpu is not installed: pip install 'v2a-jax[plan]'")


@pytest.mark.tpu
@pytest.mark.usefixtures("libtpu")
@pytest.mark.parametrize("case", WITH_LIBTPU)
def test_what_a_slice_cannot_do_is_one_line_and_status_2(v2a, case):
    arguments, expected = WITH_LIBTPU[case]
    if "batch_size" not in str(arguments):
        arguments = [*arguments, "--config.run.batch_size=8"]
    status, lines = v2a("plan", *arguments)
    assert (status, len(lines)) == (2, 1), lines
    assert expected in lines[0]


@pytest.mark.tpu
@pytest.mark.usefixtures("libtpu")
def test_a_plan_is_printed_and_written(v2a, tmp_path):
    given = ["--config.run.batch_size=8", "--config.mesh.fsdp=2", "--encoded"]
    files = [f"--json={tmp_path}/plan.json", f"--html={tmp_path}/plan.html"]
    status, lines = v2a("plan", TINY, SLICE, *given, *files)
    assert (status, lines) == (0, [])
    assert any(line.startswith("fits: ") for line in v2a.output)
    assert any("prediction" in line for line in v2a.output)
    told = json.loads((tmp_path / "plan.json").read_text())
    assert told["fits"] is True
    assert 0 < told["hbm_bytes_per_chip"] < told["hbm_limit"]
    assert told["hbm_bytes_per_chip"] == sum(told["hbm"].values())
    assert told["donated"] is True
    assert told["flops_per_step"] > 0
    assert told["predicted_step_seconds"] > 0
    assert 0 < told["predicted_mfu"] < 1
    assert {one["kind"] for one in told["collectives"]} >= {"all-gather", "all-reduce"}
    page = (tmp_path / "plan.html").read_text()
    assert "fits" in page
    assert "http" not in page.split("</style>")[1]


@pytest.mark.tpu
@pytest.mark.usefixtures("libtpu")
def test_what_is_too_large_is_told_and_what_would_fit_is_looked_for(v2a, tmp_path):
    huge = ["--config.model.dit.width=16384", "--config.model.dit.heads=64"]
    huge += ["--config.model.dit.joint_blocks=9", "--config.run.batch_size=4"]
    status, lines = v2a("plan", TINY, SLICE, *huge, f"--json={tmp_path}/plan.json")
    assert (status, lines) == (1, [])
    assert any(line.startswith("DOES NOT FIT") for line in v2a.output)
    told = json.loads((tmp_path / "plan.json").read_text())
    assert told["fits"] is False
    assert told["hbm_bytes_per_chip"] > told["hbm_limit"]
    assert told["predicted_step_seconds"] is None
    assert told["largest_buffers"][0]["bytes"] > 0
    assert told["would_fit"] == []  # on four small chips nothing helps
    assert any("take more chips" in line for line in v2a.output)
