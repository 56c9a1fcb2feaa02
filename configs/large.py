"""About 1 B parameters in the diffusion transformer: 8 s clips at 128 px and 48 kHz stereo."""

from ml_collections import ConfigDict

from configs import base


def get_config(stage: str = "diffusion") -> ConfigDict:
    """The config of a stage."""
    config = base.get_config(stage)
    config.update(
        dtype="bfloat16",
        model=dict(
            stack=dict(remat="full"),
            codec=dict(
                sample_rate=48000,
                channels=2,
                window=1920,
                hop=480,
                latent=64,
                frame_width=512,
                width=1024,
                blocks=6,
            ),
            video=dict(
                size=128,
                space_width=384,
                space_heads=6,
                space_blocks=6,
                width=768,
                heads=12,
                blocks=8,
            ),
            text=dict(vocabulary=16000, width=768, heads=12, blocks=8),
            perception=dict(picture=16),
            dit=dict(width=1280, heads=10, joint_blocks=7, audio_blocks=14),
        ),
        data=dict(world=dict(size=128, sample_rate=48000)),
        codec_loss=dict(adversarial=1.0),
        mesh=dict(fsdp=4),
    )
    return config
