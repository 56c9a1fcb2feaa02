"""Audio through FFmpeg's encoders and filters, in memory."""

import dataclasses
import io
from collections.abc import Iterable, Mapping
from fractions import Fraction

import av
import numpy as np
import soxr
from av.audio.frame import AudioFrame

from v2a_jax.media.soundtrack import soundtrack_rate

BLOCK = 1024  # samples handed over at a time
LAYOUTS = {1: "mono", 2: "stereo"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Codec:
    """An encoder of FFmpeg, its bits a second, and its options."""

    encoder: str
    bits: int
    container: str = "matroska"  # which records the encoder's delay, so that it is taken out
    rate: int | None = None  # of telephone codecs, which know one rate and one channel
    options: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def available(self) -> bool:
        """Whether this build of FFmpeg has it."""
        try:
            return av.codec.Codec(self.encoder, "w").is_encoder
        except av.codec.codec.UnknownCodecError:
            return False


def transcode(wave_NC: np.ndarray, rate: int, codec: Codec) -> np.ndarray:
    """float32[N,C] as it is after encoding and decoding: same length, rate and channels."""
    coded_rate = codec.rate or soundtrack_rate(codec.encoder, rate)
    sent_NC = wave_NC.mean(1, keepdims=True) if codec.rate else wave_NC
    sent_NC = np.clip(resample(sent_NC, rate, coded_rate), -1, 1)
    with av.open(_encode(sent_NC, coded_rate, codec)) as container:
        heard_NC = _joined(container.decode(audio=0))
        decoded_rate = container.streams.audio[0].rate  # of Opus always 48 kHz
    heard_NC = resample(heard_NC, decoded_rate, rate)
    return np.broadcast_to(fit(heard_NC, len(wave_NC)), wave_NC.shape)


def filtered(wave_NC: np.ndarray, rate: int, **filters: str) -> np.ndarray:
    """float32[M,C] after libavfilter's filters, in order: name = its options."""
    graph = av.filter.Graph()
    layout = LAYOUTS[wave_NC.shape[1]]
    tick = Fraction(1, rate)
    source = graph.add_abuffer(sample_rate=rate, format="fltp", layout=layout, time_base=tick)
    last = {"aformat": f"sample_fmts=fltp:sample_rates={rate}", "abuffersink": ""}
    steps = [graph.add(name, options) for name, options in (filters | last).items()]
    graph.link_nodes(source, *steps).configure()
    for frame in _frames(wave_NC, rate):
        graph.push(frame)
    graph.push(None)
    return _joined(_pulled(graph))


def resample(wave_NC: np.ndarray, rate: float, to: float) -> np.ndarray:
    """float32[N·to/rate,C]: band-limited; the very same samples where nothing changes."""
    return wave_NC if rate == to else soxr.resample(wave_NC, rate, to, quality="VHQ")


def fit(wave_NC: np.ndarray, samples: int) -> np.ndarray:
    """The wave cut, or filled up with zeros, to so many samples."""
    return np.pad(wave_NC[:samples], ((0, max(samples - len(wave_NC), 0)), (0, 0)))


def _encode(wave_NC: np.ndarray, rate: int, codec: Codec) -> io.BytesIO:
    file = io.BytesIO()
    with av.open(file, "w", format=codec.container) as container:
        layout = LAYOUTS[wave_NC.shape[1]]
        options = dict(codec.options)
        stream = container.add_stream(codec.encoder, rate=rate, layout=layout, options=options)
        stream.bit_rate = codec.bits
        for frame in _frames(wave_NC, rate):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    file.seek(0)
    return file


def _frames(wave_NC: np.ndarray, rate: int) -> Iterable[AudioFrame]:
    for first in range(0, len(wave_NC), BLOCK):
        planes_CN = np.ascontiguousarray(wave_NC[first : first + BLOCK].T, np.float32)
        frame = AudioFrame.from_ndarray(planes_CN, "fltp", LAYOUTS[len(planes_CN)])
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), first
        yield frame


def _pulled(graph: av.filter.Graph) -> Iterable[AudioFrame]:
    while True:
        try:
            yield graph.pull()
        except (BlockingIOError, EOFError):
            return


def _joined(frames: Iterable[AudioFrame]) -> np.ndarray:
    """float32[N,C] of frames of any sample format."""
    planar = av.AudioResampler(format="fltp")
    parts = [part for frame in frames for part in planar.resample(frame)]
    parts += planar.resample(None)
    return np.concatenate([part.to_ndarray() for part in parts], axis=1).T
