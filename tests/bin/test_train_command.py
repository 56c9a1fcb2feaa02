import pathlib

import jax
import numpy as np
import pytest
from tiny_system import tiny_config, tiny_system, tiny_tokenizer

from v2a_jax.config import build
from v2a_jax.models.functional import flatten
from v2a_jax.sampling.bundle import load_bundle
from v2a_jax.sharding import MeshConfig, make_mesh
from v2a_jax.training.checkpoint import Checkpoints
from v2a_jax.training.ema import EmaConfig
from v2a_jax.training.optimizer import OptimizerConfig, make_optimizer
from v2a_jax.training.stages import make_stage
from v2a_jax.training.state import state_maker

ROOT = pathlib.Path(__file__).parents[2]
CONFIG = ROOT / "tests" / "tiny_demo.py"


@pytest.fixture(scope="module")
def trained_codec(tmp_path_factory):
    """A folder with a codec at step 0 and a tokenizer."""
    workdir = tmp_path_factory.mktemp("runs")
    config, system = tiny_config("codec"), tiny_system()
    stage, mesh = make_stage("codec", config, system), make_mesh(build(MeshConfig, config.mesh))
    optimizer = make_optimizer(build(OptimizerConfig, config.optimizer), stage, 10)
    with jax.set_mesh(mesh), Checkpoints(workdir / "codec" / "checkpoints", 1) as checkpoints:
        make = state_maker(stage, optimizer, build(EmaConfig, config.ema), 0, mesh)
        checkpoints.save(jax.jit(make)())
    (workdir / "tokenizer.model").write_bytes(tiny_tokenizer().model)
    return workdir


