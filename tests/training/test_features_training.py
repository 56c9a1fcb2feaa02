"""Diffusion trained from a store of features is diffusion trained from the clips themselves."""

import dataclasses
import itertools
import json
import os
import pathlib
import subprocess
import sys
import time
from types import MappingProxyType

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_system import tiny_config, tiny_stage, tiny_system, tiny_tokenizer, tiny_weights

from data_pipelines.features import schema
from data_pipelines.features.make import make_writer
from data_pipelines.features.origin import origin
from data_pipelines.features.source import FeatureSource
from data_pipelines.open import (
    loader_config,
    make_feature_loader,
    make_loader,
    open_features,
    open_source,
)
from v2a_jax.errors import UserError
from v2a_jax.media.files import file_sha256
from v2a_jax.models.tokenizer import Tokenizer, train_tokenizer
from v2a_jax.training.checkpoint import Checkpoints
from v2a_jax.training.earlier import weights_sha256
from v2a_jax.training.ema import profile_name
from v2a_jax.training.stages import example_keys
from v2a_jax.training.state import TrainState

pytestmark = pytest.mark.slow

TESTS = pathlib.Path(__file__).parents[1]
EARLIER = {"codec": ("codec",), "perception": ("video", "text")}


@pytest.fixture(scope="module")
def earlier():
    """Weights of the earlier stages."""
    return tiny_weights(tiny_system(), ("codec", "video", "text"))


@pytest.fixture(scope="module")
def workdir(earlier, tmp_path_factory):
    """A run whose earlier stages are trained, in name."""
    folder = tmp_path_factory.mktemp("run")
    for stage, parts in EARLIER.items():
        own = {part: earlier[part] for part in parts}
        state = TrainState(
            step=jnp.int32(1), params={}, opt_state={}, ema={profile_name(0.05): own}
        )
        with Checkpoints(folder / stage / "checkpoints", keep=1) as checkpoints:
            checkpoints.save(state)
    (folder / "tokenizer.model").write_bytes(tiny_tokenizer().model)
    return folder


@pytest.fixture(scope="module")
def stores(workdir, tmp_path_factory):
    """Stores of the same clips by the type of their floats."""
    folder = tmp_path_factory.mktemp("stores")
    # Batches of 3 do not fill shards of 5: the last of each is made up.
    writer = make_writer(tiny_config(), workdir, shard_clips=5, batch=3)
    for name, dtype in schema.FLOATS.items():
        encoder = dataclasses.replace(writer.encoder, dtype=dtype)
        dataclasses.replace(writer, encoder=encoder).write(folder / name, progress=False)
    return folder


@pytest.fixture
def feature_loader(workdir, earlier):
    """feature_loader(store, tokenizer, weights, **config): the loader of a store."""
    true = {part: weights_sha256(earlier[part]) for part in earlier}

    def load(store, tokenizer=None, weights=MappingProxyType({}), **changes):
        config = tiny_config()
        config.data.train = str(store)
        config.update_from_flattened_dict(changes)
        tokenizer = tokenizer or Tokenizer((workdir / "tokenizer.model").read_bytes())
        wanted = origin(loader_config(config), config.model, {**true, **weights}, tokenizer)
        return make_feature_loader(config, *open_features(config), wanted)

    return load


def losses(batches, dtype="float32"):
    """The loss of each batch, at its step."""
    config = tiny_config()
    config.dtype = dtype
    stage, params, frozen = tiny_stage("diffusion", config)

    @jax.jit
    def run(step, batch):
        keys = example_keys(0, step, batch.index)
        return stage.loss(params, frozen, batch, keys)[0]

    return [float(run(step, batch)) for step, batch in enumerate(batches)]


def first(loader, count=3):
    return list(itertools.islice(loader.batches(0), count))


@pytest.fixture(scope="module")
def raw(workdir):
    config = tiny_config()
    tokenizer = Tokenizer((workdir / "tokenizer.model").read_bytes())
    return first(make_loader(config, open_source(config, "train"), tokenizer))


@pytest.fixture(scope="module")
def raw_losses(raw):
    return losses(raw)


@pytest.mark.parametrize("dtype, close", [("float32", 1e-5), ("bfloat16", 1e-2)])
def test_losses_are_those_of_the_clips(feature_loader, stores, raw, raw_losses, dtype, close):
    encoded = first(feature_loader(stores / dtype))
    for made, batch in zip(encoded, raw, strict=True):
        np.testing.assert_array_equal(made.index, batch.index)
        np.testing.assert_array_equal(made.given.use_text, (batch.caption != 0).any(1))
        np.testing.assert_array_equal(made.given.transcript, batch.transcript)
    np.testing.assert_allclose(losses(encoded), raw_losses, rtol=close)


def test_the_stored_half_is_enough_for_half_precision(feature_loader, stores, raw_losses):
    """Storing in bfloat16 adds no more than computing in it does."""
    encoded = first(feature_loader(stores / "bfloat16"))
    np.testing.assert_allclose(losses(encoded, "bfloat16"), raw_losses, rtol=2e-2)


@pytest.mark.parametrize("part", ["codec", "video", "text"])
def test_other_weights_are_refused_by_name(feature_loader, stores, part):
    with pytest.raises(UserError, match=rf"not what this run would make \(weights.{part} "):
        feature_loader(stores / "bfloat16", weights={part: "0" * 64})


