"""Joining a soundtrack with a picture that is copied packet by packet, never encoded again.

The soundtrack's sample 0 is heard when the first video frame is shown, and it ends with the video.
"""

import itertools
import os
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import scipy.io.wavfile
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

from v2a_jax.errors import UserError
from v2a_jax.media.containers import Container, add_picture, container_for, lasting, new_output
from v2a_jax.media.files import atomic_output
from v2a_jax.media.probe import FALLBACK_RATE, MediaInfo, probe
from v2a_jax.media.soundtrack import add_soundtrack, encoded, fit, soundtrack_rate
from v2a_jax.media.source import LIMITS, MediaLimits, open_source, packets, require_video

MAX_REORDERED = 64  # packets held back until one has a decoding time


def mux(
    video_path: str | os.PathLike,
    audio: np.ndarray,
    sample_rate: int,
    out_path: str | os.PathLike,
    *,
    limits: MediaLimits = LIMITS,
) -> None:
    """Writes the video of `video_path` with `audio` float32[N,C] as its only sound.

    Video packets, rotation, colour, metadata and chapters are kept; other sound is dropped. The
    suffix of `out_path` chooses container and codec. The file appears whole or not at all.
    UserError when the video cannot be read, the container cannot hold it, or writing fails.
    """
    info = probe(video_path, limits=limits)
    if os.path.exists(out_path) and os.path.samefile(video_path, out_path):
        raise UserError(f"{out_path} is the video itself: choose another name for the result")
    with open_source(video_path, limits) as source:
        container = container_for(out_path, require_video(source, video_path))
        rate = soundtrack_rate(container.encoder, sample_rate)
        audio_NC = fit(audio, sample_rate=sample_rate, rate=rate, duration=info.duration)
        with atomic_output(out_path) as file:
            try:
                _write(source, file, container, audio_NC, rate=rate, info=info)
            except (FFmpegError, ValueError) as error:
                if isinstance(error, OSError):
                    raise
                raise UserError(
                    f"{video_path}: its {info.codec} video cannot be copied into"
                    f" {container.suffix} ({getattr(error, 'strerror', None) or error})"
                ) from error


def write_wav(
    path: str | os.PathLike, audio: np.ndarray, sample_rate: int, *, bits: int = 32
) -> None:
    """Writes audio [N,C] as a WAV file of 32-bit floats, or of 16-bit integers (clipped)."""
    if bits == 16:
        audio = np.round(np.clip(audio, -1.0, 1.0) * 32767).astype(np.int16)
    elif bits == 32:
        audio = np.asarray(audio, np.float32)
    else:
        raise ValueError(f"a WAV file has 16 or 32 bits a sample, not {bits}")
    with atomic_output(path) as file:
        scipy.io.wavfile.write(file, sample_rate, audio)


def _write(
    source: InputContainer,
    file: BinaryIO,
    container: Container,
    audio_NC: np.ndarray,
    *,
    rate: int,
    info: MediaInfo,
) -> None:
    picture = require_video(source, source.name)
    with new_output(file, container) as output:
        output.metadata.update(lasting(source.metadata))
        output.set_chapters(source.chapters())
        video = add_picture(output, picture)
        # What an edit list cuts from the end would otherwise be shown again.
        copied = itertools.islice(packets(source, picture), info.packets)
        sound = add_soundtrack(output, container, rate=rate, channels=audio_NC.shape[1])
        output.start_encoding()
        _interleave(
            output,
            _with_decoding_times(copied, picture),
            encoded(sound, audio_NC, start=info.start),
            video,
        )


def _interleave(
    output: OutputContainer, pictures: Iterator[Packet], sounds: Iterator[Packet], video: Stream
) -> None:
    """Writes both in order of time, so that neither is held in memory."""
    sound = next(sounds, None)
    for packet in pictures:
        time = packet.dts * packet.time_base
        packet.stream = video
        output.mux(packet)
        while sound is not None and sound.dts * sound.time_base <= time:
            output.mux(sound)
            sound = next(sounds, None)
    while sound is not None:
        output.mux(sound)
        sound = next(sounds, None)


def _with_decoding_times(found: Iterator[Packet], picture: Stream) -> Iterator[Packet]:
    """Packets whose decoding times exist and increase, as containers demand.

    Matroska stores none: the first packets of a stream with reordered frames come without one, and
    get those that lead up to the first known one.
    """
    rate = picture.average_rate or FALLBACK_RATE
    step = max(1, round(1 / (rate * picture.time_base)))
    waiting: list[Packet] = []
    last = None
    for packet in found:
        waiting.append(packet)
        if packet.dts is None:
            if len(waiting) > MAX_REORDERED:
                raise UserError("the video packets carry no times, and cannot be copied")
            continue
        for ready in _led_up(waiting, packet.dts, step):
            if last is not None and ready.dts <= last:
                ready.dts = last + 1
                ready.pts = max(ready.pts, ready.dts)
            last = ready.dts
            yield ready
        waiting.clear()
    if waiting:
        earliest = min(packet.pts or 0 for packet in waiting)
        yield from _led_up(waiting, earliest, step)


def _led_up(waiting: list[Packet], final: int, step: int) -> list[Packet]:
    for back, packet in enumerate(reversed(waiting)):
        packet.dts = final - back * step
    return waiting
