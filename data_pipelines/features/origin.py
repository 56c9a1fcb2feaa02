"""What features depend on, apart from the clips: examples, models, weights, and text tokenizer.

A store keeps it, and training compares it with its own.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from data_pipelines.transforms import LoaderConfig
from v2a_jax.errors import UserError
from v2a_jax.models.tokenizer import Tokenizer
from v2a_jax.training.workdir import fields

_DRAWN = ("captions", "degrade", "max_severity", "threads", "prefetch")  # free at training time
_NAMED = 3  # differences that an error names


def origin(
    example: LoaderConfig,
    model: Mapping[str, Any],
    weights: Mapping[str, str],
    tokenizer: Tokenizer,
) -> dict[str, Any]:
    """JSON values; `model` is the config's section, `weights` the SHA-256 of those of each part.

    UserError when examples are degraded: a store has each picture once, as it is.
    """
    if example.degrade:
        raise UserError("data.loader.degrade: pictures cannot be degraded once they are encoded")
    form = {k: v for k, v in dataclasses.asdict(example).items() if k not in _DRAWN}
    told = {
        "example": form,
        "model": {part: dict(model[part]) for part in weights},
        "weights": dict(weights),
        "tokenizer": hashlib.sha256(tokenizer.model).hexdigest(),
    }
    return json.loads(json.dumps(told))


def check_origin(place: str, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """UserError that names what made the store at `place` and is otherwise here."""
    there, here = fields(found), fields(wanted)
    changes = [
        f"{name} {there.get(name)} there, {value} here"
        for name, value in here.items()
        if there.get(name) != value
    ]
    if changes:
        more = [f"{len(changes) - _NAMED} more"] if len(changes) > _NAMED else []
        raise UserError(
            f"{place}: its features are not what this run would make "
            f"({'; '.join(changes[:_NAMED] + more)}): encode the clips again"
        )
