"""Every default, in one place: a model of about 150 M parameters on the procedural world.

`get_config(STAGE)` gives the config of one stage; the other files change only what differs. Any
field can be set on the command line, as in `--config.optimizer.learning_rate=1e-4`.
"""

from ml_collections import ConfigDict

from v2a_jax.errors import UserError

STAGES = ("codec", "perception", "diffusion")
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
FPS = 25  # frames a second of the model's clock; sync tokens and latents keep the same rate


# What `v2a world` makes when nothing else is said; training has longer and larger clips.
WORLD = dict(
    seed=0,
    seconds=4.0,
    fps=FPS,
    size=64,
    sample_rate=16000,
    classes=(
        "bounce",
        "engine",
        "faces",
        "impact",
        "landscape",
        "music",
        "pair",
        "rain",
        "roll",
        "scrape",
        "silence",
        "speech",
    ),
    offscreen_probability=0.5,
)

# What `v2a prepare` makes when nothing else is said: the form that the models below take.
PREPARE = dict(
    seconds=8.0,
    min_seconds=1.0,
    boundaries="windows",
    fps=FPS,
    size=96,
    sample_rate=16000,
    channels=1,
    require=("video", "audio"),
    filters=("silent", "still"),
    silence_db=-80.0,
    stillness=2,
    annotators=("sidecar", "labels"),
    policy="any",
    shard_clips=64,
)

# What `v2a audit` takes for a fault; `data_pipelines/audit/config.py` says what each bound is of.
AUDIT = dict(
    stillness=2,
    still_share=0.95,
    black_level=20,
    black_share=0.5,
    silence_db=-60.0,
    silent_share=0.98,
    clipped_share=0.001,
    constant=0.02,
    bandwidth=0.6,
    offset_seconds=0.2,
    offset_confidence=0.7,
    picture_bits=0.15,
    sound_bits=0.2,
    repeated_share=0.1,
    transcript_share=0.5,
    policy="research",
    pictures=6,
    chunk_clips=32,
)

# Of how many training clips `v2a export` looks at the pictures, and below which share of clean
# clips that look as odd `v2a sample` warns.
QUALITY = dict(clips=256, warn_below=0.02)

# How `v2a prepare` asks an endpoint for annotations; times are in seconds.
ENDPOINT = dict(requests_a_minute=60.0, timeout=120.0, attempts=6, backoff=1.0)

# How `v2a encode` works when nothing else is said.
ENCODE = dict(shard_clips=512, batch=16)


def model() -> dict:
    """Sizes of the models; sections are the config dataclasses beside the models."""
    return dict(
        stack=dict(remat="dots", unroll=False, attention="auto"),
        codec=dict(
            sample_rate=16000,
            channels=1,
            window=640,
            hop=160,
            stride=4,
            latent=32,
            frame_width=256,
            frame_blocks=2,
            width=512,
            blocks=4,
            kernel=5,
            refine=0,
            floor=1e-5,
        ),
        discriminators=dict(periods=(2, 3, 5, 7), windows=(512, 1024, 2048), width=64, layers=4),
        video=dict(
            size=96,
            fps=FPS,
            patch=8,
            merge=2,
            stem_width=96,
            space_width=256,
            space_heads=4,
            space_blocks=4,
            narrow=64,
            width=384,
            heads=6,
            blocks=4,
            reach=2,
            kernel=5,
            semantic_frames=25,
        ),
        text=dict(
            vocabulary=4096,
            length=77,
            width=384,
            heads=6,
            blocks=4,
        ),
        perception=dict(embedding=256, width=256, blocks=4, kernel=5, picture=12),
        dit=dict(
            width=640,
            heads=10,
            joint_blocks=4,
            audio_blocks=8,
            kernel=5,
        ),
    )


def losses() -> dict:
    """Weights of each stage's terms."""
    return dict(
        codec_loss=dict(
            windows=(256, 512, 1024, 2048),
            bands=(32, 48, 64, 80),
            floor=3e-5,
            spectrum=0.5,
            mel=1.0,
            stft=0.5,
            phase=3.0,
            kl=0.0003,
            adversarial=0.0,
            matching=1.0,
        ),
        perception_loss=dict(contrast=0.2, sound=1.0, words=0.3, picture=1.0, robust=1.0, every=2),
        path=dict(mean=0.0, std=1.0, shift=1.0),
        drop=dict(video=0.1, text=0.1, transcript=0.1),
    )


