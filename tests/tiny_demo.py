"""A config file for the commands: the tiny system."""

from ml_collections import ConfigDict
from tiny_system import tiny_config


def get_config(stage: str = "diffusion") -> ConfigDict:
    """The tiny config of a stage."""
    return tiny_config(stage)
