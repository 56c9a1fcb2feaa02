"""Low-rank tuning: nothing at first, factors alone are trained, and merged they are weights."""

import json
import shutil

import jax
import numpy as np
import pytest
from tiny_stage import (
    BATCH,
    WIDTH,
    TinyData,
    TinyStage,
    tiny_config,
    tiny_frozen,
    tiny_mesh,
    train_tiny,
)
from tiny_system import tiny_config as system_config

from v2a_jax.errors import UserError
from v2a_jax.models.functional import flatten
from v2a_jax.sharding import batch_sharding
from v2a_jax.training.checkpoint import restore_params
from v2a_jax.training.earlier import stage_weights
from v2a_jax.training.feed import to_device
from v2a_jax.training.lora import BASE, LoraConfig, LoraStage, tuned
from v2a_jax.training.stages import example_keys, make_stage
from v2a_jax.training.warm import begin_with

SIGMA = 0.1
CONFIG = {"ema": {"sigma_rel": (SIGMA,)}}


def asked(weights, *, rank=2, leaves=("model/*/kernel",), differ=(), alpha=3.0):
    """The sections of a config that ask for factors of given weights."""
    return CONFIG | {
        "init": {"weights": str(weights), "differ": differ},
        "lora": {"rank": rank, "alpha": alpha, "leaves": leaves},
    }


