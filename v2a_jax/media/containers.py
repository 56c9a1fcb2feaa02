"""Which containers sound is written into, and which video each of them can hold beside it.

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
from v2a_jax.media.source import MediaLimits, audio_stream, open_source, require_video

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

    def holds(self, picture: Stream, kept: Stream | None = None) -> bool:
        """Whether this video, and sound, can be copied into it and be the same."""
        shape, coded = picture.sample_aspect_ratio, picture.codec_context.sample_aspect_ratio
        if shape and abs(shape - (coded or 1)) > MAX_DISTORTION and not self.records_pixel_shape:
            return False
        try:
            with new_output(io.BytesIO(), self) as output:
                add_picture(output, picture)
                if kept is not None:
                    add_copy(output, kept)
                output.start_encoding()
        except (FFmpegError, ValueError):
            return False
        return True


def _table(*rows: tuple[str, str, str, str]) -> tuple[Container, ...]:
    return tuple(
        Container(
            suffix=suffix,
            muxer=muxer,
            encoder=encoder,
            sample_format=sample_format,
            records_pixel_shape=muxer in ("mp4", "mov", "3gp"),
        )
        for suffix, muxer, encoder, sample_format in rows
    )


# In the order in which they are suggested. Matroska gets the lossless codec: the one for archives.
CONTAINERS = _table(
    (".mp4", "mp4", "aac", "fltp"),
    (".mkv", "matroska", "flac", "s32"),
    (".webm", "webm", "libopus", "flt"),
    (".mov", "mov", "aac", "fltp"),
    (".m4v", "mp4", "aac", "fltp"),
    (".3gp", "3gp", "aac", "fltp"),
)

# Files of sound alone.
SOUND_FILES = _table(
    (".wav", "wav", "pcm_f32le", "flt"),
    (".flac", "flac", "flac", "s32"),
    (".mp3", "mp3", "libmp3lame", "fltp"),
    (".m4a", "ipod", "aac", "fltp"),
    (".aac", "adts", "aac", "fltp"),
    (".ogg", "ogg", "libopus", "flt"),
    (".opus", "opus", "libopus", "flt"),
)


def output_suffix(video_path: str | os.PathLike, *, limits: MediaLimits, keep: bool = False) -> str:
    """The suffix for a file with sound: the video's own if it can be, else one that holds it.

    With `keep` it holds the video's own sound, too. UserError when no container can.
    """
    with open_source(video_path, limits) as source:
        kept = audio_stream(source) if keep else None
        fitting = _suffixes(require_video(source, video_path), kept)
    own = pathlib.Path(video_path).suffix.lower()
    if not fitting:
        raise UserError(f"{video_path}: no container is known for its video with sound")
    return own if own in fitting else fitting[0]


def container_for(
    path: str | os.PathLike, picture: Stream, kept: Stream | None = None
) -> Container:
    """The container that a path's suffix asks for; UserError naming others if it cannot be used.

    It holds the picture, and the sound that is `kept` as it is, if any.
    """
    suffix = pathlib.Path(path).suffix.lower()
    known = {container.suffix: container for container in CONTAINERS}
    if suffix in known and known[suffix].holds(picture, kept):
        return known[suffix]
    fitting = ", ".join(_suffixes(picture, kept)) or "(none is known)"
    codecs = [stream.codec_context.codec.canonical_name for stream in (picture, kept) if stream]
    what = " video with its ".join(codecs) + (" sound" if kept else " video")
    reason = f"{suffix} cannot hold this {what}" if suffix in known else "unknown kind"
    raise UserError(f"{path}: {reason}; a name that works ends in {fitting}")


def sound_container_for(path: str | os.PathLike) -> Container:
    """The container that a path's suffix asks for when it is to hold sound alone."""
    known = {container.suffix: container for container in (*SOUND_FILES, *CONTAINERS)}
    suffix = pathlib.Path(path).suffix.lower()
    if suffix not in known:
        raise UserError(f"{path}: unknown kind; a name that works ends in {', '.join(known)}")
    return known[suffix]


def is_sound_file(path: str | os.PathLike) -> bool:
    """Whether a path's suffix is one of files that hold sound alone."""
    suffix = pathlib.Path(path).suffix.lower()
    return any(container.suffix == suffix for container in SOUND_FILES)


def _suffixes(picture: Stream, kept: Stream | None) -> list[str]:
    return [container.suffix for container in CONTAINERS if container.holds(picture, kept)]


def new_output(file: BinaryIO, container: Container) -> OutputContainer:
    """An output that takes metadata in whatever encoding it was read."""
    return av.open(
        FailingOnce(file),
        "w",
        format=container.muxer,
        # Sizes in a plain WAV file end at 4 GiB.
        options={"rf64": "auto"} if container.muxer == "wav" else {},
        metadata_errors="surrogateescape",
    )


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


def add_copy(output: OutputContainer, sound: Stream) -> Stream:
    """A stream for sound that is copied, with its parameters, tags and role."""
    output.flags &= ~Flags.auto_bsf.value
    stream = output.add_stream_from_template(sound, opaque=True)
    stream.metadata.update(lasting(sound.metadata))
    stream.disposition = sound.disposition
    return stream


def lasting(metadata: dict[str, str]) -> dict[str, str]:
    """Metadata that is still true of a file with another soundtrack and container."""
    return {name: value for name, value in metadata.items() if name.lower() not in STALE_TAGS}
