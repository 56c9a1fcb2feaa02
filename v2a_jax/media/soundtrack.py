"""Encoding a soundtrack whose first sample is heard at a given time of the container's clock.

Lossy encoders put `delay` samples of padding in front. Their packets are stamped that much earlier,
and the containers record the delay, so that players drop the padding and nothing moves.
"""

from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
import soxr
from av.audio.frame import AudioFrame
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

from v2a_jax.errors import UserError
from v2a_jax.media.containers import Container

LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
BITS_PER_SECOND = 128_000  # a channel, at 48 kHz: transparent, and kind to a watermark
AAC_BITS_PER_SAMPLE = 6  # the most that the format allows


def soundtrack_rate(encoder: str, sample_rate: int) -> int:
    """The rate to encode at: the own one if the encoder knows it, else the next higher, in Hz."""
    rates = av.codec.Codec(encoder, "w").audio_rates
    if rates is None or sample_rate in rates:
        return sample_rate
    return min((rate for rate in rates if rate > sample_rate), default=max(rates))


def fit(audio_NC: np.ndarray, *, sample_rate: int, rate: int, duration: float) -> np.ndarray:
    """The audio at `rate`, cut or filled up with zeros to `duration` seconds: float32[M,C]."""
    if audio_NC.ndim != 2 or audio_NC.shape[1] not in LAYOUTS:
        raise UserError(f"audio is [samples, 1, 2, 6 or 8 channels], not {audio_NC.shape}")
    if not np.isfinite(audio_NC).all():
        raise UserError("the audio has samples that are not finite numbers")
    audio_NC = np.asarray(audio_NC, np.float32)
    if rate != sample_rate:
        audio_NC = soxr.resample(audio_NC, sample_rate, rate)
    samples = round(duration * rate)
    missing = max(0, samples - len(audio_NC))
    return np.pad(audio_NC[:samples], ((0, missing), (0, 0)))


def add_soundtrack(
    output: OutputContainer, container: Container, *, rate: int, channels: int
) -> Stream:
    """A stream of the container's codec, ready to encode."""
    stream = output.add_stream(container.encoder, rate=rate)
    stream.layout = LAYOUTS[channels]
    stream.format = container.sample_format
    stream.time_base = Fraction(1, rate)
    stream.bit_rate = channels * min(BITS_PER_SECOND, AAC_BITS_PER_SAMPLE * rate)
    return stream


def encoded(stream: Stream, audio_NC: np.ndarray, *, start: float) -> Iterator[Packet]:
    """Packets of the whole audio, at the stream's rate, whose first sample is heard at `start`."""
    rate = stream.rate
    first = round(start * rate)
    for begin in range(0, len(audio_NC), rate):
        planes_CN = np.ascontiguousarray(audio_NC[begin : begin + rate].T)
        frame = AudioFrame.from_ndarray(planes_CN, format="fltp", layout=stream.layout.name)
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), first + begin
        yield from stream.encode(frame)
    yield from stream.encode(None)