def tune(workdir, config, steps=6, every=2):
    """Trains factors in WORKDIR/tiny, as the command does."""
    start = begin_with(config, TinyStage(), workdir / "tiny", lambda text: None)
    mesh = tiny_mesh()
    train_tiny(
        workdir / "tiny",
        tiny_config(steps, every),
        stage=start.of(TinyStage()),
        frozen=tiny_frozen(mesh) | start.frozen(TinyStage(), mesh),
        initial=start.initial,
        description={**config, **start.description},
    )
    return start


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A --workdir in which the tiny stage was trained."""
    workdir = tmp_path_factory.mktemp("base")
    assert train_tiny(workdir / "tiny", tiny_config(3, 3))
    return workdir


@pytest.fixture(scope="module")
def made(base, tmp_path_factory):
    """A --workdir with factors of that, trained without a stop."""
    workdir = tmp_path_factory.mktemp("made")
    tune(workdir, asked(base))
    return workdir


def by_name(place):
    leaves = flatten(stage_weights(place, ("tiny",), SIGMA))
    return {name: np.asarray(leaf) for name, leaf in leaves.items()}


def test_at_first_the_loss_is_the_bases_own(base):
    start = begin_with(asked(base), TinyStage(), base / "none", lambda text: None)
    stage, mesh = start.of(TinyStage()), tiny_mesh()
    with jax.set_mesh(mesh):
        batch = to_device(next(TinyData().batches(0)), batch_sharding(mesh), BATCH)
        keys, frozen = example_keys(0, 0, batch.index), tiny_frozen(mesh)
        held = start.frozen(TinyStage(), mesh)
        factors = jax.jit(stage.init)(jax.random.key(1))
        gradient = jax.jit(jax.value_and_grad(stage.loss, has_aux=True))
        (loss, _), slopes = gradient(factors, frozen | held, batch, keys)
        assert loss == jax.jit(TinyStage().loss)(held[BASE], frozen, batch, keys)[0]
    assert all(np.any(pair["a"]) for pair in factors.values())
    assert all(np.any(pair["b"]) and not np.any(pair["a"]) for pair in slopes.values())


def test_what_was_tuned_is_the_base_and_the_product_of_the_factors(base, made):
    before, after = by_name(base), by_name(made)
    assert before.keys() == after.keys()
    device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    factors = flatten(restore_params(made / "tiny" / "checkpoints", f"{SIGMA:g}", device))
    assert len(factors) == 4
    for name in before:
        product = 0.0
        if name in ("model/up/kernel", "model/down/kernel"):
            product = 1.5 * np.asarray(factors[f"{name}/a"]) @ factors[f"{name}/b"]
            assert abs(product).max() > 1e-4
        np.testing.assert_allclose(after[name], before[name] + product, rtol=1e-5, atol=1e-7)


def test_what_was_evaluated_are_the_weights_that_come_out(made):
    last = json.loads((made / "tiny" / "evaluation.jsonl").read_text().splitlines()[-1])
    mesh = tiny_mesh()
    with jax.set_mesh(mesh):
        batch = to_device(next(TinyData().batches(0)), batch_sharding(mesh), BATCH)
        keys = example_keys(0, 0, batch.index)
        weights = jax.device_put(
            stage_weights(made, ("tiny",), SIGMA), tiny_frozen(mesh)["offset"].sharding
        )
        error = jax.jit(TinyStage().evaluate)(weights, tiny_frozen(mesh), batch, keys)["error"]
    np.testing.assert_allclose(last["error"], error, rtol=1e-5)


@pytest.mark.slow
def test_stopped_and_resumed_it_is_the_same(base, made, tmp_path):
    tune(tmp_path, asked(base), steps=4)
    tune(tmp_path, asked(base), steps=6)
    one, other = by_name(made), by_name(tmp_path)
    assert all(np.array_equal(one[name], other[name]) for name in one)


def altered(made, folder, **changes):
    """A copy of a run whose config.json says something else of what it began with."""
    shutil.copytree(made, folder)
    path = folder / "tiny" / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "base": config["base"] | changes}))
    return folder


def test_a_run_says_what_it_tuned_and_refuses_another(base, made, tmp_path):
    told = json.loads((made / "tiny" / "config.json").read_text())["base"]
    assert told["weights"] == str(base) and told["parts"] == ["critic", "mean", "model"]
    assert told["trained"]["stages"]["tiny"] == {"model": {"width": WIDTH}}
    other = altered(made, tmp_path / "other", sha256="0" * 64)
    with pytest.raises(UserError, match="tuned from weights of .*not the same any more"):
        stage_weights(other, ("tiny",), SIGMA)
    with pytest.raises(UserError, match=r"another configuration \(base.sha256"):
        tune(other, asked(base), steps=9)
    gone = altered(made, tmp_path / "gone", weights=str(tmp_path / "nothing"))
    with pytest.raises(UserError, match="tuned from weights of .*not there any more"):
        stage_weights(gone, ("tiny",), SIGMA)


def test_weights_tuned_themselves_are_needed_no_more_once_started(base, tmp_path):
    fresh = begin_with(asked(base, rank=0), TinyStage(), tmp_path, lambda text: None)
    assert fresh.told["weights"] == str(base) and set(fresh.initial) == set(by_name(base))
    (tmp_path / "checkpoints" / "3").mkdir(parents=True)
    (tmp_path / "config.json").write_text(json.dumps(fresh.description))
    config = asked("/nonexistent", rank=0)
    later = begin_with(config, TinyStage(), tmp_path, lambda text: None)
    assert later.told == fresh.told and not later.initial
    with pytest.raises(UserError, match="init.weights=/nonexistent"):
        begin_with(asked("/nonexistent"), TinyStage(), tmp_path, lambda text: None)


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"weights": ""}, "set init.weights"),
        ({"differ": ("critic/*",)}, "no init.differ"),
        ({"rank": -1}, "lora.rank=-1"),
        ({"alpha": 0.0}, "lora.alpha=0.0"),
        ({"leaves": ("model/up/kernel", "dit/*")}, "no kernel .* matches 'dit/\\*'"),
        ({"leaves": ("model/bias",)}, "no kernel .* matches 'model/bias'"),
        ({"leaves": ()}, "lora.leaves"),
    ],
)
def test_what_makes_no_sense_is_refused(base, tmp_path, changes, told):
    with pytest.raises(UserError, match=told):
        config = asked(**({"weights": base} | changes))
        begin_with(config, TinyStage(), tmp_path, lambda text: None).of(TinyStage())


def test_each_of_stacked_layers_has_factors_of_its_own(system):
    """Of kernels with several inputs, several outputs, and both; whose shardings they keep."""
    config = system_config()
    config.model.dit.audio_blocks = 3
    stage = make_stage("diffusion", config, type(system).from_config(config))
    patterns = ("dit/alone/*/out/kernel", "dit/alone/*/project/kernel", "dit/final/kernel")
    lora = LoraStage(stage, LoraConfig(rank=2, alpha=1.0, leaves=patterns))
    shapes = jax.eval_shape(lora.init, jax.random.key(0))
    kernels = flatten(jax.eval_shape(stage.init, jax.random.key(0)))
    assert {name.split("/", 2)[-1]: shapes[name]["a"].shape for name in shapes} == {
        "blocks/stream/out/kernel": (3, 2, 16, 2),
        "blocks/stream/qkv/project/kernel": (3, 32, 2),
        "kernel": (32, 2),
    }
    rng = np.random.default_rng(0)
    factors = jax.tree.map(lambda x: rng.standard_normal(x.shape, "f"), shapes)
    zeros = {name: np.zeros(kernels[name].shape, np.float32) for name in shapes}
    for name, kernel in flatten(tuned(zeros, factors, 0.5)).items():
        a, b = factors[name]["a"], factors[name]["b"]
        layers = range(3) if "blocks" in name else [...]
        for layer in layers:
            product = np.tensordot(a[layer], b[layer], 1)
            np.testing.assert_allclose(kernel[layer], 0.5 * product, rtol=1e-5, atol=1e-6)
        assert lora.axes()[name]["a"][-1] is None
    assert lora.axes()["dit/alone/blocks/stream/qkv/project/kernel"] == {
        "a": ("layers", "embed", None),
        "b": ("layers", None, None, "heads", None),
    }
