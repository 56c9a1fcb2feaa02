"""What a clip's media hold, and windows of them in the records' form."""

from typing import Protocol

import numpy as np

from data_pipelines.prepare.config import PrepareConfig
from data_pipelines.sources import SourceClip
from data_pipelines.sources.tfds_examples import SCHEME
from v2a_jax.errors import UserError
from v2a_jax.media import decode
from v2a_jax.media.apart import Kept
from v2a_jax.media.files import file_sha256


class Media(Protocol):
    """Something to be cut into windows; `asset` is the SHA-256 of its bytes."""

    duration: float
    has_video: bool
    has_audio: bool
    asset: str

    def read(
        self, start: float, frames: int, config: PrepareConfig
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Video uint8[F,H,W,3] and audio float32[N,C] from `start` on; UserError when damaged."""


def open_media(clip: SourceClip, config: PrepareConfig, kept: Kept | None = None) -> Media:
    """The media of a clip, examined; UserError when they hold neither video nor audio.

    `kept` has the decoder of the clips before it.
    """
    if clip.media.startswith(SCHEME):
        from data_pipelines.prepare.example import Example  # imports TFDS, which takes seconds

        return Example(clip.media)
    try:
        return VideoFile(clip, config, kept)
    except UserError as no_video:
        try:
            return AudioFile(clip.media)
        except UserError:
            raise no_video from None


class VideoFile:
    """A file with video, and perhaps audio.

    Examining it and decoding the first window are one request: most clips have no other window.
    """

    has_video = True

    def __init__(self, clip: SourceClip, config: PrepareConfig, kept: Kept | None = None) -> None:
        """UserError when no video can be decoded."""
        self._path, self._info, self._kept = clip.media, None, kept
        start = round(clip.start * config.fps) / config.fps
        self._ahead = start, self._decode(start, config.frames, config)
        self.duration, self.has_audio = self._info.duration, self._info.has_audio
        self.asset = file_sha256(clip.media)

    def read(
        self, start: float, frames: int, config: PrepareConfig
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """See `Media`."""
        decoded_start, (video_FHWC, audio_NC) = self._ahead
        self._ahead = -1.0, (np.zeros((0, 0, 0, 3), np.uint8), None)  # given, or of no use
        if start != decoded_start or frames > len(video_FHWC):
            return self._decode(start, frames, config)
        samples = round(frames / config.fps * config.sample_rate)
        return video_FHWC[:frames], None if audio_NC is None else audio_NC[:samples]

    def _decode(
        self, start: float, frames: int, config: PrepareConfig
    ) -> tuple[np.ndarray, np.ndarray | None]:
        clip = decode.read_clip(
            self._path,
            fps=config.fps,
            sample_rate=config.sample_rate,
            size=config.size,
            channels=config.channels,
            start=start,
            seconds=frames / config.fps,
            info=self._info,
            kept=self._kept,
        )
        self._info = clip.info
        return clip.frames, clip.audio


class AudioFile:
    """A file with audio alone."""

    has_video, has_audio = False, True

    def __init__(self, path: str) -> None:
        """Reads the file once, to know its length: few formats tell it. UserError without audio."""
        with decode.open_sound(path) as sound:
            samples = sum(len(block_NC) for block_NC in sound.blocks)
            self.duration = samples / sound.rate
        self._path, self.asset = path, file_sha256(path)

    def read(
        self, start: float, frames: int, config: PrepareConfig
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """See `Media`."""
        audio_NC, _ = decode.read_audio(
            self._path,
            sample_rate=config.sample_rate,
            channels=config.channels,
            start=start,
            seconds=frames / config.fps,
        )
        return None, audio_NC
