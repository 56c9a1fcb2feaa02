"""The door to media: what a file holds, its pictures and its sound, on one clock.

Time 0 is the first video frame; where there is no video, the first sample. Frame k is the picture
nearest to time k / fps, and sample n is heard at n / sample_rate. A part, from `start` on and
`seconds` long, is that slice of the whole, though only its surroundings are decoded.

Every file is decoded by a process of its own, within `limits`: whatever it does, it ends as data
or as a UserError of one line. Nothing is whole in memory but what is returned.
"""

import contextlib
import dataclasses
import os
from collections.abc import Iterator

import numpy as np

from v2a_jax.errors import UserError
from v2a_jax.media.apart import Decoder, Kept
from v2a_jax.media.audio import Sound
from v2a_jax.media.downmix import CHANNELS
from v2a_jax.media.probe import MediaInfo
from v2a_jax.media.source import LIMITS, MediaLimits
from v2a_jax.media.video import grid_part


@dataclasses.dataclass(frozen=True, kw_only=True)
class Clip:
    """frames uint8[F,H,W,3] at `fps`; audio float32[N,C] at `sample_rate`, None where none is."""

    frames: np.ndarray
    fps: float
    audio: np.ndarray | None
    sample_rate: int
    info: MediaInfo


def probe(path: str | os.PathLike, *, limits: MediaLimits = LIMITS) -> MediaInfo:
    """What a video holds: all packets are read, one frame is decoded."""
    with Decoder(path, limits=limits) as decoder:
        return _probed(decoder)


def read_clip(
    path: str | os.PathLike,
    *,
    fps: float,
    sample_rate: int,
    size: int | None = None,
    channels: int | None = None,
    start: float = 0.0,
    seconds: float | None = None,
    limits: MediaLimits = LIMITS,
    info: MediaInfo | None = None,
    kept: Kept | None = None,
) -> Clip:
    """A video, or a part of it, in memory: F pictures and round(F / fps sample_rate) samples.

    F is round(duration fps) of a whole video, at least 1. Audio that starts late or ends early is
    filled up with zeros. With `size`, H = W = size: the shorter side is scaled to it and the centre
    kept; without it pictures have the size they are shown at. `channels` as for `iter_audio`;
    `info` spares probing again; `kept` spares a process, for files of one origin.
    """
    _check(fps, sample_rate, channels, start, seconds)
    with Decoder(path, limits=limits, kept=kept) as decoder:
        info = info or _probed(decoder)
        part = grid_part(info, fps, start, seconds)
        frames_FHWC = _room(path, info, len(part), size, limits)
        for k, picture_HWC in enumerate(_pictures(path, decoder, info, fps, size, part)):
            frames_FHWC[k] = picture_HWC
        audio_NC = None
        if info.has_audio:
            span = (part.start / fps, part.stop / fps)
            audio_NC = _clip_audio(decoder, info, sample_rate, channels, span)
    return Clip(frames=frames_FHWC, fps=fps, audio=audio_NC, sample_rate=sample_rate, info=info)


def iter_frames(
    path: str | os.PathLike,
    *,
    fps: float,
    size: int | None,
    start: float = 0.0,
    seconds: float | None = None,
    limits: MediaLimits = LIMITS,
    info: MediaInfo | None = None,
) -> Iterator[np.ndarray]:
    """The pictures uint8[H,W,3] of `read_clip`, one by one."""
    _check(fps, 1, None, start, seconds)
    with Decoder(path, limits=limits) as decoder:
        info = info or _probed(decoder)
        part = grid_part(info, fps, start, seconds)
        yield from _pictures(path, decoder, info, fps, size, part)


def iter_audio(
    path: str | os.PathLike,
    *,
    sample_rate: int,
    channels: int | None = None,
    start: float = 0.0,
    seconds: float | None = None,
    limits: MediaLimits = LIMITS,
    track: int = 0,
) -> Iterator[np.ndarray]:
    """The sound of a video or audio file in consecutive blocks float32[n,C], a few seconds each.

    `channels`, 1 or 2, asks for the mix that `downmix` describes; None keeps the file's own. It
    ends where the file's sound does. `track` 0 is the main one of `audio_tracks`. UserError when
    there is no audio that can be decoded.
    """
    _check(1, sample_rate, channels, start, seconds)
    with Decoder(path, limits=limits) as decoder:
        span = (start, None if seconds is None else start + seconds)
        yield from _heard(path, decoder, sample_rate, channels, span, track=track).blocks


def read_audio(
    path: str | os.PathLike,
    *,
    sample_rate: int | None,
    channels: int | None = None,
    start: float = 0.0,
    seconds: float | None = None,
    limits: MediaLimits = LIMITS,
) -> tuple[np.ndarray, int]:
    """As `iter_audio`, in memory: (float32[N,C], its rate in Hz: the file's own for None)."""
    _check(1, sample_rate or 1, channels, start, seconds)
    with Decoder(path, limits=limits) as decoder:
        span = (start, None if seconds is None else start + seconds)
        sound = _heard(path, decoder, sample_rate, channels, span)
        pieces, total = [np.zeros((0, sound.channels), np.float32)], 0
        for piece_NC in sound.blocks:
            total += piece_NC.nbytes
            if total > limits.max_decoded_bytes:
                raise UserError(
                    f"{path}: its audio is over the limit of {limits.max_decoded_bytes} bytes"
                )
            pieces.append(piece_NC)
    return np.concatenate(pieces), sound.rate


