"""From a clip record of any length to one example of fixed shapes.

A window of the clip is cut from picture and sound together, on a frame boundary; a clip that is too
short is followed by black silence. All draws of an example are made from one generator, in an order
that does not depend on what the record holds.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping

import numpy as np

from data_pipelines.schema import ClipRecord
from data_pipelines.world.degrade import KINDS, degrade
from v2a_jax.errors import UserError
from v2a_jax.models.tokenizer import padded, transcript_ids
from v2a_jax.types import Batch

NO_CAPTION = "none"


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoaderConfig:
    """Shapes of a batch, and how examples are drawn.

    seconds, fps, sample_rate, size (pixels), channels: of every example
    caption_length, transcript_length: in tokens; longer texts are cut
    captions: weight of each wording by its name in the record, and of "none"
    degrade: whether a batch carries a degraded copy of its video, up to `max_severity` (0..1)
    threads, prefetch: how many batches are prepared at once, and ahead
    """

    seconds: float
    fps: float
    sample_rate: int
    size: int
    channels: int
    caption_length: int
    transcript_length: int
    captions: Mapping[str, float]
    degrade: bool
    max_severity: float
    threads: int
    prefetch: int

    @property
    def frames(self) -> int:
        """Video frames of an example."""
        return round(self.seconds * self.fps)

    @property
    def samples(self) -> int:
        """Audio samples of an example."""
        return round(self.seconds * self.sample_rate)


@dataclasses.dataclass(frozen=True)
class Draw:
    """The random numbers of one example: each uniform in [0, 1), and a seed."""

    start: float
    caption: float
    kind: float
    severity: float
    seed: int

    @classmethod
    def from_rng(cls, rng: np.random.Generator) -> "Draw":
        """Always takes the same numbers from `rng`."""
        return cls(*rng.random(4), seed=int(rng.integers(2**63)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Example:
    """Grain's random map: (index, record) and a generator give one example, without batch axis.

    `encode` turns a caption into token ids. UserError when a record has another frame rate, sample
    rate or picture size than the configuration.
    """

    config: LoaderConfig
    encode: Callable[[str], list[int]]

    def __call__(self, item: tuple[int, ClipRecord], rng: np.random.Generator) -> Batch:
        """One example; `rng` is keyed by the example's position in the stream."""
        index, record = item
        config, draw = self.config, Draw.from_rng(rng)
        _check(record, config)
        start = first_frame(record, config, draw)
        video = cut_video(record.video, start, config)
        degraded = degrade_video(record, video, config, draw) if config.degrade else None
        caption = choose_caption(record, config, draw)
        spoken = transcript(record, start, config)
        return Batch(
            index=np.int32(index),
            audio=cut_audio(record.audio, start, config),
            video=video,
            degraded=degraded,
            caption=padded(self.encode(caption), config.caption_length),
            transcript=padded(transcript_ids(spoken), config.transcript_length),
            has_audio=np.bool_(record.audio is not None),
            has_video=np.bool_(record.video is not None),
            has_caption=np.bool_(caption != ""),
            has_transcript=np.bool_(spoken != ""),
        )


def _check(record: ClipRecord, config: LoaderConfig) -> None:
    found, wanted = {}, {}
    if record.video is not None:
        found |= {"fps": record.fps, "size": record.video.shape[1:3]}
        wanted |= {"fps": config.fps, "size": (config.size, config.size)}
    if record.audio is not None:
        found["sample_rate"], wanted["sample_rate"] = record.sample_rate, config.sample_rate
    wrong = [
        f"{name} {found[name]}, not {wanted[name]}" for name in found if found[name] != wanted[name]
    ]
    if wrong:
        raise UserError(
            f"clip {record.provenance} has {'; '.join(wrong)}: prepare it for this model"
        )


def clip_frames(record: ClipRecord, config: LoaderConfig) -> int:
    """Frames for which the clip has all the modalities it has."""
    counts = []
    if record.video is not None:
        counts.append(len(record.video))
    if record.audio is not None:
        counts.append(math.floor(len(record.audio) * config.fps / config.sample_rate + 1e-6))
    return min(counts, default=0)


def first_frame(record: ClipRecord, config: LoaderConfig, draw: Draw) -> int:
    """Where the window begins, uniform over all places where it fits."""
    spare = max(clip_frames(record, config) - config.frames, 0)
    return math.floor(draw.start * (spare + 1))


def cut_video(video: np.ndarray | None, start: int, config: LoaderConfig) -> np.ndarray:
    """uint8[F,H,W,3] from frame `start` on."""
    out = np.zeros((config.frames, config.size, config.size, 3), np.uint8)
    if video is not None:
        part = video[start : start + config.frames]
        out[: len(part)] = part
    return out


def cut_audio(audio: np.ndarray | None, start: int, config: LoaderConfig) -> np.ndarray:
    """float32[N,C] from the moment of frame `start` on; channels are mixed down or repeated."""
    out = np.zeros((config.samples, config.channels), np.float32)
    if audio is not None:
        first = round(start * config.sample_rate / config.fps)
        part = audio[first : first + config.samples]
        same = part.shape[1] == config.channels
        out[: len(part)] = part if same else part.mean(axis=1, keepdims=True)
    return out


def degrade_video(
    record: ClipRecord, video: np.ndarray, config: LoaderConfig, draw: Draw
) -> np.ndarray:
    """The same frames with one kind of damage, drawn with its severity; none without a video."""
    if record.video is None:
        return video
    kind = KINDS[math.floor(draw.kind * len(KINDS))]
    severity = draw.severity * config.max_severity
    return degrade(video, kind, severity, np.random.default_rng(draw.seed))


def choose_caption(record: ClipRecord, config: LoaderConfig, draw: Draw) -> str:
    """One of the record's wordings by weight; the main one stands in for a wording it lacks."""
    names = list(config.captions)
    edges = np.cumsum([config.captions[name] for name in names])
    name = names[min(np.searchsorted(edges, draw.caption * edges[-1], "right"), len(names) - 1)]
    return "" if name == NO_CAPTION else record.captions.get(name, record.caption)


def transcript(record: ClipRecord, start: int, config: LoaderConfig) -> str:
    """What is said in the window: words whose middle lies in it.

    Without word times, the whole transcript, if the window holds the whole clip.
    """
    if record.words:
        begin = start / config.fps
        middles = [(word, (a + b) / 2 - begin) for word, a, b in record.words]
        return " ".join(word for word, middle in middles if 0 <= middle < config.seconds)
    return record.transcript if clip_frames(record, config) <= config.frames else ""
