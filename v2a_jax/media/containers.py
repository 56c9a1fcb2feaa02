"""Which containers a soundtrack is written into, and which video each of them can hold.

What a container can hold is found out by writing a header for that very stream: the lists of
codecs that muxers publish promise more than they keep.
"""

import dataclasses
import io
import os
import pathlib
from typing import BinaryIO

import av
from av.container import OutputContainer
from av.container.core import Flags
from av.error import FFmpegError
from av.stream import Stream

from v2a_jax.errors import UserError
from v2a_jax.media.files import FailingOnce
from v2a_jax.media.source import MediaLimits, open_source, require_video

MAX_DISTORTION = 0.01  # of a pixel's shape
STALE_TAGS = {"duration", "major_brand", "minor_version", "compatible_brands"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Container:
    """A kind of file: FFmpeg's muxer, and the encoder and sample format of its soundtrack."""

    suffix: str
    muxer: str
    encoder: str
    sample_format: str
    records_pixel_shape: bool

    def holds(self, picture: Stream) -> bool:
        """Whether this video can be copied into it and be shown the same."""
        shape, coded = picture.sample_aspect_ratio, picture.codec_context.sample_aspect_ratio
        if shape and abs(shape - (coded or 1)) > MAX_DISTORTION and not self.records_pixel_shape:
            return False
        try:
            with new_output(io.BytesIO(), self) as output:
                add_picture(output, picture)
                output.start_encoding()
        except (FFmpegError, ValueError):
            return False
        return True


# In the order in which they are suggested. Matroska gets the lossless codec: the one for archives.
CONTAINERS = tuple(
    Container(
        suffix=suffix,
        muxer=muxer,
        encoder=encoder,
        sample_format=sample_format,
        records_pixel_shape=muxer in ("mp4", "mov", "3gp"),
    )
    for suffix, muxer, encoder, sample_format in (
        (".mp4", "mp4", "aac", "fltp"),
        (".mkv", "matroska", "flac", "s32"),
        (".webm", "webm", "libopus", "flt"),
        (".mov", "mov", "aac", "fltp"),
        (".m4v", "mp4", "aac", "fltp"),
        (".3gp", "3gp", "aac", "fltp"),
    )
)


def output_suffix(video_path: str | os.PathLike, *, limits: MediaLimits) -> str:
    """The suffix for a file with sound: the video's own if it can be, else one that holds it.

    UserError when no container can.
    """
    with open_source(video_path, limits) as source:
        fitting = _suffixes(require_video(source, video_path))
    own = pathlib.Path(video_path).suffix.lower()
    if not fitting:
        raise UserError(f"{video_path}: no container is known for its video with sound")
    return own if own in fitting else fitting[0]


def container_for(path: str | os.PathLike, picture: Stream) -> Container:
    """The container that a path's suffix asks for; UserError naming others if it cannot be used."""
    suffix = pathlib.Path(path).suffix.lower()
    known = {container.suffix: container for container in CONTAINERS}
    if suffix in known and known[suffix].holds(picture):
        return known[suffix]
    fitting = ", ".join(_suffixes(picture)) or "(none is known)"
    codec = picture.codec_context.codec.canonical_name
    reason = f"{suffix} cannot hold this {codec} video" if suffix in known else "unknown kind"
    raise UserError(f"{path}: {reason}; a name that works ends in {fitting}")


def _suffixes(picture: Stream) -> list[str]:
    return [container.suffix for container in CONTAINERS if container.holds(picture)]


def new_output(file: BinaryIO, container: Container) -> OutputContainer:
    """An output that takes metadata in whatever encoding it was read."""
    sink = FailingOnce(file)
    return av.open(sink, "w", format=container.muxer, metadata_errors="surrogateescape")


def add_picture(output: OutputContainer, picture: Stream) -> Stream:
    """A stream with the parameters, side data and tags of the one that is copied."""
    # Bitstream filters would change packets on their way through.
    output.flags &= ~Flags.auto_bsf.value
    video = output.add_stream_from_template(picture, opaque=True)
    video.metadata.update(lasting(picture.metadata))
    video.disposition = picture.disposition
    if picture.sample_aspect_ratio:
        video.codec_context.sample_aspect_ratio = picture.sample_aspect_ratio
    if picture.codec_context.name == "hevc" and output.format.name in ("mp4", "mov"):
        # Some players know no other tag; hev1 says that parameter sets are within the packets.
        tag = picture.codec_context.codec_tag
        video.codec_context.codec_tag = tag if tag == "hev1" else "hvc1"
    return video


def lasting(metadata: dict[str, str]) -> dict[str, str]:
    """Metadata that is still true of a file with another soundtrack and container."""
    return {name: value for name, value in metadata.items() if name.lower() not in STALE_TAGS}
