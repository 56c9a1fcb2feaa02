"""The procedural world: clips whose sounds have causes one can see."""

from data_pipelines.world.config import WorldConfig
from data_pipelines.world.source import WORLD_VERSION, WorldSource, world_caption

__all__ = ["WORLD_VERSION", "WorldConfig", "WorldSource", "world_caption"]
