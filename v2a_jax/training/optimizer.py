"""AdamW with warm-up, a decaying learning rate and gradient clipping, all from optax.

theta <- theta - lr(t) (m / (sqrt(v) + eps) + weight_decay theta)     (Loshchilov & Hutter 2019)

Running statistics, a parameter group of their own, take plain gradient steps instead.
"""

import dataclasses

import jax
import optax

from v2a_jax.errors import UserError
from v2a_jax.training.stages import Stage

STATISTICS = "statistics"  # the group that is averaged, not learned


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """`schedule` is constant, cosine or linear; it ends at `final_fraction` of `learning_rate`.

    `warmup` counts steps; `clip_norm` bounds the global norm of each parameter group's gradient.
    `statistics_rate` is the part of a running statistic that one step replaces.
    """

    learning_rate: float
    schedule: str
    warmup: int
    final_fraction: float
    b1: float
    b2: float
    eps: float
    weight_decay: float
    clip_norm: float
    statistics_rate: float


def make_schedule(config: OptimizerConfig, steps: int) -> optax.Schedule:
    """Learning rate of step t = 0..steps-1: a linear rise to the peak, then the decay."""
    peak, warmup = config.learning_rate, min(config.warmup, steps)
    rest, last = max(steps - warmup, 1), config.final_fraction * config.learning_rate
    decays = {
        "constant": lambda: optax.constant_schedule(peak),
        "cosine": lambda: optax.cosine_decay_schedule(peak, rest, config.final_fraction),
        "linear": lambda: optax.linear_schedule(peak, last, rest),
    }
    if config.schedule not in decays:
        raise UserError(
            f"optimizer.schedule '{config.schedule}' is not one of: {', '.join(decays)}"
        )
    rise = optax.linear_schedule(peak / max(warmup, 1), peak, max(warmup - 1, 1))
    return optax.join_schedules([rise, decays[config.schedule]()], [warmup])


def make_optimizer(
    config: OptimizerConfig, stage: Stage, steps: int
) -> optax.GradientTransformation:
    """The stage's optimizer for a run of `steps`, each parameter group on its own."""
    weights = optax.chain(
        optax.clip_by_global_norm(config.clip_norm),
        optax.scale_by_adam(config.b1, config.b2, config.eps),
        optax.add_decayed_weights(config.weight_decay, stage.decay_mask),
        optax.scale_by_learning_rate(make_schedule(config, steps)),
    )
    abstract = jax.eval_shape(lambda: stage.init(jax.random.key(0)))
    transforms = dict.fromkeys(jax.tree.leaves(stage.groups(abstract)), weights)
    if STATISTICS in transforms:
        transforms[STATISTICS] = optax.sgd(config.statistics_rate)
    return optax.partition(transforms, stage.groups)
