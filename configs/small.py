"""About 150 M parameters in the diffusion transformer: 8 s clips at 96 px and 16 kHz.

Everything is as in `base`; this file exists so that the size has a name.
"""

from ml_collections import ConfigDict

from configs import base


def get_config(stage: str = "diffusion") -> ConfigDict:
    """The config of a stage."""
    return base.get_config(stage)
