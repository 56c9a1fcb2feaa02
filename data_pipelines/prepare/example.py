"""The media of a TFDS example: arrays, brought to the records' form."""

import hashlib

import numpy as np
import soxr
from PIL import Image, ImageOps

from data_pipelines.prepare.config import PrepareConfig
from data_pipelines.sources.tfds_examples import opened, parse_address
from v2a_jax.errors import UserError


class Example:
    """One example, as `Media`; whole in memory, for that is how TFDS gives it."""

    def __init__(self, address: str) -> None:
        """UserError when it has neither video with a frame rate nor audio with a sample rate."""
        folder, split, index = parse_address(address)
        examples = opened(folder, split)
        example = examples[index]
        video, audio = example.get("video"), example.get("audio")
        self._fps = float(example.get("fps") or 0)
        self._rate = int(example.get("sample_rate") or examples.sample_rate or 0)
        self._video_FHWC = video if video is not None and len(video) and self._fps else None
        self._audio_NC = _wave(audio) if audio is not None and len(audio) and self._rate else None
        self.has_video, self.has_audio = self._video_FHWC is not None, self._audio_NC is not None
        if self.has_video:
            self.duration = len(self._video_FHWC) / self._fps
        elif self.has_audio:
            self.duration = len(self._audio_NC) / self._rate
        else:
            raise UserError(f"{address}: neither video with an fps nor audio with a sample rate")
        self.asset = _digest(self._video_FHWC, self._audio_NC)

    def read(
        self, start: float, frames: int, config: PrepareConfig
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """See `Media`."""
        video = self._pictures(start, frames, config) if self.has_video else None
        return video, self._sound(start, frames, config) if self.has_audio else None

    def _pictures(self, start: float, frames: int, config: PrepareConfig) -> np.ndarray:
        """Nearest frames in time, scaled by the shorter side, cut at the centre."""
        times_F = start + np.arange(frames) / config.fps
        nearest_F = np.clip(np.round(times_F * self._fps), 0, len(self._video_FHWC) - 1)
        shape = (config.size, config.size)
        return np.stack(
            [
                np.asarray(ImageOps.fit(Image.fromarray(self._video_FHWC[int(k)]), shape))
                for k in nearest_F
            ]
        )

    def _sound(self, start: float, frames: int, config: PrepareConfig) -> np.ndarray:
        first = round(start * self._rate)
        part_NC = self._audio_NC[first : first + round(frames / config.fps * self._rate)]
        if part_NC.shape[1] != config.channels:
            mono_N1 = part_NC.mean(axis=1, keepdims=True)
            part_NC = np.repeat(mono_N1, config.channels, axis=1)
        samples = round(frames / config.fps * config.sample_rate)
        wave_NC = soxr.resample(part_NC, self._rate, config.sample_rate)[:samples]
        out_NC = np.zeros((samples, config.channels), np.float32)
        out_NC[: len(wave_NC)] = wave_NC
        return out_NC


def _wave(audio: np.ndarray) -> np.ndarray:
    """float32[N,C]; integers are taken for 16-bit samples."""
    audio_NC = audio[:, None] if audio.ndim == 1 else audio
    scale = 1 / 32768 if np.issubdtype(audio_NC.dtype, np.integer) else 1.0
    return audio_NC.astype(np.float32) * np.float32(scale)


def _digest(*arrays: np.ndarray | None) -> str:
    total = hashlib.sha256()
    for array in arrays:
        if array is not None:
            total.update(f"{array.dtype}{array.shape}".encode())
            total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()
