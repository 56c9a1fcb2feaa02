"""About 13 B parameters in the diffusion transformer; otherwise as `large`.

A clip is 285 tokens: with 4 clips a chip, as on v5p:8x8x8, weights and gradients are longer on the
way between chips than in use (`docs/planning.md`); with more clips, less so.
"""

from ml_collections import ConfigDict

from configs import large

BATCH = dict(codec=512, perception=512, diffusion=2048)


def get_config(stage: str = "diffusion") -> ConfigDict:
    """The config of a stage."""
    config = large.get_config(stage)
    config.update(
        model=dict(
            video=dict(space_width=512, space_heads=8, width=1024, heads=16, blocks=12),
            text=dict(vocabulary=32000, width=1024, heads=16, blocks=12),
            dit=dict(width=3584, heads=28, joint_blocks=12, audio_blocks=20),
        ),
        run=dict(batch_size=BATCH[stage]),
        mesh=dict(fsdp=8),
    )
    return config
