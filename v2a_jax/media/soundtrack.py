"""Encoding a soundtrack whose first sample is heard at a given time of the container's clock.

Lossy encoders put `delay` samples of padding in front. Their packets are stamped that much earlier,
and the containers record the delay, so that players drop the padding and nothing moves. Only bare
AAC (.aac) has no place for it: there the sound begins one frame of 1024 samples late.
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

from v2a_jax.errors import UserError
from v2a_jax.media.audio import Sound
from v2a_jax.media.clock import resampler
from v2a_jax.media.containers import Container

LAYOUTS = {  # by number of channels; encoders differ in which they know
    1: ("mono",),
    2: ("stereo",),
    3: ("3.0", "2.1"),
    4: ("quad", "4.0"),
    5: ("5.0", "5.0(side)"),
    6: ("5.1", "5.1(side)"),
    7: ("6.1",),
    8: ("7.1", "7.1(wide)"),
}
BITS_PER_SECOND = 128_000  # a channel, at 48 kHz: transparent, and kind to a watermark
AAC_BITS_PER_SAMPLE = 6  # the most that the format allows


def soundtrack_rate(encoder: str, sample_rate: int) -> int:
    """The rate to encode at: the own one if the encoder knows it, else the next higher, in Hz."""
    rates = av.codec.Codec(encoder, "w").audio_rates
    if rates is None or sample_rate in rates:
        return sample_rate
    return min((rate for rate in rates if rate > sample_rate), default=max(rates))


def fit(audio_NC: np.ndarray, *, sample_rate: int, duration: float) -> np.ndarray:
    """The audio cut or filled up with zeros to `duration` seconds: float32[M,C]."""
    if audio_NC.ndim != 2 or audio_NC.shape[1] not in LAYOUTS:
        raise UserError(f"audio is [samples, 1 to 8 channels], not {audio_NC.shape}")
    samples = round(duration * sample_rate)
    missing = max(0, samples - len(audio_NC))
    return np.pad(np.asarray(audio_NC[:samples], np.float32), ((0, missing), (0, 0)))


def add_soundtrack(output: OutputContainer, container: Container, sound: Sound) -> Stream:
    """A stream of the container's codec, ready to encode; UserError where it cannot hold this."""
    rate = soundtrack_rate(container.encoder, sound.rate)
    stream = output.add_stream(container.encoder, rate=rate)
    for layout in (sound.layout, *LAYOUTS.get(sound.channels, ())):
        if layout and _opens(container, rate, layout, sound.channels):
            _configure(stream.codec_context, container, rate, layout)
            stream.time_base = Fraction(1, rate)
            return stream
    raise UserError(
        f"{sound.channels} channels at {rate} Hz cannot be written as {container.suffix}"
    )


def _opens(container: Container, rate: int, layout: str, channels: int) -> bool:
    """Whether the encoder takes a layout: what it publishes is not all that it checks."""
    context = av.CodecContext.create(container.encoder, "w")
    try:
        _configure(context, container, rate, layout)
        context.open()
    except (FFmpegError, ValueError):
        return False
    return context.layout.nb_channels == channels


def _configure(context: AudioCodecContext, container: Container, rate: int, layout: str) -> None:
    context.sample_rate, context.time_base = rate, Fraction(1, rate)
    context.layout, context.format = layout, container.sample_format
    channels = context.layout.nb_channels
    context.bit_rate = channels * min(BITS_PER_SECOND, AAC_BITS_PER_SAMPLE * rate)


def encoded(stream: Stream, sound: Sound) -> Iterator[Packet]:
    """Packets of the sound, whose blocks are taken as they are needed.

    UserError at a sample that is not a finite number.
    """
    rate = stream.rate
    position = round(sound.start * rate)
    for block_NC in at_rate(sound.blocks, sound.rate, rate, sound.channels):
        for begin in range(0, len(block_NC), rate):
            part_NC = np.ascontiguousarray(block_NC[begin : begin + rate], np.float32)
            packed = part_NC.reshape(1, -1)
            frame = AudioFrame.from_ndarray(packed, format="flt", layout=stream.layout.name)
            frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), position
            position += len(part_NC)
            yield from stream.encode(frame)
    yield from stream.encode(None)


def at_rate(
    blocks: Iterable[np.ndarray], rate: int, wanted: int, channels: int
) -> Iterator[np.ndarray]:
    """Blocks float32[n,C] at another rate; UserError at a sample that is not a finite number."""
    convert = resampler(rate, wanted, channels)
    for block_NC in blocks:
        if not np.isfinite(block_NC).all():
            raise UserError("the audio has samples that are not finite numbers")
        yield convert(block_NC, last=False)
    yield convert(np.zeros((0, channels), np.float32), last=True)
