"""Small films with sound, written on the spot."""

from fractions import Fraction

import av
import numpy as np
import pytest


def write_film(path, seconds, *, channels=0, rate=48000, level_db=-20.0, seed=0, audio="aac"):
    """A film of coloured noise whose picture changes all the time; with noise as its sound."""
    draw = np.random.default_rng(seed)
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        sound = output.add_stream(audio, rate=rate) if channels else None
        if sound:
            sound.layout = "mono" if channels == 1 else "stereo"
        for k in range(round(seconds * 25)):
            tile = draw.integers(0, 256, (4, 4, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
            frame = av.VideoFrame.from_ndarray(tile)
            frame.pts, frame.time_base = k, Fraction(1, 25)
            output.mux(video.encode(frame))
            if sound and k % 25 == 0:
                n = min(rate, round((seconds - k / 25) * rate))
                noise = 10 ** (level_db / 20) * draw.standard_normal((channels, n)).astype("f")
                part = av.AudioFrame.from_ndarray(noise, format="fltp", layout=sound.layout.name)
                part.sample_rate, part.time_base = rate, Fraction(1, rate)
                part.pts = round(k / 25 * rate)
                output.mux(sound.encode(part))
        output.mux(video.encode(None))
        if sound:
            output.mux(sound.encode(None))
    return path


@pytest.fixture
def film(tmp_path):
    """film(name, seconds, ..) writes a film and returns its path."""
    return lambda name, seconds, **options: write_film(tmp_path / name, seconds, **options)
