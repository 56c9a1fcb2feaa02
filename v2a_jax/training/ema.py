"""Power-law averages of the weights (Karras et al. 2024, "EDM2", section 3.1).

theta_hat(t) = beta_t theta_hat(t-1) + (1 - beta_t) theta(t),   beta_t = (1 - 1/t)^(gamma + 1)

The profile's width relative to the training time is
sigma_rel = (gamma + 1)^(1/2) (gamma + 2)^(-1) (gamma + 3)^(-1/2).
"""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from v2a_jax.types import Array, Params


@dataclasses.dataclass(frozen=True, kw_only=True)
class EmaConfig:
    """One average for every width; the first is the one evaluated and exported."""

    sigma_rel: tuple[float, ...]


def profile_name(sigma_rel: float) -> str:
    """The name under which the average of this width is kept."""
    return f"{sigma_rel:g}"


def gamma_of(sigma_rel: float) -> float:
    """The exponent of a relative width (0 < sigma_rel < 0.28): the largest root of the cubic."""
    inverse = sigma_rel**-2
    roots = np.roots([1.0, 7.0, 16.0 - inverse, 12.0 - inverse])
    return float(roots.real.max())


def init_ema(params: Params, sigma_rel: Sequence[float]) -> dict[str, Params]:
    """Averages before the first step; their value is irrelevant, since beta_1 = 0."""
    return {profile_name(s): jax.tree.map(jnp.zeros_like, params) for s in sigma_rel}


def update_ema(
    ema: dict[str, Params], params: Params, step: Array, sigma_rel: Sequence[float]
) -> dict[str, Params]:
    """The averages after step t = `step` >= 1 produced `params`."""
    updated = {}
    for sigma in sigma_rel:
        beta = (1.0 - 1.0 / step.astype(jnp.float32)) ** (gamma_of(sigma) + 1.0)
        name = profile_name(sigma)
        updated[name] = jax.tree.map(
            lambda average, new, beta=beta: beta * average + (1.0 - beta) * new, ema[name], params
        )
    return updated
