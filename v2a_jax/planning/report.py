"""A plan as lines of text, for a terminal."""

from collections.abc import Iterator, Sequence

from v2a_jax.planning.plan import Plan
from v2a_jax.planning.search import Candidate
from v2a_jax.planning.topology import GIB

UNITS = ("", "k", "M", "G", "T", "P", "E")


def gib(count: float) -> str:
    """Bytes in GiB, or smaller units where that says more: 1.25 GiB, 340 MiB, 12 KiB."""
    for unit, size in (("GiB", GIB), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            digits = ".3g" if count < 1000 * size else ",.0f"
            return f"{count / size:{digits}} {unit}"
    return f"{count:.0f} B"


def scaled(count: float, unit: str) -> str:
    """A number with the prefix that suits it: 12.3 TFLOP."""
    place = 0
    while count >= 1000 and place < len(UNITS) - 1:
        count, place = count / 1000, place + 1
    return f"{count:.3g} {UNITS[place]}{unit}"


def time_of(seconds: float) -> str:
    """Seconds, milliseconds or microseconds."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.2g} us"


def headline(plan: Plan) -> str:
    """What is planned, where."""
    mesh = " ".join(f"{name}={size}" for name, size in plan.mesh.items())
    run = f"{plan.examples} examples in {plan.accumulate}, remat {plan.remat}, {plan.dtype}"
    return f"{plan.task} on {plan.topology.name} ({plan.topology.chips} chips, {mesh}): {run}"


def verdict(plan: Plan) -> str:
    """Whether it fits, in one line."""
    limit = gib(plan.topology.chip.hbm_bytes)
    if plan.compiled.fits:
        return f"fits: {gib(plan.compiled.hbm)} of {limit} on each chip"
    return f"DOES NOT FIT: needs at least {gib(plan.compiled.hbm)} of {limit} on each chip"


def text(plan: Plan) -> Iterator[str]:
    """Lines of the whole plan."""
    compiled, prediction = plan.compiled, plan.prediction
    yield headline(plan)
    yield verdict(plan)
    if not compiled.fits:
        yield f"  the compiler: {compiled.missing}"
    for name, size in compiled.held.items():
        if size:
            yield f"  {gib(size):>12}  {name}"
    yield donation(plan)
    yield (
        f"model: {scaled(plan.model_flops, 'FLOP')} a step in matrix products, "
        f"{scaled(compiled.flops.products, 'FLOP')} with what is computed again, and "
        f"{scaled(compiled.flops.others, '')} other operations"
    )
    if prediction is None:
        yield "largest arrays of a step on a chip (not all of them live at once):"
        for one in compiled.buffers:
            yield f"  {gib(one.bytes):>12}  {one.what}  {one.where}"
        return
    yield f"memory traffic: {gib(compiled.memory_traffic)} a step on each chip"
    for one in compiled.collectives:
        yield (
            f"  {one.count:6} x {one.kind} over {one.network}: {gib(one.payload)}, "
            f"{gib(one.sent)} sent by each chip"
        )
    if not compiled.collectives:
        yield "  no collectives"
    yield (
        f"prediction (roofline, nothing was measured): {time_of(prediction.seconds)} a step, "
        f"MFU {prediction.mfu:.0%}, bound by {prediction.bound_by}"
    )
    parts = ("compute", "memory", "ici", "dcn")
    yield "  " + ", ".join(f"{part} {time_of(getattr(prediction, part))}" for part in parts)
    yield f"compiled in {compiled.seconds:.0f} s"


def donation(plan: Plan) -> str:
    """Whether the state is updated in place; loud where it is not."""
    compiled = plan.compiled
    if not compiled.state:
        return "nothing is donated"
    if not compiled.fits:
        return f"state: {gib(compiled.state)}"
    told = f"{gib(compiled.aliased)} of results in the place of {gib(compiled.state)} of state"
    if compiled.donated:
        return f"donation verified: {told}"
    return f"WARNING: THE STATE IS NOT DONATED, and held twice: only {told}"


def table(found: Sequence[tuple[Candidate, Plan]]) -> Iterator[str]:
    """Lines of a search's table, in the order given."""
    head = f"{'batch':>6} {'in':>4} {'remat':>5}  fsdp ctx tensor"
    yield f"{head}  {'HBM':>10}  {'step':>9} {'MFU':>5}"
    for candidate, plan in found:
        prediction = plan.prediction
        yield (
            f"{candidate.batch:6} {candidate.accumulate:4} {candidate.remat:>5}  "
            f"{candidate.fsdp:4} {candidate.context:3} {candidate.tensor:6}  "
            f"{gib(plan.compiled.hbm):>10}  "
            + (
                f"{time_of(prediction.seconds):>9} {prediction.mfu:5.0%}"
                if prediction
                else "does not fit"
            )
        )


def flags_of(candidate: Candidate) -> str:
    """What to say to `v2a train` to get a candidate."""
    return (
        f"--config.run.batch_size={candidate.batch} --config.run.accumulate={candidate.accumulate} "
        f"--config.model.stack.remat={candidate.remat} --config.mesh.fsdp={candidate.fsdp} "
        f"--config.mesh.context={candidate.context} --config.mesh.tensor={candidate.tensor}"
    )
