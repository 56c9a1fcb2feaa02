"""Small media files made on the spot: grey level tells the frame, a burst of sound the time."""

from fractions import Fraction

import av
import numpy as np
import pytest

STEP = 4  # grey levels from one frame to the next
DARKEST = 24
BURSTS = (0.3, 0.8, 1.4)  # seconds
BURST_SECONDS = 0.05


def bursts(seconds, rate, channels=1, shift=0.0):
    """float32[N,C]: 1 kHz bursts at BURSTS + shift."""
    time = np.arange(round(seconds * rate)) / rate
    wave = np.zeros(len(time), np.float32)
    for start in BURSTS:
        inside = (time >= start + shift) & (time < start + shift + BURST_SECONDS)
        wave[inside] = 0.5 * np.sin(2 * np.pi * 1000 * (time[inside] - start - shift))
    return np.repeat(wave[:, None], channels, axis=1)


def heard(audio, rate):
    """Times at which bursts begin, in seconds: where the level first rises after 0.1 s of quiet."""
    level = np.abs(audio).max(axis=1)
    loud = np.flatnonzero(level > 0.15)
    first = np.diff(loud, prepend=-rate) > 0.1 * rate
    return loud[first] / rate


def grey(pictures):
    """Frame numbers that the grey levels of uint8[F,H,W,3] tell."""
    middle = np.asarray([picture[8:-8, 8:-8].mean() for picture in pictures])
    return np.round((middle - DARKEST) / STEP).astype(int)


def _paint(k, size, pattern):
    width, height = size
    picture = np.full((height, width, 3), DARKEST + STEP * k, np.uint8)
    if pattern:  # top left red, top right green, bottom left blue, bottom right white
        picture[: height // 2, : width // 2] = (255, 0, 0)
        picture[: height // 2, width // 2 :] = (0, 255, 0)
        picture[height // 2 :, : width // 2] = (0, 0, 255)
        picture[height // 2 :, width // 2 :] = (255, 255, 255)
    return picture


def _add_video(output, options):
    stream = output.add_stream(options["video"], rate=options["fps"])
    stream.width, stream.height = options["size"]
    stream.pix_fmt = options["pix_fmt"]
    stream.bit_rate = 4_000_000
    stream.options = options["codec_options"]
    if options["aspect"]:
        stream.sample_aspect_ratio = options["aspect"]
    if options["turn"]:
        degrees, mirrored = options["turn"]
        stream.set_display_rotation(degrees, mirrored)
    return stream


def _video_packets(stream, options):
    base = Fraction(1, 1000) if options["times"] else Fraction(1, options["fps"])
    stream.codec_context.time_base = base
    count = round(options["seconds"] * options["fps"])
    times = options["times"] or range(count)
    first = round(options["video_start"] / base)
    for k, time in enumerate(times):
        frame = av.VideoFrame.from_ndarray(_paint(k, options["size"], options["pattern"]))
        frame.pts, frame.time_base = first + time, base
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _audio_packets(stream, options):
    rate, start = options["rate"], options["audio_start"]
    shift = options["video_start"] - start
    seconds = options["audio_seconds"] or options["seconds"]
    wave = options["wave"]
    if wave is None:
        wave = bursts(seconds, rate, options["channels"], shift)
    planes = np.ascontiguousarray(wave.T)
    for begin in range(0, len(wave), rate // 4):
        part = np.ascontiguousarray(planes[:, begin : begin + rate // 4])
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=stream.layout.name)
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = round(start * rate) + begin
        yield from stream.encode(frame)
    yield from stream.encode(None)


DEFAULTS = dict(
    video="libx264",
    audio="aac",
    size=(64, 48),
    fps=25,
    seconds=2.0,
    times=None,
    pix_fmt="yuv420p",
    codec_options={},
    aspect=None,
    turn=None,
    pattern=False,
    video_start=0.0,
    rate=48000,
    channels=1,
    wave=None,
    audio_start=0.0,
    audio_seconds=None,
    metadata={},
    drop_audio=(),
)


def write_media(path, **changes):
    """A file of `seconds`; `times` (ms) instead of a constant rate; None for a missing stream.

    `wave`, float32[N,C] at `rate`, is heard instead of the bursts.
    """
    options = {**DEFAULTS, **changes}
    with av.open(str(path), "w") as output:
        output.metadata.update(options["metadata"])
        packets = []
        if options["video"]:
            packets += list(_video_packets(_add_video(output, options), options))
        if options["audio"]:
            stream = output.add_stream(options["audio"], rate=options["rate"])
            stream.layout = "mono" if options["channels"] == 1 else "stereo"
            sound = list(_audio_packets(stream, options))
            packets += [p for k, p in enumerate(sound) if k not in options["drop_audio"]]
        packets.sort(key=lambda packet: packet.dts * packet.time_base)
        for packet in packets:
            output.mux(packet)
    return path


@pytest.fixture
def make(tmp_path):
    """make(name, **changes) writes a file and returns its path."""
    return lambda name, **changes: write_media(tmp_path / name, **changes)


@pytest.fixture
def measure():
    """The functions that read back what the files tell."""

    class Measure:
        bursts = staticmethod(bursts)
        heard = staticmethod(heard)
        grey = staticmethod(grey)
        times = BURSTS

    return Measure
