"""Tokens and operations a second: counted by hand, and only over the time that steps took."""

import jax
import pytest
from test_goodput import Clock
from tiny_stage import (
    BATCH,
    SAMPLES,
    WIDTH,
    TinyData,
    TinyStage,
    tiny_config,
    tiny_frozen,
    tiny_mesh,
    train_tiny,
)
from tiny_system import tiny_batch
from tiny_system import tiny_config as system_config

from v2a_jax.sharding import batch_sharding
from v2a_jax.training import watch
from v2a_jax.training.feed import to_device
from v2a_jax.training.goodput import Ledger
from v2a_jax.training.progress import Progress
from v2a_jax.training.stages import make_stage
from v2a_jax.training.throughput import Speedometer, Work, peak_of, shown, work_of


@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_work_of_a_step_is_that_of_its_products(accumulate):
    """Two products and a critic forward; behind them the weights' gradients and that of hidden."""
    mesh, stage = tiny_mesh(), TinyStage()
    with jax.set_mesh(mesh):
        batch = to_device(next(TinyData().batches(0)), batch_sharding(mesh), BATCH)
        params = jax.jit(stage.init)(jax.random.key(0))
        work = work_of(stage, params, tiny_frozen(mesh), batch, accumulate)
    product, critic = 2 * BATCH * SAMPLES * WIDTH, 2 * BATCH * SAMPLES
    assert work.flops == 2 * product + critic + 3 * product + critic
    assert work.tokens == BATCH * SAMPLES
    assert work.peak is None  # a CPU


def test_tokens_of_a_stage(system):
    """0.64 s: 16 latents or frames, 2 tokens of what is seen, a caption of 16."""
    for name, tokens in {"codec": 16, "perception": 34, "diffusion": 34}.items():
        stage = make_stage(name, system_config(name), system)
        assert stage.tokens(tiny_batch(2)) == tokens


def test_rates_are_over_steps_and_waiting_alone():
    clock = Clock()
    ledger = Ledger(None, 0, began=clock.now, clock=clock)
    speed = Speedometer(ledger)
    assert speed.rates(1) == {}
    with ledger.spend("compile"):
        clock.now += 100.0
    speed.start(Work(tokens=10, flops=6e12, peak=12e12), 1)
    ledger.enter("step")
    assert speed.rates(1) == {}
    for phase, seconds in {"step": 3.0, "evaluation": 50.0, "data": 1.0, "checkpoint": 9.0}.items():
        with ledger.spend(phase):
            clock.now += seconds
    rates = speed.rates(3)
    assert rates == {"tokens": 5.0, "flops": 3e12, "mfu": 0.25}
    assert shown(rates) == "5 tokens/s, 3 TFLOP/s, MFU 25.0%"
    clock.now += 2.0
    assert speed.rates(4) == {"tokens": 5.0, "flops": 3e12, "mfu": 0.25}


def test_a_run_shows_its_speed_and_keeps_it_out_of_what_equal_runs_share(tmp_path, monkeypatch):
    board, told = {}, []
    monkeypatch.setattr(
        watch.Watch, "board", lambda self, step, values: board.setdefault(step, {}).update(values)
    )
    monkeypatch.setattr(Progress, "rates", lambda self, text: told.append(text))
    assert train_tiny(tmp_path, tiny_config(4, 100))
    speeds = {step for step, values in board.items() if "speed/tokens" in values}
    assert speeds == {2, 3, 4} and len(told) == 3 and "MFU" not in told[0]
    assert "speed" not in (tmp_path / "metrics.jsonl").read_text()


def test_a_device_that_is_not_known_has_no_peak():
    assert peak_of("cpu") is None and peak_of("NVIDIA T4") is None
    assert peak_of("NVIDIA H100 80GB HBM3") > peak_of("NVIDIA H100 PCIe")
    assert peak_of("TPU v5") > peak_of("TPU v5 lite") == 197e12
