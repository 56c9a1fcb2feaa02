"""Joining a soundtrack with a picture that is copied packet by packet, never encoded again."""

import contextlib
import dataclasses
import heapq
import itertools
import os
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import scipy.io.wavfile
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

from v2a_jax.errors import UserError
from v2a_jax.media.audio import Sound
from v2a_jax.media.containers import (
    Container,
    add_copy,
    add_picture,
    container_for,
    is_sound_file,
    lasting,
    new_output,
    sound_container_for,
)
from v2a_jax.media.decode import probe
from v2a_jax.media.files import atomic_output
from v2a_jax.media.probe import FALLBACK_RATE, MediaInfo
from v2a_jax.media.soundtrack import add_soundtrack, encoded, fit
from v2a_jax.media.source import (
    LIMITS,
    MediaLimits,
    audio_stream,
    open_source,
    packets,
    require_video,
    video_stream,
)

MAX_REORDERED = 64  # packets held back until one has a decoding time
TITLE = "Generated sound"  # of a track beside the original one


def mux(
    video_path: str | os.PathLike,
    audio: np.ndarray,
    sample_rate: int,
    out_path: str | os.PathLike,
    *,
    limits: MediaLimits = LIMITS,
) -> None:
    """Writes the video of `video_path` with `audio` float32[N,C] as its only sound.

    Sample 0 is heard when the first video frame is shown; the audio is cut or filled up to the
    video's length. Video packets, rotation, colour, metadata and chapters are kept; other sound is
    dropped. The suffix of `out_path` chooses container and codec. The file appears whole or not at
    all. UserError when the video cannot be read, the container cannot hold it, or writing fails.
    """
    info = probe(video_path, limits=limits)
    audio_NC = fit(audio, sample_rate=sample_rate, duration=info.duration)
    sound = Sound(
        blocks=[audio_NC],
        rate=sample_rate,
        channels=audio_NC.shape[1],
        layout=None,
        start=info.start,
    )
    with open_source(video_path, limits) as source:
        container = container_for(out_path, require_video(source, video_path))
        _write(source, video_path, out_path, container, sound, shown=info.packets)


def replace_sound(
    source_path: str | os.PathLike,
    sound: Sound,
    out_path: str | os.PathLike,
    *,
    keep: bool = False,
    info: MediaInfo | None = None,
    limits: MediaLimits = LIMITS,
) -> None:
    """Writes a file again with `sound`, heard at its own time, as its only sound; else as `mux`.

    With `keep`, the main sound of a video stays as the first audio track, copied packet by packet,
    and `sound` is the second. Without a picture, or where the suffix of `out_path` is that of a
    sound file, the result holds `sound` alone. Cover pictures and subtitles are dropped. The sound
    is never whole in memory. `info` spares probing again.
    """
    with contextlib.ExitStack() as opened:
        source = opened.enter_context(open_source(source_path, limits))
        picture, kept, shown = video_stream(source), None, 0
        if picture is None or is_sound_file(out_path):
            container = sound_container_for(out_path)
            sound = dataclasses.replace(sound, start=0.0)
        else:
            if keep and audio_stream(source) is not None:
                # One of its own: the packets of either stream are taken when they are needed.
                kept = opened.enter_context(open_source(source_path, limits))
            container = container_for(out_path, picture, kept and audio_stream(kept))
            shown = (info or probe(source_path, limits=limits)).packets
        _write(source, source_path, out_path, container, sound, shown=shown, kept=kept)


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
    source_path: str | os.PathLike,
    out_path: str | os.PathLike,
    container: Container,
    sound: Sound,
    *,
    shown: int,
    kept: InputContainer | None = None,
) -> None:
    """The file, with the picture's first `shown` packets: none for sound alone."""
    if os.path.exists(out_path) and os.path.samefile(source_path, out_path):
        raise UserError(f"{out_path} is the source itself: choose another name for the result")
    with atomic_output(out_path) as file:
        try:
            _fill(source, file, container, sound, shown, kept)
        except (FFmpegError, ValueError) as error:
            if isinstance(error, OSError):
                raise
            raise UserError(
                f"{source_path}: cannot be written as {container.suffix}"
                f" ({getattr(error, 'strerror', None) or error})"
            ) from error


def _fill(
    source: InputContainer,
    file: BinaryIO,
    container: Container,
    sound: Sound,
    shown: int,
    kept: InputContainer | None,
) -> None:
    with new_output(file, container) as output:
        output.metadata.update(lasting(_tags(source)))
        output.set_chapters(source.chapters())
        tracks = []
        if shown:
            picture = require_video(source, source.name)
            # What an edit list cuts from the end would otherwise be shown again.
            copied = itertools.islice(packets(source, picture), shown)
            copied = _with_decoding_times(copied, picture)
            tracks.append(_moved(copied, add_picture(output, picture)))
        if kept is not None:
            original = audio_stream(kept)
            tracks.append(_moved(packets(kept, original), add_copy(output, original)))
        stream = add_soundtrack(output, container, sound)
        if kept is not None:
            stream.metadata.update(title=TITLE, handler_name=TITLE)
        tracks.append(encoded(stream, sound))
        output.start_encoding()
        # In order of time, so that no track is held in memory.
        for packet in heapq.merge(*tracks, key=lambda packet: packet.dts * packet.time_base):
            output.mux(packet)


def _moved(found: Iterator[Packet], stream: Stream) -> Iterator[Packet]:
    """Packets that are now of another stream; those without any time are left out."""
    for packet in found:
        packet.dts = packet.pts if packet.dts is None else packet.dts
        if packet.dts is not None:
            packet.stream = stream
            yield packet


def _tags(source: InputContainer) -> dict[str, str]:
    """Metadata of the whole file: Ogg keeps it with its only stream."""
    sound = audio_stream(source)
    alone = sound is not None and len(source.streams) == 1
    return {**(sound.metadata if alone else {}), **source.metadata}


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
