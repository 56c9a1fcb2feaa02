"""The step: one compilation, the same result whatever the accumulation or the mesh."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest
from tiny_stage import (
    BATCH,
    TinyData,
    TinyStage,
    tiny_config,
    tiny_frozen,
    tiny_mesh,
    train_tiny,
)

from v2a_jax.errors import UserError
from v2a_jax.sharding import batch_sharding
from v2a_jax.training.checkpoint import Checkpoints, flatten
from v2a_jax.training.feed import local_part, to_device
from v2a_jax.training.loop import begin

STEPS = 3


def run_steps(directory, accumulate=1, **mesh_sizes):
    """Errors and the final parameters of a few steps, and how often the step was compiled."""
    mesh, data = tiny_mesh(**mesh_sizes), TinyData().batches(0)
    config = tiny_config(accumulate=accumulate)
    with jax.set_mesh(mesh), Checkpoints(pathlib.Path(directory), 1) as checkpoints:
        state, step = begin(TinyStage(), config, mesh, checkpoints)
        errors, frozen = [], tiny_frozen(mesh)
        for _ in range(STEPS):
            batch = to_device(next(data), batch_sharding(mesh), BATCH)
            state, metrics = step(state, frozen, batch)
            errors.append(float(metrics["error"]))
        params = jax.device_get(flatten(state.params))
        checkpoints.save(state)
        checkpoints.wait()
        restored, _ = begin(TinyStage(), config, mesh, checkpoints)
        step(restored, frozen, batch)
    return errors, params, step._cache_size()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return run_steps(tmp_path_factory.mktemp("whole"))


def test_fresh_and_restored_states_share_one_compilation(whole):
    assert whole[2] == 1


@pytest.mark.parametrize("accumulate", [2, 4])
def test_accumulation_changes_nothing(whole, accumulate, tmp_path):
    errors, params, compiled = run_steps(tmp_path, accumulate)
    assert compiled == 1
    np.testing.assert_allclose(errors, whole[0], rtol=1e-5)
    for name, leaf in params.items():
        np.testing.assert_allclose(leaf, whole[1][name], rtol=1e-3, atol=2e-6, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("sizes, accumulate", [({"fsdp": 2}, 2)])
def test_four_devices_change_nothing(whole, sizes, accumulate, tmp_path):
    here = pathlib.Path(__file__).parent
    code = (
        "import json, test_step; "
        f"errors, params, n = test_step.run_steps({str(tmp_path)!r}, {accumulate}, **{sizes!r}); "
        "print(json.dumps([errors, {k: v.tolist() for k, v in params.items()}, n]))"
    )
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=4",
        "PYTHONPATH": f"{here.parents[1]}:{here}",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    )
    errors, params, compiled = json.loads(done.stdout.splitlines()[-1])
    assert compiled == 1
    np.testing.assert_allclose(errors, whole[0], rtol=1e-5)
    for name, leaf in params.items():
        np.testing.assert_allclose(leaf, whole[1][name], rtol=1e-3, atol=2e-6, err_msg=name)


def test_statistics_are_averaged_and_not_clipped_or_decayed(whole):
    mean, rate = 0.0, tiny_config().optimizer.statistics_rate
    data = TinyData().batches(0)
    for _ in range(STEPS):
        mean += rate * (next(data).audio.mean() - mean)
    np.testing.assert_allclose(whole[1]["mean"], mean, rtol=1e-4)


def test_loss_that_is_not_finite_names_step_and_metric_and_is_not_saved(tmp_path):
    with pytest.raises(UserError, match=r"error is \S+, .*at step 1;"):
        train_tiny(tmp_path, tiny_config(4, 1), stage=TinyStage(poison=True))
    assert not list((tmp_path / "checkpoints").glob("[0-9]*"))


@pytest.mark.parametrize("field, value", [("accumulate", 3), ("log_every", 0)])
def test_impossible_numbers_are_refused(tmp_path, field, value):
    config = tiny_config()
    config = dataclasses.replace(config, run=dataclasses.replace(config.run, **{field: value}))
    with pytest.raises(UserError, match=field):
        train_tiny(tmp_path, config)


def test_one_host_reads_every_row():
    assert local_part(batch_sharding(tiny_mesh()), BATCH) == (0, 1)
