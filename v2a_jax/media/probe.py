"""What a media file holds: the span of its video on the clock, its picture and its audio.

The video's time is taken from its packets, which need no decoding: it begins at the smallest
presentation time and ends where the last packet's duration does. What an edit list cuts is not
part of it.
"""

import dataclasses
import itertools
import os
from collections.abc import Iterable, Iterator
from fractions import Fraction

from av.packet import Packet
from av.video.frame import VideoFrame

from v2a_jax.errors import UserError
from v2a_jax.media.picture import geometry
from v2a_jax.media.source import (
    MediaLimits,
    audio_stream,
    decode_packet,
    decoded,
    open_source,
    packets,
    require_video,
)

FALLBACK_RATE = Fraction(25)  # of a file that does not tell its own


@dataclasses.dataclass(frozen=True, kw_only=True)
class MediaInfo:
    """A file that holds video.

    container, codec  FFmpeg's names
    start          seconds on the container's own clock at which the first frame is shown: time 0
    duration       seconds from there to the end of the last frame
    frames         video packets that are shown
    packets        packets in file order up to the last one that is shown
    rate           average frames a second
    width, height  of the picture as it is shown: upright, with square pixels
    rotation       degrees clockwise by which the stored picture is turned to be shown
    has_audio      whether there is audio that can be decoded; audio_rate, audio_channels, else 0
    """

    container: str
    codec: str
    start: float
    duration: float
    frames: int
    packets: int
    rate: float
    width: int
    height: int
    rotation: int
    has_audio: bool
    audio_rate: int
    audio_channels: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Span:
    """Presentation times, in seconds, of the first frame and of the end of the last one.

    `frames` are shown; `packets` counts all in file order up to the last one that is.
    """

    start: Fraction
    end: Fraction
    frames: int
    packets: int


def examine(path: str | os.PathLike, *, limits: MediaLimits) -> MediaInfo:
    """Reads all packets and decodes one frame; UserError when there is no video to be shown."""
    frames: list[VideoFrame] = []
    with open_source(path, limits) as container:
        stream = require_video(container, path)
        audio = audio_stream(container)
        rate = stream.average_rate or stream.guessed_rate or FALLBACK_RATE
        stream.thread_count = 1  # more would first take a packet each
        span = video_span(_watched(packets(container, stream), frames), rate=rate)
        if span is None:
            raise UserError(f"{path}: its video stream is empty")
        _check_limits(path, span, limits)
        frame = next(itertools.chain(frames, decoded(stream, ())), None)
        if frame is None:
            raise UserError(f"{path}: no frame of its video can be decoded")
        return MediaInfo(
            container=container.format.name,
            codec=stream.codec_context.codec.canonical_name,
            start=float(span.start),
            duration=float(span.end - span.start),
            frames=span.frames,
            packets=span.packets,
            rate=float(rate),
            has_audio=audio is not None,
            audio_rate=audio.rate if audio else 0,
            audio_channels=audio.channels if audio else 0,
            **_shown(frame, stream.sample_aspect_ratio, path, limits),
        )


def video_span(found: Iterable[Packet], *, rate: Fraction) -> Span | None:
    """The span that video packets cover; None when there are none."""
    start = end = tick = None  # times count ticks: whole numbers, where packets tell all
    frames = shown = 0
    for count, packet in enumerate(found, start=1):
        if packet.is_discard:
            continue
        frames, shown, tick = frames + 1, count, tick or packet.time_base
        time = packet.pts if packet.pts is not None else packet.dts
        begins = time if time is not None else end or 0
        ends = begins + (packet.duration or 1 / (rate * tick))
        start = begins if start is None else min(start, begins)
        end = ends if end is None else max(end, ends)
    return (
        Span(start=start * tick, end=end * tick, frames=frames, packets=shown) if frames else None
    )


def _check_limits(path: str | os.PathLike, span: Span, limits: MediaLimits) -> None:
    seconds = float(span.end - span.start)
    if span.packets > limits.max_frames:
        raise UserError(f"{path}: {span.packets} frames, over the limit of {limits.max_frames}")
    if seconds > limits.max_seconds:
        raise UserError(f"{path}: {seconds:.1f} s, over the limit of {limits.max_seconds:.1f} s")


def _watched(found: Iterable[Packet], frames: list[VideoFrame]) -> Iterator[Packet]:
    """The packets; on the way they are decoded until there are `frames`."""
    for packet in found:
        if not frames:
            frames += decode_packet(packet)
        yield packet


def _shown(
    frame: VideoFrame, aspect: Fraction | None, path: str | os.PathLike, limits: MediaLimits
) -> dict[str, int]:
    """Width, height and rotation of a frame as it is shown."""
    shape = geometry(frame, aspect, size=None, max_pixels=limits.max_pixels, path=path)
    width, height = shape.shown
    rotation = round(-frame.rotation / 90) * 90 % 360  # FFmpeg counts anticlockwise
    return dict(width=width, height=height, rotation=rotation)
