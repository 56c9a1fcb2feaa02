"""The roofline against times that are known."""

import dataclasses

import pytest

from v2a_jax.planning.roofline import predict
from v2a_jax.planning.topology import CHIPS, Chip
from v2a_jax.planning.traffic import Collective

CHIP = Chip(
    flops=100.0,
    hbm_bytes=1000,
    hbm=10.0,
    ici=12.0,
    dcn=1.0,
    dimensions=3,
)
NOTHING = dict(model_flops=0.0, executed_flops=0.0, memory_bytes=0.0, collectives=())


def prediction(**given):
    return predict(CHIP, 4, **NOTHING | given)


def test_each_part_at_its_best_rate():
    sent = [
        Collective("all-gather", "ici", 1, 0.0, 6.0),
        Collective("all-reduce", "ici", 1, 0.0, 2.0),
        Collective("all-reduce", "dcn", 1, 0.0, 3.0),
    ]
    made = prediction(model_flops=400.0, executed_flops=800.0, memory_bytes=50.0, collectives=sent)
    # A ring along one of three dimensions, of links that count both ways: 12 / 2 / 3 bytes/s.
    assert (made.compute, made.memory, made.ici, made.dcn) == (2.0, 5.0, 4.0, 3.0)
    assert (made.seconds, made.bound_by) == (5.0, "memory")
    assert made.mfu == pytest.approx(1.0 / 5.0)


def test_what_is_computed_again_takes_time_and_is_no_use():
    whole = prediction(model_flops=400.0, executed_flops=400.0)
    again = prediction(model_flops=400.0, executed_flops=500.0)
    assert (whole.mfu, again.mfu) == (1.0, pytest.approx(0.8))


def test_more_chips_take_less_time_to_compute_and_no_less_to_send():
    sent = [Collective("all-reduce", "ici", 1, 0.0, 2.0)]
    few, many = (
        predict(CHIP, chips, **NOTHING | dict(executed_flops=800.0, collectives=sent))
        for chips in (4, 8)
    )
    assert (few.compute, many.compute) == (2.0, 1.0)
    assert few.ici == many.ici


@pytest.mark.parametrize("kind", CHIPS)
def test_every_chip_is_faster_inside_than_out(kind):
    chip = dataclasses.asdict(CHIPS[kind])
    assert chip["flops"] > chip["hbm"] > chip["ici"] > chip["dcn"] > 0