def data(stage: str) -> dict:
    """Where clips come from, and how they become batches."""
    return dict(
        # `world` needs no files; a folder of `v2a world` or `v2a prepare` is given by its path.
        train="world",
        validation="world",
        # What the provenance of a clip must allow (any, research, commercial), by this ledger; ""
        # is the dataset's own. Withdrawn clips are never read.
        policy="any",
        ledger="",
        # A record that cannot be read: `fail` names it and stops; `skip` takes the next one.
        damaged="fail",
        world=WORLD | dict(clips=100_000, seconds=8.0, size=96),
        tokenizer_clips=20_000,
        loader=dict(
            seconds=8.0,
            transcript_length=192,
            degrade=stage == "perception",
            captions=dict(full=0.6, short=0.15, sound_only=0.1, offscreen=0.1, none=0.05),
            max_severity=0.7,
            threads=4,
            prefetch=4,
        ),
    )


def get_config(stage: str = "diffusion") -> ConfigDict:
    """The config of a stage: codec, perception or diffusion; UserError for another."""
    if stage not in STAGES:
        raise UserError(f"unknown stage '{stage}' (one of: {', '.join(STAGES)})")
    return ConfigDict(
        dict(
            stage=stage,
            seed=0,
            # Where the earlier stages were trained, when not in the same --workdir.
            earlier="",
            # A bundle, or a --workdir, whose weights this stage begins with; leaves that it lacks,
            # has besides, or has in another shape must match one of the patterns in `differ`.
            init=dict(weights="", differ=()),
            # Rank 0 trains the weights themselves; else those of `init.weights` stay, and factors
            # of this rank are trained for the kernels that match one of the patterns.
            lora=dict(rank=0, alpha=16.0, leaves=("*/kernel",)),
            dtype="float32",
            model=model(),
            data=data(stage),
            **losses(),
            run=dict(
                steps=300_000,
                batch_size=512,
                accumulate=1,
                log_every=50,
                evaluate_every=2000,
                evaluate_batches=4,
                sample_every=10_000,
                # So many updates in a row without a finite loss and gradient end the run.
                max_skips=10,
                # No step, evaluation or checkpoint may take longer than the first; no start-up or
                # compilation longer than the second; another process may be silent for the third.
                hang_seconds=1800.0,
                compile_seconds=7200.0,
                peer_seconds=60.0,
                # A folder, relative to --workdir; "" compiles anew at each start.
                compile_cache="compiled",
            ),
            optimizer=dict(
                learning_rate=1e-4,
                schedule="cosine",
                warmup=1000,
                final_fraction=0.05,
                b1=0.9,
                b2=0.95,
                eps=1e-8,
                weight_decay=0.01,
                clip_norm=1.0,
                statistics_rate=0.05,
            ),
            ema=dict(sigma_rel=(0.05,)),
            checkpoint=dict(every=2000, keep=3),
            mesh=dict(data=-1, fsdp=1, context=1, tensor=1),
            sampler=dict(
                steps=25,
                solver="euler",
                video_scale=2.0,
                text_scale=3.0,
                transcript_scale=3.0,
                guidance_begin=0.0,
                guidance_end=1.0,
                guidance_rescale=0.0,
                buckets=(8.0,),
                overlap=0.96,
            ),
            evaluation=dict(
                protocol=dict(
                    clips=200,
                    variations=48,
                    negatives=48,
                    wordings=48,
                    stills=48,
                    damaged=48,
                    batch=16,
                    seed=0,
                    resamples=1000,
                    confidence=0.95,
                    watermark_p_value=1e-6,
                ),
                judges=dict(
                    shrinkage=0.1,
                    penalty=3.0,
                    false_positive_rate=0.02,
                    copies=1,
                    vocabulary=DIGITS,
                    templates=12,
                    seed=0,
                ),
                judge_clips=dict(train=600, validation=200),
                nearest_clips=2000,
                examples=6,
            ),
            watermark=dict(
                strength_db=-13.5,
                min_db=0.7,
                max_db=2.5,
                rows=10.0,
                sparsity=0.3,
                least=0.9,
                most=1.8,
            ),
        )
    )