@pytest.mark.parametrize(
    "field, value, words",
    [
        ("data.loader.seconds", 0.32, "example.seconds 0.64 there, 0.32 here"),
        ("data.loader.transcript_length", 9, "example.transcript_length 8 there, 9 here"),
        ("model.codec.hop", 80, "model.codec.hop 160 there, 80 here"),
        ("data.loader.degrade", True, "degrade"),
    ],
)
def test_other_shapes_are_refused_by_name(feature_loader, stores, field, value, words):
    with pytest.raises(UserError, match=words):
        feature_loader(stores / "bfloat16", **{field: value})


def test_another_tokenizer_is_refused(feature_loader, stores):
    other = train_tokenizer(["other words here"] * 20, 290)
    with pytest.raises(UserError, match=r"would make \(tokenizer "):
        feature_loader(stores / "bfloat16", tokenizer=other)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_stage_that_needs_pixels_is_refused_a_store(stores, split):
    config = tiny_config("perception")
    config.data[split] = str(stores / "bfloat16")
    with pytest.raises(UserError, match=rf"data.{split}: .*holds features, without pixels"):
        open_source(config, split)


def test_bad_requests_are_one_line(workdir, tmp_path):
    def ask(stage="diffusion", folder=workdir, shard_clips=4, batch=2, **changes):
        config = tiny_config(stage)
        config.update_from_flattened_dict(changes)
        make_writer(config, folder, shard_clips=shard_clips, batch=batch)

    for words, request in {
        "stage 'codec' takes no features": dict(stage="codec"),
        "no checkpoint of stage 'codec'": dict(folder=tmp_path),
        "shard_clips=0": dict(shard_clips=0),
        "batch=0": dict(batch=0),
        "cannot be degraded": {"data.loader.degrade": True},
        "has 32 frames, an example 16: prepare it with --seconds=0.64": {
            "data.world.seconds": 1.28
        },
        "no folder of records": {"data.train": "nowhere"},
    }.items():
        with pytest.raises(UserError, match=words):
            ask(**request)


def start(command, workdir, *arguments):
    """A command of the tiny diffusion stage."""
    paths = os.pathsep.join(map(str, (TESTS, TESTS.parent)))
    given = [f"--config={TESTS / 'tiny_demo.py'}:diffusion", f"--workdir={workdir}"]
    return subprocess.Popen(
        [sys.executable, "-m", f"v2a_jax.bin.{command}", *given, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": paths, "JAX_PLATFORMS": "cpu"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def v2a(command, workdir, *arguments):
    """Exit status and last line of stderr."""
    process = start(command, workdir, *arguments)
    lines = process.communicate()[1].splitlines()
    return process.returncode, lines[-1] if lines else ""


def test_the_commands_train_alike_from_clips_and_from_their_features(workdir, tmp_path):
    store, told = tmp_path / "store", {}
    status, line = v2a("encode", workdir, f"--out={store}", "--shard_clips=3", "--batch=2")
    assert status == 0, line
    assert len(FeatureSource(store)) == 8
    for name, flags in {"raw": [], "stored": [f"--config.data.train={store}"]}.items():
        status, line = v2a("train", tmp_path / name, f"--config.earlier={workdir}", *flags)
        assert status == 0, line
        folder = tmp_path / name / "diffusion"
        lines = (folder / "metrics.jsonl").read_text().splitlines()
        losses = [json.loads(line)["loss"] for line in lines]
        told[name] = losses, json.loads((folder / "config.json").read_text())["provenance"]
    np.testing.assert_allclose(told["stored"][0], told["raw"][0], rtol=1e-2)
    assert told["stored"][1] == told["raw"][1]
    held = [f"--config.earlier={workdir}", f"--config.data.validation={store}"]
    status, line = v2a("train", tmp_path / "held", *held)
    assert status == 2 and "data.validation: " in line and "holds features" in line


def test_a_killed_command_goes_on_and_ends_with_the_same_bytes(workdir, tmp_path):
    asked = ["--shard_clips=1", "--batch=1", "--config.data.world.clips=60"]
    undisturbed, out, work = tmp_path / "a", tmp_path / "b", tmp_path / ".b.encode"
    assert v2a("encode", workdir, f"--out={undisturbed}", *asked)[0] == 0
    process = start("encode", workdir, f"--out={out}", *asked)
    while process.poll() is None and len(list(work.glob("shard-*.json"))) < 3:
        time.sleep(0.005)
    process.kill()
    process.communicate()
    kept = {path.name: path.stat().st_mtime_ns for path in work.glob("shard-*.json")}
    assert 3 <= len(kept) < 60, "the kill hit the work"
    shards = {path.name: path.stat().st_mtime_ns for path in (work / "data").iterdir()}
    assert v2a("encode", workdir, f"--out={out}", *asked)[0] == 0
    finished = [path for path in out.iterdir() if path.name in shards]
    again = [path for path in finished if path.stat().st_mtime_ns != shards[path.name]]
    assert len(again) <= len(shards) - len(kept), "a finished shard was made again"
    made = {path.name: file_sha256(path) for path in out.iterdir()}
    assert made == {path.name: file_sha256(path) for path in undisturbed.iterdir()}
    assert not work.exists()
