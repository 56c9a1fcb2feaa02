"""A loaded bundle that puts sound on videos: every waveform that leaves it is marked."""

import copy
import dataclasses
import os
from collections.abc import Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from v2a_jax.config import build
from v2a_jax.errors import UserError
from v2a_jax.media.probe import MediaInfo, probe
from v2a_jax.media.source import LIMITS
from v2a_jax.media.video import frames_on_grid
from v2a_jax.models.tokenizer import transcript_row
from v2a_jax.sampling.bundle import Bundle, load_bundle
from v2a_jax.sampling.long_form import GRID_SECONDS, Plan, cut_windows, join, plan_windows
from v2a_jax.sampling.sampler import Request, Sampler, SamplerConfig
from v2a_jax.types import Params
from v2a_jax.watermark import grid, payload
from v2a_jax.watermark.key import Key, load_or_create
from v2a_jax.watermark.mask import DepthConfig

MOST_STEPS = 1000
MOST_VARIATIONS = 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wish:
    """What is asked for one video; None takes the bundle's own setting.

    Variation v has seed `seed + v`: a seed gives the same sound whatever the number of variations.
    """

    prompt: str = ""
    negative_prompt: str = ""
    transcript: str = ""
    variations: int = 1
    seed: int = 0
    steps: int | None = None
    solver: str | None = None
    video_scale: float | None = None
    text_scale: float | None = None


