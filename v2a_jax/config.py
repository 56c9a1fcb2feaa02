"""From an ml_collections config to the frozen dataclasses beside what they configure."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from v2a_jax.errors import UserError

T = TypeVar("T")


def require(holds: bool, what: str) -> None:
    """UserError that says what a configuration must be, where it is not."""
    if not holds:
        raise UserError(f"config: {what}")


def build(cls: type[T], section: Mapping[str, Any], **derived: Any) -> T:
    """`cls` from a config section, with fields derived elsewhere; every field exactly once."""
    values = {**dict(section), **derived}
    names = {field.name for field in dataclasses.fields(cls)}
    missing, unknown = sorted(names - set(values)), sorted(set(values) - names)
    if missing or unknown:
        raise UserError(f"config of {cls.__name__}: missing {missing}, unknown {unknown}")
    return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
