"""A system small enough to run in a blink, with weights under which every condition counts."""

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from configs import demo
from v2a_jax.models.system import System
from v2a_jax.models.tokenizer import train_tokenizer
from v2a_jax.training.stages import STAGES, Stage, make_stage
from v2a_jax.types import Batch, Params

SIZE, FPS, RATE, SECONDS = 32, 25, 16000, 0.64
CORPUS = ["a ball bounces on wood", "a siren wails", "someone says hello", "metal is struck"] * 20


def tiny_config(stage: str = "diffusion") -> ConfigDict:
    """The demo's config, everything small."""
    config = demo.get_config(stage)
    config.update(
        model=dict(
            stack=dict(remat="none", unroll=False),
            codec=dict(
                latent=8, frame_width=16, frame_blocks=1, width=32, blocks=1, kernel=3, refine=0
            ),
            discriminators=dict(periods=(2, 3), windows=(64,), width=16, layers=2),
            video=dict(
                size=SIZE,
                stem_width=16,
                narrow=16,
                space_width=16,
                space_heads=2,
                width=32,
                heads=2,
                blocks=1,
                reach=1,
                kernel=3,
                semantic_frames=8,
            ),
            text=dict(vocabulary=300, length=16, width=32, heads=2, blocks=1),
            perception=dict(embedding=16, width=16, blocks=1, kernel=3, picture=4),
            dit=dict(width=32, heads=2, joint_blocks=1, audio_blocks=1, kernel=3),
        ),
        codec_loss=dict(windows=(256, 1024), bands=(16, 32)),
        data=dict(
            world=dict(clips=8, seconds=SECONDS, size=SIZE),
            tokenizer_clips=8,
            loader=dict(seconds=SECONDS, transcript_length=8),
        ),
        run=dict(steps=2, batch_size=2, log_every=1, evaluate_batches=1),
        optimizer=dict(warmup=1),
        sampler=dict(steps=2, buckets=(SECONDS, 2 * SECONDS), overlap=0.72),
    )
    return config


def tiny_system(config: ConfigDict | None = None) -> System:
    """The models of a config, by default the tiny one."""
    return System.from_config(tiny_config() if config is None else config)


def lively(shapes: Params, seed: int = 0) -> Params:
    """Random parameters, none of them zero: gates that begin at zero would hide what they gate."""
    rng = np.random.default_rng(seed)

    def draw(path: tuple, leaf: jax.ShapeDtypeStruct) -> jax.Array:
        names = {key.key for key in path}
        centre = 1.0 if names & {"scale", "latent_square"} else 0.0
        spread = 0.02 if "speak" in names else 0.1 if centre or leaf.ndim == 1 else 0.25
        return jnp.asarray(centre + spread * rng.standard_normal(leaf.shape), jnp.float32)

    return jax.tree_util.tree_map_with_path(draw, shapes)


def tiny_weights(
    system: System, parts: tuple[str, ...] = ("codec", "video", "text", "dit", "tower", "heads")
) -> Params:
    """Weights of the parts."""
    return {part: lively(getattr(system, part).shapes, seed) for seed, part in enumerate(parts)}


def tiny_stage(name: str, config: ConfigDict | None = None) -> tuple[Stage, Params, Params]:
    """A stage with its parameters and the frozen parts that it needs."""
    config = tiny_config(name) if config is None else config
    system = tiny_system(config)
    stage = make_stage(name, config, system)
    params = lively(jax.eval_shape(stage.init, jax.random.key(0)), 5)
    return stage, params, tiny_weights(system, STAGES[name].needs)


def tiny_batch(size: int = 8, seed: int = 0, seconds: float = SECONDS) -> Batch:
    """Random examples, some without one modality or another."""
    rng = np.random.default_rng(seed)
    frames = round(seconds * FPS)
    video, degraded = rng.integers(0, 256, (2, size, frames, SIZE, SIZE, 3), dtype=np.uint8)
    caption = rng.integers(1, 300, (size, 16)) * (np.arange(16) < rng.integers(1, 16, (size, 1)))
    transcript = rng.integers(1, 257, (size, 8)) * (np.arange(8) < rng.integers(0, 8, (size, 1)))
    row = np.arange(size)
    return Batch(
        index=row.astype(np.int32),
        audio=0.3 * rng.standard_normal((size, round(seconds * RATE), 1)).astype("f"),
        video=video,
        degraded=degraded,
        caption=caption.astype(np.int32),
        transcript=transcript.astype(np.int32),
        has_audio=row % 8 != 5,
        has_video=row % 8 != 6,
        has_caption=row % 8 != 7,
        has_transcript=transcript.any(axis=1),
    )


def tiny_tokenizer():
    """A tokenizer of a handful of captions."""
    return train_tokenizer(CORPUS, 290)
