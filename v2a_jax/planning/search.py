"""Which batch, recomputation and mesh fit, and which of them would be fastest.

Each candidate is compiled, which takes minutes, so few are. On every mesh the batch grows, and the
first way to recompute that fits is taken, from what keeps everything to what recomputes everything:
the less is computed again the faster, and what doesn't fit with a batch doesn't with a larger one.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from v2a_jax.errors import UserError
from v2a_jax.models.layers import REMAT
from v2a_jax.planning.plan import Plan, with_fields

Planner = Callable[["Candidate"], Plan]
Say = Callable[[str], None]
LEAST = "full"  # what needs the least memory, of REMAT
GROWING = (0.5, 1, 2)  # batches that are tried, of the config's own


@dataclasses.dataclass(frozen=True, kw_only=True)
class Candidate:
    """`batch` examples a step in `accumulate` microbatches; `data` takes what chips are left."""

    batch: int
    accumulate: int
    remat: str
    fsdp: int
    context: int
    tensor: int

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Candidate":
        """What a config asks for."""
        mesh = {name: config["mesh"][name] for name in ("fsdp", "context", "tensor")}
        run, remat = config["run"], config["model"]["stack"]["remat"]
        return cls(batch=run["batch_size"], accumulate=run["accumulate"], remat=remat, **mesh)

    def applied(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The config with this candidate's choices."""
        mesh = dict(fsdp=self.fsdp, context=self.context, tensor=self.tensor)
        config = with_fields(config, "mesh", data=-1, **mesh)
        config = with_fields(config, "run", batch_size=self.batch, accumulate=self.accumulate)
        return with_fields(config, "model", stack={"remat": self.remat})

    def __str__(self) -> str:
        mesh = f"fsdp={self.fsdp} context={self.context} tensor={self.tensor}"
        return f"batch {self.batch} in {self.accumulate}, remat {self.remat}, {mesh}"


def search(first: Candidate, devices: int, plan: Planner, say: Say) -> list[tuple[Candidate, Plan]]:
    """Plans of candidates around the first, the fastest first and what does not fit last.

    At most five on each of four meshes. A mesh that can't be compiled for is passed over, and said.
    """
    found: list[tuple[Candidate, Plan]] = []
    for mesh in _meshes(first, devices):
        batches = (dataclasses.replace(mesh, batch=round(first.batch * by)) for by in GROWING)
        found += _stairs([each for each in batches if possible(each, devices)], plan, say)
    return sorted(found, key=lambda pair: _order(pair[1]))


def _stairs(batches: Sequence[Candidate], plan: Planner, say: Say) -> list[tuple[Candidate, Plan]]:
    """Up with the batch where it fits, else down with the memory, until neither is possible."""
    found, remats = [], list(REMAT)
    while batches and remats:
        candidate = dataclasses.replace(batches[0], remat=remats[0])
        made = attempt(candidate, plan, say)
        if made is None:  # and would not be with another batch
            break
        found.append((candidate, made))
        batches, remats = (batches[1:], remats) if made.compiled.fits else (batches, remats[1:])
    return found


def _order(plan: Plan) -> tuple[bool, float]:
    """What fits before what does not, and by seconds an example."""
    seconds = plan.prediction.seconds if plan.prediction else float(plan.compiled.hbm)
    return not plan.compiled.fits, seconds / plan.examples


def _meshes(first: Candidate, devices: int) -> Iterator[Candidate]:
    """The config's own mesh, weights split two and four times as far, and heads twice."""
    for fsdp, tensor in ((1, 1), (2, 1), (4, 1), (1, 2)):
        mesh = dataclasses.replace(first, fsdp=first.fsdp * fsdp, tensor=first.tensor * tensor)
        if devices % (mesh.fsdp * mesh.context * mesh.tensor) == 0:
            yield mesh


def possible(candidate: Candidate, devices: int) -> bool:
    """Whether mesh and batch divide over so many devices."""
    split = candidate.context * candidate.tensor
    if devices % (candidate.fsdp * split):
        return False
    shards = devices // split
    return candidate.batch > 0 and candidate.batch % (candidate.accumulate * shards) == 0


def remedies(first: Candidate, devices: int, plan: Planner, say: Say) -> list[Candidate]:
    """Of each kind of change, the least that makes the first candidate fit, where one does.

    Where none does alone, recomputing everything and splitting the weights further, together.
    """
    grown = [2**k for k in range(1, 7)]
    wider = [dataclasses.replace(first, fsdp=first.fsdp * by) for by in grown]
    kinds: Sequence[list[Candidate]] = (
        [dataclasses.replace(first, remat=LEAST)] if first.remat != LEAST else [],
        wider,
        [dataclasses.replace(first, accumulate=first.accumulate * by) for by in grown],
        [dataclasses.replace(first, batch=first.batch // by) for by in grown],
    )
    several = [dataclasses.replace(each, remat=LEAST) for each in wider]
    least = [_least(kind, devices, plan, say) for kind in kinds]
    fitting = [candidate for candidate in least if candidate]
    return fitting or [one for one in [_least(several, devices, plan, say)] if one]


def _least(changes: Sequence[Candidate], devices: int, plan: Planner, say: Say) -> Candidate | None:
    """The first of ever larger changes that fits."""
    for candidate in (change for change in changes if possible(change, devices)):
        made = attempt(candidate, plan, say)
        if made is not None and made.compiled.fits:
            return candidate
    return None


def attempt(candidate: Candidate, plan: Planner, say: Say) -> Plan | None:
    """The plan of a candidate; None where it cannot be compiled."""
    try:
        made = plan(candidate)
    except UserError as error:
        say(f"{candidate}: {error}")
        return None
    say(f"{candidate}: {'fits' if made.compiled.fits else made.compiled.missing}")
    return made
