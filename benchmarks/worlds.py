"""Clips of the procedural world as a model knows it, with nothing off screen."""

from collections.abc import Mapping, Sequence
from typing import Any

from data_pipelines.schema import ClipRecord
from data_pipelines.world import WorldConfig, WorldSource


def clips_of(
    config: Mapping[str, Any], classes: Sequence[str], count: int, *, split: str = "test"
) -> list[ClipRecord]:
    """Clips of `split` of these classes, in turn; `config` is a run's or a bundle's."""
    changes = dict(split=split, clips=count, classes=tuple(classes), offscreen_probability=0.0)
    return list(WorldSource(WorldConfig(**{**config["data"]["world"], **changes})))
