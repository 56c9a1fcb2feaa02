"""A stage begins with given weights: all of them, or what differs is listed and allowed by name."""

import jax
import numpy as np
import pytest
from tiny_stage import WIDTH, TinyStage, tiny_config, tiny_mesh, train_tiny
from tiny_system import tiny_stage

from v2a_jax.errors import UserError
from v2a_jax.models.functional import flatten
from v2a_jax.training.checkpoint import Checkpoints, restore_params
from v2a_jax.training.loop import begin
from v2a_jax.training.warm import InitConfig, warm_weights

SIGMA = 0.1


def warm(weights, stage, differ=()):
    """The weights taken, and what was told."""
    told = []
    config = InitConfig(weights=str(weights), differ=tuple(differ))
    return warm_weights(config, stage, SIGMA, told.append), told


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A --workdir in which the tiny stage was trained, and its averaged weights."""
    workdir = tmp_path_factory.mktemp("trained")
    assert train_tiny(workdir / "tiny", tiny_config(3, 3))
    place = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    return workdir, flatten(restore_params(workdir / "tiny" / "checkpoints", "0.1", place))


def beginnings(tmp_path, stage, initial):
    """The parameters of a state that begins with `initial`, and of one that begins at random."""
    mesh, config = tiny_mesh(), tiny_config()
    with jax.set_mesh(mesh), Checkpoints(tmp_path, 1) as checkpoints:
        states = [begin(stage, config, mesh, checkpoints, given)[0] for given in (initial, {})]
        return [jax.device_get(flatten(state.params)) for state in states]


def test_a_run_begins_with_all_weights_of_another(trained, tmp_path):
    workdir, averaged = trained
    taken, told = warm(workdir, TinyStage())
    made, random = beginnings(tmp_path, TinyStage(), taken)
    assert made.keys() == averaged.keys() and len(told) == 1 and "not taken" not in told[0]
    for name in made:
        np.testing.assert_array_equal(made[name], averaged[name], err_msg=name)
    assert not all(np.array_equal(made[name], random[name]) for name in made)


class Other(TinyStage):
    """A stage with a wider layer, a new part and an old one gone."""

    def init(self, key):
        params = super().init(key) | {"extra": {"bias": np.zeros(3, np.float32)}}
        del params["model"]["bias"]
        return params

    def axes(self):
        axes = super().axes() | {"extra": {"bias": (None,)}}
        del axes["model"]["bias"]
        return axes

    def groups(self, params):
        rest = {name: part for name, part in params.items() if name != "extra"}
        return super().groups(rest) | {"extra": {"bias": "model"}}


def test_every_leaf_that_differs_is_listed(trained):
    with pytest.raises(UserError) as error:
        warm(trained[0], Other(width=WIDTH + 1))
    line = str(error.value)
    assert "2 changed, 1 left over, 1 missing: " in line
    assert "extra/bias (missing)" in line and "model/bias (left over)" in line
    assert "model/up/kernel (float32[64, 8] there, float32[64, 9] here)" in line
    assert "model/down/kernel (float32[8, 64] there, float32[9, 64] here)" in line
    with pytest.raises(UserError, match=r": 1 missing: extra/bias \(missing\)$"):
        warm(trained[0], Other(width=WIDTH + 1), ["model/*"])


def test_a_pattern_that_matches_no_weight_is_named(trained):
    warm(trained[0], TinyStage(), ["model/*"])
    with pytest.raises(UserError, match=r"init.differ: no weight .* matches 'model/blocks/\*'"):
        warm(trained[0], TinyStage(), ["model/*", "model/blocks/*"])


def test_what_may_differ_stays_random_and_is_told(trained, tmp_path):
    stage = Other(width=WIDTH + 1)
    taken, told = warm(trained[0], stage, ["model/*", "extra/*"])
    assert sorted(taken) == ["critic/kernel", "mean"]
    assert "2 of 5 weights" in told[0] and "extra/bias (missing)" in told[0]
    made, random = beginnings(tmp_path, stage, taken)
    for name, leaf in made.items():
        expected = trained[1][name] if name in taken else random[name]
        np.testing.assert_array_equal(leaf, expected, err_msg=name)


@pytest.mark.slow
def test_a_stage_takes_its_part_of_a_bundle(bundle_folder, weights):
    stage, _, _ = tiny_stage("diffusion")
    taken, _ = warm(bundle_folder, stage)
    wanted = flatten({"dit": weights["dit"]})
    assert taken.keys() == wanted.keys()
    assert all(np.array_equal(taken[name], wanted[name]) for name in wanted)
    perception, _, _ = tiny_stage("perception")
    taken, _ = warm(bundle_folder, perception)
    parts = ("video", "text", "tower", "heads")
    assert taken.keys() == flatten({part: weights[part] for part in parts}).keys()


def test_what_is_no_source_of_weights_is_refused(trained, tmp_path):
    with pytest.raises(UserError, match="neither a bundle nor has it a run of tiny"):
        warm(tmp_path, TinyStage())
    assert warm("", TinyStage()) == ({}, [])
