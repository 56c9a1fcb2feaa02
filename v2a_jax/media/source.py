"""Opening media that may be hostile: what may be read, how much of it, and with which decoders."""

import contextlib
import dataclasses
import itertools
import math
import os
import stat
from collections.abc import Callable, Iterable, Iterator

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.frame import Frame
from av.packet import Packet
from av.stream import Discard, Stream

from v2a_jax.errors import UserError

# Formats that hold media themselves. Those that point at other files or hosts (playlists, concat,
# sdp) or turn any text into a picture (tty) are left out.
FORMATS = (
    "mov,matroska,avi,gif,flv,mpegts,mpeg,mpegvideo,ogg,asf,mxf,nut,ivf,obu,rm,wtv,m4v,h264,hevc,"
    "apng,wav,w64,aiff,caf,flac,mp3,aac,ac3,eac3,amr,au"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MediaLimits:
    """How much of a file is accepted; whatever is over a limit is a UserError.

    max_bytes          size of the file
    max_pixels         width times height of a decoded or scaled picture
    max_frames         video packets of the file
    max_seconds        length of the video, and of the audio
    max_decoded_bytes  what one call may return: frames, and samples
    max_memory         bytes of address space of the process that decodes
    max_cpu_seconds    processor time of that process
    max_wait_seconds   until its next block comes; a slow disk needs some for the index of a film
    """

    max_bytes: int
    max_pixels: int
    max_frames: int
    max_seconds: float
    max_decoded_bytes: int
    max_memory: int
    max_cpu_seconds: int
    max_wait_seconds: float


LIMITS = MediaLimits(
    max_bytes=8 << 30,
    max_pixels=8192 * 4352,
    max_frames=1_000_000,
    max_seconds=4 * 3600.0,
    max_decoded_bytes=4 << 30,
    max_memory=4 << 30,
    max_cpu_seconds=4 * 3600,
    max_wait_seconds=300.0,
)

# Seconds before the wanted time at which a keyframe is looked for, one after the other: containers
# without an index find a place, not a keyframe.
SEEK_MARGINS = (0.0, 2.0, 10.0, 30.0)
SMALL_PIXELS = 1 << 17  # of a picture for which more threads cost more than they gain
UNTIMED = "mpeg"  # the format whose frames do not all carry a time: they must be counted


@contextlib.contextmanager
def open_source(path: str | os.PathLike, limits: MediaLimits) -> Iterator[InputContainer]:
    """A media file opened for reading; UserError when it is missing, too big or not media."""
    _check_file(path, limits)
    try:
        container = av.open(
            # The prefix keeps a name such as `concat:a|b` from being taken for a protocol.
            f"file:{os.fspath(path)}",
            options={"protocol_whitelist": "file", "format_whitelist": FORMATS},
            metadata_errors="surrogateescape",
        )
    except MemoryError:
        raise
    except (FFmpegError, ValueError) as error:
        raise UserError(f"{path}: not a media file, or damaged beyond reading") from error
    with container:
        yield container


def _check_file(path: str | os.PathLike, limits: MediaLimits) -> None:
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"{path}: {reason.lower()}") from error
    if not stat.S_ISREG(status.st_mode):
        kind = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise UserError(f"{path}: is {kind}, not a media file")
    if status.st_size == 0:
        raise UserError(f"{path}: the file is empty (0 bytes)")
    if status.st_size > limits.max_bytes:
        raise UserError(f"{path}: {status.st_size} bytes, over the limit of {limits.max_bytes}")
    if not os.access(path, os.R_OK):
        raise UserError(f"{path}: permission denied")


def video_stream(container: InputContainer) -> Stream | None:
    """The stream of moving pictures, if any: a cover picture is not one."""
    stream = container.streams.best("video")
    if stream is None or stream.disposition & stream.disposition.attached_pic:
        return None
    return stream


def require_video(container: InputContainer, path: str | os.PathLike) -> Stream:
    """The stream of moving pictures; UserError when there is none that can be decoded."""
    stream = video_stream(container)
    if stream is None or stream.codec_context is None:
        raise UserError(f"{path}: holds no video that can be decoded")
    return stream


def audio_stream(container: InputContainer) -> Stream | None:
    """The main audio stream that can be decoded, if any."""
    stream = container.streams.best("audio")
    return stream if stream is not None and stream.codec_context is not None else None


def audio_streams(container: InputContainer) -> list[Stream]:
    """All audio streams that can be decoded, the main one first."""
    main = audio_stream(container)
    others = [stream for stream in container.streams.audio if stream.codec_context is not None]
    return others if main is None else [main, *(one for one in others if one.index != main.index)]


def packets(container: InputContainer, stream: Stream) -> Iterator[Packet]:
    """Packets of one stream, in file order, up to where the container can be read."""
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    found = container.demux(stream)
    while True:
        try:
            packet = next(found, None)
        except FFmpegError:
            return
        if packet is None:
            return
        if packet.size:
            yield packet


@contextlib.contextmanager
def frames_from(
    path: str | os.PathLike,
    choose: Callable[[InputContainer], Stream],
    time: float | None,
    limits: MediaLimits,
) -> Iterator[tuple[Stream, Iterator[Frame]]]:
    """The chosen stream, and its frames from a keyframe at or before `time` on.

    `time` is in seconds on the container's clock; None for the beginning, from which a file is
    also read where no such keyframe is found.
    """
    if time is not None:
        with open_source(path, limits) as container:
            stream = _threaded(choose(container))
            frames = _sought(container, stream, time)
            if frames is not None:
                yield stream, frames
                return
    with open_source(path, limits) as container:
        stream = _threaded(choose(container))
        yield stream, decoded(stream, packets(container, stream))


def _threaded(stream: Stream) -> Stream:
    """Decoders take a thread for each core, where there is enough for them to do."""
    large = stream.type == "video" and stream.width * stream.height > SMALL_PIXELS
    stream.thread_type, stream.thread_count = "AUTO", 0 if large else 1
    return stream


def _sought(container: InputContainer, stream: Stream, time: float) -> Iterator[Frame] | None:
    """Frames from a keyframe at or before `time` on; None where the container cannot find one."""
    for margin in () if container.format.name == UNTIMED else SEEK_MARGINS:
        try:
            container.seek(math.floor((time - margin) / stream.time_base), stream=stream)
        except FFmpegError:
            return None
        found = itertools.dropwhile(lambda p: not p.is_keyframe, packets(container, stream))
        key = next(found, None)
        if key is None or key.pts is None or key.pts * key.time_base > time:
            continue
        frames = decoded(stream, itertools.chain([key], found))
        first = next(frames, None)
        if first is not None and first.pts is not None and first.time <= time:
            return itertools.chain([first], frames)
    return None


def decoded(stream: Stream, found: Iterable[Packet]) -> Iterator[Frame]:
    """Frames of one stream in order of presentation; a packet that does not decode is skipped."""
    for packet in found:
        yield from decode_packet(packet)
    flush = Packet()
    flush.stream, flush.time_base = stream, stream.time_base
    yield from decode_packet(flush)


def decode_packet(packet: Packet) -> list[Frame]:
    """Frames that a packet completes; none where it does not decode."""
    try:
        return packet.decode()
    except MemoryError:
        raise
    except FFmpegError:
        return []
