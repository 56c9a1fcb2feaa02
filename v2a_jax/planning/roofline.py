"""A prediction of a step's time: what each part of a chip has to do, at its best rate.

t = max(t_compute, t_memory, t_ici, t_dcn): as if all of them overlapped perfectly and never
waited for each other (Williams et al. 2009, "Roofline"). Real steps take longer; nothing here was
measured.
"""

import dataclasses
from collections.abc import Sequence

from v2a_jax.planning.topology import Chip
from v2a_jax.planning.traffic import Collective


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prediction:
    """Seconds a step that each part of a chip would be busy.

    `mfu` is the share of the chips' peak that the model's own matrix products would be: what is
    computed again for want of memory counts as time, and not as use.
    """

    compute: float
    memory: float
    ici: float
    dcn: float
    mfu: float

    @property
    def seconds(self) -> float:
        """Of one step."""
        return max(self.compute, self.memory, self.ici, self.dcn)

    @property
    def bound_by(self) -> str:
        """The part that the others wait for."""
        parts = ("compute", "memory", "ici", "dcn")
        return max(parts, key=lambda part: getattr(self, part))


def predict(
    chip: Chip,
    chips: int,
    *,
    model_flops: float,
    executed_flops: float,
    memory_bytes: float,
    collectives: Sequence[Collective],
) -> Prediction:
    """The prediction for a step of so many matrix operations on all chips together.

    `memory_bytes` and `collectives` are those of one chip. A collective has the links along one
    dimension of the torus to itself, and sends both ways.
    """
    sent = {"ici": 0.0, "dcn": 0.0}
    for one in collectives:
        sent[one.network] += one.sent
    # `chip.ici` counts what goes out and what comes in; a ring lies along one dimension.
    ring = chip.ici / 2 / chip.dimensions
    parts = dict(
        compute=executed_flops / (chips * chip.flops),
        memory=memory_bytes / chip.hbm,
        ici=sent["ici"] / ring,
        dcn=sent["dcn"] / chip.dcn,
    )
    ideal = model_flops / (chips * chip.flops)
    longest = max(parts.values())
    return Prediction(mfu=ideal / longest if longest else 0.0, **parts)
