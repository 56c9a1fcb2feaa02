"""What a plan says where it matters: loudly when memory is wasted, and safely in HTML."""

import dataclasses

import pytest

from v2a_jax.planning.compiled import Compiled
from v2a_jax.planning.flops import Flops
from v2a_jax.planning.page import page
from v2a_jax.planning.plan import Plan, to_json
from v2a_jax.planning.report import donation, gib, scaled, text, time_of
from v2a_jax.planning.roofline import Prediction
from v2a_jax.planning.topology import GIB, Topology
from v2a_jax.planning.traffic import Collective

FITS = Plan(
    task="training step of stage <diffusion>",
    topology=Topology.parse("v5e:4x4", 2),
    mesh=dict(data=32, fsdp=1, context=1, tensor=1),
    examples=64,
    accumulate=1,
    remat="dots",
    dtype="bfloat16",
    model_flops=3e15,
    compiled=Compiled(
        held={"parameters": 3 * GIB, "temporaries": GIB},
        state=3 * GIB,
        aliased=3 * GIB,
        flops=Flops(products=4e15),
        buffers=(),
        seconds=1.0,
        collectives=(Collective("all-reduce", "dcn", 7, 2.0 * GIB, GIB),),
        memory_traffic=5.0 * GIB,
    ),
    prediction=Prediction(compute=0.25, memory=0.1, ici=0.0, dcn=0.5, mfu=0.31),
)


def with_compiled(**changes):
    return dataclasses.replace(FITS, compiled=dataclasses.replace(FITS.compiled, **changes))


def test_a_state_that_is_held_twice_is_told_loudly():
    assert "verified" in donation(FITS)
    wasted = with_compiled(aliased=GIB)
    assert "NOT DONATED" in donation(wasted)
    assert to_json(wasted)["donated"] is False
    assert "not donated" in page(to_json(wasted) | {"search": [], "would_fit": []})


def test_the_page_has_the_figures_and_no_foreign_html():
    made = page(to_json(FITS) | {"search": [], "would_fit": []})
    for said in ("4 GiB", "15.8 GiB", "31%", "500 ms", "between slices", "2 x v5e:4x4"):
        assert said in made
    assert "&lt;diffusion&gt;" in made
    assert "<diffusion>" not in made


def test_what_does_not_fit_has_no_prediction():
    large = dataclasses.replace(
        with_compiled(missing="RESOURCE_EXHAUSTED: no room", needed=20 * GIB), prediction=None
    )
    lines = "\n".join(text(large))
    assert "DOES NOT FIT" in lines
    assert "no room" in lines
    assert "prediction" not in lines
    told = to_json(large)
    assert (told["fits"], told["predicted_mfu"]) == (False, None)
    assert "no room" in page(told | {"search": [], "would_fit": ["--config.run.batch_size=2"]})


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (gib(1.25 * GIB), "1.25 GiB"),
        (gib(2000 * GIB), "2,000 GiB"),
        (gib(12), "12 B"),
        (scaled(4.5e13, "FLOP"), "45 TFLOP"),
        (scaled(2, "FLOP"), "2 FLOP"),
        (time_of(0.0321), "32.1 ms"),
        (time_of(2.5), "2.5 s"),
    ],
)
def test_numbers_are_said_in_units_that_suit_them(shown, expected):
    assert shown == expected
