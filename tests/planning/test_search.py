"""The search, on a compiler that only knows how much memory a candidate takes."""

import dataclasses

import pytest

from v2a_jax.errors import UserError
from v2a_jax.planning.compiled import Compiled
from v2a_jax.planning.flops import Flops
from v2a_jax.planning.plan import Plan
from v2a_jax.planning.roofline import Prediction
from v2a_jax.planning.search import Candidate, remedies, search
from v2a_jax.planning.topology import Topology

FIRST = Candidate(batch=256, accumulate=1, remat="none", fsdp=1, context=1, tensor=1)
DEVICES = 16
KEPT = {"none": 1.0, "dots": 0.5, "full": 0.1}  # of an example's activations
TIME = {"none": 1.0, "dots": 1.1, "full": 1.3}


def fake(limit, tried=None):
    """A planner: memory of the state over fsdp, and activations of a microbatch; faster at none."""

    def plan(candidate):
        if tried is not None:
            tried.append(candidate)
        rows = candidate.batch / candidate.accumulate / DEVICES
        taken = 100 / candidate.fsdp + 10 * rows * KEPT[candidate.remat]
        fits = taken <= limit
        seconds = candidate.batch * TIME[candidate.remat] * (1 + 0.01 * candidate.fsdp)
        return Plan(
            task="fake",
            topology=Topology.parse("v5e:4x4"),
            mesh={},
            examples=candidate.batch,
            accumulate=candidate.accumulate,
            remat=candidate.remat,
            dtype="float32",
            model_flops=1.0,
            compiled=Compiled(
                held={"all": int(taken)},
                state=0,
                flops=Flops(),
                buffers=(),
                seconds=0.0,
                missing="" if fits else "too large",
                needed=int(taken),
            ),
            prediction=Prediction(compute=seconds, memory=0, ici=0, dcn=0, mfu=0.5)
            if fits
            else None,
        )

    return plan


def test_the_first_found_fits_and_is_the_fastest_of_all_that_do():
    found = search(FIRST, DEVICES, fake(limit=150), say=lambda _: None)
    best, plan = found[0]
    assert plan.compiled.fits
    rates = [p.prediction.seconds / p.examples for _, p in found if p.compiled.fits]
    assert rates == sorted(rates)
    assert best.remat == "none"  # what need not be computed again is faster
    fitting = [p.compiled.fits for _, p in found]
    assert fitting == sorted(fitting, reverse=True)


@pytest.mark.parametrize("limit", [20, 60, 101, 120, 150, 230, 1e9])
def test_no_candidate_that_was_left_out_is_faster(limit):
    tried = []
    found = search(FIRST, DEVICES, fake(limit, tried), say=lambda _: None)
    plan = fake(limit)
    every = [
        plan(dataclasses.replace(FIRST, fsdp=fsdp, tensor=tensor, batch=batch, remat=remat))
        for fsdp, tensor in ((1, 1), (2, 1), (4, 1), (1, 2))
        for batch in (128, 256, 512)
        for remat in KEPT
    ]
    rates = [one.prediction.seconds / one.examples for one in every if one.prediction]
    best = found[0][1].prediction
    assert (best is not None) == bool(rates)
    assert not rates or best.seconds / found[0][1].examples == min(rates)
    assert len(tried) == len(set(tried)) <= 20
    assert limit < 1e9 or len(tried) == 12  # where all fits, nothing is tried twice


def test_what_recomputing_everything_cannot_save_is_not_tried_with_a_larger_batch():
    tried = []
    found = search(FIRST, DEVICES, fake(limit=1, tried=tried), say=lambda _: None)
    assert {candidate.batch for candidate in tried} == {FIRST.batch // 2}
    assert not any(plan.compiled.fits for _, plan in found)


def test_every_candidate_divides_over_the_mesh():
    first = dataclasses.replace(FIRST, batch=32)
    found = search(first, DEVICES, fake(limit=105), say=lambda _: None)
    assert {candidate.remat for candidate, _ in found} == set(KEPT)
    assert len({candidate.fsdp for candidate, _ in found}) > 1
    assert len({candidate.tensor for candidate, _ in found}) > 1
    assert len({candidate.batch for candidate, _ in found}) > 1
    for candidate, _ in found:
        assert DEVICES % (candidate.fsdp * candidate.tensor) == 0
        assert candidate.batch % (DEVICES // candidate.tensor) == 0


def test_what_cannot_be_compiled_is_said_and_passed_over():
    said, plan = [], fake(limit=1e9)

    def choosy(candidate):
        if candidate.tensor > 1:
            raise UserError("heads do not divide")
        return plan(candidate)

    found = search(FIRST, DEVICES, choosy, say=said.append)
    assert found
    assert all(candidate.tensor == 1 for candidate, _ in found)
    assert any("heads do not divide" in line for line in said)


@pytest.mark.parametrize("limit", [230, 180, 120])
def test_remedies_fit_and_change_one_thing_each(limit):
    fitting = remedies(FIRST, DEVICES, fake(limit), say=lambda _: None)
    assert fitting
    for candidate in fitting:
        assert fake(limit)(candidate).compiled.fits
        assert len(changes(candidate)) == 1


def changes(candidate):
    return [name for name, value in vars(candidate).items() if value != vars(FIRST)[name]]


def test_where_no_single_change_will_do_several_are_made():
    fitting = remedies(FIRST, DEVICES, fake(limit=30), say=lambda _: None)
    assert [changes(candidate) for candidate in fitting] == [["remat", "fsdp"]]


def test_a_remedy_is_the_least_change_of_its_kind():
    by_batch = [
        c for c in remedies(FIRST, DEVICES, fake(limit=180), lambda _: None) if c.batch < 256
    ]
    assert [candidate.batch for candidate in by_batch] == [128]


def test_there_is_no_remedy_for_a_state_that_no_mesh_can_split():
    assert remedies(FIRST, DEVICES, fake(limit=1), say=lambda _: None) == []
