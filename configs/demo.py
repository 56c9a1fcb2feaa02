"""The demo: a model small enough to train from nothing on two cores within minutes.

Three classes of the procedural world at 64 px and 16 kHz, clips of 2 s. Two cores train it in
twelve minutes (codec 3, perception 3, diffusion 6, from features); 20 minutes are all that
`make demo` does, within 2.7 GB. What it reaches is in README.md. Stages: codec, perception,
diffusion.
"""

from ml_collections import ConfigDict

from configs import base

SECONDS = 2.0
CLASSES = ("impact", "bounce", "landscape")  # of all that the world has
# In minutes that are given, many small steps learn more than few large ones.
STEPS = dict(codec=850, perception=340, diffusion=700)
BATCH = dict(codec=16, perception=16, diffusion=16)
RATE = dict(codec=2e-3, perception=2e-3, diffusion=1.5e-3)


def get_config(stage: str = "diffusion") -> ConfigDict:
    """The demo's config of a stage."""
    config = base.get_config(stage)
    config.update(
        model=dict(
            stack=dict(remat="none", unroll=True),
            codec=dict(
                latent=64,
                frame_width=192,
                frame_blocks=1,
                width=256,
                blocks=3,
                refine=32,
                floor=2e-4,
            ),
            video=dict(
                size=64,
                stem_width=32,
                space_width=64,
                space_heads=4,
                space_blocks=1,
                narrow=32,
                width=192,
                heads=6,
                blocks=2,
            ),
            text=dict(vocabulary=400, length=40, width=128, heads=4, blocks=2),
            perception=dict(embedding=96, width=128, blocks=2, picture=8),
            dit=dict(width=192, heads=6, joint_blocks=2, audio_blocks=4),
        ),
        codec_loss=dict(spectrum=1.0, mel=0.0, stft=0.0, phase=0.0),
        perception_loss=dict(contrast=0.5, robust=0.0),
        data=dict(
            world=dict(clips=2000, seconds=SECONDS, size=64, classes=CLASSES),
            tokenizer_clips=2000,
            loader=dict(
                degrade=False, seconds=1.0 if stage == "codec" else SECONDS, transcript_length=48
            ),
        ),
        run=dict(
            steps=STEPS[stage],
            batch_size=BATCH[stage],
            log_every=10,
            evaluate_every=400,
            evaluate_batches=2,
        ),
        optimizer=dict(learning_rate=RATE[stage], warmup=20, final_fraction=0.02),
        ema=dict(sigma_rel=(0.05,)),
        checkpoint=dict(every=200, keep=2),
        evaluation=dict(
            protocol=dict(clips=100, variations=24, negatives=24, wordings=24, damaged=24)
        ),
        sampler=dict(steps=12, buckets=(SECONDS,), overlap=0.72),
    )
    return config
