"""About 13 B parameters in the diffusion transformer; otherwise as `large`."""

from ml_collections import ConfigDict

from configs import large


def get_config(stage: str = "diffusion") -> ConfigDict:
    """The config of a stage."""
    config = large.get_config(stage)
    config.update(
        model=dict(
            video=dict(space_width=512, space_heads=8, width=1024, heads=16, blocks=12),
            text=dict(vocabulary=32000, width=1024, heads=16, blocks=12),
            dit=dict(width=3584, heads=28, joint_blocks=12, audio_blocks=20),
        ),
        mesh=dict(fsdp=4, tensor=2),
    )
    return config
