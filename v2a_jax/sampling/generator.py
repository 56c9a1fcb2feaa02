"""A loaded bundle that puts sound on videos: every waveform that leaves it is marked."""

import copy
import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence

import jax
import numpy as np

from v2a_jax.config import build
from v2a_jax.errors import UserError
from v2a_jax.media.decode import iter_frames, probe
from v2a_jax.media.probe import MediaInfo
from v2a_jax.media.source import LIMITS
from v2a_jax.models.tokenizer import padded, transcript_ids
from v2a_jax.sampling.bundle import Bundle, load_bundle
from v2a_jax.sampling.long_form import GRID_SECONDS, Window, cut_windows, join, plan_windows
from v2a_jax.sampling.note import Note
from v2a_jax.sampling.sampler import Aside, Choice, Request, Sampler, SamplerConfig, mark_phase
from v2a_jax.sampling.wish import Texts, Wish
from v2a_jax.types import Params
from v2a_jax.watermark import grid, payload
from v2a_jax.watermark.key import Key, load_or_create
from v2a_jax.watermark.mask import DepthConfig


class Generator:
    """A bundle with its compiled samplers and the watermark's key."""

    def __init__(self, bundle: Bundle, key: Key, mark: int | None = None):
        """`mark` is the payload, 0..65535; by default the first 16 bits of the bundle's digest."""
        self.bundle, self.key = bundle, key
        self.payload = payload.of_digest(bundle.digest) if mark is None else mark
        self.config = build(SamplerConfig, bundle.config["sampler"])
        self.sample_rate = bundle.system.codec_config.sample_rate
        self.fps = float(bundle.system.video_config.fps)
        self.seconds = max(self.config.buckets)
        self.depth = build(DepthConfig, bundle.config["watermark"])
        self._candidates = 1  # for each sound of a batch
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

    def generate(
        self,
        video: str | os.PathLike | np.ndarray,
        *,
        note: Callable[[Note], object] | None = None,
        **wish: object,
    ) -> np.ndarray:
        """Marked soundtracks float32[V,N,C] of a file, or of frames uint8[F,H,W,3] at `fps`.

        Other keywords are the fields of `Wish`. N is the video's duration in samples, rounded.
        `note` is called with what there is to tell of each window.
        """
        return np.concatenate(list(self.stream(video, Wish(**wish), note=note)), axis=1)

    def stream(
        self,
        video: str | os.PathLike | np.ndarray,
        wish: Wish,
        *,
        info: MediaInfo | None = None,
        note: Callable[[Note], object] | None = None,
    ) -> Iterator[np.ndarray]:
        """As `generate`, in consecutive blocks float32[V,n,C], made when they are taken.

        Memory does not grow with the video's length. `info` spares probing a file again.
        """
        self.check(wish)
        if isinstance(video, np.ndarray):
            self._check_frames(video)
            return self._soundtracks(iter(video), len(video) / self.fps, wish, note)
        info = info or probe(video, limits=LIMITS)
        return self._soundtracks(self._frames_of(video, info), info.duration, wish, note)

    def samples(self, duration: float) -> int:
        """How many samples a soundtrack of so many seconds has."""
        return round(duration * self.sample_rate)

    def mark_offset(self, seed: int) -> int:
        """The cell of the watermark's pattern at which the soundtrack of a seed begins."""
        return int(mark_phase(np.array([[seed]], np.uint32))[0])

    def check(self, wish: Wish) -> None:
        """UserError for a wish that no soundtrack can be made with."""
        wish.check()
        self._sampler(wish)
        for cue in (None, *wish.cues):
            where = "" if cue is None else f"the cue from {cue.start:g} s to {cue.end:g} s: "
            self._check_lengths(wish.texts(cue), where)

    def generate_batch(
        self,
        frames: np.ndarray,
        prompts: Sequence[str],
        negative_prompts: Sequence[str],
        transcripts: Sequence[str],
        seeds: Sequence[int],
    ) -> np.ndarray:
        """Marked soundtracks float32[B,N,C] of clips uint8[B,F,H,W,3], each as long as a bucket.

        Texts longer than the model reads are cut, as in training.
        """
        given = zip(prompts, negative_prompts, transcripts, strict=True)
        texts = [Texts(*each) for each in given]
        wish = Wish(best_of=self._candidates)
        asked = np.stack([dataclasses.replace(wish, seed=seed % 2**32).seeds for seed in seeds])
        request = self._request(frames, texts, asked, wish, every=texts, shown=frames.shape[1])
        audio, _ = self._sampler(wish)(self._weights, self._pattern, request)
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

    def with_settings(self, **changes: object) -> "Generator":
        """The same generator with some fields of its `SamplerConfig` changed."""
        other = copy.copy(self)
        other.config = build(SamplerConfig, dataclasses.asdict(self.config) | changes)
        return other

    def with_candidates(self, count: int) -> "Generator":
        """The same generator, whose batches keep the best of so many sounds for each clip."""
        Wish(best_of=count).check()
        other = copy.copy(self)
        other._candidates = count
        return other

    @property
    def compilations(self) -> int:
        """Programs compiled so far."""
        return sum(sampler.compilations for sampler in self._samplers.values())

    def _soundtracks(
        self,
        frames: Iterator[np.ndarray],
        duration: float,
        wish: Wish,
        note: Callable[[Note], object] | None = None,
    ) -> Iterator[np.ndarray]:
        plan = plan_windows(duration, self.config.buckets, self.config.overlap)
        windows = cut_windows(frames, plan, self.fps, wish.boundaries)
        return join(self._waves(windows, wish, note), self.sample_rate, self.samples(duration))

    def _waves(
        self,
        windows: Iterator[Window],
        wish: Wish,
        note: Callable[[Note], object] | None = None,
    ) -> Iterator[tuple[Window, np.ndarray]]:
        """Each window with its waves [V,N,C], which continue those of the one before."""
        sampler, shared = self._sampler(wish), None
        rate = self.bundle.system.codec_config.latent_rate
        for index, window in enumerate(windows):
            request = self._request(
                window.frames[None],
                [wish.texts_between(window.heard, window.cut)],
                wish.seeds[None],
                wish,
                every=wish.all_texts,
                index=index,
                shared=shared,
                start=window.start,
                shown=window.shown(self.fps),
            )
            audio, aside = sampler(self._weights, self._pattern, request)
            if window.step is not None:
                # NumPy, as the first window's: a device array would compile a second program.
                first, kept = round(window.step * rate), shared_latents(self.config, rate)
                shared = np.asarray(aside.latents)[:, :, first : first + kept]
            if note is not None:
                note(self._noted(window, wish, aside))
            yield window, np.asarray(audio)[0]

    def _request(
        self,
        frames: np.ndarray,
        texts: Sequence[Texts],
        seeds: np.ndarray,
        wish: Wish,
        *,
        every: Sequence[Texts],
        index: int = 0,
        shared: np.ndarray | None = None,
        start: float = 0.0,
        shown: int = 0,
    ) -> Request:
        """Of clips and their candidates' seeds uint32[B,V,N]; `shown` counts where N is not 1."""
        system, given = self.bundle.system, self.config
        kept = shared_latents(given, system.codec_config.latent_rate)
        empty = np.zeros((*seeds.shape[:2], kept, system.codec_config.latent), np.float32)
        choice = Choice(seeds=seeds, shown=np.full(len(seeds), shown, np.int32))
        return Request(
            video=frames,
            **self._tokens(texts, every),
            seed=seeds[:, :, 0],
            window=np.int32(index),
            prefix=empty if shared is None else shared,
            has_prefix=np.bool_(shared is not None),
            start=np.int32(round(start / grid.CELL_SECONDS)),
            payload=self._bits,
            guidance=self._settings(wish).guidance,
            choice=choice if seeds.shape[2] > 1 else None,
        )

    def _noted(self, window: Window, wish: Wish, aside: Aside) -> Note:
        """What there is to tell of a window."""
        chosen, agreements = np.zeros(wish.variations, int), np.zeros((wish.variations, 0))
        if aside.chosen is not None:
            chosen, agreements = np.asarray(aside.chosen)[0], np.asarray(aside.agreement)[0]
        clean, own = self.bundle.clean, window.frames[: window.shown(self.fps)]
        return Note(
            start=window.start,
            heard=window.cut - window.heard,
            seeds=tuple(wish.seeds[np.arange(wish.variations), chosen].tolist()),
            agreements=tuple(map(tuple, agreements.tolist())),
            quality=None if clean is None else clean.quality(own),
        )

    def _check_lengths(self, texts: Texts, where: str) -> None:
        """UserError for a text that the model cannot read to its end."""
        length, spoken = self._lengths
        encode = self.bundle.tokenizer.encode
        for name, text, ids, most in (
            ("prompt", texts.prompt, encode, length),
            ("negative prompt", texts.negative_prompt, encode, length),
            ("transcript", texts.transcript, transcript_ids, spoken),
        ):
            if (count := len(ids(text))) > most:
                raise UserError(
                    f"{where}the {name} is too long: {count} tokens, at most {most} "
                    f"({len(text)} characters: '{text[:30]}...')"
                )

    def _tokens(
        self, texts: Sequence[Texts], every: Sequence[Texts]
    ) -> dict[str, np.ndarray | None]:
        """The rows of ids of a request; what is too long is cut.

        `every` are the texts of all requests that should share a program.
        """
        length, spoken = self._lengths
        encode = self.bundle.tokenizer.encode
        rows = {
            "prompt": [padded(encode(each.prompt), length) for each in texts],
            "negative": [padded(encode(each.negative_prompt), length) for each in texts],
            "transcript": [padded(transcript_ids(each.transcript), spoken) for each in texts],
        }
        absent = {
            "negative": not any(each.negative_prompt for each in every),
            "transcript": not any(each.transcript for each in every),
        }
        return {name: None if absent.get(name) else np.stack(ids) for name, ids in rows.items()}

    @property
    def _lengths(self) -> tuple[int, int]:
        """How many tokens are read of a prompt, and of a transcript, which has one a byte."""
        config = self.bundle.config
        return config["model"]["text"]["length"], config["data"]["loader"]["transcript_length"]

    def _settings(self, wish: Wish) -> SamplerConfig:
        """The bundle's settings, but for those that are asked for."""
        return dataclasses.replace(self.config, **wish.settings)

    def _sampler(self, wish: Wish) -> Sampler:
        """The compiled sampler of this number of steps and this solver."""
        settings = self._settings(wish)
        steps, solver = settings.steps, settings.solver
        if (steps, solver) not in self._samplers:
            self._samplers[steps, solver] = Sampler(
                self.bundle.system, self.depth, steps=steps, solver=solver
            )
        return self._samplers[steps, solver]

    def _frames_of(self, path: str | os.PathLike, info: MediaInfo) -> Iterator[np.ndarray]:
        size = self.bundle.system.video_config.size
        return iter_frames(path, fps=self.fps, size=size, limits=LIMITS, info=info)

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


def load_generator(path: str | os.PathLike, key_file: str | None = None) -> Generator:
    """The bundle in a folder, ready to generate; the key is made on first use."""
    return Generator(load_bundle(path), load_or_create(key_file))
