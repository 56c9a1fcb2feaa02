"""Damage that a video codec does: H.264 coded coarsely, starved of bits, or hurt on its way."""

from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np

_CODEC = "libx264"
_COARSE = (28, 51)  # constant rate factors at severities just above 0 and at 1
_STARVED = (60_000, 9_000)  # bits a second of a frame of 64 x 64 pixels at the same
_FEWEST = 2000  # bits a second that the codec takes
_RATE = 25  # frames a second that these bits are meant for
_LOST = 0.6  # of the packets hurt at severity 1
_FLIPS = 12  # bits in each
_SMALLEST = 16  # pixels that the codec takes


def compression(video: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """Constant rate factor 28 to 51."""
    factor = _between(*_COARSE, severity)
    return _decoded(_packets(video, {"crf": f"{factor:.1f}"}), video) if severity else video.copy()


def starvation(video: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """Fewer bits than the picture asks for, in proportion to its pixels."""
    if severity == 0:
        return video.copy()
    area = video.shape[1] * video.shape[2] / 64**2
    bits = max(int(area * np.exp(_between(*np.log(_STARVED), severity))), _FEWEST)
    limits = {"b": str(bits), "maxrate": str(bits), "bufsize": str(bits // 2)}
    return _decoded(_packets(video, limits), video)


def packet_loss(video: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """Bits flipped in some packets; the damage lasts until the decoder has mended it."""
    if severity == 0:
        return video.copy()
    packets = [bytearray(packet) for packet in _packets(video, {"crf": "23"})]
    hurt = rng.uniform(size=len(packets)) < _LOST * severity
    hurt[0] = False  # without the first there would be no picture at all
    if len(packets) > 1:
        hurt[1 + int(rng.integers(len(packets) - 1))] = True
    for packet in (packets[k] for k in np.flatnonzero(hurt)):
        first = min(12, len(packet) - 1)  # behind the header that names the packet
        for place in rng.integers(first, len(packet), _FLIPS):
            packet[place] ^= 1 << int(rng.integers(8))
    return _decoded(map(bytes, packets), video)


def _between(low: float, high: float, part: float) -> float:
    return low + part * (high - low)


def _packets(video: np.ndarray, options: dict[str, str]) -> Iterator[bytes]:
    """One packet a frame; no frame looks ahead, and one thread gives the same bits each time."""
    height, width = (max(length + length % 2, _SMALLEST) for length in video.shape[1:3])
    padding = (0, 0), (0, height - video.shape[1]), (0, width - video.shape[2]), (0, 0)
    encoder = av.CodecContext.create(_CODEC, "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, _RATE), Fraction(_RATE)
    encoder.thread_count = 1
    encoder.options = {"preset": "veryfast", "tune": "zerolatency", "g": "50", **options}
    for index, pixels in enumerate(np.pad(video, padding, mode="edge")):
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts = index
        yield from (bytes(packet) for packet in encoder.encode(frame))
    yield from (bytes(packet) for packet in encoder.encode(None))


def _decoded(packets: Iterator[bytes], video: np.ndarray) -> np.ndarray:
    """Like `video`; a frame that cannot be decoded repeats the one before it."""
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    decoder.options = {"flags": "low_delay"}
    out = np.empty_like(video)
    shown = video[0]
    for index, data in enumerate(packets):
        try:
            frames = decoder.decode(av.Packet(data))
        except av.error.FFmpegError:
            frames = []
        if frames:
            pixels = frames[-1].to_ndarray(format="rgb24")
            shown = pixels[: video.shape[1], : video.shape[2]]
        out[index] = shown
    return out
