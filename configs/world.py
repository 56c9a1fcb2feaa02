"""The world: one model of all twelve classes, with words, at 64 px and 16 kHz, in clips of 4 s.

Two cores train it in about 6.5 h (codec 1.5, perception 2.2, diffusion 2.8, from features), beside
the time to render and to encode 24,080 clips; 17.9 M parameters, 27 MB as bfloat16. What it reaches
is in docs/released.md. Stages: codec, perception, diffusion.
"""

from ml_collections import ConfigDict

from configs import base

SECONDS = 4.0
STEPS = dict(codec=4000, perception=2500, diffusion=10_400)
BATCH = dict(codec=24, perception=16, diffusion=16)
RATE = dict(codec=2e-3, perception=1.5e-3, diffusion=1e-3)


def get_config(stage: str = "diffusion") -> ConfigDict:
    """The world's config of a stage."""
    config = base.get_config(stage)
    config.update(
        model=dict(
            stack=dict(remat="none", unroll=True),
            codec=dict(
                latent=64,
                frame_width=256,
                frame_blocks=1,
                width=320,
                blocks=3,
                refine=32,
                floor=2e-4,
            ),
            video=dict(
                size=64,
                stem_width=48,
                space_width=64,
                space_heads=4,
                space_blocks=1,
                narrow=32,
                width=256,
                heads=8,
                blocks=2,
            ),
            text=dict(vocabulary=800, length=48, width=160, heads=5, blocks=2),
            perception=dict(embedding=128, width=160, blocks=2, picture=16),
            dit=dict(width=192, heads=6, joint_blocks=2, audio_blocks=5),
        ),
        codec_loss=dict(spectrum=1.0, mel=0.0, stft=0.0, phase=0.0),
        perception_loss=dict(contrast=0.5, robust=0.5),
        data=dict(
            world=dict(clips=24_000, seconds=SECONDS, size=64, offscreen_probability=0.4),
            tokenizer_clips=8000,
            loader=dict(seconds=1.0 if stage == "codec" else SECONDS, transcript_length=80),
        ),
        run=dict(
            steps=STEPS[stage],
            batch_size=BATCH[stage],
            log_every=20,
            evaluate_every=500,
            evaluate_batches=4,
            sample_every=100_000,
        ),
        optimizer=dict(learning_rate=RATE[stage], warmup=100, final_fraction=0.02),
        ema=dict(sigma_rel=(0.05,)),
        checkpoint=dict(every=500, keep=2),
        sampler=dict(steps=12, video_scale=1.5, buckets=(SECONDS,), overlap=0.96),
    )
    return config