CODEC = f"--config={CONFIG}:codec"
BAD = {
    "no config": ([], "needs --config"),
    "no such config": (["--config=nothing.py"], "nothing.py"),
    "config is a folder": (["--config=/tmp"], "/tmp"),
    "config is no Python": (["--config=broken.py"], "broken.py"),
    "config without get_config": (["--config=empty.py"], "get_config"),
    "no such stage of the demo": ([f"--config={ROOT}/configs/demo.py:nothing"], "'nothing'"),
    "unknown flag": ([CODEC, "--nope"], "'nope'"),
    "steps that make no sense": ([CODEC, "--profile_steps=4:3"], "--profile_steps=4:3"),
    "no such hardware": ([CODEC, "--hardware=v3:4"], "unknown device 'v3'"),
    "hardware without a count": ([CODEC, "--hardware=v5p"], "KIND:COUNT"),
    "stray word": ([CODEC, "stray"], "'stray'"),
    "earlier stage missing": ([f"--config={CONFIG}:perception"], "no checkpoint of stage 'codec'"),
}
BAD_FIELDS = {
    "stage=nothing": "unknown stage 'nothing'",
    "nope=1": "'nope'",
    "run.nope=1": "'nope'",
    "run.steps=many": "'many'",
    "run.steps=0": "run.steps",
    "run.batch_size=0": "batch_size",
    "run.accumulate=3": "accumulate",
    "run.max_skips=0": "run.max_skips",
    "data.damaged=ignore": "data.damaged 'ignore'",
    "init.weights=/nonexistent": "init.weights=/nonexistent",
    "lora.rank=4": "set init.weights",
    "data.train=/nonexistent": "/nonexistent",
    "data.world.classes=('x',)": "unknown class x",
    "mesh.fsdp=3": "fsdp=3",
    "mesh.tensor=0": "tensor=0",
    "optimizer.schedule=x": "schedule 'x'",
    "dtype=float12": "dtype",
    "model.stack.remat=x": "remat",
    "model.codec.hop=161": "codec.window",
    "model.codec.hop=0": "codec.hop",
    "model.codec.kernel=4": "codec.kernel",
    "model.dit.heads=3": "dit.heads",
    "model.text.heads=32": "text.heads",
    "model.video.patch=7": "patch",
    "model.video.space_heads=3": "video.width",
}
BAD |= {field: ([CODEC, f"--config.{field}"], told) for field, told in BAD_FIELDS.items()}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_ends_with_one_line_and_nothing_trained(v2a, case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pathlib.Path("broken.py").write_text("def get_config(:\n")
    pathlib.Path("empty.py").write_text("")
    arguments, told = BAD[case]
    status, lines = v2a("train", f"--workdir={tmp_path / 'run'}", *arguments)
    assert status == 2 and len(lines) == 1, lines
    assert told in lines[0]
    assert not list(tmp_path.glob("run/*/checkpoints/[0-9]*"))


def test_an_earlier_stage_of_another_shape_is_told(v2a, trained_codec, tmp_path):
    status, lines = v2a(
        "train",
        f"--workdir={tmp_path / 'run'}",
        f"--config={CONFIG}:perception",
        f"--config.earlier={trained_codec}",
        "--config.model.codec.latent=4",
    )
    assert status == 2 and len(lines) == 1
    assert "the codec in" in lines[0] and "float32[8] there, float32[4] here" in lines[0]


def test_a_workdir_that_is_a_file_is_refused(v2a, tmp_path):
    (tmp_path / "run").write_text("mine")
    config = f"--config={CONFIG}:codec"
    status, lines = v2a("train", f"--workdir={tmp_path / 'run'}", config)
    assert status == 2 and len(lines) == 1
    assert (tmp_path / "run").read_text() == "mine"


def test_export_needs_every_stage(v2a, trained_codec, tmp_path):
    out = tmp_path / "bundle"
    for workdir in (tmp_path / "nothing", trained_codec):
        status, lines = v2a("export", f"--workdir={workdir}", f"--out={out}")
        assert status == 2 and len(lines) == 1 and "stage 'diffusion'" in lines[0]
    for arguments in ((f"--workdir={trained_codec}",), (f"--out={out}",), ("--nope",)):
        status, lines = v2a("export", *arguments)
        assert status == 2 and len(lines) == 1
    assert not out.exists()


@pytest.mark.slow
def test_factors_of_a_bundle_are_trained_and_come_out_as_a_bundle(v2a, bundle_folder, tmp_path):
    """Nothing but the bundle is needed; what was not tuned is as it was, and it says what it is."""
    workdir, out = tmp_path / "run", tmp_path / "bundle"
    asked = [f"--workdir={workdir}", f"--config={CONFIG}:diffusion", "--config.lora.rank=2"]
    asked += [f"--config.{field}={bundle_folder}" for field in ("earlier", "init.weights")]
    asked += ["--config.lora.leaves=('dit/alone/*/kernel',)"]
    status, lines = v2a("train", *asked)
    assert status == 0, lines
    status, lines = v2a("export", f"--workdir={workdir}", f"--out={out}")
    assert status == 0, lines
    before, after = load_bundle(bundle_folder), load_bundle(out)
    old, new = flatten(before.weights), flatten(after.weights)
    changed = {name for name in new if not np.array_equal(old[name], new[name])}
    assert changed == {n for n in new if n.startswith("dit/alone/") and n.endswith("/kernel")}
    base = after.provenance["stages"]["diffusion"]["base"]
    assert base["weights"] == bundle_folder.name and base["trained"] == before.provenance
    assert "factors of rank 2 tuned on weights" in (out / "MODEL_CARD.md").read_text()


@pytest.mark.slow
def test_from_nothing_to_a_marked_soundtrack(v2a, clip, key_file, tmp_path):
    workdir, bundle, out = tmp_path / "run", tmp_path / "bundle", tmp_path / "a.mp4"
    for stage in ("codec", "perception", "diffusion"):
        asked = [f"--workdir={workdir}", f"--config={CONFIG}:{stage}", "--hardware=cpu:1"]
        status, lines = v2a("train", *asked)
        assert status == 0, lines
        assert v2a("train", *asked)[0] == 0
    assert list((workdir / "compiled").glob("*train_step*"))
    assert jax.config.jax_compilation_cache_dir is None
    assert v2a("export", f"--workdir={workdir}", f"--out={bundle}")[0] == 0
    asked = [f"--bundle={bundle}", f"--video={clip}", f"--out={out}", f"--key_file={key_file}"]
    status, lines = v2a("sample", *asked)
    assert status == 0, lines
    assert out.exists() and out.with_suffix(".json").exists()
    other = "--config.model.codec.latent=4"
    status, lines = v2a("train", f"--workdir={workdir}", f"--config={CONFIG}:codec", other)
    assert status == 2 and "another configuration" in lines[-1]