def audio_rate(path: str | os.PathLike, *, limits: MediaLimits = LIMITS, track: int = 0) -> int:
    """A track's own sample rate in Hz; UserError when there is none that can be decoded."""
    with open_sound(path, limits=limits, track=track) as sound:
        return sound.rate


def audio_tracks(path: str | os.PathLike, *, limits: MediaLimits = LIMITS) -> int:
    """How many tracks of sound a file has that can be decoded; track 0 is the main one."""
    with Decoder(path, limits=limits) as decoder:
        (found,) = decoder.ask("tracks")
        return int(found["tracks"])


@contextlib.contextmanager
def open_sound(
    path: str | os.PathLike, *, limits: MediaLimits = LIMITS, track: int = 0
) -> Iterator[Sound]:
    """A file's sound as it is, from its first sample to its last; UserError when none decodes.

    What lies before time 0 of a container with video is cut: it cannot be written again.
    """
    with Decoder(path, limits=limits) as decoder:
        yield _heard(path, decoder, None, None, (0.0, None), from_picture=False, track=track)


def _check(
    fps: float, sample_rate: int, channels: int | None, start: float, seconds: float | None
) -> None:
    """ValueError for what no file could give."""
    if fps <= 0 or sample_rate <= 0 or start < 0 or (seconds is not None and seconds < 0):
        raise ValueError("rates are positive, start and seconds not negative")
    if channels not in (None, *CHANNELS):
        raise ValueError(f"channels are 1, 2 or None for the file's own, not {channels}")


def _room(
    path: str | os.PathLike, info: MediaInfo, count: int, size: int | None, limits: MediaLimits
) -> np.ndarray:
    """uint8[F,H,W,3] to be filled; UserError when that is over the limit."""
    height, width = (size, size) if size else (info.height, info.width)
    needed = count * height * width * 3
    if needed > limits.max_decoded_bytes:
        raise UserError(
            f"{path}: {count} pictures of {width}x{height} need {needed} bytes, over the limit of"
            f" {limits.max_decoded_bytes}"
        )
    return np.empty((count, height, width, 3), np.uint8)


def _probed(decoder: Decoder) -> MediaInfo:
    (found,) = decoder.ask("probe")
    return MediaInfo(**found)


def _pictures(
    path: str | os.PathLike,
    decoder: Decoder,
    info: MediaInfo,
    fps: float,
    size: int | None,
    part: range,
) -> Iterator[np.ndarray]:
    """The pictures `part` of the grid; UserError when other ones are sent."""
    if not part:
        return
    told, which, left = vars(info), [part.start, part.stop], len(part)
    shape = (size, size, 3) if size else (info.height, info.width, 3)
    for sent in decoder.ask("pictures", info=told, fps=fps, size=size, part=which):
        fits = isinstance(sent, np.ndarray) and sent.dtype == np.uint8 and sent.shape[1:] == shape
        if not fits or len(sent) > left:
            raise UserError(f"{path}: its decoder says what makes no sense")
        left -= len(sent)
        yield from sent
    if left:
        raise UserError(f"{path}: its decoder left out {left} of {len(part)} pictures")


def _clip_audio(
    decoder: Decoder,
    info: MediaInfo,
    sample_rate: int,
    channels: int | None,
    span: tuple[float, float],
) -> np.ndarray | None:
    """The samples between two times, float32[N,C]; None if none decodes."""
    sound = _sound(decoder, sample_rate, channels, span, origin=info.start)
    if sound is None:
        return None
    samples = round(span[1] * sample_rate) - round(span[0] * sample_rate)
    audio_NC, written = np.zeros((samples, sound.channels), np.float32), 0
    for piece_NC in sound.blocks:
        audio_NC[written : written + len(piece_NC)] = piece_NC
        written += len(piece_NC)
    return audio_NC


def _heard(
    path: str | os.PathLike,
    decoder: Decoder,
    sample_rate: int | None,
    channels: int | None,
    span: tuple[float, float | None],
    *,
    from_picture: bool = True,
    track: int = 0,
) -> Sound:
    sound = _sound(decoder, sample_rate, channels, span, from_picture=from_picture, track=track)
    if sound is None:
        raise UserError(f"{path}: none of its audio can be decoded")
    return sound


def _sound(
    decoder: Decoder,
    sample_rate: int | None,
    channels: int | None,
    span: tuple[float, float | None],
    *,
    from_picture: bool = False,
    origin: float | None = None,
    track: int = 0,
) -> Sound | None:
    """The sound between two times; None when none decodes."""
    messages = decoder.ask(
        "sound",
        sample_rate=sample_rate,
        channels=channels,
        start=span[0],
        end=span[1],
        origin=origin,
        from_picture=from_picture,
        track=track,
    )
    found = next(messages, None)
    return None if found is None else Sound(blocks=messages, **found)
