"""Weights and conditions of this project, handed to PyTorch."""

import numpy as np
import torch
from torch import Tensor, nn

from v2a_jax.models.functional import flatten
from v2a_jax.types import Conditions, Params

STACKS = ("joint", "alone")  # whose parameters are stacked along a leading axis
NAMES = {"kernel": "weight", "scale": "weight"}


def copied(params: Params, module: nn.Module) -> None:
    """Gives `module` the values of `params`; an error where their names or sizes don't match."""
    shapes = {name: tuple(leaf.shape) for name, leaf in module.named_parameters()}
    state = {name: _turned(name, x, shapes[name]) for name, x in named(params).items()}
    module.load_state_dict(state, strict=True)


def named(params: Params) -> dict[str, np.ndarray]:
    """Arrays by PyTorch's names, one for each layer; shapes are as they were."""
    found = {}
    for path, leaf in flatten(params).items():
        first, *rest = (part for part in path.split("/") if part != "blocks")
        rest[-1:] = [NAMES.get(part, part) for part in rest[-1:]]
        if first in STACKS:
            found |= {".".join([first, str(i), *rest]): np.array(x) for i, x in enumerate(leaf)}
        else:
            found[".".join([first, *rest])] = np.array(leaf)
    return found


def tensors(given: Conditions, device: str) -> dict[str, Tensor]:
    """Conditions as PyTorch takes them."""
    names = given.__dataclass_fields__
    return {name: torch.tensor(np.asarray(getattr(given, name)), device=device) for name in names}


def _turned(name: str, value: np.ndarray, shape: tuple[int, ...]) -> Tensor:
    """Matrices here are [inputs.., outputs..], those of PyTorch [outputs, inputs]."""
    if name.endswith("weight") and len(shape) == 2:
        return torch.tensor(value.reshape(shape[::-1]).T.copy())
    return torch.tensor(value.reshape(shape))