class Generator:
    """A bundle with its compiled samplers and the watermark's key."""

    def __init__(self, bundle: Bundle, key: Key, mark: int | None = None):
        """`mark` is the payload, 0..65535; by default the first 16 bits of the bundle's digest."""
        self.bundle, self.key = bundle, key
        self.payload = int(bundle.digest[:4], 16) if mark is None else mark
        self.config = build(SamplerConfig, bundle.config["sampler"])
        self.sample_rate = bundle.system.codec_config.sample_rate
        self.fps = float(bundle.system.video_config.fps)
        self.seconds = max(self.config.buckets)
        self._depth = build(DepthConfig, bundle.config["watermark"])
        self._weights = jax.device_put(bundle.weights)
        self._pattern = jax.device_put(key.pattern())
        self._bits = payload.to_bits(self.payload)
        self._samplers: dict[tuple[int, str], Sampler] = {}
        codec = bundle.system.codec
        self._round_trip = jax.jit(
            lambda weights, audio: codec.apply(
                weights, codec.apply(weights, audio, method="to_latents"), method="to_audio"
            )
        )

    def generate(self, video: str | os.PathLike | np.ndarray, **wish: object) -> np.ndarray:
        """Marked soundtracks float32[V,N,C] of a file, or of frames uint8[F,H,W,3] at `fps`.

        Keywords are the fields of `Wish`. N is the video's duration in samples, rounded.
        """
        wanted = Wish(**wish)
        if isinstance(video, np.ndarray):
            self._check_frames(video)
            return self._soundtracks(iter(video), len(video) / self.fps, wanted)
        info = probe(video, limits=LIMITS)
        return self._soundtracks(self._frames_of(video, info), info.duration, wanted)

    def generate_batch(
        self,
        frames: np.ndarray,
        prompts: Sequence[str],
        negative_prompts: Sequence[str],
        seeds: Sequence[int],
    ) -> np.ndarray:
        """Marked soundtracks float32[B,N,C] of clips uint8[B,F,H,W,3], each as long as a bucket."""
        request = self._request(
            frames, prompts, negative_prompts, [""] * len(prompts), np.array(seeds)[:, None], Wish()
        )
        audio, _ = self._sampler(Wish())(self._weights, self._pattern, request)
        return np.asarray(audio)[:, 0, : round(frames.shape[1] / self.fps * self.sample_rate)]

    def round_trip(self, audio: np.ndarray) -> np.ndarray:
        """Audio float32[B,N,C] through the codec and back: what the latents can hold at best."""
        samples = audio.shape[1]
        hop = self.bundle.system.codec_config.samples_per_latent
        padded = np.pad(audio, ((0, 0), (0, -samples % hop), (0, 0)))
        return np.asarray(self._round_trip(self._weights["codec"], padded))[:, :samples]

    def with_weights(self, weights: Params) -> "Generator":
        """The same generator, its compiled programs included, with other weights."""
        other = copy.copy(self)
        other._weights = jax.device_put(weights)
        return other

    @property
    def compilations(self) -> int:
        """Programs compiled so far."""
        return sum(sampler.compilations for sampler in self._samplers.values())

    def _soundtracks(self, frames: Iterator[np.ndarray], duration: float, wish: Wish) -> np.ndarray:
        _check(wish)
        plan = plan_windows(duration, self.config.buckets, self.config.overlap)
        windows = cut_windows(frames, plan, self.fps)
        waves = self._windows(windows, plan, wish)
        return join(waves, plan, self.sample_rate, round(duration * self.sample_rate))

    def _windows(
        self, windows: Iterator[np.ndarray], plan: Plan, wish: Wish
    ) -> Iterator[np.ndarray]:
        """Waves [V,N,C] of the windows, each continuing the one before."""
        seeds = (wish.seed + np.arange(wish.variations, dtype=np.int64))[None]
        sampler, latents = self._sampler(wish), None
        for index, frames in enumerate(windows):
            request = self._request(
                frames[None],
                [wish.prompt],
                [wish.negative_prompt],
                [wish.transcript],
                seeds,
                wish,
                index=index,
                before=latents,
                start=plan.stride * index,
            )
            audio, latents = sampler(self._weights, self._pattern, request)
            yield np.asarray(audio)[0]

    def _request(
        self,
        frames: np.ndarray,
        prompts: Sequence[str],
        negatives: Sequence[str],
        transcripts: Sequence[str],
        seeds: np.ndarray,
        wish: Wish,
        *,
        index: int = 0,
        before: jax.Array | None = None,
        start: float = 0.0,
    ) -> Request:
        model, given = self.bundle.config["model"], self.config
        system = self.bundle.system
        length, encode = model["text"]["length"], self.bundle.tokenizer.row
        spoken = self.bundle.config["data"]["loader"]["transcript_length"]
        kept = shared_latents(given, system.codec_config.latent_rate)
        empty = np.zeros((*seeds.shape, kept, system.codec_config.latent), np.float32)
        video = given.video_scale if wish.video_scale is None else wish.video_scale
        text = given.text_scale if wish.text_scale is None else wish.text_scale
        return Request(
            video=frames,
            prompt=np.stack([encode(prompt, length) for prompt in prompts]),
            negative=np.stack([encode(negative, length) for negative in negatives]),
            transcript=np.stack([transcript_row(t, spoken) for t in transcripts]),
            seed=(seeds % 2**32).astype(np.uint32),
            window=np.int32(index),
            # NumPy, as the first window's: a device array would compile a second program.
            prefix=empty if before is None else np.asarray(before)[:, :, before.shape[2] - kept :],
            has_prefix=np.bool_(before is not None),
            start=np.int32(round(start / grid.CELL_SECONDS)),
            payload=self._bits,
            video_scale=np.float32(video),
            text_scale=np.float32(text),
        )

    def _sampler(self, wish: Wish) -> Sampler:
        """The compiled sampler of this number of steps and this solver."""
        steps = self.config.steps if wish.steps is None else wish.steps
        solver = wish.solver or self.config.solver
        if (steps, solver) not in self._samplers:
            self._samplers[steps, solver] = Sampler(
                self.bundle.system, self._depth, steps=steps, solver=solver
            )
        return self._samplers[steps, solver]

    def _frames_of(self, path: str | os.PathLike, info: MediaInfo) -> Iterator[np.ndarray]:
        size = self.bundle.system.video_config.size
        return frames_on_grid(path, info, fps=self.fps, size=size, limits=LIMITS)

    def _check_frames(self, frames: np.ndarray) -> None:
        size = self.bundle.system.video_config.size
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[1:] != (size, size, 3):
            raise UserError(
                f"frames must be uint8[F,{size},{size},3] at {self.fps:g} fps, not "
                f"{frames.dtype}{list(frames.shape)}"
            )


def shared_latents(config: SamplerConfig, latent_rate: float) -> int:
    """How many latents the largest windows share."""
    largest = max(config.buckets)
    plan = plan_windows(largest + GRID_SECONDS, config.buckets, config.overlap)
    return round(plan.overlap * latent_rate)


def _check(wish: Wish) -> None:
    """UserError for a number that no soundtrack can be made with."""
    if wish.steps is not None and not 1 <= wish.steps <= MOST_STEPS:
        raise UserError(f"steps={wish.steps} is not between 1 and {MOST_STEPS}")
    if not 1 <= wish.variations <= MOST_VARIATIONS:
        raise UserError(f"variations={wish.variations} is not between 1 and {MOST_VARIATIONS}")
    if not 0 <= wish.seed < 2**32:
        raise UserError(f"seed={wish.seed} is not between 0 and 2^32 - 1")
    for name in ("video_scale", "text_scale"):
        scale = getattr(wish, name)
        if scale is not None and not np.isfinite(jnp.float32(scale)):
            raise UserError(f"{name}={scale} is not a finite number")


def load_generator(path: str | os.PathLike, key_file: str | None = None) -> Generator:
    """The bundle in a folder, ready to generate; the key is made on first use."""
    return Generator(load_bundle(path), load_or_create(key_file))
